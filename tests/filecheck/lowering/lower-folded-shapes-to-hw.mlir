// RUN: kan-opt --check-passes %s -p 'kan-schedule{levels=4},lower-kan-to-hw' | filecheck %s
// RUN: kan-opt %s -p 'kan-schedule{levels=4},lower-kan-to-hw' -t systemverilog | filecheck %s --check-prefix SV

// One lane. Its first memory has the entries of both shapes at a code, less 0 and 1.
// CHECK: hw.module @layer(in %clk: !seq.clock, in %rst: i1, in %in_valid: i1, in %x0: i2, in %x1: i2, out in_ready: i1, out out_valid: i1, out y0: i4)
// CHECK-SAME: kan.latency = 8 : i64, kan.interval = 3 : i64
// CHECK-DAG: kan.memory initial dense<[0, 5, 14, 7]> {{.*}} {sv.namehint = "l_shapes0_0"} : !kan.memory<4, i4>
// The second one has choice, shift and sign of the edge in each turn: 2 is the choice of nothing.
// CHECK-DAG: kan.memory initial dense<[4, 9, 2]> {{.*}} {sv.namehint = "l_choices0_0"} : !kan.memory<3, i4>
// The accumulator begins with 7, less 1 of the second shape, less 2^3 - 1 of the negative edge.
// CHECK-DAG: hw.constant -1 : i4
// SV: // Latency: 8 clock cycles, one sample per 3 clocks.
// SV: l_choices0_0_read <= l_choices0_0[turn1];
// SV: l_shapes0_0_read <= l_shapes0_0[l_code0];
// SV: l_chosen0_0 <= bits_1[1] ? 2'd0 : bits_1[0] ? l_shapes0_0_word[3:2] : l_shapes0_0_word[1:0];
// SV: l_term0_0 <= (l_shift0_0 ? {bits_2[1:0], 1'b0} : bits_2) ^ {3{l_sign0_0}};
// SV: wire logic [3:0] l_sum0 = l_sum0_before + {1'b0, l_term0_0};
// SV: l_sum0_before <= is_turn1 ? 4'd15 : l_sum0;
func.func @layer(%x: !kan.int<0:3>, %y: !kan.int<0:3>) -> !kan.int<3:12> attributes {kan.interval = 3 : i64} {
  %s = kan.folded_shapes %x, %y, %x as "l" interval 3 shapes dense<[[[0, 1, 2, 3], [1, 2, 4, 2]]]> : tensor<1x2x4xi8> from 0 choices dense<[[0, 1, 0]]> : tensor<1x3xi8> factors dense<[[2, -1, 0]]> : tensor<1x3xi8> bias dense<[7]> : tensor<1xi8> : !kan.int<0:3>, !kan.int<0:3>, !kan.int<0:3> -> !kan.int<3:12>
  kan.mark %s as "l_node0" offset 0 cycle 0 : !kan.int<3:12>
  func.return %s : !kan.int<3:12>
}
