module ${name}_credits (
  input wire aclk, input wire aresetn,
  input wire s_axis_tvalid, output wire s_axis_tready,
  input wire [${in_bits}-1:0] s_axis_tdata, input wire s_axis_tlast,
  output wire m_axis_tvalid, input wire m_axis_tready,
  output wire [${out_bits}-1:0] m_axis_tdata, output wire m_axis_tlast
);
  localparam A = ${address_bits};
  reg [A:0] credits;
  reg [A-1:0] wptr, rptr;
  reg [A:0] count;
  reg [${latency}-1:0] last;
  (* ram_style = "distributed" *) reg [${word}:0] mem [0:(1 << A) - 1];
  wire in = s_axis_tvalid && s_axis_tready, out = m_axis_tvalid && m_axis_tready;
  wire done;
  wire [${word}-1:0] y;
  assign s_axis_tready = credits != 0;
  assign m_axis_tvalid = count != 0;
  ${name} core (.clk(aclk), .rst(~aresetn), .in_valid(in), .out_valid(done)${ports});
  always @(posedge aclk) begin
    last <= {last, s_axis_tlast};
    if (done) mem[wptr] <= {last[${latency}-1], y};
    if (!aresetn) begin
      credits <= 1 << A; wptr <= 0; rptr <= 0; count <= 0;
    end else begin
      credits <= credits - in + out;
      count <= count + done - out;
      if (done) wptr <= wptr + 1'b1;
      if (out) rptr <= rptr + 1'b1;
    end
  end
  wire [${word}:0] q = mem[rptr];
  assign m_axis_tlast = q[${word}];
  assign m_axis_tdata = {${fields}};
endmodule
