// RUN: kan-opt --check-passes %s -p lower-kan-to-hw | filecheck %s

// Registers make a clocked module: `clk`, `rst`, `in_valid` and the inputs; `out_valid` and the
// outputs. Only the valid bits are reset.
// CHECK-LABEL: hw.module @clocked(in %clk: !seq.clock, in %rst: i1, in %in_valid: i1, in %x0: i2, in %x1: i3, out out_valid: i1, out y0: i2)
// CHECK-SAME: attributes {kan.latency = 2 : i64,
// CHECK-SAME: kan.ports = [#kan.port<"x0", 0:3>, #kan.port<"x1", -4:3>, #kan.port<"y0", 0:3>]
func.func @clocked(%x: !kan.int<0:3>, %y: !kan.int<-4:3>) -> !kan.int<0:3> {
  // CHECK-NEXT: [[NO:%.*]] = hw.constant false
  // CHECK-NEXT: [[V1:%.*]] = seq.compreg %in_valid, %clk reset %rst, [[NO]] {sv.namehint = "valid_s1"} : i1
  // CHECK-NEXT: [[V2:%.*]] = seq.compreg [[V1]], %clk reset %rst, [[NO]] {sv.namehint = "valid_s2"} : i1
  // CHECK-NEXT: [[D1:%.*]] = seq.compreg %x0, %clk {sv.namehint = "d_1"} : i2
  // CHECK-NEXT: [[D2:%.*]] = seq.compreg [[D1]], %clk {sv.namehint = "d"} : i2
  // CHECK-NEXT: hw.output [[V2]], [[D2]] : i1, i2
  %d = kan.delay %x by 2 as "d" : !kan.int<0:3>
  func.return %d : !kan.int<0:3>
}

// Without registers there are the data ports only.
// CHECK-LABEL: hw.module @combinational(in %x0: i2, out y0: i2, out y1: i2) attributes {kan.latency = 0 : i64,
func.func @combinational(%x: !kan.int<0:3>) -> (!kan.int<0:3>, !kan.int<0:3>) {
  // CHECK-NEXT: hw.output %x0, %x0 : i2, i2
  func.return %x, %x : !kan.int<0:3>, !kan.int<0:3>
}

// A table is a constant array that the input's bit pattern indexes. Patterns that do not come repeat
// the nearest entry; entries that do not matter are one that does.
// CHECK-LABEL: hw.module @table
func.func @table(%x: !kan.int<-1:1>, %y: !kan.int<0:1>) -> (!kan.int<0:3>, !kan.int<0:3>, !kan.int<-2:1>) {
  // Patterns 0, 1, -2 and -1, the last highest: 1, 1, 2, 3 is 0b01_01_11_10.
  // CHECK-NEXT: [[T:%.*]] = hw.constant 94 : i8
  // CHECK-NEXT: [[TA:%.*]] = hw.bitcast [[T]] {sv.namehint = "t_table"} : (i8) -> !hw.array<4xi2>
  // CHECK-NEXT: [[TE:%.*]] = hw.array_get [[TA]][%x0] : !hw.array<4xi2>, i2
  %t = kan.table %x as "t" entries dense<[1, 2, 3]> : tensor<3xi8> : !kan.int<-1:1> -> !kan.int<0:3>
  // Of several inputs, the first one's bits are the highest.
  // CHECK-NEXT: [[U:%.*]] = hw.constant 90 : i8
  // CHECK-NEXT: [[UA:%.*]] = hw.bitcast [[U]] : (i8) -> !hw.array<4xi2>
  // CHECK-NEXT: [[I:%.*]] = comb.concat %x1, %x1 : i1, i1
  // CHECK-NEXT: [[UE:%.*]] = hw.array_get [[UA]][[[I]]] : !hw.array<4xi2>, i2
  %u = kan.table %y, %y entries dense<[[2, 2], [1, 1]]> : tensor<2x2xi8> : !kan.int<0:1>, !kan.int<0:1> -> !kan.int<0:3>
  // CHECK-NEXT: [[V:%.*]] = hw.constant -6 : i4
  // CHECK-NEXT: [[VA:%.*]] = hw.bitcast [[V]] : (i4) -> !hw.array<2xi2>
  // CHECK-NEXT: [[VE:%.*]] = hw.array_get [[VA]][%x1] : !hw.array<2xi2>, i1
  %v = kan.table %y entries dense<[99, -2]> : tensor<2xi8> care dense<[0, 1]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<-2:1>
  // CHECK-NEXT: hw.output [[TE]], [[UE]], [[VE]]
  func.return %t, %u, %v : !kan.int<0:3>, !kan.int<0:3>, !kan.int<-2:1>
}

