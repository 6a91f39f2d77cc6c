// RUN: kan-opt %s --verify-diagnostics --split-input-file | filecheck %s

// What training ops and memories check.

// CHECK: cells must lie in 1..65536, got 0
func.func @f(%x: tensor<1x!kan.fixed<s16:10>>) {
  %a, %b, %c = kan.locate %x grid dense<[-2.0, 2.0]> : tensor<2xf64> cells 0 : tensor<1x!kan.fixed<s16:10>> -> tensor<1x!kan.int<0:0>>, tensor<1x!kan.fixed<u6:6>>, tensor<1xi1>
  func.return
}

// -----

// CHECK: a grid must end behind its beginning
func.func @f(%x: tensor<1x!kan.fixed<s16:10>>) {
  %a, %b, %c = kan.locate %x grid dense<[2.0, 2.0]> : tensor<2xf64> cells 5 : tensor<1x!kan.fixed<s16:10>> -> tensor<1x!kan.int<0:4>>, tensor<1x!kan.fixed<u6:6>>, tensor<1xi1>
  func.return
}

// -----

// CHECK: grid must have shape 2 or 1x2
func.func @f(%x: tensor<1x!kan.fixed<s16:10>>) {
  %a, %b, %c = kan.locate %x grid dense<[0.0, 1.0, 2.0]> : tensor<3xf64> cells 5 : tensor<1x!kan.fixed<s16:10>> -> tensor<1x!kan.int<0:4>>, tensor<1x!kan.fixed<u6:6>>, tensor<1xi1>
  func.return
}

// -----

// CHECK: the grid must begin and end at multiples of 0.0009765625 within the input's range -32.0 to 32.0
func.func @f(%x: tensor<1x!kan.fixed<s16:10>>) {
  %a, %b, %c = kan.locate %x grid dense<[-2.0001, 2.0]> : tensor<2xf64> cells 5 : tensor<1x!kan.fixed<s16:10>> -> tensor<1x!kan.int<0:4>>, tensor<1x!kan.fixed<u6:6>>, tensor<1xi1>
  func.return
}

// -----

// CHECK: the grid must begin and end at multiples of 0.0009765625 within the input's range -32.0 to 32.0
func.func @f(%x: tensor<1x!kan.fixed<s16:10>>) {
  %a, %b, %c = kan.locate %x grid dense<[-40.0, 2.0]> : tensor<2xf64> cells 5 : tensor<1x!kan.fixed<s16:10>> -> tensor<1x!kan.int<0:4>>, tensor<1x!kan.fixed<u6:6>>, tensor<1xi1>
  func.return
}

// -----

// CHECK: cell must be of type tensor<1x!kan.int<0:4>>, got tensor<1x!kan.int<0:5>>
func.func @f(%x: tensor<1x!kan.fixed<s16:10>>) {
  %a, %b, %c = kan.locate %x grid dense<[-2.0, 2.0]> : tensor<2xf64> cells 5 : tensor<1x!kan.fixed<s16:10>> -> tensor<1x!kan.int<0:5>>, tensor<1x!kan.fixed<u6:6>>, tensor<1xi1>
  func.return
}

// -----

// CHECK: the local coordinate must be !kan.fixed<uT:T> with T of at most 12
func.func @f(%x: tensor<1x!kan.fixed<s16:10>>) {
  %a, %b, %c = kan.locate %x grid dense<[-2.0, 2.0]> : tensor<2xf64> cells 5 : tensor<1x!kan.fixed<s16:10>> -> tensor<1x!kan.int<0:4>>, tensor<1x!kan.fixed<s6:6>>, tensor<1xi1>
  func.return
}

// -----

// CHECK: 9 cells over 4 codes of the input: the grid is too fine for 0 fraction bits
func.func @f(%x: tensor<1x!kan.fixed<s8:0>>) {
  %a, %b, %c = kan.locate %x grid dense<[-2.0, 2.0]> : tensor<2xf64> cells 9 : tensor<1x!kan.fixed<s8:0>> -> tensor<1x!kan.int<0:8>>, tensor<1x!kan.fixed<u6:6>>, tensor<1xi1>
  func.return
}

// -----

// CHECK: degree must lie in 1..5, got 6
func.func @f(%x: tensor<1x!kan.fixed<u6:6>>) {
  %b = kan.basis %x degree 6 scale dense<1.0> : tensor<f64> : tensor<1x!kan.fixed<u6:6>> -> tensor<1x7x!kan.fixed<u10:10>>
  func.return
}

