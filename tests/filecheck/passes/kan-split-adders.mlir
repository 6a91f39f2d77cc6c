// RUN: kan-opt --check-passes %s -p 'kan-split-adders{mhz=210.0 target="ecp5"},kan-schedule{mhz=210.0 target="ecp5"}' | filecheck %s
// RUN: kan-opt --check-passes %s -p 'kan-split-adders{mhz=130.0 target="ecp5"}' | filecheck %s --check-prefix SLOW
// RUN: not kan-opt %s -p 'kan-split-adders{mhz=0.0}' 2>&1 | filecheck %s --check-prefix ZERO
// ZERO: kan-opt: error: pass kan-split-adders: mhz must be above 0

// An adder does not fit behind tables of six inputs. The sum of their two lowest bits does, which is
// three bits in place of four. At a slow clock the adder fits, and nothing changes.
// CHECK-LABEL: @pair
// CHECK-DAG: [[THIGH:%.*]] = kan.delay {{%.*}} by 1 as "t_high_s1" : !kan.int<0:60>
// CHECK-DAG: [[UHIGH:%.*]] = kan.delay {{%.*}} by 1 as "u_high_s1" : !kan.int<-64:-4>
// CHECK: [[TLOW:%.*]] = kan.table %x as "t_low"
// CHECK-NEXT: [[ULOW:%.*]] = kan.table %y as "u_low"
// CHECK-NEXT: [[LOW:%.*]] = kan.table [[TLOW]], [[ULOW]] as "s_low" entries dense<"0x00010203010203000203000103000102">
// CHECK-NEXT: [[LOW1:%.*]] = kan.delay [[LOW]] by 1
// CHECK-NEXT: [[CARRY:%.*]] = kan.table [[TLOW]], [[ULOW]] as "s_carry" entries dense<"0x00000000000000040000040400040404">
// CHECK-NEXT: [[CARRY1:%.*]] = kan.delay [[CARRY]] by 1
// CHECK-NEXT: [[HIGH:%.*]] = kan.sum [[THIGH]], [[UHIGH]], [[CARRY1]] as "s_high"
// CHECK-NEXT: [[S:%.*]] = kan.sum [[HIGH]], [[LOW1]] as "s" : {{.*}} -> !kan.int<-64:126>
// CHECK-NEXT: kan.delay [[S]] by 1
// SLOW-LABEL: @pair
// SLOW-NOT: s_carry
func.func @pair(%x: !kan.int<0:63>, %y: !kan.int<0:63>) -> !kan.int<-64:126> {
  %t = kan.table %x as "t" entries dense<[0, 39, 14, 53, 28, 3, 42, 17, 56, 31, 6, 45, 20, 59, 34, 9, 48, 23, 62, 37, 12, 51, 26, 1, 40, 15, 54, 29, 4, 43, 18, 57, 32, 7, 46, 21, 60, 35, 10, 49, 24, 63, 38, 13, 52, 27, 2, 41, 16, 55, 30, 5, 44, 19, 58, 33, 8, 47, 22, 61, 36, 11, 50, 25]> : tensor<64xi8> : !kan.int<0:63> -> !kan.int<0:63>
  %u = kan.table %y as "u" entries dense<[-64, -25, -50, -11, -36, -61, -22, -47, -8, -33, -58, -19, -44, -5, -30, -55, -16, -41, -2, -27, -52, -13, -38, -63, -24, -49, -10, -35, -60, -21, -46, -7, -32, -57, -18, -43, -4, -29, -54, -15, -40, -1, -26, -51, -12, -37, -62, -23, -48, -9, -34, -59, -20, -45, -6, -31, -56, -17, -42, -3, -28, -53, -14, -39]> : tensor<64xi8> : !kan.int<0:63> -> !kan.int<-64:-1>
  %s = kan.sum %t, %u as "s" : !kan.int<0:63>, !kan.int<-64:-1> -> !kan.int<-64:126>
  func.return %s : !kan.int<-64:126>
}

// A bit that enters at the carry input is added to the lowest bits of both terms: two bits in place
// of three.
// CHECK-LABEL: @bit
// CHECK: [[BIT:%.*]] = kan.table %z as "v_bit"
// CHECK: kan.table {{%.*}}, {{%.*}}, [[BIT]] as "s_low" entries dense<{{\[\[\[}}0, 1], [1, 0]], {{\[\[}}1, 0], [0, 1]]]>
// CHECK: kan.table {{%.*}}, {{%.*}}, [[BIT]] as "s_carry" entries dense<{{\[\[\[}}0, 0], [0, 2]], {{\[\[}}0, 2], [2, 2]]]>
func.func @bit(%x: !kan.int<0:63>, %y: !kan.int<0:63>, %z: !kan.int<0:63>) -> !kan.int<-64:127> {
  %t = kan.table %x as "t" entries dense<[0, 39, 14, 53, 28, 3, 42, 17, 56, 31, 6, 45, 20, 59, 34, 9, 48, 23, 62, 37, 12, 51, 26, 1, 40, 15, 54, 29, 4, 43, 18, 57, 32, 7, 46, 21, 60, 35, 10, 49, 24, 63, 38, 13, 52, 27, 2, 41, 16, 55, 30, 5, 44, 19, 58, 33, 8, 47, 22, 61, 36, 11, 50, 25]> : tensor<64xi8> : !kan.int<0:63> -> !kan.int<0:63>
  %u = kan.table %y as "u" entries dense<[-64, -25, -50, -11, -36, -61, -22, -47, -8, -33, -58, -19, -44, -5, -30, -55, -16, -41, -2, -27, -52, -13, -38, -63, -24, -49, -10, -35, -60, -21, -46, -7, -32, -57, -18, -43, -4, -29, -54, -15, -40, -1, -26, -51, -12, -37, -62, -23, -48, -9, -34, -59, -20, -45, -6, -31, -56, -17, -42, -3, -28, -53, -14, -39]> : tensor<64xi8> : !kan.int<0:63> -> !kan.int<-64:-1>
  %v = kan.table %z as "v" entries dense<"0x00000001000100000000000100010000000000010001000000000001000100000000000100010000000000010001000000000001000100000000000100010000"> : tensor<64xi8> : !kan.int<0:63> -> !kan.int<0:1>
  %s = kan.sum %t, %u, %v as "s" : !kan.int<0:63>, !kan.int<-64:-1>, !kan.int<0:1> -> !kan.int<-64:127>
  func.return %s : !kan.int<-64:127>
}
