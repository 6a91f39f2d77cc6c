"""Testbench of an AXI4-Lite wrapper: plays accesses from a file, and checks every answer.

It needs nothing of this package, and runs in Icarus Verilog and Verilator. Pauses on all five
channels are pseudo-random, so addresses and data of writes come in any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from kan_dialect.lowering.wrappers.register_map import BYTES, WORD, Register, RegisterMap

ALL_BYTES = (1 << BYTES) - 1
"""WSTRB of a write of a whole word."""


class _Kind(IntEnum):
    """What an access is, and its answer."""

    WRITE = 0
    REFUSED_WRITE = 1
    READ = 2
    REFUSED_READ = 3
    POLL = 4


@dataclass
class Accesses:
    """Accesses in their order, with the answers that must come."""

    rows: list[str] = field(default_factory=list[str])

    def write(self, register: Register, word: int, strobes: int = ALL_BYTES) -> None:
        """Write the bytes of a word that `strobes` selects. The answer is OKAY."""
        self._add(_Kind.WRITE, register.offset, word, 0, strobes)

    def write_refused(self, offset: int, word: int) -> None:
        """Write a word to an address that answers SLVERR."""
        self._add(_Kind.REFUSED_WRITE, offset, word, 0, ALL_BYTES)

    def read(self, register: Register, word: int) -> None:
        """Read a register that holds a word."""
        self._add(_Kind.READ, register.offset, word, (1 << WORD) - 1, 0)

    def read_refused(self, offset: int) -> None:
        """Read an address that answers SLVERR."""
        self._add(_Kind.REFUSED_READ, offset, 0, 0, 0)

    def poll(self, register: Register, bits: int, mask: int) -> None:
        """Read a register until the bits under a mask are the given ones."""
        self._add(_Kind.POLL, register.offset, bits, mask, 0)

    def write_port(self, registers: Sequence[Register], code: int) -> None:
        """Write the code of a port to its registers, the lowest bits first."""
        for each in registers:
            self.write(each, code >> each.low)

    def read_port(self, registers: Sequence[Register], code: int) -> None:
        """Read the code of a port, extended by its sign, from its registers."""
        for each in registers:
            self.read(each, code >> each.low)

    def _add(self, kind: _Kind, offset: int, word: int, mask: int, strobes: int) -> None:
        bits = (1 << WORD) - 1
        self.rows.append(f"{kind:x}_{strobes:x}_{offset:08x}_{word & bits:08x}_{mask & bits:08x}")


def write_register_bench(
    directory: Path, wrapper: str, registers: RegisterMap, accesses: Accesses
) -> None:
    """Write WRAPPER_tb.sv and WRAPPER_accesses.hex.

    Parameters
    ----------
    directory : a folder, created if it is missing; the RTL is in `../rtl`.
    wrapper : name of the module with AXI4-Lite.
    """
    directory.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{row}\n" for row in accesses.rows)
    (directory / f"{wrapper}_accesses.hex").write_text(rows)
    (directory / f"{wrapper}_tb.sv").write_text(
        _BENCH.format(
            wrapper=wrapper,
            core=wrapper.removesuffix("_axi_lite"),
            accesses=len(accesses.rows),
            address=registers.address_bits - 1,
            kinds="\n".join(f"  localparam logic [3:0] {each}" for each in _kinds()),
        )
    )


def _kinds() -> Iterator[str]:
    for kind in _Kind:
        yield f"{kind.name} = 4'd{kind.value};"


_BENCH = """\
// Self-checking testbench of {wrapper}: accesses with pauses on all channels.
//
// In this folder, with Icarus Verilog:
//   $ iverilog -g2012 -s {wrapper}_tb -o {wrapper}_tb.vvp {wrapper}_tb.sv \\
//       ../rtl/{core}.sv ../rtl/{wrapper}.sv && vvp -n {wrapper}_tb.vvp
// or with Verilator:
//   $ verilator --binary --timing --top {wrapper}_tb {wrapper}_tb.sv \\
//       ../rtl/{core}.sv ../rtl/{wrapper}.sv && ./obj_dir/V{wrapper}_tb
//
// It ends with "PASS" and counts, or with "FAIL", the first wrong answer and an error status.
// {wrapper}_accesses.hex: an access a line: kind, strobes, address, data, mask of the data.

