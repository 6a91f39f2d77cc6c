// RUN: kan-opt --check-passes %s -p 'kan-make-trainable{revive=true}' | filecheck %s

// A pruned edge exists again, with coefficients of 0 whatever it had; the bias is the first edge's.
// CHECK: kan.initial = dense<{{\[\[}}[512, 512, 512], [1024, 2048, 3072]]]>
// CHECK: kan.update %c0
func.func @f(%x: tensor<2xf32>) -> tensor<1xf32> {
  %e = kan.bspline %x as "layer0" degree 1 extend knots dense<[-2.0, -1.0, 0.0]> : tensor<3xf64> coefficients dense<[[[9.0, 9.0, 9.0], [1.0, 2.0, 3.0]]]> : tensor<1x2x3xf64> : tensor<2xf32> -> tensor<1x2xf32>
  %y = kan.node_sum %e mask dense<[[0, 1]]> : tensor<1x2xi8> bias dense<0.5> : tensor<1xf64> : tensor<1x2xf32> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}
