// RUN: kan-opt %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | filecheck %s --check-prefix GENERIC

// CHECK-LABEL: @decisions
// GENERIC-LABEL: sym_name = "decisions"
func.func @decisions(%a: !kan.int<0:9>, %b: !kan.int<-4:3>, %i: !kan.int<0:1>, %j: !kan.int<2:3>) -> !kan.int<0:3> {
  // The larger value, with its index.
  // CHECK: kan.larger %a at %i or %b at %j as "head0" : !kan.int<0:9> at !kan.int<0:1> or !kan.int<-4:3> at !kan.int<2:3> -> !kan.int<0:9> at !kan.int<0:3>
  // GENERIC: "kan.larger"(%a, %i, %b, %j) <{name = "head0"}>
  %v, %k = kan.larger %a at %i or %b at %j as "head0" : !kan.int<0:9> at !kan.int<0:1> or !kan.int<-4:3> at !kan.int<2:3> -> !kan.int<0:9> at !kan.int<0:3>

  // Both, in order.
  // CHECK: kan.exchange %a at %i or %b at %j : !kan.int<0:9> at !kan.int<0:1> or !kan.int<-4:3> at !kan.int<2:3> -> !kan.int<0:9> at !kan.int<0:3>, !kan.int<-4:3> at !kan.int<0:3>
  // GENERIC: "kan.exchange"(%a, %i, %b, %j) : (
  %p, %q, %r, %s = kan.exchange %a at %i or %b at %j : !kan.int<0:9> at !kan.int<0:1> or !kan.int<-4:3> at !kan.int<2:3> -> !kan.int<0:9> at !kan.int<0:3>, !kan.int<-4:3> at !kan.int<0:3>

  // CHECK: kan.greater %b than -2 as "above" : !kan.int<-4:3> -> !kan.int<0:1>
  // GENERIC: "kan.greater"(%b) <{bound = -2 : i64, name = "above"}>
  %g = kan.greater %b than -2 as "above" : !kan.int<-4:3> -> !kan.int<0:1>
  func.return %k : !kan.int<0:3>
}
