"""Plays accesses on a module with AXI4-Lite in Icarus Verilog, with pauses on every channel."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

BENCH = """\
module tb;
  reg aclk = 0, aresetn = 0;
  always #1 aclk = ~aclk;
  reg [{top}:0] awaddr = 0, araddr = 0;
  reg [31:0] wdata = 0;
  reg [3:0] wstrb = 0;
  reg awvalid = 0, wvalid = 0, bready = 0, arvalid = 0, rready = 0;
  wire awready, wready, bvalid, arready, rvalid;
  wire [1:0] bresp, rresp;
  wire [31:0] rdata;
  {name} dut (
    .aclk(aclk), .aresetn(aresetn),
    .s_axi_awvalid(awvalid), .s_axi_awready(awready), .s_axi_awaddr(awaddr),
    .s_axi_wvalid(wvalid), .s_axi_wready(wready), .s_axi_wdata(wdata), .s_axi_wstrb(wstrb),
    .s_axi_bvalid(bvalid), .s_axi_bready(bready), .s_axi_bresp(bresp),
    .s_axi_arvalid(arvalid), .s_axi_arready(arready), .s_axi_araddr(araddr),
    .s_axi_rvalid(rvalid), .s_axi_rready(rready), .s_axi_rdata(rdata), .s_axi_rresp(rresp)
  );

  // Answers to addresses and data that have been taken, and no others; what waits stays.
  integer addresses = 0, words = 0, answers = 0, asked = 0, read = 0;
  reg was_b = 0, was_r = 0;
  reg [1:0] old_b, old_rresp;
  reg [31:0] old_r;
  always @(posedge aclk) if (aresetn) begin
    if (bvalid !== 0 && bvalid !== 1 || rvalid !== 0 && rvalid !== 1) $fatal(1, "X on a channel");
    if (bvalid && (answers >= addresses || answers >= words)) $fatal(1, "an answer too early");
    if (rvalid && read >= asked) $fatal(1, "data too early");
    if (was_b && (!bvalid || bresp !== old_b)) $fatal(1, "an answer did not stay");
    if (was_r && (!rvalid || rdata !== old_r || rresp !== old_rresp)) $fatal(1, "data left");
    was_b = bvalid && !bready;
    was_r = rvalid && !rready;
    old_b = bresp; old_r = rdata; old_rresp = rresp;
    if (awvalid && awready) addresses = addresses + 1;
    if (wvalid && wready) words = words + 1;
    if (bvalid && bready) answers = answers + 1;
    if (arvalid && arready) asked = asked + 1;
    if (rvalid && rready) read = read + 1;
  end

  task idle(input integer cycles);
    repeat (cycles) @(negedge aclk);
  endtask
  task put(input [31:0] address, input [31:0] data, input [3:0] strobes,
           input integer before_address, input integer before_data, input integer before_answer);
    fork
      begin
        idle(before_address);
        awaddr = address; awvalid = 1;
        @(posedge aclk); while (!awready) @(posedge aclk);
        @(negedge aclk) awvalid = 0; awaddr = ~address;
      end
      begin
        idle(before_data);
        wdata = data; wstrb = strobes; wvalid = 1;
        @(posedge aclk); while (!wready) @(posedge aclk);
        @(negedge aclk) wvalid = 0; wdata = ~data; wstrb = ~strobes;
      end
      begin
        idle(before_answer);
        bready = 1;
        @(posedge aclk); while (!bvalid) @(posedge aclk);
        $display("@%0d", bresp);
        @(negedge aclk) bready = 0;
      end
    join
  endtask
  task get(input [31:0] address, input integer before_address, input integer before_data);
    fork
      begin
        idle(before_address);
        araddr = address; arvalid = 1;
        @(posedge aclk); while (!arready) @(posedge aclk);
        @(negedge aclk) arvalid = 0; araddr = ~address;
      end
      begin
        idle(before_data);
        rready = 1;
        @(posedge aclk); while (!rvalid) @(posedge aclk);
        $display("@%0d %h", rresp, rdata);
        @(negedge aclk) rready = 0;
      end
    join
  endtask

  initial begin
    #1000000 $fatal(1, "an access hangs");
  end
  initial begin
    idle(3);
    aresetn = 1;
    idle(1);
{accesses}
    $finish;
  end
endmodule
"""


@dataclass
class Accesses:
    """Accesses in their order, with what the host expects."""

    lines: list[str] = field(default_factory=list[str])
    expected: list[str] = field(default_factory=list[str])

    def write(
        self,
        address: int,
        data: int,
        strobes: int = 15,
        pauses: Sequence[int] = (0, 0, 0),
        *,
        refused: bool = False,
    ) -> None:
        shown = ", ".join(map(str, pauses))
        self.lines.append(f"put({address}, 32'h{data & 0xFFFFFFFF:x}, {strobes}, {shown});")
        self.expected.append("@2" if refused else "@0")

    def read(
        self, address: int, data: int, pauses: Sequence[int] = (0, 0), *, refused: bool = False
    ) -> None:
        self.lines.append(f"get({address}, {', '.join(map(str, pauses))});")
        self.expected.append(f"@{2 if refused else 0} {data & 0xFFFFFFFF:08x}")

    def idle(self, cycles: int) -> None:
        self.lines.append(f"idle({cycles});")

    def play(self, rtl: str, name: str, address_bits: int, folder: Path) -> None:
        """Play them; every answer must be what the host expects."""
        if shutil.which("iverilog") is None:
            pytest.skip("Icarus Verilog is not installed")
        (folder / "dut.sv").write_text(rtl)
        bench = BENCH.format(
            name=name,
            top=address_bits - 1,
            accesses="\n".join(f"    {line}" for line in self.lines),
        )
        (folder / "tb.sv").write_text(bench)
        for command in (
            ["iverilog", "-g2012", "-s", "tb", "-o", "tb.vvp", "tb.sv", "dut.sv"],
            ["vvp", "-N", "tb.vvp"],
        ):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout[-500:] + done.stderr[-2000:]
        found = [line for line in done.stdout.splitlines() if line.startswith("@")]
        for place, (got, wanted) in enumerate(zip(found, self.expected, strict=True)):
            assert got == wanted, f"access {place}"
