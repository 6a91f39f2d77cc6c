// RUN: kan-opt %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | filecheck %s --check-prefix GENERIC

// CHECK-LABEL: @elements
// GENERIC-LABEL: sym_name = "elements"
func.func @elements(%x: tensor<2xf32>, %e: tensor<2x3xf16>) -> (tensor<2xf32>, tensor<2x3xf16>) {
  // CHECK: kan.map "tanh" %x : tensor<2xf32>
  // GENERIC: "kan.map"(%x) <{function = "tanh"}> : (tensor<2xf32>) -> tensor<2xf32>
  %y = kan.map "tanh" %x : tensor<2xf32>
  // A scale that broadcasts.
  // CHECK: kan.affine %e scale dense<{{\[\[}}2.0], [0.5]]> : tensor<2x1xf32> bias dense<1.0> : tensor<f32> : tensor<2x3xf16>
  // GENERIC: "kan.affine"(%e) <{scale = {{.*}}, bias = {{.*}}}> : (tensor<2x3xf16>) -> tensor<2x3xf16>
  %f = kan.affine %e scale dense<[[2.0], [0.5]]> : tensor<2x1xf32> bias dense<1.0> : tensor<f32> : tensor<2x3xf16>
  func.return %y, %f : tensor<2xf32>, tensor<2x3xf16>
}

// CHECK-LABEL: @nodes
// GENERIC-LABEL: sym_name = "nodes"
func.func @nodes(%e: tensor<2x3xf32>) -> tensor<6xf32> {
  // CHECK: kan.node_sum %e : tensor<2x3xf32> -> tensor<2xf32>
  // GENERIC: "kan.node_sum"(%e) : (tensor<2x3xf32>) -> tensor<2xf32>
  %all = kan.node_sum %e : tensor<2x3xf32> -> tensor<2xf32>
  // Pruned, with a bias of each node. A node may have lost all its edges.
  // CHECK: kan.node_sum %e as "layer0" mask dense<{{\[\[}}1, 0, 1], [0, 0, 0]]> : tensor<2x3xi8> bias dense<[0.5, -0.5]> : tensor<2xf32> : tensor<2x3xf32> -> tensor<2xf32>
  // GENERIC: "kan.node_sum"(%e) <{name = "layer0", mask = {{.*}}, bias = {{.*}}}>
  %some = kan.node_sum %e as "layer0" mask dense<[[1, 0, 1], [0, 0, 0]]> : tensor<2x3xi8> bias dense<[0.5, -0.5]> : tensor<2xf32> : tensor<2x3xf32> -> tensor<2xf32>
  // CHECK: kan.concat %all, %some, %all : tensor<2xf32>, tensor<2xf32>, tensor<2xf32> -> tensor<6xf32>
  // GENERIC: "kan.concat"(%all, %some, %all) : (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<6xf32>
  %both = kan.concat %all, %some, %all : tensor<2xf32>, tensor<2xf32>, tensor<2xf32> -> tensor<6xf32>
  func.return %both : tensor<6xf32>
}

// CHECK-LABEL: @observe
// GENERIC-LABEL: sym_name = "observe"
func.func @observe(%x: tensor<2xf32>) -> tensor<2xf32> {
  // CHECK: kan.observe %x range dense<{{\[\[}}-1.0, 1.0], [0.0, 0.0]]> : tensor<2x2xf32> histogram dense<{{\[\[}}1, 2, 3], [6, 0, 0]]> : tensor<2x3xi64> : tensor<2xf32>
  // GENERIC: "kan.observe"(%x) <{range = {{.*}}, histogram = {{.*}}}> : (tensor<2xf32>) -> tensor<2xf32>
  %y = kan.observe %x range dense<[[-1.0, 1.0], [0.0, 0.0]]> : tensor<2x2xf32> histogram dense<[[1, 2, 3], [6, 0, 0]]> : tensor<2x3xi64> : tensor<2xf32>
  // Of 6 values of element 1, two lay in -999 .. -998, and were counted at -0.125.
  // CHECK: kan.observe %y {{.*}} windows dense<{{\[\[}}1.0, -999.0, -998.0, 2.0, -0.125]]> : tensor<1x5xf64> : tensor<2xf32>
  // GENERIC: "kan.observe"(%y) <{range = {{.*}}, histogram = {{.*}}, windows = {{.*}}}> : (tensor<2xf32>) -> tensor<2xf32>
  %z = kan.observe %y range dense<[[-1.0, 1.0], [-0.125, 1.0]]> : tensor<2x2xf32> histogram dense<[[1, 2, 3], [2, 0, 4]]> : tensor<2x3xi64> windows dense<[[1.0, -999.0, -998.0, 2.0, -0.125]]> : tensor<1x5xf64> : tensor<2xf32>
  func.return %z : tensor<2xf32>
}

// Constants of more than 8 elements are hexadecimal; short ones are decimal, in full.
// CHECK-LABEL: @constants
func.func @constants(%x: tensor<3xf32>) -> tensor<3xf32> {
  // CHECK: scale dense<[1.0e-07, 1.2345679, 1.0e+17]> : tensor<3xf32> bias dense<[0.1, 0.30000000000000004, -0.0]> : tensor<3xf64>
  %a = kan.affine %x scale dense<[1.0e-7, 1.2345679, 1.0e17]> : tensor<3xf32> bias dense<[0.1, 0.30000000000000004, -0.0]> : tensor<3xf64> : tensor<3xf32>
  // CHECK: weights dense<"0x0000003F0000003F0000003F0000003F0000003F0000003F0000003F0000003F0000003F"> : tensor<3x3xf32>
  %e = kan.base "identity" %a weights dense<0.5> : tensor<3x3xf32> : tensor<3xf32> -> tensor<3x3xf32>
  %n = kan.node_sum %e : tensor<3x3xf32> -> tensor<3xf32>
  func.return %n : tensor<3xf32>
}
