// RUN: kan-opt --check-passes %s -p kan-fold-clamps | filecheck %s
// RUN: not kan-opt %s -p 'kan-fold-clamps{target=abacus}' 2>&1 | filecheck %s --check-prefix TARGET
// TARGET: kan-opt: error: pass kan-fold-clamps: there is no target 'abacus'; take one of xcup, ecp5

// Tables saturate: they get an entry for every value of the sum, which loses its constant and takes
// the node's name. The mark says how the node's code follows: s - 1, saturated to 2:5.
// CHECK-LABEL: @tables_saturate
func.func @tables_saturate(%x: !kan.int<0:3>, %y: !kan.int<0:3>) -> (!kan.int<0:9>, !kan.int<0:1>) {
  // CHECK-NEXT: [[S:%.*]] = kan.sum %x, %y as "c" : !kan.int<0:3>, !kan.int<0:3> -> !kan.int<0:6>
  // CHECK-NEXT: kan.mark [[S]] as "node" offset -1 cycle 0 within <2:5> : !kan.int<0:6>
  // CHECK-NEXT: kan.table [[S]] as "t" entries dense<[7, 7, 7, 7, 9, 5, 3]> : tensor<7xi8> : !kan.int<0:6> -> !kan.int<0:9>
  // CHECK-NEXT: kan.table [[S]] as "u" entries dense<[0, 0, 0, 0, 1, 0, 1]> : tensor<7xi8> : !kan.int<0:6> -> !kan.int<0:1>
  %k = kan.constant -3 : !kan.int<-3:-3>
  %s = kan.sum %x, %y, %k : !kan.int<0:3>, !kan.int<0:3>, !kan.int<-3:-3> -> !kan.int<-3:3>
  %c = kan.clamp %s as "c" : !kan.int<-3:3> -> !kan.int<0:3>
  kan.mark %c as "node" offset 2 cycle 0 : !kan.int<0:3>
  %t = kan.table %c as "t" entries dense<[7, 9, 5, 3]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:9>
  %u = kan.table %c as "u" entries dense<[0, 1, 0, 1]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:1>
  func.return %t, %u : !kan.int<0:9>, !kan.int<0:1>
}

// A sum of one value and a constant is that value. Another reader keeps the sum as it is.
// CHECK-LABEL: @one_value
func.func @one_value(%x: !kan.int<0:3>) -> (!kan.int<0:1>, !kan.int<0:1>, !kan.int<-1:2>) {
  // CHECK-NEXT: kan.table %x entries dense<[0, 0, 1, 0]>
  // CHECK-NEXT: kan.constant -1
  // CHECK-NEXT: [[R:%.*]] = kan.sum
  // CHECK-NEXT: kan.table [[R]] entries dense<[0, 0, 1, 0]>
  %k = kan.constant -1 : !kan.int<-1:-1>
  %s = kan.sum %x, %k : !kan.int<0:3>, !kan.int<-1:-1> -> !kan.int<-1:2>
  %c = kan.clamp %s : !kan.int<-1:2> -> !kan.int<0:2>
  %t = kan.table %c entries dense<[0, 1, 0]> : tensor<3xi8> : !kan.int<0:2> -> !kan.int<0:1>
  %j = kan.constant -1 : !kan.int<-1:-1>
  %r = kan.sum %x, %j : !kan.int<0:3>, !kan.int<-1:-1> -> !kan.int<-1:2>
  %d = kan.clamp %r : !kan.int<-1:2> -> !kan.int<0:2>
  %u = kan.table %d entries dense<[0, 1, 0]> : tensor<3xi8> : !kan.int<0:2> -> !kan.int<0:1>
  func.return %t, %u, %r : !kan.int<0:1>, !kan.int<0:1>, !kan.int<-1:2>
}

