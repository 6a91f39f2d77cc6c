// RUN: kan-opt --check-passes %s -p 'kan-schedule{levels=2}' | filecheck %s
// RUN: kan-opt --check-passes %s -p kan-schedule | filecheck %s --check-prefix DEFAULT
// RUN: kan-opt --check-passes %s -p 'kan-schedule{levels=1}' | filecheck %s --check-prefix LEVELS
// RUN: kan-opt --check-passes %s -p 'kan-schedule{cycles=5}' | filecheck %s --check-prefix CYCLES
// RUN: kan-opt --check-passes %s -p 'kan-schedule{cycles=2}' | filecheck %s --check-prefix NODES
// RUN: kan-opt --check-passes %s -p 'kan-schedule{mhz=210.0 target="ecp5"}' | filecheck %s --check-prefix CLOCK
// RUN: kan-opt --check-passes %s -p 'kan-schedule{mhz=200 target="ecp5"}' | filecheck %s --check-prefix ROOM
// RUN: not kan-opt %s -p 'kan-schedule{mhz=300 target="ecp5"}' 2>&1 | filecheck %s --check-prefix FAST
// RUN: not kan-opt %s -p 'kan-schedule{mhz=2000 target="ecp5"}' 2>&1 | filecheck %s --check-prefix REGISTERS
// RUN: not kan-opt %s -p 'kan-schedule{mhz=2000}' 2>&1 | filecheck %s --check-prefix NETWORK
// RUN: not kan-opt %s -p 'kan-schedule{mhz=100 combinational=true}' 2>&1 | filecheck %s --check-prefix BOTH
// RUN: not kan-opt %s -p 'kan-schedule{levels=4 cycles=2}' 2>&1 | filecheck %s --check-prefix TWO
// RUN: kan-opt --check-passes %s -p 'kan-schedule{combinational=true}' | filecheck %s --check-prefix COMB
// RUN: kan-opt --check-passes %s -p 'kan-schedule{levels=1},kan-schedule{cycles=0}' | filecheck %s --check-prefix COMB

// A table of few inputs, a sum of two and a clamp are a level of logic each: two levels are a stage
// here, then comes a register. A value that is needed in a later stage waits in registers of its own,
// marks say in which cycle their node is there, and results leave from registers.
// CHECK-LABEL: @stages
// CHECK-SAME: attributes {kan.latency = 2 : i64}
// A clock takes as many stages as the delays of the target ask for.
// CLOCK-LABEL: @stages
// CLOCK-SAME: attributes {kan.latency = 1 : i64}
// CLOCK-LABEL: @layers
// CLOCK-SAME: attributes {kan.latency = 3 : i64}
// ROOM-LABEL: @layers
// ROOM-SAME: attributes {kan.latency = 2 : i64}
// NETWORK: kan-opt: error: a clock of 2000 MHz is more than the clock network of xcup can do; take at most mhz=775
// FAST: kan-opt: error: kan.shift alone takes 3.46 ns, by the delays of ecp5; of a period of 3.33 ns, registers and the margin for routing leave
// FAST-SAME: take at most mhz=
// REGISTERS: kan-opt: error: registers alone take 1.70 ns, by the delays of ecp5: a period of 0.50 ns leaves no time for logic; take less than mhz=641
// BOTH: kan-opt: error: pass kan-schedule: mhz and combinational exclude each other; keep one of them
// TWO: kan-opt: error: pass kan-schedule: levels=4 and cycles=2 exclude each other; keep one of them
// By default, four levels are a stage.
// DEFAULT-LABEL: @stages
// DEFAULT-SAME: attributes {kan.latency = 1 : i64}
// LEVELS-LABEL: @stages
// LEVELS-SAME: attributes {kan.latency = 3 : i64}
// CYCLES-LABEL: @stages
// CYCLES-SAME: attributes {kan.latency = 5 : i64}
// COMB-LABEL: @stages
// COMB-SAME: attributes {kan.latency = 0 : i64}
// COMB-NOT: kan.delay
// COMB: kan.mark {{%.*}} as "node" offset 0 cycle 0
func.func @stages(%x: !kan.int<0:3>, %y: !kan.int<0:3>) -> (!kan.int<0:3>, !kan.int<0:3>) {
  // CHECK-NEXT: [[Y1:%.*]] = kan.delay %y by 1 as "x1_s1"
  // CHECK-NEXT: [[Y2:%.*]] = kan.delay [[Y1]] by 1 as "x1_s2"
  // CHECK-NEXT: kan.table %x as "t"
  // CHECK-NEXT: [[S:%.*]] = kan.sum {{%.*}}, %y as "s"
  // CHECK-NEXT: [[S1:%.*]] = kan.delay [[S]] by 1 as "s_s1"
  // CHECK-NEXT: [[C:%.*]] = kan.clamp [[S1]] as "c"
  // CHECK-NEXT: [[C2:%.*]] = kan.delay [[C]] by 1 as "c_s2"
  // CHECK-NEXT: kan.mark [[C]] as "node" offset 0 cycle 1
  // CHECK-NEXT: func.return [[C2]], [[Y2]]

  // One level a stage: the table's result is registered too, and so is what meets it.
  // LEVELS: [[T:%.*]] = kan.table %x as "t"
  // LEVELS-NEXT: [[T1:%.*]] = kan.delay [[T]] by 1 as "t_s1"
  // LEVELS-NEXT: kan.sum [[T1]], [[Y1:%.*]] as "s"
  // LEVELS: kan.mark {{%.*}} as "node" offset 0 cycle 2

  // More cycles than ops: results wait. The adder absorbs the table, so both are in one stage.
  // CYCLES: [[S1:%.*]] = kan.delay {{%.*}} by 1 as "s_s1"
  // CYCLES-NEXT: [[C:%.*]] = kan.clamp [[S1]] as "c"
  // CYCLES-NEXT: [[C2:%.*]] = kan.delay [[C]] by 1 as "c_s2"
  // CYCLES-NEXT: [[C3:%.*]] = kan.delay [[C2]] by 1 as "c_s3"
  // CYCLES-NEXT: [[C4:%.*]] = kan.delay [[C3]] by 1 as "c_s4"
  // CYCLES-NEXT: [[C5:%.*]] = kan.delay [[C4]] by 1 as "c_s5"
  // CYCLES-NEXT: kan.mark [[C]] as "node" offset 0 cycle 1
  // CYCLES-NEXT: func.return [[C5]]
  %t = kan.table %x as "t" entries dense<[0, 1, 2, 3]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  %s = kan.sum %t, %y as "s" : !kan.int<0:3>, !kan.int<0:3> -> !kan.int<0:6>
  %c = kan.clamp %s as "c" : !kan.int<0:6> -> !kan.int<0:3>
  kan.mark %c as "node" offset 0 cycle 0 : !kan.int<0:3>
  func.return %c, %y : !kan.int<0:3>, !kan.int<0:3>
}

