// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=2 scale="minmax" guard-bits=1}' -t quantizers -o %t.json
// RUN: filecheck %s --input-file %t.json
// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=2 scale="minmax" guard-bits=1}' | sed 's/{bits[^}]*}//' > %t.chosen
// RUN: kan-opt --check-passes %s -p 'kan-quantize{quantizers="%t.json"}' | diff %t.chosen -
// RUN: not kan-opt %s -t quantizers 2>&1 | filecheck %s --check-prefix LEVEL
// LEVEL: expected one function with quantisers, found 0; print the model after kan-quantize and before kan-expand-wires
// RUN: not kan-opt %s -p 'kan-quantize{quantizers="%t.none"}' 2>&1 | filecheck %s --check-prefix NONE
// NONE: cannot read {{.*}}.none: No such file or directory; make one with kan-opt -t quantizers, or kan-flow build
// RUN: not kan-opt %s -p 'kan-quantize{quantizers="%t.json" guard-bits=1}' 2>&1 | filecheck %s --check-prefix BESIDE
// BESIDE: guard-bits has no meaning beside quantizers; leave one of them out: the file says it

// CHECK: "format": 1,
// CHECK-NEXT: "name": "net",
// CHECK-NEXT: "inputs": [
// CHECK: "name": "input0",
// CHECK-NEXT: "bits": [2, 2],
// CHECK-NEXT: "low": [0, 0],
// CHECK-NEXT: "high": [3, 3],
// CHECK-NEXT: "scale": [1.0, 0.5],
// CHECK-NEXT: "zero_point": [0, 2],
// CHECK-NEXT: "gain": [1.0, 1.0],
// CHECK-NEXT: "offset": [0.0, 0.0]
func.func @net(%x: tensor<2xf32>) -> tensor<1xf32> {
  %ox = kan.observe %x range dense<[[0.0, 3.0], [-1.0, 0.5]]> : tensor<2x2xf32> histogram dense<1> : tensor<2x4xi8> : tensor<2xf32>

  // Edges are twice as fine as the codes of their nodes; the third does not exist.
  // CHECK: "name": "layer0",
  // CHECK-NEXT: "reads": ["input0"],
  // CHECK-NEXT: "edges": {
  // CHECK-NEXT: "scale": [0.5, 1.0],
  // CHECK-NEXT: "kept": [
  // CHECK-NEXT: [true, true],
  // CHECK-NEXT: [false, true]
  // CHECK: "bits": [
  // CHECK-NEXT: [3, 2],
  // CHECK-NEXT: [0, 2]
  // CHECK: "low": [
  // CHECK-NEXT: [0, -2],
  // CHECK-NEXT: [0, -2]
  // CHECK: "high": [
  // CHECK-NEXT: [6, 1],
  // CHECK-NEXT: [0, 1]
  // CHECK: "bias": [6, 0]
  // CHECK: "nodes": {
  // CHECK: "scale": [1.0, 2.0],
  // CHECK-NEXT: "zero_point": [0, 2],
  // CHECK-NEXT: "saturates": true,
  // CHECK-NEXT: "shift": [1, 1]
  %b = kan.base "identity" %ox weights dense<[[1.0, 1.0], [-1.0, 2.0]]> : tensor<2x2xf32> : tensor<2xf32> -> tensor<2x2xf32>
  %n = kan.node_sum %b as "layer0" mask dense<[[1, 1], [0, 1]]> : tensor<2x2xi8> bias dense<[3.0, 0.25]> : tensor<2xf32> : tensor<2x2xf32> -> tensor<2xf32>
  %on = kan.observe %n range dense<[[0.0, 3.0], [-4.0, 2.0]]> : tensor<2x2xf32> histogram dense<1> : tensor<2x4xi8> : tensor<2xf32>

  // Nodes beside inputs, and knots as the spline has them.
  // CHECK: "name": "layer1",
  // CHECK-NEXT: "reads": ["layer0", "input0"],
  // CHECK: "splines": [
  // CHECK: "degree": 1,
  // CHECK-NEXT: "knots": [-2.0, -1.0, 0.0, 1.0]
  %c = kan.concat %on, %ox : tensor<2xf32>, tensor<2xf32> -> tensor<4xf32>
  %s = kan.bspline %c degree 1 extend knots dense<[-1.0, 0.0]> : tensor<2xf32>
    coefficients dense<0.5> : tensor<1x4x2xf32> : tensor<4xf32> -> tensor<1x4xf32>
  %m = kan.node_sum %s as "layer1" : tensor<1x4xf32> -> tensor<1xf32>

  // A function of nodes has codes, and no edges.
  // CHECK: "name": "layer2",
  // CHECK-NEXT: "reads": ["layer1"],
  // CHECK-NEXT: "nodes": {
  // CHECK: "saturates": true
  // CHECK-NOT: shift
  %y = kan.map "abs" %m : tensor<1xf32>
  func.return %y : tensor<1xf32>
}
