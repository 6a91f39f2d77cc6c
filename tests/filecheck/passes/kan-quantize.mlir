// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=2 scale="minmax"}' | filecheck %s

// CHECK: kan.pipeline = ["kan-quantize{bits=2 scale=\22minmax\22}"]

// Each input has a scale and a zero point of its own, from its observed range.
// CHECK-LABEL: @arguments
// CHECK-NEXT: [[Q:%.*]] = kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32:0, {1.0,0.5:2}>>
// CHECK-NEXT: [[X:%.*]] = kan.dequantize [[Q]]
// CHECK-NEXT: kan.map "abs" [[X]]
func.func @arguments(%x: tensor<2xf32>) -> tensor<2xf32> {
  %o = kan.observe %x range dense<[[0.0, 3.0], [-1.0, 0.5]]> : tensor<2x2xf32> histogram dense<1> : tensor<2x4xi8> : tensor<2xf32>
  %y = kan.map "abs" %o : tensor<2xf32>
  func.return %y : tensor<2xf32>
}

// Edges and biases of a layer are rounded to the scale of their node, 1 and 2; sums are exact, and
// requantised to the codes of the nodes. Bounds follow from the edges: x is 0..3, -2x is -3..0 steps.
// CHECK-LABEL: @hidden
// CHECK: [[E:%.*]] = kan.base "identity"
// CHECK-NEXT: [[F:%.*]] = kan.quantize [[E]] bounds dense<{{\[\[\[}}0, 3]], {{\[\[}}-3, 0]]]> : {{.*}} -> tensor<2x1x!quant.uniform<i3:f32:0, {1.0,2.0}>>
// CHECK-NEXT: [[S:%.*]] = kan.node_sum [[F]] as "layer0" bias dense<[3, 0]> : tensor<2xi8> bounds dense<{{\[\[}}3, 6], [-3, 0]]> : {{.*}} -> tensor<2x!quant.uniform<i4:f32:0, {1.0,2.0}>>
// CHECK-NEXT: [[R:%.*]] = kan.requantize [[S]] as "layer0" : {{.*}} -> tensor<2x!quant.uniform<u2:f32:0, {1.0,2.0:3}>>
// CHECK-NEXT: [[N:%.*]] = kan.dequantize [[R]]
// CHECK-NEXT: kan.map "abs" [[N]]
func.func @hidden(%x: tensor<1xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %o = kan.observe %x range dense<[[0.0, 3.0]]> : tensor<1x2xf32> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  %e = kan.base "identity" %o weights dense<[[1.0], [-2.0]]> : tensor<2x1xf32> : tensor<1xf32> -> tensor<2x1xf32>
  %n = kan.node_sum %e as "layer0" bias dense<[2.75, 0.5]> : tensor<2xf32> : tensor<2x1xf32> -> tensor<2xf32>
  %h = kan.observe %n range dense<[[0.0, 3.0], [-6.0, 0.0]]> : tensor<2x2xf32> histogram dense<1> : tensor<2x4xi8> : tensor<2xf32>
  %y = kan.map "abs" %h : tensor<2xf32>
  func.return %h, %y : tensor<2xf32>, tensor<2xf32>
}

// Sums that are results are not requantised. Results share one scale, so that they compare.
// CHECK-LABEL: @results
// CHECK: [[S:%.*]] = kan.node_sum {{%.*}} -> tensor<2x!quant.uniform<i3:f32, 3.0>>
// CHECK-NEXT: [[Y:%.*]] = kan.dequantize [[S]]
// CHECK-NEXT: func.return [[Y]]
func.func @results(%x: tensor<1xf32>) -> tensor<2xf32> {
  %o = kan.observe %x range dense<[[0.0, 3.0]]> : tensor<1x2xf32> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  %e = kan.base "identity" %o weights dense<[[1.0], [-2.0]]> : tensor<2x1xf32> : tensor<1xf32> -> tensor<2x1xf32>
  %n = kan.node_sum %e as "layer0" bias dense<[2.75, 0.5]> : tensor<2xf32> : tensor<2x1xf32> -> tensor<2xf32>
  %y = kan.observe %n range dense<[[0.0, 3.0], [-6.0, 0.0]]> : tensor<2x2xf32> histogram dense<1> : tensor<2x4xi8> : tensor<2xf32>
  func.return %y : tensor<2xf32>
}

// A pruned edge is masked at the quantiser too: the root of its input, -3..0, is NaN.
// CHECK-LABEL: @pruned
// CHECK: [[F:%.*]] = kan.quantize {{%.*}} mask dense<{{\[\[}}0, 1]]> : tensor<1x2xi8> bounds dense<{{\[\[\[}}0, 0], [0, 2]]]>
// CHECK-NEXT: kan.node_sum [[F]] mask dense<{{\[\[}}0, 1]]>
func.func @pruned(%x: tensor<2xf32>) -> tensor<1xf32> {
  %o = kan.observe %x range dense<[[-3.0, 0.0], [0.0, 3.0]]> : tensor<2x2xf32> histogram dense<1> : tensor<2x4xi8> : tensor<2xf32>
  %e = kan.base "sqrt" %o weights dense<1.0> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>
  %n = kan.node_sum %e mask dense<[[0, 1]]> : tensor<1x2xi8> : tensor<1x2xf32> -> tensor<1xf32>
  %y = kan.observe %n range dense<[[0.0, 3.0]]> : tensor<1x2xf32> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  func.return %y : tensor<1xf32>
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
