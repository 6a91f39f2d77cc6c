// RUN: kan-opt --check-passes %s -p kan-window-tables | filecheck %s
// RUN: kan-opt --check-passes %s -p kan-window-tables,kan-window-tables | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-window-tables{target=ecp5}' | filecheck %s --check-prefix ECP5
// RUN: not kan-opt %s -p 'kan-window-tables{target=abacus}' 2>&1 | filecheck %s --check-prefix TARGET
// TARGET: there is no target 'abacus'

// Both tables are of (x + 2) / 4, one written so. A constant costs a carry chain on xcup only: ecp5 takes
// a LUT for each of its bits, and drops the bit that nothing reads.
// CHECK-LABEL: @rounded
// CHECK: [[S:%.*]] = kan.sum %y, %{{.*}} : !kan.int<0:31>, !kan.int<2:2> -> !kan.int<2:33>
// CHECK-NEXT: [[B:%.*]] = kan.extract [[S]] from 2 : !kan.int<2:33> -> !kan.int<0:7>
// CHECK: kan.table [[B]] as "u" entries dense<[0, 3, 15, 9, 6, 12, 1, 8]>
// ECP5-LABEL: @rounded
// ECP5-NEXT: [[B:%.*]] = kan.extract %x from 1 : !kan.int<0:31> -> !kan.int<0:15>
// ECP5-NEXT: kan.table [[B]] as "t"
// ECP5-NEXT: kan.table %y as "u"
func.func @rounded(%x: !kan.int<0:31>, %y: !kan.int<0:31>) -> !kan.int<0:30> {
  %c = kan.constant 2 : !kan.int<2:2>
  %s = kan.sum %x, %c as "s" : !kan.int<0:31>, !kan.int<2:2> -> !kan.int<2:33>
  %b = kan.extract %s from 2 : !kan.int<2:33> -> !kan.int<0:7>
  %t = kan.table %b as "t" entries dense<[0, 3, 15, 9, 6, 12, 1, 8]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:15>
  %u = kan.table %y as "u" entries dense<[0, 0, 3, 3, 3, 3, 15, 15, 15, 15, 9, 9, 9, 9, 6, 6, 6, 6, 12, 12, 12, 12, 1, 1, 1, 1, 8, 8, 8, 8, 0, 0]> : tensor<32xi8> : !kan.int<0:31> -> !kan.int<0:15>
  %r = kan.sum %t, %u as "r" : !kan.int<0:15>, !kan.int<0:15> -> !kan.int<0:30>
  func.return %r : !kan.int<0:30>
}

// All tables that read the sum are of (s + 2) / 4: the sum takes the 2 in, and the mark says so.
// CHECK-LABEL: @taken_in
// CHECK: [[S:%.*]] = kan.sum %a, %b, %{{.*}} as "s" : !kan.int<0:31>, !kan.int<0:31>, !kan.int<2:2> -> !kan.int<2:64>
// CHECK: kan.mark [[S]] as "node" offset -2 cycle 0
// CHECK: kan.table %{{.*}} as "t" entries dense<"0x0007010C0F090406020B03080E050D0A">
// CHECK: kan.table %{{.*}} as "u" entries dense<"0x05000E03090F010B07020C060A04080D">
func.func @taken_in(%a: !kan.int<0:31>, %b: !kan.int<0:31>, %z: !kan.int<0:3>) -> (!kan.int<0:18>, !kan.int<0:18>) {
  %s = kan.sum %a, %b as "s" : !kan.int<0:31>, !kan.int<0:31> -> !kan.int<0:62>
  kan.mark %s as "node" offset 0 cycle 0 : !kan.int<0:62>
  %t = kan.table %s as "t" entries dense<[0, 0, 7, 7, 7, 7, 1, 1, 1, 1, 12, 12, 12, 12, 15, 15, 15, 15, 9, 9, 9, 9, 4, 4, 4, 4, 6, 6, 6, 6, 2, 2, 2, 2, 11, 11, 11, 11, 3, 3, 3, 3, 8, 8, 8, 8, 14, 14, 14, 14, 5, 5, 5, 5, 13, 13, 13, 13, 10, 10, 10, 10, 0]> : tensor<63xi8> : !kan.int<0:62> -> !kan.int<0:15>
  %u = kan.table %s as "u" entries dense<[5, 5, 0, 0, 0, 0, 14, 14, 14, 14, 3, 3, 3, 3, 9, 9, 9, 9, 15, 15, 15, 15, 1, 1, 1, 1, 11, 11, 11, 11, 7, 7, 7, 7, 2, 2, 2, 2, 12, 12, 12, 12, 6, 6, 6, 6, 10, 10, 10, 10, 4, 4, 4, 4, 8, 8, 8, 8, 13, 13, 13, 13, 5]> : tensor<63xi8> : !kan.int<0:62> -> !kan.int<0:15>
  %q = kan.sum %t, %z as "q" : !kan.int<0:15>, !kan.int<0:3> -> !kan.int<0:18>
  %r = kan.sum %u, %z as "r" : !kan.int<0:15>, !kan.int<0:3> -> !kan.int<0:18>
  func.return %q, %r : !kan.int<0:18>, !kan.int<0:18>
}

