// RUN: kan-opt %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | filecheck %s --check-prefix GENERIC

// CHECK-LABEL: @shaped
// GENERIC-LABEL: sym_name = "shaped"
func.func @shaped(%x: tensor<2xf64>) -> tensor<1x2xf64> {
  // CHECK: kan.shaped %x as "layer0" grid dense<[-1.0, 0.0, 1.0]> : tensor<3xf32> shapes dense<{{\[\[}}0.0, 1.0, 0.5]]> : tensor<1x3xf32>
  // CHECK-SAME: choice dense<{{\[\[}}0, 0]]> : tensor<1x2xi8> affine dense<{{\[\[\[}}1.0, 0.0, 2.0], [0.5, 1.0, -1.0]]]> : tensor<1x2x3xf32> : tensor<2xf64> -> tensor<1x2xf64>
  // GENERIC: "kan.shaped"(%x) <{name = "layer0", grid = {{.*}}, shapes = {{.*}}, choice = {{.*}}, affine =
  %shaped = kan.shaped %x as "layer0" grid dense<[-1.0, 0.0, 1.0]> : tensor<3xf32> shapes dense<[[0.0, 1.0, 0.5]]> : tensor<1x3xf32>
    choice dense<0> : tensor<1x2xi8> affine dense<[[[1.0, 0.0, 2.0], [0.5, 1.0, -1.0]]]> : tensor<1x2x3xf32> : tensor<2xf64> -> tensor<1x2xf64>
  func.return %shaped : tensor<1x2xf64>
}
