// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=4,4,4}' --verify-diagnostics --split-input-file | filecheck %s

// CHECK: kan-quantize: 3 numbers of bits for @f; give one for all, or 2: the input and each of 1 layers
func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.bspline %x degree 0 knots dense<[0.0, 1.0]> : tensor<2xf32> coefficients dense<1.0> : tensor<1x1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e : tensor<1x1xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}

// -----

// CHECK: @f: nothing is known of the range of argument 1; calibrate with data first: kan-calibrate{data="FILE.npz"}, --calibration FILE.npz of kan-flow, or data= in Python
func.func @f(%x: tensor<1xf32>, %y: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.bspline %x degree 0 knots dense<[0.0, 1.0]> : tensor<2xf32> coefficients dense<1.0> : tensor<1x1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e : tensor<1x1xf32> -> tensor<1xf32>
  %f = kan.base "silu" %y weights dense<1.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %m = kan.node_sum %f : tensor<1x1xf32> -> tensor<1xf32>
  func.return %m : tensor<1xf32>
}

// -----

// CHECK: @f: argument 1 is never read; remove it from the model
func.func @f(%x: tensor<1xf32>, %y: tensor<1xf32>) -> (tensor<1xf32>, tensor<1xf32>) {
  %e = kan.bspline %x degree 0 knots dense<[0.0, 1.0]> : tensor<2xf32> coefficients dense<1.0> : tensor<1x1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e : tensor<1x1xf32> -> tensor<1xf32>
  %m = kan.map "abs" %n : tensor<1xf32>
  func.return %n, %m : tensor<1xf32>, tensor<1xf32>
}

// -----

// CHECK: layer1 depends on two different tensors of codes; put them side by side with kan.concat, or sum the layers' edges first
func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.bspline %x degree 0 knots dense<[0.0, 1.0]> : tensor<2xf32> coefficients dense<1.0> : tensor<1x1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e as "layer0" : tensor<1x1xf32> -> tensor<1xf32>
  %s = arith.addf %n, %x : tensor<1xf32>
  %f = kan.base "silu" %s weights dense<1.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %m = kan.node_sum %f as "layer1" : tensor<1x1xf32> -> tensor<1xf32>
  func.return %m : tensor<1xf32>
}

// -----

// CHECK: layer0: the edges are not functions of one input each; an op between the layers mixes inputs, or one of another dialect does not implement Univariate
func.func @f(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %o = kan.observe %x range dense<[[0.0, 1.0], [0.0, 1.0]]> : tensor<2x2xf32> histogram dense<1> : tensor<2x2xi8> : tensor<2xf32>
  %c = "test.op"(%o) : (tensor<2xf32>) -> tensor<2xf32>
  %f = kan.base "silu" %c weights dense<1.0> : tensor<2x2xf32> : tensor<2xf32> -> tensor<2x2xf32>
  %m = kan.node_sum %f as "layer0" : tensor<2x2xf32> -> tensor<2xf32>
  %y = kan.map "abs" %m : tensor<2xf32>
  func.return %m, %y : tensor<2xf32>, tensor<2xf32>
}

// -----

// CHECK: layer0: edge [0, 1] is not a number for code 0 (x = -2.976); its function is not defined there; calibrate with data inside its domain
func.func @f(%x: tensor<2xf32>) -> (tensor<1xf32>, tensor<1xf32>) {
  %o = kan.observe %x range dense<[[0.0, 1.0], [-3.0, 3.0]]> : tensor<2x2xf32> histogram dense<1> : tensor<2x8xi8> : tensor<2xf32>
  %f = kan.base "sqrt" %o weights dense<1.0> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>
  %m = kan.node_sum %f as "layer0" : tensor<1x2xf32> -> tensor<1xf32>
  %y = kan.map "abs" %m : tensor<1xf32>
  func.return %m, %y : tensor<1xf32>, tensor<1xf32>
}

// -----

// CHECK: @f: a value of type tensor<1x2xf32> cannot be quantised; arguments, nodes and results must be vectors of floats
func.func @f(%x: tensor<2xf32>) -> tensor<1x2xf32> {
  %f = kan.base "sqrt" %x weights dense<1.0> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>
  func.return %f : tensor<1x2xf32>
}
