// Wire level: a table of two inputs, ranges that end at a sign bit, shifts both ways, clamps at one
// end or both, two nodes in one signal, an output that is an input, a table longer than a literal,
// tables that are equal up to offset and sign, a sum whose terms meet in one bit.
func.func @wires(%x: !kan.int<0:12>, %z: !kan.int<-4:3>, %w: !kan.int<0:299>, %u: !kan.int<0:40>)
    -> (!kan.int<0:3>, !kan.int<-20:40>, !kan.int<-4:3>, !kan.int<-20:25>, !kan.int<-16:15>, !kan.int<0:36>,
        !kan.int<8:39>, !kan.int<3:34>, !kan.int<0:36>, !kan.int<0:27>) {
  %s = kan.sum %x, %z as "sum" : !kan.int<0:12>, !kan.int<-4:3> -> !kan.int<-4:15>
  %c = kan.clamp %s as "node" : !kan.int<-4:15> -> !kan.int<0:7>
  kan.mark %c as "node_a" offset 0 cycle 0 : !kan.int<0:7>
  kan.mark %c as "node_b" offset -3 cycle 0 : !kan.int<0:7>
  %k = kan.constant 5 : !kan.int<5:5>
  %t = kan.table %c, %z as "both" entries dense<[
      [0, 1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7, 8], [9, 8, 7, 6, 5, 4, 3, 2],
      [-1, -2, -3, -4, 4, 3, 2, 1], [0, 2, 0, 2, 0, 2, 0, 2], [5, 5, 5, 5, 6, 6, 6, 6],
      [7, 1, 7, 1, 7, 1, 7, 1], [-4, 4, -3, 3, -2, 2, -1, 1]]> : tensor<8x8xi8>
    : !kan.int<0:7>, !kan.int<-4:3> -> !kan.int<-4:9>
  %h = kan.shift %s by 1 as "half" : !kan.int<-4:15> -> !kan.int<-2:8>
  %d = kan.clamp %h as "small" : !kan.int<-2:8> -> !kan.int<0:3>
  kan.mark %d as "node_d" offset 0 cycle 0 : !kan.int<0:3>
  %e = kan.sum %c, %t, %k as "all"
    : !kan.int<0:7>, !kan.int<-4:9>, !kan.int<5:5> -> !kan.int<-20:40>
  kan.mark %e as "node_e" offset 0 cycle 0 : !kan.int<-20:40>
  %g = kan.shift %z by -3 as "eight" : !kan.int<-4:3> -> !kan.int<-32:24>
  %m = kan.constant -7 : !kan.int<-7:-7>
  %f = kan.sum %g, %e, %m as "far"
    : !kan.int<-32:24>, !kan.int<-20:40>, !kan.int<-7:-7> -> !kan.int<-59:57>
  %l = kan.clamp %f as "last" : !kan.int<-59:57> -> !kan.int<-20:25>
  %v = kan.table %w as "long" entries dense<"0xF0F7FE050CF3FA01090EF7FC050AF3F802050CF7FE0108F3FBFC050EF7F8010AFFF8F10A03FCF50E0601F8F30A05FCF70D0A03F8F10E07FCF4F30A01F8F70E050E0900FBF20D04FFF7F00902FBF40D06FCFBF20900FFF60D0502FBF00906FFF4FDFAF30801FEF70C0403FAF10807FEF50F0801FAF30C05FEF6F10803FAF50C070C0B02F9F00F06FDF5F20B00F9F60F04FEF9F00B02FDF40F0700F9F20B04FDF6F3F4FD060FF0F9020A0DF4FF0609F0FB01060FF4FD020BF0F8FF060DF4FB02090A0D04FFF60900FBF3F40D06FFF00902F8FFF60D04FBF2090106FFF40D02FBF001060FF4FD020BF0F8FF060DF4FB0209F3F4FD060FF0F9020A0DF4FF0609F0FB080F06FDF40B02F9F1F60F04FDF20B00FAFDF40F06F9F00B0304FDF60F00F9F2F7F0F9020BF4FD060E09F0FB"> : tensor<300xi8> : !kan.int<0:299> -> !kan.int<-16:15>
  %alike_a = kan.table %u as "alike_a" entries dense<[0, 11, 12, 4, 6, 24, 1, 2, 4, 7, 16, 6, 12, 20, 0, 14, 15, 14, 12, 15, 18, 6, 12, 2, 15, 7, 24, 0, 22, 8, 16, 13, 15, 12, 23, 3, 21, 8, 3, 2, 12]> : tensor<41xi8>
    : !kan.int<0:40> -> !kan.int<0:24>
  %alike_b = kan.table %u as "alike_b" entries dense<[30, 19, 18, 26, 24, 6, 29, 28, 26, 23, 14, 24, 18, 10, 30, 16, 15, 16, 18, 15, 12, 24, 18, 28, 15, 23, 6, 30, 8, 22, 14, 17, 15, 18, 7, 27, 9, 22, 27, 28, 18]> : tensor<41xi8>
    : !kan.int<0:40> -> !kan.int<6:30>
  %alike_c = kan.table %u as "alike_c" entries dense<[7, 18, 19, 11, 13, 31, 8, 9, 11, 14, 23, 13, 19, 27, 7, 21, 22, 21, 19, 22, 25, 13, 19, 9, 22, 14, 31, 7, 29, 15, 23, 20, 22, 19, 30, 10, 28, 15, 10, 9, 19]> : tensor<41xi8>
    : !kan.int<0:40> -> !kan.int<7:31>
  %i = kan.sum %alike_a, %x as "sum_a" : !kan.int<0:24>, !kan.int<0:12> -> !kan.int<0:36>
  %n = kan.constant 6 : !kan.int<6:6>
  %j = kan.sum %alike_b, %z, %n as "sum_b"
    : !kan.int<6:30>, !kan.int<-4:3>, !kan.int<6:6> -> !kan.int<8:39>
  %unlike = kan.table %u as "unlike" entries dense<[7, 9, 3, 0, 12, 15, 4, 2, 2, 24, 12, 17, 9, 24, 1, 7, 16, 17, 11, 8, 24, 5, 3, 8, 6, 0, 20, 8, 8, 6, 5, 9, 9, 20, 23, 11, 2, 19, 10, 21, 12]> : tensor<41xi8>
    : !kan.int<0:40> -> !kan.int<0:24>
  %q = kan.sum %alike_c, %z as "sum_c" : !kan.int<7:31>, !kan.int<-4:3> -> !kan.int<3:34>
  %r = kan.sum %unlike, %x as "sum_d" : !kan.int<0:24>, !kan.int<0:12> -> !kan.int<0:36>
  %fours = kan.table %x as "fours" entries dense<[8, 0, 4, 12, 12, 0, 8, 8, 4, 0, 0, 12, 4]> : tensor<13xi8>
    : !kan.int<0:12> -> !kan.int<0:12>
  %meet = kan.sum %fours, %c as "meet" : !kan.int<0:12>, !kan.int<0:7> -> !kan.int<0:27>
  func.return %d, %e, %z, %l, %v, %i, %j, %q, %r, %meet
    : !kan.int<0:3>, !kan.int<-20:40>, !kan.int<-4:3>, !kan.int<-20:25>, !kan.int<-16:15>, !kan.int<0:36>,
      !kan.int<8:39>, !kan.int<3:34>, !kan.int<0:36>, !kan.int<0:27>
}
