// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=3 scale="minmax"}' | filecheck %s

!file = !quant.uniform<i2:f32, 1.0>

// Codes that a model's file gives stay. Steps of the edges in front divide their scale.
// CHECK-LABEL: @rounds
// CHECK: kan.quantize %e {{.*}} -> tensor<1x1x!quant.uniform<i4:f32, 0.25>>
// CHECK-NEXT: [[S:%.*]] = kan.node_sum {{.*}} -> tensor<1x!quant.uniform<i4:f32, 0.25>>
// CHECK-NEXT: [[Q:%.*]] = kan.requantize [[S]] as "layer0" : {{.*}} -> tensor<1x!quant.uniform<i2:f32, 1.0>>
// CHECK-NEXT: kan.dequantize [[Q]]
func.func @rounds(%x: tensor<1xf32>) -> tensor<1xf32> {
  %p = kan.quantize %x : tensor<1xf32> -> tensor<1x!file>
  %r = kan.dequantize %p : tensor<1x!file> -> tensor<1xf32>
  %e = kan.base "identity" %r weights dense<0.9> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e as "layer0" : tensor<1x1xf32> -> tensor<1xf32>
  %o = kan.observe %n range dense<[[-1.0, 1.0]]> : tensor<1x2xf32> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  %q = kan.quantize %o : tensor<1xf32> -> tensor<1x!file>
  %y = kan.dequantize %q : tensor<1x!file> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// Another rounding, or a function in front of the quantiser, reads the exact sums. Other readers get
// codes of the chosen bits.
// CHECK-LABEL: @reads_sums
// CHECK: [[S:%.*]] = kan.node_sum
// CHECK-NEXT: [[X:%.*]] = kan.dequantize [[S]]
// CHECK-NEXT: [[R:%.*]] = kan.requantize [[S]] as "layer0" : {{.*}} -> tensor<1x!quant.uniform<u3
// CHECK-NEXT: [[Y:%.*]] = kan.dequantize [[R]]
// CHECK-NEXT: [[Q:%.*]] = kan.quantize [[X]] rounding "floor" : tensor<1xf32> -> tensor<1x!quant.uniform<i2:f32, 1.0>>
// CHECK-NEXT: kan.dequantize [[Q]]
// CHECK-NEXT: kan.map "silu" [[Y]]
func.func @reads_sums(%x: tensor<1xf32>) -> (tensor<1xf32>, tensor<1xf32>) {
  %o = kan.observe %x range dense<[[0.0, 3.0]]> : tensor<1x2xf32> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  %e = kan.base "identity" %o weights dense<0.9> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e as "layer0" : tensor<1x1xf32> -> tensor<1xf32>
  %h = kan.observe %n range dense<[[0.0, 3.0]]> : tensor<1x2xf32> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  %q = kan.quantize %h rounding "floor" : tensor<1xf32> -> tensor<1x!file>
  %y = kan.dequantize %q : tensor<1x!file> -> tensor<1xf32>
  %z = kan.map "silu" %h : tensor<1xf32>
  func.return %y, %z : tensor<1xf32>, tensor<1xf32>
}
