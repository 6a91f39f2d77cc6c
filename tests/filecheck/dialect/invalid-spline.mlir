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
