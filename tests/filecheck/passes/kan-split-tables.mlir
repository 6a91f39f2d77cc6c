// RUN: kan-opt --check-passes %s -p kan-split-tables | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-split-tables{parts=1}' | filecheck %s --check-prefix ONE
// RUN: kan-opt --check-passes %s -p 'kan-split-tables{target=ecp5}' | filecheck %s --check-prefix ECP5
// RUN: kan-opt --check-passes %s -p 'kan-split-tables{target=ecp5 parts=1}' | filecheck %s --check-prefix WHOLE
// WHOLE-NOT: part0
// WHOLE: func.func @one_code
// RUN: kan-opt --check-passes %s -p 'kan-split-tables{target=ice40}' | filecheck %s --check-prefix ICE40
// RUN: not kan-opt %s -p 'kan-split-tables{parts=0}' 2>&1 | filecheck %s --check-prefix PARTS
// PARTS: parts must lie in 1..64, got 0
// RUN: not kan-opt %s -p 'kan-split-tables{target=abacus}' 2>&1 | filecheck %s --check-prefix TARGET
// TARGET: there is no target 'abacus'

// A table whose neighbouring entries differ little is the sum of a table of the upper bits and a
// table of fewer result bits. A constant makes up for their offsets.
// CHECK-LABEL: @smooth
// CHECK-NEXT: [[UPPER:%.*]] = kan.extract %x from 2 : !kan.int<0:7> -> !kan.int<0:1>
// CHECK-NEXT: [[HIGH:%.*]] = kan.table [[UPPER]] as "t_part0" entries dense<[0, 8]>
// CHECK-NEXT: [[REST:%.*]] = kan.table %x as "t_part1" entries dense<[2, 3, 5, 6, 0, 1, 3, 4]>
// CHECK-NEXT: [[C:%.*]] = kan.constant -2
// CHECK-NEXT: kan.sum [[HIGH]], [[REST]], %y, [[C]] as "s" : {{.*}} -> !kan.int<0:12>
// ONE-LABEL: @smooth
// ONE-NEXT: [[T:%.*]] = kan.table %x as "t" entries dense<[0, 1, 3, 4, 6, 7, 9, 10]>
// ONE-NEXT: kan.sum [[T]], %y as "s"
func.func @smooth(%x: !kan.int<0:7>, %y: !kan.int<0:2>) -> !kan.int<0:12> {
  %t = kan.table %x as "t" entries dense<[0, 1, 3, 4, 6, 7, 9, 10]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:10>
  %s = kan.sum %t, %y as "s" : !kan.int<0:10>, !kan.int<0:2> -> !kan.int<0:12>
  func.return %s : !kan.int<0:12>
}

// Both entries of a pair differ by 1: the last bit is added to the lesser one. The entries of parts
// are by bit pattern, where the codes -4 .. -1 are the upper half.
// CHECK-LABEL: @gate
// CHECK-NEXT: [[UPPER:%.*]] = kan.extract %x from 1 : !kan.int<-4:3> -> !kan.int<0:3>
// CHECK-NEXT: [[HIGH:%.*]] = kan.table [[UPPER]] as "t_part0" entries dense<[0, 2, 5, 7]>
// CHECK-NEXT: [[LAST:%.*]] = kan.extract %x from 0 : !kan.int<-4:3> -> !kan.int<0:1>
// CHECK-NEXT: [[GATED:%.*]] = kan.table [[LAST]] as "t_part1" entries dense<[0, 1]>
// CHECK-NEXT: kan.sum [[HIGH]], [[GATED]], %y as "s" : {{.*}} -> !kan.int<0:10>
func.func @gate(%x: !kan.int<-4:3>, %y: !kan.int<0:2>) -> !kan.int<0:10> {
  %t = kan.table %x as "t" entries dense<[5, 6, 7, 8, 0, 1, 2, 3]> : tensor<8xi8> : !kan.int<-4:3> -> !kan.int<0:8>
  %s = kan.sum %t, %y as "s" : !kan.int<0:8>, !kan.int<0:2> -> !kan.int<0:10>
  func.return %s : !kan.int<0:10>
}

