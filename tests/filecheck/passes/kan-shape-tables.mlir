// RUN: kan-opt --check-passes %s -p 'kan-shape-tables{shapes=1}' | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-shape-tables{shapes=2}' | filecheck %s --check-prefix TWO
// RUN: python -c "import numpy as np; x = np.random.default_rng(0).integers(0, 4, (400, 2)); np.savez('%t.npz', x=x)"
// RUN: kan-opt --check-passes %s -p 'kan-shape-tables{data="%t.npz" max-accuracy-loss=0.01}' | filecheck %s --check-prefix BUDGET
// RUN: not kan-opt %s -p kan-shape-tables 2>&1 | filecheck %s --check-prefix NUMBER
// NUMBER: the number of shapes is not known; say it (shapes=8), or give data to choose it by

// Tables that have the form keep it; the constants 1 and 5 become biases.
// CHECK-LABEL: @multiples
// CHECK-SAME: kan.shapes = {up_to = "shift", shapes = 1 : i64, edges = 4 : i64, tried = [{shapes = 1 : i64}]}
// CHECK: kan.tables {{.*}} tables dense<"0x0008181000FFFDFE0002060400000000">
// CHECK-NEXT: kan.node_sum {{.*}} bias dense<[4, 5]>
func.func @multiples(%x: tensor<2xf32>) -> tensor<2xf32> {
  %q = kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32, 1.0>>
  %t = kan.tables %q as "l" tables dense<[[[0, 8, 24, 16], [1, 0, -2, -1]], [[0, 2, 6, 4], [5, 5, 5, 5]]]> : tensor<2x2x4xi8> : tensor<2x!quant.uniform<u2:f32, 1.0>> -> tensor<2x2x!quant.uniform<i6:f32, 1.0>>
  %s = kan.node_sum %t as "l" bias dense<[3, 0]> : tensor<2xi8> : tensor<2x2x!quant.uniform<i6:f32, 1.0>> -> tensor<2x!quant.uniform<i8:f32, 1.0>>
  %r = kan.dequantize %s : tensor<2x!quant.uniform<i8:f32, 1.0>> -> tensor<2xf32>
  func.return %r : tensor<2xf32>
}

// Two shapes are not multiples of one; with a budget, both stay.
// CHECK-LABEL: @two
// CHECK-SAME: shapes = 1 : i64
// CHECK: kan.tables {{.*}} tables dense<{{\[\[\[}}0, 0, 0, 0], [0, 8, 16, 24]]]>
// TWO-LABEL: @two
// TWO: kan.tables {{.*}} tables dense<{{\[\[\[}}0, 8, 8, 0], [0, 8, 16, 24]]]>
// BUDGET-LABEL: @two
// BUDGET-SAME: kan.shapes = {up_to = "shift", shapes = 2 : i64, edges = 2 : i64, before =
func.func @two(%x: tensor<2xf32>) -> tensor<1xf32> {
  %q = kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32, 1.0>>
  %t = kan.tables %q as "l" tables dense<[[[0, 8, 8, 0], [0, 8, 16, 24]]]> : tensor<1x2x4xi8> : tensor<2x!quant.uniform<u2:f32, 1.0>> -> tensor<1x2x!quant.uniform<i6:f32, 1.0>>
  %s = kan.node_sum %t as "l" : tensor<1x2x!quant.uniform<i6:f32, 1.0>> -> tensor<1x!quant.uniform<i7:f32, 1.0>>
  %r = kan.dequantize %s : tensor<1x!quant.uniform<i7:f32, 1.0>> -> tensor<1xf32>
  func.return %r : tensor<1xf32>
}
