// RUN: kan-opt --check-passes %s -p 'kan-make-trainable{fraction-bits=6 integer-bits=2 local-bits=2 learning-rate=0.5},lower-training-to-hw' | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-make-trainable{fraction-bits=6 integer-bits=2 local-bits=2 learning-rate=0.5},lower-training-to-hw' -t systemverilog | filecheck %s --check-prefix VERILOG
// RUN: kan-opt --check-passes %s -p 'kan-make-trainable{fraction-bits=6 integer-bits=2 local-bits=2 initial=zero},lower-training-to-hw' -t circt | filecheck %s --check-prefix CIRCT
// RUN: kan-opt --check-passes %s -p 'kan-make-trainable{fraction-bits=6 integer-bits=2 local-bits=2 learning-rate=0.5 momentum=0.5 weight-decay=0.0625},lower-training-to-hw' -t systemverilog | filecheck %s --check-prefix MOMENTUM

// Of degree 1: two banks, coefficient j in bank j mod 2.
// CHECK-LABEL: hw.module @line(in %clk: !seq.clock, in %rst: i1, in %in_valid: i1, in %train: i1, in %x0: i8, in %t0: i8, in %mem_valid: i1, in %mem_write: i1, in %mem_address: i3, in %mem_data: i8, out in_ready: i1, out out_valid: i1, out y0: i8, out mem_ready: i1, out mem_read_valid: i1, out mem_read_data: i8)
// CHECK-SAME:  kan.latency = 4 : i64, kan.interval = 3 : i64
// CHECK:       [[B0:%.*]] = kan.memory initial dense<[64, 16, 3]> : tensor<3xi8> {sv.namehint = "layer0_edge0_0_bank0"} : !kan.memory<3, i8>
// CHECK-NEXT:  [[B1:%.*]] = kan.memory initial dense<[-32, 8, 0]> : tensor<3xi8> {sv.namehint = "layer0_edge0_0_bank1"} : !kan.memory<3, i8>
// The position is saturated to the grid, and registered.
// CHECK:       [[P:%.*]] = comb.mux {{.*}} {sv.namehint = "layer0_position0"} : i4
// CHECK:       seq.compreg [[P]], %clk {sv.namehint = "layer0_position0_d1"} : i4
// Addresses are registered; words are read in the cycle in which they are multiplied.
// CHECK:       [[A:%.*]] = comb.mux {{.*}} {sv.namehint = "layer0_address0_0"} : i2
// CHECK:       [[R:%.*]] = seq.compreg [[A]], %clk
// CHECK-NEXT:  kan.memory_word [[B0]][[[R]]] {sv.namehint = "layer0_edge0_0_word0"} : !kan.memory<3, i8>, i2 -> i8
// CHECK:       kan.memory_word [[B1]][{{%.*}}] {sv.namehint = "layer0_edge0_0_word1"} : !kan.memory<3, i8>, i2 -> i8
// CHECK:       comb.mul {{.*}}
// CHECK:       {sv.namehint = "layer0_node0"} : i1, i7
// CHECK:       {sv.namehint = "layer0_error0"} : i9
// CHECK:       kan.memory_write [[B0]]{{.*}} = {{.*}} if {{.*}}, %clk : !kan.memory<3, i8>, i2, i8
// CHECK:       kan.memory_write [[B1]]

// VERILOG-LABEL: // line
// VERILOG-NEXT:  // Latency: 4 clock cycles, one sample per clock.
// VERILOG-NEXT:  // Training: the sample behind one that trains comes 3 cycles later or more.
// VERILOG:       logic [7:0] layer0_edge0_0_bank0 [0:2];
// VERILOG-NEXT:  initial begin
// VERILOG-NEXT:    layer0_edge0_0_bank0[0] = 8'd64;
// VERILOG:       layer0_edge0_0_bank1[0] = -8'd32;
// Registers of the interlock, then the pipeline.
// VERILOG:       logic trained_d1;
// VERILOG:       // Stage 0
// VERILOG-NEXT:  wire logic xor_1 = ~((trained_d1 | trained_d2) | mem_valid);
// VERILOG-NEXT:  wire logic accepted = in_valid & xor_1;
// Products are signed, so that synthesis sees how narrow their factors are.
// VERILOG:       $unsigned($signed({{.*}}) *
// VERILOG:       if (trained_d4 | (mem_access & mem_write & (mem_address[2] == 1'b0)))
// VERILOG-NEXT:      layer0_edge0_0_bank0[

// With momentum, velocities have memories of their own; what is carried stands a cycle before the
// update, so that the cycles are as many.
// MOMENTUM:      // Training: the sample behind one that trains comes 3 cycles later or more.
// MOMENTUM:      logic [7:0] layer0_velocity0_0_bank0 [0:2];
// MOMENTUM:      logic [{{.*}}] layer0_carried0_d1;
// MOMENTUM:      layer0_velocity0_0_bank1[

// CIRCT:         %layer0_edge0_0_bank0 = seq.firmem 0, 1, old, undefined {sv.namehint = "layer0_edge0_0_bank0"} : <3 x 8>
// CIRCT:         seq.firmem.read_port %layer0_edge0_0_bank0[{{%.*}}], clock %clk {sv.namehint = "layer0_edge0_0_word0"} : <3 x 8>
// CIRCT:         seq.firmem.write_port %layer0_edge0_0_bank0[{{%.*}}] = {{%.*}}, clock %clk enable {{%.*}} : <3 x 8>
func.func @line(%x: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.bspline %x as "layer0" degree 1 extend knots dense<[-1.0, -0.5, 0.0, 0.5, 1.0]> : tensor<5xf64> coefficients dense<[[[1.0, -0.5, 0.25, 0.125, 0.05]]]> : tensor<1x1x5xf64> : tensor<1xf32> -> tensor<1x1xf32>
  %y = kan.node_sum %e as "layer0" : tensor<1x1xf32> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}