// Tables of more inputs than a device's lookup table have more levels, and so does rounding.
// CHECK-LABEL: @wide
// CHECK-SAME: attributes {kan.latency = 2 : i64}
func.func @wide(%x: !kan.int<0:127>) -> !kan.int<0:32> {
  // CHECK: [[T:%.*]] = kan.table
  // CHECK-NEXT: [[D:%.*]] = kan.delay [[T]]
  // CHECK-NEXT: kan.shift [[D]]
  %t = kan.table %x entries dense<1> : tensor<128xi8> : !kan.int<0:127> -> !kan.int<0:127>
  %h = kan.shift %t by 2 : !kan.int<0:127> -> !kan.int<0:32>
  func.return %h : !kan.int<0:32>
}

// An op that is deeper than a stage may be has a stage of its own, and does not wait for it.
// CHECK-LABEL: @deep
// CHECK-SAME: attributes {kan.latency = 2 : i64}
func.func @deep(%x: !kan.int<0:1023>) -> !kan.int<0:3> {
  // CHECK-NEXT: [[T:%.*]] = kan.table %x
  // CHECK-NEXT: [[D:%.*]] = kan.delay [[T]]
  // CHECK-NEXT: kan.clamp [[D]]
  %t = kan.table %x entries dense<1> : tensor<1024xi8> : !kan.int<0:1023> -> !kan.int<0:7>
  %c = kan.clamp %t : !kan.int<0:7> -> !kan.int<0:3>
  func.return %c : !kan.int<0:3>
}

// Every register exists once, however many ops read it.
// CHECK-LABEL: @shared
func.func @shared(%x: !kan.int<0:1>) -> (!kan.int<0:2>, !kan.int<0:2>) {
  // LEVELS-LABEL: @shared
  // LEVELS: [[T:%.*]] = kan.table
  // LEVELS-NEXT: [[D:%.*]] = kan.delay [[T]] by 1
  // LEVELS-NEXT: kan.sum [[D]], [[D]]
  // LEVELS-NEXT: kan.delay
  // LEVELS-NEXT: kan.sum [[D]], [[D]]
  // LEVELS-NEXT: kan.delay
  // LEVELS-NEXT: func.return
  %t = kan.table %x entries dense<[0, 1]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:1>
  %s = kan.sum %t, %t : !kan.int<0:1>, !kan.int<0:1> -> !kan.int<0:2>
  %u = kan.sum %t, %t : !kan.int<0:1>, !kan.int<0:1> -> !kan.int<0:2>
  func.return %s, %u : !kan.int<0:2>, !kan.int<0:2>
}

