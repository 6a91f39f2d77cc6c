// RUN: kan-opt --check-passes %s -p canonicalize,cse | filecheck %s

// A grid that is to be extended becomes the knots themselves.
// CHECK-LABEL: @extend
func.func @extend(%x: tensor<1xf64>) -> tensor<1x1xf64> {
  // CHECK-NEXT: kan.bspline %x as "layer0" degree 2 closed knots dense<[-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]> : tensor<7xf64> coefficients dense<{{\[\[\[}}1.0, 2.0, 3.0, 4.0]]]> : tensor<1x1x4xf32> : tensor<1xf64> -> tensor<1x1xf64>
  %e = kan.bspline %x as "layer0" degree 2 extend closed knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf32>
    coefficients dense<[[[1.0, 2.0, 3.0, 4.0]]]> : tensor<1x1x4xf32> : tensor<1xf64> -> tensor<1x1xf64>
  func.return %e : tensor<1x1xf64>
}

// CHECK-LABEL: @identity_affine
func.func @identity_affine(%x: tensor<2xf32>) -> tensor<2xf32> {
  // CHECK-NEXT: func.return %x
  %y = kan.affine %x scale dense<1.0> : tensor<2xf32> bias dense<0.0> : tensor<f32> : tensor<2xf32>
  func.return %y : tensor<2xf32>
}

// CHECK-LABEL: @affine
func.func @affine(%x: tensor<2xf32>) -> tensor<2xf32> {
  // CHECK-NEXT: kan.affine %x
  %y = kan.affine %x scale dense<1.0> : tensor<2xf32> bias dense<[0.0, 0.5]> : tensor<2xf32> : tensor<2xf32>
  func.return %y : tensor<2xf32>
}

// An observation is worth keeping, for what it says.
// CHECK-LABEL: @observe
func.func @observe(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK-NEXT: kan.observe %x
  %y = kan.observe %x range dense<[[-1.0, 1.0]]> : tensor<1x2xf32> histogram dense<[[1, 2]]> : tensor<1x2xi64> : tensor<1xf32>
  func.return %x : tensor<1xf32>
}

// CHECK-LABEL: @requantize
func.func @requantize(%q: tensor<1x!quant.uniform<u2:f32, 0.5>>) -> (tensor<1x!quant.uniform<u2:f32, 0.5>>, tensor<1x!quant.uniform<u2:f32, 0.5>>) {
  // To the same type: nothing to do. With bounds it saturates.
  // CHECK-NEXT: [[R:%.*]] = kan.requantize %q bounds
  // CHECK-NEXT: func.return %q, [[R]]
  %same = kan.requantize %q : tensor<1x!quant.uniform<u2:f32, 0.5>> -> tensor<1x!quant.uniform<u2:f32, 0.5>>
  %bounded = kan.requantize %q bounds dense<[[0, 2]]> : tensor<1x2xi8> : tensor<1x!quant.uniform<u2:f32, 0.5>> -> tensor<1x!quant.uniform<u2:f32, 0.5>>
  func.return %same, %bounded : tensor<1x!quant.uniform<u2:f32, 0.5>>, tensor<1x!quant.uniform<u2:f32, 0.5>>
}

// CHECK-LABEL: @clamp
func.func @clamp(%x: !kan.int<0:3>) -> (!kan.int<0:3>, !kan.int<0:4>) {
  // A clamp to another range changes the type, even where it cannot saturate.
  // CHECK-NEXT: [[C:%.*]] = kan.clamp %x : !kan.int<0:3> -> !kan.int<0:4>
  // CHECK-NEXT: func.return %x, [[C]]
  %same = kan.clamp %x : !kan.int<0:3> -> !kan.int<0:3>
  %wider = kan.clamp %x : !kan.int<0:3> -> !kan.int<0:4>
  func.return %same, %wider : !kan.int<0:3>, !kan.int<0:4>
}

// CHECK-LABEL: @delay
func.func @delay(%x: !kan.int<0:3>) -> (!kan.int<0:3>, !kan.int<0:3>) {
  // CHECK-NEXT: [[D:%.*]] = kan.delay %x by 1
  // CHECK-NEXT: func.return %x, [[D]]
  %none = kan.delay %x by 0 : !kan.int<0:3>
  %one = kan.delay %x by 1 : !kan.int<0:3>
  func.return %none, %one : !kan.int<0:3>, !kan.int<0:3>
}

// Constants stay, each once; what nobody reads goes, but marks stay.
// CHECK-LABEL: @constants
func.func @constants(%x: !kan.int<0:3>) -> !kan.int<6:6> {
  // CHECK-NEXT: [[C:%.*]] = kan.constant 3 : !kan.int<3:3>
  // CHECK-NEXT: [[S:%.*]] = kan.sum [[C]], [[C]]
  // CHECK-NEXT: kan.mark %x as "x"
  // CHECK-NEXT: func.return [[S]]
  %a = kan.constant 3 : !kan.int<3:3>
  %b = kan.constant 3 : !kan.int<3:3>
  %s = kan.sum %a, %b : !kan.int<3:3>, !kan.int<3:3> -> !kan.int<6:6>
  %dead = kan.sum %a, %x : !kan.int<3:3>, !kan.int<0:3> -> !kan.int<3:6>
  kan.mark %x as "x" offset 0 cycle 0 : !kan.int<0:3>
  func.return %s : !kan.int<6:6>
}
