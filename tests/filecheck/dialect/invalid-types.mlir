// RUN: kan-opt %s --verify-diagnostics --parsing-diagnostics --split-input-file | filecheck %s

// A message shows the place.

// CHECK: func.func private @f(!kan.int<3:2>)
// CHECK-NEXT: ^^^^^
// CHECK-NEXT: !kan.int<3:2> is an empty range
func.func private @f(!kan.int<3:2>)

// -----

// CHECK: !kan.int<0:4611686018427387904> needs 63 bits, more than 62
func.func private @f(!kan.int<0:4611686018427387904>)

// -----

// CHECK: !kan.int<-2305843009213693953:0> needs 63 bits, more than 62
func.func private @f(!kan.int<-2305843009213693953:0>)

// -----

// CHECK: Expected integer literal
func.func private @f(!kan.int<0:1.5>)

// -----

// !quant.uniform, refused as upstream does

// CHECK: illegal storage type size: 0 (a quantised type holds 1 to 32 bits)
func.func private @f(!quant.uniform<u0:f32, 1.0>)

// -----

// CHECK: illegal storage type size: 33 (a quantised type holds 1 to 32 bits)
func.func private @f(!quant.uniform<i33:f32, 1.0>)

// -----

// CHECK: illegal storage type prefix 'f8': expected iN or uN
func.func private @f(!quant.uniform<f8:f32, 1.0>)

// -----

// CHECK: illegal storage min and storage max: (-1:7)
func.func private @f(!quant.uniform<u8<-1:7>:f32, 1.0>)

// -----

// CHECK: illegal storage min and storage max: (0:128)
func.func private @f(!quant.uniform<i8<0:128>:f32, 1.0>)

// -----

// CHECK: illegal storage min and storage max: (3:3)
func.func private @f(!quant.uniform<u8<3:3>:f32, 1.0>)

// -----

// CHECK: illegal scale: 0.0
func.func private @f(!quant.uniform<u8:f32, 0.0>)

// -----

// CHECK: illegal scale: -1.0
func.func private @f(!quant.uniform<u8:f32, -1.0>)

// -----

// CHECK: scale 1e+39 out of expressed type range
func.func private @f(!quant.uniform<u8:f32, 1.0e39>)

// -----

// CHECK: scale 100000.0 out of expressed type range
func.func private @f(!quant.uniform<u8:f16, 1.0e5>)

// -----

// CHECK: 'expressed_type' does not verify:
// CHECK-NEXT: Unexpected attribute i8
func.func private @f(!quant.uniform<u8:i8, 1.0>)

// -----

// CHECK: illegal number of scales and zeroPoints: 0, 0
func.func private @f(!quant.uniform<u8:f32:0, {}>)

// -----

// CHECK: '{' expected
func.func private @f(!quant.uniform<u8:f32:0, 1.0>)

// -----

// CHECK: illegal quantized dimension: -1
func.func private @f(!quant.uniform<u8:f32:-1, {1.0}>)
