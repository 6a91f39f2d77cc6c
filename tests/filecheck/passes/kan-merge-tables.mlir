// RUN: kan-opt --check-passes %s -p kan-merge-tables | filecheck %s
// RUN: kan-opt --check-passes %s -p kan-merge-tables,kan-merge-tables | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-merge-tables{target=lut6}' | filecheck %s --check-prefix LUT6
// RUN: kan-opt --check-passes %s -p 'kan-merge-tables{target=ice40}' | filecheck %s --check-prefix ICE40
// RUN: not kan-opt %s -p 'kan-merge-tables{target=abacus}' 2>&1 | filecheck %s --check-prefix TARGET
// TARGET: there is no target 'abacus'

// Tables whose inputs fit into one lookup table become one. Those of about the same height go
// together; inputs come in the order of the sum, and the name is that of the first. What else is in
// the sum stays. Adders of xcup absorb tables one by one, so there they stay apart.
// CHECK-LABEL: @few_bits
// CHECK: kan.sum %ta, %y, %tc as "s"
// ICE40-LABEL: @few_bits
// ICE40-NEXT: [[T:%.*]] = kan.table %a, %c as "ta_merged" entries dense<"0x0003080705080D0C090C111004070C0B"> : tensor<4x4xi8> : {{.*}} -> !kan.int<0:17>
// ICE40-NEXT: kan.sum [[T]], %y as "s" : !kan.int<0:17>, !kan.int<0:63> -> !kan.int<0:99>
func.func @few_bits(%a: !kan.int<0:3>, %c: !kan.int<0:3>, %y: !kan.int<0:63>) -> !kan.int<0:99> {
  %ta = kan.table %a as "ta" entries dense<[0, 5, 9, 4]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:9>
  %tc = kan.table %c as "tc" entries dense<[0, 3, 8, 7]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:8>
  %s = kan.sum %ta, %y, %tc as "s" : !kan.int<0:9>, !kan.int<0:63>, !kan.int<0:8> -> !kan.int<0:99>
  func.return %s : !kan.int<0:99>
}

// Tables of the same input become one, however wide it is, and also one that is added twice. An
// entry matters where it does for all of them.
// CHECK-LABEL: @same
// CHECK-NEXT: [[W:%.*]] = kan.table %w as "k_merged" {{.*}} : !kan.int<0:1023> -> !kan.int<9:9>
// CHECK-NEXT: [[Y:%.*]] = kan.table %y entries dense<[3, 4, 7, 10]> : tensor<4xi8> care dense<[1, 1, 0, 1]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<3:10>
// CHECK-NEXT: kan.sum [[W]], [[Y]] as "s" : !kan.int<9:9>, !kan.int<3:10> -> !kan.int<-9:2000>
func.func @same(%x: !kan.int<-64:63>, %y: !kan.int<0:3>, %w: !kan.int<0:1023>) -> !kan.int<-9:2000> {
  %t = kan.table %y entries dense<[0, 1, 2, 5]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:5>
  %u = kan.table %y as "u" entries dense<[3, 2, 8, 0]> : tensor<4xi8> care dense<[1, 1, 0, 1]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  %v = kan.table %w as "v" entries dense<4> : tensor<1024xi8> : !kan.int<0:1023> -> !kan.int<4:4>
  %k = kan.table %w as "k" entries dense<5> : tensor<1024xi8> : !kan.int<0:1023> -> !kan.int<5:5>
  %s = kan.sum %k, %t, %u, %v, %t as "s" : !kan.int<5:5>, !kan.int<0:5>, !kan.int<0:3>, !kan.int<4:4>, !kan.int<0:5> -> !kan.int<-9:2000>
  func.return %s : !kan.int<-9:2000>
}

// A table that is all of a sum has its name and its type.
// CHECK-LABEL: @whole
// CHECK-NEXT: [[S:%.*]] = kan.table %b, %a as "s" entries dense<{{\[\[}}0, 9], [1, 10], [4, 13], [7, 16]]> : tensor<4x2xi8> : !kan.int<0:3>, !kan.int<0:1> -> !kan.int<-5:99>
// CHECK-NEXT: kan.mark [[S]] as "node"
func.func @whole(%a: !kan.int<0:1>, %b: !kan.int<0:3>) -> !kan.int<-5:99> {
  %t = kan.table %a as "t" entries dense<[0, 9]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:9>
  %u = kan.table %b as "u" entries dense<[0, 1, 4, 7]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:7>
  %s = kan.sum %u, %t as "s" : !kan.int<0:7>, !kan.int<0:9> -> !kan.int<-5:99>
  kan.mark %s as "node" offset 0 cycle 0 : !kan.int<-5:99>
  func.return %s : !kan.int<-5:99>
}

// Tables that something else reads stay, be it a mark, and so do those of many bits.
// CHECK-LABEL: @kept
// CHECK: kan.sum %t, %u, %v, %w as "s"
// CHECK-NEXT: return %s, %t
func.func @kept(%a: !kan.int<0:1>, %b: !kan.int<0:1>, %c: !kan.int<0:1>, %y: !kan.int<0:63>) -> (!kan.int<0:99>, !kan.int<0:9>) {
  %t = kan.table %a as "t" entries dense<[0, 9]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:9>
  %u = kan.table %b as "u" entries dense<[2, 7]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<2:7>
  kan.mark %u as "node" offset 0 cycle 0 : !kan.int<2:7>
  %v = kan.table %c as "v" entries dense<[1, 7]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<1:7>
  %w = kan.table %y as "w" entries dense<3> : tensor<64xi8> : !kan.int<0:63> -> !kan.int<3:3>
  %s = kan.sum %t, %u, %v, %w as "s" : !kan.int<0:9>, !kan.int<2:7>, !kan.int<1:7>, !kan.int<3:3> -> !kan.int<0:99>
  func.return %s, %t : !kan.int<0:99>, !kan.int<0:9>
}

