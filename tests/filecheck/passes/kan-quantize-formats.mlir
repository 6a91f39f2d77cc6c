// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=3 scale="minmax" input-format="x0=s6.2,x1=u4:0.5:2" output-format="*=s8.4"}' | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=3 scale="minmax" input-format="x0=s6.2,x1=u4:0.5:2" output-format="fixed<8,4>"},kan-fold-tables,kan-expand-wires' | filecheck %s --check-prefix WIRE
// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=3 scale="minmax" input-format="x0=s6.2,x1=u4:0.5:2" output-format="*=s8.4"},kan-fold-tables,kan-expand-wires,kan-narrow,lower-kan-to-hw' | filecheck %s --check-prefix HW

// The ports have the formats. The network reads 3 bits: the codes of x0 over 2^3 and those of x1
// over 2, rounded half to even.
// CHECK: kan.pipeline = ["kan-quantize{bits=3 scale=\22minmax\22 input-format=\22x0=s6.2,x1=u4:0.5:2\22 output-format=\22*=s8.4\22}"]
// CHECK: func.func @f{{.*}} attributes {kan.output_codes = [!kan.int<-128:127>]}
// CHECK-NEXT: [[P:%.*]] = kan.quantize %x bounds dense<{{\[\[}}-32, 31], [0, 15]]> : tensor<2x2xi8> : tensor<2xf32> -> tensor<2x!quant.uniform<i6:f32:0, {0.25,0.5:2}>>
// CHECK-NEXT: [[Q:%.*]] = kan.requantize [[P]] as "input0" : {{.*}} -> tensor<2x!quant.uniform<u3:f32:0, {2.0:4,1.0:1}>>
// CHECK-NEXT: kan.dequantize [[Q]]
// Sums are at least as fine as 3 bits make them; then they are rounded to the format.
// CHECK: [[S:%.*]] = kan.node_sum {{.*}} -> tensor<1x!quant.uniform<i4:f32, 2.0>>
// CHECK-NEXT: [[R:%.*]] = kan.requantize [[S]] as "layer0" : {{.*}} -> tensor<1x!quant.uniform<i8:f32, 0.0625>>

// The ports keep their width at wire level and in hardware.
// WIRE: func.func @f(%x0: !kan.int<-32:31>
// WIRE-SAME: %x1: !kan.int<0:15>
// WIRE-NEXT: [[A:%.*]] = kan.shift %x0 by 3 as "input0_node0_scaled" : !kan.int<-32:31> -> !kan.int<-4:4>
// WIRE: [[B:%.*]] = kan.clamp {{%.*}} as "input0_node0" : !kan.int<0:8> -> !kan.int<0:7>
// WIRE: kan.mark [[B]] as "input0_node0"
// WIRE: kan.table
// HW: hw.module @f(in %x0: i6, in %x1: i4, out y0: i8)
// HW-SAME: #kan.port<"y0", -128:127, scale = 0.0625>
func.func @f(%x: tensor<2xf32>) -> tensor<1xf32> {
  %o = kan.observe %x range dense<[[-8.0, 7.75], [-1.0, 6.0]]> : tensor<2x2xf32> histogram dense<1> : tensor<2x4xi8> : tensor<2xf32>
  %e = kan.base "identity" %o weights dense<[[0.5, 0.5]]> : tensor<1x2xf32> : tensor<2xf32> -> tensor<1x2xf32>
  %n = kan.node_sum %e as "layer0" : tensor<1x2xf32> -> tensor<1xf32>
  %y = kan.observe %n range dense<[[-7.0, 7.5]]> : tensor<1x2xf32> histogram dense<1> : tensor<1x4xi8> : tensor<1xf32>
  func.return %y : tensor<1xf32>
}
