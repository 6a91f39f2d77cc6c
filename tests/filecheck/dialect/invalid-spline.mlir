// RUN: kan-opt %s --verify-diagnostics --split-input-file | filecheck %s

// What every op that gives edges checks.

func.func @f(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK: 'kan.base' op "layer0": input must have 1 dimension(s), got 2x3
  %e = kan.base "silu" %x as "layer0" weights dense<1.0> : tensor<2x3xf32> : tensor<2x3xf32> -> tensor<2x3xf32>
  func.return %e : tensor<2x3xf32>
}

// -----

func.func @f(%x: tensor<?xf32>) -> tensor<2x3xf32> {
  // CHECK: 'kan.base' op: input must have known extents of at least 1, got tensor<?xf32>
  %e = kan.base "silu" %x weights dense<1.0> : tensor<2x3xf32> : tensor<?xf32> -> tensor<2x3xf32>
  func.return %e : tensor<2x3xf32>
}

// -----

func.func @f(%x: tensor<0xf32>) -> tensor<2x0xf32> {
  // CHECK: 'kan.base' op: input must have known extents of at least 1, got tensor<0xf32>
  %e = kan.base "silu" %x weights dense<> : tensor<2x0xf32> : tensor<0xf32> -> tensor<2x0xf32>
  func.return %e : tensor<2x0xf32>
}

// -----

func.func @f(%x: tensor<3xi8>) -> tensor<2x3xf32> {
  // CHECK: 'kan.base' op: input must hold floats, got i8
  %e = kan.base "silu" %x weights dense<1.0> : tensor<2x3xf32> : tensor<3xi8> -> tensor<2x3xf32>
  func.return %e : tensor<2x3xf32>
}

// -----

func.func @f(%x: tensor<3xf32>) -> tensor<2x4xf32> {
  // CHECK: 'kan.base' op: result must have one column for each of 3 inputs, got 2x4
  %e = kan.base "silu" %x weights dense<1.0> : tensor<2x4xf32> : tensor<3xf32> -> tensor<2x4xf32>
  func.return %e : tensor<2x4xf32>
}

// -----

func.func @f(%x: tensor<3xf32>) -> tensor<2x3xf32> {
  // CHECK: 'kan.base' op "layer 0": name 'layer 0' is not an identifier of at most 200 ASCII letters, digits and underscores
  %e = kan.base "silu" %x as "layer 0" weights dense<1.0> : tensor<2x3xf32> : tensor<3xf32> -> tensor<2x3xf32>
  func.return %e : tensor<2x3xf32>
}

// -----

// What every constant checks.

func.func @f(%x: tensor<3xf32>) -> tensor<2x3xf32> {
  // CHECK: 'kan.base' op: weights must have shape 2x3, got 3
  %e = kan.base "silu" %x weights dense<1.0> : tensor<3xf32> : tensor<3xf32> -> tensor<2x3xf32>
  func.return %e : tensor<2x3xf32>
}

// -----

func.func @f(%x: tensor<2xf32>) -> tensor<1x2xf32> {
  // CHECK: 'kan.base' op: weights[0, 1] is nan: parameters must be finite
  %e = kan.base "silu" %x weights dense<"0x0000803F0000C07F"> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>
  func.return %e : tensor<1x2xf32>
}

// -----

func.func @f(%x: tensor<2xf32>) -> tensor<1x2xf32> {
  // CHECK: 'kan.base' op: weights[0, 0] is -inf: parameters must be finite
  %e = kan.base "silu" %x weights dense<"0x000080FF0000803F"> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>
  func.return %e : tensor<1x2xf32>
}

// -----

func.func @f(%x: tensor<2xf32>) -> tensor<1x2xf32> {
  // CHECK: 'kan.base' op: weights must be floats, got i32
  %e = kan.base "silu" %x weights dense<1> : tensor<1x2xi32> : tensor<2xf32> -> tensor<1x2xf32>
  func.return %e : tensor<1x2xf32>
}

// -----

func.func @f(%x: tensor<2xf32>) -> tensor<1x2xf32> {
  // CHECK: 'kan.base' op: weights must be f32 or f64, got f16
  %e = kan.base "silu" %x weights dense<1.0> : tensor<1x2xf16> : tensor<2xf32> -> tensor<1x2xf32>
  func.return %e : tensor<1x2xf32>
}

// -----

// kan.base

func.func @f(%x: tensor<2xf32>) -> tensor<1x2xf32> {
  // CHECK: 'kan.base' op: unknown function 'swish': known are silu, gelu,
  %e = kan.base "swish" %x weights dense<1.0> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>
  func.return %e : tensor<1x2xf32>
}