// A node that reads few bits and gives one is a table of them: saturate(x + 2y - 3) to -1:0. It reads
// 0:1 and 0:3, and the entries are in the order of x, y.
// CHECK-LABEL: @node_is_a_table
func.func @node_is_a_table(%x: !kan.int<0:1>, %y: !kan.int<0:3>) -> (!kan.int<0:7>, !kan.int<-1:0>) {
  // CHECK-NEXT: [[C:%.*]] = kan.table %x, %y as "c" entries dense<{{\[\[}}-1, -1, 0, 0], [-1, 0, 0, 0]]> : tensor<2x4xi8> : !kan.int<0:1>, !kan.int<0:3> -> !kan.int<-1:0>
  // CHECK-NEXT: kan.mark [[C]] as "node" offset 0 cycle 0 : !kan.int<-1:0>
  // CHECK-NEXT: [[T:%.*]] = kan.table [[C]] as "t" entries dense<[2, 7]>
  // CHECK-NEXT: func.return [[T]], [[C]]
  %a = kan.table %x as "a" entries dense<[0, 1]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:1>
  %b = kan.table %y as "b" entries dense<[0, 2, 4, 6]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:6>
  %k = kan.constant -3 : !kan.int<-3:-3>
  %s = kan.sum %a, %b, %k as "s" : !kan.int<0:1>, !kan.int<0:6>, !kan.int<-3:-3> -> !kan.int<-3:4>
  %c = kan.clamp %s as "c" : !kan.int<-3:4> -> !kan.int<-1:0>
  kan.mark %c as "node" offset 0 cycle 0 : !kan.int<-1:0>
  %t = kan.table %c as "t" entries dense<[2, 7]> : tensor<2xi8> : !kan.int<-1:0> -> !kan.int<0:7>
  func.return %t, %c : !kan.int<0:7>, !kan.int<-1:0>
}

// Tables and sums stay where something else reads them, where not only tables are summed, and where
// the one table has so many inputs that it takes more.
// CHECK-LABEL: @nodes_stay
func.func @nodes_stay(%x: !kan.int<0:15>, %y: !kan.int<0:15>) -> (!kan.int<-1:6>, !kan.int<-1:6>, !kan.int<-1:6>, !kan.int<0:30>) {
  // CHECK: kan.clamp {{%.*}} as "read"
  // CHECK: kan.clamp {{%.*}} as "not_a_table"
  // CHECK: kan.clamp {{%.*}} as "wide"
  %a = kan.table %x as "a" entries dense<[0, 2, 4, 6, 8, 10, 12, 14, 15, 15, 15, 14, 13, 11, 10, 9]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:15>
  %b = kan.table %y as "b" entries dense<[1, 2, 3, 5, 8, 13, 5, 14, 15, 15, 15, 0, 13, 11, 10, 9]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:15>
  %d = kan.table %y as "d" entries dense<[9, 2, 3, 5, 8, 13, 5, 14, 15, 15, 15, 0, 13, 11, 10, 1]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:15>
  %e = kan.table %x as "e" entries dense<[1, 2, 4, 6, 8, 10, 12, 14, 15, 15, 15, 14, 13, 11, 10, 0]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:15>
  %s = kan.sum %a, %b : !kan.int<0:15>, !kan.int<0:15> -> !kan.int<0:30>
  %r = kan.clamp %s as "read" : !kan.int<0:30> -> !kan.int<-1:6>
  %u = kan.sum %d, %x : !kan.int<0:15>, !kan.int<0:15> -> !kan.int<0:30>
  %n = kan.clamp %u as "not_a_table" : !kan.int<0:30> -> !kan.int<-1:6>
  %v = kan.sum %e, %d : !kan.int<0:15>, !kan.int<0:15> -> !kan.int<0:30>
  %w = kan.clamp %v as "wide" : !kan.int<0:30> -> !kan.int<-1:6>
  func.return %r, %n, %w, %s : !kan.int<-1:6>, !kan.int<-1:6>, !kan.int<-1:6>, !kan.int<0:30>
}

