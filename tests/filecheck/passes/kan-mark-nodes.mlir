// RUN: kan-opt --check-passes %s -p kan-mark-nodes --split-input-file | filecheck %s

// Sums and a lone table that something else than a sum reads are nodes: %s and %t in layer 0, and
// %r, which reads them, in layer 1. The sum %p is a part of %s.
// CHECK-LABEL: @nodes
// CHECK: kan.mark %s as "layer0_node0" offset 0 cycle 0 : !kan.int<0:9>
// CHECK-NEXT: kan.mark %t as "layer0_node1" offset 0 cycle 0 : !kan.int<0:3>
// CHECK-NEXT: kan.mark %r as "layer1_node0" offset 0 cycle 0 : !kan.int<0:4>
// CHECK-NEXT: return %r
func.func @nodes(%x: !kan.int<0:3>, %y: !kan.int<0:3>) -> !kan.int<0:4> {
  %p = kan.sum %x, %y as "p" : !kan.int<0:3>, !kan.int<0:3> -> !kan.int<0:6>
  %s = kan.sum %p, %x as "s" : !kan.int<0:6>, !kan.int<0:3> -> !kan.int<0:9>
  %t = kan.table %x as "t" entries dense<[3, 0, 1, 2]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  %u = kan.table %s as "u" entries dense<[0, 1, 1, 0, 1, 0, 0, 1, 1, 0]> : tensor<10xi8> : !kan.int<0:9> -> !kan.int<0:1>
  %v = kan.table %t as "v" entries dense<[0, 3, 1, 2]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  %r = kan.sum %u, %v as "r" : !kan.int<0:1>, !kan.int<0:3> -> !kan.int<0:4>
  func.return %r : !kan.int<0:4>
}

// -----

// Marks that are there are all.
// CHECK-LABEL: @marked
// CHECK: kan.mark %s as "mine" offset 0 cycle 0
// CHECK-NEXT: return
func.func @marked(%x: !kan.int<0:3>, %y: !kan.int<0:3>) -> !kan.int<0:9> {
  %p = kan.sum %x, %y as "p" : !kan.int<0:3>, !kan.int<0:3> -> !kan.int<0:6>
  %s = kan.sum %p, %x as "s" : !kan.int<0:6>, !kan.int<0:3> -> !kan.int<0:9>
  kan.mark %s as "mine" offset 0 cycle 0 : !kan.int<0:9>
  func.return %s : !kan.int<0:9>
}
