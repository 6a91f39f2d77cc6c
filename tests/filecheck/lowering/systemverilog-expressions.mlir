// RUN: kan-opt %s -t systemverilog | filecheck %s --strict-whitespace

// What the IR names is a wire; what it does not and is used once is written in place.
// CHECK-LABEL: module inlined (
hw.module @inlined(in %a : i4, in %b : i4, out y : i1, out z : i4) {
  // CHECK: wire logic [3:0] total = a + b;
  %total = comb.add %a, %b {sv.namehint = "total"} : i4
  %diff = comb.sub %a, %b : i4
  %masked = comb.and %diff, %total : i4
  %less = comb.icmp ult %masked, %b : i4
  // CHECK-NEXT: assign y = ((a - b) & total) < b;
  // CHECK-NEXT: assign z = total;
  hw.output %less, %total : i1, i4
}

// What has no name but is used twice, or cut into parts, gets one.
// CHECK-LABEL: module generated (
hw.module @generated(in %a : i4, in %b : i4, out y : i4, out z : i2) {
  // CHECK: wire logic [3:0] sum_1 = a + b;
  %sum = comb.add %a, %b : i4
  // CHECK-NEXT: wire logic [3:0] xor_1 = sum_1 ^ a;
  %xor = comb.xor %sum, %a : i4
  %part = comb.extract %xor from 1 : (i4) -> i2
  // CHECK-NEXT: assign y = sum_1;
  // CHECK-NEXT: assign z = xor_1[2:1];
  hw.output %sum, %part : i4, i2
}

// Constants in sums come last, and are subtracted if negative; a mask of ones inverts.
// CHECK-LABEL: module constants (
hw.module @constants(in %a : i4, in %b : i4, out s : i4, out d : i4, out n : i4, out i : i4, out c : i8, out f : i4) {
  %three = hw.constant 3 : i4
  %ones = hw.constant -1 : i4
  %zero = hw.constant 0 : i4
  %minus_three = hw.constant -3 : i4
  // CHECK: assign s = a + b - 4'd3;
  %s = comb.add %minus_three, %a, %b : i4
  // CHECK: assign d = a + 4'd3;
  %d = comb.sub %a, %minus_three : i4
  // CHECK: assign n = -a;
  %n = comb.sub %zero, %a : i4
  // CHECK: assign i = ~a;
  %i = comb.xor %a, %ones : i4
  // CHECK: assign c = {4'd3, a};
  %c = comb.concat %three, %a : i4, i4
  // What is known is computed.
  // CHECK: assign f = 4'd6;
  %f = comb.add %three, %three : i4
  hw.output %s, %d, %n, %i, %c, %f : i4, i4, i4, i4, i8, i4
}

// Sign extension is found, whatever else reads the sign.
// CHECK-LABEL: module extensions (
hw.module @extensions(in %a : i4, in %bit : i1, out w : i6, out x : i5, out y : i3, out z : i6) {
  %sign = comb.extract %a from 3 : (i4) -> i1
  %signs = comb.replicate %sign : (i1) -> i2
  // CHECK: assign w = {{[{][{]}}2{a[3]{{[}][}]}}, a};
  %w = comb.concat %signs, %a : i2, i4
  // CHECK: assign x = {a[3], a};
  %x = comb.concat %sign, %a : i1, i4
  // CHECK: assign y = {{[{]}}3{bit_{{[}]}}};
  %y = comb.replicate %bit : (i1) -> i3
  // CHECK: assign z = {2'd0, a};
  %zero = hw.constant 0 : i2
  %z = comb.concat %zero, %a : i2, i4
  hw.output %w, %x, %y, %z : i6, i5, i3, i6
}

// Only comparisons, divisions and right shifts are signed, and only inside.
// CHECK-LABEL: module signed_operators (
hw.module @signed_operators(in %a : i4, in %b : i4, out l : i1, out u : i1, out s : i4, out d : i4, out m : i1, out o : i1) {
  %minus_three = hw.constant -3 : i4
  %lowest = hw.constant -8 : i4
  // CHECK: assign l = $signed(a) < -4'sd3;
  %l = comb.icmp slt %a, %minus_three : i4
  // CHECK: assign u = a <= 4'd13;
  %u = comb.icmp ule %a, %minus_three : i4
  // CHECK: assign s = $unsigned($signed(a) >>> b) + b;
  %shifted = comb.shrs %a, %b : i4
  %s = comb.add %shifted, %b : i4
  // CHECK: assign d = $unsigned($signed(a + b) / $signed(b));
  %sum = comb.add %a, %b : i4
  %d = comb.divs %sum, %b : i4
  // CHECK: assign m = $signed(a) > 4'sh8;
  %m = comb.icmp sgt %a, %lowest : i4
  // Nothing is below the lowest value.
  // CHECK: assign o = 1'b0;
  %o = comb.icmp slt %a, %lowest : i4
  hw.output %l, %u, %s, %d, %m, %o : i1, i1, i4, i4, i1, i1
}

// CHECK-LABEL: module choices (
hw.module @choices(in %a : i4, in %b : i4, out y : i4, out z : i4) {
  // CHECK: assign y = (a < b) ? a : (a == b) ? b : a & b;
  %less = comb.icmp ult %a, %b : i4
  %equal = comb.icmp eq %a, %b : i4
  %and = comb.and %a, %b : i4
  %inner = comb.mux %equal, %b, %and : i4
  %y = comb.mux %less, %a, %inner : i4
  // CHECK: assign z = ((a != b) ? a : b) + b;
  %differ = comb.icmp ne %a, %b : i4
  %chosen = comb.mux %differ, %a, %b : i4
  %z = comb.add %chosen, %b : i4
  hw.output %y, %z : i4, i4
}

// Arrays that are computed are packed arrays, element 0 in the lowest bits.
// CHECK-LABEL: module arrays (
hw.module @arrays(in %a : i4, in %b : i4, in %i : i1, in %x : i6, in %j : i2, out y : i4, out z : i2, out w : i8, out e : i4) {
  // CHECK: wire logic [1:0][3:0] array_1 = {b, a};
  %array = hw.array_create %b, %a : i4
  %y = hw.array_get %array[%i] : !hw.array<2xi4>, i1
  // CHECK-NEXT: wire logic [2:0][1:0] bits_1 = {x[5:4], x[3:2], x[1:0]};
  %cast = hw.bitcast %x : (i6) -> !hw.array<3xi2>
  %z = hw.array_get %cast[%j] : !hw.array<3xi2>, i2
  %w = hw.bitcast %array : (!hw.array<2xi4>) -> i8
  // A table of one entry is that entry.
  %entry = hw.constant 5 : i4
  %single = hw.bitcast %entry : (i4) -> !hw.array<1xi4>
  %nothing = hw.constant 0 : i0
  %e = hw.array_get %single[%nothing] : !hw.array<1xi4>, i0
  // CHECK-NEXT: assign y = array_1[i];
  // CHECK-NEXT: assign z = bits_1[j];
  // CHECK-NEXT: assign w = {array_1[1], array_1[0]};
  // CHECK-NEXT: assign e = 4'd5;
  hw.output %y, %z, %w, %e : i4, i2, i8, i4
}
