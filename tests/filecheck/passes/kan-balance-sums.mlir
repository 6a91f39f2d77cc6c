// RUN: kan-opt --check-passes %s -p 'kan-balance-sums{extra-levels=0}' | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-balance-sums{target=ice40}' | filecheck %s --check-prefix WHOLE
// RUN: kan-opt --check-passes %s -p kan-balance-sums | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-balance-sums{extra-levels=1}' | filecheck %s --check-prefix DEEPER
// RUN: kan-opt --check-passes %s -p 'kan-balance-sums{extra-levels=0,1}' | filecheck %s --check-prefix SECOND
// RUN: kan-opt --check-passes %s -p 'kan-balance-sums{target=ecp5}' | filecheck %s --check-prefix ECP5
// RUN: not kan-opt %s -p 'kan-balance-sums{target=abacus}' 2>&1 | filecheck %s --check-prefix TARGET
// RUN: not kan-opt %s -p 'kan-balance-sums{extra-levels=1,-1}' 2>&1 | filecheck %s --check-prefix LEVELS
// LEVELS: extra-levels must lie in 0..64, got -1
// TARGET: there is no target 'abacus'; take one of xcup, ecp5, ice40, xc7

// A sum of five becomes adders of two, in the fewest levels.
// CHECK-LABEL: @tree
func.func @tree(%a: !kan.int<0:2>, %b: !kan.int<0:2>, %c: !kan.int<0:2>, %d: !kan.int<0:2>, %e: !kan.int<0:2>) -> !kan.int<0:10> {
  // CHECK-NEXT: [[AB:%.*]] = kan.sum %a, %b as "s_part0" : {{.*}} -> !kan.int<0:4>
  // CHECK-NEXT: [[ABC:%.*]] = kan.sum %c, [[AB]] as "s_part1" : {{.*}} -> !kan.int<0:6>
  // CHECK-NEXT: [[DE:%.*]] = kan.sum %d, %e as "s_part2" : {{.*}} -> !kan.int<0:4>
  // CHECK-NEXT: [[S:%.*]] = kan.sum [[ABC]], [[DE]] as "s" : {{.*}} -> !kan.int<0:10>
  // CHECK-NEXT: func.return [[S]]
  %s = kan.sum %a, %b, %c, %d, %e as "s" : !kan.int<0:2>, !kan.int<0:2>, !kan.int<0:2>, !kan.int<0:2>, !kan.int<0:2> -> !kan.int<0:10>
  func.return %s : !kan.int<0:10>
}

// An adder takes LUTs for the bits that both numbers have, so narrow numbers are added early.
// CHECK-LABEL: @narrow_first
func.func @narrow_first(%a: !kan.int<0:255>, %b: !kan.int<0:2>, %c: !kan.int<0:15>, %d: !kan.int<-1:0>) -> !kan.int<-1:272> {
  // CHECK-NEXT: [[AB:%.*]] = kan.sum %a, %b : {{.*}} -> !kan.int<0:257>
  // CHECK-NEXT: [[CD:%.*]] = kan.sum %c, %d : {{.*}} -> !kan.int<-1:15>
  // CHECK-NEXT: kan.sum [[AB]], [[CD]] : {{.*}} -> !kan.int<-1:272>
  %s = kan.sum %a, %b, %c, %d : !kan.int<0:255>, !kan.int<0:2>, !kan.int<0:15>, !kan.int<-1:0> -> !kan.int<-1:272>
  func.return %s : !kan.int<-1:272>
}

// A single bit enters at the carry input of an adder of two other numbers.
// CHECK-LABEL: @carries
func.func @carries(%a: !kan.int<0:255>, %b: !kan.int<0:255>, %c: !kan.int<0:1>) -> !kan.int<0:511> {
  // CHECK-NEXT: kan.sum %a, %b, %c as "s"
  %s = kan.sum %c, %a, %b as "s" : !kan.int<0:1>, !kan.int<0:255>, !kan.int<0:255> -> !kan.int<0:511>
  func.return %s : !kan.int<0:511>
}

