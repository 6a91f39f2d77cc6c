// A cubic network of one edge, grid 5 on [-2, 2], that knows nothing yet.
func.func @tracker(%x: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.bspline %x as "layer0" degree 3 extend knots dense<[-2.0, -1.2, -0.4, 0.4, 1.2, 2.0]> : tensor<6xf64> coefficients dense<0.0> : tensor<1x1x8xf64> : tensor<1xf32> -> tensor<1x1xf32>
  %y = kan.node_sum %e as "layer0" : tensor<1x1xf32> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}