// A clamp stays where its input has more bits than a lookup table, and where not only tables read it.
// CHECK-LABEL: @clamps_stay
func.func @clamps_stay(%x: !kan.int<0:64>, %y: !kan.int<0:15>) -> (!kan.int<0:1>, !kan.int<0:1>, !kan.int<8:11>) {
  // CHECK-NEXT: [[C:%.*]] = kan.clamp %x as "c" : !kan.int<0:64> -> !kan.int<8:11>
  // CHECK-NEXT: kan.table [[C]] as "t" entries dense<[0, 1, 0, 0]> : tensor<4xi8>
  // CHECK-NEXT: [[D:%.*]] = kan.clamp %y as "d" : !kan.int<0:15> -> !kan.int<8:11>
  // CHECK-NEXT: kan.table [[D]] as "u" entries dense<[0, 1, 0, 0]> : tensor<4xi8>
  %c = kan.clamp %x as "c" : !kan.int<0:64> -> !kan.int<8:11>
  %t = kan.table %c as "t" entries dense<[0, 1, 0, 0]> : tensor<4xi8> : !kan.int<8:11> -> !kan.int<0:1>
  %d = kan.clamp %y as "d" : !kan.int<0:15> -> !kan.int<8:11>
  %u = kan.table %d as "u" entries dense<[0, 1, 0, 0]> : tensor<4xi8> : !kan.int<8:11> -> !kan.int<0:1>
  func.return %t, %u, %d : !kan.int<0:1>, !kan.int<0:1>, !kan.int<8:11>
}

// One clamp is cheaper than many tables of six inputs instead of three.
// CHECK-LABEL: @cheap_clamp
func.func @cheap_clamp(%x: !kan.int<0:63>) -> (!kan.int<0:3>, !kan.int<0:3>, !kan.int<0:3>, !kan.int<0:3>) {
  // CHECK-NEXT: [[C:%.*]] = kan.clamp %x as "c" : !kan.int<0:63> -> !kan.int<0:7>
  // CHECK-NEXT: kan.table [[C]]
  %c = kan.clamp %x as "c" : !kan.int<0:63> -> !kan.int<0:7>
  %t = kan.table %c as "t" entries dense<[0, 2, 3, 1, 0, 1, 2, 3]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:3>
  %u = kan.table %c as "u" entries dense<[1, 2, 2, 1, 0, 3, 2, 0]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:3>
  %v = kan.table %c as "v" entries dense<[3, 0, 2, 1, 1, 0, 2, 1]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:3>
  %w = kan.table %c as "w" entries dense<[2, 0, 1, 1, 3, 0, 0, 1]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:3>
  func.return %t, %u, %v, %w : !kan.int<0:3>, !kan.int<0:3>, !kan.int<0:3>, !kan.int<0:3>
}

// A clamp to -2:1 of a sum of many bits: the sum is raised by 2, so that the clamp is to 0:3. Tables
// read these codes; the mark takes the 2 off again.
// CHECK-LABEL: @from_zero
func.func @from_zero(%a: !kan.int<-20:20>, %b: !kan.int<-20:20>) -> !kan.int<0:9> {
  // CHECK-NEXT: [[H:%.*]] = kan.constant 2
  // CHECK-NEXT: [[S:%.*]] = kan.sum %a, %b, [[H]] as "s" : {{.*}} -> !kan.int<-38:42>
  // CHECK-NEXT: [[C:%.*]] = kan.clamp [[S]] as "c" : !kan.int<-38:42> -> !kan.int<0:3>
  // CHECK-NEXT: kan.mark [[C]] as "node" offset 1 cycle 0 : !kan.int<0:3>
  // CHECK-NEXT: kan.table [[C]] entries dense<[7, 9, 5, 3]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:9>
  %s = kan.sum %a, %b as "s" : !kan.int<-20:20>, !kan.int<-20:20> -> !kan.int<-40:40>
  %c = kan.clamp %s as "c" : !kan.int<-40:40> -> !kan.int<-2:1>
  kan.mark %c as "node" offset 3 cycle 0 : !kan.int<-2:1>
  %t = kan.table %c entries dense<[7, 9, 5, 3]> : tensor<4xi8> : !kan.int<-2:1> -> !kan.int<0:9>
  func.return %t : !kan.int<0:9>
}

