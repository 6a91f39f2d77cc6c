// UART transmitter: one start bit, eight data bits, lowest first, one stop bit.
`default_nettype none

module uart_tx #(
  parameter int CLOCKS_PER_BIT = 25
) (
  input  wire logic clk,
  input  wire logic valid,
  output wire logic ready,
  input  wire logic [7:0] data,
  output wire logic tx
);
  localparam int WIDTH = $clog2(CLOCKS_PER_BIT);
  localparam logic [WIDTH-1:0] BIT = WIDTH'(CLOCKS_PER_BIT - 1);

  logic [WIDTH-1:0] count = '0;   // clocks to the end of the bit
  logic [3:0] left = '0;          // bits of the frame that are still to go; 0: idle
  logic [8:0] frame = '1;         // the lowest bit is on the line

  always_ff @(posedge clk) begin
    if (left == 4'd0) begin
      if (valid) begin
        frame <= {data, 1'b0};
        left <= 4'd10;
        count <= BIT;
      end
    end else if (count != '0) begin
      count <= count - 1'b1;
    end else begin
      count <= BIT;
      left <= left - 1'b1;
      frame <= {1'b1, frame[8:1]};
    end
  end

  assign ready = left == 4'd0;
  assign tx = frame[0];
endmodule

`default_nettype wire
