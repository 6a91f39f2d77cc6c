// RUN: kan-opt %s --verify-diagnostics --parsing-diagnostics --split-input-file | filecheck %s

// What `#kan.port` and `#kan.node` check.

// CHECK: #kan.port: a data port is called x0, x1, ... or y0, y1, ..., got 'clk'
builtin.module attributes {a = #kan.port<"clk", 0:1>} {}

// -----

// CHECK: !kan.int<3:2> is an empty range
builtin.module attributes {a = #kan.port<"x0", 3:2>} {}

// -----

// CHECK: #kan.port x0: illegal scale 0.0
builtin.module attributes {a = #kan.port<"x0", 0:3, scale = 0.0>} {}

// -----

// CHECK: #kan.port x0: a zero point, gain or offset needs a scale
builtin.module attributes {a = #kan.port<"x0", 0:3, zero_point = 1>} {}

// -----

// CHECK: #kan.port x0: zero point 2251799813685248 is not below 2^51
builtin.module attributes {a = #kan.port<"x0", 0:3, scale = 1.0, zero_point = 2251799813685248>} {}

// -----

// CHECK: #kan.port x0: the number of codes that wrap must be a power of two, got 6
builtin.module attributes {a = #kan.port<"x0", -3:2, wraps = true>} {}

// -----

// CHECK: #kan.port y0: only inputs wrap
builtin.module attributes {a = #kan.port<"y0", -4:3, wraps = true>} {}

// -----

// CHECK: #kan.port x0: a gain and an offset go together
builtin.module attributes {a = #kan.port<"x0", 0:3, scale = 1.0, gain = 2.0>} {}

// -----

// CHECK: #kan.port y1: only inputs have a gain and an offset
builtin.module attributes {a = #kan.port<"y1", 0:3, scale = 1.0, gain = 2.0, offset = 0.0>} {}

// -----

// CHECK: #kan.port x0: illegal gain inf or offset 0.0
builtin.module attributes {a = #kan.port<"x0", 0:3, scale = 1.0, gain = 1.0e999, offset = 0.0>} {}

// -----

// CHECK: 'scale' is given twice
builtin.module attributes {a = #kan.port<"x0", 0:3, scale = 1.0, scale = 1.0>} {}

// -----

// CHECK: Expected one of 'gain', 'offset', 'scale', 'wraps', 'zero_point'
builtin.module attributes {a = #kan.port<"x0", 0:3, step = 1.0>} {}

// -----

// CHECK: string literal expected: the name of a port
builtin.module attributes {a = #kan.port<x0, 0:3>} {}

// -----

// CHECK: name 'a b' is not an identifier
builtin.module attributes {a = #kan.node<"a b", dead>} {}

// -----

// CHECK: expected 'dead', or 'range = low:high'
builtin.module attributes {a = #kan.node<"n", signal = "s">} {}

// -----

// CHECK: #kan.node n: cycle must not be negative, got -1
builtin.module attributes {a = #kan.node<"n", signal = "s", range = 0:3, cycle = -1>} {}

// -----

// CHECK: #kan.node n: codes 4611686018427387904:4611686018427387907 need more than 62 bits
builtin.module attributes {a = #kan.node<"n", signal = "s", range = 0:3, offset = 4611686018427387904>} {}
