// RUN: kan-opt %s | kan-opt | filecheck %s --check-prefix IR
// RUN: kan-opt %s -t systemverilog | filecheck %s
// RUN: kan-opt %s -t circt | filecheck %s --check-prefix CIRCT
// RUN: kan-opt %s -t vhdl | filecheck %s --check-prefix VHDL

// A lookup table is an instance of a module that synthesis keeps. One module serves those that are
// the same but for the order of their inputs: the lowest table of all orders.
// IR: %y = kan.lut %a, %b, %c table 202 : ui8 {sv.namehint = "first"}
// CHECK:      (* keep_hierarchy = "yes", syn_hier = "hard" *)
// CHECK-NEXT: module net_lut3_AC (
// CHECK-NEXT:   input  wire logic [2:0] x,
// CHECK-NEXT:   output wire logic y
// CHECK-NEXT: );
// CHECK-NEXT:   localparam logic [7:0] TABLE = 8'hAC;
// CHECK-NEXT:   assign y = TABLE[x];
// CHECK-NEXT: endmodule
// CHECK-NOT:  module net_lut
// CHECK:      module net (
// CHECK:      logic first;
// CHECK-NEXT: net_lut3_AC first_lut (.x({c, a, b}), .y(first));
// CHECK-NEXT: logic second;
// CHECK-NEXT: net_lut3_AC second_lut (.x({c, b, a}), .y(second));
// CIRCT: hw.module @net_lut3_AC(in %x: i3, out y: i1) attributes {sv.attributes = [#sv.attribute<"keep_hierarchy" = "\22yes\22">]} {
// CIRCT:   hw.array_get {{%.*}}[%x] : !hw.array<8xi1>, i3
// CIRCT: hw.module @net
// CIRCT:   [[INDEX:%.*]] = comb.concat %c, %a, %b : i1, i1, i1
// CIRCT:   %first = hw.instance "first_lut" @net_lut3_AC(x: [[INDEX]]: i3) -> (y: i1)
// VHDL: first <= element("11001010", unsigned'(c & b & a), 1)(0);
hw.module @net(in %a : i1, in %b : i1, in %c : i1, out y : i1, out z : i1) {
  %y = kan.lut %a, %b, %c table 202 : ui8 {sv.namehint = "first"}
  %z = kan.lut %a, %b, %c table 172 : ui8 {sv.namehint = "second"}
  hw.output %y, %z : i1, i1
}
