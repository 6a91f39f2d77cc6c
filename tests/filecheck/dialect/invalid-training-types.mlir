// RUN: kan-opt %s --verify-diagnostics --parsing-diagnostics --split-input-file | filecheck %s

// What fixed-point types and types of memories check.

// CHECK: a fixed-point number has 2 to 32 bits, got 1
func.func private @f(tensor<1x!kan.fixed<s1:0>>)

// -----

// CHECK: a fixed-point number has 2 to 32 bits, got 40
func.func private @f(tensor<1x!kan.fixed<s40:0>>)

// -----

// CHECK: expected a storage such as s16 or u6
func.func private @f(tensor<1x!kan.fixed<i8:0>>)

// -----

// CHECK: fraction bits must lie in -62..62, got 99
func.func private @f(tensor<1x!kan.fixed<s16:99>>)

// -----

// CHECK: a memory has 1 to 1048576 words, got 0
func.func private @f(!kan.memory<0, i16>)

// -----

// CHECK: expected a type of words such as i16
func.func private @f(!kan.memory<4, f32>)
