// RUN: python -c "import numpy as np; x = np.random.default_rng(0).uniform(-1, 1, (500, 2)); np.savez('%t.npz', x=x, y=(x[:, 0] > 0).astype(int))"
// RUN: kan-opt --check-passes %s -p 'kan-calibrate{data="%t.npz"},kan-share-shapes{shapes=1}' | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-calibrate{data="%t.npz"},kan-share-shapes{shapes=1 up-to=sign}' | filecheck %s --check-prefix SIGN
// RUN: kan-opt --check-passes %s -p 'kan-calibrate{data="%t.npz"},kan-share-shapes{shapes=1 up-to=sign},kan-quantize{bits=4 per-layer=true},kan-fold-tables' | filecheck %s --check-prefix TABLES
// RUN: kan-opt --check-passes %s -p 'kan-calibrate{data="%t.npz"},kan-share-shapes{data="%t.npz" up-to=gain}' | filecheck %s --check-prefix BUDGET
// RUN: not kan-opt %s -p 'kan-share-shapes{shapes=1}' 2>&1 | filecheck %s --check-prefix RANGE
// RANGE: @layer: the inputs' ranges of layer0 are not known; run kan-calibrate first
// RUN: not kan-opt %s -p kan-share-shapes 2>&1 | filecheck %s --check-prefix NUMBER
// NUMBER: the number of shapes is not known; say it (shapes=8), or give data to choose it by
// RUN: not kan-opt %s -p 'kan-share-shapes{shapes=0}' 2>&1 | filecheck %s --check-prefix NONE
// NONE: shapes must lie in 1..524288, got 0
// RUN: not kan-opt %s -p 'kan-share-shapes{shapes=1 up-to=size}' 2>&1 | filecheck %s --check-prefix KIND
// KIND: up-to cannot be 'size'; use scale, gain, sign
// RUN: not kan-opt %s -p 'kan-share-shapes{shapes=1 max-accuracy-loss=0.1}' 2>&1 | filecheck %s --check-prefix BOTH
// BOTH: max-accuracy-loss has no meaning beside shapes; leave out one

// The trace has the shapes, and not the path.
// BUDGET: kan.pipeline = ["kan-calibrate", "kan-share-shapes{up-to=\22gain\22}"]

// All edges that exist are copies of one shape, scaled and shifted; the masked one is not looked at.
// CHECK-LABEL: @layer
// CHECK-SAME: kan.shapes = {up_to = "scale", shapes = 1 : i64, edges = 3 : i64, tried = [{shapes = 1 : i64}]}
// CHECK: [[X:%.*]] = kan.observe %x
// CHECK-NEXT: [[S:%.*]] = kan.shaped [[X]] as "layer0" grid {{.*}} shapes {{.*}} : tensor<1x65xf64> choice dense<{{\[\[}}0, 0], [0, 0]]> : tensor<2x2xi8> affine
// CHECK-NEXT: kan.node_sum [[S]] as "layer0" mask dense<{{\[\[}}1, 0], [1, 1]]> : tensor<2x2xi8> bias

// Each input has its shape; the offset of its square is a bias.
// SIGN: kan.shaped {{.*}} : tensor<2x127xf64> choice dense<{{\[\[}}0, 0], [0, 1]]>

// Two edges of one input that are the same up to sign and offset: so are their tables.
// TABLES: kan.tables {{.*}} tables dense<"0x[[TABLE:.*]]"> : tensor<2x2x16xi8>

// Two shapes are not the same up to gain.
// BUDGET: kan.shapes = {up_to = "gain", shapes = 2 : i64, edges = 3 : i64, before = {calibration = {{.*}}, validation = {{.*}}}, tried = [{shapes = 1 : i64, {{.*}}}, {shapes = 2 : i64,
func.func @layer(%x: tensor<2xf64>) -> tensor<2xf64> {
  %q = kan.base "square" %x weights dense<[[1.0, 3.0], [-1.0, 0.0]]> : tensor<2x2xf64> : tensor<2xf64> -> tensor<2x2xf64>
  %l = kan.base "sin" %x weights dense<[[0.0, 0.0], [0.0, -2.0]]> : tensor<2x2xf64> : tensor<2xf64> -> tensor<2x2xf64>
  %e = arith.addf %q, %l : tensor<2x2xf64>
  %n = kan.node_sum %e as "layer0" mask dense<[[1, 0], [1, 1]]> : tensor<2x2xi8> bias dense<[0.25, 0.0]> : tensor<2xf64> : tensor<2x2xf64> -> tensor<2xf64>
  func.return %n : tensor<2xf64>
}