// A table that inverts its input's bits is no array; but where the result has more bits, it is one.
// CHECK-LABEL: hw.module @inverts
func.func @inverts(%x: !kan.int<0:1>) -> (!kan.int<0:1>, !kan.int<-8:1>) {
  // CHECK-NEXT: [[ONES:%.*]] = hw.constant true
  // CHECK-NEXT: [[T:%.*]] = comb.xor %x0, [[ONES]]
  %t = kan.table %x entries dense<[1, 0]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:1>
  // CHECK-NEXT: [[U:%.*]] = hw.constant 1 : i8
  // CHECK-NEXT: [[UA:%.*]] = hw.bitcast [[U]] : (i8) -> !hw.array<2xi4>
  // CHECK-NEXT: [[UE:%.*]] = hw.array_get [[UA]][%x0] : !hw.array<2xi4>, i1
  %u = kan.table %x entries dense<[1, 0]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<-8:1>
  // CHECK-NEXT: hw.output [[T]], [[UE]]
  func.return %t, %u : !kan.int<0:1>, !kan.int<-8:1>
}

// Constants beyond 8192 bits are concatenated.
// CHECK-LABEL: hw.module @long_table
func.func @long_table(%x: !kan.int<0:4095>) -> !kan.int<0:4> {
  // CHECK: hw.constant {{.*}} : i4096
  // CHECK-NEXT: hw.constant {{.*}} : i8192
  // CHECK-NEXT: comb.concat {{%.*}}, {{%.*}} : i4096, i8192
  %t = kan.table %x entries dense<1> : tensor<4096xi8> : !kan.int<0:4095> -> !kan.int<0:4>
  func.return %t : !kan.int<0:4>
}

// A sum is an adder of its result's width; the summands are extended, or cut where the result says
// that their upper bits cancel out.
// CHECK-LABEL: hw.module @sum
func.func @sum(%x: !kan.int<0:3>, %y: !kan.int<-4:3>, %z: !kan.int<9:10>) -> (!kan.int<-4:6>, !kan.int<0:1>, !kan.int<0:3>) {
  // CHECK-NEXT: [[Z:%.*]] = hw.constant 0 : i2
  // CHECK-NEXT: [[X:%.*]] = comb.concat [[Z]], %x0 : i2, i2
  // CHECK-NEXT: [[N:%.*]] = comb.extract %x1 from 2 : (i3) -> i1
  // CHECK-NEXT: [[Y:%.*]] = comb.concat [[N]], %x1 : i1, i3
  // CHECK-NEXT: [[S:%.*]] = comb.add [[X]], [[Y]] {sv.namehint = "s"} : i4
  %s = kan.sum %x, %y as "s" : !kan.int<0:3>, !kan.int<-4:3> -> !kan.int<-4:6>
  // CHECK-NEXT: [[C:%.*]] = hw.constant -9 : i5
  // CHECK-NEXT: [[ZL:%.*]] = comb.extract %x2 from 0 : (i4) -> i1
  // CHECK-NEXT: [[CL:%.*]] = comb.extract [[C]] from 0 : (i5) -> i1
  // CHECK-NEXT: [[U:%.*]] = comb.add [[ZL]], [[CL]] {sv.namehint = "u"} : i1
  %c = kan.constant -9 : !kan.int<-9:-9>
  %u = kan.sum %z, %c as "u" : !kan.int<9:10>, !kan.int<-9:-9> -> !kan.int<0:1>
  // CHECK-NEXT: hw.output [[S]], [[U]], %x0
  %one = kan.sum %x as "w" : !kan.int<0:3> -> !kan.int<0:3>
  func.return %s, %u, %one : !kan.int<-4:6>, !kan.int<0:1>, !kan.int<0:3>
}

