// RUN: kan-opt --check-passes %s -p kan-narrow | filecheck %s

// Types are what the operands allow, results and all that read them included.
// CHECK-LABEL: @ranges(%x: !kan.int<0:3>, %y: !kan.int<-2:1>) -> (!kan.int<-2:4>, !kan.int<-1:2>)
func.func @ranges(%x: !kan.int<0:3>, %y: !kan.int<-2:1>) -> (!kan.int<-100:100>, !kan.int<-50:50>) {
  // CHECK-NEXT: [[S:%.*]] = kan.sum %x, %y as "s" : !kan.int<0:3>, !kan.int<-2:1> -> !kan.int<-2:4>
  %s = kan.sum %x, %y as "s" : !kan.int<0:3>, !kan.int<-2:1> -> !kan.int<-100:100>
  // CHECK-NEXT: [[H:%.*]] = kan.shift [[S]] by 1 as "h" : !kan.int<-2:4> -> !kan.int<-1:2>
  %h = kan.shift %s by 1 as "h" : !kan.int<-100:100> -> !kan.int<-50:50>
  func.return %s, %h : !kan.int<-100:100>, !kan.int<-50:50>
}

// A table loses the entries that its input cannot reach.
// CHECK-LABEL: @entries
func.func @entries(%x: !kan.int<0:3>) -> !kan.int<0:7> {
  // CHECK-NEXT: [[C:%.*]] = kan.clamp %x as "c" : !kan.int<0:3> -> !kan.int<1:2>
  // CHECK-NEXT: kan.table [[C]] as "t" entries dense<[5, 6]> : tensor<2xi8> : !kan.int<1:2> -> !kan.int<5:6>
  %c = kan.clamp %x as "c" : !kan.int<0:3> -> !kan.int<1:2>
  %w = kan.clamp %c : !kan.int<1:2> -> !kan.int<0:3>
  %t = kan.table %w as "t" entries dense<[4, 5, 6, 7]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:7>
  func.return %t : !kan.int<0:7>
}

// Tables that a sum reads start from 0; what they lose is one constant of the sum.
// CHECK-LABEL: @constant_of_tables
func.func @constant_of_tables(%x: !kan.int<0:1>, %y: !kan.int<0:1>) -> !kan.int<-100:200> {
  // CHECK-NEXT: [[T:%.*]] = kan.table %x as "t" entries dense<[0, 3]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:3>
  // CHECK-NEXT: [[U:%.*]] = kan.table %y as "u" entries dense<[1, 0]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:1>
  // CHECK-NEXT: [[C:%.*]] = kan.constant 89
  // CHECK-NEXT: kan.sum [[T]], [[U]], [[C]] as "s" : {{.*}} -> !kan.int<89:93>
  %t = kan.table %x as "t" entries dense<[100, 103]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<100:103>
  %u = kan.table %y as "u" entries dense<[-15, -16]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<-16:-15>
  %c = kan.constant 5 : !kan.int<5:5>
  %s = kan.sum %t, %u, %c as "s" : !kan.int<100:103>, !kan.int<-16:-15>, !kan.int<5:5> -> !kan.int<-100:200>
  func.return %s : !kan.int<-100:200>
}

// Where something else reads the table too, it stays as it is: a mark, say.
// CHECK-LABEL: @marked_table
func.func @marked_table(%x: !kan.int<0:1>) -> !kan.int<105:108> {
  // CHECK-NEXT: [[T:%.*]] = kan.table %x entries dense<[100, 103]>
  // CHECK-NEXT: kan.mark [[T]] as "node" offset 0 cycle 0 : !kan.int<100:103>
  %t = kan.table %x entries dense<[100, 103]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<100:103>
  kan.mark %t as "node" offset 0 cycle 0 : !kan.int<100:103>
  %c = kan.constant 5 : !kan.int<5:5>
  %s = kan.sum %t, %c : !kan.int<100:103>, !kan.int<5:5> -> !kan.int<105:108>
  func.return %s : !kan.int<105:108>
}

