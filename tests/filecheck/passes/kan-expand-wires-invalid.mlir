// RUN: kan-opt --check-passes %s -p kan-expand-wires --verify-diagnostics --split-input-file | filecheck %s

!codes = !quant.uniform<u2:f32, 0.5:1>
!edges = !quant.uniform<i4:f32, 0.25>

// CHECK: @f: an argument of type tensor<1x1x!quant.uniform<i4:f32, 0.25>> is no vector of codes; arguments and results must be tensor<n x !quant.uniform>
func.func @f(%x: tensor<1x!codes>, %e: tensor<1x1x!edges>) -> tensor<1x!edges> {
  %s = kan.node_sum %e : tensor<1x1x!edges> -> tensor<1x!edges>
  func.return %s : tensor<1x!edges>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>

// CHECK: @f: 'kan.map' is not at table level; run kan-quantize and kan-fold-tables first
func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  %q = kan.quantize %x : tensor<1xf32> -> tensor<1x!codes>
  %d = kan.dequantize %q : tensor<1x!codes> -> tensor<1xf32>
  %m = kan.map "abs" %d : tensor<1xf32>
  %r = kan.quantize %m : tensor<1xf32> -> tensor<1x!codes>
  %y = kan.dequantize %r : tensor<1x!codes> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>

// CHECK: argument 1 of @f is not read by one kan.quantize alone; quantise it first (kan-quantize, or kan-compile)
func.func @f(%x: tensor<1x!codes>, %y: tensor<1xf32>) -> tensor<1x!codes> {
  func.return %x : tensor<1x!codes>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>

// CHECK: @f: a result of type tensor<1x1x!quant.uniform<u2:f32, 0.5:1>> is no vector of codes
func.func @f(%x: tensor<1xf32>) -> tensor<1x1x!codes> {
  %q = kan.quantize %x : tensor<1xf32> -> tensor<1x!codes>
  %t = kan.tables %q tables dense<1> : tensor<1x1x4xi8> : tensor<1x!codes> -> tensor<1x1x!codes>
  func.return %t : tensor<1x1x!codes>
}
