// RUN: kan-opt %s -p 'kan-map-tables{target=ice40}' | filecheck %s
// RUN: kan-opt %s -p 'kan-map-tables{target=ice40},kan-map-tables{target=ice40}' | filecheck %s
// RUN: kan-opt %s -p kan-map-tables | filecheck %s --check-prefix XCUP

// The parity of five bits takes two lookup tables of four inputs. What only the table read is gone.
// XCUP-NOT: kan.lut
// CHECK-LABEL: hw.module @parity
hw.module @parity(in %x : i5, out y : i1) {
  // CHECK-NOT: hw.bitcast
  // CHECK: comb.extract %x from
  // CHECK: [[PART:%.*]] = kan.lut {{.*}} {sv.namehint = "edge_lut0"}
  // CHECK: [[Y:%.*]] = kan.lut {{.*}}[[PART]]{{.*}} {sv.namehint = "edge"}
  // CHECK-NOT: kan.lut
  // CHECK: hw.output [[Y]] : i1
  // XCUP: hw.array_get
  %bits = hw.constant 2523490710 : i32
  %table = hw.bitcast %bits {sv.namehint = "edge_table"} : (i32) -> !hw.array<32xi1>
  %y = hw.array_get %table[%x] : !hw.array<32xi1>, i5
  hw.output %y : i1
}

// A table that takes a lookup table a bit stays.
// CHECK-LABEL: hw.module @small
hw.module @small(in %x : i4, out y : i2) {
  // CHECK: hw.array_get
  %bits = hw.constant 305419896 : i32
  %table = hw.bitcast %bits : (i32) -> !hw.array<16xi2>
  %y = hw.array_get %table[%x] : !hw.array<16xi2>, i4
  hw.output %y : i2
}

// Tables of the same bits share: the lowest bit of the second one is the first, inverted. An input
// bit and its complement take no lookup table, and neither does a constant.
// CHECK-LABEL: hw.module @shared
hw.module @shared(in %x : i6, out y : i1, out z : i4) {
  // CHECK: [[X0:%.*]] = comb.extract %x from 0 : (i6) -> i1
  // CHECK: kan.lut
  // CHECK: kan.lut
  // CHECK-NOT: kan.lut
  // CHECK: [[OTHER:%.*]] = comb.xor {{.*}} {sv.namehint = "table_bit0"} : i1
  // CHECK: [[X5:%.*]] = comb.extract %x from 5 : (i6) -> i1
  // CHECK: [[NOT:%.*]] = comb.xor [[X0]], {{%.*}} : i1
  // CHECK: [[ZERO:%.*]] = hw.constant false
  // CHECK: comb.concat [[ZERO]], [[NOT]], [[X5]], [[OTHER]] : i1, i1, i1, i1
  %low = comb.extract %x from 0 : (i6) -> i5
  %bits = hw.constant 2523490710 : i32
  %table = hw.bitcast %bits : (i32) -> !hw.array<32xi1>
  %y = hw.array_get %table[%low] : !hw.array<32xi1>, i5
  %words = hw.constant 17735984587689039040087629709353942946080086302726169725787713840453355049989 : i256
  %second = hw.bitcast %words : (i256) -> !hw.array<64xi4>
  %z = hw.array_get %second[%x] : !hw.array<64xi4>, i6
  hw.output %y, %z : i1, i4
}

// Bits that nothing reads take nothing: the table has two more.
// CHECK-LABEL: hw.module @unread
hw.module @unread(in %x : i5, out y : i1) {
  // CHECK: kan.lut
  // CHECK: kan.lut
  // CHECK-NOT: kan.lut
  // CHECK: hw.output
  %words = hw.constant 36201228131440767893337437084 : i96
  %table = hw.bitcast %words : (i96) -> !hw.array<32xi3>
  %z = hw.array_get %table[%x] : !hw.array<32xi3>, i5
  %y = comb.extract %z from 1 : (i3) -> i1
  hw.output %y : i1
}

// A table may read registers, and several values.
// CHECK-LABEL: hw.module @several
hw.module @several(in %clk : !seq.clock, in %a : i3, in %b : i2, out y : i1) {
  // CHECK: [[LATER:%.*]] = seq.compreg {{.*}} : i3
  // CHECK: comb.extract [[LATER]] from 0 : (i3) -> i1
  // CHECK: comb.extract %b from 0 : (i2) -> i1
  // CHECK: kan.lut
  // CHECK: kan.lut
  // CHECK-NOT: kan.lut
  // CHECK: hw.output
  %later = seq.compreg %a, %clk : i3
  %x = comb.concat %b, %later : i2, i3
  %bits = hw.constant 2523490710 : i32
  %table = hw.bitcast %bits : (i32) -> !hw.array<32xi1>
  %y = hw.array_get %table[%x] : !hw.array<32xi1>, i5
  hw.output %y : i1
}

// Lookup tables read the signal of a node, and not what it is made of: proofs know nodes.
// CHECK-LABEL: hw.module @node
hw.module @node(in %a : i3, in %b : i2, out y : i1) {
  // CHECK: [[NODE:%.*]] = comb.concat %b, %a {sv.namehint = "layer0_node0"} : i2, i3
  // CHECK: comb.extract [[NODE]] from 0 : (i5) -> i1
  // CHECK: kan.lut
  // CHECK: hw.output
  %x = comb.concat %b, %a {sv.namehint = "layer0_node0"} : i2, i3
  %bits = hw.constant 2523490710 : i32
  %table = hw.bitcast %bits : (i32) -> !hw.array<32xi1>
  %y = hw.array_get %table[%x] : !hw.array<32xi1>, i5
  hw.output %y : i1
}
