// Spline level: affines of every kind, an edge that is pruned, biases, an input that skips a layer.
func.func @odd(%x: tensor<3xf32>) -> tensor<2xf32> {
  %p = kan.affine %x scale dense<[0.8, 1.25, -1.0]> : tensor<3xf32>
    bias dense<[0.1, 0.2, -0.3]> : tensor<3xf32> : tensor<3xf32>
  %s = kan.affine %p scale dense<[1.5, -0.75, 2.0]> : tensor<3xf32>
    bias dense<[0.25, -0.5, 0.0]> : tensor<3xf32> : tensor<3xf32>
  %e0 = kan.bspline %s as "layer0" degree 1 extend knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf32>
    coefficients dense<[[[0.5, -1.0, 0.25], [1.0, 0.5, -0.5], [0.25, 0.0, 1.0]],
                        [[-0.5, 1.0, 0.0], [0.0, 0.25, 0.5], [1.0, -1.0, 1.0]]]> : tensor<2x3x3xf32>
    : tensor<3xf32> -> tensor<2x3xf32>
  %b0 = kan.base "silu" %s as "base0" weights dense<[[0.3, -0.2, 0.1], [0.7, 0.4, -0.6]]>
    : tensor<2x3xf32> : tensor<3xf32> -> tensor<2x3xf32>
  %f0 = arith.addf %e0, %b0 : tensor<2x3xf32>
  %n0 = kan.node_sum %f0 as "layer0" mask dense<[[1, 1, 1], [1, 0, 1]]> : tensor<2x3xi8>
    bias dense<[0.13, -0.28]> : tensor<2xf32> : tensor<2x3xf32> -> tensor<2xf32>
  %a0 = kan.affine %n0 scale dense<[0.5, -2.0]> : tensor<2xf32>
    bias dense<[0.25, 0.0]> : tensor<2xf32> : tensor<2xf32>
  %a1 = kan.affine %a0 scale dense<[1.25, 0.5]> : tensor<2xf32>
    bias dense<[-0.125, 0.375]> : tensor<2xf32> : tensor<2xf32>
  %k = kan.concat %a1, %x : tensor<2xf32>, tensor<3xf32> -> tensor<5xf32>
  %e1 = kan.base "silu" %k as "layer1" weights
    dense<[[1.0, -1.0, 0.5, 0.25, -0.125], [0.5, 2.0, -0.25, 0.75, 0.3]]> : tensor<2x5xf32>
    : tensor<5xf32> -> tensor<2x5xf32>
  %a2 = kan.affine %e1 scale dense<[[1.0], [0.5]]> : tensor<2x1xf32>
    bias dense<[[0.5], [-0.25]]> : tensor<2x1xf32> : tensor<2x5xf32>
  %n1 = kan.node_sum %a2 as "layer1" bias dense<[0.17, 0.0]> : tensor<2xf32>
    : tensor<2x5xf32> -> tensor<2xf32>
  func.return %n1 : tensor<2xf32>
}
