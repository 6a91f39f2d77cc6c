// RUN: kan-opt --check-passes %s -p 'kan-quantize{bits=3 scale="minmax" input-format="x0=u8:0.3:9,x1=s6.2" output-format="*=s9.4"}' | filecheck %s

// A network that came with codes: the host's gain and offset move into hardware, which rounds the
// codes of the ports to those of the network, and results to the format.
// CHECK-LABEL: func.func @coded{{.*}} attributes {kan.output_codes = [!kan.int<-256:255>, !kan.int<-256:255>]}
// CHECK-NEXT: [[P:%.*]] = kan.quantize %x bounds {{.*}} -> tensor<2x!quant.uniform<i9<-32:255>:f32:0, {0.3:9,0.25}>>
// CHECK-NEXT: [[C:%.*]] = kan.requantize [[P]] as "input0" gain dense<[2.0, 2.0]> : tensor<2xf64> offset dense<[-1.0, -1.0]> : tensor<2xf64> : {{.*}} -> tensor<2x!quant.uniform<u4:f32, 0.5:8>>
// CHECK-NEXT: [[T:%.*]] = kan.requantize [[C]] : {{.*}} -> tensor<2x!quant.uniform<i9:f32, 0.0625>>
// CHECK-NEXT: [[Y:%.*]] = kan.dequantize [[T]]
// CHECK-NEXT: func.return [[Y]]
func.func @coded(%x: tensor<2xf32>) -> tensor<2xf32> {
  %a = kan.affine %x scale dense<2.0> : tensor<2xf32> bias dense<-1.0> : tensor<2xf32> : tensor<2xf32>
  %q = kan.quantize %a : tensor<2xf32> -> tensor<2x!quant.uniform<u4:f32, 0.5:8>>
  %y = kan.dequantize %q : tensor<2x!quant.uniform<u4:f32, 0.5:8>> -> tensor<2xf32>
  func.return %y : tensor<2xf32>
}
