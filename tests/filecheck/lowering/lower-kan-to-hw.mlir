// RUN: kan-opt %s -p lower-kan-to-hw | filecheck %s

// Registers make a clocked module: `clk`, `rst`, `in_valid`, the inputs; `out_valid`, the outputs.
// Only the valid bits are reset.
// CHECK-LABEL: hw.module @pipeline(in %clk clk : !seq.clock, in %rst rst : i1, in %in_valid in_valid : i1, in %x0 x0 : i2, in %x1 x1 : i3, out out_valid : i1, out y0 : i2)
// CHECK-SAME: attributes {kan.latency = 2 : i64
func.func @pipeline(%x: !kan.int<0:3>, %y: !kan.int<-4:3>) -> !kan.int<0:3> attributes {kan.latency = 2 : i64} {
  %d = kan.delay %x by 2 as "x0_s2" : !kan.int<0:3>
  func.return %d : !kan.int<0:3>
}

func.func @all(%x: !kan.int<0:3>, %y: !kan.int<-4:3>) -> !kan.int<0:3> {
  func.return %x : !kan.int<0:3>
}
