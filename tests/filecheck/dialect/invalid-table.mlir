// RUN: kan-opt %s --verify-diagnostics --split-input-file | filecheck %s

!codes = !quant.uniform<u2:f32, 0.5:1>
!edges = !quant.uniform<i4:f32, 0.25>

// What every tensor of codes checks.

func.func @f(%q: tensor<2xi8>) -> tensor<2xf32> {
  // CHECK: 'kan.dequantize' op: input must hold !quant.uniform codes, got i8
  %y = kan.dequantize %q : tensor<2xi8> -> tensor<2xf32>
  func.return %y : tensor<2xf32>
}

// -----

func.func @f(%q: tensor<2x!quant.uniform<u2:f32:1, {0.5,0.25}>>) -> tensor<2xf32> {
  // CHECK: 'kan.dequantize' op: input: quantised dimension 1 of a tensor of 1 dimension(s)
  %y = kan.dequantize %q : tensor<2x!quant.uniform<u2:f32:1, {0.5,0.25}>> -> tensor<2xf32>
  func.return %y : tensor<2xf32>
}

// -----

func.func @f(%q: tensor<3x!quant.uniform<u2:f32:0, {0.5,0.25}>>) -> tensor<3xf32> {
  // CHECK: 'kan.dequantize' op: input: 2 scales for 3 indices of dimension 0
  %y = kan.dequantize %q : tensor<3x!quant.uniform<u2:f32:0, {0.5,0.25}>> -> tensor<3xf32>
  func.return %y : tensor<3xf32>
}

// -----

// What all bounds check.

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%x: tensor<2xf32>) -> tensor<2x!codes> {
  // CHECK: 'kan.quantize' op: bounds must have shape 2x2, got 2
  %q = kan.quantize %x bounds dense<[0, 1]> : tensor<2xi8> : tensor<2xf32> -> tensor<2x!codes>
  func.return %q : tensor<2x!codes>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%x: tensor<2xf32>) -> tensor<2x!codes> {
  // CHECK: 'kan.quantize' op: a lower bound lies above its upper bound
  %q = kan.quantize %x bounds dense<[[0, 1], [3, 2]]> : tensor<2x2xi8> : tensor<2xf32> -> tensor<2x!codes>
  func.return %q : tensor<2x!codes>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%x: tensor<2xf32>) -> tensor<2x!codes> {
  // CHECK: 'kan.quantize' op: bounds leave the storage's range 0:3
  %q = kan.quantize %x bounds dense<[[0, 1], [2, 4]]> : tensor<2x2xi8> : tensor<2xf32> -> tensor<2x!codes>
  func.return %q : tensor<2x!codes>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%x: tensor<2xf32>) -> tensor<2x!codes> {
  // CHECK: 'kan.quantize' op: bounds must be integers, got f32
  %q = kan.quantize %x bounds dense<1.0> : tensor<2x2xf32> : tensor<2xf32> -> tensor<2x!codes>
  func.return %q : tensor<2x!codes>
}

// -----

// kan.quantize, kan.dequantize

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%x: tensor<2xf32>) -> tensor<2x!codes> {
  // CHECK: 'kan.quantize' op: mask must have shape 2, got 3
  %q = kan.quantize %x mask dense<1> : tensor<3xi8> : tensor<2xf32> -> tensor<2x!codes>
  func.return %q : tensor<2x!codes>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%x: tensor<2xf32>) -> tensor<2x!codes> {
  // CHECK: 'kan.quantize' op: mask must hold only 0 and 1
  %q = kan.quantize %x mask dense<[1, 2]> : tensor<2xi8> : tensor<2xf32> -> tensor<2x!codes>
  func.return %q : tensor<2x!codes>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%x: tensor<2xf32>) -> tensor<3x!codes> {
  // CHECK: 'kan.quantize' op: result must have shape 2, got 3
  %q = kan.quantize %x : tensor<2xf32> -> tensor<3x!codes>
  func.return %q : tensor<3x!codes>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%x: tensor<2xi8>) -> tensor<2x!codes> {
  // CHECK: 'kan.quantize' op: input must hold floats, got i8
  %q = kan.quantize %x : tensor<2xi8> -> tensor<2x!codes>
  func.return %q : tensor<2x!codes>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%q: tensor<2x!codes>) -> tensor<3xf32> {
  // CHECK: 'kan.dequantize' op: result must have shape 2, got 3
  %y = kan.dequantize %q : tensor<2x!codes> -> tensor<3xf32>
  func.return %y : tensor<3xf32>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%q: tensor<2x!codes>) -> tensor<2xi8> {
  // CHECK: 'kan.dequantize' op: result must hold floats, got i8
  %y = kan.dequantize %q : tensor<2x!codes> -> tensor<2xi8>
  func.return %y : tensor<2xi8>
}

