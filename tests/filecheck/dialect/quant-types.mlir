// RUN: kan-opt %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | kan-opt | filecheck %s

// `!quant.uniform` as upstream MLIR spells it; scales are printed in full.

// CHECK-LABEL: @per_tensor
func.func private @per_tensor(
  // CHECK-SAME: tensor<2x!quant.uniform<u8:f32, 0.05:128>>
  tensor<2x!quant.uniform<u8:f32, 5.000000e-02:128>>,
  // A zero point of 0 is not printed.
  // CHECK-SAME: tensor<2x!quant.uniform<i8:f32, 0.05>>
  tensor<2x!quant.uniform<i8:f32, 0.05:0>>,
  // CHECK-SAME: tensor<2x!quant.uniform<i8:f32, 0.05:-3>>
  tensor<2x!quant.uniform<i8:f32, 0.05:-3>>,
  // CHECK-SAME: tensor<2x!quant.uniform<i8:f32, 0.99872:127>>
  tensor<2x!quant.uniform<i8:f32, 9.987200e-01:127>>
)

// CHECK-LABEL: @storage
func.func private @storage(
  // CHECK-SAME: tensor<1x!quant.uniform<u1:f32, 1.0>>
  tensor<1x!quant.uniform<u1:f32, 1.0>>,
  // CHECK-SAME: tensor<1x!quant.uniform<i32:f64, 1.0>>
  tensor<1x!quant.uniform<i32:f64, 1.0>>,
  // CHECK-SAME: tensor<1x!quant.uniform<i8<-8:7>:f32, 2.0:1>>
  tensor<1x!quant.uniform<i8<-8:7>:f32, 2.0:1>>,
  // Bounds that are the storage's own are not printed.
  // CHECK-SAME: tensor<1x!quant.uniform<u4:f16, 0.5>>
  tensor<1x!quant.uniform<u4<0:15>:f16, 0.5>>,
  // CHECK-SAME: tensor<1x!quant.uniform<u4:bf16, 0.5>>
  tensor<1x!quant.uniform<u4:bf16, 0.5>>
)

// CHECK-LABEL: @per_axis
func.func private @per_axis(
  // CHECK-SAME: tensor<2x!quant.uniform<u6:f32:0, {0.1:32,0.25}>>
  tensor<2x!quant.uniform<u6:f32:0, {0.1:32, 0.25}>>,
  // CHECK-SAME: tensor<3x2x!quant.uniform<i8<-4:3>:f32:1, {1.0e-07,1.234567e+06:-1}>>
  tensor<3x2x!quant.uniform<i8<-4:3>:f32:1, {1.0e-7,1234567.0:-1}>>
)
