// RUN: kan-opt --check-passes %s -p 'kan-schedule{levels=4},lower-kan-to-hw' | filecheck %s
// RUN: kan-opt %s -p 'kan-schedule{levels=4},lower-kan-to-hw' -t systemverilog | filecheck %s --check-prefix SV

// One lane of two turns of four codes. A word has two entries of four bits in two's complement. The
// bias, 3 and -2, goes into the entries of both inputs: 2 and 1, -1 and -1.
// CHECK: hw.module @layer(in %clk: !seq.clock, in %rst: i1, in %in_valid: i1, in %x0: i2, in %x1: i2, in %mem_valid: i1, in %mem_address: i3, in %mem_data: i8, out in_ready: i1, out out_valid: i1, out y0: i5, out y1: i5, out mem_ready: i1)
// A sample waits while a word does, and a word until no sample is under way.
// CHECK-DAG: [[M:%.*]] = kan.memory exclusive initial dense<[242, 226, 4, 244, 244, 225, 2, 244]> {{.*}} : !kan.memory<8, i8>
// CHECK-DAG: [[IDLE:%.*]] = comb.xor {{.*}} {sv.namehint = "mem_idle"} : i1
// CHECK-DAG: [[ACCESS:%.*]] = comb.and %mem_valid, [[IDLE]] {sv.namehint = "mem_access"} : i1
// CHECK-DAG: kan.memory_write [[M]][{{%.*}}] = {{%.*}} if [[ACCESS]], %clk : !kan.memory<8, i8>, i3, i8
// SV: (* no_rw_check *)
// SV-NEXT: logic [7:0] l_rom0_0 [0:7];
// SV: valid_s1 <= {{.*}} ? in_valid & ~mem_valid : valid_s1;
// SV: wire logic mem_idle = ~(valid_s1 | valid_s2);
// SV: if (mem_access) l_rom0_0[mem_address] <= mem_data;
// Accumulators begin with 0.
// SV: l_sum0_before <= {{.*}} ? 5'd0 : l_sum0;
// SV: assign in_ready = {{.*}} & ~mem_valid;
// SV: assign mem_ready = mem_idle;
func.func @layer(%x: !kan.int<0:3>, %y: !kan.int<0:3>) -> (!kan.int<-16:15>, !kan.int<-16:15>) attributes {kan.interval = 3 : i64} {
  %s, %t = kan.folded_by_input %x, %y as "l" interval 3 tables dense<[[[0, 0, 2, 2], [3, 0, 1, 3]], [[0, -1, 1, 0], [0, -1, 1, 0]]]> : tensor<2x2x4xi8> from 0 bias dense<[3, -2]> : tensor<2xi8> loadable 4 : !kan.int<0:3>, !kan.int<0:3> -> !kan.int<-16:15>, !kan.int<-16:15>
  kan.mark %s as "l_node0" offset 0 cycle 0 : !kan.int<-16:15>
  kan.mark %t as "l_node1" offset 0 cycle 0 : !kan.int<-16:15>
  func.return %s, %t : !kan.int<-16:15>, !kan.int<-16:15>
}
