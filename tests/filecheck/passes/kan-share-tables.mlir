// RUN: kan-opt --check-passes %s -p kan-share-tables | filecheck %s
// RUN: kan-opt --check-passes %s -p kan-share-tables,kan-share-tables | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-share-tables{target=ecp5}' | filecheck %s --check-prefix ECP5
// RUN: not kan-opt %s -p 'kan-share-tables{target=abacus}' 2>&1 | filecheck %s --check-prefix TARGET
// TARGET: there is no target 'abacus'

// One of four tables is enough: %u is 3 - %t, which is the complement of %t and -4; %v is -%t; %w is
// %t + 1. Complements keep the names of their tables. Constants of a sum become one.
// CHECK-LABEL: @alike
// CHECK-NEXT: %t = kan.table %x as "t"
// CHECK-NEXT: [[U:%.*]] = kan.table %t as "u" entries dense<[7, 6, 5, 4, 3, 2, 1, 0]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:7>
// CHECK-NEXT: [[V:%.*]] = kan.table %t as "v" entries dense<[7, 6, 5, 4, 3, 2, 1, 0]>
// CHECK-NEXT: kan.sum %t, %y as "r" : !kan.int<0:7>, !kan.int<0:99> -> !kan.int<0:106>
// CHECK-NEXT: [[C:%.*]] = kan.constant -6
// CHECK-NEXT: kan.sum [[U]], %y, [[C]] as "s" : !kan.int<0:7>, !kan.int<0:99>, !kan.int<-6:-6> -> !kan.int<-6:100>
// CHECK-NEXT: [[D:%.*]] = kan.constant -6
// CHECK-NEXT: kan.sum [[V]], %t, [[D]] as "q" : !kan.int<0:7>, !kan.int<0:7>, !kan.int<-6:-6> -> !kan.int<-6:8>
// CHECK-NEXT: return
func.func @alike(%x: !kan.int<0:15>, %y: !kan.int<0:99>) -> (!kan.int<0:106>, !kan.int<-6:100>, !kan.int<-6:8>) {
  %t = kan.table %x as "t" entries dense<[0, 1, 6, 5, 4, 7, 2, 3, 1, 1, 5, 6, 0, 2, 2, 7]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:7>
  %u = kan.table %x as "u" entries dense<[3, 2, -3, -2, -1, -4, 1, 0, 2, 2, -2, -3, 3, 1, 1, -4]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<-4:3>
  %v = kan.table %x as "v" entries dense<[0, -1, -6, -5, -4, -7, -2, -3, -1, -1, -5, -6, 0, -2, -2, -7]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<-7:0>
  %w = kan.table %x as "w" entries dense<[1, 2, 7, 6, 5, 8, 3, 4, 2, 2, 6, 7, 1, 3, 3, 8]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<1:8>
  %c = kan.constant -2 : !kan.int<-2:-2>
  %r = kan.sum %t, %y as "r" : !kan.int<0:7>, !kan.int<0:99> -> !kan.int<0:106>
  %s = kan.sum %u, %y, %c as "s" : !kan.int<-4:3>, !kan.int<0:99>, !kan.int<-2:-2> -> !kan.int<-6:100>
  %q = kan.sum %v, %w as "q" : !kan.int<-7:0>, !kan.int<1:8> -> !kan.int<-6:8>
  func.return %r, %s, %q : !kan.int<0:106>, !kan.int<-6:100>, !kan.int<-6:8>
}

// The LUTs of xcup's adders absorb a table of four inputs, but not one that two sums read, so sharing
// pays on ecp5 only. Tables of another input, or with other entries that do not matter, stay.
// CHECK-LABEL: @absorbed
// CHECK: kan.sum %t, %y as "r"
// CHECK-NEXT: kan.sum %u, %y as "s"
// CHECK-NEXT: kan.sum %v, %w, %y as "q"
// ECP5-LABEL: @absorbed
// ECP5-NEXT: %t = kan.table %x as "t"
// ECP5-NEXT: %v = kan.table %x as "v"
// ECP5-NEXT: %w = kan.table %z as "w"
// ECP5-NEXT: kan.sum %t, %y as "r"
// ECP5-NEXT: [[C:%.*]] = kan.constant 1
// ECP5-NEXT: kan.sum %t, %y, [[C]] as "s"
// ECP5-NEXT: kan.sum %v, %w, %y as "q"
func.func @absorbed(%x: !kan.int<0:15>, %z: !kan.int<0:15>, %y: !kan.int<0:99>) -> (!kan.int<0:106>, !kan.int<1:107>, !kan.int<0:113>) {
  %t = kan.table %x as "t" entries dense<[0, 1, 6, 5, 4, 7, 2, 3, 1, 1, 5, 6, 0, 2, 2, 7]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:7>
  %u = kan.table %x as "u" entries dense<[1, 2, 7, 6, 5, 8, 3, 4, 2, 2, 6, 7, 1, 3, 3, 8]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<1:8>
  %v = kan.table %x as "v" entries dense<[0, 1, 6, 5, 4, 7, 2, 3, 1, 1, 5, 6, 0, 2, 2, 7]> : tensor<16xi8> care dense<[1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:7>
  %w = kan.table %z as "w" entries dense<[0, 1, 6, 5, 4, 7, 2, 3, 1, 1, 5, 6, 0, 2, 2, 7]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:7>
  %r = kan.sum %t, %y as "r" : !kan.int<0:7>, !kan.int<0:99> -> !kan.int<0:106>
  %s = kan.sum %u, %y as "s" : !kan.int<1:8>, !kan.int<0:99> -> !kan.int<1:107>
  %q = kan.sum %v, %w, %y as "q" : !kan.int<0:7>, !kan.int<0:7>, !kan.int<0:99> -> !kan.int<0:113>
  func.return %r, %s, %q : !kan.int<0:106>, !kan.int<1:107>, !kan.int<0:113>
}

// Equal bits and equal tables that other ops read become one, inputs first. A table with another offset
// stays.
// CHECK-LABEL: @same
// CHECK-NEXT: [[B:%.*]] = kan.extract %x from 2
// CHECK-NEXT: %p = kan.table [[B]] as "p"
// CHECK-NEXT: %r = kan.table %p as "r"
// CHECK-NEXT: %o = kan.table %p as "o"
// CHECK-NEXT: kan.mark %r as "node0"
// CHECK-NEXT: return %r, %r, %o
func.func @same(%x: !kan.int<0:15>) -> (!kan.int<0:9>, !kan.int<0:9>, !kan.int<1:10>) {
  %a = kan.extract %x from 2 : !kan.int<0:15> -> !kan.int<0:3>
  %b = kan.extract %x from 2 : !kan.int<0:15> -> !kan.int<0:3>
  %p = kan.table %a as "p" entries dense<[0, 2, 1, 3]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  %q = kan.table %b as "q" entries dense<[0, 2, 1, 3]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  %r = kan.table %p as "r" entries dense<[0, 9, 4, 1]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:9>
  %s = kan.table %q as "s" entries dense<[0, 9, 4, 1]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:9>
  %o = kan.table %q as "o" entries dense<[1, 10, 5, 2]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<1:10>
  kan.mark %r as "node0" offset 0 cycle 0 : !kan.int<0:9>
  func.return %r, %s, %o : !kan.int<0:9>, !kan.int<0:9>, !kan.int<1:10>
}