// -----

// kan.bspline

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.bspline' op "layer0": degree must lie in 0..100, got -1
  %e = kan.bspline %x as "layer0" degree -1 knots dense<[0.0, 1.0]> : tensor<2xf32> coefficients dense<1.0> : tensor<1x1x2xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.bspline' op: degree must lie in 0..100, got 101
  %e = kan.bspline %x degree 101 extend knots dense<[0.0, 1.0]> : tensor<2xf32> coefficients dense<1.0> : tensor<1x1x102xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.bspline' op: knots must have shape K or 1xK
  %e = kan.bspline %x degree 1 knots dense<0.0> : tensor<f32> coefficients dense<1.0> : tensor<1x1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.bspline' op: the first dimension of knots must have shape 1, got 2
  %e = kan.bspline %x degree 1 knots dense<[[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]]> : tensor<2x3xf32> coefficients dense<1.0> : tensor<1x1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.bspline' op: a grid needs at least 2 points, got 1
  %e = kan.bspline %x degree 1 extend knots dense<[0.0]> : tensor<1xf32> coefficients dense<1.0> : tensor<1x1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.bspline' op: knots must not decrease
  %e = kan.bspline %x degree 1 knots dense<[0.0, 2.0, 1.0, 3.0]> : tensor<4xf32> coefficients dense<1.0> : tensor<1x1x2xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.bspline' op: 4 knots are too few for degree 3: at least 5 are needed
  %e = kan.bspline %x degree 3 knots dense<[0.0, 1.0, 2.0, 3.0]> : tensor<4xf32> coefficients dense<1.0> : tensor<1x1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.bspline' op: coefficients must have shape 1x1x6, got 1x1x4
  %e = kan.bspline %x degree 3 extend knots dense<[0.0, 1.0, 2.0, 3.0]> : tensor<4xf32> coefficients dense<1.0> : tensor<1x1x4xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.bspline' op: knots[0] is -inf: parameters must be finite
  %e = kan.bspline %x degree 1 knots dense<"0x000080FF0000803F00000040"> : tensor<3xf32> coefficients dense<1.0> : tensor<1x1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

// kan.radial

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.radial' op: unknown radial function 'cubic': known are gaussian, multiquadric, inverse_multiquadric, inverse_quadratic
  %e = kan.radial "cubic" %x centers dense<1.0> : tensor<2xf32> widths dense<1.0> : tensor<2xf32> coefficients dense<1.0> : tensor<1x1x2xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.radial' op: there must be as many widths as centers, got 3 and 2
  %e = kan.radial "gaussian" %x centers dense<1.0> : tensor<2xf32> widths dense<1.0> : tensor<3xf32> coefficients dense<1.0> : tensor<1x1x2xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.radial' op: widths must be positive
  %e = kan.radial "gaussian" %x centers dense<1.0> : tensor<2xf32> widths dense<[1.0, 0.0]> : tensor<2xf32> coefficients dense<1.0> : tensor<1x1x2xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.radial' op: coefficients must have shape 1x1x2, got 1x2
  %e = kan.radial "gaussian" %x centers dense<1.0> : tensor<2xf32> widths dense<1.0> : tensor<2xf32> coefficients dense<1.0> : tensor<1x2xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.radial' op: at least one center is needed
  %e = kan.radial "gaussian" %x centers dense<> : tensor<0xf32> widths dense<> : tensor<0xf32> coefficients dense<> : tensor<1x1x0xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

// kan.chebyshev

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.chebyshev' op: coefficients must have shape out x in x (degree + 1)
  %e = kan.chebyshev %x coefficients dense<1.0> : tensor<1x2xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.chebyshev' op: degree must lie in 0..100, got -1
  %e = kan.chebyshev %x coefficients dense<> : tensor<1x1x0xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.chebyshev' op: degree must lie in 0..100, got 101
  %e = kan.chebyshev %x coefficients dense<1.0> : tensor<1x1x102xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<2x1xf32> {
  // CHECK: 'kan.chebyshev' op: coefficients must have shape 2x1x3, got 1x2x3
  %e = kan.chebyshev %x coefficients dense<1.0> : tensor<1x2x3xf32> : tensor<1xf32> -> tensor<2x1xf32>
  func.return %e : tensor<2x1xf32>
}

// -----

// kan.map

