// RUN: kan-opt %s --verify-diagnostics --parsing-diagnostics --split-input-file | filecheck %s

// What `kan.lut` checks.

// CHECK: a lookup table has 1 to 6 inputs, got 7
hw.module @wide(in %a : i1, out y : i1) {
  %y = kan.lut %a, %a, %a, %a, %a, %a, %a table 1 : ui128
  hw.output %y : i1
}

// -----

// CHECK: the table of 2 inputs must be ui4, got ui8
hw.module @long(in %a : i1, out y : i1) {
  %y = kan.lut %a, %a table 1 : ui8
  hw.output %y : i1
}

// -----

// CHECK: the table of 2 inputs must be ui4, got i4
hw.module @signless(in %a : i1, out y : i1) {
  %y = kan.lut %a, %a table 1 : i4
  hw.output %y : i1
}