// Marks do not keep alive what no result depends on: a node whose readers are constant is dead, and
// what leads to it goes. A node that is a constant keeps its mark.
// CHECK-LABEL: @dead_nodes
func.func @dead_nodes(%x: !kan.int<0:3>, %y: !kan.int<0:3>) -> !kan.int<0:10> {
  // CHECK-NEXT: kan.dead "layer0_node0"
  // CHECK-NEXT: [[K:%.*]] = kan.constant 5
  // CHECK-NEXT: kan.mark [[K]] as "layer0_node1" offset 0 cycle 0 : !kan.int<5:5>
  // CHECK-NEXT: kan.dead "layer0_node2"
  // CHECK-NEXT: [[S:%.*]] = kan.sum %y, [[K]] : !kan.int<0:3>, !kan.int<5:5> -> !kan.int<5:8>
  // CHECK-NEXT: kan.mark [[S]] as "layer1_node0"
  // CHECK-NEXT: func.return [[S]]
  %t = kan.table %x as "t" entries dense<[3, 0, 0, 2]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  %a = kan.sum %t, %y as "a" : !kan.int<0:3>, !kan.int<0:3> -> !kan.int<0:6>
  kan.mark %a as "layer0_node0" offset 0 cycle 0 : !kan.int<0:6>
  %u = kan.table %x entries dense<5> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:7>
  kan.mark %u as "layer0_node1" offset 0 cycle 0 : !kan.int<0:7>
  %b = kan.clamp %a : !kan.int<0:6> -> !kan.int<0:3>
  kan.mark %b as "layer0_node2" offset -1 cycle 0 : !kan.int<0:3>
  %c = kan.table %b entries dense<0> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:0>
  %s = kan.sum %y, %u, %c : !kan.int<0:3>, !kan.int<0:7>, !kan.int<0:0> -> !kan.int<0:10>
  kan.mark %s as "layer1_node0" offset 0 cycle 0 : !kan.int<0:10>
  func.return %s : !kan.int<0:10>
}

// A sum takes in the sums that only it reads, and has their name if it has none.
// CHECK-LABEL: @sum_of_sums
func.func @sum_of_sums(%x: !kan.int<0:1>, %y: !kan.int<0:1>) -> (!kan.int<3:7>, !kan.int<0:2>) {
  // CHECK-NEXT: [[B:%.*]] = kan.sum %x, %y as "b"
  // CHECK-NEXT: [[C:%.*]] = kan.constant 3
  // CHECK-NEXT: [[S:%.*]] = kan.sum %x, %y, [[B]], [[C]] as "a" : {{.*}} -> !kan.int<3:7>
  // CHECK-NEXT: func.return [[S]], [[B]]
  %a = kan.sum %x, %y as "a" : !kan.int<0:1>, !kan.int<0:1> -> !kan.int<0:2>
  %b = kan.sum %x, %y as "b" : !kan.int<0:1>, !kan.int<0:1> -> !kan.int<0:2>
  %c = kan.constant 3 : !kan.int<3:3>
  %s = kan.sum %a, %b, %c : !kan.int<0:2>, !kan.int<0:2>, !kan.int<3:3> -> !kan.int<3:7>
  func.return %s, %b : !kan.int<3:7>, !kan.int<0:2>
}

// A sum that two sums read is computed once.
// CHECK-LABEL: @shared_sum
func.func @shared_sum(%x: !kan.int<0:1>, %y: !kan.int<0:1>) -> (!kan.int<0:3>, !kan.int<0:3>) {
  // CHECK-NEXT: [[A:%.*]] = kan.sum %x, %y
  // CHECK-NEXT: kan.sum [[A]], %x
  // CHECK-NEXT: kan.sum [[A]], %y
  %a = kan.sum %x, %y : !kan.int<0:1>, !kan.int<0:1> -> !kan.int<0:2>
  %s = kan.sum %a, %x : !kan.int<0:2>, !kan.int<0:1> -> !kan.int<0:3>
  %t = kan.sum %a, %y : !kan.int<0:2>, !kan.int<0:1> -> !kan.int<0:3>
  func.return %s, %t : !kan.int<0:3>, !kan.int<0:3>
}

