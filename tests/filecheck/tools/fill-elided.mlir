// Constants that were left out for reading are filled again from the file that was printed.

// RUN: kan-opt %s -o %t.mlir
// RUN: kan-opt %s --elide-large-constants 2 -o %t.short.mlir
// RUN: kan-opt %t.short.mlir --fill-elided %s | diff - %t.mlir
// RUN: kan-opt --fill-elided %s < %t.short.mlir | diff - %t.mlir
// RUN: kan-opt %s --elide-large-constants 2 --print-op-generic | kan-opt --fill-elided %s | diff - %t.mlir

// Without the file, no command takes them: whatever op they are of.
// RUN: not kan-opt %t.short.mlir 2>&1 | filecheck %s --check-prefix ELIDED
// RUN: not kan-run %t.short.mlir 2>&1 | filecheck %s --check-prefix ELIDED
// RUN: not kan-flow build %t.short.mlir -o %t.build 2>&1 | filecheck %s --check-prefix ELIDED
// ELIDED: {{^}}kan-{{opt|run|flow}}: error: {{.*}}fill-elided{{.*}}.short.mlir:3:10: 'kan.table' op "first": the constant 'entries' is elided; fill it from the printed file: kan-opt FILE --fill-elided ORIGINAL
// RUN: printf 'func.func @f() {\n  %%%%c = arith.constant dense_resource<__elided__> : tensor<2xf32>\n  func.return\n}' > %t.plain.mlir
// RUN: not kan-opt %t.plain.mlir 2>&1 | filecheck %s --check-prefix PLAIN
// PLAIN: {{^}}kan-opt: error: {{.*}}.plain.mlir:2:8: 'arith.constant' op: the constant 'value' is elided;
// RUN: printf 'func.func @f() attributes {a = [dense_resource<__elided__> : tensor<2xf32>]} {\n  func.return\n}' > %t.inside.mlir
// RUN: not kan-opt %t.inside.mlir --fill-elided %s 2>&1 | filecheck %s --check-prefix INSIDE
// INSIDE: {{^}}kan-opt: error: {{.*}}.inside.mlir:1:1: 'func.func' op: the constant 'a' is elided;
// RUN: not xdsl-opt %t.short.mlir 2>&1 | filecheck %s --check-prefix XDSL
// XDSL: expected a dense constant

func.func @f(%x: !kan.int<0:3>) -> (!kan.int<0:6>) {
  %t = kan.table %x as "first" entries dense<[0, 1, 2, 3]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  %u = kan.table %x as "second" entries dense<[3, 2, 1, 0]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  %s = kan.sum %t, %u : !kan.int<0:3>, !kan.int<0:3> -> !kan.int<0:6>
  func.return %s : !kan.int<0:6>
}
