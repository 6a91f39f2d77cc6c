// RUN: kan-opt %s --verify-diagnostics --split-input-file | filecheck %s

func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> {
  // CHECK: 'kan.folded_by_input' op "l": interval must lie in 2..1024, got 1
  %s = kan.folded_by_input %x as "l" interval 1 tables dense<[[[0, 1, 2, 3]]]> : tensor<1x1x4xi8> from 0 bias dense<[0]> : tensor<1xi8> : !kan.int<0:3> -> !kan.int<0:3>
  func.return %s : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> {
  // CHECK: 'kan.folded_by_input' op "l": tables must have shape 1x1 x codes, got 1x4
  %s = kan.folded_by_input %x as "l" interval 2 tables dense<[[0, 1, 2, 3]]> : tensor<1x4xi8> from 0 bias dense<[0]> : tensor<1xi8> : !kan.int<0:3> -> !kan.int<0:3>
  func.return %s : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> {
  // CHECK: 'kan.folded_by_input' op "l": bias must have 1 entries, got 2
  %s = kan.folded_by_input %x as "l" interval 2 tables dense<[[[0, 1, 2, 3]]]> : tensor<1x1x4xi8> from 0 bias dense<[0, 1]> : tensor<2xi8> : !kan.int<0:3> -> !kan.int<0:3>
  func.return %s : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> {
  // CHECK: 'kan.folded_by_input' op "l": the tables have no entries for all of !kan.int<0:3>
  %s = kan.folded_by_input %x as "l" interval 2 tables dense<[[[0, 1, 2, 3]]]> : tensor<1x1x4xi8> from 1 bias dense<[0]> : tensor<1xi8> : !kan.int<0:3> -> !kan.int<0:3>
  func.return %s : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> {
  // CHECK: 'kan.folded_by_input' op "l": the sum can be 1:4, which !kan.int<0:3> does not hold
  %s = kan.folded_by_input %x as "l" interval 2 tables dense<[[[0, 1, 2, 3]]]> : tensor<1x1x4xi8> from 0 bias dense<[1]> : tensor<1xi8> : !kan.int<0:3> -> !kan.int<0:3>
  func.return %s : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> {
  // CHECK: 'kan.folded_shapes' op "l": shapes must have shape 1 or 1 x shapes x codes, got 2x1x4
  %s = kan.folded_shapes %x as "l" interval 2 shapes dense<0> : tensor<2x1x4xi8> from 0 choices dense<0> : tensor<1x1xi8> factors dense<1> : tensor<1x1xi8> bias dense<[0]> : tensor<1xi8> : !kan.int<0:3> -> !kan.int<0:3>
  func.return %s : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> {
  // CHECK: 'kan.folded_shapes' op "l": choices must have shape 1x1, got 1x2
  %s = kan.folded_shapes %x as "l" interval 2 shapes dense<[[[0, 1, 2, 3]]]> : tensor<1x1x4xi8> from 0 choices dense<0> : tensor<1x2xi8> factors dense<1> : tensor<1x1xi8> bias dense<[0]> : tensor<1xi8> : !kan.int<0:3> -> !kan.int<0:3>
  func.return %s : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> {
  // CHECK: 'kan.folded_shapes' op "l": choices must lie in 0..0
  %s = kan.folded_shapes %x as "l" interval 2 shapes dense<[[[0, 1, 2, 3]]]> : tensor<1x1x4xi8> from 0 choices dense<1> : tensor<1x1xi8> factors dense<1> : tensor<1x1xi8> bias dense<[0]> : tensor<1xi8> : !kan.int<0:3> -> !kan.int<0:3>
  func.return %s : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> {
  // CHECK: 'kan.folded_shapes' op "l": factors must be 0, or a power of two up to 2^30 with a sign
  %s = kan.folded_shapes %x as "l" interval 2 shapes dense<[[[0, 1, 2, 3]]]> : tensor<1x1x4xi8> from 0 choices dense<0> : tensor<1x1xi8> factors dense<3> : tensor<1x1xi8> bias dense<[0]> : tensor<1xi8> : !kan.int<0:3> -> !kan.int<0:3>
  func.return %s : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> {
  // CHECK: 'kan.folded_shapes' op "l": the tables have no entries for all of !kan.int<0:3>
  %s = kan.folded_shapes %x as "l" interval 2 shapes dense<0> : tensor<1x1x3xi8> from 0 choices dense<0> : tensor<1x1xi8> factors dense<1> : tensor<1x1xi8> bias dense<[0]> : tensor<1xi8> : !kan.int<0:3> -> !kan.int<0:3>
  func.return %s : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> {
  // CHECK: 'kan.folded_shapes' op "l": the sum can be 0:6, which !kan.int<0:3> does not hold
  %s = kan.folded_shapes %x as "l" interval 2 shapes dense<[[[0, 1, 2, 3]]]> : tensor<1x1x4xi8> from 0 choices dense<0> : tensor<1x1xi8> factors dense<2> : tensor<1x1xi8> bias dense<[0]> : tensor<1xi8> : !kan.int<0:3> -> !kan.int<0:3>
  func.return %s : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> {
  // CHECK: 'kan.folded_by_input' op "l": the sum can be -4:3, which !kan.int<0:3> does not hold
  %s = kan.folded_by_input %x as "l" interval 2 tables dense<[[[0, 1, 2, 3]]]> : tensor<1x1x4xi8> from 0 bias dense<[0]> : tensor<1xi8> loadable 3 : !kan.int<0:3> -> !kan.int<0:3>
  func.return %s : !kan.int<0:3>
}

// -----

func.func @f(%x: !kan.int<0:3>) -> !kan.int<-4:3> {
  // The bias goes into the entries.
  // CHECK: 'kan.folded_by_input' op "l": entries need 4 bits, and loadable says 3
  %s = kan.folded_by_input %x as "l" interval 2 tables dense<[[[0, 1, 2, 3]]]> : tensor<1x1x4xi8> from 0 bias dense<[1]> : tensor<1xi8> loadable 3 : !kan.int<0:3> -> !kan.int<-4:3>
  func.return %s : !kan.int<-4:3>
}

// -----

func.func @f(%x: !kan.int<0:3>) -> !kan.int<-4:3> {
  // CHECK: 'kan.folded_by_input' op "l": loadable must lie in 1..24 bits
  %s = kan.folded_by_input %x as "l" interval 2 tables dense<[[[0, 1, 2, 3]]]> : tensor<1x1x4xi8> from 0 bias dense<[0]> : tensor<1xi8> loadable 25 : !kan.int<0:3> -> !kan.int<-4:3>
  func.return %s : !kan.int<-4:3>
}
