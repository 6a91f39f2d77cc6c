// Whatever is wrong with the options or the input: one message that says what, and the remedy.

// RUN: not kan-opt %s -p kan-narow 2>&1 | filecheck %s --check-prefix PASS
// PASS: {{^}}kan-opt: error: unknown pass 'kan-narow'; did you mean kan-narrow? Passes over KANs are kan-add-head, kan-balance-sums, kan-calibrate,

// RUN: not kan-opt %s -p 'kan-schedule{level=3}' 2>&1 | filecheck %s --check-prefix OPTION
// OPTION: kan-opt: error: pass kan-schedule has no option 'level'; did you mean levels? Its options are target, levels, cycles, mhz, combinational

// RUN: not kan-opt %s -p 'kan-expand-wires{level=3}' 2>&1 | filecheck %s --check-prefix NO-OPTIONS
// NO-OPTIONS: kan-opt: error: pass kan-expand-wires has no option 'level'; its options are none

// Options are spelt as the command line takes them, also where they were not.
// RUN: not kan-opt %s -p 'kan-narrow,kan-prune{max_acuracy_loss=0.1}' 2>&1 | filecheck %s --check-prefix SPELLING
// SPELLING: kan-opt: error: pass kan-prune has no option 'max-acuracy-loss'; did you mean max-accuracy-loss? Its options are {{[a-z, -]+$}}

// RUN: not kan-opt %s -p kan-calibrate 2>&1 | filecheck %s --check-prefix MISSING
// MISSING: kan-opt: error: pass kan-calibrate: kan-calibrate requires argument "data"; its options are data: str, bins: int

// RUN: not kan-opt %s -p 'kan-schedule{levels=two}' 2>&1 | filecheck %s --check-prefix TYPE
// TYPE: kan-opt: error: pass kan-schedule: option levels cannot be two; its options are target: str, levels: int | None, cycles: int | None, mhz: float | None, combinational: bool

// RUN: not kan-opt %s -p 'kan-quantize{bits=40}' 2>&1 | filecheck %s --check-prefix VALUE
// VALUE: kan-opt: error: pass kan-quantize: bits must lie in 1..16, got 40; a table has 2^bits entries

// RUN: not kan-opt %s -p 'kan-narrow{' 2>&1 | filecheck %s --check-prefix SYNTAX
// SYNTAX: kan-opt: error: cannot read the pass pipeline 'kan-narrow{': Expected argument name here; write passes as name{option=value option="text"}, separated by commas

// RUN: not kan-opt %s -t verilog 2>&1 | filecheck %s --check-prefix TARGET
// TARGET: kan-opt: error: unknown target 'verilog'; did you mean systemverilog? Targets are {{.*}}circt,{{.*}}mlir,{{.*}}systemverilog

// RUN: not kan-opt %s -t 'mlir{' 2>&1 | filecheck %s --check-prefix TARGET-SYNTAX
// TARGET-SYNTAX: kan-opt: error: cannot read the target; write it as name{option=value}

// RUN: not kan-opt %s --elide-large-constants many 2>&1 | filecheck %s --check-prefix FLAG
// FLAG: kan-opt: error: --elide-large-constants takes a whole number, got 'many'

// RUN: not kan-opt %t/none.mlir 2>&1 | filecheck %s --check-prefix FILE
// FILE: kan-opt: error: there is no file {{.*}}none.mlir

// RUN: not kan-opt %S 2>&1 | filecheck %s --check-prefix FOLDER
// FOLDER: kan-opt: error: cannot read {{.*}}tools: it is a folder

// RUN: python -c "open(r'%t.mlir', 'wb').write(b'\xff\xfe\x00')"
// RUN: not kan-opt %t.mlir 2>&1 | filecheck %s --check-prefix BINARY
// BINARY: kan-opt: error: {{.*}}.mlir is not text; IR in MLIR's textual form was expected

// RUN: not kan-opt %s -p 'kan-calibrate{data="none.npz"}' 2>&1 | filecheck %s --check-prefix DATA
// DATA: kan-opt: error: there is no data file none.npz

// RUN: python -c "import numpy as np; np.savez(r'%t.npz', x=np.zeros((2, 3)))"
// RUN: not kan-opt %s -p 'kan-calibrate{data="%t.npz"}' 2>&1 | filecheck %s --check-prefix FEATURES
// FEATURES: kan-opt: error: {{.*}}.npz has 3 features a sample, @f takes 1

func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  func.return %x : tensor<1xf32>
}
