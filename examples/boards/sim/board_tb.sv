// A board with a host at its serial port, in simulation.
//
// Bytes of the file or pipe `to_board` go to the board as a UART sends them, bytes from the board go
// to `from_board`, two hexadecimal digits a line. The macro BOARD_ULX3S or BOARD_ICEBREAKER chooses
// the board. Plusargs:
//   +in=N +out=N  bytes of a sample and of its result. After a sample, the host waits for its result.
//   +stream       the host does not wait until the end of the file
//   +break        bytes of an unfinished sample and a break come first
`timescale 1ns / 1ns

module board_tb;
`ifdef BOARD_ULX3S
  localparam int CLOCKS_PER_BIT = 25;
`else
  localparam int CLOCKS_PER_BIT = 12;
`endif

  logic clk = 0, to_board = 1;
  wire from_board;
  always #5 clk = !clk;

`ifdef BOARD_ULX3S
  wire [7:0] led;
  wire wifi_gpio0;
  wire overflow = led[7];
  ulx3s_top board (
    .clk_25mhz(clk), .ftdi_txd(to_board), .ftdi_rxd(from_board), .led(led), .wifi_gpio0(wifi_gpio0)
  );
`else
  wire led_red_n, led_green_n;
  wire overflow = !led_red_n;
  icebreaker_top board (
    .clk_12mhz(clk), .rx(to_board), .tx(from_board),
    .led_red_n(led_red_n), .led_green_n(led_green_n)
  );
`endif

  int bytes_in, bytes_out, sent, received, source, sink;

  task automatic wait_bits(input int bits);
    repeat (bits * CLOCKS_PER_BIT) @(negedge clk);
  endtask

  task automatic send(input logic [7:0] data);
    to_board = 0;
    wait_bits(1);
    for (int i = 0; i < 8; i++) begin
      to_board = data[i];
      wait_bits(1);
    end
    to_board = 1;
    wait_bits(1);
  endtask

  initial begin : host_sends
    int c;
    if ($value$plusargs("in=%d", bytes_in) == 0 || $value$plusargs("out=%d", bytes_out) == 0)
      $fatal(1, "give +in=N and +out=N");
    source = $fopen("to_board", "rb");
    sink = $fopen("from_board", "w");
    if (source == 0 || sink == 0) $fatal(1, "to_board or from_board cannot be opened");
    wait_bits(4);
    if ($test$plusargs("break") != 0) begin
      for (int i = 0; i < bytes_in - 1; i++) send(8'h5a);
      to_board = 0;
      wait_bits(12);
      to_board = 1;
      wait_bits(3);
    end
    c = $fgetc(source);
    while (c >= 0) begin
      send(c[7:0]);
      sent++;
      if (sent % bytes_in == 0 && $test$plusargs("stream") == 0)
        while (received < sent / bytes_in * bytes_out) @(negedge clk);
      c = $fgetc(source);
    end
    while (received < sent / bytes_in * bytes_out && !overflow) @(negedge clk);
    wait_bits(30);
    if (overflow) $fatal(1, "the board lost a byte");
    $display("PASS: %0d bytes sent, %0d received", sent, received);
    $fclose(sink);
    $finish;
  end

  initial begin : host_receives
    logic [7:0] data;
    forever begin
      @(negedge from_board);
      repeat (CLOCKS_PER_BIT / 2) @(negedge clk);
      if (from_board !== 0) $fatal(1, "a start bit is too short");
      for (int i = 0; i < 8; i++) begin
        wait_bits(1);
        data[i] = from_board;
      end
      wait_bits(1);
      if (from_board !== 1) $fatal(1, "a stop bit is missing");
      $fwrite(sink, "%02x\n", data);
      $fflush(sink);
      received++;
    end
  end
endmodule
