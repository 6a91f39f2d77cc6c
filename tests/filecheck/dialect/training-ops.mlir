// RUN: kan-opt %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | filecheck %s --check-prefix GENERIC

// A step of a network of two inputs, in fixed point: storage and fraction bits.
// CHECK-LABEL: @step(
// GENERIC-LABEL: sym_name = "step"
func.func @step(%x: tensor<2x!kan.fixed<s16:10>> {kan.role = "input"},
                %t: tensor<1x!kan.fixed<s16:10>> {kan.role = "target"},
                %train: i1 {kan.role = "train"},
                %c: tensor<1x2x8x!kan.fixed<s16:10>> {kan.role = "state", kan.initial = dense<0> : tensor<1x2x8xi8>})
    -> (tensor<1x!kan.fixed<s16:10>> {kan.role = "output"}, tensor<1x2x8x!kan.fixed<s16:10>> {kan.role = "state"}) {
  // CHECK: kan.locate %x as "layer0" grid dense<[-2.0, 2.0]> : tensor<2xf64> cells 5 : tensor<2x!kan.fixed<s16:10>> -> tensor<2x!kan.int<0:4>>, tensor<2x!kan.fixed<u6:6>>, tensor<2xi1>
  // GENERIC: "kan.locate"(%x) <{{{.*}}name = "layer0"{{.*}}}> :
  %cell, %local, %inside = kan.locate %x as "layer0" grid dense<[-2.0, 2.0]> : tensor<2xf64> cells 5 : tensor<2x!kan.fixed<s16:10>> -> tensor<2x!kan.int<0:4>>, tensor<2x!kan.fixed<u6:6>>, tensor<2xi1>
  // CHECK: kan.basis %local degree 3 scale dense<1.0> : tensor<f64> : tensor<2x!kan.fixed<u6:6>> -> tensor<2x4x!kan.fixed<u10:10>>
  %basis = kan.basis %local degree 3 scale dense<1.0> : tensor<f64> : tensor<2x!kan.fixed<u6:6>> -> tensor<2x4x!kan.fixed<u10:10>>
  // CHECK: kan.basis %local inside %inside : tensor<2xi1> as "d" degree 3 derivative scale dense<[1.25, 1.25]> : tensor<2xf64> : tensor<2x!kan.fixed<u6:6>> -> tensor<2x4x!kan.fixed<s11:10>>
  %derivatives = kan.basis %local inside %inside : tensor<2xi1> as "d" degree 3 derivative scale dense<[1.25, 1.25]> : tensor<2xf64> : tensor<2x!kan.fixed<u6:6>> -> tensor<2x4x!kan.fixed<s11:10>>
  // CHECK: kan.gather %c at %cell : tensor<1x2x8x!kan.fixed<s16:10>>, tensor<2x!kan.int<0:4>> -> tensor<1x2x4x!kan.fixed<s16:10>>
  %active = kan.gather %c at %cell : tensor<1x2x8x!kan.fixed<s16:10>>, tensor<2x!kan.int<0:4>> -> tensor<1x2x4x!kan.fixed<s16:10>>
  // CHECK: kan.mac %active, %basis as "node" : tensor<1x2x4x!kan.fixed<s16:10>>, tensor<2x4x!kan.fixed<u10:10>> -> tensor<1x!kan.fixed<s16:10>>
  %y = kan.mac %active, %basis as "node" : tensor<1x2x4x!kan.fixed<s16:10>>, tensor<2x4x!kan.fixed<u10:10>> -> tensor<1x!kan.fixed<s16:10>>
  // One number an edge.
  // CHECK: kan.mac %active, %derivatives : tensor<1x2x4x!kan.fixed<s16:10>>, tensor<2x4x!kan.fixed<s11:10>> -> tensor<1x2x!kan.fixed<s16:10>>
  %slopes = kan.mac %active, %derivatives : tensor<1x2x4x!kan.fixed<s16:10>>, tensor<2x4x!kan.fixed<s11:10>> -> tensor<1x2x!kan.fixed<s16:10>>
  // CHECK: kan.error %t, %y : tensor<1x!kan.fixed<s16:10>>, tensor<1x!kan.fixed<s16:10>> -> tensor<1x!kan.fixed<s17:9>>
  %error = kan.error %t, %y : tensor<1x!kan.fixed<s16:10>>, tensor<1x!kan.fixed<s16:10>> -> tensor<1x!kan.fixed<s17:9>>
  // CHECK: kan.backpropagate %error through %slopes : tensor<1x!kan.fixed<s17:9>>, tensor<1x2x!kan.fixed<s16:10>> -> tensor<2x!kan.fixed<s17:9>>
  %below = kan.backpropagate %error through %slopes : tensor<1x!kan.fixed<s17:9>>, tensor<1x2x!kan.fixed<s16:10>> -> tensor<2x!kan.fixed<s17:9>>
  // CHECK: kan.basis %local degree 3 scale dense<0.15> : tensor<f64> : tensor<2x!kan.fixed<u6:6>> -> tensor<2x4x!kan.fixed<u10:13>>
  %weights = kan.basis %local degree 3 scale dense<0.15> : tensor<f64> : tensor<2x!kan.fixed<u6:6>> -> tensor<2x4x!kan.fixed<u10:13>>
  // CHECK: kan.combine %active, %active as "carried" factors dense<[0.9375, 0.5]> : tensor<2xf64> : tensor<1x2x4x!kan.fixed<s16:10>>, tensor<1x2x4x!kan.fixed<s16:10>> -> tensor<1x2x4x!kan.fixed<s17:10>>
  // GENERIC: "kan.combine"(%active, %active) <{name = "carried", factors = {{.*}}}> :
  %carried = kan.combine %active, %active as "carried" factors dense<[0.9375, 0.5]> : tensor<2xf64> : tensor<1x2x4x!kan.fixed<s16:10>>, tensor<1x2x4x!kan.fixed<s16:10>> -> tensor<1x2x4x!kan.fixed<s17:10>>
  // CHECK: kan.update %c at %cell from %carried : tensor<1x2x4x!kan.fixed<s17:10>> error %error weights %weights if %train : tensor<1x2x8x!kan.fixed<s16:10>>
  // GENERIC: "kan.update"(%c, %cell, %carried, %error, %weights, %train) :
  %other = kan.update %c at %cell from %carried : tensor<1x2x4x!kan.fixed<s17:10>> error %error weights %weights if %train : tensor<1x2x8x!kan.fixed<s16:10>>, tensor<2x!kan.int<0:4>>, tensor<1x!kan.fixed<s17:9>>, tensor<2x4x!kan.fixed<u10:13>> -> tensor<1x2x8x!kan.fixed<s16:10>>
  // CHECK: kan.update %c at %cell error %error weights %weights if %train as "up" : tensor<1x2x8x!kan.fixed<s16:10>>, tensor<2x!kan.int<0:4>>, tensor<1x!kan.fixed<s17:9>>, tensor<2x4x!kan.fixed<u10:13>> -> tensor<1x2x8x!kan.fixed<s16:10>>
  %next = kan.update %c at %cell error %error weights %weights if %train as "up" : tensor<1x2x8x!kan.fixed<s16:10>>, tensor<2x!kan.int<0:4>>, tensor<1x!kan.fixed<s17:9>>, tensor<2x4x!kan.fixed<u10:13>> -> tensor<1x2x8x!kan.fixed<s16:10>>
  func.return %y, %next : tensor<1x!kan.fixed<s16:10>>, tensor<1x2x8x!kan.fixed<s16:10>>
}

