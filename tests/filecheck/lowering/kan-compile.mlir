// RUN: python -c "import numpy as np; np.savez('%t.npz', x=[[-1, 0], [1, 1], [0, -1]])"
// RUN: kan-opt --check-passes %s -p 'kan-compile{data="%t.npz" bits=3 scale="minmax" levels=1}' -o %t.all.mlir
// RUN: filecheck %s < %t.all.mlir

// `kan-opt` runs the pipeline's passes one by one, so that each can be timed and printed.
// RUN: kan-opt --check-passes %s -p 'kan-compile{data="%t.npz" bits=3}' --print-between-passes | filecheck %s --check-prefix PASSES

// It is the same as the passes spelt out.
// RUN: kan-opt --check-passes %s -p 'kan-fold-affine,kan-calibrate{data="%t.npz"},kan-quantize{bits=3 scale="minmax"},kan-fold-tables,kan-expand-wires,kan-narrow,kan-fold-clamps,kan-window-tables,kan-merge-tables,kan-share-tables,kan-share-sums,kan-compress-codes,kan-split-tables,kan-balance-sums,kan-schedule{levels=1},lower-kan-to-hw,kan-form-carry-chains' -o %t.spelt.mlir
// RUN: diff %t.all.mlir %t.spelt.mlir

// Sums can stay plain.
// RUN: kan-opt %s -p 'kan-compile{data="%t.npz" bits=3 adders=plain}' | filecheck %s --check-prefix PLAIN
// PLAIN: "lower-kan-to-hw"]

// It resumes where the module stands: what was done is not done again.
// RUN: kan-opt --check-passes %s -p 'kan-fold-affine,kan-calibrate{data="%t.npz"},kan-quantize{bits=3 scale="minmax"}' -o %t.table.mlir
// RUN: kan-opt %t.table.mlir -p 'kan-compile{bits=3 levels=1}' | diff - %t.all.mlir
// RUN: kan-opt %t.all.mlir -p kan-compile | diff - %t.all.mlir

// An option of a pass that it is past is refused, unless the pass has run with the same one.
// RUN: not kan-opt %t.table.mlir -p 'kan-compile{bits=7 levels=1}' 2>&1 | filecheck %s --check-prefix PAST
// PAST: bits=7 has no meaning: the IR has been through kan-quantize{bits=3 scale="minmax"} already
// PAST-SAME: leave bits out, or give IR of a stage before kan-quantize

// The unmodified driver has it too.
// RUN: xdsl-opt %s -p 'kan-compile{data="%t.npz" bits=3 scale="minmax" levels=1}' | filecheck %s

// PASSES: IR after kan-fold-affine:
// PASSES: IR after kan-calibrate:
// PASSES: IR after kan-quantize:
// PASSES: IR after kan-fold-tables:
// PASSES: IR after kan-expand-wires:
// PASSES: IR after kan-narrow:
// PASSES: IR after kan-fold-clamps:
// PASSES: IR after kan-window-tables:
// PASSES: IR after kan-merge-tables:
// PASSES: IR after kan-share-tables:
// PASSES: IR after kan-compress-codes:
// PASSES: IR after kan-split-tables:
// PASSES: IR after kan-balance-sums:
// PASSES: IR after kan-schedule:
// PASSES: IR after lower-kan-to-hw:
// PASSES: hw.module @net

// CHECK: builtin.module attributes {kan.pipeline = ["kan-fold-affine", "kan-calibrate", "kan-quantize{bits=3 scale=\22minmax\22}", "kan-fold-tables", "kan-expand-wires", "kan-narrow", "kan-fold-clamps", "kan-window-tables", "kan-merge-tables", "kan-share-tables", "kan-share-sums", "kan-compress-codes", "kan-split-tables", "kan-balance-sums", "kan-schedule{levels=1}", "lower-kan-to-hw", "kan-form-carry-chains"], kan.digest = "{{[0-9a-f]+}}"}
// CHECK-NEXT: hw.module @net(in %clk: !seq.clock, in %rst: i1, in %in_valid: i1, in %x0: i3, in %x1: i3, out out_valid: i1, out y0: i5)
// CHECK-NOT: kan.{{[a-z_]+}} %
func.func @net(%x: tensor<2xf32>) -> tensor<1xf32> {
  %e = kan.base "square" %x as "layer0" weights dense<1.0> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>
  %n = kan.node_sum %e as "layer0" : tensor<1x2xf32> -> tensor<1xf32>
  %y = kan.affine %n scale dense<[0.5]> : tensor<1xf32> bias dense<[0.25]> : tensor<1xf32> : tensor<1xf32>
  func.return %y : tensor<1xf32>
}