// A clamp compares with the ends that its input can exceed. Where an end is 0 or next to a power of
// two, the upper bits of the input say whether it is beyond. To all that its bits hold, the others
// become ones or zeros.
// CHECK-LABEL: hw.module @clamp
func.func @clamp(%x: !kan.int<-8:7>, %y: !kan.int<0:15>) -> (!kan.int<-2:1>, !kan.int<0:15>, !kan.int<3:20>, !kan.int<-4:-1>) {
  // CHECK-NEXT: [[BODY:%.*]] = comb.extract %x0 from 0 : (i4) -> i1
  // CHECK-NEXT: [[UPPER:%.*]] = comb.extract %x0 from 1 : (i4) -> i2
  // CHECK-NEXT: [[NEGATIVE:%.*]] = comb.extract %x0 from 3 : (i4) -> i1
  // CHECK-NEXT: [[TRUE:%.*]] = hw.constant true
  // CHECK-NEXT: [[POSITIVE:%.*]] = comb.xor [[NEGATIVE]], [[TRUE]] : i1
  // CHECK-NEXT: [[ZEROS:%.*]] = hw.constant 0 : i2
  // CHECK-NEXT: [[SOME:%.*]] = comb.icmp ne [[UPPER]], [[ZEROS]] : i2
  // CHECK-NEXT: [[ABOVE:%.*]] = comb.and [[POSITIVE]], [[SOME]] : i1
  // CHECK-NEXT: [[ONES:%.*]] = comb.or [[BODY]], [[ABOVE]] : i1
  // CHECK-NEXT: [[FULL:%.*]] = hw.constant -1 : i2
  // CHECK-NEXT: [[NOT_ALL:%.*]] = comb.icmp ne [[UPPER]], [[FULL]] : i2
  // CHECK-NEXT: [[BELOW:%.*]] = comb.and [[NEGATIVE]], [[NOT_ALL]] : i1
  // CHECK-NEXT: [[KEPT:%.*]] = comb.xor [[BELOW]], [[TRUE]] : i1
  // CHECK-NEXT: [[MASKED:%.*]] = comb.and [[ONES]], [[KEPT]] : i1
  // CHECK-NEXT: [[A:%.*]] = comb.concat [[NEGATIVE]], [[MASKED]] {sv.namehint = "a"} : i1, i1
  %a = kan.clamp %x as "a" : !kan.int<-8:7> -> !kan.int<-2:1>
  // CHECK-NEXT: [[NEG:%.*]] = comb.extract %x0 from 3 : (i4) -> i1
  // CHECK-NEXT: [[Z:%.*]] = hw.constant 0 : i4
  // CHECK-NEXT: [[B:%.*]] = comb.mux [[NEG]], [[Z]], %x0 {sv.namehint = "b"} : i4
  %b = kan.clamp %x as "b" : !kan.int<-8:7> -> !kan.int<0:15>
  // CHECK: comb.icmp ult %x1, {{%.*}} : i4
  // CHECK-NEXT: [[C:%.*]] = comb.mux {{.*}} {sv.namehint = "c"} : i5
  %c = kan.clamp %y as "c" : !kan.int<0:15> -> !kan.int<3:20>
  // CHECK-NEXT: [[D:%.*]] = hw.constant -1 : i3
  %d = kan.clamp %y as "d" : !kan.int<0:15> -> !kan.int<-4:-1>
  // CHECK-NEXT: hw.output [[A]], [[B]], [[C]], [[D]]
  func.return %a, %b, %c, %d : !kan.int<-2:1>, !kan.int<0:15>, !kan.int<3:20>, !kan.int<-4:-1>
}

// Beyond -4 and 3, one end each.
// CHECK-LABEL: hw.module @one_end
func.func @one_end(%x: !kan.int<-8:7>) -> (!kan.int<-4:7>, !kan.int<-8:3>) {
  // CHECK-NEXT: [[NEGATIVE:%.*]] = comb.extract %x0 from 3 : (i4) -> i1
  // CHECK-NEXT: [[TRUE:%.*]] = hw.constant true
  // CHECK-NEXT: [[UPPER:%.*]] = comb.extract %x0 from 2 : (i4) -> i1
  // CHECK-NEXT: [[NOT:%.*]] = comb.icmp ne [[UPPER]], [[TRUE]] : i1
  // CHECK-NEXT: [[BELOW:%.*]] = comb.and [[NEGATIVE]], [[NOT]] : i1
  // CHECK: comb.mux [[BELOW]]
  %low = kan.clamp %x as "low" : !kan.int<-8:7> -> !kan.int<-4:7>
  %high = kan.clamp %x as "high" : !kan.int<-8:7> -> !kan.int<-8:3>
  func.return %low, %high : !kan.int<-4:7>, !kan.int<-8:3>
}

// A clamp that cannot saturate is no hardware, and leaves the name of what it reads alone.
// CHECK-LABEL: hw.module @no_clamp
func.func @no_clamp(%x: !kan.int<0:3>) -> !kan.int<0:3> {
  // CHECK: [[A:%.*]] = comb.mux {{.*}} {sv.namehint = "a"} : i2
  // CHECK-NEXT: hw.output [[A]]
  %a = kan.clamp %x as "a" : !kan.int<0:3> -> !kan.int<0:2>
  %b = kan.clamp %a as "b" : !kan.int<0:2> -> !kan.int<0:3>
  func.return %b : !kan.int<0:3>
}