// -----

// CHECK: result must have shape 1x4, got 1x3
func.func @f(%x: tensor<1x!kan.fixed<u6:6>>) {
  %b = kan.basis %x degree 3 scale dense<1.0> : tensor<f64> : tensor<1x!kan.fixed<u6:6>> -> tensor<1x3x!kan.fixed<u10:10>>
  func.return
}

// -----

// CHECK: 1.0 times the basis has codes 0..683, which a number of 9 bits does not hold
func.func @f(%x: tensor<1x!kan.fixed<u6:6>>) {
  %b = kan.basis %x degree 3 scale dense<1.0> : tensor<f64> : tensor<1x!kan.fixed<u6:6>> -> tensor<1x4x!kan.fixed<u9:10>>
  func.return
}

// -----

// CHECK: 9.223372036854776e+18 times the basis exceeds numbers of 9 bits with 10 fraction bits
func.func @f(%x: tensor<1x!kan.fixed<u6:6>>) {
  %b = kan.basis %x degree 3 scale dense<9223372036854775807> : tensor<f64> : tensor<1x!kan.fixed<u6:6>> -> tensor<1x4x!kan.fixed<u9:10>>
  func.return
}

// -----

// CHECK: 0.0001 times the basis is 0 throughout with 10 fraction bits: take more
func.func @f(%x: tensor<1x!kan.fixed<u6:6>>) {
  %b = kan.basis %x degree 3 scale dense<0.0001> : tensor<f64> : tensor<1x!kan.fixed<u6:6>> -> tensor<1x4x!kan.fixed<u10:10>>
  func.return
}

// -----

// CHECK: scale must be one number or 1
func.func @f(%x: tensor<1x!kan.fixed<u6:6>>) {
  %b = kan.basis %x degree 3 scale dense<[1.0, 2.0]> : tensor<2xf64> : tensor<1x!kan.fixed<u6:6>> -> tensor<1x4x!kan.fixed<u10:10>>
  func.return
}

// -----

// CHECK: floats and !kan.fixed numbers do not mix
func.func @f(%x: tensor<1x!kan.fixed<u6:6>>) {
  %b = kan.basis %x degree 3 scale dense<1.0> : tensor<f64> : tensor<1x!kan.fixed<u6:6>> -> tensor<1x4xf32>
  func.return
}

// -----

// CHECK: 8 coefficients of degree 3 have 5 cells: cell must be of type tensor<1x!kan.int<0:4>>, got tensor<1x!kan.int<0:5>>
func.func @f(%c: tensor<1x1x8xf32>, %i: tensor<1x!kan.int<0:5>>) {
  %b = kan.gather %c at %i : tensor<1x1x8xf32>, tensor<1x!kan.int<0:5>> -> tensor<1x1x4xf32>
  func.return
}

// -----

// CHECK: sums of products need 65 bits, more than 62: take narrower numbers
func.func @f(%c: tensor<1x1x4x!kan.fixed<s32:10>>, %i: tensor<1x4x!kan.fixed<s30:10>>) {
  %b = kan.mac %c, %i : tensor<1x1x4x!kan.fixed<s32:10>>, tensor<1x4x!kan.fixed<s30:10>> -> tensor<1x!kan.fixed<s16:10>>
  func.return
}

// -----

// CHECK: basis must have shape 1x4, got 2x4
func.func @f(%c: tensor<2x1x4xf32>, %i: tensor<2x4xf32>) {
  %b = kan.mac %c, %i : tensor<2x1x4xf32>, tensor<2x4xf32> -> tensor<2xf32>
  func.return
}

// -----

// CHECK: the result must be signed, with 9 fraction bits
func.func @f(%c: tensor<2x!kan.fixed<s16:10>>) {
  %b = kan.error %c, %c : tensor<2x!kan.fixed<s16:10>>, tensor<2x!kan.fixed<s16:10>> -> tensor<2x!kan.fixed<s17:10>>
  func.return
}

// -----

// CHECK: error must have shape 3, got 2
func.func @f(%g: tensor<2xf32>, %s: tensor<3x1xf32>) {
  %b = kan.backpropagate %g through %s : tensor<2xf32>, tensor<3x1xf32> -> tensor<1xf32>
  func.return
}

// -----

