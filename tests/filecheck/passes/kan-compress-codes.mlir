// RUN: kan-opt --check-passes %s -p kan-compress-codes | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-compress-codes{target=ecp5}' | filecheck %s --check-prefix ECP5

// All blocks of eight codes up to 39 are equal, and so are those from 48 on.
// CHECK-LABEL: @step
// CHECK-NEXT: [[U:%.*]] = kan.extract %x from 3 : !kan.int<0:127> -> !kan.int<0:15>
// CHECK-NEXT: [[C:%.*]] = kan.table [[U]] as "t_class" entries dense<"0x00000000000810101010101010101010">
// CHECK-NEXT: [[L:%.*]] = kan.extract %x from 0 : !kan.int<0:127> -> !kan.int<0:7>
// CHECK-NEXT: [[Y:%.*]] = kan.sum [[C]], [[L]]
// CHECK-NEXT: kan.table [[Y]] as "t"
// Its adders absorb no tables.
// ECP5-LABEL: @step
// ECP5-NEXT: kan.table %x as "t"
func.func @step(%x: !kan.int<0:127>, %z: !kan.int<0:3>) -> !kan.int<0:66> {
  %t = kan.table %x as "t" entries dense<[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 17, 9, 40, 22, 51, 37, 28, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63]> : tensor<128xi8> : !kan.int<0:127> -> !kan.int<0:63>
  %s = kan.sum %t, %z as "s" : !kan.int<0:63>, !kan.int<0:3> -> !kan.int<0:66>
  func.return %s : !kan.int<0:66>
}

// Blocks are numbered from the lowest code on, which is in the middle of the patterns.
// CHECK-LABEL: @signed
// CHECK: kan.table {{.*}} as "t_class" entries dense<"0x10101010101010100000000000081010">
// CHECK: kan.table {{.*}} as "t" entries dense<"0x0000000000000000031109281633251C3F3F3F3F3F3F3F3F">
func.func @signed(%x: !kan.int<-64:63>, %z: !kan.int<0:3>) -> !kan.int<0:66> {
  %t = kan.table %x as "t" entries dense<[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 17, 9, 40, 22, 51, 37, 28, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63]> : tensor<128xi8> : !kan.int<-64:63> -> !kan.int<0:63>
  %s = kan.sum %t, %z as "s" : !kan.int<0:63>, !kan.int<0:3> -> !kan.int<0:66>
  func.return %s : !kan.int<0:66>
}

// A table that changes everywhere stays, as does one that something other than a sum reads.
// CHECK-LABEL: @whole
// CHECK-NEXT: kan.table %x as "t"
// CHECK-NEXT: kan.table %x as "u"
func.func @whole(%x: !kan.int<0:127>, %z: !kan.int<0:3>) -> (!kan.int<0:130>, !kan.int<0:63>) {
  %t = kan.table %x as "t" entries dense<[0, 37, 74, 111, 20, 57, 94, 3, 40, 77, 114, 23, 60, 97, 6, 43, 80, 117, 26, 63, 100, 9, 46, 83, 120, 29, 66, 103, 12, 49, 86, 123, 32, 69, 106, 15, 52, 89, 126, 35, 72, 109, 18, 55, 92, 1, 38, 75, 112, 21, 58, 95, 4, 41, 78, 115, 24, 61, 98, 7, 44, 81, 118, 27, 64, 101, 10, 47, 84, 121, 30, 67, 104, 13, 50, 87, 124, 33, 70, 107, 16, 53, 90, 127, 36, 73, 110, 19, 56, 93, 2, 39, 76, 113, 22, 59, 96, 5, 42, 79, 116, 25, 62, 99, 8, 45, 82, 119, 28, 65, 102, 11, 48, 85, 122, 31, 68, 105, 14, 51, 88, 125, 34, 71, 108, 17, 54, 91]> : tensor<128xi16> : !kan.int<0:127> -> !kan.int<0:127>
  %u = kan.table %x as "u" entries dense<[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 17, 9, 40, 22, 51, 37, 28, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63]> : tensor<128xi8> : !kan.int<0:127> -> !kan.int<0:63>
  %s = kan.sum %t, %z as "s" : !kan.int<0:127>, !kan.int<0:3> -> !kan.int<0:130>
  func.return %s, %u : !kan.int<0:130>, !kan.int<0:63>
}