// Of more bits than adders, some are added like numbers.
// CHECK-LABEL: @bits
func.func @bits(%a: !kan.int<0:1>, %b: !kan.int<0:1>, %c: !kan.int<0:1>, %d: !kan.int<0:1>, %e: !kan.int<0:1>) -> !kan.int<0:5> {
  // CHECK-NEXT: [[ABE:%.*]] = kan.sum %a, %b, %e as "s_part0" : {{.*}} -> !kan.int<0:3>
  // CHECK-NEXT: kan.sum %c, [[ABE]], %d as "s" : {{.*}} -> !kan.int<0:5>
  %s = kan.sum %a, %b, %c, %d, %e as "s" : !kan.int<0:1>, !kan.int<0:1>, !kan.int<0:1>, !kan.int<0:1>, !kan.int<0:1> -> !kan.int<0:5>
  func.return %s : !kan.int<0:5>
}

// The same bit twice counts as two bits: one at the carry input, one added like a number.
// CHECK-LABEL: @twice
func.func @twice(%a: !kan.int<0:255>, %b: !kan.int<0:255>, %c: !kan.int<0:1>) -> !kan.int<0:512> {
  // CHECK-NEXT: [[ABC:%.*]] = kan.sum %a, %b, %c as "s_part0"
  // CHECK-NEXT: kan.sum %c, [[ABC]] as "s"
  %s = kan.sum %c, %a, %b, %c as "s" : !kan.int<0:1>, !kan.int<0:255>, !kan.int<0:255>, !kan.int<0:1> -> !kan.int<0:512>
  func.return %s : !kan.int<0:512>
}

// A bit of place 2 enters at the carry input of an adder that starts at place 2, as one number ends in
// two zeros. A bit of place 4 stands above that number.
// CHECK-LABEL: @raised
func.func @raised(%a: !kan.int<0:255>, %x: !kan.int<0:3>, %y: !kan.int<0:1>, %z: !kan.int<0:1>) -> !kan.int<0:351> {
  // CHECK: [[T:%.*]] = kan.table %x
  // CHECK-NEXT: [[U:%.*]] = kan.table %y
  // CHECK-NEXT: [[V:%.*]] = kan.table %z
  // CHECK-NEXT: [[VT:%.*]] = kan.sum [[V]], [[T]] as "s_part0" : {{.*}} -> !kan.int<0:28>
  // CHECK-NEXT: kan.sum %a, [[VT]], [[U]] as "s"
  %t = kan.table %x entries dense<[0, 4, 8, 12]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:12>
  %u = kan.table %y entries dense<[0, 4]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:4>
  %v = kan.table %z entries dense<[0, 16]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:16>
  %s = kan.sum %t, %u, %v, %a as "s" : !kan.int<0:12>, !kan.int<0:4>, !kan.int<0:16>, !kan.int<0:255> -> !kan.int<0:351>
  func.return %s : !kan.int<0:351>
}

// Numbers whose bits do not meet stand side by side as one number: below each the widest that fits,
// tables that adders absorb with others of their kind. Nothing stands above a number with a sign.
// CHECK-LABEL: @side_by_side
func.func @side_by_side(%x: !kan.int<0:3>, %a: !kan.int<0:3>, %b: !kan.int<0:1>, %c: !kan.int<0:255>) -> !kan.int<-64:306> {
  // CHECK: [[U:%.*]] = kan.table %x as "u"
  // CHECK-NEXT: [[T:%.*]] = kan.table %x as "t"
  // CHECK-NEXT: [[V:%.*]] = kan.table %x as "v"
  // CHECK-NEXT: [[UA:%.*]] = kan.sum [[U]], %a as "s_part0" : !kan.int<0:12>, !kan.int<0:3> -> !kan.int<0:15>
  // CHECK-NEXT: [[TV:%.*]] = kan.sum [[T]], [[V]] as "s_part1" : !kan.int<-64:32>, !kan.int<0:4> -> !kan.int<-64:36>
  // CHECK-NEXT: [[R:%.*]] = kan.sum [[UA]], [[TV]] as "s_part2"
  // CHECK-NEXT: kan.sum %c, [[R]] as "s"
  %u = kan.table %x as "u" entries dense<[0, 4, 8, 12]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:12>
  %t = kan.table %x as "t" entries dense<[-64, 0, 32, -32]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<-64:32>
  %v = kan.table %x as "v" entries dense<[0, 2, 4, 2]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:4>
  %s = kan.sum %t, %c, %u, %a, %v as "s" : !kan.int<-64:32>, !kan.int<0:255>, !kan.int<0:12>, !kan.int<0:3>, !kan.int<0:4> -> !kan.int<-64:306>
  func.return %s : !kan.int<-64:306>
}

