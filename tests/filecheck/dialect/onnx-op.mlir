// RUN: kan-opt %s | kan-opt | filecheck %s
// RUN: kan-opt --print-op-generic %s | kan-opt | filecheck %s
// RUN: kan-opt --check-passes %s -p kan-quantize,kan-fold-tables | filecheck %s --check-prefix TABLES

// Edges that an ONNX graph computes: here y = atan(x) w, with w = (1, -2)^T, for batches of 4.
// CHECK-LABEL: @opaque
// CHECK: kan.onnx %{{.*}} as "layer1" rest dense<[0.5, 0.25]> : tensor<2xf64>
// CHECK-SAME: model dense<"0x080912003A660A0C{{[0-9A-F]+}}"> : tensor<114xi8> : tensor<2xf32> -> tensor<1x2xf32>

// Every edge function becomes a table, whatever computes it; the one of -2 atan(x) is the steeper.
// TABLES-LABEL: @opaque
// TABLES: kan.tables %{{.*}} as "layer1"
// TABLES-NOT: kan.onnx
func.func @opaque(%x: tensor<2xf32>) -> tensor<1xf32> {
  %i = kan.bspline %x as "layer0" degree 1 knots dense<[-2.0, -1.0, 0.0, 1.0, 2.0]> : tensor<5xf32>
    coefficients dense<1.0> : tensor<2x2x3xf32> : tensor<2xf32> -> tensor<2x2xf32>
  %h = kan.node_sum %i as "layer0" : tensor<2x2xf32> -> tensor<2xf32>
  %e = kan.onnx %h as "layer1" rest dense<[0.5, 0.25]> : tensor<2xf64>
    model dense<"0x080912003A660A0C0A017812016122044174616E0A110A01610A017712017922064D61744D756C1204706172742A130802080110014201774A080000803F000000C05A130A0178120E0A0C080112080A0208040A02080262130A0179120E0A0C080112080A0208040A02080142040A001011"> : tensor<114xi8> : tensor<2xf32> -> tensor<1x2xf32>
  %y = kan.node_sum %e as "layer1" : tensor<1x2xf32> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}
