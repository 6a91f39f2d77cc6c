// iCEBreaker (Lattice iCE40UP5K): the network behind the USB serial port, 1 Mbaud at 12 MHz.
`default_nettype none

module icebreaker_top (
  input  wire logic clk_12mhz,
  input  wire logic rx,
  output wire logic tx,
  output wire logic led_red_n,    // a byte was lost
  output wire logic led_green_n
);
  wire logic overflow, active;

  uart_network #(.CLOCKS_PER_BIT(12)) network (
    .clk(clk_12mhz),
    .rx(rx),
    .tx(tx),
    .overflow(overflow),
    .active(active)
  );

  assign led_red_n = !overflow;
  assign led_green_n = !active;
endmodule

`default_nettype wire
