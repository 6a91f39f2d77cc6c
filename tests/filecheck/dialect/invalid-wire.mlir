// RUN: kan-opt %s --verify-diagnostics --split-input-file | filecheck %s

// kan.constant

func.func @f() -> !kan.int<0:3> {
  // CHECK: 'kan.constant' op: the type of constant 3 must be !kan.int<3:3>
  %c = kan.constant 3 : !kan.int<0:3>
  func.return %c : !kan.int<0:3>
}

// -----

// kan.table

func.func @f() -> !kan.int<0:3> {
  // CHECK: 'kan.table' op: a table needs at least one input
  %t = "kan.table"() <{entries = dense<1> : tensor<i8>}> : () -> !kan.int<0:3>
  func.return %t : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<-1:2>) -> !kan.int<0:3> {
  // CHECK: 'kan.table' op "edge": entries must have shape 4: one for each value of the inputs, got 3
  %t = kan.table %x as "edge" entries dense<[1, 2, 3]> : tensor<3xi8> : !kan.int<-1:2> -> !kan.int<0:3>
  func.return %t : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<-1:2>, %y: !kan.int<0:1>) -> !kan.int<0:3> {
  // CHECK: 'kan.table' op: entries must have shape 4x2: one for each value of the inputs, got 8
  %t = kan.table %x, %y entries dense<1> : tensor<8xi8> : !kan.int<-1:2>, !kan.int<0:1> -> !kan.int<0:3>
  func.return %t : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:1023>, %y: !kan.int<0:2047>) -> !kan.int<0:3> {
  // CHECK: 'kan.table' op: a table over more than 20 input bits is not supported
  %t = kan.table %x, %y entries dense<1> : tensor<1xi8> : !kan.int<0:1023>, !kan.int<0:2047> -> !kan.int<0:3>
  func.return %t : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:1>) -> !kan.int<0:3> {
  // CHECK: 'kan.table' op: the table can be -1:4, which !kan.int<0:3> does not hold
  %t = kan.table %x entries dense<[4, -1]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:3>
  func.return %t : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:1>) -> !kan.int<0:3> {
  // CHECK: 'kan.table' op: care must have shape 2, got 1x2
  %t = kan.table %x entries dense<[1, 2]> : tensor<2xi8> care dense<1> : tensor<1x2xi8> : !kan.int<0:1> -> !kan.int<0:3>
  func.return %t : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:1>) -> !kan.int<0:3> {
  // CHECK: 'kan.table' op: care must hold only 0 and 1
  %t = kan.table %x entries dense<[1, 2]> : tensor<2xi8> care dense<[1, -1]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:3>
  func.return %t : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:1>) -> !kan.int<0:3> {
  // CHECK: 'kan.table' op: entries must be integers, got f32
  %t = kan.table %x entries dense<1.0> : tensor<2xf32> : !kan.int<0:1> -> !kan.int<0:3>
  func.return %t : !kan.int<0:3>
}

// -----

func.func @f(%x: i2) -> !kan.int<0:3> {
  // CHECK: 'kan.table' op: operand 'inputs' at position 0 does not verify:
  // CHECK-NEXT: i2 should be of base attribute kan.int
  %t = "kan.table"(%x) <{entries = dense<1> : tensor<4xi8>}> : (i2) -> !kan.int<0:3>
  func.return %t : !kan.int<0:3>
}

// -----

// kan.extract

func.func @f(%x: !kan.int<-4:3>) -> !kan.int<0:2> {
  // CHECK: 'kan.extract' op: the bits' type must be !kan.int<0:3>, or of another width
  %b = kan.extract %x from 0 : !kan.int<-4:3> -> !kan.int<0:2>
  func.return %b : !kan.int<0:2>
}

// -----

func.func @f(%x: !kan.int<-4:3>) -> !kan.int<0:3> {
  // CHECK: 'kan.extract' op: bits 2 to 3 of a value of 3 bits
  %b = kan.extract %x from 2 : !kan.int<-4:3> -> !kan.int<0:3>
  func.return %b : !kan.int<0:3>
}

// -----

// Tables of the same value are added up value by value, through sums and bits; here to 0:3.

func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:2> {
  %u = kan.extract %x from 1 : !kan.int<0:3> -> !kan.int<0:1>
  %t = kan.table %u entries dense<[0, 2]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:2>
  %r = kan.table %x entries dense<[2, 3, 0, 1]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  %c = kan.constant 0 : !kan.int<0:0>
  %p = kan.sum %r, %c : !kan.int<0:3>, !kan.int<0:0> -> !kan.int<0:3>
  // CHECK: 'kan.sum' op: the sum can be 2:3, which !kan.int<0:2> does not hold
  %s = kan.sum %t, %p : !kan.int<0:2>, !kan.int<0:3> -> !kan.int<0:2>
  func.return %s : !kan.int<0:2>
}

// -----

// kan.sum

