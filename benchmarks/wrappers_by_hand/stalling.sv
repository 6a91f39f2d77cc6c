module ${name}_stalling (
  input wire aclk, input wire aresetn,
  input wire s_axis_tvalid, output wire s_axis_tready,
  input wire [${in_bits}-1:0] s_axis_tdata, input wire s_axis_tlast,
  output wire m_axis_tvalid, input wire m_axis_tready,
  output wire [${out_bits}-1:0] m_axis_tdata, output wire m_axis_tlast
);
  reg full;
  reg [${latency}-1:0] last;
  reg [${word}:0] skid;
  wire done;
  wire [${word}-1:0] y;
  assign s_axis_tready = ~full;
  assign m_axis_tvalid = full | done;
  ${name}_clock_enable core (.clk(aclk), .rst(~aresetn), .ce(~full), .in_valid(s_axis_tvalid),
    .out_valid(done)${ports});
  always @(posedge aclk) begin
    if (!full) begin
      last <= {last, s_axis_tlast};
      skid <= {last[${latency}-1], y};
    end
    if (!aresetn) full <= 1'b0;
    else full <= m_axis_tvalid & ~m_axis_tready;
  end
  wire [${word}:0] q = full ? skid : {last[${latency}-1], y};
  assign m_axis_tlast = q[${word}];
  assign m_axis_tdata = {${fields}};
endmodule