// Pairs differ by 1 in the lower half and by 2 in the upper one. A class of the upper bits says by
// how much, and the last bit lets it through.
// CHECK-LABEL: @class
// CHECK: [[UPPER:%.*]] = kan.extract %x from 1 : !kan.int<0:15> -> !kan.int<0:7>
// CHECK: [[LAST:%.*]] = kan.extract %x from 0 : !kan.int<0:15> -> !kan.int<0:1>
// CHECK-NEXT: [[CLASS:%.*]] = kan.table [[UPPER]] as "t_part2_class" entries dense<[1, 1, 1, 1, 2, 2, 2, 2]>
// CHECK-NEXT: [[GATED:%.*]] = kan.table [[LAST]], [[CLASS]] as "t_part2" entries dense<{{\[}}[0, 0], [1, 2]]>
// CHECK: kan.sum {{%.*}}, {{%.*}}, [[GATED]], %y, {{%.*}} as "s"
func.func @class(%x: !kan.int<0:15>, %y: !kan.int<0:2>) -> !kan.int<0:20> {
  %t = kan.table %x as "t" entries dense<[0, 1, 1, 2, 3, 4, 4, 5, 7, 9, 9, 11, 13, 15, 16, 18]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:18>
  %s = kan.sum %t, %y as "s" : !kan.int<0:18>, !kan.int<0:2> -> !kan.int<0:20>
  func.return %s : !kan.int<0:20>
}

// Where adders absorb no tables, the estimate of the whole sum says which tables come in parts. Of
// two tables, one does: its lowest bit takes nothing, and enters at the carry input of the adder. A
// part of the other one would take an adder.
// ECP5-LABEL: @first
// ECP5: kan.table {{%.*}} as "t_part0" entries dense<[3, 6, 9, 12]>
// ECP5-NEXT: kan.table %x as "t_part1" entries dense<[0, 1, 0, 1, 0, 1, 0, 1]>
// ECP5-NEXT: kan.table %y as "u" entries dense<[2, 3, 5, 6, 8, 9, 11, 12]>
func.func @first(%x: !kan.int<0:7>, %y: !kan.int<0:7>) -> !kan.int<0:20> {
  %t = kan.table %x as "t" entries dense<[0, 1, 3, 4, 6, 7, 9, 10]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:10>
  %u = kan.table %y as "u" entries dense<[0, 1, 3, 4, 6, 7, 9, 10]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:10>
  %s = kan.sum %t, %u as "s" : !kan.int<0:10>, !kan.int<0:10> -> !kan.int<0:20>
  func.return %s : !kan.int<0:20>
}

// The LUTs of xcup's adders absorb all bits of these tables, and ECP5's adder takes a LUT for the
// lowest bit in any case: nothing changes.
// CHECK-LABEL: @lowest
// CHECK-NEXT: kan.table %x as "t"
// CHECK-NEXT: kan.table %y as "u" entries dense<[6, 1, 4, 7, 2, 0, 5, 3]>
// ECP5-LABEL: @lowest
// ECP5-NEXT: kan.table %x as "t"
// ECP5-NEXT: kan.table %y as "u" entries dense<[6, 1, 4, 7, 2, 0, 5, 3]>
func.func @lowest(%x: !kan.int<0:7>, %y: !kan.int<0:7>) -> !kan.int<0:14> {
  %t = kan.table %x as "t" entries dense<[6, 1, 4, 7, 2, 0, 5, 3]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:7>
  %u = kan.table %y as "u" entries dense<[6, 1, 4, 7, 2, 0, 5, 3]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:7>
  %s = kan.sum %t, %u as "s" : !kan.int<0:7>, !kan.int<0:7> -> !kan.int<0:14>
  func.return %s : !kan.int<0:14>
}

// A table whose neighbouring entries differ much stays.
// CHECK-LABEL: @rough
// CHECK-NEXT: [[T:%.*]] = kan.table %x as "t"
// CHECK-NEXT: kan.sum [[T]], %y as "s"
func.func @rough(%x: !kan.int<0:7>, %y: !kan.int<0:1>) -> !kan.int<0:8> {
  %t = kan.table %x as "t" entries dense<[0, 7, 1, 6, 2, 5, 3, 4]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:7>
  %s = kan.sum %t, %y as "s" : !kan.int<0:7>, !kan.int<0:1> -> !kan.int<0:8>
  func.return %s : !kan.int<0:8>
}

// A table with a second reader stays, although it is smooth. So do a table of several inputs, and a
// table that no sum reads.
// CHECK-LABEL: @kept
// CHECK-NEXT: [[T:%.*]] = kan.table %x as "t"
// CHECK-NEXT: [[U:%.*]] = kan.table %y, %z as "u"
// CHECK-NEXT: [[V:%.*]] = kan.table %x as "v"
// CHECK-NEXT: [[S:%.*]] = kan.sum [[T]], [[U]] as "s"
// CHECK-NEXT: return [[S]], [[T]], [[V]]
func.func @kept(%x: !kan.int<0:7>, %y: !kan.int<0:1>, %z: !kan.int<0:1>) -> (!kan.int<0:13>, !kan.int<0:10>, !kan.int<0:10>) {
  %t = kan.table %x as "t" entries dense<[0, 1, 3, 4, 6, 7, 9, 10]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:10>
  %u = kan.table %y, %z as "u" entries dense<[[0, 1], [2, 3]]> : tensor<2x2xi8> : !kan.int<0:1>, !kan.int<0:1> -> !kan.int<0:3>
  %v = kan.table %x as "v" entries dense<[0, 1, 3, 4, 6, 7, 9, 10]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:10>
  %s = kan.sum %t, %u as "s" : !kan.int<0:10>, !kan.int<0:3> -> !kan.int<0:13>
  func.return %s, %t, %v : !kan.int<0:13>, !kan.int<0:10>, !kan.int<0:10>
}