// Division rounds half to even: half less one, and the last bit that stays, are added before.
// CHECK-LABEL: hw.module @shift
func.func @shift(%x: !kan.int<-8:7>) -> (!kan.int<-2:2>, !kan.int<-32:28>) {
  // CHECK-NEXT: [[N:%.*]] = comb.extract %x0 from 3 : (i4) -> i1
  // CHECK-NEXT: [[W:%.*]] = comb.concat [[N]], %x0 : i1, i4
  // CHECK-NEXT: [[B:%.*]] = comb.extract [[W]] from 2 : (i5) -> i1
  // CHECK-NEXT: [[Z:%.*]] = hw.constant 0 : i4
  // CHECK-NEXT: [[O:%.*]] = comb.concat [[Z]], [[B]] : i4, i1
  // CHECK-NEXT: [[H:%.*]] = hw.constant 1 : i5
  // CHECK-NEXT: [[R:%.*]] = comb.add [[W]], [[H]], [[O]] : i5
  // CHECK-NEXT: [[Q:%.*]] = comb.extract [[R]] from 2 {sv.namehint = "down"} : (i5) -> i3
  %down = kan.shift %x by 2 as "down" : !kan.int<-8:7> -> !kan.int<-2:2>
  // CHECK-NEXT: [[Z2:%.*]] = hw.constant 0 : i2
  // CHECK-NEXT: [[P:%.*]] = comb.concat %x0, [[Z2]] {sv.namehint = "up"} : i4, i2
  %up = kan.shift %x by -2 as "up" : !kan.int<-8:7> -> !kan.int<-32:28>
  // CHECK-NEXT: hw.output [[Q]], [[P]]
  func.return %down, %up : !kan.int<-2:2>, !kan.int<-32:28>
}

// A port whose codes wrap stays one.
// CHECK-LABEL: hw.module @wrapping
// CHECK-SAME: kan.ports = [#kan.port<"x0", -4:3, scale = 0.5, wraps = true>, #kan.port<"y0", -4:3>]
func.func @wrapping(%x: !kan.int<-4:3> {kan.encoding = !quant.uniform<i3:f32, 0.5>, kan.wraps}) -> !kan.int<-4:3> {
  func.return %x : !kan.int<-4:3>
}

// What codes stand for, and which signal holds each node in which cycle, is listed.
// CHECK-LABEL: hw.module @listed
// CHECK-SAME: kan.ports = [#kan.port<"x0", 0:3, scale = 0.1, zero_point = 1, gain = 2.0, offset = -0.5>, #kan.port<"y0", 1:2, scale = 0.5>]
// CHECK-SAME: kan.nodes = [#kan.node<"layer0_node0", signal = "x0", range = 0:3, cycle = 0>,
// CHECK-SAME: #kan.node<"layer0_node1", signal = "t", range = 0:3, cycle = 0, offset = 5, within = 5:7>,
// CHECK-SAME: #kan.node<"layer0_node2", signal = "c", range = 1:2, cycle = 0>,
// CHECK-SAME: #kan.node<"layer0_node3", signal = "d", range = 1:2, cycle = 1>,
// CHECK-SAME: #kan.node<"layer0_node4", dead>]
func.func @listed(%x: !kan.int<0:3> {kan.encoding = !quant.uniform<u2:f32, 0.1:1>, kan.affine = [2.0 : f64, -0.5 : f64]}) -> (!kan.int<1:2> {kan.encoding = !quant.uniform<u2:f32, 0.5>}) {
  %t = kan.table %x as "t" entries dense<[3, 2, 1, 0]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  %c = kan.clamp %t as "c" : !kan.int<0:3> -> !kan.int<1:2>
  %d = kan.delay %c by 1 as "d" : !kan.int<1:2>
  kan.mark %x as "layer0_node0" offset 0 cycle 0 : !kan.int<0:3>
  kan.mark %t as "layer0_node1" offset 5 cycle 0 within <5:7> : !kan.int<0:3>
  kan.mark %c as "layer0_node2" offset 0 cycle 0 : !kan.int<1:2>
  kan.mark %d as "layer0_node3" offset 0 cycle 1 : !kan.int<1:2>
  kan.dead "layer0_node4"
  func.return %d : !kan.int<1:2>
}

// Constants need no registers. Where all results are constant, the schedule's latency stands.
// CHECK-LABEL: hw.module @constants(in %clk: !seq.clock, in %rst: i1, in %in_valid: i1, in %x0: i2, out out_valid: i1, out y0: i3, out y1: i1)
// CHECK-SAME: attributes {kan.latency = 1 : i64,
func.func @constants(%x: !kan.int<0:3>) -> (!kan.int<5:5>, !kan.int<-1:-1>) attributes {kan.latency = 1 : i64} {
  // CHECK: [[V:%.*]] = seq.compreg %in_valid
  // CHECK-NEXT: [[C:%.*]] = hw.constant -3 : i3
  // CHECK-NEXT: [[M:%.*]] = hw.constant true
  // CHECK-NEXT: hw.output [[V]], [[C]], [[M]]
  %c = kan.constant 5 : !kan.int<5:5>
  %m = kan.constant -1 : !kan.int<-1:-1>
  %d = kan.delay %c by 1 : !kan.int<5:5>
  func.return %d, %m : !kan.int<5:5>, !kan.int<-1:-1>
}