// All numbers stand side by side: the sum of the last two takes no adder either.
// CHECK-LABEL: @only_wires
func.func @only_wires(%x: !kan.int<0:3>, %y: !kan.int<0:3>, %a: !kan.int<0:3>) -> !kan.int<0:63> {
  // CHECK: [[T:%.*]] = kan.table %x
  // CHECK-NEXT: [[U:%.*]] = kan.table %y
  // CHECK-NEXT: [[UA:%.*]] = kan.sum [[U]], %a as "s_part0"
  // CHECK-NEXT: kan.sum [[T]], [[UA]] as "s" : {{.*}} -> !kan.int<0:63>
  %t = kan.table %x entries dense<[0, 16, 32, 48]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:48>
  %u = kan.table %y entries dense<[0, 4, 8, 12]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:12>
  %s = kan.sum %t, %u, %a as "s" : !kan.int<0:48>, !kan.int<0:12>, !kan.int<0:3> -> !kan.int<0:63>
  func.return %s : !kan.int<0:63>
}

// Each adder has one carry input. A bit beside a number would leave one adder for two bits.
// CHECK-LABEL: @carries_first
func.func @carries_first(%x: !kan.int<0:3>, %a: !kan.int<0:15>, %b: !kan.int<0:255>, %c: !kan.int<0:1>, %d: !kan.int<0:1>) -> !kan.int<0:288> {
  // CHECK: [[T:%.*]] = kan.table %x
  // CHECK-NEXT: [[TA:%.*]] = kan.sum [[T]], %a, %d as "s_part0"
  // CHECK-NEXT: kan.sum %b, [[TA]], %c as "s"
  %t = kan.table %x entries dense<[0, 16, 16, 0]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:16>
  %s = kan.sum %t, %a, %b, %c, %d as "s" : !kan.int<0:16>, !kan.int<0:15>, !kan.int<0:255>, !kan.int<0:1>, !kan.int<0:1> -> !kan.int<0:288>
  func.return %s : !kan.int<0:288>
}

// The adder of a number that ends in zeros takes the bit that needs these zeros. The other bit fits
// any adder.
// CHECK-LABEL: @highest_first
func.func @highest_first(%a: !kan.int<0:255>, %b: !kan.int<0:255>, %x: !kan.int<0:3>, %y: !kan.int<0:1>, %c: !kan.int<0:1>) -> !kan.int<0:527> {
  // CHECK: [[T:%.*]] = kan.table %x
  // CHECK-NEXT: [[U:%.*]] = kan.table %y
  // CHECK-NEXT: [[TA:%.*]] = kan.sum [[T]], %a, [[U]] as "s_part0"
  // CHECK-NEXT: kan.sum %b, [[TA]], %c as "s"
  %t = kan.table %x entries dense<[0, 4, 8, 12]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:12>
  %u = kan.table %y entries dense<[0, 4]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:4>
  %s = kan.sum %t, %u, %c, %a, %b as "s" : !kan.int<0:12>, !kan.int<0:4>, !kan.int<0:1>, !kan.int<0:255>, !kan.int<0:255> -> !kan.int<0:527>
  func.return %s : !kan.int<0:527>
}