// For other readers, the 2 is subtracted again, which takes no logic: it inverts the highest bit.
// CHECK-LABEL: @from_zero_and_back
func.func @from_zero_and_back(%a: !kan.int<-20:20>, %b: !kan.int<-20:20>) -> !kan.int<-2:1> {
  // CHECK-NEXT: [[H:%.*]] = kan.constant 2
  // CHECK-NEXT: [[S:%.*]] = kan.sum %a, %b, [[H]] as "s" : {{.*}} -> !kan.int<-38:42>
  // CHECK-NEXT: [[C:%.*]] = kan.clamp [[S]] : !kan.int<-38:42> -> !kan.int<0:3>
  // CHECK-NEXT: [[K:%.*]] = kan.constant -2
  // CHECK-NEXT: [[D:%.*]] = kan.sum [[C]], [[K]] as "d" : !kan.int<0:3>, !kan.int<-2:-2> -> !kan.int<-2:1>
  // CHECK-NEXT: func.return [[D]]
  %s = kan.sum %a, %b as "s" : !kan.int<-20:20>, !kan.int<-20:20> -> !kan.int<-40:40>
  %d = kan.clamp %s as "d" : !kan.int<-40:40> -> !kan.int<-2:1>
  func.return %d : !kan.int<-2:1>
}

// Sums are not raised where few bits tell whether they are beyond an end, where they are at one end
// only, where the raised sum has one bit more, and where something else reads them.
// CHECK-LABEL: @sums_stay
func.func @sums_stay(%a: !kan.int<-20:20>, %b: !kan.int<-20:20>, %c: !kan.int<-12:100>, %d: !kan.int<-43:43>) -> (!kan.int<-16:15>, !kan.int<-32:15>, !kan.int<-2:1>, !kan.int<-2:1>, !kan.int<-40:40>) {
  // CHECK: kan.clamp {{%.*}} as "few_bits" : !kan.int<-40:40> -> !kan.int<-16:15>
  // CHECK: kan.clamp {{%.*}} as "one_end" : !kan.int<-32:120> -> !kan.int<-32:15>
  // CHECK: kan.clamp {{%.*}} as "one_more" : !kan.int<-63:63> -> !kan.int<-2:1>
  // CHECK: kan.clamp {{%.*}} as "read" : !kan.int<-40:40> -> !kan.int<-2:1>
  %s0 = kan.sum %a, %b : !kan.int<-20:20>, !kan.int<-20:20> -> !kan.int<-40:40>
  %c0 = kan.clamp %s0 as "few_bits" : !kan.int<-40:40> -> !kan.int<-16:15>
  %s1 = kan.sum %b, %c : !kan.int<-20:20>, !kan.int<-12:100> -> !kan.int<-32:120>
  %c1 = kan.clamp %s1 as "one_end" : !kan.int<-32:120> -> !kan.int<-32:15>
  %s2 = kan.sum %b, %d : !kan.int<-20:20>, !kan.int<-43:43> -> !kan.int<-63:63>
  %c2 = kan.clamp %s2 as "one_more" : !kan.int<-63:63> -> !kan.int<-2:1>
  %s3 = kan.sum %a, %b : !kan.int<-20:20>, !kan.int<-20:20> -> !kan.int<-40:40>
  %c3 = kan.clamp %s3 as "read" : !kan.int<-40:40> -> !kan.int<-2:1>
  func.return %c0, %c1, %c2, %c3, %s3 : !kan.int<-16:15>, !kan.int<-32:15>, !kan.int<-2:1>, !kan.int<-2:1>, !kan.int<-40:40>
}
