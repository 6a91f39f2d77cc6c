// RUN: kan-opt %s | filecheck %s

// Version 0.2 wrote `kan.bits` and `kan.lookup`.

// CHECK: kan.extract %{{.*}} from 1 : !kan.int<0:7> -> !kan.int<0:3>
func.func @bits(%x: !kan.int<0:7>) -> !kan.int<0:3> {
  %b = kan.bits %x from 1 : !kan.int<0:7> -> !kan.int<0:3>
  func.return %b : !kan.int<0:3>
}

!codes = !quant.uniform<u2:f32, 0.5:1>
!edges = !quant.uniform<i4:f32, 0.25>

// CHECK: kan.tables %{{.*}} as "layer0" tables
func.func @tables(%q: tensor<1x!codes>) -> tensor<1x1x!edges> {
  %e = kan.lookup %q as "layer0" tables dense<[[[0, 1, 2, 3]]]> : tensor<1x1x4xi8> : tensor<1x!codes> -> tensor<1x1x!edges>
  func.return %e : tensor<1x1x!edges>
}