// Two bits need a number that ends in zeros, and there is one: the other bit is added like a number.
// CHECK-LABEL: @two_raised
func.func @two_raised(%a: !kan.int<0:255>, %b: !kan.int<0:255>, %x: !kan.int<0:3>, %y: !kan.int<0:1>, %z: !kan.int<0:1>) -> !kan.int<0:530> {
  // CHECK: [[T:%.*]] = kan.table %x
  // CHECK-NEXT: [[U:%.*]] = kan.table %y
  // CHECK-NEXT: [[V:%.*]] = kan.table %z
  // CHECK-NEXT: [[AB:%.*]] = kan.sum %a, %b as "s_part0"
  // CHECK-NEXT: [[TUV:%.*]] = kan.sum [[T]], [[U]], [[V]] as "s_part1"
  // CHECK-NEXT: kan.sum [[AB]], [[TUV]] as "s"
  %t = kan.table %x entries dense<[0, 4, 8, 12]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:12>
  %u = kan.table %y entries dense<[0, 4]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:4>
  %v = kan.table %z entries dense<[0, 4]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:4>
  %s = kan.sum %a, %b, %t, %u, %v as "s" : !kan.int<0:255>, !kan.int<0:255>, !kan.int<0:12>, !kan.int<0:4>, !kan.int<0:4> -> !kan.int<0:530>
  func.return %s : !kan.int<0:530>
}

// A bit that is added like a number ends in zeros itself, so its adder takes another bit.
// CHECK-LABEL: @three_raised
func.func @three_raised(%a: !kan.int<0:255>, %x: !kan.int<0:3>, %y: !kan.int<0:1>, %z: !kan.int<0:1>, %w: !kan.int<0:1>) -> !kan.int<0:279> {
  // CHECK: [[T:%.*]] = kan.table %x
  // CHECK-NEXT: [[U:%.*]] = kan.table %y
  // CHECK-NEXT: [[V:%.*]] = kan.table %z
  // CHECK-NEXT: [[R:%.*]] = kan.table %w
  // CHECK-NEXT: [[TAR:%.*]] = kan.sum %a, [[T]], [[R]] as "s_part0"
  // CHECK-NEXT: kan.sum [[U]], [[TAR]], [[V]] as "s"
  %t = kan.table %x entries dense<[0, 4, 8, 12]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:12>
  %u = kan.table %y entries dense<[0, 4]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:4>
  %v = kan.table %z entries dense<[0, 4]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:4>
  %r = kan.table %w entries dense<[0, 4]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:4>
  %s = kan.sum %a, %t, %u, %v, %r as "s" : !kan.int<0:255>, !kan.int<0:12>, !kan.int<0:4>, !kan.int<0:4>, !kan.int<0:4> -> !kan.int<0:279>
  func.return %s : !kan.int<0:279>
}

// Bits of two places stand side by side in two rows. They take one adder, with the last bit at its
// carry input.
// CHECK-LABEL: @rows
func.func @rows(%a: !kan.int<0:1>, %b: !kan.int<0:1>, %c: !kan.int<0:1>, %x: !kan.int<0:1>, %y: !kan.int<0:1>) -> !kan.int<0:7> {
  // CHECK: [[T:%.*]] = kan.table %x
  // CHECK-NEXT: [[U:%.*]] = kan.table %y
  // CHECK-NEXT: [[UA:%.*]] = kan.sum [[U]], %a as "s_part0" : {{.*}} -> !kan.int<0:3>
  // CHECK-NEXT: [[TB:%.*]] = kan.sum [[T]], %b as "s_part1" : {{.*}} -> !kan.int<0:3>
  // CHECK-NEXT: kan.sum [[UA]], [[TB]], %c as "s"
  %t = kan.table %x entries dense<[0, 2]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:2>
  %u = kan.table %y entries dense<[0, 2]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:2>
  %s = kan.sum %a, %b, %c, %t, %u as "s" : !kan.int<0:1>, !kan.int<0:1>, !kan.int<0:1>, !kan.int<0:2>, !kan.int<0:2> -> !kan.int<0:7>
  func.return %s : !kan.int<0:7>
}

