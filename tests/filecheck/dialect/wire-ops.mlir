// RUN: kan-opt %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | filecheck %s --check-prefix GENERIC

// CHECK-LABEL: @wires(%x: !kan.int<0:3>, %y: !kan.int<-2:1>)
// GENERIC-LABEL: sym_name = "wires"
func.func @wires(%x: !kan.int<0:3>, %y: !kan.int<-2:1>) -> !kan.int<-4:7> {
  // CHECK: kan.constant -5 : !kan.int<-5:-5>
  // GENERIC: "kan.constant"() <{value = -5 : i64}> : () -> !kan.int<-5:-5>
  %c = kan.constant -5 : !kan.int<-5:-5>

  // One entry for each value of the input, lowest first.
  // CHECK: kan.table %x as "edge" entries dense<[1, 2, 4, 8]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<1:8>
  // GENERIC: "kan.table"(%x) <{name = "edge", entries =
  %t = kan.table %x as "edge" entries dense<[1, 2, 4, 8]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<1:8>

  // Bits 1 and 0 of -2:1, without its sign.
  // CHECK: kan.extract %y from 0 : !kan.int<-2:1> -> !kan.int<0:1>
  // GENERIC: "kan.extract"(%y) <{low = 0 : i64}> : (!kan.int<-2:1>) -> !kan.int<0:1>
  %b = kan.extract %y from 0 : !kan.int<-2:1> -> !kan.int<0:1>

  // Of two inputs; entries that do not matter are outside the range.
  // CHECK: kan.table %x, %y entries dense<"0x{{[0-9A-F]+}}"> : tensor<4x4xi16> care dense<"0x{{[0-9A-F]+}}"> : tensor<4x4xi8> : !kan.int<0:3>, !kan.int<-2:1> -> !kan.int<0:15>
  // GENERIC: "kan.table"(%x, %y) <{entries = {{.*}}, care = {{.*}}}> : (!kan.int<0:3>, !kan.int<-2:1>) -> !kan.int<0:15>
  %m = kan.table %x, %y entries dense<[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 999]]> : tensor<4x4xi16>
    care dense<[[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 0]]> : tensor<4x4xi8> : !kan.int<0:3>, !kan.int<-2:1> -> !kan.int<0:15>

  // CHECK: kan.sum %t, %m, %c as "sum" : !kan.int<1:8>, !kan.int<0:15>, !kan.int<-5:-5> -> !kan.int<-4:18>
  // GENERIC: "kan.sum"(%t, %m, %c) <{name = "sum"}>
  %s = kan.sum %t, %m, %c as "sum" : !kan.int<1:8>, !kan.int<0:15>, !kan.int<-5:-5> -> !kan.int<-4:18>

  // Rounded half to even; a negative amount multiplies.
  // CHECK: kan.shift %s by 1 as "half" : !kan.int<-4:18> -> !kan.int<-2:9>
  // GENERIC: "kan.shift"(%s) <{amount = 1 : i64, name = "half"}>
  %h = kan.shift %s by 1 as "half" : !kan.int<-4:18> -> !kan.int<-2:9>
  // CHECK: kan.shift %h by -1 : !kan.int<-2:9> -> !kan.int<-4:18>
  %d = kan.shift %h by -1 : !kan.int<-2:9> -> !kan.int<-4:18>

  // CHECK: kan.clamp %d as "node" : !kan.int<-4:18> -> !kan.int<-4:7>
  // GENERIC: "kan.clamp"(%d) <{name = "node"}>
  %n = kan.clamp %d as "node" : !kan.int<-4:18> -> !kan.int<-4:7>

  // CHECK: kan.delay %n by 2 as "node_late" : !kan.int<-4:7>
  // GENERIC: "kan.delay"(%n) <{cycles = 2 : i64, name = "node_late"}>
  %r = kan.delay %n by 2 as "node_late" : !kan.int<-4:7>

  // CHECK: kan.mark %r as "layer0_node0" offset 3 cycle 2 : !kan.int<-4:7>
  // GENERIC: "kan.mark"(%r) <{node = "layer0_node0", offset = 3 : i64, cycle = 2 : i64}> : (!kan.int<-4:7>) -> ()
  kan.mark %r as "layer0_node0" offset 3 cycle 2 : !kan.int<-4:7>

  // CHECK: kan.mark %r as "layer0_node1" offset 3 cycle 2 within <0:9> : !kan.int<-4:7>
  // GENERIC: "kan.mark"(%r) <{node = "layer0_node1", offset = 3 : i64, cycle = 2 : i64, within = !kan.int<0:9>}> : (!kan.int<-4:7>) -> ()
  kan.mark %r as "layer0_node1" offset 3 cycle 2 within <0:9> : !kan.int<-4:7>

  // CHECK: kan.dead "layer0_node2"
  // GENERIC: "kan.dead"() <{node = "layer0_node2"}> : () -> ()
  kan.dead "layer0_node2"
  func.return %r : !kan.int<-4:7>
}

// The widest range, and ops without names.
// CHECK-LABEL: @nameless
func.func @nameless(%x: !kan.int<-2305843009213693952:2305843009213693951>) -> !kan.int<-1:0> {
  // CHECK: kan.sum %x : !kan.int<-2305843009213693952:2305843009213693951> -> !kan.int<-2305843009213693952:2305843009213693951>
  %s = kan.sum %x : !kan.int<-2305843009213693952:2305843009213693951> -> !kan.int<-2305843009213693952:2305843009213693951>
  // CHECK: kan.clamp %s : !kan.int<-2305843009213693952:2305843009213693951> -> !kan.int<-1:0>
  %c = kan.clamp %s : !kan.int<-2305843009213693952:2305843009213693951> -> !kan.int<-1:0>
  // CHECK: kan.delay %c by 1 : !kan.int<-1:0>
  %d = kan.delay %c by 1 : !kan.int<-1:0>
  func.return %d : !kan.int<-1:0>
}
