// Messages of verifiers name the line and column of the op in the text that was read.

// RUN: not kan-opt %s --split-input-file 2>&1 | filecheck %s
// RUN: not kan-opt --split-input-file < %s 2>&1 | filecheck %s --check-prefix STDIN
// CHECK: {{^}}kan-opt: error: {{.*}}op-places.mlir:22:14: 'kan.table' op "a": entries must have shape 4
// STDIN: {{^}}kan-opt: error: <stdin>:22:14: 'kan.table' op "a": entries must have shape 4

// RUN: printf 'func.func @f(%%%%x: i8) -> i8 {\n  %%%%y = arith.addi %%%%y, %%%%x : i8\n  func.return %%%%y : i8\n}' > %t.order.mlir
// RUN: not kan-opt %t.order.mlir 2>&1 | filecheck %s --check-prefix ORDER
// RUN: not kan-run %t.order.mlir 2>&1 | filecheck %s --check-prefix ORDER
// RUN: not kan-run - < %t.order.mlir 2>&1 | filecheck %s --check-prefix ORDER
// RUN: not kan-flow build %t.order.mlir -o %t.build 2>&1 | filecheck %s --check-prefix ORDER
// ORDER: {{^}}kan-{{opt|run|flow}}: error: {{.*(<stdin>|order.mlir)}}:2:8: @f: 'arith.addi' reads a value that is computed after it

// RUN: printf 'func.func @f(%%%%x: i8) -> i8 {\n  "test.op"(%%%%x) : (i8) -> ()\n}' > %t.end.mlir
// RUN: not kan-opt %t.end.mlir --allow-unregistered-dialect 2>&1 | filecheck %s --check-prefix END
// END: {{^}}kan-opt: error: {{.*}}.end.mlir:2:3: Operation test.op terminates block

func.func @first(%x: !kan.int<0:3>) { func.return }
// -----
func.func @f(%x: !kan.int<0:3>) {
      %v   = kan.table %x as "a" entries dense<[1, 2, 3]> : tensor<3xi8> : !kan.int<0:3> -> !kan.int<0:3>
  func.return
}
