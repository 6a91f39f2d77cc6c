// RUN: kan-opt --check-passes %s -p kan-fold-affine | filecheck %s

// What a pass did to a module is recorded in it.
// CHECK: builtin.module attributes {kan.pipeline = ["kan-fold-affine"], kan.digest = "{{[0-9a-f]+}}"}

// A batch norm behind a layer scales the edges and becomes a bias.
// CHECK-LABEL: @behind_nodes
func.func @behind_nodes(%x: tensor<1xf32>) -> tensor<2xf32> {
  // CHECK-NEXT: [[E:%.*]] = kan.bspline %x as "layer0" degree 0
  // CHECK-SAME: coefficients dense<{{\[\[\[}}2.0, 4.0]], {{\[\[}}-1.5, -2.0]]]> : tensor<2x1x2xf64>
  // CHECK-NEXT: [[N:%.*]] = kan.node_sum [[E]] as "layer0" bias dense<[0.5, -1.5]> : tensor<2xf64>
  // CHECK-NEXT: func.return [[N]]
  %e = kan.bspline %x as "layer0" degree 0 knots dense<[0.0, 1.0, 2.0]> : tensor<3xf32>
    coefficients dense<[[[1.0, 2.0]], [[3.0, 4.0]]]> : tensor<2x1x2xf32> : tensor<1xf32> -> tensor<2x1xf32>
  %n = kan.node_sum %e as "layer0" bias dense<[0.0, 1.0]> : tensor<2xf32> : tensor<2x1xf32> -> tensor<2xf32>
  %y = kan.affine %n scale dense<[2.0, -0.5]> : tensor<2xf32> bias dense<[0.5, -1.0]> : tensor<2xf32> : tensor<2xf32>
  func.return %y : tensor<2xf32>
}

// The scaling reaches every summand of an edge, of every kind; the mask stays.
// CHECK-LABEL: @summands
func.func @summands(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK: kan.base "silu" %x weights dense<{{\[\[}}2.0]]> : tensor<1x1xf64>
  // CHECK: kan.radial "gaussian" %x {{.*}} coefficients dense<{{\[\[\[}}6.0]]]> : tensor<1x1x1xf64>
  // CHECK: kan.chebyshev %x coefficients dense<{{\[\[\[}}8.0, 10.0]]]> : tensor<1x1x2xf64>
  // CHECK: kan.node_sum {{%.*}} mask dense<{{\[\[}}0]]> : tensor<1x1xi8>
  // CHECK-NOT: kan.affine
  %b = kan.base "silu" %x weights dense<1.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %r = kan.radial "gaussian" %x centers dense<[0.0]> : tensor<1xf32> widths dense<[1.0]> : tensor<1xf32>
    coefficients dense<3.0> : tensor<1x1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %c = kan.chebyshev %x coefficients dense<[[[4.0, 5.0]]]> : tensor<1x1x2xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %br = arith.addf %b, %r : tensor<1x1xf32>
  %brc = arith.addf %br, %c : tensor<1x1xf32>
  %n = kan.node_sum %brc mask dense<0> : tensor<1x1xi8> : tensor<1x1xf32> -> tensor<1xf32>
  %y = kan.affine %n scale dense<[2.0]> : tensor<1xf32> bias dense<0.0> : tensor<f32> : tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// Two affines in a row are one. One in front of a layer stays: it folds into the tables.
// CHECK-LABEL: @in_front
func.func @in_front(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK-NEXT: [[A:%.*]] = kan.affine %x scale dense<[6.0]> : tensor<1xf64> bias dense<[3.5]> : tensor<1xf64>
  // CHECK-NEXT: kan.base "silu" [[A]]
  %a = kan.affine %x scale dense<[2.0]> : tensor<1xf32> bias dense<[1.0]> : tensor<1xf32> : tensor<1xf32>
  %b = kan.affine %a scale dense<[3.0]> : tensor<1xf32> bias dense<[0.5]> : tensor<1xf32> : tensor<1xf32>
  %e = kan.base "silu" %b weights dense<1.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e : tensor<1x1xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}

// Nodes that are read elsewhere too keep their value.
// CHECK-LABEL: @read_twice
func.func @read_twice(%x: tensor<1xf32>) -> (tensor<1xf32>, tensor<1xf32>) {
  // CHECK: [[N:%.*]] = kan.node_sum
  // CHECK-NEXT: [[A:%.*]] = kan.affine [[N]]
  // CHECK-NEXT: func.return [[N]], [[A]]
  %e = kan.base "silu" %x weights dense<1.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e : tensor<1x1xf32> -> tensor<1xf32>
  %y = kan.affine %n scale dense<[2.0]> : tensor<1xf32> bias dense<[1.0]> : tensor<1xf32> : tensor<1xf32>
  func.return %n, %y : tensor<1xf32>, tensor<1xf32>
}

// Likewise edges, and edges of an op that is not known keep the affine: it is a function of each edge.
// CHECK-LABEL: @other_edges
func.func @other_edges(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK: [[M:%.*]] = kan.map "tanh"
  // CHECK-NEXT: [[A:%.*]] = kan.affine [[M]] scale dense<{{\[\[}}2.0]]> : tensor<1x1xf64> bias dense<{{\[\[}}0.0]]>
  // CHECK-NEXT: kan.node_sum [[A]] bias dense<[1.0]> : tensor<1xf64>
  %e = kan.base "silu" %x weights dense<1.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %m = kan.map "tanh" %e : tensor<1x1xf32>
  %n = kan.node_sum %m : tensor<1x1xf32> -> tensor<1xf32>
  %y = kan.affine %n scale dense<[2.0]> : tensor<1xf32> bias dense<[1.0]> : tensor<1xf32> : tensor<1xf32>
  func.return %y : tensor<1xf32>
}
