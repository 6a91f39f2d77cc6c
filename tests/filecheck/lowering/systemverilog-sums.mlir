// RUN: kan-opt %s -p lower-kan-to-hw -t systemverilog | filecheck %s

// A table of few inputs is added by a function that leaves room for it in the adder's LUTs, a sum of
// other sums by one that keeps them apart, and the last sum of all is plain.
// CHECK: function automatic logic [8:0] add9(input logic [8:0] left, input logic [8:0] right);
// CHECK-NEXT: logic [9:0] twice;
// CHECK-NEXT: twice = {left, 1'b0} + {right, 1'b0};
// CHECK-NEXT: add9 = twice[9:1];
// CHECK: function automatic logic [8:0] absorb9(input logic [8:0] left, input logic [8:0] right);
// CHECK-NEXT: logic [9:0] twice;
// CHECK-NEXT: twice = {left, 1'b0} - {~right, 1'b1};
// CHECK-NEXT: absorb9 = twice[9:1];
// CHECK: wire logic [8:0] p = absorb9({1'b0, x1}, {7'd0, t});
// CHECK: wire logic [8:0] q = add9({1'b0, x1}, {1'b0, x2});
// CHECK: wire logic [9:0] s = {1'b0, p} + {1'b0, q};
func.func @absorbed(%x: !kan.int<0:3>, %y: !kan.int<0:255>, %z: !kan.int<0:255>) -> !kan.int<0:768> {
  %t = kan.table %x as "t" entries dense<[0, 3, 2, 1]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  %p = kan.sum %y, %t as "p" : !kan.int<0:255>, !kan.int<0:3> -> !kan.int<0:258>
  %q = kan.sum %y, %z as "q" : !kan.int<0:255>, !kan.int<0:255> -> !kan.int<0:510>
  %s = kan.sum %p, %q as "s" : !kan.int<0:258>, !kan.int<0:510> -> !kan.int<0:768>
  func.return %s : !kan.int<0:768>
}


// A bit comes in below both numbers, in the zero's place; in an absorbing adder too.
// CHECK-LABEL: module carried
// CHECK: function automatic logic [8:0] add9_carry(input logic [8:0] left, input logic [8:0] right, input logic carry);
// CHECK-NEXT: logic [9:0] twice;
// CHECK-NEXT: twice = {left, carry} + {right, carry};
// CHECK-NEXT: add9_carry = twice[9:1];
// CHECK: function automatic logic [8:0] absorb9_carry(input logic [8:0] left, input logic [8:0] right, input logic carry);
// CHECK-NEXT: logic [9:0] twice;
// CHECK-NEXT: twice = {left, carry} - {~right, ~carry};
// CHECK-NEXT: absorb9_carry = twice[9:1];
// CHECK: wire logic [8:0] p = absorb9_carry({1'b0, x1}, {7'd0, t}, x3);
// CHECK: wire logic [8:0] q = add9_carry({1'b0, x1}, {1'b0, x2}, x4);
func.func @carried(%x: !kan.int<0:3>, %y: !kan.int<0:255>, %z: !kan.int<0:255>, %b: !kan.int<0:1>, %c: !kan.int<0:1>) -> (!kan.int<0:259>, !kan.int<0:511>) {
  %t = kan.table %x as "t" entries dense<[0, 3, 2, 1]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  %p = kan.sum %y, %t, %b as "p" : !kan.int<0:255>, !kan.int<0:3>, !kan.int<0:1> -> !kan.int<0:259>
  %q = kan.sum %y, %z, %c as "q" : !kan.int<0:255>, !kan.int<0:255>, !kan.int<0:1> -> !kan.int<0:511>
  func.return %p, %q : !kan.int<0:259>, !kan.int<0:511>
}
