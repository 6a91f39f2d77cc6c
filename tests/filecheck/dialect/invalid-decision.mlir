// RUN: kan-opt %s --verify-diagnostics --split-input-file | filecheck %s

// The larger of two values is chosen, so the lowest one is 3.
func.func @f(%a: !kan.int<0:9>, %b: !kan.int<3:4>, %i: !kan.int<0:0>, %j: !kan.int<1:1>) -> !kan.int<4:9> {
  %f = kan.precedes %a at %i, %b at %j : !kan.int<0:9> at !kan.int<0:0>, !kan.int<3:4> at !kan.int<1:1> -> !kan.int<0:1>
  // CHECK: 'kan.select' op "head0": result 0 can be 3:9, which !kan.int<4:9> does not hold
  %v = kan.select %a if %f else %b as "head0" : !kan.int<0:9> if !kan.int<0:1> else !kan.int<3:4> -> !kan.int<4:9>
  func.return %v : !kan.int<4:9>
}

// -----

// A condition of other values says nothing of these.
func.func @f(%a: !kan.int<0:9>, %b: !kan.int<3:4>, %c: !kan.int<0:1>) -> !kan.int<3:9> {
  // CHECK: 'kan.select' op: result 0 can be 0:9, which !kan.int<3:9> does not hold
  %v = kan.select %a if %c else %b : !kan.int<0:9> if !kan.int<0:1> else !kan.int<3:4> -> !kan.int<3:9>
  func.return %v : !kan.int<3:9>
}

// -----

func.func @f(%a: !kan.int<0:9>, %c: !kan.int<0:2>) -> !kan.int<0:9> {
  // CHECK: 'kan.select' op: the condition must be 0 or 1
  %v = kan.select %a if %c else %a : !kan.int<0:9> if !kan.int<0:2> else !kan.int<0:9> -> !kan.int<0:9>
  func.return %v : !kan.int<0:9>
}

// -----

// The first candidate is always the left one.
func.func @f(%a: !kan.int<5:9>, %b: !kan.int<0:5>, %i: !kan.int<0:0>, %j: !kan.int<1:1>) -> !kan.int<0:0> {
  %f = kan.precedes %a at %i, %b at %j : !kan.int<5:9> at !kan.int<0:0>, !kan.int<0:5> at !kan.int<1:1> -> !kan.int<1:1>
  %k = kan.select %i if %f else %j : !kan.int<0:0> if !kan.int<1:1> else !kan.int<1:1> -> !kan.int<0:0>
  // CHECK: 'kan.precedes' op: result 0 can be 1:1, which !kan.int<0:0> does not hold
  %g = kan.precedes %a at %i, %b at %j : !kan.int<5:9> at !kan.int<0:0>, !kan.int<0:5> at !kan.int<1:1> -> !kan.int<0:0>
  func.return %k : !kan.int<0:0>
}

// -----

func.func @f(%a: !kan.int<0:9>) -> !kan.int<0:0> {
  // CHECK: 'kan.greater' op: result 0 can be 0:1, which !kan.int<0:0> does not hold
  %g = kan.greater %a than 4 : !kan.int<0:9> -> !kan.int<0:0>
  func.return %g : !kan.int<0:0>
}