// The adder of a constant takes a bit too.
// CHECK-LABEL: @with_constant
func.func @with_constant(%a: !kan.int<0:1>, %b: !kan.int<0:1>) -> !kan.int<5:7> {
  // CHECK-NEXT: [[C:%.*]] = kan.constant 5
  // CHECK-NEXT: kan.sum %a, [[C]], %b as "s"
  %c = kan.constant 5 : !kan.int<5:5>
  %s = kan.sum %a, %b, %c as "s" : !kan.int<0:1>, !kan.int<0:1>, !kan.int<5:5> -> !kan.int<5:7>
  func.return %s : !kan.int<5:7>
}

// A constant enters a table that only the sum reads, here the one of the widest range.
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

// A sum of a table and constants becomes the table.
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

// Entries that do not matter stay so.
// CHECK-LABEL: @care
func.func @care(%x: !kan.int<0:2>) -> !kan.int<5:6> {
  // CHECK-NEXT: kan.table %x entries dense<[5, 6, 104]> : tensor<3xi8> care dense<[1, 1, 0]> : tensor<3xi8> : !kan.int<0:2> -> !kan.int<5:6>
  %t = kan.table %x entries dense<[0, 1, 99]> : tensor<3xi8> care dense<[1, 1, 0]> : tensor<3xi8> : !kan.int<0:2> -> !kan.int<0:1>
  %c = kan.constant 5 : !kan.int<5:5>
  %s = kan.sum %t, %c : !kan.int<0:1>, !kan.int<5:5> -> !kan.int<5:6>
  func.return %s : !kan.int<5:6>
}

// A table with a second reader stays, and so does one that the sum reads twice. Then the constant is
// added, last.
// CHECK-LABEL: @shared
func.func @shared(%x: !kan.int<0:1>, %y: !kan.int<0:1>) -> !kan.int<5:15> {
  // CHECK-NEXT: [[T:%.*]] = kan.table %x entries dense<[0, 4]>
  // CHECK-NEXT: kan.mark [[T]]
  // CHECK-NEXT: [[U:%.*]] = kan.table %y entries dense<[0, 3]>
  // CHECK-NEXT: [[C:%.*]] = kan.constant 5
  // CHECK-NEXT: [[TU:%.*]] = kan.sum [[T]], [[U]]
  // CHECK-NEXT: [[TUU:%.*]] = kan.sum [[U]], [[TU]]
  // CHECK-NEXT: kan.sum [[TUU]], [[C]]
  %t = kan.table %x entries dense<[0, 4]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:4>
  kan.mark %t as "node" offset 0 cycle 0 : !kan.int<0:4>
  %u = kan.table %y entries dense<[0, 3]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:3>
  %c = kan.constant 5 : !kan.int<5:5>
  %s = kan.sum %t, %u, %c, %u : !kan.int<0:4>, !kan.int<0:3>, !kan.int<5:5>, !kan.int<0:3> -> !kan.int<5:15>
  func.return %s : !kan.int<5:15>
}

// The type of the sum stays even if it is wider than needed, as readers rely on it.
// CHECK-LABEL: @type
func.func @type(%x: !kan.int<0:1>, %y: !kan.int<0:1>) -> !kan.int<0:7> {
  // CHECK: kan.sum {{.*}} as "s" : {{.*}} -> !kan.int<0:7>
  // CHECK-NEXT: kan.table
  %s = kan.sum %x, %x, %y as "s" : !kan.int<0:1>, !kan.int<0:1>, !kan.int<0:1> -> !kan.int<0:7>
  %t = kan.table %s entries dense<[0, 1, 2, 3, 4, 5, 6, 7]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:7>
  func.return %t : !kan.int<0:7>
}

