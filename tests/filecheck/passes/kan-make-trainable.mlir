// RUN: kan-opt --check-passes %s -p 'kan-make-trainable{learning-rate=0.15}' --split-input-file | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-make-trainable{real=true error=fed}' --split-input-file | filecheck %s --check-prefix REAL
// RUN: kan-opt --check-passes %s -p 'kan-make-trainable{momentum=0.9 weight-decay=0.001953125}' --split-input-file | filecheck %s --check-prefix MOMENTUM
// RUN: kan-opt --check-passes %s -p 'kan-make-trainable{weight-decay=0.001953125}' --split-input-file | filecheck %s --check-prefix DECAY

// One layer: located, gathered, multiplied and added up; the error; the update. Coefficients are an
// argument and a result.
// CHECK-LABEL: @one(%x: tensor<1x!kan.fixed<s16:10>> {kan.role = "input"}, %target: tensor<1x!kan.fixed<s16:10>> {kan.role = "target"}, %train: i1 {kan.role = "train"}, %c0: tensor<1x1x5x!kan.fixed<s16:10>> {kan.role = "state", kan.initial = dense<[{{\[\[}}1024, 0, -512, 256, 1]]]> : tensor<1x1x5xi16>})
// CHECK-SAME:   -> (tensor<1x!kan.fixed<s16:10>> {kan.role = "output"}, tensor<1x1x5x!kan.fixed<s16:10>> {kan.role = "state"})
// CHECK:        [[CELL:%.*]], [[LOCAL:%.*]], [[INSIDE:%.*]] = kan.locate %x as "layer0" grid dense<{{\[\[}}-1.0, 1.0]]> : tensor<1x2xf64> cells 3
// CHECK-NEXT:   [[BASIS:%.*]] = kan.basis [[LOCAL]] as "layer0_basis" degree 2 scale dense<1.0> : tensor<f64> : tensor<1x!kan.fixed<u6:6>> -> tensor<1x3x!kan.fixed<u10:10>>
// CHECK-NEXT:   [[ACTIVE:%.*]] = kan.gather %c0 at [[CELL]]
// CHECK-NEXT:   [[Y:%.*]] = kan.mac [[ACTIVE]], [[BASIS]] as "layer0_node"
// CHECK-NEXT:   [[ERROR:%.*]] = kan.error %target, [[Y]] as "layer0_error" : {{.*}} -> tensor<1x!kan.fixed<s17:9>>
// CHECK-NEXT:   [[WEIGHTS:%.*]] = kan.basis [[LOCAL]] as "layer0_weights" degree 2 scale dense<0.15> : tensor<f64> : tensor<1x!kan.fixed<u6:6>> -> tensor<1x3x!kan.fixed<u10:13>>
// CHECK-NEXT:   [[NEXT:%.*]] = kan.update %c0 at [[CELL]] error [[ERROR]] weights [[WEIGHTS]] if %train
// CHECK-NEXT:   func.return [[Y]], [[NEXT]]

// REAL-LABEL: @one(%x: tensor<1xf64> {kan.role = "input"}, %error: tensor<1xf64> {kan.role = "error"}, %train: i1
// REAL-NOT:   kan.error
// REAL:       kan.update {{.*}} error %error

// Momentum: velocities are state as well, at first 0, and both steps begin where momentum carries.
// MOMENTUM-LABEL: @one(
// MOMENTUM-SAME:   %v0: tensor<1x1x5x!kan.fixed<s16:10>> {kan.role = "velocity", kan.initial = dense<0> : tensor<1x1x5xi8>})
// MOMENTUM-SAME:   -> (tensor<1x!kan.fixed<s16:10>> {kan.role = "output"}, tensor<1x1x5x!kan.fixed<s16:10>> {kan.role = "state"}, tensor<1x1x5x!kan.fixed<s16:10>> {kan.role = "velocity"})
// MOMENTUM:        [[C:%.*]] = kan.gather %c0 at [[CELL:%.*]] as "layer0_coefficients"
// MOMENTUM:        [[V:%.*]] = kan.gather %v0 at [[CELL]] as "layer0_velocities"
// MOMENTUM-NEXT:   [[CARRIED:%.*]] = kan.combine [[C]], [[V]] as "layer0_carried" factors dense<[0.998046875, 0.899993896484375]> : {{.*}} -> tensor<1x1x3x!kan.fixed<s17:10>>
// MOMENTUM-NEXT:   [[KEPT:%.*]] = kan.combine [[V]] as "layer0_kept" factors dense<[0.899993896484375]> : {{.*}} -> tensor<1x1x3x!kan.fixed<s16:10>>
// MOMENTUM-NEXT:   [[NEXTV:%.*]] = kan.update %v0 at [[CELL]] from [[KEPT]] : {{.*}} error [[E:%.*]] weights [[W:%.*]] if %train
// MOMENTUM-NEXT:   [[NEXTC:%.*]] = kan.update %c0 at [[CELL]] from [[CARRIED]] : {{.*}} error [[E]] weights [[W]] if %train
// MOMENTUM-NEXT:   func.return {{%.*}}, [[NEXTC]], [[NEXTV]]

