// RUN: kan-opt --check-passes %s -p kan-fold-tables | filecheck %s

!codes = !quant.uniform<u2:f32, 0.5:1>
!edges = !quant.uniform<i8:f32, 0.25>

// What stands between codes and codes becomes a table for each edge, with an entry for each code:
// here x^2 and 2 x^2 for x of -0.5, 0, 0.5 and 1, in steps of 0.25.
// CHECK-LABEL: @edges
func.func @edges(%x: tensor<1xf32>) -> tensor<2xf32> {
  // CHECK-NEXT: [[Q:%.*]] = kan.quantize %x
  // CHECK-NEXT: [[T:%.*]] = kan.tables [[Q]] as "layer0" tables dense<{{\[\[\[}}1, 0, 1, 4]], {{\[\[}}2, 0, 2, 8]]]> : tensor<2x1x4xi8>
  // Edges and sums get the narrowest storage, and bounds where that is too wide.
  // CHECK-SAME: bounds dense<{{\[\[\[}}0, 4]], {{\[\[}}0, 8]]]> : tensor<2x1x2xi8> : tensor<1x!quant.uniform<u2:f32, 0.5:1>> -> tensor<2x1x!quant.uniform<u4:f32, 0.25>>
  // CHECK-NEXT: [[S:%.*]] = kan.node_sum [[T]] as "layer0" bias dense<[0, -2]> : tensor<2xi8> bounds dense<{{\[\[}}0, 4], [-2, 6]]> : tensor<2x2xi8>
  // CHECK-SAME: -> tensor<2x!quant.uniform<i4:f32, 0.25>>
  // CHECK-NEXT: [[Y:%.*]] = kan.dequantize [[S]]
  // CHECK-NEXT: func.return [[Y]]
  %q = kan.quantize %x : tensor<1xf32> -> tensor<1x!codes>
  %d = kan.dequantize %q : tensor<1x!codes> -> tensor<1xf32>
  %e = kan.base "square" %d weights dense<[[1.0], [2.0]]> : tensor<2x1xf32> : tensor<1xf32> -> tensor<2x1xf32>
  %r = kan.quantize %e : tensor<2x1xf32> -> tensor<2x1x!edges>
  %s = kan.node_sum %r as "layer0" bias dense<[0, -2]> : tensor<2xi8> : tensor<2x1x!edges> -> tensor<2x!quant.uniform<i16:f32, 0.25>>
  %y = kan.dequantize %s : tensor<2x!quant.uniform<i16:f32, 0.25>> -> tensor<2xf32>
  func.return %y : tensor<2xf32>
}

// Any number of ops of any kind, as long as each maps its inputs separately. Ties round to even:
// 2 x + 0.25, in steps of 0.5, is -1.5, 0.5, 2.5 and 4.5.
// CHECK-LABEL: @chain
func.func @chain(%x: tensor<1xf32>) -> tensor<1x!quant.uniform<i4:f32, 0.5>> {
  // CHECK: kan.tables {{%.*}} tables dense<{{\[\[\[}}-2, 0, 2, 4]]]>
  %q = kan.quantize %x : tensor<1xf32> -> tensor<1x!codes>
  %d = kan.dequantize %q : tensor<1x!codes> -> tensor<1xf32>
  %c = arith.constant dense<0.25> : tensor<1x1xf32>
  %e = kan.base "identity" %d weights dense<1.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %a = kan.map "identity" %e : tensor<1x1xf32>
  %s = arith.addf %a, %e : tensor<1x1xf32>
  %f = arith.addf %s, %c : tensor<1x1xf32>
  %r = kan.quantize %f : tensor<1x1xf32> -> tensor<1x1x!quant.uniform<i4:f32, 0.5>>
  %n = kan.node_sum %r : tensor<1x1x!quant.uniform<i4:f32, 0.5>> -> tensor<1x!quant.uniform<i4:f32, 0.5>>
  func.return %n : tensor<1x!quant.uniform<i4:f32, 0.5>>
}

// Values beyond the codes saturate, infinite ones too. A code beyond the input's bounds, which never
// comes, has the entry of the nearest that does.
// CHECK-LABEL: @saturate
func.func @saturate(%x: tensor<1xf32>) -> tensor<1x!quant.uniform<i3:f32, 0.5>> {
  // CHECK: kan.tables {{%.*}} tables dense<{{\[\[\[}}-2, 3, 2, 2]]]> : tensor<1x1x4xi8>
  %q = kan.quantize %x bounds dense<[[0, 2]]> : tensor<1x2xi8> : tensor<1xf32> -> tensor<1x!codes>
  %d = kan.dequantize %q : tensor<1x!codes> -> tensor<1xf32>
  %e = kan.base "reciprocal" %d weights dense<0.5> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %r = kan.quantize %e bounds dense<[[[-4, 3]]]> : tensor<1x1x2xi8> : tensor<1x1xf32> -> tensor<1x1x!quant.uniform<i8:f32, 0.5>>
  %n = kan.node_sum %r bounds dense<[[-4, 3]]> : tensor<1x2xi8> : tensor<1x1x!quant.uniform<i8:f32, 0.5>> -> tensor<1x!quant.uniform<i3:f32, 0.5>>
  func.return %n : tensor<1x!quant.uniform<i3:f32, 0.5>>
}

