// RUN: python -c "import numpy as np; np.savez('%t.npz', x=np.zeros((50, 1)), y=np.zeros(50))"
// RUN: not kan-opt %s -p 'kan-refine-precision{data="%t.npz"}' 2>&1 | filecheck %s

// CHECK: error: @wide has tables over codes of 11 bits, 2048 entries each; the search looks at every entry, of codes of at most 10 bits; start from fewer bits: --bits 10
func.func @wide(%x: tensor<1xf32>) -> tensor<1xf32> {
  %q = kan.quantize %x : tensor<1xf32> -> tensor<1x!quant.uniform<u11:f32, 1.0>>
  %t = kan.tables %q tables dense<1> : tensor<1x1x2048xi8> : tensor<1x!quant.uniform<u11:f32, 1.0>> -> tensor<1x1x!quant.uniform<i4:f32, 1.0>>
  %s = kan.node_sum %t : tensor<1x1x!quant.uniform<i4:f32, 1.0>> -> tensor<1x!quant.uniform<i5:f32, 1.0>>
  %r = kan.dequantize %s : tensor<1x!quant.uniform<i5:f32, 1.0>> -> tensor<1xf32>
  func.return %r : tensor<1xf32>
}
