// RUN: python -c "import numpy as np; np.savez('%t.npz', x=np.zeros((50, 2)), y=np.zeros(50, int))"
// RUN: not kan-opt %s -p 'kan-refine-precision{data="%t.npz"}' 2>&1 | filecheck %s
// RUN: not kan-opt %s -p 'kan-refine-precision{data="%t.npz" max-luts=-1}' 2>&1 | filecheck %s --check-prefix LUTS
// RUN: not kan-opt %s -p 'kan-refine-precision' 2>&1 | filecheck %s --check-prefix DATA

// CHECK: error: @two is no chain of layers of tables; run kan-fold-tables first
// LUTS: error: pass kan-refine-precision: max-luts must lie in 0..1099511627776, got -1
// DATA: error: pass kan-refine-precision: {{.*}}data
func.func @two(%x: tensor<2xf32>) -> (tensor<1xf32>, tensor<1xf32>) {
  %q = kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u3:f32, 1.0>>
  %t = kan.tables %q tables dense<[[[0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 6, 7]]]> : tensor<1x2x8xi8> : tensor<2x!quant.uniform<u3:f32, 1.0>> -> tensor<1x2x!quant.uniform<i4:f32, 1.0>>
  %s = kan.node_sum %t : tensor<1x2x!quant.uniform<i4:f32, 1.0>> -> tensor<1x!quant.uniform<i5:f32, 1.0>>
  %r = kan.dequantize %s : tensor<1x!quant.uniform<i5:f32, 1.0>> -> tensor<1xf32>
  func.return %r, %r : tensor<1xf32>, tensor<1xf32>
}
