// RUN: kan-opt --check-passes %s -p 'kan-fit-splines' --split-input-file | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-fit-splines,kan-fit-splines' --split-input-file | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-fit-splines{cells=12 degree=1}' --split-input-file | filecheck %s --check-prefix CELLS

// A uniform B-spline alone stays what it is, unless another grid is wanted.
// CHECK-LABEL: @alone
// CHECK-NEXT: kan.bspline %x as "layer0" degree 1 {{(extend )?}}knots dense<{{.*}}> : tensor<{{.*}}xf64> coefficients dense<{{\[\[}}[1.0, -2.0, 0.5]]]>
// CELLS-LABEL: @alone
// CELLS-SAME: kan.fitted = {layers = [{name = "layer0", cells = 12 : i64, degree = 1 : i64, largest_error = {{.*}}
// CELLS: kan.bspline %x as "layer0" degree 1
func.func @alone(%x: tensor<1xf64>) -> tensor<1xf64> {
  %e = kan.bspline %x as "layer0" degree 1 extend knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf64> coefficients dense<[[[1.0, -2.0, 0.5]]]> : tensor<1x1x3xf64> : tensor<1xf64> -> tensor<1x1xf64>
  %y = kan.node_sum %e as "layer0" : tensor<1x1xf64> -> tensor<1xf64>
  func.return %y : tensor<1xf64>
}

// -----

// An affine of the inputs moves the grid, and where it is negative it turns the coefficients round.
// CHECK-LABEL: @turned
// CHECK-NOT: kan.affine
// CHECK: kan.bspline %x as "layer0" degree 1 knots dense<{{\[\[}}-3.0, -1.0, 1.0, 3.0, 5.0]]> : tensor<1x5xf64> coefficients dense<{{\[\[}}[0.75, 4.0, 3.0]]]>
// CHECK-NEXT: kan.node_sum
func.func @turned(%x: tensor<1xf64>) -> tensor<1xf64> {
  %a = kan.affine %x scale dense<-0.5> : tensor<1xf64> bias dense<0.5> : tensor<1xf64> : tensor<1xf64>
  %e = kan.bspline %a as "layer0" degree 1 extend knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf64> coefficients dense<[[[3.0, 4.0, 0.75]]]> : tensor<1x1x3xf64> : tensor<1xf64> -> tensor<1x1xf64>
  %y = kan.node_sum %e as "layer0" : tensor<1x1xf64> -> tensor<1xf64>
  func.return %y : tensor<1xf64>
}

// -----

// A base function goes into the coefficients: those of a line are its values (at -1, 0, 1 of degree
// 1). The grid stays the layer's.
// CHECK-LABEL: @line
// CHECK-SAME: kan.fitted = {layers = [{name = "layer0", cells = 2 : i64, degree = 1 : i64
// CHECK: kan.bspline %x as "layer0" degree 1 knots dense<{{\[\[}}-2.0, -1.0, 0.0, 1.0, 2.0]]> : tensor<1x5xf64> coefficients dense<{{\[\[}}[{{-1\.0|-0\.9999999}}{{[0-9]*}}, {{-2\.0|-1\.9999999}}{{[0-9]*}}, {{2\.5|2\.4999999}}{{[0-9]*}}]{{\]\]}}>
// CHECK-NOT: kan.base
func.func @line(%x: tensor<1xf64>) -> tensor<1xf64> {
  %e = kan.bspline %x as "layer0" degree 1 extend knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf64> coefficients dense<[[[1.0, -2.0, 0.5]]]> : tensor<1x1x3xf64> : tensor<1xf64> -> tensor<1x1xf64>
  %b = kan.base "identity" %x weights dense<2.0> : tensor<1x1xf64> : tensor<1xf64> -> tensor<1x1xf64>
  %s = arith.addf %e, %b : tensor<1x1xf64>
  %y = kan.node_sum %s as "layer0" : tensor<1x1xf64> -> tensor<1xf64>
  func.return %y : tensor<1xf64>
}

// -----

// A pruned edge has coefficients of 0, and stays pruned.
// CHECK-LABEL: @pruned
// CHECK: coefficients dense<{{\[\[}}[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]]]>
// CHECK: kan.node_sum %{{.*}} as "layer0" mask dense<{{\[\[}}1, 0]]>
func.func @pruned(%x: tensor<2xf64>) -> tensor<1xf64> {
  %e = kan.bspline %x as "layer0" degree 1 extend knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf64> coefficients dense<[[[1.0, -2.0, 0.5], [1.0, 1.0, 1.0]]]> : tensor<1x2x3xf64> : tensor<2xf64> -> tensor<1x2xf64>
  %b = kan.base "log" %x weights dense<[[0.0, 2.0]]> : tensor<1x2xf64> : tensor<2xf64> -> tensor<1x2xf64>
  %s = arith.addf %e, %b : tensor<1x2xf64>
  %y = kan.node_sum %s as "layer0" mask dense<[[1, 0]]> : tensor<1x2xi8> : tensor<1x2xf64> -> tensor<1xf64>
  func.return %y : tensor<1xf64>
}

// -----

// Knots that are no uniform grid: fitted anew, on as many cells over the same range.
// CELLS-LABEL: @knots
// CHECK-LABEL: @knots
// CHECK: kan.bspline %x as "layer0" degree 1 knots dense<{{\[\[}}-2.0, -1.0, 0.0, 1.0, 2.0]]>
func.func @knots(%x: tensor<1xf64>) -> tensor<1xf64> {
  %e = kan.bspline %x as "layer0" degree 1 knots dense<[-1.5, -1.0, 0.0, 1.0, 2.5]> : tensor<5xf64> coefficients dense<[[[1.0, 0.5, 0.25]]]> : tensor<1x1x3xf64> : tensor<1xf64> -> tensor<1x1xf64>
  %y = kan.node_sum %e as "layer0" : tensor<1x1xf64> -> tensor<1xf64>
  func.return %y : tensor<1xf64>
}
