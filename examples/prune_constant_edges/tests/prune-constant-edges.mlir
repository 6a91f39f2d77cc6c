// RUN: kan-opt --check-passes %s -p prune-constant-edges | filecheck %s

// The second edge is 5 for every code: it goes, and the bias takes it.
// CHECK: kan.tables
// CHECK-NEXT: kan.node_sum
// CHECK-SAME: mask dense<[[1, 0]]> : tensor<1x2xi8>
// CHECK-SAME: bias dense<[5]> : tensor<1xi8>
func.func @tiny(%x: tensor<2xf32>) -> tensor<1xf32> {
  %q = kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32, 1.0>>
  %t = kan.tables %q as "layer0" tables dense<[[[0, 1, 2, 3], [5, 5, 5, 5]]]> : tensor<1x2x4xi8> bounds dense<[[[0, 3], [5, 5]]]> : tensor<1x2x2xi8> : tensor<2x!quant.uniform<u2:f32, 1.0>> -> tensor<1x2x!quant.uniform<u3:f32, 1.0>>
  %n = kan.node_sum %t as "layer0" bounds dense<[[5, 8]]> : tensor<1x2xi8> : tensor<1x2x!quant.uniform<u3:f32, 1.0>> -> tensor<1x!quant.uniform<u4:f32, 1.0>>
  %y = kan.dequantize %n : tensor<1x!quant.uniform<u4:f32, 1.0>> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}
