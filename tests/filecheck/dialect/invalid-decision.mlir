// RUN: kan-opt %s --verify-diagnostics --split-input-file | filecheck %s

func.func @f(%a: !kan.int<0:9>, %b: !kan.int<0:3>, %i: !kan.int<0:0>, %j: !kan.int<1:1>) -> !kan.int<0:1> {
  // CHECK: 'kan.larger' op "head0": result 0 can be 0:9, which !kan.int<0:3> does not hold
  %v, %k = kan.larger %a at %i or %b at %j as "head0" : !kan.int<0:9> at !kan.int<0:0> or !kan.int<0:3> at !kan.int<1:1> -> !kan.int<0:3> at !kan.int<0:1>
  func.return %k : !kan.int<0:1>
}

// -----

func.func @f(%a: !kan.int<0:9>, %b: !kan.int<0:3>, %i: !kan.int<0:0>, %j: !kan.int<1:1>) -> !kan.int<0:0> {
  // CHECK: 'kan.exchange' op: result 3 can be 0:1, which !kan.int<1:1> does not hold
  %v, %k, %w, %l = kan.exchange %a at %i or %b at %j : !kan.int<0:9> at !kan.int<0:0> or !kan.int<0:3> at !kan.int<1:1> -> !kan.int<0:9> at !kan.int<0:1>, !kan.int<0:3> at !kan.int<1:1>
  func.return %i : !kan.int<0:0>
}

// -----

// The first candidate is always the left one, so its index is enough.
func.func @f(%a: !kan.int<5:9>, %b: !kan.int<0:5>, %i: !kan.int<0:0>, %j: !kan.int<1:1>) -> !kan.int<0:0> {
  // CHECK: @f
  // CHECK: kan.larger
  %v, %k = kan.larger %a at %i or %b at %j : !kan.int<5:9> at !kan.int<0:0> or !kan.int<0:5> at !kan.int<1:1> -> !kan.int<5:9> at !kan.int<0:0>
  func.return %k : !kan.int<0:0>
}

// -----

func.func @f(%a: !kan.int<0:9>) -> !kan.int<0:0> {
  // CHECK: 'kan.greater' op: result 0 can be 0:1, which !kan.int<0:0> does not hold
  %g = kan.greater %a than 4 : !kan.int<0:9> -> !kan.int<0:0>
  func.return %g : !kan.int<0:0>
}
