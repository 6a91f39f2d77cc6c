// RUN: kan-opt %s -p 'kan-join-carry-chains{target=ecp5}' | filecheck %s
// RUN: kan-opt %s -p 'kan-join-carry-chains{target=ecp5},kan-join-carry-chains{target=ecp5}' | filecheck %s
// RUN: kan-opt %s -p 'kan-form-carry-chains{target=ecp5},kan-join-carry-chains{target=ecp5}' | filecheck %s
// RUN: kan-opt %s -p kan-join-carry-chains | filecheck %s --check-prefix XCUP
// RUN: kan-opt %s -p 'kan-join-carry-chains{target=ecp5 keep-paths=true}' | filecheck %s --check-prefix PATHS

// Two adders become one addition. The highest bit of the first one stops its carry: there, one
// number has a 0, and the other one a signal that is 0 by logic.
// CHECK-LABEL: hw.module @closed
// XCUP-LABEL: hw.module @closed
hw.module @closed(in %a : i3, in %b : i3, in %c : i2, in %d : i2, out y : i4, out z : i2) {
  // CHECK-DAG: [[PAIR:%.*]] = comb.extract %a from 0 : (i3) -> i2
  // CHECK-DAG: [[FIRST:%.*]] = comb.icmp eq [[PAIR]], {{%.*}} : i2
  // CHECK-DAG: [[SECOND:%.*]] = comb.icmp eq [[PAIR]], {{%.*}} : i2
  // CHECK-DAG: [[NEVER:%.*]] = comb.and [[FIRST]], [[SECOND]] {sv.namehint = "no_carry0"} : i1
  // CHECK-DAG: [[LEFT:%.*]] = comb.concat %c, [[NEVER]], %a : i2, i1, i3
  // CHECK-DAG: [[RIGHT:%.*]] = comb.concat %d, {{%.*}}, %b : i2, i1, i3
  // CHECK: [[WHOLE:%.*]] = comb.add [[LEFT]], [[RIGHT]] {sv.namehint = "chain0"} : i6
  // CHECK-DAG: [[Y:%.*]] = comb.extract [[WHOLE]] from 0 {sv.namehint = "sum0"} : (i6) -> i4
  // CHECK-DAG: [[Z:%.*]] = comb.extract [[WHOLE]] from 4 {sv.namehint = "sum1"} : (i6) -> i2
  // CHECK: hw.output [[Y]], [[Z]] : i4, i2
  // XCUP: comb.add {{.*}} : i4
  // XCUP: comb.add {{.*}} : i2
  %zero = hw.constant false
  %wide_a = comb.concat %zero, %a : i1, i3
  %wide_b = comb.concat %zero, %b : i1, i3
  %y = comb.add %wide_a, %wide_b {sv.namehint = "sum0"} : i4
  %z = comb.add %c, %d {sv.namehint = "sum1"} : i2
  hw.output %y, %z : i4, i2
}

// A carry out of the first adder would reach the second one: a bit between them stops it.
// CHECK-LABEL: hw.module @open
hw.module @open(in %a : i3, in %b : i3, in %c : i3, in %d : i3, out y : i3, out z : i3) {
  // CHECK-DAG: [[NEVER:%.*]] = comb.and {{%.*}}, {{%.*}} {sv.namehint = "no_carry0"} : i1
  // CHECK-DAG: comb.concat %c, [[NEVER]], %a : i3, i1, i3
  // CHECK-DAG: comb.concat %d, {{%.*}}, %b : i3, i1, i3
  // CHECK: [[WHOLE:%.*]] = comb.add {{.*}} : i7
  // CHECK-DAG: comb.extract [[WHOLE]] from 0 : (i7) -> i3
  // CHECK-DAG: comb.extract [[WHOLE]] from 4 : (i7) -> i3
  %y = comb.add %a, %b : i3
  %z = comb.add %c, %d : i3
  hw.output %y, %z : i3, i3
}

// An adder that adds the sum of another one has a level of its own, and so has one behind a register.
// CHECK-LABEL: hw.module @dependent
hw.module @dependent(in %clk : !seq.clock, in %a : i3, in %b : i3, in %c : i3, out y : i3) {
  // CHECK-NOT: chain
  // CHECK-COUNT-3: comb.add {{.*}} : i{{[34]}}
  // CHECK-NOT: comb.add
  // CHECK: hw.output
  %s = comb.add %a, %b : i3
  %t = comb.add %s, %c : i3
  %q = seq.compreg %t, %clk : i3
  %y = comb.add %q, %a : i3
  hw.output %y : i3
}

