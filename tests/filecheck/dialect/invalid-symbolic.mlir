// RUN: kan-opt %s --verify-diagnostics --split-input-file | filecheck %s

// kan.symbolic

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.symbolic' op: at least one function is needed
  %e = kan.symbolic [] %x choice dense<0> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x4xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.symbolic' op: a function is listed twice
  %e = kan.symbolic ["sin", "sin"] %x choice dense<0> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x4xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.symbolic' op: unknown function 'sinh': known are silu,
  %e = kan.symbolic ["sinh"] %x choice dense<0> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x4xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.symbolic' op: choice must lie in 0..0: there are 1 function(s)
  %e = kan.symbolic ["sin"] %x choice dense<1> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x4xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.symbolic' op: affine must have shape 1x1x4, got 1x1x3
  %e = kan.symbolic ["sin"] %x choice dense<0> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x3xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}
