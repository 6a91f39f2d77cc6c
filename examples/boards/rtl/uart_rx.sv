// UART receiver: one start bit, eight data bits, lowest first, one stop bit.
//
// A frame whose stop bit is 0 is no byte: `broken` is 1 until the line is idle again. A break, which
// holds the line at 0 for longer than a frame, so tells the other side to begin anew.
`default_nettype none

module uart_rx #(
  parameter int CLOCKS_PER_BIT = 25
) (
  input  wire logic clk,
  input  wire logic rx,
  output wire logic valid,        // for one clock: `data` is a byte
  output wire logic [7:0] data,
  output wire logic broken
);
  localparam int WIDTH = $clog2(CLOCKS_PER_BIT);
  localparam logic [WIDTH-1:0] BIT = WIDTH'(CLOCKS_PER_BIT - 1);
  localparam logic [WIDTH-1:0] HALF = WIDTH'(CLOCKS_PER_BIT / 2 - 1);

  logic [1:0] line = 2'b11;       // synchroniser
  logic [WIDTH-1:0] count = '0;   // clocks to the middle of the next bit
  logic [3:0] left = '0;          // bits of the frame that are still to come; 0: idle
  logic [7:0] shift = '0;
  logic received = 1'b0;
  logic framing = 1'b0;

  always_ff @(posedge clk) begin
    line <= {line[0], rx};
    received <= 1'b0;
    if (framing) begin
      framing <= !line[1];
    end else if (left == 4'd0) begin
      if (!line[1]) begin
        left <= 4'd10;
        count <= HALF;
      end
    end else if (count != '0) begin
      count <= count - 1'b1;
    end else begin
      count <= BIT;
      left <= left - 1'b1;
      if (left == 4'd10) begin
        if (line[1]) left <= 4'd0;  // too short for a start bit
      end else if (left == 4'd1) begin
        received <= line[1];
        framing <= !line[1];
      end else begin
        shift <= {line[1], shift[7:1]};
      end
    end
  end

  assign valid = received;
  assign data = shift;
  assign broken = framing;
endmodule

`default_nettype wire