// With `keep-paths`, an adder that waits for a sum stands above one that does not, and an adder that
// comes as early has a chain of its own. The longest path stays the way through both sums of `%y`.
// PATHS-LABEL: hw.module @waiting
hw.module @waiting(in %a : i6, in %b : i6, in %c : i6, in %d : i5, in %e : i5, out y : i6, out z : i5) {
  // PATHS-DAG: [[FIRST:%.*]] = comb.add %a, %b : i6
  // PATHS-DAG: comb.concat [[FIRST]], [[NEVER:%.*]], %d : i6, i1, i5
  // PATHS-DAG: comb.concat %c, {{%.*}}, %e : i6, i1, i5
  // PATHS-DAG: [[NEVER]] = comb.and {{%.*}}, {{%.*}} {sv.namehint = "no_carry0"} : i1
  // PATHS: [[WHOLE:%.*]] = comb.add {{.*}} {sv.namehint = "chain0"} : i12
  // PATHS-DAG: [[Z:%.*]] = comb.extract [[WHOLE]] from 0 : (i12) -> i5
  // PATHS-DAG: [[Y:%.*]] = comb.extract [[WHOLE]] from 6 : (i12) -> i6
  // PATHS: hw.output [[Y]], [[Z]] : i6, i5
  %s = comb.add %a, %b : i6
  %y = comb.add %s, %c : i6
  %z = comb.add %d, %e : i5
  hw.output %y, %z : i6, i5
}

// Stages share no chain, since a stage without a sample would make sums of another one unknown in a
// simulator. Here the adder that waits is in the stage before.
// PATHS-LABEL: hw.module @stages
hw.module @stages(in %clk : !seq.clock, in %a : i6, in %b : i6, in %c : i6, in %d : i5, out y : i6, out z : i5) {
  // PATHS-NOT: chain
  // PATHS: hw.output
  %s = comb.add %a, %b : i6
  %y = comb.add %s, %c : i6
  %q = seq.compreg %d, %clk : i5
  %p = seq.compreg %q, %clk : i5
  %z = comb.add %q, %p : i5
  hw.output %y, %z : i6, i5
}

// Each stage has chains of its own, and a signal of its own that stops carries.
// PATHS-LABEL: hw.module @in_each_stage
hw.module @in_each_stage(in %clk : !seq.clock, in %a : i6, in %b : i6, in %c : i6, in %d : i6, in %e : i6, out y : i6, out z : i6) {
  // PATHS-DAG: {sv.namehint = "no_carry0"} : i1
  // PATHS-DAG: {sv.namehint = "no_carry1"} : i1
  // PATHS-DAG: {sv.namehint = "chain0"} : i13
  // PATHS-DAG: {sv.namehint = "chain1"} : i13
  // PATHS: hw.output
  %s = comb.add %a, %b : i6
  %t = comb.add %s, %c : i6
  %u = comb.add %d, %e : i6
  %v = seq.compreg %t, %clk : i6
  %w = seq.compreg %u, %clk : i6
  %p = comb.add %v, %w : i6
  %y = comb.add %p, %v : i6
  %z = comb.add %w, %w : i6
  hw.output %y, %z : i6, i6
}

// The first adders have operands of single bits. Two of these make the signal that is 0: a sum of
// theirs would depend on it.
// CHECK-LABEL: hw.module @single_bits
hw.module @single_bits(in %a : i1, in %b : i1, in %c : i1, in %d : i1, in %e : i1, in %f : i1, in %g : i1, in %h : i1, out y : i3, out z : i3) {
  // CHECK-DAG: [[PAIR:%.*]] = comb.concat %b, %a : i1, i1
  // CHECK-DAG: comb.icmp eq [[PAIR]], {{%.*}} : i2
  // CHECK: comb.add {{.*}} {sv.namehint = "chain0"}
  %zero = hw.constant false
  %ab = comb.concat %zero, %b, %a : i1, i1, i1
  %cd = comb.concat %zero, %d, %c : i1, i1, i1
  %ef = comb.concat %zero, %f, %e : i1, i1, i1
  %gh = comb.concat %zero, %h, %g : i1, i1, i1
  %y = comb.add %ab, %cd {sv.namehint = "sum0"} : i3
  %z = comb.add %ef, %gh {sv.namehint = "sum1"} : i3
  hw.output %y, %z : i3, i3
}
