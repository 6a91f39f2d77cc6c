// RUN: kan-opt --check-passes %s -p "kan-quantize{bits=5},kan-fold-tables" | filecheck %s

// CHECK-LABEL: @net
// CHECK-NOT: sinc.edges
// CHECK: kan.tables %{{.*}} as "layer0"
// CHECK-NEXT: kan.node_sum %{{.*}} as "layer0"
func.func @net(%x: tensor<2xf32>) -> tensor<1xf32> {
  %seen = kan.observe %x range dense<[[-6.0, 6.0], [-6.0, 6.0]]> : tensor<2x2xf64> histogram dense<1> : tensor<2x4xi64> : tensor<2xf32>
  %e = sinc.edges %seen as "layer0" weights dense<[[1.0, -0.5]]> : tensor<1x2xf64> rates dense<[[1.0, 2.0]]> : tensor<1x2xf64> : tensor<2xf32> -> tensor<1x2xf32>
  %n = kan.node_sum %e as "layer0" : tensor<1x2xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}
