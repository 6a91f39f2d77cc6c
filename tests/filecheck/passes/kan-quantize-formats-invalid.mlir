// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=3 input-format="x0=u8" output-format="y0=s8.4"}' --verify-diagnostics --split-input-file | filecheck %s

// CHECK: input x0 of @data has values from -8 to 7.75 in the calibration data, and its format u8 holds 0 to 255; give a format with more bits or a larger scale, or scale=percentile if few samples are that far out
func.func @data(%x: tensor<1xf32>) -> tensor<1xf32> {
  %o = kan.observe %x range dense<[[-8.0, 7.75]]> : tensor<1x2xf32> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  %e = kan.base "identity" %o weights dense<0.5> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e : tensor<1x1xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}

// -----

// CHECK: input x0 of @grid takes values from -2 to -1, and its format u8 holds 0 to 255; give a format that holds some of these values
func.func @grid(%x: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.bspline %x degree 0 knots dense<[-2.0, -1.0]> : tensor<2xf32> coefficients dense<1.0> : tensor<1x1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e : tensor<1x1xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}

// -----

// CHECK: y0 of @some has a format, and y1 has none; results of a layer have formats together: name all, or give one for all others with *
func.func @some(%x: tensor<1xf32>) -> tensor<2xf32> {
  %e = kan.base "identity" %x weights dense<0.5> : tensor<2x1xf32> : tensor<1xf32> -> tensor<2x1xf32>
  %n = kan.node_sum %e : tensor<2x1xf32> -> tensor<2xf32>
  func.return %n : tensor<2xf32>
}

// -----

// CHECK: y0 of @read cannot have a format: other layers read it too; leave its format out
func.func @read(%x: tensor<1xf32>) -> (tensor<1xf32>, tensor<1xf32>) {
  %e = kan.base "identity" %x weights dense<0.5> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e : tensor<1x1xf32> -> tensor<1xf32>
  %f = kan.base "silu" %n weights dense<0.5> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %m = kan.node_sum %f : tensor<1x1xf32> -> tensor<1xf32>
  func.return %n, %m : tensor<1xf32>, tensor<1xf32>
}

// -----

// CHECK: input-format has no meaning at wire level: the ports have codes already; leave it out, or give the model at spline or table level
func.func @codes(%x: !kan.int<0:3>) -> !kan.int<0:3> {
  func.return %x : !kan.int<0:3>
}