// A clamp that cannot saturate goes; one that always does is a constant; one that can at one end
// keeps the other.
// CHECK-LABEL: @clamps
func.func @clamps(%x: !kan.int<-4:3>) -> (!kan.int<-8:7>, !kan.int<5:7>, !kan.int<-9:-6>, !kan.int<-2:7>) {
  // CHECK-NEXT: [[H:%.*]] = kan.constant 5
  // CHECK-NEXT: [[L:%.*]] = kan.constant -6
  // CHECK-NEXT: [[S:%.*]] = kan.clamp %x as "some" : !kan.int<-4:3> -> !kan.int<-2:3>
  // CHECK-NEXT: func.return %x, [[H]], [[L]], [[S]]
  %never = kan.clamp %x : !kan.int<-4:3> -> !kan.int<-8:7>
  %high = kan.clamp %x : !kan.int<-4:3> -> !kan.int<5:7>
  %low = kan.clamp %x : !kan.int<-4:3> -> !kan.int<-9:-6>
  %some = kan.clamp %x as "some" : !kan.int<-4:3> -> !kan.int<-2:7>
  func.return %never, %high, %low, %some : !kan.int<-8:7>, !kan.int<5:7>, !kan.int<-9:-6>, !kan.int<-2:7>
}

// What can have one value only is a constant, however it is computed, and equal ones exist once.
// CHECK-LABEL: @constants
func.func @constants(%x: !kan.int<0:1>) -> (!kan.int<0:9>, !kan.int<0:9>, !kan.int<0:9>, !kan.int<0:9>) {
  // CHECK-NEXT: [[C:%.*]] = kan.constant 2
  // CHECK-NEXT: kan.mark [[C]] as "node" offset 0 cycle 1
  // CHECK-NEXT: func.return [[C]], [[C]], [[C]], [[C]]
  %t = kan.table %x entries dense<[2, 2]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:9>
  %d = kan.delay %t by 1 : !kan.int<0:9>
  kan.mark %d as "node" offset 0 cycle 1 : !kan.int<0:9>
  %zero = kan.constant 0 : !kan.int<0:0>
  %s = kan.sum %d, %zero : !kan.int<0:9>, !kan.int<0:0> -> !kan.int<0:9>
  %c4 = kan.constant 4 : !kan.int<4:4>
  %h = kan.shift %c4 by 1 : !kan.int<4:4> -> !kan.int<0:9>
  func.return %t, %d, %s, %h : !kan.int<0:9>, !kan.int<0:9>, !kan.int<0:9>, !kan.int<0:9>
}

// Entries that do not matter do not count for the range.
// CHECK-LABEL: @care
func.func @care(%x: !kan.int<0:3>) -> (!kan.int<0:9>, !kan.int<0:9>) {
  // CHECK-NEXT: [[T:%.*]] = kan.table %x entries dense<[4, 4, 5, 4]> : tensor<4xi8> care dense<[1, 0, 1, 0]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<4:5>
  // CHECK-NEXT: [[C:%.*]] = kan.constant 7
  // CHECK-NEXT: func.return [[T]], [[C]]
  %t = kan.table %x entries dense<[4, 99, 5, -99]> : tensor<4xi8> care dense<[1, 0, 1, 0]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:9>
  %u = kan.table %x entries dense<[7, 99, 7, -99]> : tensor<4xi8> care dense<[1, 0, 1, 0]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:9>
  func.return %t, %u : !kan.int<0:9>, !kan.int<0:9>
}

// Registers keep their place.
// CHECK-LABEL: @registers
func.func @registers(%x: !kan.int<0:1>) -> !kan.int<-8:7> {
  // CHECK-NEXT: [[T:%.*]] = kan.table %x entries dense<[-1, 1]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<-1:1>
  // CHECK-NEXT: [[D:%.*]] = kan.delay [[T]] by 2 as "d" : !kan.int<-1:1>
  // CHECK-NEXT: kan.mark [[D]] as "node" offset 3 cycle 2
  // CHECK-NEXT: func.return [[D]]
  %t = kan.table %x entries dense<[-1, 1]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<-8:7>
  %d = kan.delay %t by 2 as "d" : !kan.int<-8:7>
  kan.mark %d as "node" offset 3 cycle 2 : !kan.int<-8:7>
  func.return %d : !kan.int<-8:7>
}

