// RUN: kan-opt --check-passes %s -p 'kan-fold-layers{interval=2 target=ecp5}' | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-fold-layers{interval=1 target=ecp5}' | filecheck %s --check-prefix ONE
// RUN: kan-opt --check-passes %s -p 'kan-fold-layers{interval=2 target=ecp5},kan-expand-wires' | filecheck %s --check-prefix WIRE
// RUN: kan-opt --check-passes %s -p 'kan-fold-layers{interval=3 target=gowin-gw1n-1},kan-expand-wires' | filecheck %s --check-prefix PART
// RUN: kan-opt --check-passes %s -p 'kan-fold-layers{interval=2 target=ecp5 loadable=true}' | filecheck %s --check-prefix LOAD
// RUN: kan-opt --check-passes %s -p 'kan-fold-layers{interval=2 target=ecp5 loadable=true},kan-expand-wires,kan-narrow' | filecheck %s --check-prefix LOADED
// RUN: kan-opt --check-passes %s -p 'kan-fold-layers{interval=2 target=ecp5 logic-words=256},kan-expand-wires' | filecheck %s --check-prefix LOGIC
// RUN: not kan-opt %s -p 'kan-fold-layers{interval=2 logic-words=256 loadable=true}' 2>&1 | filecheck %s --check-prefix BOTH
// RUN: not kan-opt %s -p 'kan-fold-layers{loadable=true}' 2>&1 | filecheck %s --check-prefix NEVER
// RUN: not kan-opt %s -p 'kan-fold-layers{interval=0}' 2>&1 | filecheck %s --check-prefix ZERO

// Three tables of six bits take more LUTs than an accumulator.
// CHECK: func.func @wide{{.*}} attributes {kan.interval = 2 : i64}
// CHECK: kan.node_sum {{.*}} {kan.interval = 2 : i64, kan.word = 36 : i64}
// ONE: func.func @wide
// ONE-NOT: kan.interval
// Edges that are pruned have entries of 0.
// WIRE: func.func @wide
// WIRE-NEXT: [[S:%.*]] = kan.folded_by_input %x0, %x1, %x2 as "layer0" interval 2
// WIRE-SAME: tables dense<{{.*}}> : tensor<1x3x64xi8> from 0 bias dense<[5]> : tensor<1xi8>
// WIRE-SAME: !kan.int<0:63>, !kan.int<0:63>, !kan.int<0:63> -> !kan.int<{{.*}}>
// WIRE-NEXT: kan.mark [[S]] as "layer0_node0" offset 0 cycle 0
// ZERO: interval
// Entries have two bits more than codes of inputs, and sums hold four of them.
// LOAD: kan.node_sum {{.*}} {kan.interval = 2 : i64, kan.word = 36 : i64, kan.loadable = 8 : i64}
// LOADED: kan.folded_by_input {{.*}} word 36 loadable 8 : {{.*}} -> !kan.int<-512:511>
// LOGIC: kan.folded_by_input {{.*}} word 36 logic 256 :
// BOTH: logic-words is for constant memories, and loadable ones are written
// NEVER: loadable needs memories, and a network has them where layers take turns
func.func @wide(%x: tensor<3xf32>) -> tensor<1xf32> {
  %q = kan.quantize %x : tensor<3xf32> -> tensor<3x!quant.uniform<u6:f32, 1.0>>
  %t = kan.tables %q as "layer0" tables dense<"0x00070E151C232A31383F060D141B222930373E050C131A21282F363D040B121920272E353C030A11181F262D343B020910171E252C333A01080F161D242B323900070E151C232A31383F060D141B222930373E050C131A21282F363D040B121920272E353C030A11181F262D343B020910171E252C333A01080F161D242B323900070E151C232A31383F060D141B222930373E050C131A21282F363D040B121920272E353C030A11181F262D343B020910171E252C333A01080F161D242B3239"> : tensor<1x3x64xi8> : tensor<3x!quant.uniform<u6:f32, 1.0>> -> tensor<1x3x!quant.uniform<u6:f32, 1.0>>
  %n = kan.node_sum %t as "layer0" bias dense<[5]> : tensor<1xi8> : tensor<1x3x!quant.uniform<u6:f32, 1.0>> -> tensor<1x!quant.uniform<u8:f32, 1.0>>
  %y = kan.dequantize %n : tensor<1x!quant.uniform<u8:f32, 1.0>> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// Tables of one bit take fewer LUTs side by side: the layer stays as it is, in a function of its own.
// CHECK: func.func @narrow
// LOAD: func.func @narrow{{.*}} attributes {kan.interval = 2 : i64}
// LOAD: kan.node_sum {{.*}} kan.loadable = 3 : i64
// CHECK-NOT: kan.interval
func.func @narrow(%x: tensor<2xf32>) -> tensor<1xf32> {
  %q = kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u1:f32, 1.0>>
  %t = kan.tables %q as "layer0" tables dense<[[[0, 1], [1, 0]]]> : tensor<1x2x2xi8> : tensor<2x!quant.uniform<u1:f32, 1.0>> -> tensor<1x2x!quant.uniform<u1:f32, 1.0>>
  %n = kan.node_sum %t as "layer0" : tensor<1x2x!quant.uniform<u1:f32, 1.0>> -> tensor<1x!quant.uniform<u2:f32, 1.0>>
  %y = kan.dequantize %n : tensor<1x!quant.uniform<u2:f32, 1.0>> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// Five lanes of tables take five block RAMs, and this part has four: edges choose from two shapes.
// CHECK: func.func @shapes
// CHECK-NOT: kan.shape_count
// PART: func.func @shapes
// PART-NEXT: kan.folded_shapes {{.*}} as "layer0" interval 3 shapes dense<{{.*}}> : tensor<1x2x32xi8> from 0
// PART-SAME: choices dense<{{.*}}> : tensor<1x13xi8> factors dense<{{.*}}> : tensor<1x13xi8> bias dense<[{{.*}}]>
func.func @shapes(%x: tensor<13xf32>) -> tensor<1xf32> {
  %q = kan.quantize %x : tensor<13xf32> -> tensor<13x!quant.uniform<u5:f32, 1.0>>
  %t = kan.tables %q as "layer0" tables dense<"0x000104091019071406170D051C181616181C050D1706140719100904010001040002081220320E280C2E1A0A38302C2C30380A1A2E0C280E32201208020002080302FFFAF3EAFCEFFDECF6FEE7EBEDEDEBE7FEF6ECFDEFFCEAF3FAFF020302FF000102030405060708090909090909090909090909090909090909090909090900FCF8F4F0ECE8E4E0DCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDC000104091019071406170D051C181616181C050D170614071910090401000104000104091019071406170D051C181616181C050D170614071910090401000104000104091019071406170D051C181616181C050D1706140719100904010001040004102440641C50185C341470605858607014345C18501C644024100400041000010203040506070809090909090909090909090909090909090909090909090102030405060708090A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0100FDF8F1E8FAEDFBEAF4FCE5E9EBEBE9E5FCF4EAFBEDFAE8F1F8FD000100FD00020406080A0C0E101212121212121212121212121212121212121212121212"> : tensor<1x13x32xi8> : tensor<13x!quant.uniform<u5:f32, 1.0>> -> tensor<1x13x!quant.uniform<i8:f32, 1.0>>
  %n = kan.node_sum %t as "layer0" : tensor<1x13x!quant.uniform<i8:f32, 1.0>> -> tensor<1x!quant.uniform<i12:f32, 1.0>>
  %y = kan.dequantize %n : tensor<1x!quant.uniform<i12:f32, 1.0>> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}
