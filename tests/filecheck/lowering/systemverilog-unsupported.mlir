// RUN: not kan-opt %s -t systemverilog 2>&1 | filecheck %s

// CHECK: error: @top: 'seq.clock_div' cannot be printed as SystemVerilog
hw.module @top(in %clk : !seq.clock, in %a : i4, out y : i4) {
  %slow = seq.clock_div %clk by 1
  %y = seq.compreg %a, %slow : i4
  hw.output %y : i4
}