// -----

// kan.tables

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%q: tensor<2x!codes>) -> tensor<1x3x!codes> {
  // CHECK: 'kan.tables' op "layer0": result must have shape 2 or out x 2, got 1x3
  %t = kan.tables %q as "layer0" tables dense<1> : tensor<1x3x4xi8> : tensor<2x!codes> -> tensor<1x3x!codes>
  func.return %t : tensor<1x3x!codes>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%q: tensor<2x!codes>) -> tensor<1x2x!codes> {
  // CHECK: 'kan.tables' op: tables must have shape 1x2x4: one entry for each code of 0:3, got 1x2x5
  %t = kan.tables %q tables dense<1> : tensor<1x2x5xi8> : tensor<2x!codes> -> tensor<1x2x!codes>
  func.return %t : tensor<1x2x!codes>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%q: tensor<2x!codes>) -> tensor<1x2x!codes> {
  // CHECK: 'kan.tables' op: tables must be integers, got f32
  %t = kan.tables %q tables dense<1.0> : tensor<1x2x4xf32> : tensor<2x!codes> -> tensor<1x2x!codes>
  func.return %t : tensor<1x2x!codes>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%q: tensor<2x!codes>) -> tensor<1x2x!codes> {
  // CHECK: 'kan.tables' op: tables must be i8, i16, i32 or i64, got i2
  %t = kan.tables %q tables dense<1> : tensor<1x2x4xi2> : tensor<2x!codes> -> tensor<1x2x!codes>
  func.return %t : tensor<1x2x!codes>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
!signed = !quant.uniform<i2<-2:1>:f32, 0.5>
func.func @f(%q: tensor<1x!signed>) -> tensor<1x1x!codes> {
  // CHECK: 'kan.tables' op: table [0, 0] gives 4 for code -1, outside its bounds 0:3
  %t = kan.tables %q tables dense<[[[0, 4, 3, 2]]]> : tensor<1x1x4xi8> : tensor<1x!signed> -> tensor<1x1x!codes>
  func.return %t : tensor<1x1x!codes>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%x: tensor<2xf32>) -> tensor<2x!codes> {
  // The code that gives the 2 can be read, by the second input alone.
  %q = kan.quantize %x bounds dense<[[0, 2], [0, 3]]> : tensor<2x2xi8> : tensor<2xf32> -> tensor<2x!codes>
  // CHECK: 'kan.tables' op: table [1] gives 2 for code 3, outside its bounds 0:1
  %t = kan.tables %q tables dense<[[0, 1, 0, 2], [0, 1, 0, 2]]> : tensor<2x4xi8> bounds dense<[[0, 1], [0, 1]]> : tensor<2x2xi8> : tensor<2x!codes> -> tensor<2x!codes>
  func.return %t : tensor<2x!codes>
}

// -----

// kan.requantize

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%q: tensor<1x!codes>) -> tensor<1x!quant.uniform<u2:f32, 0.75>> {
  // CHECK: 'kan.requantize' op "layer0": the ratio of the scales must be a power of two; fold any other into the next layer's tables or use kan.tables
  %r = kan.requantize %q as "layer0" : tensor<1x!codes> -> tensor<1x!quant.uniform<u2:f32, 0.75>>
  func.return %r : tensor<1x!quant.uniform<u2:f32, 0.75>>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%q: tensor<1x!codes>) -> tensor<1x!quant.uniform<u2:f32, 1.0e10>> {
  // CHECK: 'kan.requantize' op: the ratio of the scales must be a power of two
  %r = kan.requantize %q : tensor<1x!codes> -> tensor<1x!quant.uniform<u2:f32, 1.0e10>>
  func.return %r : tensor<1x!quant.uniform<u2:f32, 1.0e10>>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%q: tensor<1x!codes>) -> tensor<1x!quant.uniform<u2:f32, 2147483648.0>> {
  // CHECK: 'kan.requantize' op: scales differ by more than 2^31
  %r = kan.requantize %q : tensor<1x!codes> -> tensor<1x!quant.uniform<u2:f32, 2147483648.0>>
  func.return %r : tensor<1x!quant.uniform<u2:f32, 2147483648.0>>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%q: tensor<1x!codes>) -> tensor<2x!codes> {
  // CHECK: 'kan.requantize' op: result must have shape 1, got 2
  %r = kan.requantize %q : tensor<1x!codes> -> tensor<2x!codes>
  func.return %r : tensor<2x!codes>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%q: tensor<1x1x!codes>) -> tensor<1x1x!codes> {
  // CHECK: 'kan.requantize' op: input must have 1 dimension(s), got 1x1
  %r = kan.requantize %q : tensor<1x1x!codes> -> tensor<1x1x!codes>
  func.return %r : tensor<1x1x!codes>
}

