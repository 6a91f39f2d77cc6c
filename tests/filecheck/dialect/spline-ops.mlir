// RUN: kan-opt %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | filecheck %s --check-prefix GENERIC

// CHECK-LABEL: @bspline
// GENERIC-LABEL: sym_name = "bspline"
func.func @bspline(%x: tensor<1xf32>) -> (tensor<2x1xf32>, tensor<2x1xf32>, tensor<2x1xf32>) {
  // A grid of 3 points that the op extends by the degree.
  // CHECK: kan.bspline %x as "layer0" degree 1 extend closed knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf32>
  // CHECK-SAME: coefficients dense<{{\[\[\[}}0.5, 1.5, -2.0]], {{\[\[}}0.0, 0.25, 1.0]]]> : tensor<2x1x3xf32>
  // CHECK-SAME: : tensor<1xf32> -> tensor<2x1xf32>
  // GENERIC: "kan.bspline"(%x) <{name = "layer0", degree = 1 : i64, extend, closed,
  %extended = kan.bspline %x as "layer0" degree 1 extend closed knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf32>
    coefficients dense<[[[0.5, 1.5, -2.0]], [[0.0, 0.25, 1.0]]]> : tensor<2x1x3xf32> : tensor<1xf32> -> tensor<2x1xf32>

  // All knots, of each input its own, not uniform, one of them repeated.
  // CHECK: kan.bspline %x degree 1 knots dense<{{\[\[}}-2.0, -1.0, 0.5, 0.5, 4.0]]> : tensor<1x5xf64>
  // GENERIC: "kan.bspline"(%x) <{degree = 1 : i64, knots =
  %plain = kan.bspline %x degree 1 knots dense<[[-2.0, -1.0, 0.5, 0.5, 4.0]]> : tensor<1x5xf64>
    coefficients dense<0.5> : tensor<2x1x3xf64> : tensor<1xf32> -> tensor<2x1xf32>

  // Steps, and an attribute that is none of the op's.
  // CHECK: kan.bspline %x degree 0 closed knots
  // CHECK-SAME: {note = "steps"} : tensor<1xf32> -> tensor<2x1xf32>
  %steps = kan.bspline %x degree 0 closed knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf32>
    coefficients dense<[[[1.0, -1.0]], [[0.0, 1.0]]]> : tensor<2x1x2xf32> {note = "steps"} : tensor<1xf32> -> tensor<2x1xf32>
  func.return %extended, %plain, %steps : tensor<2x1xf32>, tensor<2x1xf32>, tensor<2x1xf32>
}

// CHECK-LABEL: @base
// GENERIC-LABEL: sym_name = "base"
func.func @base(%x: tensor<2xf64>) -> tensor<1x2xf64> {
  // CHECK: kan.base "silu" %x as "layer0" weights dense<{{\[\[}}0.5, -1.0]]> : tensor<1x2xf32> : tensor<2xf64> -> tensor<1x2xf64>
  // GENERIC: "kan.base"(%x) <{function = "silu", name = "layer0", weights =
  %base = kan.base "silu" %x as "layer0" weights dense<[[0.5, -1.0]]> : tensor<1x2xf32> : tensor<2xf64> -> tensor<1x2xf64>
  func.return %base : tensor<1x2xf64>
}

// CHECK-LABEL: @radial
// GENERIC-LABEL: sym_name = "radial"
func.func @radial(%x: tensor<2xf64>) -> tensor<1x2xf64> {
  // CHECK: kan.radial "gaussian" %x as "layer0" centers dense<[-1.0, 1.0]> : tensor<2xf32>
  // CHECK-SAME: widths dense<{{\[\[}}0.5, 0.5], [2.0, 2.0]]> : tensor<2x2xf32>
  // CHECK-SAME: coefficients dense<{{\[\[\[}}1.0, 2.0], [3.0, 4.0]]]> : tensor<1x2x2xf32>
  // GENERIC: "kan.radial"(%x) <{function = "gaussian", name = "layer0", centers =
  %radial = kan.radial "gaussian" %x as "layer0" centers dense<[-1.0, 1.0]> : tensor<2xf32>
    widths dense<[[0.5, 0.5], [2.0, 2.0]]> : tensor<2x2xf32>
    coefficients dense<[[[1.0, 2.0], [3.0, 4.0]]]> : tensor<1x2x2xf32> : tensor<2xf64> -> tensor<1x2xf64>
  func.return %radial : tensor<1x2xf64>
}

// CHECK-LABEL: @chebyshev
// GENERIC-LABEL: sym_name = "chebyshev"
func.func @chebyshev(%x: tensor<2xf64>) -> tensor<1x2xf64> {
  // CHECK: kan.chebyshev %x as "layer0" coefficients dense<{{\[\[\[}}1.0, 2.0, 0.5], [3.0, 4.0, -0.5]]]> : tensor<1x2x3xf32>
  // GENERIC: "kan.chebyshev"(%x) <{name = "layer0", coefficients =
  %chebyshev = kan.chebyshev %x as "layer0" coefficients dense<[[[1.0, 2.0, 0.5], [3.0, 4.0, -0.5]]]> : tensor<1x2x3xf32> : tensor<2xf64> -> tensor<1x2xf64>
  func.return %chebyshev : tensor<1x2xf64>
}
