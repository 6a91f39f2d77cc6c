// RUN: kan-opt %s --verify-diagnostics --split-input-file | filecheck %s

// kan.map

func.func @f(%x: tensor<1xi8>) -> tensor<1xi8> {
  // CHECK: 'kan.map' op: input must hold floats, got i8
  %e = kan.map "tanh" %x : tensor<1xi8>
  func.return %e : tensor<1xi8>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.map' op: unknown function 'arctan': known are silu,
  %e = kan.map "arctan" %x : tensor<1xf32>
  func.return %e : tensor<1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<2xf32> {
  // CHECK: 'kan.map' op: result 'result' at position 0 does not verify:
  // CHECK-NEXT: attribute tensor<1xf32> expected from variable 'T', but got tensor<2xf32>
  %e = "kan.map"(%x) <{function = "tanh"}> : (tensor<1xf32>) -> tensor<2xf32>
  func.return %e : tensor<2xf32>
}

// -----

// kan.affine

func.func @f(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK: 'kan.affine' op: scale of shape 2 does not broadcast over 2x3
  %e = kan.affine %x scale dense<1.0> : tensor<2xf32> bias dense<1.0> : tensor<3xf32> : tensor<2x3xf32>
  func.return %e : tensor<2x3xf32>
}

// -----

func.func @f(%x: tensor<3xf32>) -> tensor<3xf32> {
  // CHECK: 'kan.affine' op: bias of shape 1x3 does not broadcast over 3
  %e = kan.affine %x scale dense<1.0> : tensor<3xf32> bias dense<1.0> : tensor<1x3xf32> : tensor<3xf32>
  func.return %e : tensor<3xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.affine' op: bias[0] is nan: parameters must be finite
  %e = kan.affine %x scale dense<1.0> : tensor<1xf32> bias dense<"0x0000C07F"> : tensor<1xf32> : tensor<1xf32>
  func.return %e : tensor<1xf32>
}

// -----

// kan.node_sum

func.func @f(%e: tensor<2x3xf32>) -> tensor<3xf32> {
  // CHECK: 'kan.node_sum' op "layer0": result must have shape 2, got 3
  %n = kan.node_sum %e as "layer0" : tensor<2x3xf32> -> tensor<3xf32>
  func.return %n : tensor<3xf32>
}

// -----

func.func @f(%e: tensor<2x3xf32>) -> tensor<2xf64> {
  // CHECK: 'kan.node_sum' op: edges of f32 must have sums of the same type, got f64
  %n = kan.node_sum %e : tensor<2x3xf32> -> tensor<2xf64>
  func.return %n : tensor<2xf64>
}

// -----

func.func @f(%e: tensor<2x3xi8>) -> tensor<2xi8> {
  // CHECK: 'kan.node_sum' op: edges must hold floats, got i8
  %n = kan.node_sum %e : tensor<2x3xi8> -> tensor<2xi8>
  func.return %n : tensor<2xi8>
}

// -----

func.func @f(%e: tensor<2x3xf32>) -> tensor<2xf32> {
  // CHECK: 'kan.node_sum' op: mask must have shape 2x3, got 2
  %n = kan.node_sum %e mask dense<1> : tensor<2xi8> : tensor<2x3xf32> -> tensor<2xf32>
  func.return %n : tensor<2xf32>
}

// -----

func.func @f(%e: tensor<1x2xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.node_sum' op: mask must hold only 0 and 1
  %n = kan.node_sum %e mask dense<[[1, 2]]> : tensor<1x2xi8> : tensor<1x2xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}

// -----

func.func @f(%e: tensor<1x2xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.node_sum' op: mask must be i8, i16, i32 or i64, got i1
  %n = kan.node_sum %e mask dense<true> : tensor<1x2xi1> : tensor<1x2xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}

// -----

func.func @f(%e: tensor<1x2xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.node_sum' op: bias must have shape 1, got 2
  %n = kan.node_sum %e bias dense<1.0> : tensor<2xf32> : tensor<1x2xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}

// -----

func.func @f(%e: tensor<1x2xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.node_sum' op: bias must be floats, got i32
  %n = kan.node_sum %e bias dense<1> : tensor<1xi32> : tensor<1x2xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}

// -----

func.func @f(%e: tensor<1x2xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.node_sum' op: only sums of codes have bounds
  %n = kan.node_sum %e bounds dense<[[0, 1]]> : tensor<1x2xi8> : tensor<1x2xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}

// -----

// kan.concat

func.func @f() -> tensor<1xf32> {
  // CHECK: 'kan.concat' op: at least one input is needed
  %c = "kan.concat"() : () -> tensor<1xf32>
  func.return %c : tensor<1xf32>
}

// -----

func.func @f(%x: tensor<2xf32>, %y: tensor<3xf32>) -> tensor<6xf32> {
  // CHECK: 'kan.concat' op: result must have shape 5, got 6
  %c = kan.concat %x, %y : tensor<2xf32>, tensor<3xf32> -> tensor<6xf32>
  func.return %c : tensor<6xf32>
}

// -----

func.func @f(%x: tensor<2xf32>, %y: tensor<1x3xf32>) -> tensor<5xf32> {
  // CHECK: 'kan.concat' op: input 1 must have 1 dimension(s), got 1x3
  %c = kan.concat %x, %y : tensor<2xf32>, tensor<1x3xf32> -> tensor<5xf32>
  func.return %c : tensor<5xf32>
}

// -----

func.func @f(%x: tensor<2xf32>, %y: tensor<3xf64>) -> tensor<5xf32> {
  // CHECK: 'kan.concat' op: inputs and result must have one element type
  %c = kan.concat %x, %y : tensor<2xf32>, tensor<3xf64> -> tensor<5xf32>
  func.return %c : tensor<5xf32>
}

// -----

// kan.observe

func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.observe' op: range must have shape 1x2, got 2
  %c = kan.observe %x range dense<1.0> : tensor<2xf32> histogram dense<1> : tensor<1x2xi8> : tensor<1xf32>
  func.return %c : tensor<1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.observe' op: a range ends before it starts
  %c = kan.observe %x range dense<[[1.0, 0.5]]> : tensor<1x2xf32> histogram dense<1> : tensor<1x2xi8> : tensor<1xf32>
  func.return %c : tensor<1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.observe' op: histogram must have shape 1 x bins
  %c = kan.observe %x range dense<[[0.0, 0.5]]> : tensor<1x2xf32> histogram dense<1> : tensor<2x2xi8> : tensor<1xf32>
  func.return %c : tensor<1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.observe' op: histogram must have shape 1 x bins
  %c = kan.observe %x range dense<[[0.0, 0.5]]> : tensor<1x2xf32> histogram dense<> : tensor<1x0xi8> : tensor<1xf32>
  func.return %c : tensor<1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK: 'kan.observe' op: histogram counts must not be negative
  %c = kan.observe %x range dense<[[0.0, 0.5]]> : tensor<1x2xf32> histogram dense<[[1, -1]]> : tensor<1x2xi8> : tensor<1xf32>
  func.return %c : tensor<1xf32>
}

// -----

func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  // CHECK: 'kan.affine' op: bias is nan: parameters must be finite
  %y = kan.affine %x scale dense<1.0> : tensor<2xf32> bias dense<"0x0000C07F"> : tensor<f32> : tensor<2xf32>
  func.return %y : tensor<2xf32>
}