// What the ports stand for stays.
// CHECK-LABEL: @encodings(%x: !kan.int<0:3> {kan.encoding = 1 : i8}) -> (!kan.int<0:3> {kan.encoding = 2 : i8}) attributes {note = "kept"}
func.func @encodings(%x: !kan.int<0:3> {kan.encoding = 1 : i8}) -> (!kan.int<0:9> {kan.encoding = 2 : i8}) attributes {note = "kept"} {
  %c = kan.clamp %x : !kan.int<0:3> -> !kan.int<0:9>
  func.return %c : !kan.int<0:9>
}

// Functions of another level are left alone.
// CHECK-LABEL: @other
func.func @other(%x: !kan.int<0:3>, %y: i8) -> !kan.int<0:9> {
  // CHECK-NEXT: kan.clamp %x : !kan.int<0:3> -> !kan.int<0:9>
  %c = kan.clamp %x : !kan.int<0:3> -> !kan.int<0:9>
  func.return %c : !kan.int<0:9>
}

// A clamp that only tables read stays, whatever it costs: `kan-fold-clamps` asks a device.
// CHECK-LABEL: @clamp_before_table
func.func @clamp_before_table(%x: !kan.int<0:3>, %y: !kan.int<0:3>) -> !kan.int<0:9> {
  // CHECK-NEXT: [[S:%.*]] = kan.sum %x, %y : !kan.int<0:3>, !kan.int<0:3> -> !kan.int<0:6>
  // CHECK-NEXT: [[C:%.*]] = kan.clamp [[S]] : !kan.int<0:6> -> !kan.int<2:3>
  // CHECK-NEXT: kan.table [[C]] entries dense<[9, 5]>
  %s = kan.sum %x, %y : !kan.int<0:3>, !kan.int<0:3> -> !kan.int<0:6>
  %c = kan.clamp %s : !kan.int<0:6> -> !kan.int<2:3>
  %t = kan.table %c entries dense<[9, 5]> : tensor<2xi8> : !kan.int<2:3> -> !kan.int<0:9>
  func.return %t : !kan.int<0:9>
}

// Bits above those that a value still has are zeros, or its sign.
// CHECK-LABEL: @bits
func.func @bits(%x: !kan.int<0:1>, %y: !kan.int<-1:0>) -> (!kan.int<0:3>, !kan.int<0:7>, !kan.int<0:3>) {
  // CHECK-NEXT: [[A:%.*]] = kan.sum %x, %x : {{.*}} -> !kan.int<0:2>
  // CHECK-NEXT: [[B:%.*]] = kan.sum %y, %y : {{.*}} -> !kan.int<-2:0>
  // CHECK-NEXT: kan.constant 0
  // CHECK-NEXT: kan.extract [[A]] from 1 : !kan.int<0:2> -> !kan.int<0:1>
  // CHECK-NEXT: [[WIDE:%.*]] = kan.sum [[B]] : !kan.int<-2:0> -> !kan.int<-16:15>
  // CHECK-NEXT: kan.extract [[WIDE]] from 1 : !kan.int<-16:15> -> !kan.int<0:3>
  %a = kan.sum %x, %x : !kan.int<0:1>, !kan.int<0:1> -> !kan.int<0:31>
  %b = kan.sum %y, %y : !kan.int<-1:0>, !kan.int<-1:0> -> !kan.int<-16:15>
  %above = kan.extract %a from 3 : !kan.int<0:31> -> !kan.int<0:3>
  %upper = kan.extract %a from 1 : !kan.int<0:31> -> !kan.int<0:7>
  %sign = kan.extract %b from 1 : !kan.int<-16:15> -> !kan.int<0:3>
  func.return %above, %upper, %sign : !kan.int<0:3>, !kan.int<0:7>, !kan.int<0:3>
}
