// What a joint's load is at an angle: a cubic network of one edge, grid 20 on [-2, 2], untrained.
func.func @load(%x: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.bspline %x as "layer0" degree 3 extend knots dense<[-2.0, -1.8, -1.6, -1.4, -1.2, -1.0, -0.8, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0]> : tensor<21xf64> coefficients dense<0.0> : tensor<1x1x23xf64> : tensor<1xf32> -> tensor<1x1xf32>
  %y = kan.node_sum %e as "layer0" : tensor<1x1xf32> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}
