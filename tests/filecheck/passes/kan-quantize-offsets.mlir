// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=8 scale="minmax"}' | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=8 scale="minmax"},kan-fold-tables' | filecheck %s --check-prefix TABLES

// An edge with a large common part: its median goes to the bias before anything is rounded. The
// inputs 101320..101330 are codes 0..255, the median is that of code 128.
// CHECK-LABEL: @pressure
// CHECK: [[E:%.*]] = kan.base "identity"
// CHECK-NEXT: [[C:%.*]] = kan.affine [[E]] scale dense<[{{\[}}1.0]]> : tensor<1x1xf64> bias dense<[{{\[}}-101325.0{{[0-9]*}}]]> : tensor<1x1xf64>
// CHECK-NEXT: [[Q:%.*]] = kan.quantize [[C]] : tensor<1x1xf32> -> tensor<1x1x!quant.uniform<i8:f32, 0.0392
// CHECK-NEXT: kan.node_sum [[Q]] as "layer0"
// TABLES-LABEL: @pressure
// TABLES: kan.tables {{.*}} -> tensor<1x1x!quant.uniform<i8:f32, 0.0392
func.func @pressure(%x: tensor<1xf32>) -> tensor<1xf32> {
  %o = kan.observe %x range dense<[[101320.0, 101330.0]]> : tensor<1x2xf64> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  %e = kan.base "identity" %o weights dense<1.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e as "layer0" bias dense<-101325.0> : tensor<1xf32> : tensor<1x1xf32> -> tensor<1xf32>
  %p = kan.observe %n range dense<[[-5.0, 5.0]]> : tensor<1x2xf64> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  func.return %p : tensor<1xf32>
}

// Constants of several edges are added before they are rounded: -101324.98 + 101325.02 is 500 steps.
// CHECK-LABEL: @difference
// CHECK: kan.affine {{.*}} bias dense<[{{\[}}-101325.01960784313, 101324.98039215687]]> : tensor<1x2xf64>
// CHECK: kan.node_sum {{%.*}} as "layer0" bias dense<[500]>
func.func @difference(%x: tensor<2xf32>) -> tensor<1xf32> {
  %o = kan.observe %x range dense<[[101320.0, 101330.0], [101320.0, 101330.0]]> : tensor<2x2xf64> histogram dense<1> : tensor<2x4xi8> : tensor<2xf32>
  %e = kan.base "identity" %o weights dense<[[1.0, -1.0]]> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>
  %n = kan.node_sum %e as "layer0" : tensor<1x2xf32> -> tensor<1xf32>
  %p = kan.observe %n range dense<[[-0.01, 0.01]]> : tensor<1x2xf64> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  func.return %p : tensor<1xf32>
}

// An edge that is constant leaves 0, and its value the bias, to half a step.
// CHECK-LABEL: @constant
// CHECK: kan.quantize {{%.*}} bounds dense<[{{\[\[}}0, 0]]]>
// CHECK-NEXT: kan.node_sum {{%.*}} bias dense<[64]> : tensor<1xi8>
func.func @constant(%x: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.bspline %x degree 0 closed knots dense<[0.0, 1.0]> : tensor<2xf64> coefficients dense<1000000.25> : tensor<1x1x1xf64> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e bias dense<-1000000.0> : tensor<1xf64> : tensor<1x1xf32> -> tensor<1xf32>
  %p = kan.observe %n range dense<[[0.0, 1.0]]> : tensor<1x2xf64> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  func.return %p : tensor<1xf32>
}

// A node of codes 0..255 and a bias of -100 steps saturates at edges below 100 and above 355, also
// where 1/x is infinite.
// CHECK-LABEL: @saturated
// CHECK: kan.quantize {{%.*}} bounds dense<[{{\[\[}}100, 355]]]>
func.func @saturated(%x: tensor<1xf32>) -> tensor<1xf32> {
  %o = kan.observe %x range dense<[[0.0, 255.0]]> : tensor<1x2xf64> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  %e = kan.base "reciprocal" %o weights dense<255.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e as "layer0" bias dense<-100.0> : tensor<1xf64> : tensor<1x1xf32> -> tensor<1xf32>
  %p = kan.observe %n range dense<[[0.0, 255.0]]> : tensor<1x2xf64> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  %f = kan.base "identity" %p weights dense<1.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %m = kan.node_sum %f as "layer1" : tensor<1x1xf32> -> tensor<1xf32>
  func.return %m : tensor<1xf32>
}

// What is concatenated has codes before a layer that reads it: the layer's tables are of these codes.
// CHECK-LABEL: @shared
// CHECK: [[A:%.*]] = kan.affine
// CHECK-NEXT: [[C:%.*]] = kan.quantize [[A]]
// CHECK-NEXT: [[D:%.*]] = kan.dequantize [[C]]
// CHECK-NEXT: kan.base "identity" [[D]]
func.func @shared(%x: tensor<1xf32>) -> tensor<1xf32> {
  %o = kan.observe %x range dense<[[-1.0, 1.0]]> : tensor<1x2xf64> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  %a = kan.affine %o scale dense<1.7> : tensor<1xf64> bias dense<0.3> : tensor<1xf64> : tensor<1xf32>
  %b = kan.observe %a range dense<[[-5.0, 5.0]]> : tensor<1x2xf64> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  %e = kan.base "identity" %b weights dense<1.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e as "layer0" : tensor<1x1xf32> -> tensor<1xf32>
  %c = kan.concat %n, %b : tensor<1xf32>, tensor<1xf32> -> tensor<2xf32>
  %f = kan.base "identity" %c weights dense<1.0> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>
  %m = kan.node_sum %f as "layer1" : tensor<1x2xf32> -> tensor<1xf32>
  func.return %m : tensor<1xf32>
}
