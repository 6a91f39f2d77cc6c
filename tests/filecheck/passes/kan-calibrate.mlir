// RUN: python -c "import numpy as np; np.savez('%t.npz', x=[[-1, 0, 5], [0, 0, 5], [1, 0, 5], [3, 1, 5]], x_test=[[99, 99, 99]])"
// RUN: kan-opt --check-passes %s -p 'kan-calibrate{data="%t.npz" bins=4}' | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-calibrate{data="%t.npz" bins=4},kan-calibrate{data="%t.npz" bins=2}' | filecheck %s --check-prefix TWICE
// RUN: kan-opt --check-passes %s -p 'kan-calibrate{data="%t.npz" bins=4 results=true}' | filecheck %s --check-prefix RESULTS

// The samples' columns go to the arguments in order; the test set is not looked at. The data's path
// is not recorded, so that the same model gives the same bytes.
// CHECK: kan.pipeline = ["kan-calibrate{bins=4}"]

// Arguments, nodes and results are observed: ranges, and histograms of 4 cells.
// CHECK-LABEL: @layer(%x: tensor<2xf32>, %y: tensor<1xf32>)
func.func @layer(%x: tensor<2xf32>, %y: tensor<1xf32>) -> tensor<1xf32> {
  // A constant falls into the first cell.
  // CHECK-NEXT: [[Y:%.*]] = kan.observe %y range dense<{{\[\[}}5.0, 5.0]]> : tensor<1x2xf64> histogram dense<{{\[\[}}4, 0, 0, 0]]> : tensor<1x4xi8>
  // The largest value falls into the last cell.
  // CHECK-NEXT: [[X:%.*]] = kan.observe %x range dense<{{\[\[}}-1.0, 3.0], [0.0, 1.0]]> : tensor<2x2xf64> histogram dense<{{\[\[}}1, 1, 1, 1], [3, 0, 0, 1]]> : tensor<2x4xi8>
  // CHECK: kan.base "identity" [[X]]
  %e = kan.base "identity" %x weights dense<[[1.0, 2.0]]> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>
  // CHECK: [[S:%.*]] = kan.node_sum
  // CHECK-NEXT: [[N:%.*]] = kan.observe [[S]] range dense<{{\[\[}}-1.0, 5.0]]> : tensor<1x2xf64> histogram dense<{{\[\[}}2, 1, 0, 1]]> : tensor<1x4xi8>
  %n = kan.node_sum %e : tensor<1x2xf32> -> tensor<1xf32>
  // What is neither argument, node nor result is not observed.
  // CHECK-NEXT: kan.map "abs" [[N]]
  // CHECK-NEXT: arith.mulf {{%.*}}, [[Y]]
  // CHECK-NEXT: [[R:%.*]] = kan.observe {{%.*}} range dense<{{\[\[}}0.0, 25.0]]> : tensor<1x2xf64>
  // CHECK-NEXT: func.return [[R]]
  %m = kan.map "abs" %n : tensor<1xf32>
  %p = arith.mulf %m, %y : tensor<1xf32>
  func.return %p : tensor<1xf32>
}

// With results, those of all samples stand with each function, and a digest of the samples.
// RESULTS-LABEL: @layer
// RESULTS-SAME: attributes {kan.reference = {results = dense<{{\[\[}}5.000000e+00], [0.000000e+00], [5.000000e+00], [2.500000e+01]]> : tensor<4x1xf64>, samples = "{{[0-9a-f]+}}"}}
// RESULTS-LABEL: @twice
// RESULTS-SAME: tensor<4x6xf64>

// All readers of a value read the observed one, also those that read it twice.
// CHECK-LABEL: @twice
func.func @twice(%x: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
  // CHECK-NEXT: [[X:%.*]] = kan.observe %x
  // CHECK-NEXT: arith.mulf [[X]], [[X]]
  // CHECK-NEXT: [[R:%.*]] = kan.observe
  // CHECK-NEXT: func.return [[R]], [[X]]
  %s = arith.mulf %x, %x : tensor<3xf32>
  func.return %s, %x : tensor<3xf32>, tensor<3xf32>
}

// What is put side by side is observed before.
// CHECK-LABEL: @concat
func.func @concat(%x: tensor<1xf32>, %y: tensor<2xf32>) -> tensor<3xf32> {
  // CHECK: [[M:%.*]] = kan.map "abs"
  // CHECK-NEXT: [[O:%.*]] = kan.observe [[M]] range dense<{{\[\[}}0.0, 3.0]]>
  // CHECK-NEXT: [[C:%.*]] = kan.concat [[O]], {{%.*}}
  // CHECK-NEXT: func.return [[C]]
  %m = kan.map "abs" %x : tensor<1xf32>
  %c = kan.concat %m, %y : tensor<1xf32>, tensor<2xf32> -> tensor<3xf32>
  func.return %c : tensor<3xf32>
}

// Calibrated again, a module has the new observations only.
// TWICE-LABEL: @concat
// TWICE-COUNT-3: kan.observe {{.*}}x2xi8>
// TWICE-NOT: kan.observe

// Quantised functions are left alone.
// CHECK-LABEL: @quantized
// CHECK-NOT: kan.observe
func.func @quantized(%x: tensor<3xf32>) -> tensor<3x!quant.uniform<u2:f32, 0.5>> {
  %q = kan.quantize %x : tensor<3xf32> -> tensor<3x!quant.uniform<u2:f32, 0.5>>
  func.return %q : tensor<3x!quant.uniform<u2:f32, 0.5>>
}