// Constants are there in every cycle, and need no registers.
// CHECK-LABEL: @constants
// CHECK-SAME: attributes {kan.latency = 2 : i64}
func.func @constants(%x: !kan.int<0:1>) -> (!kan.int<0:8>, !kan.int<7:7>) {
  // CHECK-NEXT: [[C:%.*]] = kan.constant 7
  // CHECK: kan.sum {{%.*}}, [[C]]
  // CHECK: func.return {{%.*}}, [[C]]
  %c = kan.constant 7 : !kan.int<7:7>
  %t = kan.table %x entries dense<[0, 1]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:1>
  %u = kan.clamp %t : !kan.int<0:1> -> !kan.int<0:1>
  %s = kan.sum %u, %c : !kan.int<0:1>, !kan.int<7:7> -> !kan.int<0:8>
  func.return %s, %c : !kan.int<0:8>, !kan.int<7:7>
}

// Registers that were there are taken out first.
// CHECK-LABEL: @again
// CHECK-SAME: attributes {kan.latency = 1 : i64}
func.func @again(%x: !kan.int<0:1>) -> !kan.int<0:1> attributes {kan.latency = 7 : i64} {
  // CHECK-NEXT: [[D:%.*]] = kan.delay %x by 1 as "x0_s1"
  // CHECK-NEXT: kan.mark %x as "node" offset 0 cycle 0
  // CHECK-NEXT: func.return [[D]]
  %d = kan.delay %x by 7 as "d" : !kan.int<0:1>
  kan.mark %d as "node" offset 0 cycle 7 : !kan.int<0:1>
  func.return %d : !kan.int<0:1>
}

// Nothing is registered for a node that no result depends on.
// CHECK-LABEL: @dead
func.func @dead(%x: !kan.int<0:1>) -> !kan.int<0:1> {
  // CHECK-NEXT: [[D:%.*]] = kan.delay %x by 1 as "x0_s1"
  // CHECK-NEXT: kan.dead "node"
  // CHECK-NEXT: func.return [[D]]
  %s = kan.sum %x, %x as "s" : !kan.int<0:1>, !kan.int<0:1> -> !kan.int<0:2>
  %d = kan.delay %s by 7 as "d" : !kan.int<0:2>
  kan.mark %d as "node" offset 0 cycle 7 : !kan.int<0:2>
  func.return %x : !kan.int<0:1>
}

func.func @layers(%x: !kan.int<0:7>, %y: !kan.int<0:7>, %z: !kan.int<0:7>) -> !kan.int<0:31> {
  %p = kan.sum %x, %y as "p" : !kan.int<0:7>, !kan.int<0:7> -> !kan.int<0:14>
  %s = kan.sum %p, %z as "s" : !kan.int<0:14>, !kan.int<0:7> -> !kan.int<0:21>
  %n = kan.clamp %s as "n" : !kan.int<0:21> -> !kan.int<0:3>
  kan.mark %n as "node" offset 0 cycle 0 : !kan.int<0:3>
  %t = kan.table %n as "t" entries dense<[5, 0, 9, 31]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:31>
  func.return %t : !kan.int<0:31>
}

// Given cycles put registers where few bits pass: at the node.
// NODES-LABEL: @nodes
// NODES: [[N:%.*]] = kan.clamp
// NODES-NEXT: [[R:%.*]] = kan.delay [[N]] by 1
// NODES-NEXT: kan.mark [[N]] as "node" offset 0 cycle 0
// NODES-NEXT: kan.table [[R]]
// NODES-NOT: kan.delay {{.*}} !kan.int<0:7>
func.func @nodes(%x: !kan.int<0:7>, %y: !kan.int<0:7>) -> !kan.int<0:62> {
  %s = kan.sum %x, %y as "s" : !kan.int<0:7>, !kan.int<0:7> -> !kan.int<0:14>
  %n = kan.clamp %s as "n" : !kan.int<0:14> -> !kan.int<0:3>
  kan.mark %n as "node" offset 0 cycle 0 : !kan.int<0:3>
  %t = kan.table %n as "t" entries dense<[5, 0, 9, 31]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:31>
  %u = kan.sum %t, %t as "u" : !kan.int<0:31>, !kan.int<0:31> -> !kan.int<0:62>
  func.return %u : !kan.int<0:62>
}
