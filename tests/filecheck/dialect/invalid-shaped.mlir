// RUN: kan-opt %s --verify-diagnostics --split-input-file | filecheck %s

// kan.shaped

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.shaped' op: a grid needs at least 2 points
  %e = kan.shaped %x grid dense<[1.0]> : tensor<1xf32> shapes dense<1.0> : tensor<1x1xf32> choice dense<0> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x3xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.shaped' op: the points of the grid must increase
  %e = kan.shaped %x grid dense<[1.0, 1.0]> : tensor<2xf32> shapes dense<1.0> : tensor<1x2xf32> choice dense<0> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x3xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.shaped' op: at least one shape is needed
  %e = kan.shaped %x grid dense<[0.0, 1.0]> : tensor<2xf32> shapes dense<1.0> : tensor<2xf32> choice dense<0> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x3xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.shaped' op: the second dimension of shapes must have shape 2, got 3
  %e = kan.shaped %x grid dense<[0.0, 1.0]> : tensor<2xf32> shapes dense<1.0> : tensor<1x3xf32> choice dense<0> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x3xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.shaped' op: choice must lie in 0..0: there are 1 shape(s)
  %e = kan.shaped %x grid dense<[0.0, 1.0]> : tensor<2xf32> shapes dense<1.0> : tensor<1x2xf32> choice dense<1> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x3xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}

// -----

func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {
  // CHECK: 'kan.shaped' op: affine must have shape 1x1x3, got 1x1x4
  %e = kan.shaped %x grid dense<[0.0, 1.0]> : tensor<2xf32> shapes dense<1.0> : tensor<1x2xf32> choice dense<0> : tensor<1x1xi8> affine dense<1.0> : tensor<1x1x4xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}