// Constants of a sum become one, even if nothing else is left.
// CHECK-LABEL: @constants
// CHECK-NEXT: [[C:%.*]] = kan.constant 0
// CHECK-NEXT: return [[C]]
func.func @constants() -> !kan.int<0:0> {
  %a = kan.constant 3 : !kan.int<3:3>
  %b = kan.constant -3 : !kan.int<-3:-3>
  %s = kan.sum %a, %b : !kan.int<3:3>, !kan.int<-3:-3> -> !kan.int<0:0>
  func.return %s : !kan.int<0:0>
}

// A table of one code stays: ranges of parts of its bits would not hold the sum. (kan-narrow makes
// a constant of it.)
// CHECK-LABEL: @one_code
// CHECK: [[T:%.*]] = kan.table {{.*}} as "t" entries dense<[233]>
// CHECK: kan.sum [[T]], {{.*}} as "s" : {{.*}} -> !kan.int<233:2280>
func.func @one_code(%x: !kan.int<-1:0>) -> !kan.int<233:2280> {
  %c = kan.constant -61 : !kan.int<-61:-61>
  %t = kan.table %c as "t" entries dense<[233]> : tensor<1xi16> : !kan.int<-61:-61> -> !kan.int<233:233>
  %u = kan.table %x as "u" entries dense<[2047, 0]> : tensor<2xi16> : !kan.int<-1:0> -> !kan.int<0:2047>
  %s = kan.sum %t, %u as "s" : !kan.int<233:233>, !kan.int<0:2047> -> !kan.int<233:2280>
  func.return %s : !kan.int<233:2280>
}

// Lookup tables of iCE40 choose between those of a table of seven inputs. kan-map-tables makes few
// lookup tables of a table of six inputs: it stays.
// ICE40-LABEL: @six_inputs
// ICE40: kan.table {{.*}} as "t" entries
// ICE40: kan.sum
func.func @six_inputs(%x: !kan.int<0:63>, %y: !kan.int<0:31>) -> !kan.int<0:123> {
  %t = kan.table %x as "t" entries dense<[0, 2, 5, 7, 10, 12, 15, 17, 20, 22, 24, 27, 29, 31, 34, 36, 38, 40, 42, 44, 46, 48, 50, 52, 54, 55, 57, 59, 60, 62, 64, 65, 66, 68, 69, 70, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 83, 84, 85, 86, 86, 87, 87, 88, 89, 89, 90, 90, 91, 91, 91, 92]> : tensor<64xi8> : !kan.int<0:63> -> !kan.int<0:92>
  %s = kan.sum %t, %y as "s" : !kan.int<0:92>, !kan.int<0:31> -> !kan.int<0:123>
  func.return %s : !kan.int<0:123>
}

// ICE40-LABEL: @seven_inputs
// ICE40: kan.table {{.*}} as "t_part0"
// ICE40: kan.sum
func.func @seven_inputs(%x: !kan.int<0:127>, %y: !kan.int<0:31>) -> !kan.int<0:122> {
  %t = kan.table %x as "t" entries dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 46, 47, 48, 49, 50, 51, 52, 52, 53, 54, 55, 56, 57, 57, 58, 59, 60, 60, 61, 62, 63, 63, 64, 65, 66, 66, 67, 68, 68, 69, 70, 70, 71, 72, 72, 73, 74, 74, 75, 75, 76, 76, 77, 78, 78, 79, 79, 80, 80, 81, 81, 82, 82, 83, 83, 83, 84, 84, 85, 85, 85, 86, 86, 87, 87, 87, 87, 88, 88, 88, 89, 89, 89, 89, 90, 90, 90, 90, 90, 91]> : tensor<128xi64> : !kan.int<0:127> -> !kan.int<0:91>
  %s = kan.sum %t, %y as "s" : !kan.int<0:91>, !kan.int<0:31> -> !kan.int<0:122>
  func.return %s : !kan.int<0:122>
}
