"""Plays samples through a wrapper with random pauses, in a simulator, and reads the outputs.

The testbench is SystemVerilog of its own: nothing of the wrapper's generator is in it but names and
widths of ports. It checks that valid outputs stay until they are taken and that none is valid
during reset.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kan_dialect.flows.tools import tool_runs, toolchain
from kan_dialect.flows.tools.tool_runs import run

BENCH = """\
`timescale 1ns / 1ns
module bench;
  logic clock = 1'b0;
  always #5 clock = ~clock;

  logic [{send_bits}-1:0] words [0:{words}-1];
  logic reset = 1'b1;
  logic s_valid = 1'b0;
  logic [{send_bits}-1:0] s_word = '0;
  wire s_ready, m_valid;
  logic m_ready = 1'b0;
  wire [{receive_bits}-1:0] m_word;
  {dut}

  integer place = 0, cycle = 0, file, idle = 0;
  logic held = 1'b0;
  logic [{receive_bits}-1:0] shown = '0;
  // Xorshift, Marsaglia 2003.
  logic [31:0] random = 32'd{seed};
  function automatic logic [31:0] following(input logic [31:0] x);
    logic [31:0] a, b;
    a = x ^ (x << 13);
    b = a ^ (a >> 17);
    return b ^ (b << 5);
  endfunction
  // Pauses come in bursts: each side changes between eager and lazy every now and then.
  logic [7:0] s_eager = 8'd255, m_eager = 8'd255;

  initial begin
    $readmemh("words.hex", words);
    file = $fopen("outputs.txt", "w");
  end

  always @(posedge clock) begin
    cycle <= cycle + 1;
    random <= following(random);
    if (cycle % 32 == 0) begin
      s_eager <= {always} ? 8'd255 : random[30] ? 8'd255 : random[29:22];
      m_eager <= {always} ? 8'd255 : random[31] ? 8'd255 : random[21:14];
    end
    reset <= cycle < 3 || (cycle >= {reset_at} && cycle < {reset_at} + 2);
    if (cycle == {reset_at} + 1) begin
      $fdisplay(file, "reset");
      place <= {restart};
    end
    if (cycle + 1 >= {reset_at} && cycle <= {reset_at} + 2 || cycle < 4)
      s_valid <= 1'b0;
    else if (!s_valid || s_ready) begin
      s_valid <= place < {words} && random[7:0] <= s_eager;
      if (place < {words}) s_word <= words[place];
      if (place < {words} && random[7:0] <= s_eager) place <= place + 1;
    end
    m_ready <= random[15:8] <= m_eager;
    held <= m_valid === 1'b1 && !m_ready && !reset;
    shown <= m_word;
    if (held && !reset && (m_valid !== 1'b1 || m_word !== shown)) $fdisplay(file, "unstable");
    if (cycle > 1 && reset && cycle != {reset_at} + 1 && m_valid !== 1'b0)
      $fdisplay(file, "valid in reset");
    if (!reset && cycle > 3 && (m_valid === 1'bx || s_ready === 1'bx)) $fdisplay(file, "unknown");
    if (m_valid === 1'b1 && m_ready && !reset) $fdisplay(file, "%h", m_word);
    idle <= (m_valid === 1'b1 || s_valid || place < {words}) ? 0 : idle + 1;
    if (idle > {drain} || cycle > {limit}) begin
      $fdisplay(file, "end %0d", cycle);
      $fclose(file);
      $finish;
    end
  end
endmodule
"""


@dataclass(frozen=True)
class Bench:
    """What the testbench connects."""

    dut: str
    """Text of the instance, on `clock`, `reset` (active high), words and handshakes."""
    send_bits: int
    receive_bits: int
    latency: int


@dataclass(frozen=True)
class Run:
    """Outputs before the reset in the middle and after it; all after it where there is none."""

    before: list[int]
    after: list[int]
    cycles: int


def play(
    folder: Path,
    files: Sequence[Path],
    bench: Bench,
    words: Sequence[int],
    *,
    simulator: str,
    seed: int = 1,
    eager: bool = False,
    reset_at: int | None = None,
    restart: int = 0,
) -> Run:
    """Send all words; after a reset in cycle `reset_at`, those from `restart` on."""
    folder.mkdir(exist_ok=True)
    digits = -(-bench.send_bits // 4)
    (folder / "words.hex").write_text("".join(f"{word:0{digits}x}\n" for word in words))
    text = BENCH.format(
        send_bits=bench.send_bits,
        receive_bits=bench.receive_bits,
        words=len(words),
        dut=bench.dut,
        seed=seed,
        always="1'b1" if eager else "1'b0",
        reset_at=10_000_000 if reset_at is None else reset_at,
        restart=restart,
        drain=bench.latency + 20,
        limit=100 * len(words) + 10_000,
    )
    (folder / "bench.sv").write_text(text)
    compile_bench(folder, files, simulator)
    subprocess.run(
        ["vvp", "-n", "bench"] if simulator == "icarus" else ["obj_dir/Vbench"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    lines = (folder / "outputs.txt").read_text().split("\n")
    end = next(line for line in lines if line.startswith("end"))
    shown = lines[: lines.index(end)]
    wrong = [line for line in shown if not set(line) <= set("0123456789abcdef") and line != "reset"]
    assert not wrong, wrong[:3]
    middle = shown.index("reset") if "reset" in shown else 0
    before = [int(line, 16) for line in shown[:middle]]
    after = [int(line, 16) for line in shown[middle:] if line != "reset"]
    return Run(before, after, int(end.split()[1]))


def compile_bench(folder: Path, files: Sequence[Path], simulator: str) -> None:
    sources = [*map(str, files), "bench.sv"]
    if simulator == "icarus":
        run(toolchain.find("iverilog"), ["-g2012", "-o", "bench", *sources], cwd=folder)
        return
    options = ["--binary", "--timing", "-Wno-fatal", "-CFLAGS", "-O0", "--top-module", "bench"]
    tool_runs.run(toolchain.find("verilator"), [*options, *sources], cwd=folder)