// CHECK: factors must be above 0 and at most 1
func.func @f(%a: tensor<1x1x4xf32>) {
  %b = kan.combine %a factors dense<[1.5]> : tensor<1xf64> : tensor<1x1x4xf32> -> tensor<1x1x4xf32>
  func.return
}

// -----

// CHECK: factors must have shape 1
func.func @f(%a: tensor<1x1x4xf32>) {
  %b = kan.combine %a factors dense<[0.5, 0.5]> : tensor<2xf64> : tensor<1x1x4xf32> -> tensor<1x1x4xf32>
  func.return
}

// -----

// CHECK: factors of fixed-point numbers must be multiples of 2^-16
func.func @f(%a: tensor<1x1x4x!kan.fixed<s16:10>>) {
  %b = kan.combine %a factors dense<[0.9]> : tensor<1xf64> : tensor<1x1x4x!kan.fixed<s16:10>> -> tensor<1x1x4x!kan.fixed<s16:10>>
  func.return
}

// -----

// CHECK: terms and result must have as many fraction bits
func.func @f(%a: tensor<1x1x4x!kan.fixed<s16:10>>) {
  %b = kan.combine %a factors dense<[0.5]> : tensor<1xf64> : tensor<1x1x4x!kan.fixed<s16:10>> -> tensor<1x1x4x!kan.fixed<s16:9>>
  func.return
}

// -----

// CHECK: each term must have shape 1x1x4, got 1x1x3
func.func @f(%a: tensor<1x1x3xf32>) {
  %b = kan.combine %a factors dense<[0.5]> : tensor<1xf64> : tensor<1x1x3xf32> -> tensor<1x1x4xf32>
  func.return
}

// -----

// CHECK: origin must have shape 1x1x4, got 1x1x3
func.func @f(%c: tensor<1x1x8xf32>, %i: tensor<1x!kan.int<0:4>>, %o: tensor<1x1x3xf32>, %e: tensor<1xf32>, %w: tensor<1x4xf32>, %t: i1) {
  %b = kan.update %c at %i from %o : tensor<1x1x3xf32> error %e weights %w if %t : tensor<1x1x8xf32>, tensor<1x!kan.int<0:4>>, tensor<1xf32>, tensor<1x4xf32> -> tensor<1x1x8xf32>
  func.return
}

// -----

// CHECK: origin must have 10 fraction bits, as the coefficients
func.func @f(%c: tensor<1x1x8x!kan.fixed<s16:10>>, %i: tensor<1x!kan.int<0:4>>, %o: tensor<1x1x4x!kan.fixed<s16:9>>, %e: tensor<1x!kan.fixed<s17:9>>, %w: tensor<1x4x!kan.fixed<u10:13>>, %t: i1) {
  %b = kan.update %c at %i from %o : tensor<1x1x4x!kan.fixed<s16:9>> error %e weights %w if %t : tensor<1x1x8x!kan.fixed<s16:10>>, tensor<1x!kan.int<0:4>>, tensor<1x!kan.fixed<s17:9>>, tensor<1x4x!kan.fixed<u10:13>> -> tensor<1x1x8x!kan.fixed<s16:10>>
  func.return
}

// -----

// CHECK: the result must be of the coefficients' type tensor<1x1x8xf32>
func.func @f(%c: tensor<1x1x8xf32>, %i: tensor<1x!kan.int<0:4>>, %e: tensor<1xf32>, %w: tensor<1x4xf32>, %t: i1) {
  %b = kan.update %c at %i error %e weights %w if %t : tensor<1x1x8xf32>, tensor<1x!kan.int<0:4>>, tensor<1xf32>, tensor<1x4xf32> -> tensor<1x1x9xf32>
  func.return
}

// -----

// CHECK: an address of 2 words must be i1, got i2
hw.module @m(in %clk : !seq.clock, in %a : i2) {
  %m = kan.memory : !kan.memory<2, i16>
  %r = kan.memory_read %m[%a], %clk : !kan.memory<2, i16>, i2 -> i16
  hw.output
}

// -----

// CHECK: initial words must have shape 2, got 3
hw.module @m(in %clk : !seq.clock, in %a : i2) {
  %m = kan.memory initial dense<[1, 2, 3]> : tensor<3xi8> : !kan.memory<2, i16>
  hw.output
}

// -----

// CHECK: an initial word does not fit into 4 bits
hw.module @m(in %clk : !seq.clock, in %a : i2) {
  %m = kan.memory initial dense<[1, 16]> : tensor<2xi8> : !kan.memory<2, i4>
  hw.output
}
