// A network behind a UART: bytes in are the samples' beats, bytes out those of the results.
//
// The macro NETWORK names the module of a build with
//   kan-flow build MODEL --interface axi-stream --beat-bits 8 ...
// A sample is as many bytes as its layout says. Nothing marks its beginning: a break on the line
// resets the network, and the byte after it is the first of a sample.
`default_nettype none

module uart_network #(
  parameter int CLOCKS_PER_BIT = 25
) (
  input  wire logic clk,
  input  wire logic rx,
  output wire logic tx,
  output wire logic overflow,     // a byte was lost, since the results did not leave in time
  output wire logic active        // changes with each byte of a result
);
  logic [3:0] start = '0;
  logic running = 1'b0;
  logic lost = 1'b0;
  logic changed = 1'b0;
  logic [7:0] held = '0;          // byte that the network has not taken yet
  logic waits = 1'b0;

  wire logic received, broken, ready, result_valid, result_ready;
  wire logic [7:0] data, result;
  // The end of a sample is known by its number of bytes.
  wire logic result_last_unused;

  uart_rx #(.CLOCKS_PER_BIT(CLOCKS_PER_BIT)) receiver (
    .clk(clk),
    .rx(rx),
    .valid(received),
    .data(data),
    .broken(broken)
  );

  `NETWORK network (
    .aclk(clk),
    .aresetn(running),
    .s_axis_tvalid(waits),
    .s_axis_tready(ready),
    .s_axis_tdata(held),
    .s_axis_tlast(1'b0),
    .m_axis_tvalid(result_valid),
    .m_axis_tready(result_ready),
    .m_axis_tdata(result),
    .m_axis_tlast(result_last_unused)
  );

  uart_tx #(.CLOCKS_PER_BIT(CLOCKS_PER_BIT)) transmitter (
    .clk(clk),
    .valid(result_valid && running),
    .ready(result_ready),
    .data(result),
    .tx(tx)
  );

  always_ff @(posedge clk) begin
    // Registers begin with their initial values; some clocks in reset follow.
    if (!(&start)) start <= start + 1'b1;
    running <= (&start) && !broken;

    if (waits && ready) waits <= 1'b0;
    if (received) begin
      waits <= 1'b1;
      held <= data;
      if (waits && !ready) lost <= 1'b1;
    end
    if (!running) begin
      waits <= 1'b0;
      lost <= 1'b0;
    end
    if (result_valid && result_ready) changed <= !changed;
  end

  assign overflow = lost;
  assign active = changed;
endmodule

`default_nettype wire
