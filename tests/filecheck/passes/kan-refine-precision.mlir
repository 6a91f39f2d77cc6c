// RUN: python -c "import numpy as np; x = np.random.default_rng(0).integers(0, 8, (200, 2)); np.savez('%t.npz', x=x, y=(x[:, 0] >= 4).astype(int), x_test=[[99, 99]], y_test=[7])"
// RUN: kan-opt --check-passes %s -p 'kan-refine-precision{data="%t.npz" max-accuracy-loss=0.02}' | filecheck %s

// What was traded, on all samples and on those held out; the test set is not looked at, and the
// data's path is not recorded.
// CHECK: kan.pipeline = ["kan-refine-precision{max-accuracy-loss=0.02}"]

// The class only depends on whether the first input is at least 4: of the first edge a few steps
// are left, of the second nothing. Copies of a sample are calibration or validation samples together.
// CHECK-LABEL: @threshold
// CHECK-SAME: kan.precision = {max_accuracy_loss = 2.000000e-02 : f64, seed = 0 : i64, calibration_before = 1.000000e+00 : f64, calibration_after = 1.000000e+00 : f64, calibration_samples = 200 : i64, repeated_samples = 139 : i64, validation_before = 1.000000e+00 : f64, validation_after = 1.000000e+00 : f64, validation_samples = 54 : i64, edges_before = 2 : i64, edges_after = 1 : i64
// CHECK: kan.tables {{%.*}} as "l" tables
// CHECK: kan.node_sum {{%.*}} as "l" mask dense<{{\[\[}}1, 0]]> : tensor<1x2xi8> bias
func.func @threshold(%x: tensor<2xf32>) -> tensor<1xf32> {
  %q = kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u3:f32, 1.0>>
  %t = kan.tables %q as "l" tables dense<[[[-7, -5, -3, -1, 1, 3, 5, 7], [0, 0, 0, 0, 1, 0, 0, 0]]]> : tensor<1x2x8xi8> : tensor<2x!quant.uniform<u3:f32, 1.0>> -> tensor<1x2x!quant.uniform<i4:f32, 0.5>>
  %s = kan.node_sum %t as "l" : tensor<1x2x!quant.uniform<i4:f32, 0.5>> -> tensor<1x!quant.uniform<i5:f32, 0.5>>
  %r = kan.dequantize %s : tensor<1x!quant.uniform<i5:f32, 0.5>> -> tensor<1xf32>
  func.return %r : tensor<1xf32>
}
