// RUN: kan-opt %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | kan-opt | filecheck %s

// What a hardware module says of its data ports and of its nodes.

// CHECK-LABEL: hw.module @described
hw.module @described(in %x0: i2, in %x1: i3, in %x2: i3, out y0: i1) attributes {
  // A port without a scale carries plain integers.
  // CHECK-SAME: kan.ports = [#kan.port<"x0", 0:3>,
  kan.ports = [#kan.port<"x0", 0:3>,
  // Keys may come in any order; a zero point of 0 is not printed.
  // CHECK-SAME: #kan.port<"x1", -4:3, scale = 0.1, gain = 2.0, offset = -1.0e+17>,
  #kan.port<"x1", -4:3, gain = 2.0, offset = -1.0e+17, zero_point = 0, scale = 0.1>,
  // CHECK-SAME: #kan.port<"x2", -4:3, scale = 0.5, wraps = true>,
  #kan.port<"x2", -4:3, wraps = true, scale = 0.5>,
  // CHECK-SAME: #kan.port<"y0", -1:0, scale = 1.0e-05, zero_point = -7>]
  #kan.port<"y0", -1:0, scale = 0.00001, zero_point = -7>],
  // CHECK-SAME: kan.nodes = [#kan.node<"layer0_node0", signal = "sum0", range = -8:7, cycle = 2, offset = -3, within = 0:2>,
  kan.nodes = [#kan.node<"layer0_node0", signal = "sum0", range = -8:7, cycle = 2, offset = -3, within = 0:2>,
  // An offset of 0 is not printed; a constant has no signal.
  // CHECK-SAME: #kan.node<"layer0_node1", range = 5:5, cycle = 0>,
  #kan.node<"layer0_node1", range = 5:5, offset = 0>,
  // CHECK-SAME: #kan.node<"layer0_node2", dead>]
  #kan.node<"layer0_node2", dead>]} {
  %y = hw.constant true
  hw.output %y : i1
}
