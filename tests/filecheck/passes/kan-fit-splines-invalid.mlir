// RUN: kan-opt --check-passes %s -p 'kan-fit-splines' --verify-diagnostics --split-input-file | filecheck %s
// RUN: not kan-opt %s -p 'kan-fit-splines{error=0}' 2>&1 | filecheck %s --check-prefix ERROR
// ERROR: error must be above 0 and finite, got 0
// RUN: not kan-opt %s -p 'kan-fit-splines{cells=0}' 2>&1 | filecheck %s --check-prefix CELLS
// CELLS: cells must lie in 1..1024, got 0
// RUN: not kan-opt %s -p 'kan-fit-splines{degree=101}' 2>&1 | filecheck %s --check-prefix DEGREE
// DEGREE: degree must lie in 0..100, got 101

// CHECK: @f: layer0: the ranges of its inputs are not known, and it has no B-spline whose grid could be taken; run kan-calibrate first
func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.base "silu" %x weights dense<1.0> : tensor<1x1xf64> : tensor<1xf32> -> tensor<1x1xf32>
  %y = kan.node_sum %e : tensor<1x1xf32> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// -----

// CHECK: @f: edge [0, 0] of wave is off by {{.*}}, its node varies by {{.*}} and 0.02 of that was allowed; take more cells (of degree 1 it has 2), another degree, or allow a larger error
func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.bspline %x degree 1 extend knots dense<[-4.0, 0.0, 4.0]> : tensor<3xf64> coefficients dense<0.0> : tensor<1x1x3xf64> : tensor<1xf32> -> tensor<1x1xf32>
  %b = kan.base "sin" %x weights dense<1.0> : tensor<1x1xf64> : tensor<1xf32> -> tensor<1x1xf32>
  %s = arith.addf %e, %b : tensor<1x1xf32>
  %y = kan.node_sum %s as "wave" : tensor<1x1xf32> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// -----

// CHECK: @f: layer0: edge [0, 0] is not finite everywhere on the grid from -1 to 1; calibrate on samples for which it is, and give `cells`
func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.bspline %x degree 1 extend knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf64> coefficients dense<0.0> : tensor<1x1x3xf64> : tensor<1xf32> -> tensor<1x1xf32>
  %b = kan.base "log" %x weights dense<1.0> : tensor<1x1xf64> : tensor<1xf32> -> tensor<1x1xf32>
  %s = arith.addf %e, %b : tensor<1x1xf32>
  %y = kan.node_sum %s : tensor<1x1xf32> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// -----

// CHECK: @f: layer0 has edges that are functions of several vectors; B-splines can be fitted to functions of one value
func.func @f(%x: tensor<1xf32>, %z: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.base "silu" %x weights dense<1.0> : tensor<1x1xf64> : tensor<1xf32> -> tensor<1x1xf32>
  %b = kan.base "silu" %z weights dense<1.0> : tensor<1x1xf64> : tensor<1xf32> -> tensor<1x1xf32>
  %s = arith.addf %e, %b : tensor<1x1xf32>
  %y = kan.node_sum %s : tensor<1x1xf32> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}
