// RUN: kan-opt %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | filecheck %s --check-prefix GENERIC

// CHECK-LABEL: @symbolic
// GENERIC-LABEL: sym_name = "symbolic"
func.func @symbolic(%x: tensor<2xf64>) -> tensor<1x2xf64> {
  // CHECK: kan.symbolic ["sin", "exp"] %x as "layer0" choice dense<{{\[\[}}0, 1]]> : tensor<1x2xi8>
  // CHECK-SAME: affine dense<{{\[\[\[}}1.0, 0.0, 2.0, 0.5], [0.5, 1.0, 1.0, 0.0]]]> : tensor<1x2x4xf32> : tensor<2xf64> -> tensor<1x2xf64>
  // GENERIC: "kan.symbolic"(%x) <{functions = ["sin", "exp"], name = "layer0", choice = {{.*}}, affine =
  %symbolic = kan.symbolic ["sin", "exp"] %x as "layer0" choice dense<[[0, 1]]> : tensor<1x2xi8>
    affine dense<[[[1.0, 0.0, 2.0, 0.5], [0.5, 1.0, 1.0, 0.0]]]> : tensor<1x2x4xf32> : tensor<2xf64> -> tensor<1x2xf64>
  func.return %symbolic : tensor<1x2xf64>
}
