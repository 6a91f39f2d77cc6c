// RUN: python -c "import numpy as np; np.savez('%t.npz', x=np.random.default_rng(0).uniform(-1, 1, (500, 2)))"
// RUN: kan-opt --check-passes %s -p 'kan-calibrate{data="%t.npz"},kan-snap-symbolic{error=0.001}' | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-calibrate{data="%t.npz"},kan-snap-symbolic{error=0.001}' -t formula | filecheck %s --check-prefix TEXT
// RUN: kan-opt --check-passes %s -p 'kan-calibrate{data="%t.npz"},kan-snap-symbolic{error=0.001 functions="exp","identity"}' -t formula | filecheck %s --check-prefix FEW
// RUN: not kan-opt %s -p kan-snap-symbolic 2>&1 | filecheck %s --check-prefix RANGE
// RANGE: @layer: the inputs' ranges of layer0 are not known; run kan-calibrate first
// RUN: not kan-opt %s -p 'kan-snap-symbolic{functions="sine"}' 2>&1 | filecheck %s --check-prefix FUNCTION
// FUNCTION: unknown function 'sine'
// RUN: not kan-opt %s -p 'kan-snap-symbolic{error=0}' 2>&1 | filecheck %s --check-prefix ERROR
// ERROR: error must be above 0 and finite, got 0

// The edges that exist and have a formula get it; the bump has none within the budget, and stays: it is
// what the others are multiplied by 0 for. The edge that is masked is not looked at.
// CHECK-LABEL: @layer
// CHECK: [[X:%.*]] = kan.observe %x
// CHECK: [[S:%.*]] = kan.symbolic ["identity", "square"] [[X]] as "layer0" choice dense<{{\[\[}}1, 0], [0, 0]]>
// CHECK-NEXT: [[R:%.*]] = kan.affine %e scale dense<{{\[\[}}0.0, 1.0], [1.0, 0.0]]>
// CHECK-NEXT: [[A:%.*]] = arith.addf [[R]], [[S]]
// CHECK-NEXT: kan.node_sum [[A]] as "layer0" mask dense<{{\[\[}}1, 0], [1, 1]]>
// TEXT: layer0_node0 = {{.*}}*({{.*}}*x0)^2 + 0.25
// TEXT-NEXT: layer0_node1 = layer0_edge1_0(x0) - 2*x1
// TEXT-NEXT: y0 = layer0_node0
// TEXT-NEXT: y1 = layer0_node1

// Other functions: a square is none of them, nor close to one.
// FEW: layer0_node0 = 0.5*x0^2 + layer0_edge0_0(x0) + 0.25
// FEW-NEXT: layer0_node1 = layer0_edge1_0(x0) - 2*x1
func.func @layer(%x: tensor<2xf64>) -> tensor<2xf64> {
  %q = kan.base "square" %x weights dense<[[0.5, 3.0], [0.0, 0.0]]> : tensor<2x2xf64> : tensor<2xf64> -> tensor<2x2xf64>
  %l = kan.base "identity" %x weights dense<[[0.0, 0.0], [0.0, -2.0]]> : tensor<2x2xf64> : tensor<2xf64> -> tensor<2x2xf64>
  %g = kan.radial "gaussian" %x as "layer0" centers dense<[0.0]> : tensor<1xf64> widths dense<0.05> : tensor<2x1xf64> coefficients dense<[[[0.0], [0.0]], [[1.0], [0.0]]]> : tensor<2x2x1xf64> : tensor<2xf64> -> tensor<2x2xf64>
  %a = arith.addf %q, %l : tensor<2x2xf64>
  %e = arith.addf %a, %g : tensor<2x2xf64>
  %n = kan.node_sum %e as "layer0" mask dense<[[1, 0], [1, 1]]> : tensor<2x2xi8> bias dense<[0.25, 0.0]> : tensor<2xf64> : tensor<2x2xf64> -> tensor<2xf64>
  func.return %n : tensor<2xf64>
}
