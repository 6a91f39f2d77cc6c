// RUN: kan-opt %s -p lower-kan-to-hw | filecheck %s
// RUN: kan-opt %s -p lower-kan-to-hw -t systemverilog | filecheck %s --check-prefix SV

// Where the left index is always the smaller one, equal values choose the left candidate.
// CHECK-LABEL: hw.module @tree
// CHECK: [[F:%.*]] = comb.icmp uge %x0, %x1
// CHECK-NEXT: [[I:%.*]] = comb.mux [[F]]
// CHECK-NOT: comb.mux
// CHECK: hw.output [[I]]
// SV: wire logic head_left = x0 >= x1;
// SV-NEXT: wire logic head_index = head_left ? 1'b0 : 1'b1;
func.func @tree(%x: !kan.int<0:7>, %y: !kan.int<0:7>) -> !kan.int<0:1> {
  %i = kan.constant 0 : !kan.int<0:0>
  %j = kan.constant 1 : !kan.int<1:1>
  %f = kan.precedes %x at %i, %y at %j as "head_left" : !kan.int<0:7> at !kan.int<0:0>, !kan.int<0:7> at !kan.int<1:1> -> !kan.int<0:1>
  %k = kan.select %i if %f else %j as "head_index" : !kan.int<0:0> if !kan.int<0:1> else !kan.int<1:1> -> !kan.int<0:1>
  func.return %k : !kan.int<0:1>
}

// Where either index may be the smaller one, it decides below the values, with its bits inverted.
// CHECK-LABEL: hw.module @network
// SV: wire logic head_left = $signed({{[{][{]}}1'b0, x0}, ~x1}) > $signed({{[{]}}x2, ~x3});
func.func @network(%x: !kan.int<0:7>, %i: !kan.int<0:3>, %y: !kan.int<-8:7>, %j: !kan.int<0:3>) -> (!kan.int<-8:7>, !kan.int<0:3>) {
  %f = kan.precedes %x at %i, %y at %j as "head_left" : !kan.int<0:7> at !kan.int<0:3>, !kan.int<-8:7> at !kan.int<0:3> -> !kan.int<0:1>
  %k = kan.select %i if %f else %j : !kan.int<0:3> if !kan.int<0:1> else !kan.int<0:3> -> !kan.int<0:3>
  %w = kan.select %y if %f else %x : !kan.int<-8:7> if !kan.int<0:1> else !kan.int<0:7> -> !kan.int<-8:7>
  func.return %w, %k : !kan.int<-8:7>, !kan.int<0:3>
}

// Above -1 is the sign, inverted.
// CHECK-LABEL: hw.module @bits
// SV-LABEL: module bits
// SV: wire logic high = x0 > 3'd2;
// SV-NEXT: wire logic positive = ~x1[3];
func.func @bits(%x: !kan.int<0:7>, %y: !kan.int<-8:7>) -> (!kan.int<0:1>, !kan.int<0:1>) {
  %g = kan.greater %x than 2 as "high" : !kan.int<0:7> -> !kan.int<0:1>
  %s = kan.greater %y than -1 as "positive" : !kan.int<-8:7> -> !kan.int<0:1>
  func.return %g, %s : !kan.int<0:1>, !kan.int<0:1>
}
