// A folded design, by hand: y0 is the sum of four words, which the four pairs of bits of x0 and x1
// choose. A cycle reads one word: it takes a sample every 4 cycles.
hw.module @folded(in %clk: !seq.clock, in %rst: i1, in %in_valid: i1, in %x0: i4, in %x1: i4, out in_ready: i1, out out_valid: i1, out y0: i8) attributes {
    kan.latency = 5 : i64, kan.interval = 4 : i64,
    kan.ports = [#kan.port<"x0", -8:7, scale = 0.25>, #kan.port<"x1", 0:15>, #kan.port<"y0", -128:127, scale = 0.5>],
    kan.nodes = [#kan.node<"layer0_node0", signal = "sum", range = -128:127, cycle = 4>, #kan.node<"layer1_node0", signal = "result", range = -128:127, cycle = 5>]} {
  %zero = hw.constant 0 : i2
  %one = hw.constant 1 : i2
  // The turn: 0 in the cycle in which a sample is taken.
  %turn = seq.compreg %turn_next, %clk reset %rst, %zero {sv.namehint = "turn"} : i2
  %turn_next = comb.add %turn, %one : i2
  %in_ready = comb.icmp eq %turn, %zero {sv.namehint = "first"} : i2
  // Codes shift down by a pair of bits in each cycle; a sample replaces them.
  %codes = comb.concat %x1, %x0 : i4, i4
  %now = comb.mux %in_ready, %codes, %rest {sv.namehint = "now"} : i8
  %above = comb.extract %now from 2 : (i8) -> i6
  %later = comb.concat %zero, %above : i2, i6
  %rest = seq.compreg %later, %clk {sv.namehint = "rest"} : i8
  %code = comb.extract %now from 0 : (i8) -> i2
  %address = comb.concat %turn, %code : i2, i2
  %words = kan.memory initial dense<[3, -32, 31, 7, -5, 12, -17, 26, 0, 19, -28, 8, -11, 30, 22, -2]> : tensor<16xi8> {sv.namehint = "words"} : !kan.memory<16, i6>
  %word = kan.memory_read %words[%address], %clk {sv.namehint = "word"} : !kan.memory<16, i6>, i4 -> i6
  %sign = comb.extract %word from 5 : (i6) -> i1
  %signs = comb.replicate %sign : (i1) -> i2
  %wide = comb.concat %signs, %word : i2, i6
  // The accumulator begins anew with the word of turn 0, a cycle after its address.
  %begins = comb.icmp eq %turn, %one : i2
  %so_far = seq.compreg %with_word, %clk {sv.namehint = "so_far"} : i8
  %sum = comb.add %so_far, %wide {sv.namehint = "sum"} : i8
  %with_word = comb.mux %begins, %wide, %sum : i8
  %kept = comb.mux %in_ready, %sum, %result : i8
  %result = seq.compreg %kept, %clk {sv.namehint = "result"} : i8
  %no = hw.constant false
  %taken = comb.and %in_valid, %in_ready {sv.namehint = "taken"} : i1
  %v1 = seq.compreg %taken, %clk reset %rst, %no {sv.namehint = "valid1"} : i1
  %v2 = seq.compreg %v1, %clk reset %rst, %no {sv.namehint = "valid2"} : i1
  %v3 = seq.compreg %v2, %clk reset %rst, %no {sv.namehint = "valid3"} : i1
  %v4 = seq.compreg %v3, %clk reset %rst, %no {sv.namehint = "valid4"} : i1
  %v5 = seq.compreg %v4, %clk reset %rst, %no {sv.namehint = "valid5"} : i1
  hw.output %in_ready, %v5, %result : i1, i1, i8
}
