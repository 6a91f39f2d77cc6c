// RUN: kan-opt --check-passes --split-input-file %s -p kan-add-head | filecheck %s
// RUN: kan-opt --check-passes --split-input-file %s -p 'kan-add-head{kind=top-k k=1}' | filecheck %s --check-prefix TOP
// RUN: kan-opt --check-passes --split-input-file %s -p 'kan-add-head{kind=threshold threshold=0.6}' | filecheck %s --check-prefix ABOVE

// The index of the first largest output. Nothing reads the value of the last comparison.
// CHECK-LABEL: @codes
// CHECK-SAME: -> !kan.int<0:2> attributes {kan.head = {kind = "argmax", reads = 3 : i64}}
// CHECK: [[F:%.*]] = kan.precedes %x at %{{.*}}, %y at %{{.*}} as "head0_left"
// CHECK-NEXT: [[V:%.*]] = kan.select %x if [[F]] else %y as "head0_value"
// CHECK-NEXT: [[I:%.*]] = kan.select %{{.*}} if [[F]] else %{{.*}} as "head0_index"
// CHECK-NEXT: kan.mark [[V]] as "head0_value"
// CHECK-NEXT: kan.mark [[I]] as "head0_index"
// CHECK-NEXT: [[G:%.*]] = kan.precedes [[V]] at [[I]], %z at %{{.*}} as "head1_left"
// CHECK-NEXT: [[J:%.*]] = kan.select [[I]] if [[G]] else %{{.*}} as "head1_index"
// CHECK-NEXT: kan.mark [[J]] as "head1_index"
// CHECK-NEXT: func.return [[J]] : !kan.int<0:2>

// The second one of two candidates is chosen only where something reads it.
// TOP-LABEL: @codes
// TOP-SAME: kan.head = {kind = "top-k", reads = 3 : i64, k = 1 : i64}
// TOP-NOT: _second_
// TOP: kan.precedes
// TOP: kan.precedes
// TOP: func.return

// ABOVE-LABEL: @codes
// ABOVE-SAME: kan.head = {kind = "threshold", reads = 3 : i64, threshold = 6.000000e-01 : f64}
// ABOVE-NEXT: kan.greater %x than 0 as "head0" : !kan.int<0:7> -> !kan.int<0:1>
// ABOVE-NEXT: kan.greater %y than 0 as "head1" : !kan.int<-4:3> -> !kan.int<0:1>
// ABOVE-NEXT: kan.greater %z than 0 as "head2" : !kan.int<0:5> -> !kan.int<0:1>
func.func @codes(%x: !kan.int<0:7>, %y: !kan.int<-4:3>, %z: !kan.int<0:5>) -> (!kan.int<0:7>, !kan.int<-4:3>, !kan.int<0:5>) {
  func.return %x, %y, %z : !kan.int<0:7>, !kan.int<-4:3>, !kan.int<0:5>
}

// -----

// Scales whose ratio is a power of two: codes are compared on the finer one, zero points taken off.
// CHECK-LABEL: @scales
// CHECK: [[S:%.*]] = kan.sum %y, %{{.*}} : !kan.int<0:3>, !kan.int<-1:-1> -> !kan.int<-1:2>
// CHECK: [[T:%.*]] = kan.shift [[S]] by -1 : !kan.int<-1:2> -> !kan.int<-2:4>
// CHECK: kan.precedes %x at %{{.*}}, [[T]] at

// The threshold is on the real scale: x > 0.6 is code > 2, and y > 0.6 is code > 2 of zero point 1.
// ABOVE-LABEL: @scales
// ABOVE-NEXT: kan.greater %x than 2
// ABOVE-NEXT: kan.greater %y than 2
func.func @scales(%x: !kan.int<0:7>, %y: !kan.int<0:3>)
    -> (!kan.int<0:7> {kan.encoding = !quant.uniform<u3:f64, 0.25>}, !kan.int<0:3> {kan.encoding = !quant.uniform<u2:f64, 0.5:1>}) {
  func.return %x, %y : !kan.int<0:7>, !kan.int<0:3>
}

// -----

// A threshold becomes a constant of the sum, and the bit is its sign; the mark says what was added.
// A table becomes the table of the bit.
// ABOVE-LABEL: @sums
// ABOVE: [[C:%.*]] = kan.constant -1
// ABOVE-NEXT: [[S:%.*]] = kan.sum %x, %y, [[C]] as "sum" : !kan.int<0:7>, !kan.int<-4:3>, !kan.int<-1:-1> -> !kan.int<-5:9>
// ABOVE-NEXT: kan.mark [[S]] as "node" offset 1 cycle 0 : !kan.int<-5:9>
// ABOVE: kan.greater [[S]] than -1 as "head0" : !kan.int<-5:9> -> !kan.int<0:1>
// ABOVE-NEXT: kan.table %x as "head1" entries dense<[1, 0, 1, 0, 1, 0, 1, 0]>
func.func @sums(%x: !kan.int<0:7>, %y: !kan.int<-4:3>) -> (!kan.int<-4:10>, !kan.int<-5:5>) {
  %s = kan.sum %x, %y as "sum" : !kan.int<0:7>, !kan.int<-4:3> -> !kan.int<-4:10>
  kan.mark %s as "node" offset 0 cycle 0 : !kan.int<-4:10>
  %t = kan.table %x entries dense<[5, -5, 5, -5, 5, -5, 5, -5]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<-5:5>
  func.return %s, %t : !kan.int<-4:10>, !kan.int<-5:5>
}

// -----

// What never or always is above the threshold is a constant.
// ABOVE-LABEL: @constants
// ABOVE: [[ONE:%.*]] = kan.constant 1
// ABOVE: [[ZERO:%.*]] = kan.constant 0
// ABOVE: func.return [[ONE]], [[ZERO]]
func.func @constants(%x: !kan.int<1:7>, %y: !kan.int<-4:0>) -> (!kan.int<1:7>, !kan.int<-4:0>) {
  func.return %x, %y : !kan.int<1:7>, !kan.int<-4:0>
}
