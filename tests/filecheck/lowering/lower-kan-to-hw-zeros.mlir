// RUN: kan-opt --check-passes %s -p lower-kan-to-hw | filecheck %s

// Bits that are always 0 have no wires: the table's entries are divided by 4, as the name says. The
// lowest bits of what it is added to are those of the sum.
// CHECK-LABEL: hw.module @zeros
// CHECK: [[A:%.*]] = hw.bitcast {{%.*}} {sv.namehint = "t_by4_table"} : (i4) -> !hw.array<2xi2>
// CHECK: [[T:%.*]] = hw.array_get [[A]]
// CHECK: [[LOW:%.*]] = comb.extract %x1 from 0 : (i6) -> i2
// CHECK: [[Y:%.*]] = comb.extract %x1 from 2 : (i6) -> i4
// CHECK: [[SUM:%.*]] = comb.add {{%.*}}, {{%.*}} : i5
// CHECK: comb.concat [[SUM]], [[LOW]] {sv.namehint = "s"} : i5, i2
func.func @zeros(%x: !kan.int<0:1>, %y: !kan.int<0:63>) -> !kan.int<0:75> {
  %t = kan.table %x as "t" entries dense<[4, 12]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<4:12>
  %s = kan.sum %t, %y as "s" : !kan.int<4:12>, !kan.int<0:63> -> !kan.int<0:75>
  func.return %s : !kan.int<0:75>
}

// Of two such tables the sum has as few; where something else reads a value, it has all its bits.
// CHECK-LABEL: hw.module @both
// CHECK: [[S:%.*]] = comb.add {{%.*}}, {{%.*}} {sv.namehint = "s_by4"} : i3
// CHECK: [[W:%.*]] = comb.concat {{%.*}}, [[S]] : i2, i3
// CHECK: comb.add [[W]], {{%.*}} : i5
// CHECK: hw.output {{%.*}}, [[T:%.*]] : i7, i4
func.func @both(%x: !kan.int<0:1>, %y: !kan.int<0:1>, %z: !kan.int<0:63>) -> (!kan.int<0:87>, !kan.int<4:12>) {
  %t = kan.table %x as "t" entries dense<[4, 12]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<4:12>
  %u = kan.table %y as "u" entries dense<[12, 4]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<4:12>
  %s = kan.sum %t, %u as "s" : !kan.int<4:12>, !kan.int<4:12> -> !kan.int<8:24>
  %w = kan.sum %s, %z as "w" : !kan.int<8:24>, !kan.int<0:63> -> !kan.int<0:87>
  func.return %w, %t : !kan.int<0:87>, !kan.int<4:12>
}

// A sum of constants whose bits do not meet may have fewer bits than either: it is added.
// CHECK-LABEL: hw.module @constants
func.func @constants(%x: !kan.int<0:3>) -> (!kan.int<-1:-1>, !kan.int<0:3>) {
  // CHECK: comb.add {{.*}} : i1
  %c = kan.constant -4 : !kan.int<-4:-4>
  %d = kan.constant 3 : !kan.int<3:3>
  %s = kan.sum %c, %d : !kan.int<-4:-4>, !kan.int<3:3> -> !kan.int<-1:-1>
  func.return %s, %x : !kan.int<-1:-1>, !kan.int<0:3>
}

// A term that is always 0 has no wire beside the other one: `p` lacks its lowest bit, and with it
// all bits of `z`.
// CHECK-LABEL: hw.module @nothing_below
func.func @nothing_below(%x: !kan.int<0:3>, %y: !kan.int<0:6>) -> !kan.int<0:12> {
  %c = kan.table %x entries dense<[12, 12, 12, 12]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<12:12>
  %d = kan.table %x entries dense<[-12, -12, -12, -12]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<-12:-12>
  %z = kan.sum %c, %d as "z" : !kan.int<12:12>, !kan.int<-12:-12> -> !kan.int<0:0>
  %t = kan.table %x entries dense<[0, 2, 4, 6]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:6>
  %u = kan.table %y entries dense<[0, 2, 4, 6, 4, 2, 0]> : tensor<7xi8> : !kan.int<0:6> -> !kan.int<0:6>
  // CHECK: comb.concat {{.*}} {sv.namehint = "p_by2"} : i2
  // CHECK: comb.add
  %p = kan.sum %z, %t as "p" : !kan.int<0:0>, !kan.int<0:6> -> !kan.int<0:6>
  %q = kan.sum %p, %u as "q" : !kan.int<0:6>, !kan.int<0:6> -> !kan.int<0:12>
  func.return %q : !kan.int<0:12>
}
