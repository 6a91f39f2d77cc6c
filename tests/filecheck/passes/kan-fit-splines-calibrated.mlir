// RUN: python -c "import numpy as np; np.savez('%t.npz', x=np.linspace(-1.9, 1.4, 500)[:, None])"
// RUN: kan-opt --check-passes %s -p 'kan-calibrate{data="%t.npz"},kan-fit-splines' | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-calibrate{data="%t.npz"},kan-fit-splines{cells=6 degree=3}' | filecheck %s --check-prefix CELLS
// RUN: kan-opt --check-passes %s -p 'kan-calibrate{data="%t.npz"},kan-fit-splines,kan-make-trainable' | filecheck %s --check-prefix TRAIN

// Values were seen beyond the grid: it is longer by whole cells, where the B-spline is 0 at last.
// CHECK: cells = 4 : i64, degree = 1
// CHECK: kan.bspline %x_1 as "layer0" degree 1 knots dense<{{\[\[}}-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]]>
// Another grid reaches from the first to the last of what was seen and what the B-spline had.
// CELLS: cells = 6 : i64, degree = 3
// CELLS: kan.bspline %x_1 as "layer0" degree 3
// A training step takes it, where it refuses what it was.
// TRAIN: kan.locate %x as "layer0" grid dense<{{\[\[}}-2.0, 2.0]]> : tensor<1x2xf64> cells 4
func.func @beyond(%x: tensor<1xf64>) -> tensor<1xf64> {
  %e = kan.bspline %x as "layer0" degree 1 extend knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf64> coefficients dense<[[[1.0, -2.0, 0.5]]]> : tensor<1x1x3xf64> : tensor<1xf64> -> tensor<1x1xf64>
  %b = kan.base "identity" %x weights dense<9.0> : tensor<1x1xf64> : tensor<1xf64> -> tensor<1x1xf64>
  %s = arith.addf %e, %b : tensor<1x1xf64>
  %y = kan.node_sum %s as "layer0" : tensor<1x1xf64> -> tensor<1xf64>
  func.return %y : tensor<1xf64>
}
