// Table level: an affine for the host, negative zero points, signed codes, a node that is constant, rounding shifts, a skip.
func.func @negative(%x: tensor<3xf32>) -> (tensor<2xf32>, tensor<3xf32>) {
  %h = kan.affine %x scale dense<[2.0, -0.5, 1.0]> : tensor<3xf32>
    bias dense<[0.5, -1.0, 0.25]> : tensor<3xf32> : tensor<3xf32>
  %q = kan.quantize %h : tensor<3xf32> -> tensor<3x!quant.uniform<i3:f32, 0.5:-2>>
  %t = kan.tables %q tables dense<[
      [[-7, 0, 5, 1, 3, -2, 6, -4], [3, -2, 1, 0, -5, 6, 2, 7], [0, 1, -1, 2, -2, 3, -3, 4]],
      [[0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0]],
      [[6, 5, 4, 3, 2, 1, 0, -1], [0, 0, 0, 0, 0, 0, 0, 0], [-8, -6, -4, -2, 0, 2, 4, 6]]]>
    : tensor<3x3x8xi8>
    : tensor<3x!quant.uniform<i3:f32, 0.5:-2>> -> tensor<3x3x!quant.uniform<i4:f32, 0.25>>
  %n = kan.node_sum %t mask dense<[[1, 1, 1], [0, 0, 0], [1, 0, 1]]> : tensor<3x3xi8>
    bias dense<[-3, 5, 2]> : tensor<3xi64>
    : tensor<3x3x!quant.uniform<i4:f32, 0.25>> -> tensor<3x!quant.uniform<i6:f32, 0.25>>
  %c = kan.requantize %n : tensor<3x!quant.uniform<i6:f32, 0.25>>
    -> tensor<3x!quant.uniform<i3:f32, 1.0:-1>>
  %d = kan.dequantize %c : tensor<3x!quant.uniform<i3:f32, 1.0:-1>> -> tensor<3xf32>
  %u = kan.tables %c tables dense<[
      [[7, -2, 9, 1, -6, 3, 0, 4], [1, 2, 3, 4, 5, 6, 7, 8], [-1, 8, -3, 2, 5, -9, 4, 6]],
      [[2, -1, 4, -3, 6, -5, 8, -7], [0, 3, 0, 3, 0, 3, 0, 3], [5, 5, 5, -5, 5, 5, 5, -5]]]>
    : tensor<2x3x8xi8>
    : tensor<3x!quant.uniform<i3:f32, 1.0:-1>> -> tensor<2x3x!quant.uniform<i5:f32, 0.5>>
  %m = kan.node_sum %u bias dense<[0, -9]> : tensor<2xi64>
    : tensor<2x3x!quant.uniform<i5:f32, 0.5>> -> tensor<2x!quant.uniform<i7:f32, 0.5>>
  %r = kan.requantize %m : tensor<2x!quant.uniform<i7:f32, 0.5>>
    -> tensor<2x!quant.uniform<i4:f32, 0.5:-4>>
  %z = kan.dequantize %r : tensor<2x!quant.uniform<i4:f32, 0.5:-4>> -> tensor<2xf32>
  func.return %z, %d : tensor<2xf32>, tensor<3xf32>
}