// Plays the accesses, one after another. A clock is all that it needs.
module {wrapper}_player (
  input logic aclk
);
  localparam int ACCESSES = {accesses};
  localparam int PATIENCE = 100000;  // cycles of an access
{kinds}

  logic [103:0] accesses [0:ACCESSES-1];
  initial $readmemh("{wrapper}_accesses.hex", accesses);

  logic aresetn = 0;
  logic [{address}:0] awaddr = '0, araddr = '0;
  logic [31:0] wdata = '0;
  logic [3:0] wstrb = '0;
  logic awvalid = 0, wvalid = 0, bready = 0, arvalid = 0, rready = 0;
  wire awready, wready, bvalid, arready, rvalid;
  wire [1:0] bresp, rresp;
  wire [31:0] rdata;

  {wrapper} dut (
    .aclk(aclk), .aresetn(aresetn),
    .s_axi_awvalid(awvalid), .s_axi_awready(awready), .s_axi_awaddr(awaddr),
    .s_axi_wvalid(wvalid), .s_axi_wready(wready), .s_axi_wdata(wdata), .s_axi_wstrb(wstrb),
    .s_axi_bvalid(bvalid), .s_axi_bready(bready), .s_axi_bresp(bresp),
    .s_axi_arvalid(arvalid), .s_axi_arready(arready), .s_axi_araddr(araddr),
    .s_axi_rvalid(rvalid), .s_axi_rready(rready), .s_axi_rdata(rdata), .s_axi_rresp(rresp)
  );

  int at = 0, cycles = 0, waited = 0;
  logic [31:0] noise = 32'h2545f491;
  logic busy = 0;
  // What an access still waits for, and the pauses before it.
  logic aw_left = 0, w_left = 0, b_left = 0, ar_left = 0, r_left = 0;
  logic [1:0] aw_pause = 0, w_pause = 0, ar_pause = 0;
  logic [2:0] b_pause = 0, r_pause = 0;
  // Answers of the last cycle that must stay.
  logic b_stays = 0, r_stays = 0;
  logic [1:0] old_bresp = 0, old_rresp = 0;
  logic [31:0] old_rdata = 0;

  wire [103:0] line = accesses[at < ACCESSES ? at : 0];
  wire [3:0] kind = line[103:100];
  wire [31:0] data = line[63:32], mask = line[31:0];
  wire is_write = kind == WRITE || kind == REFUSED_WRITE;
  wire [1:0] wanted = kind == REFUSED_WRITE || kind == REFUSED_READ ? 2'd2 : 2'd0;

  task automatic fail(input string what);
    $display("FAIL: access %0d (%h): %s; bresp %0d, rresp %0d, rdata %h", at, line, what, bresp,
        rresp, rdata);
    $fatal(1, "access %0d (%h): %s", at, line, what);
  endtask

  task automatic pause;
    // A third of the accesses has no pause at all.
    if (noise[15:14] != 0) begin
      aw_pause <= noise[1:0];
      w_pause <= noise[4:3];
      b_pause <= noise[8:6];
      ar_pause <= noise[1:0];
      r_pause <= noise[8:6];
    end
  endtask

  task automatic watch;
    if ((^{{awready, wready, bvalid, arready, rvalid}}) === 1'bx) fail("X on a channel");
    if (bvalid && (aw_left || w_left)) fail("an answer before address and data");
    if (rvalid && ar_left) fail("data before the address");
    if (b_stays && (!bvalid || bresp != old_bresp)) fail("an answer did not stay");
    if (r_stays && (!rvalid || rdata != old_rdata || rresp != old_rresp)) fail("data left");
    b_stays <= bvalid && !bready;
    r_stays <= rvalid && !rready;
    old_bresp <= bresp;
    old_rresp <= rresp;
    old_rdata <= rdata;
    if (waited == PATIENCE) fail("no end");
  endtask

  task automatic write;
    if (aw_left) begin
      if (awvalid && awready) begin
        aw_left <= 0;
        awvalid <= 0;
        awaddr <= ~awaddr;
      end else if (!awvalid && aw_pause != 0) aw_pause <= aw_pause - 1;
      else begin
        awvalid <= 1;
        awaddr <= line[64 +: {address} + 1];
      end
    end
    if (w_left) begin
      if (wvalid && wready) begin
        w_left <= 0;
        wvalid <= 0;
        wdata <= ~wdata;
        wstrb <= ~wstrb;
      end else if (!wvalid && w_pause != 0) w_pause <= w_pause - 1;
      else begin
        wvalid <= 1;
        wdata <= data;
        wstrb <= line[99:96];
      end
    end
    if (b_left) begin
      if (bvalid && bready) begin
        if (bresp != wanted) fail("wrong answer");
        b_left <= 0;
        bready <= 0;
      end else if (b_pause != 0) b_pause <= b_pause - 1;
      else bready <= 1;
    end
  endtask

  task automatic read;
    if (ar_left) begin
      if (arvalid && arready) begin
        ar_left <= 0;
        arvalid <= 0;
        araddr <= ~araddr;
      end else if (!arvalid && ar_pause != 0) ar_pause <= ar_pause - 1;
      else begin
        arvalid <= 1;
        araddr <= line[64 +: {address} + 1];
      end
    end
    if (r_left) begin
      if (rvalid && rready) begin
        rready <= 0;
        if (rresp != wanted) fail("wrong answer");
        if ((rdata & mask) == (data & mask)) r_left <= 0;
        else if (kind == POLL) begin
          ar_left <= 1;
          pause;
        end else fail("wrong data");
      end else if (r_pause != 0) r_pause <= r_pause - 1;
      else rready <= 1;
    end
  endtask

  always @(posedge aclk) begin
    cycles <= cycles + 1;
    noise <= {{1'b0, noise[31:1]}} ^ (noise[0] ? 32'ha3000000 : 32'h0);
    aresetn <= cycles >= 4;
    if (aresetn) begin
      watch;
      waited <= waited + 1;
      if (busy) begin
        write;
        read;
        if (!(aw_left || w_left || b_left || ar_left || r_left)) begin
          busy <= 0;
          at <= at + 1;
        end
      end else if (at == ACCESSES) begin
        $display("PASS: %0d accesses, %0d cycles", ACCESSES, cycles);
        $finish;
      end else begin
        busy <= 1;
        waited <= 0;
        {{aw_left, w_left, b_left}} <= {{3{{is_write}}}};
        {{ar_left, r_left}} <= {{2{{!is_write}}}};
        pause;
      end
    end
  end
endmodule

module {wrapper}_tb;
  logic aclk = 0;
  always #1 aclk = ~aclk;
  {wrapper}_player player (.aclk(aclk));
endmodule
"""
