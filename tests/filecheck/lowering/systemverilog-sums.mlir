// RUN: kan-opt --check-passes %s -p lower-kan-to-hw,kan-form-carry-chains -t systemverilog | filecheck %s

// A table of few inputs is added by a function that leaves room for it in the adder's LUTs, a sum of
// other sums by one that keeps them apart, and the last sum of all is plain.
// CHECK: function automatic logic [8:0] add9(input logic [8:0] left, input logic [8:0] right);
// CHECK-NEXT: logic [9:0] twice;
// CHECK-NEXT: logic unused;
// CHECK-NEXT: twice = {left, 1'b0} + {right, 1'b0};
// CHECK-NEXT: {add9, unused} = twice;
// CHECK-NEXT: endfunction
// CHECK: function automatic logic [8:0] absorb9(input logic [8:0] left, input logic [8:0] right);
// CHECK-NEXT: logic [9:0] twice;
// CHECK-NEXT: logic unused;
// CHECK-NEXT: twice = {left, 1'b0} - {~right, 1'b1};
// CHECK-NEXT: {absorb9, unused} = twice;
// CHECK-NEXT: endfunction
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
// CHECK-NEXT: logic unused;
// CHECK-NEXT: twice = {left, carry} + {right, carry};
// CHECK-NEXT: {add9_carry, unused} = twice;
// CHECK-NEXT: endfunction
// CHECK: function automatic logic [8:0] absorb9_carry(input logic [8:0] left, input logic [8:0] right, input logic carry);
// CHECK-NEXT: logic [9:0] twice;
// CHECK-NEXT: logic unused;
// CHECK-NEXT: twice = {left, carry} - {~right, ~carry};
// CHECK-NEXT: {absorb9_carry, unused} = twice;
// CHECK-NEXT: endfunction
// CHECK: wire logic [8:0] p = absorb9_carry({1'b0, x1}, {7'd0, t}, x3);
// CHECK: wire logic [8:0] q = add9_carry({1'b0, x1}, {1'b0, x2}, x4);
func.func @carried(%x: !kan.int<0:3>, %y: !kan.int<0:255>, %z: !kan.int<0:255>, %b: !kan.int<0:1>, %c: !kan.int<0:1>) -> (!kan.int<0:259>, !kan.int<0:511>) {
  %t = kan.table %x as "t" entries dense<[0, 3, 2, 1]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  %p = kan.sum %y, %t, %b as "p" : !kan.int<0:255>, !kan.int<0:3>, !kan.int<0:1> -> !kan.int<0:259>
  %q = kan.sum %y, %z, %c as "q" : !kan.int<0:255>, !kan.int<0:255>, !kan.int<0:1> -> !kan.int<0:511>
  func.return %p, %q : !kan.int<0:259>, !kan.int<0:511>
}

