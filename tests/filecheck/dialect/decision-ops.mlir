// RUN: kan-opt %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | filecheck %s --check-prefix GENERIC

// CHECK-LABEL: @decisions
// GENERIC-LABEL: sym_name = "decisions"
func.func @decisions(%a: !kan.int<0:9>, %b: !kan.int<-4:3>, %i: !kan.int<0:1>, %j: !kan.int<2:3>) -> !kan.int<0:3> {
  // Whether the left candidate comes first: a value at an index each.
  // CHECK: kan.precedes %a at %i, %b at %j as "left" : !kan.int<0:9> at !kan.int<0:1>, !kan.int<-4:3> at !kan.int<2:3> -> !kan.int<0:1>
  // GENERIC: "kan.precedes"(%a, %i, %b, %j) <{name = "left"}>
  %f = kan.precedes %a at %i, %b at %j as "left" : !kan.int<0:9> at !kan.int<0:1>, !kan.int<-4:3> at !kan.int<2:3> -> !kan.int<0:1>

  // The larger value, the smaller one, and the index of the larger one. Registers may stand between.
  // CHECK: kan.select %a if %f else %b as "larger" : !kan.int<0:9> if !kan.int<0:1> else !kan.int<-4:3> -> !kan.int<0:9>
  // GENERIC: "kan.select"(%f, %a, %b) <{name = "larger"}>
  %v = kan.select %a if %f else %b as "larger" : !kan.int<0:9> if !kan.int<0:1> else !kan.int<-4:3> -> !kan.int<0:9>
  %d = kan.delay %f by 1 : !kan.int<0:1>
  %e = kan.delay %a by 1 : !kan.int<0:9>
  %w = kan.select %b if %d else %e : !kan.int<-4:3> if !kan.int<0:1> else !kan.int<0:9> -> !kan.int<-4:3>
  %k = kan.select %i if %f else %j : !kan.int<0:1> if !kan.int<0:1> else !kan.int<2:3> -> !kan.int<0:3>

  // CHECK: kan.greater %b than -2 as "above" : !kan.int<-4:3> -> !kan.int<0:1>
  // GENERIC: "kan.greater"(%b) <{bound = -2 : i64, name = "above"}>
  %g = kan.greater %b than -2 as "above" : !kan.int<-4:3> -> !kan.int<0:1>
  func.return %k : !kan.int<0:3>
}
