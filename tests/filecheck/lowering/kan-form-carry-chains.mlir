// RUN: kan-opt %s -p kan-form-carry-chains | filecheck %s
// RUN: kan-opt %s -p kan-form-carry-chains,kan-form-carry-chains | filecheck %s
// RUN: kan-opt %s -p kan-form-carry-chains -t circt | filecheck %s --check-prefix CIRCT
// RUN: kan-opt %s -p 'kan-form-carry-chains{target=ecp5}' | filecheck %s --check-prefix ECP5

// A sum that another one adds, here extended, is kept apart from it by a bit below. The last sum of
// all stays as it is.
// CHECK-LABEL: hw.module @sums_of_sums
// CIRCT-LABEL: hw.module @sums_of_sums
hw.module @sums_of_sums(in %a : i3, in %b : i3, in %c : i4, out y : i4) {
  // CHECK: [[BELOW:%.*]] = hw.constant false
  // CHECK-NEXT: [[A:%.*]] = comb.concat %a, [[BELOW]] : i3, i1
  // CHECK-NEXT: [[B:%.*]] = comb.concat %b, [[BELOW]] : i3, i1
  // CHECK-NEXT: [[WHOLE:%.*]] = comb.add [[A]], [[B]] : i4
  // CHECK-NEXT: [[INNER:%.*]] = comb.extract [[WHOLE]] from 1 {sv.namehint = "inner"} : (i4) -> i3
  // CIRCT: %inner = comb.extract %{{.*}} from 1 {sv.namehint = "inner"} : (i4) -> i3
  %inner = comb.add %a, %b {sv.namehint = "inner"} : i3
  %zero = hw.constant false
  // CHECK: [[WIDE:%.*]] = comb.concat {{%.*}}, [[INNER]] : i1, i3
  %wide = comb.concat %zero, %inner : i1, i3
  // CHECK-NEXT: [[Y:%.*]] = comb.add [[WIDE]], %c : i4
  // CHECK-NEXT: hw.output [[Y]] : i4
  %y = comb.add %wide, %c : i4
  hw.output %y : i4
}

// A bit that is added to two numbers comes in below both.
// CHECK-LABEL: hw.module @carry
hw.module @carry(in %a : i3, in %b : i3, in %bit : i1, out y : i3) {
  %zeros = hw.constant 0 : i2
  %wide = comb.concat %zeros, %bit : i2, i1
  // CHECK: [[A:%.*]] = comb.concat %a, %bit : i3, i1
  // CHECK-NEXT: [[B:%.*]] = comb.concat %b, %bit : i3, i1
  // CHECK-NEXT: [[WHOLE:%.*]] = comb.add [[A]], [[B]] : i4
  // CHECK-NEXT: [[Y:%.*]] = comb.extract [[WHOLE]] from 1 : (i4) -> i3
  // CHECK-NEXT: hw.output [[Y]] : i3
  %y = comb.add %a, %wide, %b : i3
  hw.output %y : i3
}

// An entry of a table of few inputs is subtracted, inverted, so that the chain takes the other
// number as it is. The adders of ECP5 absorb nothing.
// ECP5-LABEL: hw.module @absorbed
// ECP5-NOT: comb.sub
// ECP5: comb.add %entry, %a : i2
// ECP5-NOT: comb.sub
// ECP5-LABEL: hw.module @plain
// CHECK-LABEL: hw.module @absorbed
hw.module @absorbed(in %a : i2, in %x : i2, in %bit : i1, out y : i2, out z : i2) {
  // CHECK: [[ENTRY:%.*]] = hw.array_get
  %bits = hw.constant 108 : i8
  %table = hw.bitcast %bits : (i8) -> !hw.array<4xi2>
  %entry = hw.array_get %table[%x] : !hw.array<4xi2>, i2
  // CHECK: [[ZERO:%.*]] = hw.constant false
  // CHECK-NEXT: [[LEFT:%.*]] = comb.concat %a, [[ZERO]] : i2, i1
  // CHECK: [[INVERTED:%.*]] = comb.xor [[ENTRY]], {{%.*}} : i2
  // CHECK: [[ONE:%.*]] = hw.constant true
  // CHECK-NEXT: [[RIGHT:%.*]] = comb.concat [[INVERTED]], [[ONE]] : i2, i1
  // CHECK-NEXT: [[WHOLE:%.*]] = comb.sub [[LEFT]], [[RIGHT]] : i3
  // CHECK-NEXT: [[Y:%.*]] = comb.extract [[WHOLE]] from 1 : (i3) -> i2
  %y = comb.add %entry, %a : i2
  // CHECK: [[OTHER:%.*]] = hw.array_get
  %other = hw.array_get %table[%x] : !hw.array<4xi2>, i2
  %zero = hw.constant false
  %wide = comb.concat %zero, %bit : i1, i1
  // CHECK: [[LEFT:%.*]] = comb.concat %a, %bit : i2, i1
  // CHECK-NEXT: [[INVERTED:%.*]] = comb.xor [[OTHER]], {{%.*}} : i2
  // CHECK-NEXT: [[ABOVE:%.*]] = comb.xor %bit, [[ONE]] : i1
  // CHECK-NEXT: [[RIGHT:%.*]] = comb.concat [[INVERTED]], [[ABOVE]] : i2, i1
  // CHECK-NEXT: [[WHOLE:%.*]] = comb.sub [[LEFT]], [[RIGHT]] : i3
  // CHECK-NEXT: [[Z:%.*]] = comb.extract [[WHOLE]] from 1 : (i3) -> i2
  %z = comb.add %a, %other, %wide : i2
  // CHECK-NEXT: hw.output [[Y]], [[Z]] : i2, i2
  hw.output %y, %z : i2, i2
}

