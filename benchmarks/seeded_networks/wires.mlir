// Wire level: a table of two inputs, ranges that end at a sign bit, shifts both ways, clamps at one
// end, two nodes in one signal, an output that is an input.
func.func @wires(%x: !kan.int<0:12>, %z: !kan.int<-4:3>)
    -> (!kan.int<0:3>, !kan.int<-20:40>, !kan.int<-4:3>, !kan.int<-40:60>) {
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
  %l = kan.clamp %f as "last" : !kan.int<-59:57> -> !kan.int<-40:60>
  func.return %d, %e, %z, %l : !kan.int<0:3>, !kan.int<-20:40>, !kan.int<-4:3>, !kan.int<-40:60>
}
