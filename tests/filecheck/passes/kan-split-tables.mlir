// RUN: kan-opt --check-passes %s -p kan-split-tables | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-split-tables{parts=1}' | filecheck %s --check-prefix ONE
// RUN: not kan-opt %s -p 'kan-split-tables{parts=0}' 2>&1 | filecheck %s --check-prefix PARTS
// PARTS: parts must lie in 1..64, got 0
// RUN: not kan-opt %s -p 'kan-split-tables{target=abacus}' 2>&1 | filecheck %s --check-prefix TARGET
// TARGET: there is no target 'abacus'

// A table whose neighbours differ little is a table of the upper bits, and one of few bits.
// CHECK-LABEL: @smooth
// CHECK-NEXT: [[UPPER:%.*]] = kan.bits %x from 4 : !kan.int<0:63> -> !kan.int<0:3>
// CHECK-NEXT: [[HIGH:%.*]] = kan.table [[UPPER]] as "t_part0" {{.*}} : !kan.int<0:3> -> !kan.int<0:8>
// CHECK-NEXT: [[LOW:%.*]] = kan.table %x as "t_part1" {{.*}} : !kan.int<0:63> -> !kan.int<0:15>
// CHECK: kan.sum [[HIGH]], [[LOW]], %y{{.*}} as "s" : {{.*}} -> !kan.int<0:24>
// ONE-LABEL: @smooth
// ONE-NEXT: [[T:%.*]] = kan.table %x as "t"
// ONE: kan.sum [[T]], %y{{.*}} as "s"
func.func @smooth(%x: !kan.int<0:63>, %y: !kan.int<0:2>) -> !kan.int<0:24> {
  %t = kan.table %x as "t" entries dense<[7, 8, 9, 10, 11, 12, 13, 14, 14, 15, 16, 16, 17, 18, 18, 19, 19, 20, 20, 20, 21, 21, 21, 21, 22, 22, 22, 22, 22, 22, 22, 21, 21, 21, 21, 20, 20, 20, 19, 19, 18, 18, 17, 17, 16, 15, 15, 14, 13, 13, 12, 11, 10, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]> : tensor<64xi8> : !kan.int<0:63> -> !kan.int<0:22>
  %s = kan.sum %t, %y as "s" : !kan.int<0:22>, !kan.int<0:2> -> !kan.int<0:24>
  func.return %s : !kan.int<0:24>
}

// Of more inputs than a LUT has, what neighbours differ by is a class, a table of the upper bits too,
// and the last bit lets it through.
// CHECK-LABEL: @gated
// CHECK: [[UPPER:%.*]] = kan.bits %x from 1 : !kan.int<-64:63> -> !kan.int<0:63>
// CHECK-NEXT: [[HIGH:%.*]] = kan.table [[UPPER]] as "t_part0" {{.*}} : !kan.int<0:63> -> !kan.int<0:60>
// CHECK-NEXT: [[MIDDLE:%.*]] = kan.table [[UPPER]] as "t_part1" {{.*}} : !kan.int<0:63> -> !kan.int<0:2>
// CHECK-NEXT: [[LOWEST:%.*]] = kan.table [[UPPER]] as "t_part2" {{.*}} : !kan.int<0:63> -> !kan.int<0:1>
// CHECK-NEXT: [[LAST:%.*]] = kan.bits %x from 0 : !kan.int<-64:63> -> !kan.int<0:1>
// CHECK-NEXT: [[CLASS:%.*]] = kan.table [[UPPER]] as "t_part3_class" {{.*}} : !kan.int<0:63> -> !kan.int<0:7>
// CHECK-NEXT: [[GATED:%.*]] = kan.table [[LAST]], [[CLASS]] as "t_part3" entries dense<"0x00000000000102030001020300000000"> : tensor<2x8xi8>
// CHECK: kan.sum [[HIGH]], [[MIDDLE]], [[LOWEST]], [[GATED]], %y as "s" : {{.*}} -> !kan.int<0:65>
func.func @gated(%x: !kan.int<-64:63>, %y: !kan.int<0:2>) -> !kan.int<0:65> {
  %t = kan.table %x as "t" entries dense<[0, 1, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18, 19, 20, 22, 23, 24, 26, 27, 28, 29, 31, 32, 33, 34, 35, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 51, 52, 53, 54, 54, 55, 56, 56, 57, 57, 58, 58, 59, 59, 60, 60, 61, 61, 62, 62, 63, 62, 60, 61, 59, 60, 58, 57, 57, 55, 56, 54, 55, 53, 52, 52, 50, 51, 48, 48, 46, 47, 44, 44, 42, 43, 40, 40, 38, 39, 36, 36, 34, 35, 32, 32, 30, 31, 28, 28, 26, 27, 24, 24, 22, 23, 20, 20, 18, 19, 16, 16, 14, 15, 12, 12, 10, 11, 8, 8, 6, 7, 4, 4, 2]> : tensor<128xi8> : !kan.int<-64:63> -> !kan.int<0:63>
  %s = kan.sum %t, %y as "s" : !kan.int<0:63>, !kan.int<0:2> -> !kan.int<0:65>
  func.return %s : !kan.int<0:65>
}

