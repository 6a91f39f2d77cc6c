// RUN: kan-opt %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | filecheck %s --check-prefix GENERIC

!codes = !quant.uniform<u2:f32, 0.5:1>
!edges = !quant.uniform<i4:f32, 0.25>
!sums = !quant.uniform<i6:f32, 0.25>

// CHECK-LABEL: @layer
// GENERIC-LABEL: sym_name = "layer"
func.func @layer(%x: tensor<2xf32>) -> tensor<1xf32> {
  // CHECK: kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32, 0.5:1>>
  // GENERIC: "kan.quantize"(%x) : (tensor<2xf32>) -> tensor<2x!quant.uniform<u2:f32, 0.5:1>>
  %q = kan.quantize %x : tensor<2xf32> -> tensor<2x!codes>

  // A table for each edge; all its codes.
  // CHECK: kan.tables %q as "layer0" tables dense<{{\[\[\[}}0, 1, 2, 3], [-4, -3, -2, -1]]]> : tensor<1x2x4xi8>
  // CHECK-SAME: : tensor<2x!quant.uniform<u2:f32, 0.5:1>> -> tensor<1x2x!quant.uniform<i4:f32, 0.25>>
  // GENERIC: "kan.tables"(%q) <{name = "layer0", tables =
  %e = kan.tables %q as "layer0" tables dense<[[[0, 1, 2, 3], [-4, -3, -2, -1]]]> : tensor<1x2x4xi8> : tensor<2x!codes> -> tensor<1x2x!edges>

  // CHECK: kan.node_sum %e as "layer0" bias dense<[5]> : tensor<1xi32> : tensor<1x2x!quant.uniform<i4:f32, 0.25>> -> tensor<1x!quant.uniform<i6:f32, 0.25>>
  // GENERIC: "kan.node_sum"(%e) <{name = "layer0", bias =
  %s = kan.node_sum %e as "layer0" bias dense<5> : tensor<1xi32> : tensor<1x2x!edges> -> tensor<1x!sums>

  // CHECK: kan.requantize %s as "layer0" : tensor<1x!quant.uniform<i6:f32, 0.25>> -> tensor<1x!quant.uniform<u2:f32, 0.5:1>>
  // GENERIC: "kan.requantize"(%s) <{name = "layer0"}>
  %r = kan.requantize %s as "layer0" : tensor<1x!sums> -> tensor<1x!codes>

  // One table an input.
  // CHECK: kan.tables %r tables dense<{{\[\[}}3, 2, 1, 0]]> : tensor<1x4xi8> : tensor<1x!quant.uniform<u2:f32, 0.5:1>> -> tensor<1x!quant.uniform<u2:f32, 0.5:1>>
  %h = kan.tables %r tables dense<[[3, 2, 1, 0]]> : tensor<1x4xi8> : tensor<1x!codes> -> tensor<1x!codes>

  // CHECK: kan.dequantize %h : tensor<1x!quant.uniform<u2:f32, 0.5:1>> -> tensor<1xf32>
  // GENERIC: "kan.dequantize"(%h) : (tensor<1x!quant.uniform<u2:f32, 0.5:1>>) -> tensor<1xf32>
  %y = kan.dequantize %h : tensor<1x!codes> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// Elements without a mask bit are not quantised: the edges that no sum reads.
// CHECK-LABEL: @masked
func.func @masked(%e: tensor<1x2xf32>) -> tensor<1x2x!edges> {
  // CHECK-NEXT: kan.quantize %e mask dense<{{\[\[}}0, 1]]> : tensor<1x2xi8> : tensor<1x2xf32>
  %q = kan.quantize %e mask dense<[[0, 1]]> : tensor<1x2xi8> : tensor<1x2xf32> -> tensor<1x2x!edges>
  // CHECK-NEXT: kan.quantize %e mask dense<{{\[\[}}0, 1]]> : tensor<1x2xi8> bounds dense<{{\[\[\[}}0, 0], [-1, 2]]]>
  %r = kan.quantize %e mask dense<[[0, 1]]> : tensor<1x2xi8> bounds dense<[[[0, 0], [-1, 2]]]> : tensor<1x2x2xi8> : tensor<1x2xf32> -> tensor<1x2x!edges>
  func.return %r : tensor<1x2x!edges>
}

// Another rounding than half to even.
// CHECK-LABEL: @rounding
// GENERIC-LABEL: sym_name = "rounding"
func.func @rounding(%x: tensor<2xf32>) -> tensor<2x!codes> {
  %h = kan.map "abs" %x : tensor<2xf32>
  // CHECK: kan.quantize %h rounding "floor" : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32, 0.5:1>>
  // GENERIC: "kan.quantize"(%h) <{rounding = "floor"}>
  %q = kan.quantize %h rounding "floor" : tensor<2xf32> -> tensor<2x!codes>
  func.return %q : tensor<2x!codes>
}

// Bounds of each element: of codes, of tables, of sums.
// CHECK-LABEL: @bounds
// GENERIC-LABEL: sym_name = "bounds"
func.func @bounds(%x: tensor<2xf32>) -> tensor<1xf32> {
  // CHECK: kan.quantize %x bounds dense<{{\[\[}}0, 1], [2, 3]]> : tensor<2x2xi8> : tensor<2xf32>
  // GENERIC: "kan.quantize"(%x) <{bounds =
  %q = kan.quantize %x bounds dense<[[0, 1], [2, 3]]> : tensor<2x2xi8> : tensor<2xf32> -> tensor<2x!codes>
  // The 7s are never read.
  // CHECK: kan.tables %q tables dense<{{\[\[\[}}0, 1, 7, 7], [7, 7, -2, -1]]]> : tensor<1x2x4xi8> bounds dense<{{\[\[\[}}0, 1], [-2, -1]]]> : tensor<1x2x2xi8>
  // GENERIC: "kan.tables"(%q) <{tables = {{.*}}, bounds =
  %e = kan.tables %q tables dense<[[[0, 1, 7, 7], [7, 7, -2, -1]]]> : tensor<1x2x4xi8> bounds dense<[[[0, 1], [-2, -1]]]> : tensor<1x2x2xi8> : tensor<2x!codes> -> tensor<1x2x!edges>
  // CHECK: kan.node_sum %e mask dense<{{\[\[}}1, 0]]> : tensor<1x2xi8> bounds dense<{{\[\[}}0, 1]]> : tensor<1x2xi8>
  // GENERIC: "kan.node_sum"(%e) <{mask = {{.*}}, bounds =
  %s = kan.node_sum %e mask dense<[[1, 0]]> : tensor<1x2xi8> bounds dense<[[0, 1]]> : tensor<1x2xi8> : tensor<1x2x!edges> -> tensor<1x!sums>
  // CHECK: kan.requantize %s bounds dense<{{\[\[}}1, 2]]> : tensor<1x2xi8>
  // GENERIC: "kan.requantize"(%s) <{bounds =
  %r = kan.requantize %s bounds dense<[[1, 2]]> : tensor<1x2xi8> : tensor<1x!sums> -> tensor<1x!codes>
  %y = kan.dequantize %r : tensor<1x!codes> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// Codes side by side keep the scale and the zero point of each element.
// CHECK-LABEL: @concat
func.func @concat(%a: tensor<1x!codes>, %b: tensor<2x!quant.uniform<i4:f32, 0.25>>) -> tensor<3x!quant.uniform<i5:f32:0, {0.5:1,0.25,0.25}>> {
  // CHECK: kan.concat %a, %b : tensor<1x!quant.uniform<u2:f32, 0.5:1>>, tensor<2x!quant.uniform<i4:f32, 0.25>> -> tensor<3x!quant.uniform<i5:f32:0, {0.5:1,0.25,0.25}>>
  %c = kan.concat %a, %b : tensor<1x!codes>, tensor<2x!quant.uniform<i4:f32, 0.25>> -> tensor<3x!quant.uniform<i5:f32:0, {0.5:1,0.25,0.25}>>
  func.return %c : tensor<3x!quant.uniform<i5:f32:0, {0.5:1,0.25,0.25}>>
}

// CHECK-LABEL: @overrides
// GENERIC-LABEL: sym_name = "overrides"
func.func @overrides(%q: tensor<2x!codes>) -> tensor<2xf32> {
  // Code 0 of element 1 stands for -999.
  // CHECK: kan.dequantize %q overrides dense<{{\[\[}}1.0, 0.0, -999.0]]> : tensor<1x3xf64> : tensor<2x!quant.uniform<u2:f32, 0.5:1>> -> tensor<2xf32>
  // GENERIC: "kan.dequantize"(%q) <{overrides =
  %y = kan.dequantize %q overrides dense<[[1.0, 0.0, -999.0]]> : tensor<1x3xf64> : tensor<2x!codes> -> tensor<2xf32>
  func.return %y : tensor<2xf32>
}
