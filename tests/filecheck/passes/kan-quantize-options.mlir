// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=2 scale="minmax" per-tensor=true}' | filecheck %s --check-prefix TENSOR
// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=2 scale="minmax" guard-bits=2}' | filecheck %s --check-prefix GUARD
// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=1,2,3 scale="minmax"}' | filecheck %s --check-prefix WIDTHS
// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=2 scale="percentile" percentile=75.0}' | filecheck %s --check-prefix PERCENTILE
// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=2}' | filecheck %s --check-prefix MSE

func.func @layer(%x: tensor<2xf32>) -> tensor<1xf32> {
  // One scale and zero point for all inputs.
  // TENSOR: kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32, 2.0:1>>

  // A number of bits for the inputs, and one for each layer.
  // WIDTHS: kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u1:f32:0, {3.0,6.0}>>

  // 3 of 4 samples, without as many at either end: 0.75..2.25 of the first input.
  // PERCENTILE: kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32:0, {0.5:-2,

  // The least squared error: codes for 0.6..2.4 of the first input's 0..3, and for -1.3..2.6 of the
  // second's -2..4.
  // MSE: kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32:0, {0.6000000000000001:-1,1.3:1}>>
  %ox = kan.observe %x range dense<[[0.0, 3.0], [-2.0, 4.0]]> : tensor<2x2xf32> histogram dense<[[1, 4, 4, 1], [50, 48, 0, 2]]> : tensor<2x4xi8> : tensor<2xf32>
  %e = kan.base "identity" %ox weights dense<[[1.0, 0.5]]> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>

  // Edges are finer than the codes of their nodes; rounding to codes is a shift.
  // TENSOR: kan.node_sum {{.*}} -> tensor<1x!quant.uniform<i{{[0-9]}}:f32, 2.0>>
  // GUARD: kan.node_sum {{.*}} -> tensor<1x!quant.uniform<i5:f32:0, {0.5}>>
  // GUARD: kan.requantize {{.*}} -> tensor<1x!quant.uniform<u2:f32:0, {2.0:1}>>
  // WIDTHS: kan.requantize {{.*}} -> tensor<1x!quant.uniform<u2:f32:0, {2.0:1}>>
  %n = kan.node_sum %e as "layer0" : tensor<1x2xf32> -> tensor<1xf32>
  %on = kan.observe %n range dense<[[-2.0, 4.0]]> : tensor<1x2xf32> histogram dense<[[1, 1]]> : tensor<1x2xi8> : tensor<1xf32>

  // Results are sums, which no rounding follows.
  // GUARD: kan.node_sum {{.*}} -> tensor<1x!quant.uniform<i3:f32, 2.0>>
  // WIDTHS: kan.node_sum {{.*}} -> tensor<1x!quant.uniform<i4:f32, 0.8571428571428571>>
  %f = kan.base "identity" %on weights dense<1.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %y = kan.node_sum %f as "layer1" : tensor<1x1xf32> -> tensor<1xf32>
  %oy = kan.observe %y range dense<[[-2.0, 4.0]]> : tensor<1x2xf32> histogram dense<[[1, 1]]> : tensor<1x2xi8> : tensor<1xf32>
  func.return %oy : tensor<1xf32>
}