// -----

// kan.node_sum of codes

!edges = !quant.uniform<i4:f32, 0.25>
func.func @f(%e: tensor<1x3x!edges>) -> tensor<1x!quant.uniform<i5:f32, 0.25>> {
  // CHECK: 'kan.node_sum' op "layer0": node 0 sums 3 of 3 edges to -24:21, outside its bounds -16:15
  %s = kan.node_sum %e as "layer0" : tensor<1x3x!edges> -> tensor<1x!quant.uniform<i5:f32, 0.25>>
  func.return %s : tensor<1x!quant.uniform<i5:f32, 0.25>>
}

// -----

!edges = !quant.uniform<i4:f32, 0.25>
func.func @f(%e: tensor<2x3x!edges>) -> tensor<2x!quant.uniform<i6:f32, 0.25>> {
  // A bias counts, a pruned edge does not.
  // CHECK: 'kan.node_sum' op: node 1 sums 2 of 3 edges to 4:34, outside its bounds 4:33
  %s = kan.node_sum %e mask dense<[[1, 1, 1], [0, 1, 1]]> : tensor<2x3xi8> bias dense<[0, 20]> : tensor<2xi8>
    bounds dense<[[-24, 21], [4, 33]]> : tensor<2x2xi8> : tensor<2x3x!edges> -> tensor<2x!quant.uniform<i7:f32, 0.25>>
  func.return %s : tensor<2x!quant.uniform<i7:f32, 0.25>>
}

// -----

!edges = !quant.uniform<i4:f32, 0.25>
func.func @f(%e: tensor<1x1x!edges>) -> tensor<1x!quant.uniform<i5:f32, 0.5>> {
  // CHECK: 'kan.node_sum' op: edges and their sum must have the same scale
  %s = kan.node_sum %e : tensor<1x1x!edges> -> tensor<1x!quant.uniform<i5:f32, 0.5>>
  func.return %s : tensor<1x!quant.uniform<i5:f32, 0.5>>
}

// -----

func.func @f(%e: tensor<1x1x!quant.uniform<i4:f32, 0.25:1>>) -> tensor<1x!quant.uniform<i5:f32, 0.25>> {
  // CHECK: 'kan.node_sum' op: edges and sums must have zero point 0
  %s = kan.node_sum %e : tensor<1x1x!quant.uniform<i4:f32, 0.25:1>> -> tensor<1x!quant.uniform<i5:f32, 0.25>>
  func.return %s : tensor<1x!quant.uniform<i5:f32, 0.25>>
}

// -----

func.func @f(%e: tensor<1x2x!quant.uniform<i4:f32:1, {0.25,0.5}>>) -> tensor<1x!quant.uniform<i5:f32, 0.25>> {
  // CHECK: 'kan.node_sum' op: edges must be quantised per tensor or per node (dimension 0)
  %s = kan.node_sum %e : tensor<1x2x!quant.uniform<i4:f32:1, {0.25,0.5}>> -> tensor<1x!quant.uniform<i5:f32, 0.25>>
  func.return %s : tensor<1x!quant.uniform<i5:f32, 0.25>>
}

// -----

!edges = !quant.uniform<i4:f32, 0.25>
func.func @f(%e: tensor<1x1x!edges>) -> tensor<1xf32> {
  // CHECK: 'kan.node_sum' op: result must hold !quant.uniform codes, got f32
  %s = kan.node_sum %e : tensor<1x1x!edges> -> tensor<1xf32>
  func.return %s : tensor<1xf32>
}

// -----

