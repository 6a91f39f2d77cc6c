// RUN: kan-opt %s -t systemverilog | filecheck %s
// RUN: kan-opt %s -t circt | filecheck %s --check-prefix CIRCT

// CHECK-LABEL: module leaf (
hw.module @leaf(in %clk: !seq.clock, in %reg: i4, out valid: i1, out y: i4) {
  %true = hw.constant true
  %q = seq.compreg %reg, %clk : i4
  hw.output %true, %q : i1, i4
}

// Ports are connected by name. Outputs are declared before; their names are those of instance and
// port. Inputs may be expressions; an instance whose outputs are not read stays.
// CHECK-LABEL: module top (
// CHECK:      logic first_valid;
// CHECK-NEXT: logic [3:0] first_y;
// CHECK-NEXT: leaf first (
// CHECK-NEXT:   .clk(clk),
// CHECK-NEXT:   .reg_(a[7:4]),
// CHECK-NEXT:   .valid(first_valid),
// CHECK-NEXT:   .y(first_y)
// CHECK-NEXT: );
// CHECK:      leaf leaf_1 (
// CHECK-NEXT:   .clk(clk),
// CHECK-NEXT:   .reg_(first_y + 4'd1),
// CHECK:      assign y = first_y;
// CHECK:      wire logic [9:0] unused_bits = {a[3:0], first_valid, leaf_valid, leaf_y};
// CIRCT: %{{.*}}, %{{.*}} = hw.instance "first" @leaf(clk: %clk: !seq.clock, reg: %{{.*}}: i4) -> (valid: i1, y: i4)
hw.module @top(in %clk: !seq.clock, in %a: i8, in %leaf: i1, out y: i4, out l: i1) {
  %high = comb.extract %a from 4 : (i8) -> i4
  %valid, %y = hw.instance "first" @leaf(clk: %clk: !seq.clock, reg: %high: i4) -> (valid: i1, y: i4)
  %one = hw.constant 1 : i4
  %more = comb.add %y, %one : i4
  %v, %z = hw.instance "leaf" @leaf(clk: %clk: !seq.clock, reg: %more: i4) -> (valid: i1, y: i4)
  hw.output %y, %leaf : i4, i1
}
