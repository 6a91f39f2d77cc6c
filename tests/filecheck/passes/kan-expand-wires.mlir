// RUN: kan-opt --check-passes %s -p kan-expand-wires | filecheck %s

!codes = !quant.uniform<u2:f32, 0.5:1>
!edges = !quant.uniform<i4:f32, 0.25>
!sums = !quant.uniform<i6:f32, 0.25>

// One argument for each input, with its range and what its codes stand for; one table for each edge,
// one sum and one mark for each node.
// CHECK-LABEL: func.func @layer
// CHECK-SAME: (%x0: !kan.int<0:3> {kan.encoding = !quant.uniform<u2:f32, 0.5:1>}, %x1: !kan.int<1:3> {kan.encoding = !quant.uniform<u2:f32, 0.5:1>})
// CHECK-SAME: -> (!kan.int<-4:1> {kan.encoding = !quant.uniform<i6:f32, 0.25>}, !kan.int<2:2> {kan.encoding = !quant.uniform<i6:f32, 0.25>})
func.func @layer(%x: tensor<2xf32>) -> tensor<2xf32> {
  %q = kan.quantize %x bounds dense<[[0, 3], [1, 3]]> : tensor<2x2xi8> : tensor<2xf32> -> tensor<2x!codes>
  // Tables have entries only for the codes that come.
  // CHECK-NEXT: [[E0:%.*]] = kan.table %x0 as "layer0_edge0_0" entries dense<[0, 1, 2, 3]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  // CHECK-NEXT: [[E1:%.*]] = kan.table %x1 as "layer0_edge0_1" entries dense<[-3, -2, -1]> : tensor<3xi8> : !kan.int<1:3> -> !kan.int<-3:-1>
  %e = kan.tables %q tables dense<[[[0, 1, 2, 3], [7, -3, -2, -1]], [[7, 7, 7, 7], [7, 7, 7, 7]]]> : tensor<2x2x4xi8> : tensor<2x!codes> -> tensor<2x2x!edges>
  // A bias is one of the summands. A node without edges is its bias; the tables of pruned edges are not made.
  // CHECK-NEXT: [[B:%.*]] = kan.constant -1
  // CHECK-NEXT: [[S:%.*]] = kan.sum [[E0]], [[E1]], [[B]] as "layer0_sum0"
  // CHECK-SAME: -> !kan.int<-4:1>
  // CHECK-NEXT: [[C:%.*]] = kan.constant 2 : !kan.int<2:2>
  %s = kan.node_sum %e mask dense<[[1, 1], [0, 0]]> : tensor<2x2xi8> bias dense<[-1, 2]> : tensor<2xi8> : tensor<2x2x!edges> -> tensor<2x!sums>
  // CHECK-NEXT: kan.mark [[S]] as "layer0_node0" offset 0 cycle 0
  // CHECK-NEXT: kan.mark [[C]] as "layer0_node1" offset 0 cycle 0
  // CHECK-NEXT: func.return [[S]], [[C]]
  %y = kan.dequantize %s : tensor<2x!sums> -> tensor<2xf32>
  func.return %y : tensor<2xf32>
}

