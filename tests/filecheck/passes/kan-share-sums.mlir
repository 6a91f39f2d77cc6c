// RUN: kan-opt --check-passes %s -p 'kan-share-sums{target=gowin}' | filecheck %s
// RUN: kan-opt --check-passes %s -p kan-share-sums | filecheck %s --check-prefix XCUP
// RUN: not kan-opt %s -p 'kan-share-sums{target=abacus}' 2>&1 | filecheck %s --check-prefix TARGET
// TARGET: there is no target 'abacus'

// %t1 and %u1 are %t and %u, but for one entry each, which is 1 less. So the second node adds the
// first node's sum %t + %u, tables of one bit, and -1 - 1.
// CHECK-LABEL: @alike
func.func @alike(%x: !kan.int<0:3>, %y: !kan.int<0:3>, %v: !kan.int<0:7>, %w: !kan.int<0:7>) -> (!kan.int<0:33>, !kan.int<0:32>) {
  // CHECK: [[S:%.*]] = kan.sum %t, %u as "s_common" : !kan.int<0:12>, !kan.int<0:14> -> !kan.int<0:26>
  // CHECK-NEXT: kan.sum [[S]], %v as "s"
  // CHECK-NEXT: [[T:%.*]] = kan.table %x as "t1_differs" entries dense<[1, 1, 0, 1]>
  // CHECK-NEXT: [[U:%.*]] = kan.table %y as "u1_differs" entries dense<[1, 0, 1, 1]>
  // CHECK-NEXT: [[K:%.*]] = kan.constant -2
  // CHECK-NEXT: kan.sum [[S]], %w, [[T]], [[U]], [[K]] as "r"
  // LUTs of this device have room for such small tables in their adders: nothing is shared.
  // XCUP-LABEL: @alike
  // XCUP-NOT: common
  // XCUP: func.return
  %t = kan.table %x as "t" entries dense<[0, 12, 8, 10]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:12>
  %u = kan.table %y as "u" entries dense<[0, 14, 7, 1]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:14>
  %t1 = kan.table %x as "t1" entries dense<[0, 12, 7, 10]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:12>
  %u1 = kan.table %y as "u1" entries dense<[0, 13, 7, 1]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:13>
  %s = kan.sum %t, %u, %v as "s" : !kan.int<0:12>, !kan.int<0:14>, !kan.int<0:7> -> !kan.int<0:33>
  %r = kan.sum %t1, %u1, %w as "r" : !kan.int<0:12>, !kan.int<0:13>, !kan.int<0:7> -> !kan.int<0:32>
  func.return %s, %r : !kan.int<0:33>, !kan.int<0:32>
}

// Tables that differ by a constant leave a constant: 3 + 5.
// CHECK-LABEL: @offset
func.func @offset(%x: !kan.int<0:3>, %y: !kan.int<0:3>, %v: !kan.int<0:7>, %w: !kan.int<0:7>) -> (!kan.int<0:32>, !kan.int<8:40>) {
  // CHECK: [[S:%.*]] = kan.sum %t, %u as "s_common"
  // CHECK-NEXT: kan.sum [[S]], %v as "s"
  // CHECK-NEXT: [[K:%.*]] = kan.constant 8
  // CHECK-NEXT: kan.sum [[S]], %w, [[K]] as "r"
  %t = kan.table %x as "t" entries dense<[0, 12, 7, 10]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:12>
  %u = kan.table %y as "u" entries dense<[0, 13, 7, 1]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:13>
  %t1 = kan.table %x as "t1" entries dense<[3, 15, 10, 13]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<3:15>
  %u1 = kan.table %y as "u1" entries dense<[5, 18, 12, 6]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<5:18>
  %s = kan.sum %t, %u, %v as "s" : !kan.int<0:12>, !kan.int<0:13>, !kan.int<0:7> -> !kan.int<0:32>
  %r = kan.sum %t1, %u1, %w as "r" : !kan.int<3:15>, !kan.int<5:18>, !kan.int<0:7> -> !kan.int<8:40>
  func.return %s, %r : !kan.int<0:32>, !kan.int<8:40>
}