// One number for each layer: only the second one may have a level more.
// SECOND-LABEL: @layers
func.func @layers(%x: !kan.int<0:7>, %y: !kan.int<0:7>, %a: !kan.int<0:255>, %b: !kan.int<0:255>) -> !kan.int<0:540> {
  // SECOND: [[AB:%.*]] = kan.sum %a, %b as "s_part0"
  // SECOND-NEXT: [[TU:%.*]] = kan.sum [[T:%.*]], [[U:%.*]] as "s_part1"
  // SECOND-NEXT: kan.sum [[AB]], [[TU]] as "s"
  // SECOND: [[V:%.*]] = kan.table {{.*}} as "v"
  // SECOND-NEXT: [[W:%.*]] = kan.table {{.*}} as "w"
  // SECOND-NEXT: [[AB:%.*]] = kan.sum %a, %b as "r_part0"
  // SECOND-NEXT: [[ABV:%.*]] = kan.sum [[V]], [[AB]] as "r_part1"
  // SECOND-NEXT: kan.sum [[W]], [[ABV]] as "r"
  %t = kan.table %x as "t" entries dense<[0, 15, 1, 2, 3, 9, 5, 4]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:15>
  %u = kan.table %y as "u" entries dense<[0, 15, 1, 2, 3, 9, 5, 4]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:15>
  %s = kan.sum %a, %b, %t, %u as "s" : !kan.int<0:255>, !kan.int<0:255>, !kan.int<0:15>, !kan.int<0:15> -> !kan.int<0:540>
  %n = kan.clamp %s : !kan.int<0:540> -> !kan.int<0:7>
  kan.mark %n as "node" offset 0 cycle 0 : !kan.int<0:7>
  %v = kan.table %n as "v" entries dense<[0, 15, 1, 2, 3, 9, 5, 4]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:15>
  %w = kan.table %n as "w" entries dense<[0, 15, 1, 2, 3, 9, 4, 4]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:15>
  %r = kan.sum %a, %b, %v, %w as "r" : !kan.int<0:255>, !kan.int<0:255>, !kan.int<0:15>, !kan.int<0:15> -> !kan.int<0:540>
  func.return %r : !kan.int<0:540>
}

// The LUTs of xcup's adders absorb tables of few inputs, so each table is added to another number. With
// a further level, both are added to the same number. ECP5's adders absorb none: narrow numbers are
// added first.
// CHECK-LABEL: @absorbed
// DEEPER-LABEL: @absorbed
// ECP5-LABEL: @absorbed
func.func @absorbed(%x: !kan.int<0:7>, %y: !kan.int<0:7>, %a: !kan.int<0:255>, %b: !kan.int<0:255>) -> !kan.int<0:540> {
  // DEEPER: [[T:%.*]] = kan.table %x as "t"
  // DEEPER-NEXT: [[U:%.*]] = kan.table %y as "u"
  // CHECK: kan.sum [[T:%.*]], %a as "s_part0"
  // CHECK-NEXT: kan.sum [[U:%.*]], %b as "s_part1"
  // DEEPER-NEXT: [[P:%.*]] = kan.sum [[T]], %a as "s_part0"
  // DEEPER-NEXT: [[Q:%.*]] = kan.sum [[U]], [[P]] as "s_part1"
  // DEEPER-NEXT: kan.sum %b, [[Q]] as "s"
  // ECP5: kan.sum [[T:%.*]], [[U:%.*]] as "s_part0"
  // ECP5-NEXT: kan.sum %a, %b as "s_part1"
  %t = kan.table %x as "t" entries dense<[0, 15, 1, 2, 3, 9, 5, 4]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:15>
  %u = kan.table %y as "u" entries dense<[0, 15, 1, 2, 3, 9, 5, 4]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:15>
  %s = kan.sum %t, %u, %a, %b as "s" : !kan.int<0:15>, !kan.int<0:15>, !kan.int<0:255>, !kan.int<0:255> -> !kan.int<0:540>
  func.return %s : !kan.int<0:540>
}

// On xcup, bits of an adder above a narrow number take no LUT. Carry chains of iCE40 take whole
// bits: there, narrow numbers are added to narrow ones.
// CHECK-LABEL: @narrow
// CHECK: kan.sum %a, %b as "s_part0"
// CHECK: kan.sum %c, %d as "s_part1"
// WHOLE-LABEL: @narrow
// WHOLE: kan.sum %a, %c as "s_part0"
// WHOLE: kan.sum %b, %d as "s_part1"
func.func @narrow(%a: !kan.int<0:255>, %b: !kan.int<0:3>, %c: !kan.int<0:255>, %d: !kan.int<0:3>) -> !kan.int<0:516> {
  %s = kan.sum %a, %b, %c, %d as "s" : !kan.int<0:255>, !kan.int<0:3>, !kan.int<0:255>, !kan.int<0:3> -> !kan.int<0:516>
  func.return %s : !kan.int<0:516>
}

