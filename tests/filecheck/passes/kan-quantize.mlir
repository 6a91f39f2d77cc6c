// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=2 scale="minmax"}' | filecheck %s

// CHECK: kan.pipeline = ["kan-quantize{bits=2 scale=\22minmax\22}"]

// Every layer becomes: codes, real values, edge functions, rounded edges, exact sums, codes.
// CHECK-LABEL: @layers
func.func @layers(%x: tensor<2xf32>) -> tensor<1xf32> {
  // Each input has its own scale and zero point, from what was observed.
  // CHECK-NEXT: [[Q:%.*]] = kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32:0, {1.0,0.5:2}>>
  // CHECK-NEXT: [[X:%.*]] = kan.dequantize [[Q]]
  // CHECK-NEXT: [[E:%.*]] = kan.base "identity" [[X]]
  %ox = kan.observe %x range dense<[[0.0, 3.0], [-1.0, 0.5]]> : tensor<2x2xf32> histogram dense<1> : tensor<2x4xi8> : tensor<2xf32>
  %e0 = kan.base "identity" %ox weights dense<[[1.0, 1.0], [-1.0, 2.0]]> : tensor<2x2xf32> : tensor<2xf32> -> tensor<2x2xf32>

  // Edges are rounded to the scale of their node, and bounded by what they can be.
  // CHECK-NEXT: [[F:%.*]] = kan.quantize [[E]] bounds dense<{{\[\[\[}}0, 3], [-1, 0]], {{\[\[}}-2, 0], [-1, 0]]]> : tensor<2x2x2xi8>
  // CHECK-SAME: tensor<2x2xf32> -> tensor<2x2x!quant.uniform<i3:f32:0, {1.0,2.0}>>
  // So are the biases, and the sums have the bounds that follow.
  // CHECK-NEXT: [[S:%.*]] = kan.node_sum [[F]] as "layer0" bias dense<[3, 0]> : tensor<2xi8> bounds dense<{{\[\[}}2, 6], [-3, 0]]> : tensor<2x2xi8>
  // CHECK-SAME: -> tensor<2x!quant.uniform<i4:f32:0, {1.0,2.0}>>
  // CHECK-NEXT: [[R:%.*]] = kan.requantize [[S]] as "layer0" : {{.*}} -> tensor<2x!quant.uniform<u2:f32:0, {1.0,2.0:2}>>
  // CHECK-NEXT: [[N:%.*]] = kan.dequantize [[R]]
  %n0 = kan.node_sum %e0 as "layer0" bias dense<[2.75, 0.5]> : tensor<2xf32> : tensor<2x2xf32> -> tensor<2xf32>
  %on = kan.observe %n0 range dense<[[0.0, 3.0], [-4.0, 2.0]]> : tensor<2x2xf32> histogram dense<1> : tensor<2x4xi8> : tensor<2xf32>
  // CHECK-NEXT: kan.base "identity" [[N]]
  %e1 = kan.base "identity" %on weights dense<1.0> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>

  // Sums that are the result stay as they are, exact, with one scale for all; a pruned edge is 0.
  // CHECK-NEXT: [[T:%.*]] = kan.quantize {{%.*}} mask dense<{{\[\[}}0, 1]]> : tensor<1x2xi8> bounds dense<{{\[\[\[}}0, 0], [-2, 1]]]>
  // CHECK-NEXT: [[U:%.*]] = kan.node_sum [[T]] mask dense<{{\[\[}}0, 1]]> : tensor<1x2xi8> : {{.*}} -> tensor<1x!quant.uniform<i2:f32, 2.0>>
  // CHECK-NEXT: [[Y:%.*]] = kan.dequantize [[U]]
  // CHECK-NEXT: func.return [[Y]]
  %n1 = kan.node_sum %e1 mask dense<[[0, 1]]> : tensor<1x2xi8> : tensor<1x2xf32> -> tensor<1xf32>
  %oy = kan.observe %n1 range dense<[[-3.0, 3.0]]> : tensor<1x2xf32> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  func.return %oy : tensor<1xf32>
}

