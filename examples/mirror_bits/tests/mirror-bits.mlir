// RUN: kan-opt --check-passes %s -p mirror-even-tables | filecheck %s
// RUN: kan-opt --check-passes %s -p mirror-even-tables,kan-narrow,lower-kan-to-hw | filecheck %s --check-prefix HW

// Both tables of %x are even, and read one folded code. That of %y is not.
// CHECK-LABEL: @net
// CHECK-NEXT: %[[F:.*]] = mirror_bits.fold %x to 3 : !kan.int<-8:7> -> !kan.int<0:7>
// CHECK-NEXT: kan.table %[[F]] as "t" entries dense<[5, 3, 8, 2, 9, 0, 4, 7]>
// CHECK-NEXT: kan.table %[[F]] as "u" entries dense<[1, 7, 2, 6, 3, 0, 9, 4]>
// CHECK-NEXT: kan.table %y as "v"

// HW: hw.module @net
// HW: %[[SIGN:.*]] = comb.extract %x0 from 3 : (i4) -> i1
// HW: %[[MASK:.*]] = comb.replicate %[[SIGN]] : (i1) -> i3
// HW: comb.xor %{{.*}}, %[[MASK]] : i3
func.func @net(%x: !kan.int<-8:7>, %y: !kan.int<0:7>) -> (!kan.int<0:9>, !kan.int<0:18>) {
  %t = kan.table %x as "t" entries dense<[7, 4, 0, 9, 2, 8, 3, 5, 5, 3, 8, 2, 9, 0, 4, 7]> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<0:9>
  %u = kan.table %x as "u" entries dense<[4, 9, 0, 3, 6, 2, 7, 1, 1, 7, 2, 6, 3, 0, 9, 4]> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<0:9>
  %v = kan.table %y as "v" entries dense<[4, 9, 0, 3, 6, 2, 7, 1]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:9>
  %s = kan.sum %u, %v as "s" : !kan.int<0:9>, !kan.int<0:9> -> !kan.int<0:18>
  func.return %t, %s : !kan.int<0:9>, !kan.int<0:18>
}
