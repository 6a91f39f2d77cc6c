// RUN: kan-opt %s --verify-diagnostics --split-input-file | filecheck %s

// CHECK: weights must have the shape of the result
func.func @net(%x: tensor<2xf32>) -> tensor<1x2xf32> {
  %e = sinc.edges %x weights dense<[[1.0]]> : tensor<1x1xf64> rates dense<[[1.0, 2.0]]> : tensor<1x2xf64> : tensor<2xf32> -> tensor<1x2xf32>
  func.return %e : tensor<1x2xf32>
}