// A partial sum that is always negative: a constant stands above its bits.
// ECP5-LABEL: @above
func.func @above(%x: !kan.int<0:7>, %y: !kan.int<0:7>, %z: !kan.int<0:1000>) -> !kan.int<-173:966> {
  // ECP5-NEXT: [[T:%.*]] = kan.table %x as "t" entries dense<[146, 236, 225, 179, 165, 155, 223, 202]>
  // ECP5-NEXT: [[U:%.*]] = kan.table %y as "u" entries dense<[-63, -14, -15, -16, -60, -33, -21, -19]>
  // ECP5-NEXT: [[TU:%.*]] = kan.sum [[T]], [[U]] as "s_part0" : {{.*}} -> !kan.int<83:222>
  // ECP5-NEXT: [[C:%.*]] = kan.constant -256
  // ECP5-NEXT: [[W:%.*]] = kan.sum [[TU]], [[C]] as "s_part0_whole" : {{.*}} -> !kan.int<-173:-34>
  // ECP5-NEXT: kan.sum %z, [[W]] as "s"
  %t = kan.table %x as "t" entries dense<[-110, -20, -31, -77, -91, -101, -33, -54]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<-110:-20>
  %u = kan.table %y as "u" entries dense<[-63, -14, -15, -16, -60, -33, -21, -19]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<-63:-14>
  %s = kan.sum %t, %u, %z as "s" : !kan.int<-110:-20>, !kan.int<-63:-14>, !kan.int<0:1000> -> !kan.int<-173:966>
  func.return %s : !kan.int<-173:966>
}

// Three bits of a place become a table that the LUTs of xcup's adders absorb: a full adder. The bits are
// those of nodes. The other bits of their place are enough for adders and carries. ICE40's adders absorb
// none.
// CHECK-LABEL: @full_adder
// WHOLE-LABEL: @full_adder
func.func @full_adder(%a: !kan.int<0:2>, %b: !kan.int<0:2>, %c: !kan.int<0:2>) -> !kan.int<0:7> {
  // CHECK: kan.table %m, %n, %o as "tm" entries dense<{{\[\[\[}}0, 1], [1, 2]], {{\[\[}}1, 2], [2, 3]]]>
  // WHOLE-NOT: kan.table %m, %n
  %m = kan.table %a entries dense<[0, 1, 0]> : tensor<3xi8> : !kan.int<0:2> -> !kan.int<0:1>
  %n = kan.table %b entries dense<[0, 1, 0]> : tensor<3xi8> : !kan.int<0:2> -> !kan.int<0:1>
  %o = kan.table %c entries dense<[0, 1, 0]> : tensor<3xi8> : !kan.int<0:2> -> !kan.int<0:1>
  %p = kan.table %a entries dense<[1, 1, 0]> : tensor<3xi8> : !kan.int<0:2> -> !kan.int<0:1>
  %q = kan.table %b entries dense<[1, 1, 0]> : tensor<3xi8> : !kan.int<0:2> -> !kan.int<0:1>
  %r = kan.table %c entries dense<[1, 1, 0]> : tensor<3xi8> : !kan.int<0:2> -> !kan.int<0:1>
  %tm = kan.table %m as "tm" entries dense<[0, 1]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:1>
  %tn = kan.table %n as "tn" entries dense<[0, 1]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:1>
  %to = kan.table %o as "to" entries dense<[0, 1]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:1>
  %tp = kan.table %p as "tp" entries dense<[0, 1]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:1>
  %tq = kan.table %q as "tq" entries dense<[0, 1]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:1>
  %tr = kan.table %r as "tr" entries dense<[0, 2]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:2>
  %s = kan.sum %tm, %tn, %to, %tp, %tq, %tr as "s" : !kan.int<0:1>, !kan.int<0:1>, !kan.int<0:1>, !kan.int<0:1>, !kan.int<0:1>, !kan.int<0:2> -> !kan.int<0:7>
  func.return %s : !kan.int<0:7>
}
