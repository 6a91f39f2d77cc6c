// RUN: kan-opt %s -p lower-kan-to-hw | filecheck %s
// RUN: kan-opt %s -p lower-kan-to-hw -t systemverilog | filecheck %s --check-prefix TEXT
// RUN: kan-opt %s -p lower-kan-to-hw -t vhdl | filecheck %s --check-prefix TEXT

// CHECK-LABEL: hw.module @two(
// CHECK-SAME:  kan.features = ["gr\C3\B6\C3\9Fe", "a\22b\\c */"], kan.classes = ["rose", "aster"]
// What a tool could interpret is replaced.
// TEXT:      two
// TEXT-NEXT: Latency: combinational.
// TEXT:      Ports:
// TEXT-NEXT:   x0 (gr??e): codes -4 .. 3
// TEXT-NEXT:   x1 (a"b?c *?): codes 0 .. 3
// TEXT-NEXT:   y0 (rose): codes -4 .. 3
// TEXT-NEXT:   y1 (aster): codes 0 .. 3
func.func @two(%x0: !kan.int<-4:3>, %x1: !kan.int<0:3>) -> (!kan.int<-4:3>, !kan.int<0:3>) attributes {kan.features = ["größe", "a\22b\\c */"], kan.classes = ["rose", "aster"]} {
  func.return %x0, %x1 : !kan.int<-4:3>, !kan.int<0:3>
}

// The index of a class has no name of its own.
// CHECK-LABEL: hw.module @index(
// CHECK-SAME:  kan.classes = ["rose", "aster", "tulip"]
// TEXT:      index
// TEXT-NEXT: Latency: combinational.
// TEXT-NEXT: Head: index of the first largest of 3 outputs
// TEXT-NEXT: Classes: 0 (rose), 1 (aster), 2 (tulip).
// TEXT:        y0: codes 0 .. 2
func.func @index(%x0: !kan.int<0:2>) -> !kan.int<0:2> attributes {kan.head = {kind = "argmax", reads = 3 : i64}, kan.classes = ["rose", "aster", "tulip"]} {
  func.return %x0 : !kan.int<0:2>
}

// CHECK-LABEL: hw.module @number(
// CHECK-SAME:  kan.targets = ["pressure [Pa]"], kan.missing = array<f64: 2.000000e+00>
// TEXT:        y0 (pressure [Pa]): codes 0 .. 2
func.func @number(%x0: !kan.int<0:2>) -> !kan.int<0:2> attributes {kan.targets = ["pressure [Pa]"], kan.missing = array<f64: 2.0>} {
  func.return %x0 : !kan.int<0:2>
}
