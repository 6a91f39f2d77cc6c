// RUN: kan-opt --check-passes %s -p 'kan-make-trainable' --verify-diagnostics --split-input-file | filecheck %s

// CHECK: @f: the base function silu cannot be trained: edges must be B-splines alone; fit splines to them first (kan-fit-splines)
func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.base "silu" %x weights dense<1.0> : tensor<1x1xf64> : tensor<1xf32> -> tensor<1x1xf32>
  %y = kan.node_sum %e : tensor<1x1xf32> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// -----

// CHECK: @f: 'kan.map' cannot be trained: only layers of B-splines can
func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  %y = kan.map "tanh" %x : tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// -----

// CHECK: @f: there is no layer to train
func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  func.return %x : tensor<1xf32>
}

// -----

// CHECK: @f: layer0 has knots that are not a uniform grid with 1 more on each side; refit the splines on a uniform grid (kan-fit-splines)
func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.bspline %x as "layer0" degree 1 knots dense<[-2.0, -1.0, 0.5, 1.0, 2.0]> : tensor<5xf64> coefficients dense<0.0> : tensor<1x1x3xf64> : tensor<1xf32> -> tensor<1x1xf32>
  %y = kan.node_sum %e : tensor<1x1xf32> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// -----

// CHECK: @f: layer0 has degree 0; degrees 1..5 can be trained
func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.bspline %x as "layer0" degree 0 knots dense<[-2.0, -1.0, 0.0]> : tensor<3xf64> coefficients dense<0.0> : tensor<1x1x2xf64> : tensor<1xf32> -> tensor<1x1xf32>
  %y = kan.node_sum %e : tensor<1x1xf32> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// -----

// CHECK: @f: layer0 has pruned edges; train before pruning, or restore them with the option revive
func.func @f(%x: tensor<2xf32>) -> tensor<1xf32> {
  %e = kan.bspline %x as "layer0" degree 1 extend knots dense<[-2.0, -1.0, 0.0]> : tensor<3xf64> coefficients dense<0.0> : tensor<1x2x3xf64> : tensor<2xf32> -> tensor<1x2xf32>
  %y = kan.node_sum %e mask dense<[[1, 0]]> : tensor<1x2xi8> : tensor<1x2xf32> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// -----

// CHECK: layer0: a grid of 2 cells over 1 codes is too fine; take more fraction-bits or fewer cells
func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.bspline %x as "layer0" degree 1 extend knots dense<[0.0, 0.0005, 0.001]> : tensor<3xf64> coefficients dense<0.0> : tensor<1x1x3xf64> : tensor<1xf32> -> tensor<1x1xf32>
  %y = kan.node_sum %e : tensor<1x1xf32> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}
