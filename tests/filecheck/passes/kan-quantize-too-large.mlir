// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=16 scale="minmax"}' --verify-diagnostics --split-input-file | filecheck %s

// Results keep their sums, so that what is infinite has no integer.
// CHECK: layer0: its sums need more than 32 bits: edge [0, 0] is inf for code 0 (x = 0), in steps of 1.5259e-05; calibrate with data inside the edge's domain
func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  %o = kan.observe %x range dense<[[0.0, 1.0]]> : tensor<1x2xf64> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  %e = kan.base "reciprocal" %o weights dense<1.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e as "layer0" : tensor<1x1xf32> -> tensor<1xf32>
  %p = kan.observe %n range dense<[[1.0, 2.0]]> : tensor<1x2xf64> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  func.return %p : tensor<1xf32>
}

// -----

// Values that the node is not calibrated for by far.
// CHECK: layer0: its sums need more than 32 bits: edge [0, 0] spans 0 to 2e+06, in steps of 1.5259e-08; use fewer bits for this layer, or calibrate with data that reaches such values
func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  %o = kan.observe %x range dense<[[0.0, 1.0]]> : tensor<1x2xf64> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  %e = kan.base "identity" %o weights dense<2.0e6> : tensor<1x1xf64> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e as "layer0" bias dense<-1.0e6> : tensor<1xf64> : tensor<1x1xf32> -> tensor<1xf32>
  %p = kan.observe %n range dense<[[0.0, 0.001]]> : tensor<1x2xf64> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  func.return %p : tensor<1xf32>
}

// -----

// Edges beside which float64 does not resolve the node's steps.
// CHECK: layer0: edge [0, 0] has values near 1e+12, its node has steps of 1.5259e-08: float64 does not resolve these; subtract the common part of the inputs' values from them, or use fewer bits for this layer
func.func @f(%x: tensor<2xf32>) -> tensor<1xf32> {
  %o = kan.observe %x range dense<[[1.0e12, 1.00000001e12], [1.0e12, 1.00000001e12]]> : tensor<2x2xf64> histogram dense<1> : tensor<2x4xi8> : tensor<2xf32>
  %e = kan.base "identity" %o weights dense<[[1.0, -1.0]]> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>
  %n = kan.node_sum %e as "layer0" : tensor<1x2xf32> -> tensor<1xf32>
  %p = kan.observe %n range dense<[[0.0, 0.001]]> : tensor<1x2xf64> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  func.return %p : tensor<1xf32>
}

// -----

// A bias of more steps than a sum may have.
// CHECK: layer0: its sums need more than 51 bits: the bias of node 0 is 1e+30, in steps of 1.5259e-05; use fewer bits for this layer, or subtract the common part of its values in the model
func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  %o = kan.observe %x range dense<[[0.0, 1.0]]> : tensor<1x2xf64> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  %e = kan.base "identity" %o weights dense<1.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e as "layer0" bias dense<1.0e30> : tensor<1xf64> : tensor<1x1xf32> -> tensor<1xf32>
  %p = kan.observe %n range dense<[[0.0, 1.0]]> : tensor<1x2xf64> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  func.return %p : tensor<1xf32>
}

// -----

// Ranges whose width no float of the type holds.
// CHECK: @f: element 0 has values from -1e+308 to 1e+308, codes can stand for numbers up to 8.98847e+307; scale the data and the model to smaller numbers
func.func @f(%x: tensor<1xf64>) -> tensor<1xf64> {
  %o = kan.observe %x range dense<[[-1.0e308, 1.0e308]]> : tensor<1x2xf64> histogram dense<1> : tensor<1x4xi8> : tensor<1xf64>
  %e = kan.base "identity" %o weights dense<1.0> : tensor<1x1xf32> : tensor<1xf64> -> tensor<1x1xf64>
  %n = kan.node_sum %e as "layer0" : tensor<1x1xf64> -> tensor<1xf64>
  func.return %n : tensor<1xf64>
}
