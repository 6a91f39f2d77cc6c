// A message about the IR names the op and the reason, or the place in the file.

// RUN: not kan-opt %s 2>&1 | filecheck %s
// CHECK: {{^}}kan-opt: error: {{.*}}invalid-input.mlir:15:8: 'kan.table' op "layer0_edge0_0": entries must have shape 4: one for each value of the inputs, got 3
// CHECK-NOT: {{.}}

// RUN: python -c "open(r'%t.mlir', 'w').write('func.func @f(%%x: !kan.int<3:2>) {\n}')"
// RUN: not kan-opt %t.mlir 2>&1 | filecheck %s --check-prefix PARSE
// PARSE: kan-opt: error: {{.*}}.mlir:1:26
// PARSE-NEXT: func.func @f(%x: !kan.int<3:2>) {
// PARSE: !kan.int<3:2> is an empty range
// PARSE-NOT: Traceback

func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> {
  %t = kan.table %x as "layer0_edge0_0" entries dense<[1, 2, 3]> : tensor<3xi8> : !kan.int<0:3> -> !kan.int<0:3>
  func.return %t : !kan.int<0:3>
}
