// RUN: kan-opt --check-passes %s -p fold-by-node | filecheck %s
// RUN: kan-opt --check-passes %s -p fold-by-node,kan-schedule,lower-kan-to-hw | filecheck %s --check-prefix HW

// Two inputs have four nodes: one tree of two adders in place of four accumulators.
// CHECK-LABEL: @wide
// CHECK-NEXT: fold_by_node.layer %x, %y as "layer0" interval 4

// HW-LABEL: hw.module @wide
// HW: kan.memory {{.*}}layer0_rom0_0
// HW: kan.memory {{.*}}layer0_rom1_0
func.func @wide(%x: !kan.int<0:3>, %y: !kan.int<0:3>) -> (!kan.int<0:6>, !kan.int<1:7>, !kan.int<0:6>, !kan.int<0:6>) attributes {kan.interval = 4 : i64} {
  %s:4 = kan.folded_by_input %x, %y as "layer0" interval 4 tables dense<[[[0, 1, 2, 3], [3, 2, 1, 0]], [[0, 3, 2, 1], [1, 2, 3, 0]], [[3, 1, 0, 2], [2, 1, 0, 3]], [[0, 0, 1, 3], [3, 1, 0, 0]]]> : tensor<4x2x4xi8> from 0 bias dense<[0, 1, 0, 0]> : tensor<4xi8> : !kan.int<0:3>, !kan.int<0:3> -> !kan.int<0:6>, !kan.int<1:7>, !kan.int<0:6>, !kan.int<0:6>
  func.return %s#0, %s#1, %s#2, %s#3 : !kan.int<0:6>, !kan.int<1:7>, !kan.int<0:6>, !kan.int<0:6>
}

// One node has one accumulator, and stays.
// CHECK-LABEL: @narrow
// CHECK-NEXT: kan.folded_by_input
func.func @narrow(%x: !kan.int<0:3>, %y: !kan.int<0:3>) -> !kan.int<0:6> attributes {kan.interval = 4 : i64} {
  %s = kan.folded_by_input %x, %y as "layer0" interval 4 tables dense<[[[0, 1, 2, 3], [3, 2, 1, 0]]]> : tensor<1x2x4xi8> from 0 bias dense<[0]> : tensor<1xi8> : !kan.int<0:3>, !kan.int<0:3> -> !kan.int<0:6>
  func.return %s : !kan.int<0:6>
}
