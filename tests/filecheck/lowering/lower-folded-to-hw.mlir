// RUN: kan-opt --check-passes %s -p 'kan-schedule{levels=4},lower-kan-to-hw' | filecheck %s
// RUN: not kan-opt %s -p lower-kan-to-hw 2>&1 | filecheck %s --check-prefix UNSCHEDULED
// RUN: not kan-opt %s -p 'kan-schedule{combinational=true}' 2>&1 | filecheck %s --check-prefix COMBINATIONAL
// RUN: not kan-opt %s -p 'kan-schedule{cycles=4}' 2>&1 | filecheck %s --check-prefix FEW
// RUN: kan-opt %s -p 'kan-schedule{levels=4},lower-kan-to-hw' -t systemverilog | filecheck %s --check-prefix SV

// UNSCHEDULED: @layer: layers that take 3 cycles a sample have no schedule; run kan-schedule
// COMBINATIONAL: @layer: layers that take 3 cycles a sample cannot be combinational
// FEW: results come after 5 cycles or more; take at least cycles=5

// Two inputs, one memory of two turns of four codes: a word of two bits, the entries less 3 and 1.
// CHECK: hw.module @layer(in %clk: !seq.clock, in %rst: i1, in %in_valid: i1, in %x0: i2, in %x1: i2, out in_ready: i1, out out_valid: i1, out y0: i5)
// CHECK-SAME: kan.latency = 5 : i64, kan.interval = 3 : i64
// The counter is 0 in the second cycle of a sample, where the codes are at the memories.
// CHECK-DAG: seq.compreg {{.*}} {sv.namehint = "turn1"} : i2
// CHECK-DAG: seq.compreg {{.*}} {sv.namehint = "is_turn0"} : i1
// CHECK-DAG: kan.memory initial dense<[0, 1, 2, 3, 1, 0, 3, 2]> {{.*}} : !kan.memory<8, i2>
// The accumulator begins with the bias and the smallest entries, 7 + 3 + 1.
// CHECK-DAG: hw.constant 11 : i5
// SV: // Latency: 5 clock cycles, one sample per 3 clocks.
// SV: l_rom0_0_read <= l_rom0_0[{turn1[0], l_code0}];
// SV: l_sum0_before <= is_turn2 ? 5'd11 : l_sum0;
func.func @layer(%x: !kan.int<0:3>, %y: !kan.int<0:3>) -> !kan.int<11:17> attributes {kan.interval = 3 : i64} {
  %s = kan.folded_by_input %x, %y as "l" interval 3 tables dense<[[[3, 4, 5, 6], [2, 1, 4, 3]]]> : tensor<1x2x4xi8> from 0 bias dense<[7]> : tensor<1xi8> : !kan.int<0:3>, !kan.int<0:3> -> !kan.int<11:17>
  kan.mark %s as "l_node0" offset 0 cycle 0 : !kan.int<11:17>
  func.return %s : !kan.int<11:17>
}

// A register loads the inputs of the network. The second layer compares its counter.
// SV: module two
// SV: a_code0 <= is_turn0 ? x0 : a_code1;
// SV: b_code0 <= (turn1 == 1'b1) ? a_sum0 : b_code1;
func.func @two(%x: !kan.int<0:1>, %y: !kan.int<0:1>) -> !kan.int<0:6> attributes {kan.interval = 2 : i64} {
  %a, %b = kan.folded_by_input %x, %y as "a" interval 2 tables dense<[[[0, 1], [0, 2]], [[0, 2], [0, 1]]]> : tensor<2x2x2xi8> from 0 bias dense<0> : tensor<2xi8> : !kan.int<0:1>, !kan.int<0:1> -> !kan.int<0:3>, !kan.int<0:3>
  %s = kan.folded_by_input %a, %b as "b" interval 2 tables dense<[[[0, 1, 2, 3], [3, 1, 0, 2]]]> : tensor<1x2x4xi8> from 0 bias dense<0> : tensor<1xi8> : !kan.int<0:3>, !kan.int<0:3> -> !kan.int<0:6>
  kan.mark %s as "b_node0" offset 0 cycle 0 : !kan.int<0:6>
  func.return %s : !kan.int<0:6>
}