// Without observations: inputs range over the grids of the B-splines that read them, here -1..0.5
// and 0..3, and nodes over everything that their edges can give.
// CHECK-LABEL: @uncalibrated
func.func @uncalibrated(%x: tensor<2xf32>) -> tensor<1xf32> {
  // CHECK-NEXT: kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32:0, {0.5:2,1.0}>>
  // CHECK: kan.node_sum {{%.*}} -> tensor<1x!quant.uniform<u2:f32, 1.0>>
  %e = kan.bspline %x degree 1 extend knots dense<[[-1.0, 0.0, 0.5], [0.0, 2.0, 3.0]]> : tensor<2x3xf32>
    coefficients dense<[[[1.0, 0.0, -1.0], [2.0, 2.0, 1.0]]]> : tensor<1x2x3xf32> : tensor<2xf32> -> tensor<1x2xf32>
  %n = kan.node_sum %e : tensor<1x2xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}

// A function of the last nodes is quantised too; nodes that are both read and returned have codes.
// CHECK-LABEL: @head
func.func @head(%x: tensor<1xf32>) -> (tensor<1xf32>, tensor<1xf32>) {
  // CHECK: [[N:%.*]] = kan.requantize
  // CHECK-NEXT: [[M:%.*]] = kan.dequantize [[N]]
  // CHECK-NEXT: [[T:%.*]] = kan.map "abs" [[M]]
  // CHECK-NEXT: [[Q:%.*]] = kan.quantize [[T]] : tensor<1xf32> -> tensor<1x!quant.uniform<u2:f32, 1.0>>
  // CHECK-NEXT: [[D:%.*]] = kan.dequantize [[Q]]
  // CHECK-NEXT: func.return [[D]], [[M]]
  %o = kan.observe %x range dense<[[-3.0, 0.0]]> : tensor<1x2xf32> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  %e = kan.base "identity" %o weights dense<1.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e : tensor<1x1xf32> -> tensor<1xf32>
  %y = kan.map "abs" %n : tensor<1xf32>
  func.return %y, %n : tensor<1xf32>, tensor<1xf32>
}

// Codes are put side by side where real values were, each with its scale and zero point.
// CHECK-LABEL: @concat
func.func @concat(%x: tensor<1xf32>, %y: tensor<1xf32>) -> tensor<2xf32> {
  // CHECK: [[C:%.*]] = kan.concat {{%.*}}, {{%.*}} : tensor<1x!quant.uniform<u2:f32:0, {1.0}>>, tensor<1x!quant.uniform<u2:f32:0, {0.5:2}>> -> tensor<2x!quant.uniform<u2:f32:0, {1.0,0.5:2}>>
  // CHECK-NEXT: [[D:%.*]] = kan.dequantize [[C]]
  // CHECK-NEXT: func.return [[D]]
  %ox = kan.observe %x range dense<[[0.0, 3.0]]> : tensor<1x2xf32> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  %oy = kan.observe %y range dense<[[-1.0, 0.5]]> : tensor<1x2xf32> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  %c = kan.concat %ox, %oy : tensor<1xf32>, tensor<1xf32> -> tensor<2xf32>
  func.return %c : tensor<2xf32>
}

// Real numbers keep their type.
// CHECK-LABEL: @double
func.func @double(%x: tensor<1xf64>) -> tensor<1xf64> {
  // CHECK: kan.quantize %x : tensor<1xf64> -> tensor<1x!quant.uniform<u2:f64:0, {1.0}>>
  // CHECK: kan.map "abs" {{%.*}} : tensor<1xf64>
  %o = kan.observe %x range dense<[[0.0, 3.0]]> : tensor<1x2xf32> histogram dense<1> : tensor<1x4xi8> : tensor<1xf64>
  %m = kan.map "abs" %o : tensor<1xf64>
  func.return %m : tensor<1xf64>
}
