// RUN: kan-opt %s -p "kan-schedule{target=gw1n mhz=100.0}" | filecheck %s
// RUN: kan-opt %s -p "kan-schedule{target=gw1n mhz=250.0}" | filecheck %s --check-prefix FAST

// A table of four bits (1.6 ns) and an adder of five (2.7 ns) fit into a stage of 10 ns, and not
// into one of 4 ns.
// CHECK-LABEL: @net
// CHECK: kan.table
// CHECK-NEXT: kan.table
// CHECK-NEXT: kan.sum
// CHECK-NEXT: kan.delay
// FAST-LABEL: @net
// FAST: kan.table
// FAST-NEXT: kan.delay
// FAST-NEXT: kan.table
// FAST-NEXT: kan.delay
// FAST-NEXT: kan.sum
func.func @net(%x: !kan.int<0:15>, %y: !kan.int<0:15>) -> !kan.int<0:18> {
  %t = kan.table %x as "t" entries dense<[7, 4, 0, 9, 2, 8, 3, 5, 6, 3, 8, 2, 9, 1, 4, 7]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:9>
  %u = kan.table %y as "u" entries dense<[4, 9, 0, 3, 6, 2, 7, 1, 5, 7, 2, 6, 3, 8, 9, 4]> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:9>
  %s = kan.sum %t, %u as "s" : !kan.int<0:9>, !kan.int<0:9> -> !kan.int<0:18>
  func.return %s : !kan.int<0:18>
}