!edges = !quant.uniform<i4:f32, 0.25>
func.func @f(%e: tensor<1x1x!edges>) -> tensor<1x!quant.uniform<i5:f32, 0.25>> {
  // CHECK: 'kan.node_sum' op: bias must be integers, got f32
  %s = kan.node_sum %e bias dense<1.0> : tensor<1xf32> : tensor<1x1x!edges> -> tensor<1x!quant.uniform<i5:f32, 0.25>>
  func.return %s : tensor<1x!quant.uniform<i5:f32, 0.25>>
}

// -----

// kan.concat of codes

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%a: tensor<1x!codes>, %b: tensor<1x!quant.uniform<u2:f32, 0.25:1>>) -> tensor<2x!codes> {
  // CHECK: 'kan.concat' op: input 1 differs from the result in scale or zero point
  %c = kan.concat %a, %b : tensor<1x!codes>, tensor<1x!quant.uniform<u2:f32, 0.25:1>> -> tensor<2x!codes>
  func.return %c : tensor<2x!codes>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%a: tensor<1x!codes>, %b: tensor<1x!quant.uniform<u2:f32, 0.5>>) -> tensor<2x!codes> {
  // CHECK: 'kan.concat' op: input 1 differs from the result in scale or zero point
  %c = kan.concat %a, %b : tensor<1x!codes>, tensor<1x!quant.uniform<u2:f32, 0.5>> -> tensor<2x!codes>
  func.return %c : tensor<2x!codes>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%a: tensor<1x!codes>, %b: tensor<1x!quant.uniform<i3:f32, 0.5:1>>) -> tensor<2x!codes> {
  // CHECK: 'kan.concat' op: input 1 has codes that the result's storage does not hold
  %c = kan.concat %a, %b : tensor<1x!codes>, tensor<1x!quant.uniform<i3:f32, 0.5:1>> -> tensor<2x!codes>
  func.return %c : tensor<2x!codes>
}

// -----

!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%a: tensor<1x!codes>, %b: tensor<1xf32>) -> tensor<2x!codes> {
  // CHECK: 'kan.concat' op: input 1 must hold !quant.uniform codes, got f32
  %c = kan.concat %a, %b : tensor<1x!codes>, tensor<1xf32> -> tensor<2x!codes>
  func.return %c : tensor<2x!codes>
}

// -----

func.func @f(%q: tensor<2x!quant.uniform<u2:f32, 0.5:1>>) -> tensor<2xf32> {
  // CHECK: 'kan.dequantize' op: overrides name an element that does not exist
  %y = kan.dequantize %q overrides dense<[[2.0, 0.0, 1.0]]> : tensor<1x3xf64> : tensor<2x!quant.uniform<u2:f32, 0.5:1>> -> tensor<2xf32>
  func.return %y : tensor<2xf32>
}

// -----

func.func @f(%q: tensor<2x!quant.uniform<u2:f32, 0.5:1>>) -> tensor<2xf32> {
  // CHECK: 'kan.dequantize' op: overrides name an invalid code
  %y = kan.dequantize %q overrides dense<[[0.0, 4.0, 1.0]]> : tensor<1x3xf64> : tensor<2x!quant.uniform<u2:f32, 0.5:1>> -> tensor<2xf32>
  func.return %y : tensor<2xf32>
}

// -----

// Integers have no sign of their own: entries of ui8 would read as i8.
func.func @f(%x: !kan.int<0:3>) -> !kan.int<-128:255> {
  // CHECK: 'kan.table' op: entries must be i8, i16, i32 or i64, got ui8
  %y = kan.table %x entries dense<[1, 2, 4, 200]> : tensor<4xui8> : !kan.int<0:3> -> !kan.int<-128:255>
  func.return %y : !kan.int<-128:255>
}

// -----

func.func @f(%x: tensor<2xf32>) -> tensor<2x!quant.uniform<u2:f32, 0.5>> {
  // CHECK: 'kan.quantize' op: codes of arguments are rounded half to even
  %q = kan.quantize %x rounding "floor" : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32, 0.5>>
  func.return %q : tensor<2x!quant.uniform<u2:f32, 0.5>>
}

// -----

func.func @f(%x: tensor<2xf32>) -> tensor<2x!quant.uniform<u2:f32, 0.5>> {
  %h = kan.map "abs" %x : tensor<2xf32>
  // CHECK: 'kan.quantize' op: rounding must be one of half_even, floor, ceil, down, up, half_up, half_down
  %q = kan.quantize %h rounding "nearest" : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32, 0.5>>
  func.return %q : tensor<2x!quant.uniform<u2:f32, 0.5>>
}