// A result is the sum itself. Another sum for the 2 would take more than the windows save.
// CHECK-LABEL: @read_elsewhere
// CHECK-NEXT: [[S:%.*]] = kan.sum %a, %b as "s" : !kan.int<0:31>, !kan.int<0:31> -> !kan.int<0:62>
// CHECK-NEXT: kan.table [[S]] as "t"
// CHECK-NEXT: kan.table [[S]] as "u"
// CHECK: return %{{.*}}, %{{.*}}, [[S]]
func.func @read_elsewhere(%a: !kan.int<0:31>, %b: !kan.int<0:31>, %z: !kan.int<0:3>) -> (!kan.int<0:18>, !kan.int<0:18>, !kan.int<0:62>) {
  %s = kan.sum %a, %b as "s" : !kan.int<0:31>, !kan.int<0:31> -> !kan.int<0:62>
  %t = kan.table %s as "t" entries dense<[0, 0, 7, 7, 7, 7, 1, 1, 1, 1, 12, 12, 12, 12, 15, 15, 15, 15, 9, 9, 9, 9, 4, 4, 4, 4, 6, 6, 6, 6, 2, 2, 2, 2, 11, 11, 11, 11, 3, 3, 3, 3, 8, 8, 8, 8, 14, 14, 14, 14, 5, 5, 5, 5, 13, 13, 13, 13, 10, 10, 10, 10, 0]> : tensor<63xi8> : !kan.int<0:62> -> !kan.int<0:15>
  %u = kan.table %s as "u" entries dense<[5, 5, 0, 0, 0, 0, 14, 14, 14, 14, 3, 3, 3, 3, 9, 9, 9, 9, 15, 15, 15, 15, 1, 1, 1, 1, 11, 11, 11, 11, 7, 7, 7, 7, 2, 2, 2, 2, 12, 12, 12, 12, 6, 6, 6, 6, 10, 10, 10, 10, 4, 4, 4, 4, 8, 8, 8, 8, 13, 13, 13, 13, 5]> : tensor<63xi8> : !kan.int<0:62> -> !kan.int<0:15>
  %q = kan.sum %t, %z as "q" : !kan.int<0:15>, !kan.int<0:3> -> !kan.int<0:18>
  %r = kan.sum %u, %z as "r" : !kan.int<0:15>, !kan.int<0:3> -> !kan.int<0:18>
  func.return %q, %r, %s : !kan.int<0:18>, !kan.int<0:18>, !kan.int<0:62>
}

