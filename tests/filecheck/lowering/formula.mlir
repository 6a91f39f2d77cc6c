// RUN: kan-opt %s -t formula | filecheck %s
// RUN: python -c "import numpy as np; np.savez('%t.npz', x=[[-1, 0], [1, 1], [0, -1]])"
// RUN: kan-opt --check-passes %s -p 'kan-calibrate{data="%t.npz"},kan-quantize{bits=3}' -o %t.mlir
// RUN: not kan-opt %t.mlir -t formula 2>&1 | filecheck %s --check-prefix LEVEL
// LEVEL: there is no function of real values to print as formulas; print the model before kan-quantize

// Factors of 1 and 0, and what affines in front of edges and behind them do, are in the formulas; nodes have
// a line each, with the edges that exist. Splines stand for themselves.
// CHECK: layer0_node0 = 2*sin(1.5*x0 - 0.5) + 1.25
// CHECK-NEXT: layer0_node1 = 0.5*x0^2 - exp(-(3*x1 + 1)^2) + silu(x1)
// CHECK-NEXT: layer1_node0 = layer1_edge0_0(3*layer0_node0 + 0.5) + layer1_edge0_1(-layer0_node1) + layer1_edge0_3(x1) - 0.25*tanh(x1)
// CHECK-NEXT: y0 = abs(2*layer1_node0 - 1)
// CHECK-NOT: {{.}}
func.func @net(%x: tensor<2xf64>) -> tensor<1xf64> {
  %s = kan.symbolic ["sin", "square", "gaussian"] %x as "layer0" choice dense<[[0, 0], [1, 2]]> : tensor<2x2xi8>
    affine dense<[[[1.5, -0.5, 2.0, 1.0], [1.0, 0.0, 0.0, 0.25]], [[1.0, 0.0, 0.5, 0.0], [3.0, 1.0, -1.0, 0.0]]]> : tensor<2x2x4xf64> : tensor<2xf64> -> tensor<2x2xf64>
  %b = kan.base "silu" %x weights dense<[[0.0, 0.0], [0.0, 1.0]]> : tensor<2x2xf64> : tensor<2xf64> -> tensor<2x2xf64>
  %e = arith.addf %s, %b : tensor<2x2xf64>
  %n = kan.node_sum %e as "layer0" : tensor<2x2xf64> -> tensor<2xf64>
  %a = kan.affine %n scale dense<[3.0, -1.0]> : tensor<2xf64> bias dense<[0.5, 0.0]> : tensor<2xf64> : tensor<2xf64>
  %c = kan.concat %a, %x : tensor<2xf64>, tensor<2xf64> -> tensor<4xf64>
  %p = kan.bspline %c as "layer1" degree 0 closed knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf64>
    coefficients dense<1.0> : tensor<1x4x2xf64> : tensor<4xf64> -> tensor<1x4xf64>
  %t = kan.base "tanh" %c weights dense<[[0.0, 0.0, 0.0, -0.25]]> : tensor<1x4xf64> : tensor<4xf64> -> tensor<1x4xf64>
  %f = arith.addf %p, %t : tensor<1x4xf64>
  %m = kan.node_sum %f as "layer1" mask dense<[[1, 1, 0, 1]]> : tensor<1x4xi8> : tensor<1x4xf64> -> tensor<1xf64>
  %r = kan.affine %m scale dense<[2.0]> : tensor<1xf64> bias dense<[-1.0]> : tensor<1xf64> : tensor<1xf64>
  %y = kan.map "abs" %r : tensor<1xf64>
  func.return %y : tensor<1xf64>
}
