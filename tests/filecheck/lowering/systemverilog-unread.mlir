// RUN: kan-opt %s -t systemverilog | filecheck %s

// Linters warn of bits that nothing reads. One wire reads them, called so that linters know.
// CHECK-LABEL: module unread (
// CHECK: assign y = {x1[6], x1[2:1]};
// CHECK-EMPTY:
// CHECK-NEXT: // Bits that nothing else reads. They take no hardware.
// CHECK-NEXT: wire logic [9:0] unused_bits = {x0, x1[7], x1[5:3], x1[0], mark};
// CHECK-NEXT: endmodule
hw.module @unread(in %x0 : i4, in %x1 : i8, out y : i3) {
  %high = comb.extract %x1 from 6 : (i8) -> i1
  %low = comb.extract %x1 from 1 : (i8) -> i2
  %y = comb.concat %high, %low : i1, i2
  %mark = comb.xor %high, %high {sv.namehint = "mark"} : i1
  hw.output %y : i3
}

// A table whose bits are bits of its index reads these alone, also where the index is a slice.
// CHECK-LABEL: module tables (
// CHECK: assign z = entry_2;
// CHECK: wire logic [6:0] unused_bits = {x0[2:1], x1[5:3], x1[1:0]};
hw.module @tables(in %x0 : i3, in %x1 : i6, out y : i2, out z : i2) {
  %t = hw.constant 0x9999 : i16
  %a = hw.bitcast %t : (i16) -> !hw.array<8xi2>
  %y = hw.array_get %a[%x0] : !hw.array<8xi2>, i3
  %slice = comb.extract %x1 from 2 : (i6) -> i3
  %z = hw.array_get %a[%slice] : !hw.array<8xi2>, i3
  hw.output %y, %z : i2, i2
}

// Where everything is read, there is no such wire; a name that is taken is not taken again.
// CHECK-LABEL: module read (
// CHECK-NOT: unused_bits
// CHECK-LABEL: module taken (
// CHECK: wire logic [3:0] unused_bits_1 = x0;
hw.module @read(in %x0 : i4, out y : i4) {
  hw.output %x0 : i4
}
hw.module @taken(in %x0 : i4, in %unused_bits : i1, out y : i1) {
  hw.output %unused_bits : i1
}
