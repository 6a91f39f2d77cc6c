// ULX3S (Lattice ECP5): the network behind the USB serial port, 1 Mbaud at 25 MHz.
`default_nettype none

module ulx3s_top (
  input  wire logic clk_25mhz,
  input  wire logic ftdi_txd,     // from the host
  output wire logic ftdi_rxd,     // to the host
  output wire logic [7:0] led,
  output wire logic wifi_gpio0
);
  wire logic overflow, active;

  uart_network #(.CLOCKS_PER_BIT(25)) network (
    .clk(clk_25mhz),
    .rx(ftdi_txd),
    .tx(ftdi_rxd),
    .overflow(overflow),
    .active(active)
  );

  assign led = {overflow, 6'b0, active};
  // The ESP32 beside the FPGA would otherwise load its own bitstream.
  assign wifi_gpio0 = 1'b1;
endmodule

`default_nettype wire
