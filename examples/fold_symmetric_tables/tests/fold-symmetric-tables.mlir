// RUN: kan-opt --check-passes %s -p "fold-symmetric-tables{target=lut3 odd=true}" | filecheck %s

// An even table of four bits reads the distance from the middle, which has three.
// CHECK-LABEL: @even
// CHECK-NEXT: %[[D:.*]] = kan.table %x entries dense<"{{.*}}"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<0:7>
// CHECK-NEXT: kan.table %[[D]] as "t" entries dense<[5, 3, 8, 2, 9, 0, 4, 7]>
// CHECK-NEXT: kan.table %[[D]] as "u" entries dense<[1, 7, 2, 6, 3, 0, 9, 4]>
func.func @even(%x: !kan.int<-8:7>) -> (!kan.int<0:9>, !kan.int<0:9>) {
  %t = kan.table %x as "t" entries dense<[7, 4, 0, 9, 2, 8, 3, 5, 5, 3, 8, 2, 9, 0, 4, 7]> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<0:9>
  %u = kan.table %x as "u" entries dense<[4, 9, 0, 3, 6, 2, 7, 1, 1, 7, 2, 6, 3, 0, 9, 4]> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<0:9>
  func.return %t, %u : !kan.int<0:9>, !kan.int<0:9>
}



// Neither even nor odd: the table stays.
// CHECK-LABEL: @neither
// CHECK-NEXT: kan.table %x as "t"
// CHECK-NEXT: func.return
func.func @neither(%x: !kan.int<-8:7>) -> !kan.int<0:9> {
  %t = kan.table %x as "t" entries dense<[7, 4, 0, 9, 2, 8, 3, 5, 5, 3, 8, 2, 9, 0, 4, 6]> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<0:9>
  func.return %t : !kan.int<0:9>
}

// Odd tables, whose partners add up to 7, become their upper halves, with inverted bits below the
// middle. The sums keep their ranges: the verifier proves them for all functions of %x together.
// CHECK-LABEL: @odd
// CHECK-NEXT: %[[D:.*]] = kan.table %x entries {{.*}} : !kan.int<-16:15> -> !kan.int<0:15>
// CHECK-NEXT: %[[S:.*]] = kan.table %x entries {{.*}} : !kan.int<-16:15> -> !kan.int<0:1>
// CHECK-NEXT: %[[H:.*]] = kan.table %[[D]] entries
// CHECK-NEXT: %[[T:.*]] = kan.table %[[H]], %[[S]] as "t"
// CHECK-NEXT: kan.sum %[[T]], %y as "sum" : !kan.int<0:7>, !kan.int<0:1> -> !kan.int<0:8>
func.func @odd(%x: !kan.int<-16:15>, %y: !kan.int<0:1>) -> (!kan.int<0:8>, !kan.int<0:8>) {
  %t = kan.table %x as "t" entries dense<[7, 6, 4, 3, 4, 5, 7, 0, 7, 2, 3, 4, 0, 7, 1, 2, 5, 6, 0, 7, 3, 4, 5, 0, 7, 0, 2, 3, 4, 3, 1, 0]> : tensor<32xi8> : !kan.int<-16:15> -> !kan.int<0:7>
  %s = kan.sum %t, %y as "sum" : !kan.int<0:7>, !kan.int<0:1> -> !kan.int<0:8>
  %u = kan.table %x as "u" entries dense<[1, 1, 0, 6, 0, 5, 4, 5, 7, 1, 2, 6, 0, 6, 7, 7, 0, 0, 1, 7, 1, 5, 6, 0, 2, 3, 2, 7, 1, 7, 6, 6]> : tensor<32xi8> : !kan.int<-16:15> -> !kan.int<0:7>
  %r = kan.sum %u, %y as "rum" : !kan.int<0:7>, !kan.int<0:1> -> !kan.int<0:8>
  func.return %s, %r : !kan.int<0:8>, !kan.int<0:8>
}
