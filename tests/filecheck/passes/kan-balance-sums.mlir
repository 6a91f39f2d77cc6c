// RUN: kan-opt %s -p kan-balance-sums | filecheck %s

// Adders of two, in as few levels as there can be.
// CHECK-LABEL: @tree
func.func @tree(%a: !kan.int<0:1>, %b: !kan.int<0:1>, %c: !kan.int<0:1>, %d: !kan.int<0:1>, %e: !kan.int<0:1>) -> !kan.int<0:5> {
  // CHECK-NEXT: [[AB:%.*]] = kan.sum %a, %b as "s_part0" : {{.*}} -> !kan.int<0:2>
  // CHECK-NEXT: [[CD:%.*]] = kan.sum %c, %d as "s_part1" : {{.*}} -> !kan.int<0:2>
  // CHECK-NEXT: [[P:%.*]] = kan.sum %e, [[AB]] as "s_part2" : {{.*}} -> !kan.int<0:3>
  // CHECK-NEXT: [[S:%.*]] = kan.sum [[P]], [[CD]] as "s" : {{.*}} -> !kan.int<0:5>
  // CHECK-NEXT: func.return [[S]]
  %s = kan.sum %a, %b, %c, %d, %e as "s" : !kan.int<0:1>, !kan.int<0:1>, !kan.int<0:1>, !kan.int<0:1>, !kan.int<0:1> -> !kan.int<0:5>
  func.return %s : !kan.int<0:5>
}

// Narrow values meet first.
// CHECK-LABEL: @narrow_first
func.func @narrow_first(%a: !kan.int<0:255>, %b: !kan.int<0:1>, %c: !kan.int<0:15>, %d: !kan.int<-1:0>) -> !kan.int<-1:271> {
  // CHECK-NEXT: [[BD:%.*]] = kan.sum %b, %d : {{.*}} -> !kan.int<-1:1>
  // CHECK-NEXT: [[CA:%.*]] = kan.sum %c, %a : {{.*}} -> !kan.int<0:270>
  // CHECK-NEXT: kan.sum [[BD]], [[CA]] : {{.*}} -> !kan.int<-1:271>
  %s = kan.sum %a, %b, %c, %d : !kan.int<0:255>, !kan.int<0:1>, !kan.int<0:15>, !kan.int<-1:0> -> !kan.int<-1:271>
  func.return %s : !kan.int<-1:271>
}

// A constant goes into a table that only the sum reads, the one of the widest range.
// CHECK-LABEL: @constant_into_table
func.func @constant_into_table(%x: !kan.int<0:1>, %y: !kan.int<0:1>) -> !kan.int<5:10> {
  // CHECK-NEXT: [[T:%.*]] = kan.table %x as "t" entries dense<[0, 1]>
  // CHECK-NEXT: [[U:%.*]] = kan.table %y as "u" entries dense<[5, 9]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<5:9>
  // CHECK-NEXT: kan.sum [[T]], [[U]] as "s" : {{.*}} -> !kan.int<5:10>
  %t = kan.table %x as "t" entries dense<[0, 1]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:1>
  %u = kan.table %y as "u" entries dense<[0, 4]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:4>
  %c = kan.constant 5 : !kan.int<5:5>
  %s = kan.sum %t, %u, %c as "s" : !kan.int<0:1>, !kan.int<0:4>, !kan.int<5:5> -> !kan.int<5:10>
  func.return %s : !kan.int<5:10>
}

// So a sum may become a table.
// CHECK-LABEL: @sum_into_table
func.func @sum_into_table(%x: !kan.int<0:1>) -> !kan.int<-100:100> {
  // CHECK-NEXT: [[T:%.*]] = kan.table %x as "t" entries dense<[3, 7]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<-100:100>
  // CHECK-NEXT: func.return [[T]]
  %t = kan.table %x as "t" entries dense<[0, 4]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:4>
  %c = kan.constant 5 : !kan.int<5:5>
  %d = kan.constant -2 : !kan.int<-2:-2>
  %s = kan.sum %t, %c, %d as "s" : !kan.int<0:4>, !kan.int<5:5>, !kan.int<-2:-2> -> !kan.int<-100:100>
  func.return %s : !kan.int<-100:100>
}

// Entries that do not matter stay such.
// CHECK-LABEL: @care
func.func @care(%x: !kan.int<0:2>) -> !kan.int<5:6> {
  // CHECK-NEXT: kan.table %x entries dense<[5, 6, 104]> : tensor<3xi8> care dense<[1, 1, 0]> : tensor<3xi8> : !kan.int<0:2> -> !kan.int<5:6>
  %t = kan.table %x entries dense<[0, 1, 99]> : tensor<3xi8> care dense<[1, 1, 0]> : tensor<3xi8> : !kan.int<0:2> -> !kan.int<0:1>
  %c = kan.constant 5 : !kan.int<5:5>
  %s = kan.sum %t, %c : !kan.int<0:1>, !kan.int<5:5> -> !kan.int<5:6>
  func.return %s : !kan.int<5:6>
}

// A table that something else reads too stays as it is, and so does one that the sum reads twice.
// The constant is added last.
// CHECK-LABEL: @shared
func.func @shared(%x: !kan.int<0:1>, %y: !kan.int<0:1>) -> !kan.int<5:11> {
  // CHECK-NEXT: [[T:%.*]] = kan.table %x entries dense<[0, 4]>
  // CHECK-NEXT: kan.mark [[T]]
  // CHECK-NEXT: [[U:%.*]] = kan.table %y entries dense<[0, 1]>
  // CHECK-NEXT: [[C:%.*]] = kan.constant 5
  // CHECK-NEXT: [[UU:%.*]] = kan.sum [[U]], [[U]]
  // CHECK-NEXT: [[TC:%.*]] = kan.sum [[T]], [[C]]
  // CHECK-NEXT: kan.sum [[UU]], [[TC]]
  %t = kan.table %x entries dense<[0, 4]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:4>
  kan.mark %t as "node" offset 0 cycle 0 : !kan.int<0:4>
  %u = kan.table %y entries dense<[0, 1]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:1>
  %c = kan.constant 5 : !kan.int<5:5>
  %s = kan.sum %t, %u, %c, %u : !kan.int<0:4>, !kan.int<0:1>, !kan.int<5:5>, !kan.int<0:1> -> !kan.int<5:11>
  func.return %s : !kan.int<5:11>
}

// Readers rely on the sum's type: it stays, also where it is wider than it must be.
// CHECK-LABEL: @type
func.func @type(%x: !kan.int<0:1>, %y: !kan.int<0:1>) -> !kan.int<0:7> {
  // CHECK: kan.sum {{.*}} as "s" : {{.*}} -> !kan.int<0:7>
  // CHECK-NEXT: kan.table
  %s = kan.sum %x, %x, %y as "s" : !kan.int<0:1>, !kan.int<0:1>, !kan.int<0:1> -> !kan.int<0:7>
  %t = kan.table %s entries dense<[0, 1, 2, 3, 4, 5, 6, 7]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:7>
  func.return %t : !kan.int<0:7>
}