// Where nothing but tables is added up, the one stays whole that is cheapest so: it has no adder.
// CHECK-LABEL: @first
// CHECK: kan.table %x as "t" {{.*}} : !kan.int<0:63> -> !kan.int<{{[0-9]+}}:{{[0-9]+}}>
// CHECK: kan.table {{%.*}} as "u_part0"
// CHECK-NEXT: kan.table %y as "u_part1" {{.*}} -> !kan.int<0:15>
func.func @first(%x: !kan.int<0:63>, %y: !kan.int<0:63>) -> !kan.int<0:44> {
  %t = kan.table %x as "t" entries dense<[7, 8, 9, 10, 11, 12, 13, 14, 14, 15, 16, 16, 17, 18, 18, 19, 19, 20, 20, 20, 21, 21, 21, 21, 22, 22, 22, 22, 22, 22, 22, 21, 21, 21, 21, 20, 20, 20, 19, 19, 18, 18, 17, 17, 16, 15, 15, 14, 13, 13, 12, 11, 10, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]> : tensor<64xi8> : !kan.int<0:63> -> !kan.int<0:22>
  %u = kan.table %y as "u" entries dense<[7, 8, 9, 10, 11, 12, 13, 14, 14, 15, 16, 16, 17, 18, 18, 19, 19, 20, 20, 20, 21, 21, 21, 21, 22, 22, 22, 22, 22, 22, 22, 21, 21, 21, 21, 20, 20, 20, 19, 19, 18, 18, 17, 17, 16, 15, 15, 14, 13, 13, 12, 11, 10, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]> : tensor<64xi8> : !kan.int<0:63> -> !kan.int<0:22>
  %s = kan.sum %t, %u as "s" : !kan.int<0:22>, !kan.int<0:22> -> !kan.int<0:44>
  func.return %s : !kan.int<0:44>
}

// The lowest bits of tables come in below adders that have no other bit there.
// CHECK-LABEL: @lowest
// CHECK: kan.table %y as "u_part0" {{.*}} -> !kan.int<0:62>
// CHECK-NEXT: kan.table %y as "u_part1" {{.*}} -> !kan.int<0:1>
func.func @lowest(%x: !kan.int<0:63>, %y: !kan.int<0:63>) -> !kan.int<0:126> {
  %t = kan.table %x as "t" entries dense<[18, 61, 54, 59, 20, 12, 46, 38, 28, 39, 55, 31, 8, 48, 16, 9, 51, 5, 52, 40, 21, 37, 45, 27, 14, 35, 19, 4, 2, 25, 63, 57, 42, 11, 17, 26, 13, 0, 43, 36, 6, 34, 24, 60, 30, 23, 7, 10, 3, 56, 15, 49, 29, 58, 1, 33, 41, 62, 53, 44, 50, 22, 47, 32]> : tensor<64xi8> : !kan.int<0:63> -> !kan.int<0:63>
  %u = kan.table %y as "u" entries dense<[18, 61, 54, 59, 20, 12, 46, 38, 28, 39, 55, 31, 8, 48, 16, 9, 51, 5, 52, 40, 21, 37, 45, 27, 14, 35, 19, 4, 2, 25, 63, 57, 42, 11, 17, 26, 13, 0, 43, 36, 6, 34, 24, 60, 30, 23, 7, 10, 3, 56, 15, 49, 29, 58, 1, 33, 41, 62, 53, 44, 50, 22, 47, 32]> : tensor<64xi8> : !kan.int<0:63> -> !kan.int<0:63>
  %s = kan.sum %t, %u as "s" : !kan.int<0:63>, !kan.int<0:63> -> !kan.int<0:126>
  func.return %s : !kan.int<0:126>
}

// A table without neighbours that are alike stays.
// CHECK-LABEL: @rough
// CHECK-NEXT: [[T:%.*]] = kan.table %x as "t"
// CHECK-NEXT: kan.sum [[T]], %y as "s"
func.func @rough(%x: !kan.int<0:7>, %y: !kan.int<0:1>) -> !kan.int<0:8> {
  %t = kan.table %x as "t" entries dense<[0, 7, 1, 6, 2, 5, 3, 4]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:7>
  %s = kan.sum %t, %y as "s" : !kan.int<0:7>, !kan.int<0:1> -> !kan.int<0:8>
  func.return %s : !kan.int<0:8>
}

// So does one that something else reads, one of several inputs, and one that no sum reads.
// CHECK-LABEL: @kept
// CHECK-NEXT: [[T:%.*]] = kan.table %x as "t"
// CHECK-NEXT: [[U:%.*]] = kan.table %y, %z as "u"
// CHECK-NEXT: [[V:%.*]] = kan.table %x as "v"
// CHECK-NEXT: [[S:%.*]] = kan.sum [[T]], [[U]] as "s"
// CHECK-NEXT: return [[S]], [[T]], [[V]]
func.func @kept(%x: !kan.int<0:15>, %y: !kan.int<0:1>, %z: !kan.int<0:1>) -> (!kan.int<0:10>, !kan.int<0:7>, !kan.int<0:7>) {
  %t = kan.table %x as "t" entries dense<[0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 7]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:7>
  %u = kan.table %y, %z as "u" entries dense<[[0, 1], [2, 3]]> : tensor<2x2xi8> : !kan.int<0:1>, !kan.int<0:1> -> !kan.int<0:3>
  %v = kan.table %x as "v" entries dense<[0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 7]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:7>
  %s = kan.sum %t, %u as "s" : !kan.int<0:7>, !kan.int<0:3> -> !kan.int<0:10>
  func.return %s, %t, %v : !kan.int<0:10>, !kan.int<0:7>, !kan.int<0:7>
}

// Constants are added up, also where nothing else is left.
// CHECK-LABEL: @constants
// CHECK-NEXT: [[C:%.*]] = kan.constant 0
// CHECK-NEXT: return [[C]]
func.func @constants() -> !kan.int<0:0> {
  %a = kan.constant 3 : !kan.int<3:3>
  %b = kan.constant -3 : !kan.int<-3:-3>
  %s = kan.sum %a, %b : !kan.int<3:3>, !kan.int<-3:-3> -> !kan.int<0:0>
  func.return %s : !kan.int<0:0>
}
