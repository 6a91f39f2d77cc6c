// RUN: kan-opt --check-passes %s -p 'kan-schedule{levels=4},lower-kan-to-hw' | filecheck %s
// RUN: kan-opt %s -p 'kan-schedule{levels=4},lower-kan-to-hw' -t systemverilog | filecheck %s --check-prefix SV
// RUN: kan-opt %s -p 'kan-schedule{levels=4},lower-kan-to-hw,kan-wrap-interface{interface=axi-lite}' -t systemverilog | filecheck %s --check-prefix LITE
// RUN: kan-opt %s -p 'kan-schedule{levels=4},lower-kan-to-hw,kan-wrap-interface{interface=axi-stream}' -t systemverilog | filecheck %s --check-prefix STREAM
// RUN: kan-opt %s -p 'kan-schedule{levels=4},lower-kan-to-hw,kan-wrap-interface{clock-enable=true}' -t systemverilog | filecheck %s --check-prefix ENABLE

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
// On a bus, a write of the highest byte of MEM_DATA is a word, and the next address follows.
// LITE: 0x28 MEM_ADDRESS: port mem_address; the next one follows behind each word (written)
// LITE: 0x2C MEM_DATA: port mem_data; writing its highest byte writes the word (written)
// LITE: wire logic writes = has_address & has_data & ~(write_waits | sample_waits | mem_waits);
// LITE: .mem_valid(mem_waits),
// LITE-NEXT: .mem_address(mem_address_byte0),
// LITE: wire logic word_written = writes_mem_data & write_strobes[0];
// LITE: wire logic word_taken = mem_waits & core_mem_ready;
// LITE: mem_waits <= word_written | (mem_waits & ~word_taken);
// LITE: mem_address_byte0 <= word_taken ? next_address :
// Samples move on while a word waits, and so do their sidebands.
// STREAM: .mem_valid(mem_valid),
// STREAM: wire logic [[TURN:.*]] = turn0 == 2'd0;
// STREAM: side_s1 <= [[TURN]] ? s_axis_tlast : side_s1;
// STREAM: assign mem_ready = core_mem_ready;
// ENABLE: if (ce & mem_access) l_rom0_0[mem_address] <= mem_data;
func.func @layer(%x: !kan.int<0:3>, %y: !kan.int<0:3>) -> (!kan.int<-16:15>, !kan.int<-16:15>) attributes {kan.interval = 3 : i64} {
  %s, %t = kan.folded_by_input %x, %y as "l" interval 3 tables dense<[[[0, 0, 2, 2], [3, 0, 1, 3]], [[0, -1, 1, 0], [0, -1, 1, 0]]]> : tensor<2x2x4xi8> from 0 bias dense<[3, -2]> : tensor<2xi8> loadable 4 : !kan.int<0:3>, !kan.int<0:3> -> !kan.int<-16:15>, !kan.int<-16:15>
  kan.mark %s as "l_node0" offset 0 cycle 0 : !kan.int<-16:15>
  kan.mark %t as "l_node1" offset 0 cycle 0 : !kan.int<-16:15>
  func.return %s, %t : !kan.int<-16:15>, !kan.int<-16:15>
}
