// RUN: kan-opt %s -t circt | filecheck %s --strict-whitespace

// CHECK:      builtin.module attributes {kan.pipeline = ["kan-narrow", "(edited, or changed by a pass that leaves no record)"], kan.digest = "{{[0-9a-f]+}}"} {
builtin.module attributes {kan.pipeline = ["kan-narrow"]} {

// Attributes stand where CIRCT reads them, those of our own types are left out, and registers are
// called in the text what they are called in SystemVerilog.
// CHECK-NEXT:   hw.module @top(in %clk: !seq.clock, in %x0: i3, out y0: i6) attributes {kan.latency = 1 : i64} {
hw.module @top(in %clk : !seq.clock, in %x0 : i3, out y0 : i6) attributes {kan.latency = 1 : i64, kan.ports = [#kan.port<"x0", 0:7>]} {
  // CHECK-NEXT:     %bias = hw.constant 5 : i6 {sv.namehint = "bias"}
  %bias = hw.constant {sv.namehint = "bias"} 5 : i6
  // CHECK-NEXT:     [[BITS:%.*]] = hw.constant 0xFFFFFFFFFFFFFFFFFFFFFFFE : i96
  // CHECK-NEXT:     [[LOW:%.*]] = comb.extract [[BITS]] from 0 :  (i96) -> i48
  // CHECK-NEXT:     %e_table = hw.bitcast [[LOW]] {sv.namehint = "e_table"} : (i48) -> !hw.array<8xi6>
  %bits = hw.constant -2 : i96
  %low = comb.extract %bits from 0 : (i96) -> i48
  %table = hw.bitcast %low {sv.namehint = "e_table"} : (i48) -> !hw.array<8xi6>
  // CHECK-NEXT:     %e = hw.array_get %e_table[%x0] {sv.namehint = "e"} : !hw.array<8xi6>, i3
  %e = hw.array_get %table[%x0] : !hw.array<8xi6>, i3
  // CHECK-NEXT:     [[SUM:%.*]] = comb.add %e, %bias : i6
  %sum = comb.add %e, %bias : i6
  // CHECK-NEXT:     %sum_s1 = seq.compreg [[SUM]], %clk {sv.namehint = "sum_s1"} : i6
  %register = seq.compreg %sum, %clk {sv.namehint = "sum_s1"} : i6
  // CHECK-NEXT:     hw.output %sum_s1 : i6
  hw.output %register : i6
}
}
