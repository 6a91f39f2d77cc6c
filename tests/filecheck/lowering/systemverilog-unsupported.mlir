// RUN: not kan-opt %s -t systemverilog 2>&1 | filecheck %s

// CHECK: error: @top: 'hw.instance' cannot be printed as SystemVerilog
hw.module @leaf(in %a : i4, out y : i4) {
  hw.output %a : i4
}
hw.module @top(in %a : i4, out y : i4) {
  %y = hw.instance "leaf" @leaf(a: %a: i4) -> (y: i4)
  hw.output %y : i4
}
