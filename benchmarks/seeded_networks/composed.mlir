// Table level: hidden nodes of one edge, two of them of one input. Their tables go into those that read them.
func.func @composed(%x: tensor<2xf32>) -> tensor<2xf32> {
  %q = kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<i3:f32, 0.5:-2>>
  %t = kan.tables %q tables dense<[
      [[-7, 0, 5, 1, 3, -2, 6, -4], [0, 0, 0, 0, 0, 0, 0, 0]],
      [[2, -3, 1, 4, -4, 3, 0, -1], [0, 0, 0, 0, 0, 0, 0, 0]],
      [[0, 0, 0, 0, 0, 0, 0, 0], [3, -2, 1, 0, -5, 6, 2, 7]]]>
    : tensor<3x2x8xi8>
    : tensor<2x!quant.uniform<i3:f32, 0.5:-2>> -> tensor<3x2x!quant.uniform<i4:f32, 0.25>>
  %n = kan.node_sum %t mask dense<[[1, 0], [1, 0], [0, 1]]> : tensor<3x2xi8>
    bias dense<[0, 0, 0]> : tensor<3xi64>
    : tensor<3x2x!quant.uniform<i4:f32, 0.25>> -> tensor<3x!quant.uniform<i6:f32, 0.25>>
  %c = kan.requantize %n : tensor<3x!quant.uniform<i6:f32, 0.25>>
    -> tensor<3x!quant.uniform<i4:f32, 0.25>>
  %u = kan.tables %c tables dense<[
      [[7, -2, 9, 1, -6, 3, 0, 4, -8, 5, 2, -1, 6, -4, 8, 3], [1, 2, -3, 4, 5, -6, 7, 8, -1, 0, 9, 3, -5, 2, 6, 4], [-1, 8, -3, 2, 5, -9, 4, 6, 0, 7, -2, 1, 3, -8, 9, 2]],
      [[2, -1, 4, -3, 6, -5, 8, -7, 1, 0, 3, -2, 5, -4, 7, -6], [0, 3, 1, 4, -2, 5, -3, 6, 2, -1, 7, 8, -4, 9, -5, 1], [5, -5, 2, 6, -1, 3, 0, 4, -3, 8, 1, -2, 7, -4, 9, -6]]]>
    : tensor<2x3x16xi8>
    : tensor<3x!quant.uniform<i4:f32, 0.25>> -> tensor<2x3x!quant.uniform<i5:f32, 0.5>>
  %m = kan.node_sum %u bias dense<[0, -9]> : tensor<2xi64>
    : tensor<2x3x!quant.uniform<i5:f32, 0.5>> -> tensor<2x!quant.uniform<i7:f32, 0.5>>
  %z = kan.dequantize %m : tensor<2x!quant.uniform<i7:f32, 0.5>> -> tensor<2xf32>
  func.return %z : tensor<2xf32>
}
