// RUN: kan-opt %s --verify-diagnostics --split-input-file | filecheck %s

// CHECK: @count: kan.features has 2 names for 3 inputs
func.func @count(%x: tensor<3xf32>) -> tensor<3xf32> attributes {kan.features = ["a", "b"]} {
  func.return %x : tensor<3xf32>
}

// -----

// CHECK: @classes: kan.classes has 2 names for 3 outputs
func.func @classes(%x: tensor<3xf32>) -> tensor<3xf32> attributes {kan.classes = ["a", "b"]} {
  func.return %x : tensor<3xf32>
}

// -----

// CHECK: @twice: feature 0 and feature 1 are both called 'a'
func.func @twice(%x0: !kan.int<0:3>, %x1: !kan.int<0:3>) -> !kan.int<0:3> attributes {kan.features = ["a", "a"]} {
  func.return %x0 : !kan.int<0:3>
}

// -----

// CHECK: @unnamed: class 1 has no name
func.func @unnamed(%x: tensor<2xf32>) -> tensor<2xf32> attributes {kan.classes = ["a", ""]} {
  func.return %x : tensor<2xf32>
}

// -----

// CHECK: @line: feature 0 is called 'a\nb', which is not printable
hw.module @line(in %x0: i3, out y0: i3) attributes {kan.features = ["a\nb"]} {
  hw.output %x0 : i3
}

// -----

// CHECK: @other: kan.features must be an array of strings in UTF-8, got [1 : i64]
func.func @other(%x: tensor<1xf32>) -> tensor<1xf32> attributes {kan.features = [1]} {
  func.return %x : tensor<1xf32>
}

// -----

// CHECK: @bytes: kan.features must be an array of strings in UTF-8, got ["\FF"]
func.func @bytes(%x: tensor<1xf32>) -> tensor<1xf32> attributes {kan.features = ["\FF"]} {
  func.return %x : tensor<1xf32>
}

// -----

// CHECK: @scalar: kan.features has 2 names for 1 inputs
func.func @scalar(%x: tensor<f32>) -> tensor<f32> attributes {kan.features = ["a", "b"]} {
  func.return %x : tensor<f32>
}

// -----

// CHECK: @targets: kan.targets has 1 names for 2 outputs
func.func @targets(%x: tensor<2xf32>) -> tensor<2xf32> attributes {kan.targets = ["a"]} {
  func.return %x : tensor<2xf32>
}

// -----

// CHECK: @both: the labels are classes of column 'a', and numbers of others
func.func @both(%x: tensor<1xf32>) -> tensor<1xf32> attributes {kan.label = "a", kan.targets = ["b"]} {
  func.return %x : tensor<1xf32>
}

// -----

// CHECK: @missing: kan.missing has 1 values for 2 inputs
func.func @missing(%x: tensor<2xf32>) -> tensor<2xf32> attributes {kan.missing = array<f64: 1.0>} {
  func.return %x : tensor<2xf32>
}

// -----

// CHECK: @kind: kan.missing must be an array<f64: ...>, got array<i64: 1>
func.func @kind(%x: tensor<1xf32>) -> tensor<1xf32> attributes {kan.missing = array<i64: 1>} {
  func.return %x : tensor<1xf32>
}

// -----

// CHECK: @label: kan.label must be a string in UTF-8, got 1 : i64
func.func @label(%x: tensor<1xf32>) -> tensor<1xf32> attributes {kan.label = 1} {
  func.return %x : tensor<1xf32>
}
