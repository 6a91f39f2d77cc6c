// RUN: kan-opt %s -t table-csv | filecheck %s

// CHECK: layer,node,input,code,entry
// CHECK-NEXT: layer0,0,,,7
// CHECK-NEXT: layer0,0,0,-2,0
// CHECK-NEXT: layer0,0,0,-1,1
// CHECK-NEXT: layer0,0,0,0,2
// CHECK-NEXT: layer0,0,0,1,3
// CHECK-NOT: layer0,0,1
func.func @tiny(%x: tensor<2xf32>) -> tensor<1xf32> {
  %q = kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<i2:f32, 1.0>>
  %t = kan.tables %q as "layer0" tables dense<[[[0, 1, 2, 3], [5, 6, 5, 5]]]> : tensor<1x2x4xi8> bounds dense<[[[0, 3], [5, 6]]]> : tensor<1x2x2xi8> : tensor<2x!quant.uniform<i2:f32, 1.0>> -> tensor<1x2x!quant.uniform<u3:f32, 1.0>>
  %n = kan.node_sum %t as "layer0" mask dense<[[1, 0]]> : tensor<1x2xi8> bias dense<[7]> : tensor<1xi8> bounds dense<[[7, 10]]> : tensor<1x2xi8> : tensor<1x2x!quant.uniform<u3:f32, 1.0>> -> tensor<1x!quant.uniform<u4:f32, 1.0>>
  %y = kan.dequantize %n : tensor<1x!quant.uniform<u4:f32, 1.0>> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}