func.func @f(%x: tensor<1xi8>) -> tensor<1xi8> {
  // CHECK: 'kan.map' op: input must hold floats, got i8
  %e = kan.map "tanh" %x : tensor<1xi8>
  func.return %e : tensor<1xi8>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.map' op: unknown function 'arctan': known are silu,
  %e = kan.map "arctan" %x : tensor<1xf32>
  func.return %e : tensor<1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<2xf32> {
  // CHECK: 'kan.map' op: result 'result' at position 0 does not verify:
  // CHECK-NEXT: attribute tensor<1xf32> expected from variable 'T', but got tensor<2xf32>
  %e = "kan.map"(%x) <{function = "tanh"}> : (tensor<1xf32>) -> tensor<2xf32>
  func.return %e : tensor<2xf32>
}

// -----

// kan.affine

func.func @f(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK: 'kan.affine' op: scale of shape 2 does not broadcast over 2x3
  %e = kan.affine %x scale dense<1.0> : tensor<2xf32> bias dense<1.0> : tensor<3xf32> : tensor<2x3xf32>
  func.return %e : tensor<2x3xf32>
}

// -----

func.func @f(%x: tensor<3xf32>) -> tensor<3xf32> {
  // CHECK: 'kan.affine' op: bias of shape 1x3 does not broadcast over 3
  %e = kan.affine %x scale dense<1.0> : tensor<3xf32> bias dense<1.0> : tensor<1x3xf32> : tensor<3xf32>
  func.return %e : tensor<3xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.affine' op: bias[0] is nan: parameters must be finite
  %e = kan.affine %x scale dense<1.0> : tensor<1xf32> bias dense<"0x0000C07F"> : tensor<1xf32> : tensor<1xf32>
  func.return %e : tensor<1xf32>
}

// -----

// kan.node_sum

func.func @f(%e: tensor<2x3xf32>) -> tensor<3xf32> {
  // CHECK: 'kan.node_sum' op "layer0": result must have shape 2, got 3
  %n = kan.node_sum %e as "layer0" : tensor<2x3xf32> -> tensor<3xf32>
  func.return %n : tensor<3xf32>
}

// -----

func.func @f(%e: tensor<2x3xf32>) -> tensor<2xf64> {
  // CHECK: 'kan.node_sum' op: edges of f32 must have sums of the same type, got f64
  %n = kan.node_sum %e : tensor<2x3xf32> -> tensor<2xf64>
  func.return %n : tensor<2xf64>
}

// -----

func.func @f(%e: tensor<2x3xi8>) -> tensor<2xi8> {
  // CHECK: 'kan.node_sum' op: edges must hold floats, got i8
  %n = kan.node_sum %e : tensor<2x3xi8> -> tensor<2xi8>
  func.return %n : tensor<2xi8>
}

// -----

func.func @f(%e: tensor<2x3xf32>) -> tensor<2xf32> {
  // CHECK: 'kan.node_sum' op: mask must have shape 2x3, got 2
  %n = kan.node_sum %e mask dense<1> : tensor<2xi8> : tensor<2x3xf32> -> tensor<2xf32>
  func.return %n : tensor<2xf32>
}

// -----

func.func @f(%e: tensor<1x2xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.node_sum' op: mask must hold only 0 and 1
  %n = kan.node_sum %e mask dense<[[1, 2]]> : tensor<1x2xi8> : tensor<1x2xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}

// -----

func.func @f(%e: tensor<1x2xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.node_sum' op: mask must be i8, i16, i32 or i64, got i1
  %n = kan.node_sum %e mask dense<true> : tensor<1x2xi1> : tensor<1x2xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}

// -----

func.func @f(%e: tensor<1x2xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.node_sum' op: bias must have shape 1, got 2
  %n = kan.node_sum %e bias dense<1.0> : tensor<2xf32> : tensor<1x2xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}

// -----

func.func @f(%e: tensor<1x2xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.node_sum' op: bias must be floats, got i32
  %n = kan.node_sum %e bias dense<1> : tensor<1xi32> : tensor<1x2xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}

// -----

func.func @f(%e: tensor<1x2xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.node_sum' op: only sums of codes have bounds
  %n = kan.node_sum %e bounds dense<[[0, 1]]> : tensor<1x2xi8> : tensor<1x2xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}

// -----

// kan.concat

func.func @f() -> tensor<1xf32> {
  // CHECK: 'kan.concat' op: at least one input is needed
  %c = "kan.concat"() : () -> tensor<1xf32>
  func.return %c : tensor<1xf32>
}

// -----

func.func @f(%x: tensor<2xf32>, %y: tensor<3xf32>) -> tensor<6xf32> {
  // CHECK: 'kan.concat' op: result must have shape 5, got 6
  %c = kan.concat %x, %y : tensor<2xf32>, tensor<3xf32> -> tensor<6xf32>
  func.return %c : tensor<6xf32>
}

// -----

func.func @f(%x: tensor<2xf32>, %y: tensor<1x3xf32>) -> tensor<5xf32> {
  // CHECK: 'kan.concat' op: input 1 must have 1 dimension(s), got 1x3
  %c = kan.concat %x, %y : tensor<2xf32>, tensor<1x3xf32> -> tensor<5xf32>
  func.return %c : tensor<5xf32>
}

// -----

func.func @f(%x: tensor<2xf32>, %y: tensor<3xf64>) -> tensor<5xf32> {
  // CHECK: 'kan.concat' op: inputs and result must have one element type
  %c = kan.concat %x, %y : tensor<2xf32>, tensor<3xf64> -> tensor<5xf32>
  func.return %c : tensor<5xf32>
}

// -----

// kan.observe

func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.observe' op: range must have shape 1x2, got 2
  %c = kan.observe %x range dense<1.0> : tensor<2xf32> histogram dense<1> : tensor<1x2xi8> : tensor<1xf32>
  func.return %c : tensor<1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.observe' op: a range ends before it starts
  %c = kan.observe %x range dense<[[1.0, 0.5]]> : tensor<1x2xf32> histogram dense<1> : tensor<1x2xi8> : tensor<1xf32>
  func.return %c : tensor<1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.observe' op: histogram must have shape 1 x bins
  %c = kan.observe %x range dense<[[0.0, 0.5]]> : tensor<1x2xf32> histogram dense<1> : tensor<2x2xi8> : tensor<1xf32>
  func.return %c : tensor<1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.observe' op: histogram must have shape 1 x bins
  %c = kan.observe %x range dense<[[0.0, 0.5]]> : tensor<1x2xf32> histogram dense<> : tensor<1x0xi8> : tensor<1xf32>
  func.return %c : tensor<1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.observe' op: histogram counts must not be negative
  %c = kan.observe %x range dense<[[0.0, 0.5]]> : tensor<1x2xf32> histogram dense<[[1, -1]]> : tensor<1x2xi8> : tensor<1xf32>
  func.return %c : tensor<1xf32>
}