// DECAY-LABEL: @one(
// DECAY-NOT:   velocity
// DECAY:       [[D:%.*]] = kan.combine {{%.*}} as "layer0_decayed" factors dense<[0.998046875]>
// DECAY-NEXT:  kan.update %c0 at {{%.*}} from [[D]]
func.func @one(%x: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.bspline %x as "layer0" degree 2 extend knots dense<[-1.0, -0.333333333, 0.333333333, 1.0]> : tensor<4xf64> coefficients dense<[[[1.0, 0.0, -0.5, 0.25, 0.001]]]> : tensor<1x1x5xf64> : tensor<1xf32> -> tensor<1x1xf32>
  %y = kan.node_sum %e as "layer0" : tensor<1x1xf32> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// -----

// Two layers: the error goes back by the slopes of the second. A base function whose weights are
// all 0 is none; grids go to the nearest codes.
// CHECK-LABEL: @two(
// CHECK:        kan.locate %x as "a" grid dense<{{\[\[}}-1.0, 1.0], [-1.0, 1.0]]>
// CHECK:        [[H:%.*]] = kan.mac {{.*}} as "a_node"
// CHECK-NEXT:   [[CELL:%.*]], [[LOCAL:%.*]], [[INSIDE:%.*]] = kan.locate [[H]] as "layer1" grid dense<{{\[\[}}-0.099609375, 0.099609375]]>
// CHECK:        [[ACTIVE:%.*]] = kan.gather %c1 at [[CELL]]
// CHECK:        [[ERROR:%.*]] = kan.error
// CHECK:        kan.update %c1 at [[CELL]] error [[ERROR]]
// CHECK-NEXT:   [[D:%.*]] = kan.basis [[LOCAL]] inside [[INSIDE]] : tensor<1xi1> as "layer1_derivatives" degree 1 derivative scale dense<10.03921568627451> : tensor<f64>
// CHECK-NEXT:   [[SLOPES:%.*]] = kan.mac [[ACTIVE]], [[D]] as "layer1_slope" : {{.*}} -> tensor<1x1x!kan.fixed<s16:10>>
// CHECK-NEXT:   [[BELOW:%.*]] = kan.backpropagate [[ERROR]] through [[SLOPES]] as "layer1_input_error"
// CHECK:        kan.update %c0 at {{.*}} error [[BELOW]]
// REAL-LABEL: @two(
func.func @two(%x: tensor<2xf32>) -> tensor<1xf32> {
  %e = kan.bspline %x as "a" degree 1 extend knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf64> coefficients dense<0.0> : tensor<1x2x3xf64> : tensor<2xf32> -> tensor<1x2xf32>
  %b = kan.base "silu" %x weights dense<0.0> : tensor<1x2xf64> : tensor<2xf32> -> tensor<1x2xf32>
  %s = arith.addf %e, %b : tensor<1x2xf32>
  %h = kan.node_sum %s : tensor<1x2xf32> -> tensor<1xf32>
  %f = kan.bspline %h degree 1 extend knots dense<[-0.1, 0.0, 0.1]> : tensor<3xf64> coefficients dense<0.0> : tensor<1x1x3xf64> : tensor<1xf32> -> tensor<1x1xf32>
  %y = kan.node_sum %f : tensor<1x1xf32> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}
