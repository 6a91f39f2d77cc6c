// RUN: kan-opt %s --print-decimal | filecheck %s
// RUN: kan-opt %s --print-decimal -p canonicalize --print-between-passes | filecheck %s
// RUN: kan-opt %s --print-decimal --print-op-generic | filecheck %s --check-prefix GENERIC
// RUN: kan-opt %s --print-decimal --elide-large-constants 11 | filecheck %s --check-prefix ELIDED

// What was printed is the same module again, by way of every form.
// RUN: kan-opt %s -o %t.mlir
// RUN: kan-opt %s --print-decimal | kan-opt | diff - %t.mlir
// RUN: kan-opt %s --print-decimal --print-op-generic | kan-opt | diff - %t.mlir
// RUN: kan-opt %s --print-decimal | xdsl-opt | kan-opt | diff - %t.mlir

// One line for each edge, with its node and input behind it.
// CHECK-LABEL: @tables
// CHECK: kan.tables %x as "layer0" tables dense<[
// CHECK-NEXT: {{^}}        [[1, 2, -3],  // 0, 0
// CHECK-NEXT: {{^}}         [4, 5, 6]],  // 0, 1
// CHECK-NEXT: {{^}}        [[7, 8, 9],  // 1, 0
// CHECK-NEXT: {{^}}         [0, 0, -1]]  // 1, 1
// CHECK-NEXT: {{^}}      ]> : tensor<2x2x3xi8> : tensor<2x!quant.uniform
// GENERIC: tables = dense<[
// GENERIC-NEXT: [1, 2, -3], // 0, 0
// ELIDED: tables dense_resource<__elided__> : tensor<2x2x3xi8>
func.func @tables(%x: tensor<2x!quant.uniform<u2<0:2>:f32, 0.5>>) -> tensor<2x2x!quant.uniform<i8:f32, 0.25>> {
  %t = kan.tables %x as "layer0" tables dense<"0x0102FD0405060708090000FF"> : tensor<2x2x3xi8>
    : tensor<2x!quant.uniform<u2<0:2>:f32, 0.5>> -> tensor<2x2x!quant.uniform<i8:f32, 0.25>>
  func.return %t : tensor<2x2x!quant.uniform<i8:f32, 0.25>>
}

// Floats have the fewest digits that are exact.
// CHECK-LABEL: @floats
// CHECK: kan.affine %x scale dense<[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 1.0e+17]> : tensor<9xf32>
// CHECK-SAME: bias dense<[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, -0.0]> : tensor<9xf64>
// ELIDED: kan.affine %x scale dense<[0.1, 0.1
func.func @floats(%x: tensor<9xf32>) -> tensor<9xf32> {
  %a = kan.affine %x scale dense<[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 1.0e17]> : tensor<9xf32>
    bias dense<[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, -0.0]> : tensor<9xf64> : tensor<9xf32>
  func.return %a : tensor<9xf32>
}
