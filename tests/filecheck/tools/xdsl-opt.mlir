// The dialects, passes and targets are published to every driver built on xDSL's, unmodified.

// RUN: env COLUMNS=9999 xdsl-opt --help | filecheck %s --check-prefix HELP
// HELP: Available targets are: {{.*}}circt,formula,picture,quantizers,systemverilog
// HELP: Available passes are: {{.*}}kan-balance-sums,kan-calibrate,kan-choose-bits,kan-compile,

// RUN: xdsl-opt %s -p kan-narrow,kan-schedule | filecheck %s
// CHECK: kan.pipeline = ["kan-narrow", "kan-schedule"]
// CHECK: func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3>
// CHECK-NEXT: kan.delay %x by 1
func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:7> {
  %c = kan.clamp %x : !kan.int<0:3> -> !kan.int<0:7>
  func.return %c : !kan.int<0:7>
}

func.func private @types(tensor<2x!quant.uniform<u2:f32, 0.5:1>>)

// What was edited has not seen the passes that its text records, for any driver.
// RUN: kan-opt --check-passes %s -p kan-narrow -o %t.mlir
// RUN: python -c "t = open(r'%t.mlir').read(); open(r'%t.mlir', 'w').write(t.replace('func.func @f', 'func.func @g'))"
// RUN: xdsl-opt %t.mlir -p kan-compile | filecheck %s --check-prefix EDITED
// EDITED: kan.pipeline = ["kan-narrow", "(edited, or changed by a pass that leaves no record)", "kan-narrow", "kan-fold-clamps", "kan-window-tables",