// -----

// kan.symbolic

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.symbolic' op: at least one function is needed
  %e = kan.symbolic [] %x choice dense<0> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x4xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.symbolic' op: a function is listed twice
  %e = kan.symbolic ["sin", "sin"] %x choice dense<0> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x4xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.symbolic' op: unknown function 'sinh': known are silu,
  %e = kan.symbolic ["sinh"] %x choice dense<0> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x4xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.symbolic' op: choice must lie in 0..0: there are 1 function(s)
  %e = kan.symbolic ["sin"] %x choice dense<1> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x4xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.symbolic' op: affine must have shape 1x1x4, got 1x1x3
  %e = kan.symbolic ["sin"] %x choice dense<0> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x3xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

// kan.shaped

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.shaped' op: a grid needs at least 2 points
  %e = kan.shaped %x grid dense<[1.0]> : tensor<1xf32> shapes dense<1.0> : tensor<1x1xf32> choice dense<0> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x3xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.shaped' op: the points of the grid must increase
  %e = kan.shaped %x grid dense<[1.0, 1.0]> : tensor<2xf32> shapes dense<1.0> : tensor<1x2xf32> choice dense<0> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x3xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.shaped' op: at least one shape is needed
  %e = kan.shaped %x grid dense<[0.0, 1.0]> : tensor<2xf32> shapes dense<1.0> : tensor<2xf32> choice dense<0> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x3xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.shaped' op: the second dimension of shapes must have shape 2, got 3
  %e = kan.shaped %x grid dense<[0.0, 1.0]> : tensor<2xf32> shapes dense<1.0> : tensor<1x3xf32> choice dense<0> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x3xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.shaped' op: choice must lie in 0..0: there are 1 shape(s)
  %e = kan.shaped %x grid dense<[0.0, 1.0]> : tensor<2xf32> shapes dense<1.0> : tensor<1x2xf32> choice dense<1> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x3xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.shaped' op: affine must have shape 1x1x3, got 1x1x4
  %e = kan.shaped %x grid dense<[0.0, 1.0]> : tensor<2xf32> shapes dense<1.0> : tensor<1x2xf32> choice dense<0> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x4xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}