// The table of a pruned edge is 0, whatever its function, and counts for no sum.
// CHECK-LABEL: @pruned
func.func @pruned(%x: tensor<2xf32>) -> tensor<1x!quant.uniform<i8:f32, 0.5>> {
  // CHECK: kan.tables {{%.*}} tables dense<{{\[\[\[}}0, 0, 0, 0], [-1, 0, 1, 2]]]> : tensor<1x2x4xi8>
  // CHECK-NEXT: kan.node_sum {{%.*}} mask dense<{{\[\[}}0, 1]]>
  %q = kan.quantize %x : tensor<2xf32> -> tensor<2x!codes>
  %d = kan.dequantize %q : tensor<2x!codes> -> tensor<2xf32>
  %l = kan.map "log" %d : tensor<2xf32>
  %e = kan.base "exp" %l weights dense<[[0.0, 0.0]]> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>
  %b = kan.base "identity" %d weights dense<1.0> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>
  %s = arith.addf %e, %b : tensor<1x2xf32>
  %r = kan.quantize %s : tensor<1x2xf32> -> tensor<1x2x!quant.uniform<i7:f32, 0.5>>
  %n = kan.node_sum %r mask dense<[[0, 1]]> : tensor<1x2xi8> : tensor<1x2x!quant.uniform<i7:f32, 0.5>> -> tensor<1x!quant.uniform<i8:f32, 0.5>>
  func.return %n : tensor<1x!quant.uniform<i8:f32, 0.5>>
}

// Also where the quantiser's bounds exclude 0.
// CHECK-LABEL: @pruned_bounds
func.func @pruned_bounds(%x: tensor<2xf32>) -> tensor<1xf32> {
  // CHECK: kan.node_sum {{%.*}} mask {{.*}} bounds dense<{{\[\[}}-1, 2]]>
  %q = kan.quantize %x : tensor<2xf32> -> tensor<2x!codes>
  %d = kan.dequantize %q : tensor<2x!codes> -> tensor<2xf32>
  %e = kan.base "identity" %d weights dense<1.0> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>
  %r = kan.quantize %e bounds dense<[[[5, 6], [-8, 7]]]> : tensor<1x2x2xi8> : tensor<1x2xf32> -> tensor<1x2x!quant.uniform<i4:f32, 0.5>>
  %n = kan.node_sum %r mask dense<[[0, 1]]> : tensor<1x2xi8> : tensor<1x2x!quant.uniform<i4:f32, 0.5>> -> tensor<1x!quant.uniform<i8:f32, 0.5>>
  %y = kan.dequantize %n : tensor<1x!quant.uniform<i8:f32, 0.5>> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// A mask at the quantiser alone does too: here the edge has no reader that prunes it.
// CHECK-LABEL: @masked
func.func @masked(%x: tensor<1xf32>) -> tensor<1x1x!edges> {
  // CHECK: kan.tables {{%.*}} tables dense<{{\[\[\[}}0, 0, 0, 0]]]> : tensor<1x1x4xi8>
  %q = kan.quantize %x : tensor<1xf32> -> tensor<1x!codes>
  %d = kan.dequantize %q : tensor<1x!codes> -> tensor<1xf32>
  %e = kan.base "log" %d weights dense<1.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %r = kan.quantize %e mask dense<0> : tensor<1x1xi8> : tensor<1x1xf32> -> tensor<1x1x!edges>
  func.return %r : tensor<1x1x!edges>
}

// A function of nodes becomes a table for each node.
// CHECK-LABEL: @head
func.func @head(%x: tensor<2xf32>) -> tensor<2xf32> {
  // CHECK: kan.tables {{%.*}} tables dense<{{\[\[}}2, 0, 2, 4], [2, 0, 2, 4]]> : tensor<2x4xi8> : tensor<2x!quant.uniform<u2:f32, 0.5:1>> -> tensor<2x!quant.uniform<u3:f32, 0.25>>
  %q = kan.quantize %x : tensor<2xf32> -> tensor<2x!codes>
  %d = kan.dequantize %q : tensor<2x!codes> -> tensor<2xf32>
  %m = kan.map "abs" %d : tensor<2xf32>
  %r = kan.quantize %m : tensor<2xf32> -> tensor<2x!quant.uniform<u3:f32, 0.25>>
  %y = kan.dequantize %r : tensor<2x!quant.uniform<u3:f32, 0.25>> -> tensor<2xf32>
  func.return %y : tensor<2xf32>
}
