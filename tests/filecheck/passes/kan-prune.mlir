// RUN: python -c "import numpy as np; np.savez('%t.npz', x=np.random.default_rng(0).integers(0, 4, (200, 2)))"
// RUN: kan-opt --check-passes %s -p 'kan-prune{data="%t.npz" max-accuracy-loss=0.02 fine-tune=false}' | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-prune{data="%t.npz" max-accuracy-loss=0.02}' | filecheck %s --check-prefix TUNED
// RUN: kan-opt --check-passes %s -p 'kan-prune{data="%t.npz" threshold=0.5}' | filecheck %s --check-prefix NORM
// RUN: kan-opt --check-passes %s -p 'kan-prune{data="%t.npz" max-accuracy-loss=0}' | filecheck %s --check-prefix NONE

// The second edge hardly matters: its mean goes to the bias.
// CHECK-LABEL: @layer
// CHECK: kan.node_sum {{%.*}} as "l" mask dense<{{\[\[}}1, 0]]> : tensor<1x2xi8> bias dense<{{.*}}> : tensor<1xf64>
// The first edge makes up for it.
// TUNED-LABEL: @layer
// TUNED: [[A:%.*]] = kan.affine {{%.*}} scale
// TUNED-NEXT: kan.node_sum [[A]] as "l" mask dense<{{\[\[}}1, 0]]>
// NONE-LABEL: @layer
// NONE-NOT: mask
func.func @layer(%x: tensor<2xf32>) -> tensor<1xf32> {
  %e = kan.base "identity" %x weights dense<[[1.0, 0.01]]> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>
  %n = kan.node_sum %e as "l" : tensor<1x2xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}

// Nobody reads the second node any more: its edges go, too.
// CHECK-LABEL: @dead
// CHECK: kan.node_sum {{%.*}} as "l0" mask dense<{{\[\[}}1, 1], [0, 0]]>
// CHECK: kan.node_sum {{%.*}} as "l1" mask dense<{{\[\[}}1, 0]]>
// NORM-LABEL: @dead
// NORM: kan.node_sum {{%.*}} as "l0" mask dense<{{\[\[}}1, 1], [0, 0]]>
func.func @dead(%x: tensor<2xf32>) -> tensor<1xf32> {
  %e = kan.base "identity" %x weights dense<[[1.0, 1.0], [1.0, -0.9]]> : tensor<2x2xf32> : tensor<2xf32> -> tensor<2x2xf32>
  %n = kan.node_sum %e as "l0" : tensor<2x2xf32> -> tensor<2xf32>
  %f = kan.base "identity" %n weights dense<[[1.0, 0.01]]> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>
  %m = kan.node_sum %f as "l1" : tensor<1x2xf32> -> tensor<1xf32>
  func.return %m : tensor<1xf32>
}

// Tables are rounded again; results are saturated as before.
// CHECK-LABEL: @tables
// CHECK: kan.tables {{%.*}} as "l" tables dense<{{\[\[\[}}0, 10, 20, 30], [0, 0, 0, 0]]]>
// CHECK: kan.node_sum {{%.*}} as "l" mask dense<{{\[\[}}1, 0]]>
// CHECK: kan.requantize {{%.*}} as "l"
func.func @tables(%x: tensor<2xf32>) -> tensor<1xf32> {
  %q = kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32, 1.0>>
  %t = kan.tables %q as "l" tables dense<[[[0, 10, 20, 30], [0, 0, 1, 0]]]> : tensor<1x2x4xi8> : tensor<2x!quant.uniform<u2:f32, 1.0>> -> tensor<1x2x!quant.uniform<i6:f32, 1.0>>
  %s = kan.node_sum %t as "l" : tensor<1x2x!quant.uniform<i6:f32, 1.0>> -> tensor<1x!quant.uniform<i7:f32, 1.0>>
  %c = kan.requantize %s as "l" : tensor<1x!quant.uniform<i7:f32, 1.0>> -> tensor<1x!quant.uniform<i6:f32, 1.0>>
  %r = kan.dequantize %c : tensor<1x!quant.uniform<i6:f32, 1.0>> -> tensor<1xf32>
  func.return %r : tensor<1xf32>
}