// The real-valued step has the same ops on floats.
// CHECK-LABEL: @real(
func.func @real(%x: tensor<1xf64>) -> tensor<1x3xf64> {
  // CHECK: kan.locate %x grid dense<{{\[\[}}0.0, 1.0]]> : tensor<1x2xf64> cells 4 : tensor<1xf64> -> tensor<1x!kan.int<0:3>>, tensor<1xf64>, tensor<1xi1>
  %cell, %local, %inside = kan.locate %x grid dense<[[0.0, 1.0]]> : tensor<1x2xf64> cells 4 : tensor<1xf64> -> tensor<1x!kan.int<0:3>>, tensor<1xf64>, tensor<1xi1>
  // CHECK: kan.basis %local degree 2 scale dense<1.0> : tensor<f64> : tensor<1xf64> -> tensor<1x3xf64>
  %basis = kan.basis %local degree 2 scale dense<1.0> : tensor<f64> : tensor<1xf64> -> tensor<1x3xf64>
  func.return %basis : tensor<1x3xf64>
}

// CHECK-LABEL: @memory(
hw.module @memory(in %clk : !seq.clock, in %a : i1, in %d : i16, in %e : i1, out y : i16) {
  // CHECK: %m = kan.memory initial dense<[1, -2]> : tensor<2xi8> {sv.namehint = "bank"} : !kan.memory<2, i16>
  // GENERIC: "kan.memory"() <{initial = {{.*}}}>
  %m = kan.memory initial dense<[1, -2]> : tensor<2xi8> {sv.namehint = "bank"} : !kan.memory<2, i16>
  // CHECK: kan.memory_read %m[%a], %clk : !kan.memory<2, i16>, i1 -> i16
  %r = kan.memory_read %m[%a], %clk : !kan.memory<2, i16>, i1 -> i16
  // CHECK: kan.memory_read %m[%a], %clk enable %e : !kan.memory<2, i16>, i1 -> i16
  %kept = kan.memory_read %m[%a], %clk enable %e : !kan.memory<2, i16>, i1 -> i16
  // CHECK: kan.memory_word %m[%a] : !kan.memory<2, i16>, i1 -> i16
  %w = kan.memory_word %m[%a] : !kan.memory<2, i16>, i1 -> i16
  // CHECK: kan.memory_write %m[%a] = %d if %e, %clk : !kan.memory<2, i16>, i1, i16
  kan.memory_write %m[%a] = %d if %e, %clk : !kan.memory<2, i16>, i1, i16
  hw.output %r : i16
}
