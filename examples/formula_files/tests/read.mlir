// RUN: kan-opt %S/wave.formulas | filecheck %s
// RUN: kan-opt %S/wave.formulas -t formula | filecheck %s --check-prefix FORMULA

// CHECK: func.func @wave(%x: tensor<2xf32>) -> tensor<1xf32>
// CHECK-NEXT: %0 = kan.symbolic ["identity", "sin", "square", "tanh"] %x as "layer0"
// CHECK-NEXT: %1 = kan.node_sum %0 as "layer0" mask dense<[[1, 0], [1, 1]]>
// CHECK-NEXT: %2 = kan.symbolic ["gaussian", "identity"] %1 as "layer1"
// CHECK-NEXT: kan.node_sum %2 as "layer1"

// FORMULA: layer0_node0 = sin(2*x0)
// FORMULA: layer0_node1