// Some bits of few inputs are enough, also in a table that counts twice and where the lowest bit of
// another goes past the adder. Not where something else reads them, and not for bits of four
// inputs, which gain nothing.
// CHECK-LABEL: module mixed
// CHECK: wire logic [8:0] p = absorb9({1'b0, x1}, {7'd0, t});
// CHECK: wire logic [8:0] q = absorb9_carry({1'b0, x1}, {6'd0, {u_by2, 1'b0}}, x2);
// CHECK: wire logic [8:0] r = {absorb8({1'b0, x1[7:1]}, {6'd0, v_by2}), x1[0]};
// CHECK: wire logic [8:0] s = {1'b0, x1} + {7'd0, w};
// CHECK: wire logic [8:0] f = {1'b0, x1} + {7'd0, g};
func.func @mixed(%x: !kan.int<0:63>, %y: !kan.int<0:255>, %b: !kan.int<0:1>) -> (!kan.int<0:258>, !kan.int<0:262>, !kan.int<0:261>, !kan.int<0:258>, !kan.int<0:3>, !kan.int<0:258>) {
  %t = kan.table %x as "t" entries dense<"0x00010100010000010302020302030302030202030203030200010100010000010302020302030302000101000100000100010100010000010302020302030302"> : tensor<64xi8> : !kan.int<0:63> -> !kan.int<0:3>
  %p = kan.sum %y, %t as "p" : !kan.int<0:255>, !kan.int<0:3> -> !kan.int<0:258>
  %u = kan.table %x as "u" entries dense<"0x00020200020000020604040604060604060404060406060400020200020000020604040604060604000202000200000200020200020000020604040604060604"> : tensor<64xi8> : !kan.int<0:63> -> !kan.int<0:6>
  %q = kan.sum %y, %u, %b as "q" : !kan.int<0:255>, !kan.int<0:6>, !kan.int<0:1> -> !kan.int<0:262>
  %v = kan.table %x as "v" entries dense<"0x00020200020000020604040604060604060404060406060400020200020000020604040604060604000202000200000200020200020000020604040604060604"> : tensor<64xi8> : !kan.int<0:63> -> !kan.int<0:6>
  %r = kan.sum %y, %v as "r" : !kan.int<0:255>, !kan.int<0:6> -> !kan.int<0:261>
  %w = kan.table %x as "w" entries dense<"0x00010100010000010302020302030302030202030203030200010100010000010302020302030302000101000100000100010100010000010302020302030302"> : tensor<64xi8> : !kan.int<0:63> -> !kan.int<0:3>
  %s = kan.sum %y, %w as "s" : !kan.int<0:255>, !kan.int<0:3> -> !kan.int<0:258>
  %g = kan.table %x as "g" entries dense<"0x00010100030202030302020300010100030202030001010000010100030202030302020300010100000101000302020300010100030202030302020300010100"> : tensor<64xi8> : !kan.int<0:63> -> !kan.int<0:3>
  %f = kan.sum %y, %g as "f" : !kan.int<0:255>, !kan.int<0:3> -> !kan.int<0:258>
  func.return %p, %q, %r, %s, %w, %f : !kan.int<0:258>, !kan.int<0:262>, !kan.int<0:261>, !kan.int<0:258>, !kan.int<0:3>, !kan.int<0:258>
}

// Numbers whose bits do not meet take no adder, and an adder takes in the tables of both. Half of the
// range on top inverts the highest bit.
// CHECK-LABEL: module side_by_side
// CHECK: wire logic [4:0] p = {t_by8, 1'b0, u};
// CHECK: wire logic [8:0] q = absorb9({1'b0, x1}, {4'd0, p});
// CHECK: wire logic [7:0] r = {~x1[7], x1[6:0]};
func.func @side_by_side(%x: !kan.int<0:3>, %y: !kan.int<0:255>) -> (!kan.int<0:282>, !kan.int<-128:127>) {
  %t = kan.table %x as "t" entries dense<[0, 24, 16, 8]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:24>
  %u = kan.table %x as "u" entries dense<[3, 1, 0, 2]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  %p = kan.sum %t, %u as "p" : !kan.int<0:24>, !kan.int<0:3> -> !kan.int<0:27>
  %q = kan.sum %p, %y as "q" : !kan.int<0:27>, !kan.int<0:255> -> !kan.int<0:282>
  %c = kan.constant -128 : !kan.int<-128:-128>
  %r = kan.sum %y, %c as "r" : !kan.int<0:255>, !kan.int<-128:-128> -> !kan.int<-128:127>
  func.return %q, %r : !kan.int<0:282>, !kan.int<-128:127>
}

// A sum that is a term of another is a call of a function, which Yosys keeps as an adder of its own.
// CHECK-LABEL: module sums_of_sums (
hw.module @sums_of_sums(in %a : i4, in %b : i4, in %c : i3, in %d : i3, out y : i4, out z : i3) {
  // CHECK: function automatic logic [2:0] add3(input logic [2:0] left, input logic [2:0] right);
  // CHECK-NEXT: logic [3:0] twice;
  // CHECK-NEXT: logic unused;
  // CHECK-NEXT: twice = {left, 1'b0} + {right, 1'b0};
  // CHECK-NEXT: {add3, unused} = twice;
  // CHECK-NEXT: endfunction
  // CHECK-NEXT: function automatic logic [3:0] add4(
  %first = comb.add %a, %b : i4
  %second = comb.add %c, %d {sv.namehint = "second"} : i3
  %zero = hw.constant false
  %wider = comb.concat %zero, %second : i1, i3
  // CHECK: wire logic [2:0] second = add3(c, d);
  // CHECK-NEXT: assign y = add4(a, b) + {1'b0, second};
  %y = comb.add %first, %wider : i4
  // CHECK-NEXT: assign z = second;
  hw.output %y, %second : i4, i3
}
