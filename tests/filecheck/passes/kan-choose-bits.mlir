// RUN: python -c "import numpy as np; x = np.linspace(-1, 1, 60).reshape(-1, 1); np.savez('%t.npz', x=x, y=2 * x, x_test=[[99]], y_test=[[0.0]])"
// RUN: kan-opt --check-passes %s -p 'kan-calibrate{data="%t.npz"},kan-choose-bits{data="%t.npz" max-error=0.1 scale="minmax"}' | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-calibrate{data="%t.npz"},kan-choose-bits{data="%t.npz" max-error=0.1 scale="minmax"},kan-quantize{bits=auto scale="minmax"}' | filecheck %s --check-prefix QUANTIZED
// RUN: not kan-opt %s -p 'kan-calibrate{data="%t.npz"},kan-choose-bits{data="%t.npz" max-error=0.1 at-most=4}' 2>&1 | filecheck %s --check-prefix FEW
// RUN: not kan-opt %s -p 'kan-choose-bits{data="%t.npz" at-least=9 at-most=8}' 2>&1 | filecheck %s --check-prefix ORDER
// RUN: not kan-opt %s -p 'kan-calibrate{data="%t.npz"},kan-quantize{bits=auto}' 2>&1 | filecheck %s --check-prefix NONE

// FEW: kan-opt: error: @line: no number of bits from 2 to 4 keeps the budget; with 4, there is a largest error of {{.*}}, at most 0.1 was allowed; allow more
// ORDER: pass kan-choose-bits: at-least must be at most at-most, got 9 and 8
// NONE: kan-quantize: bits of @line are to be chosen, and nothing was; run kan-choose-bits first, or say how many bits

// The data's path is not recorded, and the test set is not looked at.
// CHECK: kan.pipeline = ["kan-calibrate", "kan-choose-bits{max-error=0.1 scale=\22minmax\22}"]

// With 5 bits, results come in steps of 0.129, and no error is larger than half of one. With 4, steps are
// twice as wide. The function stays as it is.
// CHECK-LABEL: @line
// CHECK-SAME: kan.bits = {bits = 5 : i64, max_error = 1.000000e-01 : f64, before = 1.000000e+00 : f64, after = 0.9989{{[0-9]*}} : f64, samples = 60 : i64}
// CHECK: kan.base "identity"
// CHECK-NOT: kan.quantize

// QUANTIZED: kan-quantize{bits=\22auto\22 scale=\22minmax\22}
// QUANTIZED: kan.quantize %x : tensor<1xf32> -> tensor<1x!quant.uniform<u5:f32
func.func @line(%x: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.base "identity" %x as "layer0" weights dense<2.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %s = kan.node_sum %e as "layer0" : tensor<1x1xf32> -> tensor<1xf32>
  func.return %s : tensor<1xf32>
}
