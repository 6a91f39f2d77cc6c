// Each pass is compared with its input; one line a pass on standard error.

// RUN: kan-opt --check-passes %s -p 'kan-compile{levels=1}' -o %t.mlir 2>&1 | filecheck %s
// CHECK: kan-fold-affine: changed nothing
// CHECK-NEXT: kan-quantize: changed nothing
// CHECK-NEXT: kan-fold-tables: changed nothing
// CHECK-NEXT: kan-expand-wires: exact on all 16 inputs, 2 nodes
// CHECK-NEXT: kan-narrow: exact on all 16 inputs, 2 nodes
// CHECK-NEXT: kan-fold-clamps: changed nothing
// CHECK-NEXT: kan-window-tables: changed nothing
// CHECK-NEXT: kan-merge-tables: exact on all 16 inputs, 2 nodes
// CHECK-NEXT: kan-share-tables: changed nothing
// CHECK-NEXT: kan-share-sums: changed nothing
// CHECK-NEXT: kan-compress-codes: changed nothing
// CHECK-NEXT: kan-split-tables: changed nothing
// CHECK-NEXT: kan-balance-sums: exact on all 16 inputs, 2 nodes
// CHECK-NEXT: kan-schedule: exact on all 16 inputs, 2 nodes
// CHECK-NEXT: lower-kan-to-hw: exact on all 16 inputs, 2 nodes
// CHECK-NEXT: kan-form-carry-chains: changed nothing
// CHECK-NOT: {{.}}

// Off by default; the output is the same.
// RUN: kan-opt -p 'kan-compile{levels=1}' %s 2>&1 | diff - %t.mlir

// A pass with a bug: one message with the pass, the node, the sample and both values; the IR around
// the pass and the sample are kept, and no output is written.
// RUN: python -c "import shutil, os; shutil.rmtree(r'%t.dir', ignore_errors=True); os.makedirs(r'%t.dir')"
// RUN: not python %S/Inputs/kan_opt_with_a_bug.py --check-passes --check-passes-dir %t.dir/failure -p kan-compile %s -o %t.dir/out.mlir > %t.err 2>&1
// RUN: filecheck %s --check-prefix BUG < %t.err
// BUG: kan-expand-wires: exact on all 16 inputs, 2 nodes
// BUG-NEXT: kan-opt: error: kan-narrow does not keep the function @net: node layer0_node0 is 3 where 1 was expected, sample 0 of 16: x0 = 0 (0), x1 = 0 (0); 2 of 2 nodes and 2 of 2 outputs differ, on 16 samples; before.mlir, after.mlir and sample.npz are in {{.*}}failure
// BUG-NOT: {{.}}
// RUN: python -c "import os; assert sorted(os.listdir(r'%t.dir')) == ['failure'], os.listdir(r'%t.dir')"

// What is kept shows the bug.
// RUN: not kan-run %t.dir/failure/before.mlir --against %t.dir/failure/after.mlir --codes --inputs %t.dir/failure/sample.npz > %t.run
// RUN: filecheck %s --check-prefix AGAINST < %t.run
// AGAINST: against {{.*}}after.mlir (wire level): 1 of 1 samples differ

// A result that cannot be evaluated fails the check. The message says why and names the op.
// RUN: not python %S/Inputs/kan_opt_with_broken_evaluation.py after --check-passes --check-passes-dir %t.dir/evaluation -p kan-compile %s -o %t.dir/out.mlir > %t.err 2>&1
// RUN: filecheck %s --check-prefix AFTER < %t.err
// AFTER: kan-expand-wires: exact on all 16 inputs, 2 nodes
// AFTER-NEXT: kan-opt: error: kan-narrow does not keep the function @net: it cannot be evaluated any more: IndexError: no such row, in 'kan.table'; before.mlir and after.mlir are in {{.*}}evaluation
// AFTER-NOT: {{.}}

// So does an input that cannot be evaluated.
// RUN: not python %S/Inputs/kan_opt_with_broken_evaluation.py before --check-passes -p kan-expand-wires %s -o %t.dir/out.mlir > %t.err 2>&1
// RUN: filecheck %s --check-prefix BEFORE < %t.err
// BEFORE: kan-opt: error: kan-expand-wires cannot be checked: @net: it cannot be evaluated before the pass: IndexError: no such row, in 'kan.tables'; mend the input, or run without the check of passes
// BEFORE-NOT: {{.}}

// Samples of yours: a file, behind the equals sign.
// RUN: python -c "import numpy as np; np.savez(r'%t.npz', x=np.zeros((3, 2)))"
// RUN: kan-opt --check-passes=%t.npz %s -p kan-expand-wires 2>&1 | filecheck %s --check-prefix GIVEN
// GIVEN: kan-expand-wires: exact on all 16 inputs, 2 nodes

// RUN: not kan-opt --check-passes=none.npz %s -p kan-narrow 2>&1 | filecheck %s --check-prefix NONE
// NONE: kan-opt: error: there is no data file none.npz

// RUN: python -c "import numpy as np; np.savez(r'%t.npz', x=np.zeros((3, 5)))"
// RUN: not kan-opt --check-passes=%t.npz %s -p kan-narrow 2>&1 | filecheck %s --check-prefix WIDTH
// WIDTH: kan-opt: error: the samples to check passes with have 5 features, @net takes 2; give data with one column of x for each input

// Nothing to evaluate is no error.
// RUN: python -c "open(r'%t.other.mlir', 'w').write('func.func @f(%%x: i8) -> i8 {\n  func.return %%x : i8\n}\n')"
// RUN: kan-opt --check-passes %t.other.mlir -p kan-narrow 2>&1 | filecheck %s --check-prefix NOTHING
// NOTHING: kan-narrow: not checked, no function of a KAN

func.func @net(%x: tensor<2xf32>) -> tensor<2xf32> {
  %q = kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32, 1.0>>
  %t = kan.tables %q as "layer0" tables dense<[[[1, 2, 3, 2], [0, 1, -1, 4]], [[5, 3, 2, 2], [1, 2, 2, 1]]]> : tensor<2x2x4xi8>
    bounds dense<[[[1, 3], [-1, 4]], [[2, 5], [1, 2]]]> : tensor<2x2x2xi8>
    : tensor<2x!quant.uniform<u2:f32, 1.0>> -> tensor<2x2x!quant.uniform<i4:f32, 1.0>>
  %n = kan.node_sum %t as "layer0" bounds dense<[[0, 7], [3, 7]]> : tensor<2x2xi8>
    : tensor<2x2x!quant.uniform<i4:f32, 1.0>> -> tensor<2x!quant.uniform<i5:f32, 1.0>>
  %y = kan.dequantize %n : tensor<2x!quant.uniform<i5:f32, 1.0>> -> tensor<2xf32>
  func.return %y : tensor<2xf32>
}