// Sums of one bit, of constants, of three numbers, and of an entry that something else reads too,
// stay as they are.
// CHECK-LABEL: hw.module @plain
hw.module @plain(in %a : i2, in %b : i2, in %c : i2, in %x : i2, in %p : i1, in %q : i1, out y : i2, out z : i2, out e : i2) {
  // CHECK-NOT: comb.sub
  // CHECK: [[S:%.*]] = comb.add %p, %q : i1
  %s = comb.add %p, %q : i1
  // CHECK-NEXT: [[T:%.*]] = comb.concat [[S]], %q : i1, i1
  %t = comb.concat %s, %q : i1, i1
  // CHECK: comb.add %a, {{%.*}} : i2
  %one = hw.constant 1 : i2
  %u = comb.add %a, %one : i2
  // CHECK-NEXT: comb.add %a, %b, %c : i2
  %v = comb.add %a, %b, %c : i2
  // CHECK-NEXT: [[Y:%.*]] = comb.add [[T]], {{.*}} : i2
  %y = comb.add %t, %u, %v : i2
  %bits = hw.constant 108 : i8
  %table = hw.bitcast %bits : (i8) -> !hw.array<4xi2>
  %entry = hw.array_get %table[%x] : !hw.array<4xi2>, i2
  // CHECK: [[Z:%.*]] = comb.add %a, {{%.*}} : i2
  // CHECK-NEXT: hw.output [[Y]], [[Z]]
  %z = comb.add %a, %entry : i2
  hw.output %y, %z, %entry : i2, i2, i2
}

// A bit that two sums read as it is and one sum reads inverted: that sum absorbs it, since the chain
// takes its other number as it is.
// CHECK-LABEL: hw.module @rarer
hw.module @rarer(in %bit : i1, in %a : i2, in %b : i2, in %c : i2, out y : i2, out z : i2, out w : i2) {
  %ends = hw.constant 2 : i2
  %same_array = hw.bitcast %ends : (i2) -> !hw.array<2xi1>
  %same = hw.array_get %same_array[%bit] : !hw.array<2xi1>, i1
  %other_ends = hw.constant 1 : i2
  %inverting = hw.bitcast %other_ends : (i2) -> !hw.array<2xi1>
  %inverted = hw.array_get %inverting[%bit] : !hw.array<2xi1>, i1
  %zero = hw.constant false
  %plain = comb.concat %same, %zero : i1, i1
  %rarer = comb.concat %inverted, %zero : i1, i1
  // CHECK-DAG: [[Y:%.*]] = comb.add %plain, %a : i2
  // CHECK-DAG: [[Z:%.*]] = comb.add %plain, %b : i2
  // CHECK-DAG: [[W:%.*]] = comb.extract [[WHOLE:%.*]] from 1 : (i3) -> i2
  // CHECK-DAG: [[WHOLE:%.*]] = comb.sub {{%.*}}, {{%.*}} : i3
  // CHECK: hw.output [[Y]], [[Z]], [[W]] : i2, i2, i2
  %y = comb.add %plain, %a : i2
  %z = comb.add %plain, %b : i2
  %w = comb.add %rarer, %c : i2
  hw.output %y, %z, %w : i2, i2, i2
}
