// RUN: kan-opt --check-passes %s -p 'kan-wrap-interface{interface=ready-valid}' | filecheck %s --check-prefix HANDSHAKE
// RUN: kan-opt %s -p 'kan-wrap-interface{interface=axi-stream}' | filecheck %s --check-prefix STREAM
// RUN: kan-opt %s -p 'kan-wrap-interface{interface=axi-stream beat-bits=8 user-bits=2}' | filecheck %s --check-prefix BEATS
// RUN: kan-opt %s -p 'kan-wrap-interface{interface=axi-stream beat-bits=8,16 beat-order=high-first no-last=true}' | filecheck %s --check-prefix HIGH
// RUN: kan-opt %s -p 'kan-wrap-interface{interface=axi-stream buffer-words=16}' | filecheck %s --check-prefix DEEP
// RUN: kan-opt %s -p 'kan-wrap-interface{clock-enable=true}' | filecheck %s --check-prefix ENABLE
// RUN: kan-opt %s -p 'kan-wrap-interface' | filecheck %s --check-prefix VALID

// The network's module stays as it is.
// VALID: hw.module @net
// VALID-NOT: hw.module
// HANDSHAKE-LABEL: hw.module @net(
hw.module @net(in %clk: !seq.clock, in %rst: i1, in %in_valid: i1, in %x0: i3, in %x1: i12,
    out out_valid: i1, out y0: i3, out y1: i12) attributes {kan.latency = 1 : i64, kan.ports = [
    #kan.port<"x0", -4:3>, #kan.port<"x1", 0:4095>, #kan.port<"y0", -4:3>, #kan.port<"y1", 0:4095>]} {
  %no = hw.constant false
  %v = seq.compreg %in_valid, %clk reset %rst, %no : i1
  %a = seq.compreg %x0, %clk : i3
  %b = seq.compreg %x1, %clk : i12
  hw.output %v, %a, %b : i1, i3, i12
}

// A sample enters where the register `ready` is 1, and waits in a memory. The memory has a word for
// each cycle of the network, one for the write, one for the credit, and one more.
// HANDSHAKE: hw.module @net_ready_valid(in %clk: !seq.clock, in %rst: i1, in %in_valid: i1, out in_ready: i1, in %x0: i3, in %x1: i12, out out_valid: i1, in %out_ready: i1, out y0: i3, out y1: i12) attributes {
// HANDSHAKE-SAME: kan.latency = 2 : i64, kan.interface = "ready-valid"
// HANDSHAKE: [[READY:%.*]] = seq.compreg [[ROOM:%.*]], %clk reset %rst, {{%.*}} {sv.namehint = "ready"} : i1
// HANDSHAKE: [[READ:%.*]] = seq.compreg {{%.*}}, %clk reset %rst, {{%.*}} {sv.namehint = "read"} : i2
// HANDSHAKE: [[STORED:%.*]] = comb.xor [[EMPTY:%.*]], {{%.*}} {sv.namehint = "stored"} : i1
// HANDSHAKE: [[FIFO:%.*]] = kan.memory {sv.namehint = "fifo"} : !kan.memory<4, i15>
// HANDSHAKE: [[WORD:%.*]] = kan.memory_word [[FIFO]][[[READ]]] {sv.namehint = "fifo_word"}
// HANDSHAKE: [[ENTERED:%.*]] = comb.and %in_valid, [[READY]] {sv.namehint = "entered"} : i1
// HANDSHAKE: [[ARRIVED:%.*]], [[Y0:%.*]], [[Y1:%.*]] = hw.instance "core" @net(clk: %clk: !seq.clock, rst: %rst: i1, in_valid: [[ENTERED]]: i1, x0: %x0: i3, x1: %x1: i12) -> (out_valid: i1, y0: i3, y1: i12)
// HANDSHAKE: [[LEFT:%.*]] = comb.and [[STORED]], %out_ready {sv.namehint = "left"} : i1
// HANDSHAKE: [[SAMPLE:%.*]] = comb.concat [[Y1]], [[Y0]] : i12, i3
// HANDSHAKE: kan.memory_write [[FIFO]][{{%.*}}] = [[SAMPLE]] if [[ARRIVED]], %clk
// HANDSHAKE: hw.output [[READY]], [[STORED]], {{%.*}}, {{%.*}} : i1, i1, i3, i12

// Codes fill whole bytes, by their sign or by zeros. TLAST follows the sample through the network,
// behind registers, and through the memory.
// STREAM: hw.module @net_axi_stream(in %aclk: !seq.clock, in %aresetn: i1, in %s_axis_tvalid: i1, out s_axis_tready: i1, in %s_axis_tdata: i24, in %s_axis_tlast: i1, out m_axis_tvalid: i1, in %m_axis_tready: i1, out m_axis_tdata: i24, out m_axis_tlast: i1)
// STREAM: [[X0:%.*]] = comb.extract %s_axis_tdata from 0 : (i24) -> i3
// STREAM: [[X1:%.*]] = comb.extract %s_axis_tdata from 8 : (i24) -> i12
// STREAM: hw.instance "core" @net({{.*}} x0: [[X0]]: i3, x1: [[X1]]: i12)
// STREAM: [[LAST:%.*]] = seq.compreg %s_axis_tlast, %aclk {sv.namehint = "side_s1"} : i1
// STREAM: comb.concat [[LAST]], {{%.*}}, {{%.*}} : i1, i12, i3

// Three beats a sample: two words wait in registers. TUSER goes with the first beat, TLAST with the
// last; a packet that ends earlier starts over with the next beat.
// BEATS: hw.module @net_axi_stream(
// BEATS-SAME: in %s_axis_tdata: i8, in %s_axis_tlast: i1, in %s_axis_tuser: i2
// BEATS-DAG: [[INDEX:%.*]] = seq.compreg {{%.*}} {sv.namehint = "in_beat"} : i2
// BEATS-DAG: [[IS_LAST:%.*]] = comb.icmp eq [[INDEX]], {{%.*}} {sv.namehint = "in_beat_is_last"} : i2
// BEATS-DAG: [[ENDS:%.*]] = comb.or [[IS_LAST]], %s_axis_tlast : i1
// BEATS-DAG: sv.namehint = "word1"} : i8
// BEATS-DAG: sv.namehint = "word2"} : i8
// BEATS-DAG: sv.namehint = "first_user"} : i2
// BEATS-DAG: sv.namehint = "out_beat_is_last"} : i2

// Widths of input and output differ; padding has TKEEP.
// HIGH: hw.module @net_axi_stream(
// HIGH-SAME: in %s_axis_tdata: i8, out m_axis_tvalid: i1, in %m_axis_tready: i1, out m_axis_tdata: i16, out m_axis_tkeep: i2)

// DEEP: kan.memory {sv.namehint = "fifo"} : !kan.memory<16, i16>

// Every register keeps its value where `ce` is 0; reset comes first.
// ENABLE: hw.module @net_clock_enable(in %clk: !seq.clock, in %rst: i1, in %ce: i1, in %in_valid: i1,
// ENABLE-SAME: kan.interface = "clock-enable"
// ENABLE: comb.mux %ce, %in_valid, {{%.*}} : i1
// ENABLE-NEXT: seq.compreg {{%.*}}, %clk reset %rst, {{%.*}} : i1
// ENABLE-NEXT: comb.mux %ce, %x0, {{%.*}} : i3