// The function repeats after 32 codes: the highest two bits are not read.
// CHECK-LABEL: @wrapped
// CHECK: kan.sum %x, %{{.*}} : !kan.int<0:127>, !kan.int<3:3> -> !kan.int<3:130>
// CHECK-NEXT: [[B:%.*]] = kan.extract %{{.*}} from 2 : !kan.int<3:130> -> !kan.int<0:7>
// CHECK-NEXT: kan.table [[B]] as "p" entries dense<[0, 3, 15, 9, 6, 12, 1, 8]>
func.func @wrapped(%x: !kan.int<0:127>, %z: !kan.int<0:3>) -> !kan.int<0:18> {
  %p = kan.table %x as "p" entries dense<[0, 3, 3, 3, 3, 15, 15, 15, 15, 9, 9, 9, 9, 6, 6, 6, 6, 12, 12, 12, 12, 1, 1, 1, 1, 8, 8, 8, 8, 0, 0, 0, 0, 3, 3, 3, 3, 15, 15, 15, 15, 9, 9, 9, 9, 6, 6, 6, 6, 12, 12, 12, 12, 1, 1, 1, 1, 8, 8, 8, 8, 0, 0, 0, 0, 3, 3, 3, 3, 15, 15, 15, 15, 9, 9, 9, 9, 6, 6, 6, 6, 12, 12, 12, 12, 1, 1, 1, 1, 8, 8, 8, 8, 0, 0, 0, 0, 3, 3, 3, 3, 15, 15, 15, 15, 9, 9, 9, 9, 6, 6, 6, 6, 12, 12, 12, 12, 1, 1, 1, 1, 8, 8, 8, 8, 0, 0, 0]> : tensor<128xi8> : !kan.int<0:127> -> !kan.int<0:15>
  %q = kan.sum %p, %z as "q" : !kan.int<0:15>, !kan.int<0:3> -> !kan.int<0:18>
  func.return %q : !kan.int<0:18>
}

// Three tables of seven bits tell the same seven classes of codes apart.
// CHECK-LABEL: @classes
// CHECK: [[C:%.*]] = kan.table %{{.*}} as "{{[a-z]}}_class"
// CHECK: kan.table [[C]] as "t" entries dense<{{.*}}> : tensor<7xi8> : !kan.int<0:6>
// CHECK-NEXT: kan.table [[C]] as "u" entries dense<{{.*}}> : tensor<7xi8> : !kan.int<0:6>
// CHECK-NEXT: kan.table [[C]] as "v" entries dense<{{.*}}> : tensor<7xi8> : !kan.int<0:6>
func.func @classes(%x: !kan.int<-64:63>, %z: !kan.int<0:3>) -> (!kan.int<0:18>, !kan.int<0:18>, !kan.int<0:14>) {
  %t = kan.table %x as "t" entries dense<[0, 13, 5, 1, 2, 4, 15, 5, 15, 0, 13, 5, 1, 5, 0, 0, 0, 0, 13, 15, 13, 2, 4, 13, 13, 1, 13, 15, 13, 15, 4, 4, 0, 5, 2, 1, 2, 2, 2, 0, 15, 1, 15, 13, 5, 15, 13, 0, 5, 2, 0, 15, 5, 13, 1, 15, 15, 15, 5, 0, 4, 2, 4, 0, 0, 1, 5, 1, 15, 13, 1, 5, 5, 4, 13, 5, 0, 13, 13, 2, 2, 1, 13, 4, 4, 13, 0, 5, 13, 4, 1, 1, 5, 1, 15, 13, 4, 0, 5, 15, 15, 0, 4, 4, 1, 5, 15, 15, 2, 5, 13, 15, 13, 1, 2, 13, 5, 4, 13, 2, 15, 2, 2, 1, 15, 13, 5, 2]> : tensor<128xi8> : !kan.int<-64:63> -> !kan.int<0:15>
  %u = kan.table %x as "u" entries dense<[0, 13, 15, 12, 9, 6, 8, 15, 8, 0, 13, 15, 12, 15, 0, 0, 0, 0, 13, 8, 13, 9, 6, 13, 13, 12, 13, 8, 13, 8, 6, 6, 0, 15, 9, 12, 9, 9, 9, 0, 8, 12, 8, 13, 15, 8, 13, 0, 15, 9, 0, 8, 15, 13, 12, 8, 8, 8, 15, 0, 6, 9, 6, 0, 0, 12, 15, 12, 8, 13, 12, 15, 15, 6, 13, 15, 0, 13, 13, 9, 9, 12, 13, 6, 6, 13, 0, 15, 13, 6, 12, 12, 15, 12, 8, 13, 6, 0, 15, 8, 8, 0, 6, 6, 12, 15, 8, 8, 9, 15, 13, 8, 13, 12, 9, 13, 15, 6, 13, 9, 8, 9, 9, 12, 8, 13, 15, 9]> : tensor<128xi8> : !kan.int<-64:63> -> !kan.int<0:15>
  %v = kan.table %x as "v" entries dense<[0, 8, 7, 9, 2, 11, 4, 7, 4, 0, 8, 7, 9, 7, 0, 0, 0, 0, 8, 4, 8, 2, 11, 8, 8, 9, 8, 4, 8, 4, 11, 11, 0, 7, 2, 9, 2, 2, 2, 0, 4, 9, 4, 8, 7, 4, 8, 0, 7, 2, 0, 4, 7, 8, 9, 4, 4, 4, 7, 0, 11, 2, 11, 0, 0, 9, 7, 9, 4, 8, 9, 7, 7, 11, 8, 7, 0, 8, 8, 2, 2, 9, 8, 11, 11, 8, 0, 7, 8, 11, 9, 9, 7, 9, 4, 8, 11, 0, 7, 4, 4, 0, 11, 11, 9, 7, 4, 4, 2, 7, 8, 4, 8, 9, 2, 8, 7, 11, 8, 2, 4, 2, 2, 9, 4, 8, 7, 2]> : tensor<128xi8> : !kan.int<-64:63> -> !kan.int<0:11>
  %a = kan.sum %t, %z as "a" : !kan.int<0:15>, !kan.int<0:3> -> !kan.int<0:18>
  %b = kan.sum %u, %z as "b" : !kan.int<0:15>, !kan.int<0:3> -> !kan.int<0:18>
  %c = kan.sum %v, %z as "c" : !kan.int<0:11>, !kan.int<0:3> -> !kan.int<0:14>
  func.return %a, %b, %c : !kan.int<0:18>, !kan.int<0:18>, !kan.int<0:14>
}