// Requantised, the nodes are clamps: of the sum moved by the zero points, and shifted where scales
// differ. The next layer reads them.
// CHECK-LABEL: func.func @requantize
func.func @requantize(%x: tensor<1xf32>) -> tensor<1xf32> {
  %q = kan.quantize %x : tensor<1xf32> -> tensor<1x!codes>
  // CHECK-NEXT: [[E:%.*]] = kan.table %x0 as "layer0_edge0_0"
  // CHECK-NEXT: [[E1:%.*]] = kan.table %x0 as "layer0_edge1_0"
  %e = kan.tables %q tables dense<[[[-4, -2, 4, 6]], [[-3, 0, 3, 5]]]> : tensor<2x1x4xi8> : tensor<1x!codes> -> tensor<2x1x!edges>
  %s = kan.node_sum %e : tensor<2x1x!edges> -> tensor<2x!sums>
  // Node 0 has the same scale and another zero point.
  // CHECK-NEXT: [[Z:%.*]] = kan.constant 2
  // CHECK-NEXT: [[M:%.*]] = kan.sum [[E]], [[Z]]
  // CHECK-NEXT: [[N0:%.*]] = kan.clamp [[M]] as "layer0_node0" : !kan.int<-2:8> -> !kan.int<0:7>
  // Node 1 has twice the scale, then its zero point.
  // CHECK-NEXT: [[H:%.*]] = kan.shift [[E1]] by 1 as "layer0_node1_scaled" : !kan.int<-3:5> -> !kan.int<-2:2>
  // CHECK-NEXT: [[Z1:%.*]] = kan.constant 1
  // CHECK-NEXT: [[M1:%.*]] = kan.sum [[H]], [[Z1]]
  // CHECK-NEXT: [[N1:%.*]] = kan.clamp [[M1]] as "layer0_node1" : !kan.int<-1:3> -> !kan.int<0:2>
  %r = kan.requantize %s bounds dense<[[0, 7], [0, 2]]> : tensor<2x2xi8> : tensor<2x!sums> -> tensor<2x!quant.uniform<u3:f32:0, {0.25:2,0.5:1}>>
  // CHECK-NEXT: kan.mark [[N0]] as "layer0_node0"
  // CHECK-NEXT: kan.mark [[N1]] as "layer0_node1"
  // CHECK-NEXT: kan.table [[N0]] as "layer1_edge0_0" entries dense<[0, 1, 2, 3, 4, 5, 6, 7]> : tensor<8xi8>
  // CHECK-NEXT: kan.table [[N1]] as "layer1_edge0_1" entries dense<[1, 2, 3]> : tensor<3xi8>
  // CHECK-NEXT: kan.sum {{.*}} as "layer1_sum0"
  %f = kan.tables %r tables dense<[[[0, 1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 7, 7, 7, 7, 7]]]> : tensor<1x2x8xi8> : tensor<2x!quant.uniform<u3:f32:0, {0.25:2,0.5:1}>> -> tensor<1x2x!edges>
  %t = kan.node_sum %f : tensor<1x2x!edges> -> tensor<1x!sums>
  %y = kan.dequantize %t : tensor<1x!sums> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// Codes with a zero point are rescaled around it.
// CHECK-LABEL: func.func @rescale
func.func @rescale(%x: tensor<1x!codes>) -> tensor<1x!quant.uniform<i4:f32, 0.25:-2>> {
  // CHECK-NEXT: [[Z:%.*]] = kan.constant -1
  // CHECK-NEXT: [[C:%.*]] = kan.sum %x0, [[Z]]
  // CHECK-NEXT: [[S:%.*]] = kan.shift [[C]] by -1 as "layer0_node0_scaled" : !kan.int<-1:2> -> !kan.int<-2:4>
  // CHECK-NEXT: [[P:%.*]] = kan.constant -2
  // CHECK-NEXT: [[M:%.*]] = kan.sum [[S]], [[P]]
  // CHECK-NEXT: kan.clamp [[M]] as "layer0_node0" : !kan.int<-4:2> -> !kan.int<-8:7>
  %r = kan.requantize %x : tensor<1x!codes> -> tensor<1x!quant.uniform<i4:f32, 0.25:-2>>
  func.return %r : tensor<1x!quant.uniform<i4:f32, 0.25:-2>>
}

// Ports follow the arguments and results, whatever the order of the ops; a result may come twice.
// CHECK-LABEL: func.func @ports
// CHECK-SAME: (%x0: !kan.int<0:3> {kan.encoding = !quant.uniform<u2:f32, 0.5:1>}, %x1: !kan.int<-8:7> {{.*}}, %x2: !kan.int<-8:7>
func.func @ports(%x: tensor<1xf32>, %z: tensor<2xf32>) -> (tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) {
  // CHECK-NEXT: func.return %x1, %x2, %x0, %x0
  %qz = kan.quantize %z : tensor<2xf32> -> tensor<2x!edges>
  %qx = kan.quantize %x : tensor<1xf32> -> tensor<1x!codes>
  %dx = kan.dequantize %qx : tensor<1x!codes> -> tensor<1xf32>
  %dz = kan.dequantize %qz : tensor<2x!edges> -> tensor<2xf32>
  func.return %dz, %dx, %dx : tensor<2xf32>, tensor<1xf32>, tensor<1xf32>
}

// Tensors of codes may come and go as they are, also side by side.
// CHECK-LABEL: func.func @codes
// CHECK-SAME: (%x0: !kan.int<0:3> {{.*}}, %x1: !kan.int<-8:7>
func.func @codes(%x: tensor<1x!codes>, %z: tensor<1x!edges>) -> tensor<2x!quant.uniform<i4:f32:0, {0.5:1,0.25}>> {
  // CHECK-NEXT: func.return %x0, %x1 : !kan.int<0:3>, !kan.int<-8:7>
  %c = kan.concat %x, %z : tensor<1x!codes>, tensor<1x!edges> -> tensor<2x!quant.uniform<i4:f32:0, {0.5:1,0.25}>>
  func.return %c : tensor<2x!quant.uniform<i4:f32:0, {0.5:1,0.25}>>
}

// A table for each node is a layer of its own. Layers side by side have different names.
// CHECK-LABEL: func.func @layers
func.func @layers(%x: tensor<1xf32>) -> (tensor<1xf32>, tensor<1xf32>) {
  // CHECK-NEXT: kan.table %x0 as "layer0_table0" entries dense<[3, 2, 1, 0]>
  // CHECK-NEXT: kan.table {{%.*}} as "layer1_edge0_0"
  // CHECK-NEXT: kan.table {{%.*}} as "layer2_edge0_0"
  // CHECK-NEXT: kan.clamp {{%.*}} as "layer1_node0"
  // CHECK-NEXT: kan.mark {{%.*}} as "layer1_node0"
  // CHECK-NEXT: kan.clamp {{%.*}} as "layer2_node0"
  // CHECK-NEXT: kan.mark {{%.*}} as "layer2_node0"
  %q = kan.quantize %x : tensor<1xf32> -> tensor<1x!codes>
  %h = kan.tables %q tables dense<[[3, 2, 1, 0]]> : tensor<1x4xi8> : tensor<1x!codes> -> tensor<1x!codes>
  %a = kan.tables %h tables dense<[[[0, 1, 2, 3]]]> : tensor<1x1x4xi8> : tensor<1x!codes> -> tensor<1x1x!edges>
  %b = kan.tables %h tables dense<[[[0, 1, 2, 3]]]> : tensor<1x1x4xi8> : tensor<1x!codes> -> tensor<1x1x!edges>
  %s = kan.node_sum %a : tensor<1x1x!edges> -> tensor<1x!sums>
  %t = kan.node_sum %b : tensor<1x1x!edges> -> tensor<1x!sums>
  %r = kan.requantize %s : tensor<1x!sums> -> tensor<1x!quant.uniform<u1:f32, 0.25>>
  %u = kan.requantize %t : tensor<1x!sums> -> tensor<1x!quant.uniform<u1:f32, 0.25>>
  %y = kan.dequantize %r : tensor<1x!quant.uniform<u1:f32, 0.25>> -> tensor<1xf32>
  %z = kan.dequantize %u : tensor<1x!quant.uniform<u1:f32, 0.25>> -> tensor<1xf32>
  func.return %y, %z : tensor<1xf32>, tensor<1xf32>
}

// Attributes stay; other functions are left alone.
// CHECK-LABEL: func.func @attributes
// CHECK-SAME: attributes {note = "kept"}
func.func @attributes(%x: tensor<1x!codes>) -> tensor<1x!codes> attributes {note = "kept"} {
  func.return %x : tensor<1x!codes>
}

// CHECK-LABEL: func.func @spline(%x: tensor<1xf32>) -> tensor<1xf32>
func.func @spline(%x: tensor<1xf32>) -> tensor<1xf32> {
  func.return %x : tensor<1xf32>
}

// CHECK: func.func private @declared(tensor<1x!quant.uniform<u2:f32, 0.5:1>>)
func.func private @declared(tensor<1x!codes>)

// What the host computes in front of the quantiser stays with the ports: gain and offset of each.
// CHECK-LABEL: func.func @affine
// CHECK-SAME: (%x0: !kan.int<0:3> {kan.encoding = {{.*}}, kan.affine = [2.000000e+00 : f64, 5.000000e-01 : f64]}, %x1: !kan.int<0:3> {kan.encoding = {{.*}}, kan.affine = [6.000000e+00 : f64, -3.000000e+00 : f64]})
func.func @affine(%x: tensor<2xf32>) -> tensor<2xf32> {
  %a = kan.affine %x scale dense<2.0> : tensor<1xf32> bias dense<[0.5, -1.0]> : tensor<2xf32> : tensor<2xf32>
  %b = kan.affine %a scale dense<[1.0, 3.0]> : tensor<2xf32> bias dense<0.0> : tensor<f32> : tensor<2xf32>
  %q = kan.quantize %b : tensor<2xf32> -> tensor<2x!codes>
  %y = kan.dequantize %q : tensor<2x!codes> -> tensor<2xf32>
  func.return %y : tensor<2xf32>
}

// Inputs %x0 and %x3 have edges to one node, %x1 and %x2 to the other: they share lanes. The edges
// of %x4 are constant.
// CHECK: func.func @banks
// CHECK-NEXT: kan.folded_by_input %x1, %x0, %x2, %x3 as "layer0" interval 2
// CHECK-SAME: tables dense<{{.*}}> : tensor<2x4x2xi8> from 0 bias dense<[3, 3]> : tensor<2xi8>
func.func @banks(%x: tensor<5xf32>) -> tensor<2xf32> attributes {kan.interval = 2 : i64} {
  %q = kan.quantize %x : tensor<5xf32> -> tensor<5x!quant.uniform<u1:f32, 1.0>>
  %t = kan.tables %q as "layer0" tables dense<[[[0, 1], [0, 0], [0, 0], [1, 0], [3, 3]], [[0, 0], [0, 1], [1, 0], [0, 0], [3, 3]]]> : tensor<2x5x2xi8> : tensor<5x!quant.uniform<u1:f32, 1.0>> -> tensor<2x5x!quant.uniform<u2:f32, 1.0>>
  %n = kan.node_sum %t as "layer0" {kan.interval = 2 : i64} : tensor<2x5x!quant.uniform<u2:f32, 1.0>> -> tensor<2x!quant.uniform<u4:f32, 1.0>>
  %y = kan.dequantize %n : tensor<2x!quant.uniform<u4:f32, 1.0>> -> tensor<2xf32>
  func.return %y : tensor<2xf32>
}