// Two tables of three inputs a bit are one of six where no adder absorbs them.
// CHECK-LABEL: @dearer
// CHECK: kan.sum %t, %u, %y as "s"
// LUT6-LABEL: @dearer
// LUT6-NEXT: [[T:%.*]] = kan.table %a, %b as "t_merged" {{.*}} : !kan.int<0:7>, !kan.int<0:7> -> !kan.int<1:18>
// LUT6-NEXT: kan.sum [[T]], %y as "s"
func.func @dearer(%a: !kan.int<0:7>, %b: !kan.int<0:7>, %y: !kan.int<0:63>) -> !kan.int<0:99> {
  %t = kan.table %a as "t" entries dense<[0, 9, 3, 1, 2, 8, 4, 4]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:9>
  %u = kan.table %b as "u" entries dense<[2, 7, 1, 3, 5, 6, 1, 9]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<1:9>
  %s = kan.sum %t, %u, %y as "s" : !kan.int<0:9>, !kan.int<1:9>, !kan.int<0:63> -> !kan.int<0:99>
  func.return %s : !kan.int<0:99>
}

// The range of @joint's result holds for what the tables of %x add up to, all in all: those stay.
// CHECK-LABEL: @joint
// CHECK: kan.sum %u, %v as "s"
// CHECK-NEXT: kan.sum %s, %t as "r"
func.func @joint(%x: !kan.int<0:3>, %a: !kan.int<0:1>) -> !kan.int<0:4> {
  %b = kan.extract %x from 1 : !kan.int<0:3> -> !kan.int<0:1>
  %t = kan.table %x as "t" entries dense<[0, 1, -1, 0]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<-1:1>
  %u = kan.table %b as "u" entries dense<[0, 1]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:1>
  %v = kan.table %a as "v" entries dense<[1, 3]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<1:3>
  %s = kan.sum %u, %v as "s" : !kan.int<0:1>, !kan.int<1:3> -> !kan.int<1:4>
  %r = kan.sum %s, %t as "r" : !kan.int<1:4>, !kan.int<-1:1> -> !kan.int<0:4>
  func.return %r : !kan.int<0:4>
}

// A node of one edge goes into the tables that read it, and these may then meet others of its input.
// No value holds such a node.
// CHECK-LABEL: @composed
// CHECK-NEXT: kan.dead "node"
// CHECK-NEXT: [[T:%.*]] = kan.table %x as "t_merged" entries dense<[5, 7, 3, 13]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<3:13>
// CHECK-NEXT: kan.sum [[T]], %y as "s"
// CHECK-NEXT: return
func.func @composed(%x: !kan.int<0:3>, %y: !kan.int<0:63>) -> !kan.int<0:99> {
  %n = kan.table %x as "n" entries dense<[6, 4, 3, 5]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<3:6>
  kan.mark %n as "node" offset 1 cycle 0 : !kan.int<3:6>
  %t = kan.table %n as "t" entries dense<[0, 5, 9, 4]> : tensor<4xi8> : !kan.int<3:6> -> !kan.int<0:9>
  %u = kan.table %x as "u" entries dense<[1, 2, 3, 4]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<1:4>
  %s = kan.sum %t, %u, %y as "s" : !kan.int<0:9>, !kan.int<1:4>, !kan.int<0:63> -> !kan.int<0:99>
  func.return %s : !kan.int<0:99>
}

// A node of fewer bits than its input stays, and so does one that something else reads. Entries that
// no code reaches are those of either table.
// CHECK-LABEL: @uncomposed
// CHECK-NEXT: [[N:%.*]] = kan.table %x as "n"
// CHECK-NEXT: kan.mark [[N]] as "node"
// CHECK-NEXT: kan.table [[N]] as "t"
// CHECK-NEXT: [[M:%.*]] = kan.table %y as "m"
// CHECK-NEXT: kan.table [[M]] as "u"
// CHECK-NEXT: kan.table %y as "v" entries dense<[7, 8, 7, 9]> : tensor<4xi8> care dense<[1, 1, 0, 1]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<7:9>
// CHECK-NEXT: return
func.func @uncomposed(%x: !kan.int<0:7>, %y: !kan.int<0:3>) -> (!kan.int<0:9>, !kan.int<0:9>, !kan.int<0:3>, !kan.int<7:9>) {
  %n = kan.table %x as "n" entries dense<[0, 1, 0, 1, 1, 1, 0, 1]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:1>
  kan.mark %n as "node" offset 0 cycle 0 : !kan.int<0:1>
  %t = kan.table %n as "t" entries dense<[0, 9]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:9>
  %m = kan.table %y as "m" entries dense<[3, 1, 0, 2]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  %u = kan.table %m as "u" entries dense<[0, 5, 9, 4]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:9>
  %k = kan.table %y as "k" entries dense<[0, 1, 2, 3]> : tensor<4xi8> care dense<[1, 1, 0, 1]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  %v = kan.table %k as "v" entries dense<[7, 8, 9, 9]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<7:9>
  func.return %t, %u, %m, %v : !kan.int<0:9>, !kan.int<0:9>, !kan.int<0:3>, !kan.int<7:9>
}