// A table that needs all bits stays. So does one behind a node, which its mark names.
// CHECK-LABEL: @needed
// CHECK-NEXT: [[T:%.*]] = kan.table %x as "t"
// CHECK-NEXT: kan.mark [[T]] as "node"
// CHECK-NEXT: kan.table [[T]] as "u"
func.func @needed(%x: !kan.int<0:15>, %z: !kan.int<0:3>) -> !kan.int<0:18> {
  %t = kan.table %x as "t" entries dense<[0, 7, 1, 12, 15, 9, 4, 6, 2, 11, 3, 8, 14, 5, 13, 10]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:15>
  kan.mark %t as "node" offset 0 cycle 0 : !kan.int<0:15>
  %u = kan.table %t as "u" entries dense<[5, 0, 14, 3, 9, 15, 1, 11, 7, 2, 12, 6, 10, 4, 8, 13]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:15>
  %q = kan.sum %u, %z as "q" : !kan.int<0:15>, !kan.int<0:3> -> !kan.int<0:18>
  func.return %q : !kan.int<0:18>
}

// Tables of more than 12 bits are left alone, and so are bits of wider values.
// CHECK-LABEL: @wide
// CHECK-NEXT: [[B:%.*]] = kan.extract %x from 9 : !kan.int<0:8191> -> !kan.int<0:15>
// CHECK-NEXT: kan.table [[B]] as "t"
func.func @wide(%x: !kan.int<0:8191>, %z: !kan.int<0:3>) -> !kan.int<0:18> {
  %b = kan.extract %x from 9 : !kan.int<0:8191> -> !kan.int<0:15>
  %t = kan.table %b as "t" entries dense<[0, 7, 1, 12, 15, 9, 4, 6, 2, 11, 3, 8, 14, 5, 13, 10]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:15>
  %q = kan.sum %t, %z as "q" : !kan.int<0:15>, !kan.int<0:3> -> !kan.int<0:18>
  func.return %q : !kan.int<0:18>
}

// A table of a value that is always the same is left for kan-narrow.
// CHECK-LABEL: @fixed
// CHECK-NEXT: kan.table %x as "t"
func.func @fixed(%x: !kan.int<3:3>, %z: !kan.int<0:3>) -> !kan.int<0:18> {
  %t = kan.table %x as "t" entries dense<[7]> : tensor<1xi8> : !kan.int<3:3> -> !kan.int<0:15>
  %q = kan.sum %t, %z as "q" : !kan.int<0:15>, !kan.int<0:3> -> !kan.int<0:18>
  func.return %q : !kan.int<0:18>
}
