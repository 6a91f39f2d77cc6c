// RUN: kan-opt %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | filecheck %s --check-prefix GENERIC

// CHECK-LABEL: @bspline
// GENERIC-LABEL: sym_name = "bspline"
func.func @bspline(%x: tensor<1xf32>) -> (tensor<2x1xf32>, tensor<2x1xf32>, tensor<2x1xf32>) {
  // A grid of 3 points that the op extends by the degree.
  // CHECK: kan.bspline %x as "layer0" degree 1 extend closed knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf32>
  // CHECK-SAME: coefficients dense<{{\[\[\[}}0.5, 1.5, -2.0]], {{\[\[}}0.0, 0.25, 1.0]]]> : tensor<2x1x3xf32>
  // CHECK-SAME: : tensor<1xf32> -> tensor<2x1xf32>
  // GENERIC: "kan.bspline"(%x) <{name = "layer0", degree = 1 : i64, extend, closed,
  %extended = kan.bspline %x as "layer0" degree 1 extend closed knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf32>
    coefficients dense<[[[0.5, 1.5, -2.0]], [[0.0, 0.25, 1.0]]]> : tensor<2x1x3xf32> : tensor<1xf32> -> tensor<2x1xf32>

  // All knots, of each input its own, not uniform, one of them repeated.
  // CHECK: kan.bspline %x degree 1 knots dense<{{\[\[}}-2.0, -1.0, 0.5, 0.5, 4.0]]> : tensor<1x5xf64>
  // GENERIC: "kan.bspline"(%x) <{degree = 1 : i64, knots =
  %plain = kan.bspline %x degree 1 knots dense<[[-2.0, -1.0, 0.5, 0.5, 4.0]]> : tensor<1x5xf64>
    coefficients dense<0.5> : tensor<2x1x3xf64> : tensor<1xf32> -> tensor<2x1xf32>

  // Steps, and an attribute that is none of the op's.
  // CHECK: kan.bspline %x degree 0 closed knots
  // CHECK-SAME: {note = "steps"} : tensor<1xf32> -> tensor<2x1xf32>
  %steps = kan.bspline %x degree 0 closed knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf32>
    coefficients dense<[[[1.0, -1.0]], [[0.0, 1.0]]]> : tensor<2x1x2xf32> {note = "steps"} : tensor<1xf32> -> tensor<2x1xf32>
  func.return %extended, %plain, %steps : tensor<2x1xf32>, tensor<2x1xf32>, tensor<2x1xf32>
}

// CHECK-LABEL: @edges
// GENERIC-LABEL: sym_name = "edges"
func.func @edges(%x: tensor<2xf64>) -> tensor<1x2xf64> {
  // CHECK: kan.base "silu" %x as "layer0" weights dense<{{\[\[}}0.5, -1.0]]> : tensor<1x2xf32> : tensor<2xf64> -> tensor<1x2xf64>
  // GENERIC: "kan.base"(%x) <{function = "silu", name = "layer0", weights =
  %base = kan.base "silu" %x as "layer0" weights dense<[[0.5, -1.0]]> : tensor<1x2xf32> : tensor<2xf64> -> tensor<1x2xf64>

  // CHECK: kan.radial "gaussian" %x as "layer0" centers dense<[-1.0, 1.0]> : tensor<2xf32>
  // CHECK-SAME: widths dense<{{\[\[}}0.5, 0.5], [2.0, 2.0]]> : tensor<2x2xf32>
  // CHECK-SAME: coefficients dense<{{\[\[\[}}1.0, 2.0], [3.0, 4.0]]]> : tensor<1x2x2xf32>
  // GENERIC: "kan.radial"(%x) <{function = "gaussian", name = "layer0", centers =
  %radial = kan.radial "gaussian" %x as "layer0" centers dense<[-1.0, 1.0]> : tensor<2xf32>
    widths dense<[[0.5, 0.5], [2.0, 2.0]]> : tensor<2x2xf32>
    coefficients dense<[[[1.0, 2.0], [3.0, 4.0]]]> : tensor<1x2x2xf32> : tensor<2xf64> -> tensor<1x2xf64>

  // CHECK: kan.chebyshev %x as "layer0" coefficients dense<{{\[\[\[}}1.0, 2.0, 0.5], [3.0, 4.0, -0.5]]]> : tensor<1x2x3xf32>
  // GENERIC: "kan.chebyshev"(%x) <{name = "layer0", coefficients =
  %chebyshev = kan.chebyshev %x as "layer0" coefficients dense<[[[1.0, 2.0, 0.5], [3.0, 4.0, -0.5]]]> : tensor<1x2x3xf32> : tensor<2xf64> -> tensor<1x2xf64>

  // CHECK: kan.symbolic ["sin", "exp"] %x as "layer0" choice dense<{{\[\[}}0, 1]]> : tensor<1x2xi8>
  // CHECK-SAME: affine dense<{{\[\[\[}}1.0, 0.0, 2.0, 0.5], [0.5, 1.0, 1.0, 0.0]]]> : tensor<1x2x4xf32> : tensor<2xf64> -> tensor<1x2xf64>
  // GENERIC: "kan.symbolic"(%x) <{functions = ["sin", "exp"], name = "layer0", choice = {{.*}}, affine =
  %symbolic = kan.symbolic ["sin", "exp"] %x as "layer0" choice dense<[[0, 1]]> : tensor<1x2xi8>
    affine dense<[[[1.0, 0.0, 2.0, 0.5], [0.5, 1.0, 1.0, 0.0]]]> : tensor<1x2x4xf32> : tensor<2xf64> -> tensor<1x2xf64>

  // CHECK: kan.shaped %x as "layer0" grid dense<[-1.0, 0.0, 1.0]> : tensor<3xf32> shapes dense<{{\[\[}}0.0, 1.0, 0.5]]> : tensor<1x3xf32>
  // CHECK-SAME: choice dense<{{\[\[}}0, 0]]> : tensor<1x2xi8> affine dense<{{\[\[\[}}1.0, 0.0, 2.0], [0.5, 1.0, -1.0]]]> : tensor<1x2x3xf32> : tensor<2xf64> -> tensor<1x2xf64>
  // GENERIC: "kan.shaped"(%x) <{name = "layer0", grid = {{.*}}, shapes = {{.*}}, choice = {{.*}}, affine =
  %shaped = kan.shaped %x as "layer0" grid dense<[-1.0, 0.0, 1.0]> : tensor<3xf32> shapes dense<[[0.0, 1.0, 0.5]]> : tensor<1x3xf32>
    choice dense<0> : tensor<1x2xi8> affine dense<[[[1.0, 0.0, 2.0], [0.5, 1.0, -1.0]]]> : tensor<1x2x3xf32> : tensor<2xf64> -> tensor<1x2xf64>

  %two = arith.addf %base, %radial : tensor<1x2xf64>
  %three = arith.addf %two, %chebyshev : tensor<1x2xf64>
  %four = arith.addf %three, %symbolic : tensor<1x2xf64>
  %all = arith.addf %four, %shaped : tensor<1x2xf64>
  func.return %all : tensor<1x2xf64>
}

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
