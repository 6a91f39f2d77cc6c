// RUN: kan-opt %s -t systemverilog | filecheck %s --strict-whitespace
// RUN: kan-opt %s -t systemverilog 2>&1 >%t | filecheck %s --check-prefix NOTE

// NOTE: kan-opt: note: module 'logic' is called 'logic_': it is a keyword of SystemVerilog
// NOTE-NEXT: kan-opt: note: module 'Entity' is called 'kan_Entity': it is a keyword of VHDL

// Names become legal, and differ from keywords, from ports and from each other.
// CHECK-LABEL: module logic_ (
// CHECK-NEXT:   input  wire logic [3:0] a,
// CHECK-NEXT:   input  wire logic [3:0] reg_,
// CHECK-NEXT:   output wire logic [3:0] y
// CHECK-NEXT: );
hw.module @logic(in %a : i4, in %r "reg" : i4, out y : i4) {
  // CHECK: wire logic [3:0] wire_ = a + reg_;
  %0 = comb.add %a, %r {sv.namehint = "wire"} : i4
  // CHECK-NEXT: wire logic [3:0] a_1 = wire_ & a;
  %1 = comb.and %0, %a {sv.namehint = "a"} : i4
  // CHECK-NEXT: wire logic [3:0] _1st_node = a_1 | a;
  %2 = comb.or %1, %a {sv.namehint = "1st node"} : i4
  // CHECK-NEXT: wire logic [3:0] node = _1st_node ^ a;
  %3 = comb.xor %2, %a {sv.namehint = "node"} : i4
  // CHECK-NEXT: wire logic [3:0] node_1 = node * a;
  %4 = comb.mul %3, %a {sv.namehint = "node"} : i4
  // A generated name stays clear of a later one of the IR.
  // CHECK-NEXT: wire logic [3:0] sum_2 = node_1 + a;
  %5 = comb.add %4, %a : i4
  // CHECK-NEXT: wire logic [3:0] sum_1 = sum_2 * sum_2;
  %6 = comb.mul %5, %5 {sv.namehint = "sum_1"} : i4
  hw.output %6 : i4
}

// Each module has its own names, but for those of modules.
// CHECK-LABEL: module node (
hw.module @node(in %a : i4, out y : i4) {
  // CHECK: wire logic [3:0] node = a * a;
  %0 = comb.mul %a, %a {sv.namehint = "node"} : i4
  hw.output %0 : i4
}

// Designs in VHDL instantiate modules by name.
// CHECK-LABEL: module kan_Entity (
hw.module @Entity(in %a : i4, out y : i4) {
  hw.output %a : i4
}

// Registers that feed back are declared before all stages: they are read before they are written.
// CHECK-LABEL: module counter (
hw.module @counter(in %clk : !seq.clock, in %rst : i1, out y : i4) {
  // CHECK: ){{;}}
  // CHECK-EMPTY:
  // CHECK-NEXT:   logic [3:0] count;
  // CHECK-EMPTY:
  // CHECK-NEXT:   always_ff @(posedge clk)
  // CHECK-NEXT:     if (rst)
  // CHECK-NEXT:       count <= 4'd0;
  // CHECK-NEXT:     else
  // CHECK-NEXT:       count <= count + 4'd1;
  // CHECK-NEXT:   assign y = count;
  %one = hw.constant 1 : i4
  %zero = hw.constant 0 : i4
  %next = comb.add %count, %one : i4
  %count = seq.compreg %next, %clk reset %rst, %zero {sv.namehint = "count"} : i4
  hw.output %count : i4
}

// Registers that depend on no input but the reset are in every stage.
// CHECK-LABEL: module gated (
hw.module @gated(in %clk : !seq.clock, in %rst : i1, in %a : i1, out y : i1) {
  // CHECK:        logic toggle;
  // CHECK-NEXT:   logic was_0;
  // CHECK-EMPTY:
  // CHECK-NEXT:   // Stage 0
  // CHECK-NEXT:   logic gated;
  // CHECK:        // Stage 1
  // CHECK-NEXT:   assign y = gated;
  %zero = hw.constant 0 : i1
  %one = hw.constant 1 : i1
  %next = comb.xor %toggle, %one : i1
  %toggle = seq.compreg %next, %clk reset %rst, %zero {sv.namehint = "toggle"} : i1
  %is_0 = comb.icmp eq %toggle, %zero : i1
  %was_0 = seq.compreg %is_0, %clk reset %rst, %one {sv.namehint = "was_0"} : i1
  %both = comb.and %a, %was_0 : i1
  %gated = seq.compreg %both, %clk {sv.namehint = "gated"} : i1
  hw.output %gated : i1
}
