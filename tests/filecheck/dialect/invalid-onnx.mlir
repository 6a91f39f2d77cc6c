// RUN: kan-opt %s --verify-diagnostics --split-input-file | filecheck %s

func.func @f(%x: tensor<2xf32>) -> tensor<1x2xf32> {
  // CHECK: 'kan.onnx' op "layer0": rest must have shape 2, got 3
  %e = kan.onnx %x as "layer0" rest dense<0.0> : tensor<3xf64> model dense<"0x080912003A660A0C0A017812016122044174616E0A110A01610A017712017922064D61744D756C1204706172742A130802080110014201774A080000803F000000C05A130A0178120E0A0C080112080A0208040A02080262130A0179120E0A0C080112080A0208040A02080142040A001011"> : tensor<114xi8> : tensor<2xf32> -> tensor<1x2xf32>
  func.return %e : tensor<1x2xf32>
}

// -----

func.func @f(%x: tensor<2xf32>) -> tensor<3x2xf32> {
  // CHECK: 'kan.onnx' op: model maps 2 inputs to 1 outputs, not 2 to 3
  %e = kan.onnx %x rest dense<0.0> : tensor<2xf64> model dense<"0x080912003A660A0C0A017812016122044174616E0A110A01610A017712017922064D61744D756C1204706172742A130802080110014201774A080000803F000000C05A130A0178120E0A0C080112080A0208040A02080262130A0179120E0A0C080112080A0208040A02080142040A001011"> : tensor<114xi8> : tensor<2xf32> -> tensor<3x2xf32>
  func.return %e : tensor<3x2xf32>
}

// -----

func.func @f(%x: tensor<2xf32>) -> tensor<1x2xf32> {
  // CHECK: 'kan.onnx' op: model must hold the bytes of a graph, as tensor<n x i8>
  %e = kan.onnx %x rest dense<0.0> : tensor<2xf64> model dense<8> : tensor<3xi16> : tensor<2xf32> -> tensor<1x2xf32>
  func.return %e : tensor<1x2xf32>
}

// -----

func.func @f(%x: tensor<2xf32>) -> tensor<1x2xf32> {
  // CHECK: 'kan.onnx' op: the subgraph is no ONNX model
  %e = kan.onnx %x rest dense<0.0> : tensor<2xf64> model dense<"0x0A"> : tensor<1xi8> : tensor<2xf32> -> tensor<1x2xf32>
  func.return %e : tensor<1x2xf32>
}

// -----

// A graph may not read files.
func.func @f(%x: tensor<2xf32>) -> tensor<1x2xf32> {
  // CHECK: 'kan.onnx' op: the subgraph refers to data in another file
  %e = kan.onnx %x rest dense<0.0> : tensor<2xf64> model dense<"0x080912003A750A0C0A017812016122044174616E0A110A01610A017712017922064D61744D756C1204706172742A220802080110014201776A150A086C6F636174696F6E12092E2E2F73656372657470015A130A0178120E0A0C080112080A0208040A02080262130A0179120E0A0C080112080A0208040A02080142040A001011"> : tensor<129xi8> : tensor<2xf32> -> tensor<1x2xf32>
  func.return %e : tensor<1x2xf32>
}

// -----

// A few bytes may not ask for terabytes.
func.func @f(%x: tensor<2xf32>) -> tensor<1x2xf32> {
  // CHECK: 'kan.onnx' op: 'e' in the subgraph has 800000000000 elements, more than 16777216
  %e = kan.onnx %x rest dense<0.0> : tensor<2xf64> model dense<"0x080912003ADA010A110A01780A01731201652206457870616E640A260A01650A026178120172220952656475636553756D2A0F0A086B65657064696D731800A001020A110A01720A017712017922064D61744D756C1204706172742A130802080110014201774A080000803F000000C02A29080410074201734A2080969800000000001027000000000000040000000000000002000000000000002A1A08021007420261784A10000000000000000001000000000000005A130A0178120E0A0C080112080A0208040A02080262130A0179120E0A0C080112080A0208040A02080142040A001011"> : tensor<231xi8> : tensor<2xf32> -> tensor<1x2xf32>
  func.return %e : tensor<1x2xf32>
}

// -----

func.func @f(%x: tensor<2xf32>) -> tensor<1x2xf32> {
  // CHECK: 'kan.onnx' op: the subgraph has an operator of the domain 'vendor'
  %e = kan.onnx %x rest dense<0.0> : tensor<2xf64> model dense<"0x080912003A6E0A140A017812016122044174616E3A0676656E646F720A110A01610A017712017922064D61744D756C1204706172742A130802080110014201774A080000803F000000C05A130A0178120E0A0C080112080A0208040A02080262130A0179120E0A0C080112080A0208040A02080142040A001011"> : tensor<122xi8> : tensor<2xf32> -> tensor<1x2xf32>
  func.return %e : tensor<1x2xf32>
}

// -----

func.func @f(%x: tensor<2xf32>) -> tensor<1x2xf32> {
  // CHECK: 'kan.onnx' op: windows name an input that does not exist
  %e = kan.onnx %x rest dense<0.0> : tensor<2xf64> model dense<"0x080912003A660A0C0A017812016122044174616E0A110A01610A017712017922064D61744D756C1204706172742A130802080110014201774A080000803F000000C05A130A0178120E0A0C080112080A0208040A02080262130A0179120E0A0C080112080A0208040A02080142040A001011"> : tensor<114xi8> windows dense<[[2.0, 0.0, 1.0]]> : tensor<1x3xf64> : tensor<2xf32> -> tensor<1x2xf32>
  func.return %e : tensor<1x2xf32>
}

// -----

func.func @f(%x: tensor<2xf32>) -> tensor<1x2xf32> {
  // CHECK: 'kan.onnx' op: a window is empty
  %e = kan.onnx %x rest dense<0.0> : tensor<2xf64> model dense<"0x080912003A660A0C0A017812016122044174616E0A110A01610A017712017922064D61744D756C1204706172742A130802080110014201774A080000803F000000C05A130A0178120E0A0C080112080A0208040A02080262130A0179120E0A0C080112080A0208040A02080142040A001011"> : tensor<114xi8> windows dense<[[0.0, 1.0, 0.0]]> : tensor<1x3xf64> : tensor<2xf32> -> tensor<1x2xf32>
  func.return %e : tensor<1x2xf32>
}

// -----

func.func @f(%x: tensor<2xf32>) -> tensor<1x2xf32> {
  // CHECK: 'kan.onnx' op: windows must be (windows, 3)
  %e = kan.onnx %x rest dense<0.0> : tensor<2xf64> model dense<"0x080912003A660A0C0A017812016122044174616E0A110A01610A017712017922064D61744D756C1204706172742A130802080110014201774A080000803F000000C05A130A0178120E0A0C080112080A0208040A02080262130A0179120E0A0C080112080A0208040A02080142040A001011"> : tensor<114xi8> windows dense<[0.0]> : tensor<1xf64> : tensor<2xf32> -> tensor<1x2xf32>
  func.return %e : tensor<1x2xf32>
}