func.func @f() -> !kan.int<0:3> {
  // CHECK: 'kan.sum' op: a sum needs at least one input
  %s = "kan.sum"() : () -> !kan.int<0:3>
  func.return %s : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:3>, %y: !kan.int<-1:1>) -> !kan.int<0:4> {
  // CHECK: 'kan.sum' op "sum0": the sum can be -1:4, which !kan.int<0:4> does not hold
  %s = kan.sum %x, %y as "sum0" : !kan.int<0:3>, !kan.int<-1:1> -> !kan.int<0:4>
  func.return %s : !kan.int<0:4>
}

// -----

func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> {
  // CHECK: 'kan.sum' op "0sum": name '0sum' is not an identifier
  %s = kan.sum %x as "0sum" : !kan.int<0:3> -> !kan.int<0:3>
  func.return %s : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> {
  // CHECK: 'kan.sum' op "größe": name 'größe' is not an identifier
  %s = kan.sum %x as "größe" : !kan.int<0:3> -> !kan.int<0:3>
  func.return %s : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> {
  // CHECK: 'kan.sum' op "": name '' is not an identifier
  %s = kan.sum %x as "" : !kan.int<0:3> -> !kan.int<0:3>
  func.return %s : !kan.int<0:3>
}

// -----

// kan.clamp

func.func @f(%x: !kan.int<0:3>) -> i2 {
  // CHECK: 'kan.clamp' op: result 'result' at position 0 does not verify:
  // CHECK-NEXT: i2 should be of base attribute kan.int
  %c = "kan.clamp"(%x) : (!kan.int<0:3>) -> i2
  func.return %c : i2
}

// -----

// kan.shift

func.func @f(%x: !kan.int<-4:7>) -> !kan.int<-2:3> {
  // 7 / 2 is rounded to 4.
  // CHECK: 'kan.shift' op: the shifted value can be -2:4, which !kan.int<-2:3> does not hold
  %s = kan.shift %x by 1 : !kan.int<-4:7> -> !kan.int<-2:3>
  func.return %s : !kan.int<-2:3>
}

// -----

func.func @f(%x: !kan.int<0:1>) -> !kan.int<0:1> {
  // CHECK: 'kan.shift' op: shift amount must lie in -31..31, got 32
  %s = kan.shift %x by 32 : !kan.int<0:1> -> !kan.int<0:1>
  func.return %s : !kan.int<0:1>
}

// -----

func.func @f(%x: !kan.int<0:1>) -> !kan.int<0:1> {
  // CHECK: 'kan.shift' op: shift amount must lie in -31..31, got -32
  %s = kan.shift %x by -32 : !kan.int<0:1> -> !kan.int<0:1>
  func.return %s : !kan.int<0:1>
}

// -----

func.func @f(%x: !kan.int<0:8589934592>) -> !kan.int<0:1> {
  // The product is beyond 64 bits.
  // CHECK: 'kan.shift' op: the shifted value can be 0:18446744073709551616, which !kan.int<0:1> does not hold
  %s = kan.shift %x by -31 : !kan.int<0:8589934592> -> !kan.int<0:1>
  func.return %s : !kan.int<0:1>
}

// -----

// kan.delay

func.func @f(%x: !kan.int<0:1>) -> !kan.int<0:1> {
  // CHECK: 'kan.delay' op: cycles must lie in 0..10000, got -1
  %d = kan.delay %x by -1 : !kan.int<0:1>
  func.return %d : !kan.int<0:1>
}

// -----

func.func @f(%x: !kan.int<0:1>) -> !kan.int<0:1> {
  // CHECK: 'kan.delay' op: cycles must lie in 0..10000, got 10001
  %d = kan.delay %x by 10001 : !kan.int<0:1>
  func.return %d : !kan.int<0:1>
}

// -----

func.func @f(%x: !kan.int<0:1>) -> !kan.int<0:2> {
  // CHECK: 'kan.delay' op: result 'result' at position 0 does not verify:
  // CHECK-NEXT: attribute !kan.int<0:1> expected from variable 'T', but got !kan.int<0:2>
  %d = "kan.delay"(%x) <{cycles = 1 : i64}> : (!kan.int<0:1>) -> !kan.int<0:2>
  func.return %d : !kan.int<0:2>
}

// -----

// kan.mark

func.func @f(%x: !kan.int<0:1>) -> !kan.int<0:1> {
  // CHECK: 'kan.mark' op: name 'layer0.node0' is not an identifier
  kan.mark %x as "layer0.node0" offset 0 cycle 0 : !kan.int<0:1>
  func.return %x : !kan.int<0:1>
}

// -----

func.func @f(%x: !kan.int<0:1>) -> !kan.int<0:1> {
  // CHECK: 'kan.dead' op: name 'layer0.node0' is not an identifier
  kan.dead "layer0.node0"
  func.return %x : !kan.int<0:1>
}

// -----

func.func @f(%x: !kan.int<0:1>) -> !kan.int<0:1> {
  // CHECK: 'kan.mark' op: cycle must not be negative
  kan.mark %x as "layer0_node0" offset 0 cycle -1 : !kan.int<0:1>
  func.return %x : !kan.int<0:1>
}
