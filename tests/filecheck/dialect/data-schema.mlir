// RUN: kan-opt %s | kan-opt | filecheck %s

// Names in UTF-8; a backslash and a quote in them are escaped.
// CHECK: func.func @two(%{{.*}}: !kan.int<-4:3>, %{{.*}}: !kan.int<0:3>)
// CHECK-SAME: kan.features = ["gr\C3\B6\C3\9Fe", "a\22b\\c */"], kan.classes = ["rose", "aster"]
func.func @two(%x0: !kan.int<-4:3>, %x1: !kan.int<0:3>) -> (!kan.int<-4:3>, !kan.int<0:3>) attributes {kan.features = ["größe", "a\22b\\c */"], kan.classes = ["rose", "aster"]} {
  func.return %x0, %x1 : !kan.int<-4:3>, !kan.int<0:3>
}

// One output tells two classes apart.
// CHECK: kan.classes = ["rose", "aster"]
func.func @one(%x: tensor<3xf32>) -> tensor<1xf32> attributes {kan.classes = ["rose", "aster"]} {
  %y = "test.op"(%x) : (tensor<3xf32>) -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// A head reads the outputs of all classes.
// CHECK: kan.classes = ["rose", "aster", "tulip"]
hw.module @head(in %x0: i3, out y0: i2) attributes {kan.latency = 0 : i64, kan.head = {kind = "argmax", reads = 3 : i64}, kan.features = ["width"], kan.classes = ["rose", "aster", "tulip"]} {
  %y = comb.extract %x0 from 0 : (i3) -> i2
  hw.output %y : i2
}

// What stands for missing values, and what the outputs stand for.
// CHECK: func.func @regression
// CHECK-SAME: kan.targets = ["temperature [K]"], kan.missing = array<f64: 1.500000e+00, -2.000000e+00>
func.func @regression(%x: tensor<2xf32>) -> tensor<1xf32> attributes {kan.targets = ["temperature [K]"], kan.missing = array<f64: 1.5, -2.0>} {
  %y = "test.op"(%x) : (tensor<2xf32>) -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}

// CHECK: kan.label = "species"
func.func @classes(%x: tensor<1xf32>) -> tensor<1xf32> attributes {kan.label = "species"} {
  func.return %x : tensor<1xf32>
}
