// RUN: kan-opt %s | filecheck %s
// RUN: kan-opt %s | kan-opt | filecheck %s
// RUN: kan-opt %s -p kan-narrow | filecheck %s --check-prefix NARROW

// CHECK-LABEL: @layer
// CHECK: kan.folded_by_input %x, %y, %x as "layer0" interval 2 tables dense<{{.*}}> : tensor<2x3x4xi8> from -1 bias dense<[3, 5]> : tensor<2xi8> : !kan.int<-1:2>, !kan.int<0:1>, !kan.int<-1:2> -> !kan.int<2:21>, !kan.int<5:8>
// Ranges are those of codes that occur; here the entries of %y for 0 and 1.
// NARROW-LABEL: @layer
// NARROW: kan.folded_by_input {{.*}} -> !kan.int<4:15>, !kan.int<5:6>
func.func @layer(%x: !kan.int<-1:2>, %y: !kan.int<0:1>) -> (!kan.int<2:21>, !kan.int<5:8>) attributes {kan.interval = 2 : i64} {
  %a, %b = kan.folded_by_input %x, %y, %x as "layer0" interval 2 tables dense<[[[0, 1, 2, 3], [9, 1, 4, 9], [0, 1, 3, 5]], [[0, 0, 0, 0], [9, 0, 1, 9], [0, 0, 0, 0]]]> : tensor<2x3x4xi8> from -1 bias dense<[3, 5]> : tensor<2xi8> : !kan.int<-1:2>, !kan.int<0:1>, !kan.int<-1:2> -> !kan.int<2:21>, !kan.int<5:8>
  func.return %a, %b : !kan.int<2:21>, !kan.int<5:8>
}

// Edges choose a shape, times 0 or a power of two with a sign; here all inputs share two shapes.
// CHECK-LABEL: @shared
// CHECK: kan.folded_shapes %x, %y as "layer0" interval 2 shapes dense<[[[0, 1, 2, 3], [9, 1, 4, 9]]]> : tensor<1x2x4xi8> from -1 choices dense<[[0, 1], [1, 0]]> : tensor<2x2xi8> factors dense<[[2, -4], [0, -1]]> : tensor<2x2xi8> bias dense<[3, 5]> : tensor<2xi8> word 36 : !kan.int<-1:2>, !kan.int<0:1> -> !kan.int<-40:40>, !kan.int<2:5>
// NARROW-LABEL: @shared
// NARROW: kan.folded_shapes {{.*}} -> !kan.int<-13:5>, !kan.int<3:4>
func.func @shared(%x: !kan.int<-1:2>, %y: !kan.int<0:1>) -> (!kan.int<-40:40>, !kan.int<2:5>) attributes {kan.interval = 2 : i64} {
  %a, %b = kan.folded_shapes %x, %y as "layer0" interval 2 shapes dense<[[[0, 1, 2, 3], [9, 1, 4, 9]]]> : tensor<1x2x4xi8> from -1 choices dense<[[0, 1], [1, 0]]> : tensor<2x2xi8> factors dense<[[2, -4], [0, -1]]> : tensor<2x2xi8> bias dense<[3, 5]> : tensor<2xi8> word 36 : !kan.int<-1:2>, !kan.int<0:1> -> !kan.int<-40:40>, !kan.int<2:5>
  func.return %a, %b : !kan.int<-40:40>, !kan.int<2:5>
}

// Each input has shapes of its own.
// CHECK-LABEL: @own
// CHECK: kan.folded_shapes {{.*}} shapes dense<{{.*}}> : tensor<2x1x4xi8>
func.func @own(%x: !kan.int<0:3>) -> !kan.int<-9:9> attributes {kan.interval = 2 : i64} {
  %a = kan.folded_shapes %x, %x interval 2 shapes dense<[[[0, 1, 2, 3]], [[9, 1, 4, 9]]]> : tensor<2x1x4xi8> from 0 choices dense<0> : tensor<1x2xi8> factors dense<[[1, -1]]> : tensor<1x2xi8> bias dense<0> : tensor<1xi8> : !kan.int<0:3>, !kan.int<0:3> -> !kan.int<-9:9>
  func.return %a : !kan.int<-9:9>
}

// Ranges of tables that can be loaded are those of all entries, and stay so.
// CHECK-LABEL: @loadable
// CHECK: word 36 loadable 6 : !kan.int<0:3>, !kan.int<0:3> -> !kan.int<-64:63>
// NARROW-LABEL: @loadable
// NARROW: kan.folded_by_input {{.*}} loadable 6 : {{.*}} -> !kan.int<-64:63>
func.func @loadable(%x: !kan.int<0:3>, %y: !kan.int<0:3>) -> !kan.int<-64:63> attributes {kan.interval = 2 : i64} {
  %a = kan.folded_by_input %x, %y as "layer0" interval 2 tables dense<[[[0, 1, 2, 3], [0, 0, 0, 0]]]> : tensor<1x2x4xi8> from 0 bias dense<[3]> : tensor<1xi8> word 36 loadable 6 : !kan.int<0:3>, !kan.int<0:3> -> !kan.int<-64:63>
  func.return %a : !kan.int<-64:63>
}