// %t1 = 12 - %t and %u1 = 13 - %u: the second node adds the complement 31 - S of the sum's 5 bits, and
// 12 + 13 - 31.
// CHECK-LABEL: @opposite
func.func @opposite(%x: !kan.int<0:3>, %y: !kan.int<0:3>, %v: !kan.int<0:7>, %w: !kan.int<0:7>) -> (!kan.int<0:32>, !kan.int<0:32>) {
  // CHECK: [[S:%.*]] = kan.sum %t, %u as "s_common" : {{.*}} -> !kan.int<0:25>
  // CHECK-NEXT: kan.sum [[S]], %v as "s"
  // CHECK-NEXT: [[C:%.*]] = kan.table [[S]] as "r_inverted" entries {{.*}} -> !kan.int<6:31>
  // CHECK-NEXT: [[K:%.*]] = kan.constant -6
  // CHECK-NEXT: kan.sum [[C]], %w, [[K]] as "r"
  %t = kan.table %x as "t" entries dense<[0, 12, 7, 10]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:12>
  %u = kan.table %y as "u" entries dense<[0, 13, 7, 1]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:13>
  %t1 = kan.table %x as "t1" entries dense<[12, 0, 5, 2]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:12>
  %u1 = kan.table %y as "u1" entries dense<[13, 0, 6, 12]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:13>
  %s = kan.sum %t, %u, %v as "s" : !kan.int<0:12>, !kan.int<0:13>, !kan.int<0:7> -> !kan.int<0:32>
  %r = kan.sum %t1, %u1, %w as "r" : !kan.int<0:12>, !kan.int<0:13>, !kan.int<0:7> -> !kan.int<0:32>
  func.return %s, %r : !kan.int<0:32>, !kan.int<0:32>
}

// Nodes stay as they are where only one table is alike, and where something else reads a table.
// CHECK-LABEL: @unlike
// CHECK-NOT: common
// CHECK: func.return
func.func @unlike(%x: !kan.int<0:3>, %y: !kan.int<0:3>) -> (!kan.int<0:25>, !kan.int<0:24>) {
  %t = kan.table %x as "t" entries dense<[0, 12, 7, 10]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:12>
  %u = kan.table %y as "u" entries dense<[0, 13, 7, 1]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:13>
  %t1 = kan.table %x as "t1" entries dense<[0, 12, 8, 10]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:12>
  %u1 = kan.table %y as "u1" entries dense<[7, 9, 0, 12]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:12>
  %s = kan.sum %t, %u as "s" : !kan.int<0:12>, !kan.int<0:13> -> !kan.int<0:25>
  %r = kan.sum %t1, %u1 as "r" : !kan.int<0:12>, !kan.int<0:12> -> !kan.int<0:24>
  func.return %s, %r : !kan.int<0:25>, !kan.int<0:24>
}

// CHECK-LABEL: @read_elsewhere
// CHECK-NOT: common
// CHECK: func.return
func.func @read_elsewhere(%x: !kan.int<0:3>, %y: !kan.int<0:3>) -> (!kan.int<0:25>, !kan.int<0:25>, !kan.int<0:12>) {
  %t = kan.table %x as "t" entries dense<[0, 12, 7, 10]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:12>
  %u = kan.table %y as "u" entries dense<[0, 13, 7, 1]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:13>
  %t1 = kan.table %x as "t1" entries dense<[0, 12, 7, 10]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:12>
  %u1 = kan.table %y as "u1" entries dense<[0, 13, 7, 1]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:13>
  %s = kan.sum %t, %u as "s" : !kan.int<0:12>, !kan.int<0:13> -> !kan.int<0:25>
  %r = kan.sum %t1, %u1 as "r" : !kan.int<0:12>, !kan.int<0:13> -> !kan.int<0:25>
  func.return %s, %r, %t : !kan.int<0:25>, !kan.int<0:25>, !kan.int<0:12>
}
