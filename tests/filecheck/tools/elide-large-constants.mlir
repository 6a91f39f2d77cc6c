// RUN: kan-opt %s --elide-large-constants 8 | filecheck %s
// RUN: kan-opt %s --elide-large-constants 8 -p canonicalize --print-between-passes | filecheck %s
// RUN: kan-opt %s | filecheck %s --check-prefix FULL

// For reading: long constants are left out, also between passes.
// CHECK-LABEL: @f
func.func @f(%x: !kan.int<0:7>, %y: !kan.int<0:8>) -> (!kan.int<0:3>, !kan.int<1:1>) {
  // CHECK: kan.table %x entries dense<[0, 1, 2, 3, 3, 2, 1, 0]> : tensor<8xi8> : !kan.int<0:7>
  %t = kan.table %x entries dense<[0, 1, 2, 3, 3, 2, 1, 0]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:3>
  // CHECK: kan.table %y entries dense_resource<__elided__> : tensor<9xi8> : !kan.int<0:8>
  // FULL: kan.table %y entries dense<"0x010101010101010101"> : tensor<9xi8> : !kan.int<0:8>
  %u = kan.table %y entries dense<1> : tensor<9xi8> : !kan.int<0:8> -> !kan.int<1:1>
  func.return %t, %u : !kan.int<0:3>, !kan.int<1:1>
}
