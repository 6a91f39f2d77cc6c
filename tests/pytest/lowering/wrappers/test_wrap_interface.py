"""Builds with an interface: files, package, report and refusals."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from xdsl.dialects import hw

from kan_dialect.devices.device import device
from kan_dialect.errors import KanError
from kan_dialect.flows.interfaces.package import systemverilog_package
from kan_dialect.flows.tools import tool_runs, toolchain
from kan_dialect.frontends.loading import make_context, parse_text
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.lowering.wrappers.wrapper_ports import StreamChoice
from kan_dialect.model.interface import Interface, Port
from kan_dialect.passes.schedule import SchedulePass
from kan_dialect.search.logic_mapping.module_cost import module_cost
from lint import require_silent

MODEL = """
func.func @net(%a: !kan.int<-4:3>, %b: !kan.int<0:4095>) -> (!kan.int<-4:3>, !kan.int<0:4095>) {
  %c = kan.delay %a by 2 as "c" : !kan.int<-4:3>
  %d = kan.delay %b by 2 as "d" : !kan.int<0:4095>
  func.return %c, %d : !kan.int<-4:3>, !kan.int<0:4095>
}
"""


def built(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "net.mlir").write_text(MODEL)
    command = [sys.executable, "-m", "kan_dialect.cli.kan_flow", "build", "net.mlir", "-o", "out"]
    command += ["-p", "kan-schedule{cycles=2},lower-kan-to-hw", "--simulator", "none"]
    command += ["--vectors", "10", "--no-check-passes", "--certificate", "never", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("options", [[], ["--beat-bits", "16", "--user-bits", "3"]])
def test_a_build_writes_wrapper_package_and_report(options: list[str], tmp_path: Path) -> None:
    result = built(tmp_path, "--interface", "axi-stream", *options)
    assert result.returncode == 0, result.stderr
    rtl = tmp_path / "out" / "rtl"
    files = [rtl / f"net{end}.sv" for end in ("_pkg", "", "_axi_stream")]
    require_silent(tmp_path, files, "--top-module", "net_axi_stream")
    core = files[1].read_text()
    assert "wrap" not in core and "net_axi_stream" not in core
    entry = json.loads((tmp_path / "out" / "report.json").read_text())["interface"]
    assert entry["file"] == "rtl/net_axi_stream.sv"
    assert entry["latency_cycles"] == 3 and entry["buffer_words"] == 8
    assert entry["input"]["beats"] == (2 if options else 1)
    assert entry["input"]["fields"][1] == {"port": "x1", "offset": 8, "bits": 12}
    assert "localparam int WRAPPER_LATENCY = 3;" in files[0].read_text()
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "`rtl/net_axi_stream.sv` | the design with AXI4-Stream ports" in readme
    beats = "2 beats of 16 bits in" if options else "1 beat of 24 bits in"
    assert f"net_axi_stream, 3 cycles, {beats}" in " ".join(result.stdout.split())


def section(text: str, title: str) -> str:
    """A section of a README, without its heading."""
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize(
    ("interface", "cycles", "rate"),
    [
        ("ready-valid", 3, "It takes a sample every cycle."),
        ("axi-stream", 3, "It takes a sample every 2 cycles."),
        ("axi-lite", 2, "It takes one sample at a time."),
    ],
)
def test_a_readme_describes_the_top_module(
    interface: str, cycles: int, rate: str, tmp_path: Path
) -> None:
    options = ["--beat-bits", "16"] if interface == "axi-stream" else []
    result = built(tmp_path, "--interface", interface, *options)
    assert result.returncode == 0, result.stderr
    text = (tmp_path / "out" / "README.md").read_text()
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    top, period = report["project"]["top"], report["project"]["period_ns"]
    assert f"Top module: `{top}` ({interface}), around the network `net`." in text
    assert f"Latency: {cycles} clock cycles" in text
    assert (", of which the network takes 2." in text) == (cycles != 2)
    assert f"That is {cycles * period:.4g} ns at {period} ns a cycle" in text
    assert rate in text
    ports = section(text, f"Ports of `{top}`")
    names = re.findall(r"^\| (\w+) \| (?:in|out)put \| \d+ \|", ports, re.M)
    assert names == [port["name"] for port in report["interface"]["ports"]]
    assert not re.search(r"\|  \|$", ports, re.M), "a port without a meaning"
    assert "| x0 | input |" in section(text, "Ports of `net`")
    fields = {row[0]: row[1:] for row in re.findall(r"^\| (\w+) \| (\d+)\.\.(\d+) \|", ports, re.M)}
    sides = [report["interface"].get(side, {}) for side in ("input", "output")]
    assert fields == {
        field["port"]: (str(field["offset"] + field["bits"] - 1), str(field["offset"]))
        for side in sides
        for field in side.get("fields", ())
    }
    registers = re.findall(r"^\| 0x(\w+) \| (\w+) \|", ports, re.M)
    listed = report["interface"].get("registers", ())
    assert registers == [(f"{each['offset']:02X}", each["name"]) for each in listed]


@pytest.mark.ci
def test_the_core_is_the_same_with_and_without_a_wrapper(tmp_path: Path) -> None:
    texts: list[bytes] = []
    for interface in ("valid", "ready-valid"):
        result = built(tmp_path, "--interface", interface)
        assert result.returncode == 0, result.stderr
        texts.append((tmp_path / "out" / "rtl" / "net.sv").read_bytes())
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--user-bits", "2"], "user-bits has no meaning with the interface valid; leave it out"),
        (["--interface", "ready-valid", "--clock-enable"], "clock-enable has no meaning with the"),
        (["--interface", "axi-lite", "--beat-bits", "32"], "beat-bits has no meaning with the"),
        (["--interface", "axi-stream", "--beat-bits", "12"], "a beat of 12 bits is not possible"),
        (
            ["--interface", "ready-valid", "--buffer-words", "4"],
            "a buffer of 4 words is not possible behind a latency of 2 cycles; give a power of two",
        ),
        (
            ["--interface", "axi-stream", "-p", "kan-schedule{combinational=true},lower-kan-to-hw"],
            "is combinational: it has no clock, which the interface axi-stream needs",
        ),
    ],
)
def test_refusals_are_one_message(options: list[str], message: str, tmp_path: Path) -> None:
    result = built(tmp_path, *options)
    assert result.returncode == 1
    assert message in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()


PORTS = Interface(
    "net",
    (
        Port.of_range("x0", 0, 255, 1e-7, 128),
        Port.of_range("x1", -(1 << 40), 1 << 40, 3.0, -5, 2.0, -0.5),
    ),
    (Port.of_range("y0", 0, 1), Port.of_range("y1", -3, 0)),
    7,
)

CHECK = """
module check;
  net_pkg::s_axis_sample_t sample;
  net_pkg::x1_t low;
  initial begin
    sample = 64'h0123_4567_89AB_CDEF;
    low = net_pkg::X1_LOW;
    $display("%0d %0d %0d", net_pkg::LATENCY, net_pkg::X1_WIDTH, low);
    $display("%g %g %0d", net_pkg::X0_SCALE, net_pkg::X1_OFFSET, net_pkg::X1_ZERO_POINT);
    $display("%h %h", sample.x0, sample.x1);
  end
endmodule
"""


def test_a_wrapper_that_the_ir_has_is_refused() -> None:
    module = parse_text(make_context(), MODEL.encode(), "test")
    passes = [SchedulePass(cycles=2), LowerKanToHwPass(), WrapInterfacePass("axi-stream")]
    for stage in passes:
        stage.apply(make_context(), module)
    with pytest.raises(KanError, match="the IR has net_axi_stream already; leave the interface"):
        WrapInterfacePass("axi-stream", beat_bits=8).apply(make_context(), module)


def test_the_package_has_the_numbers_of_the_ports(tmp_path: Path) -> None:
    package = tmp_path / "net_pkg.sv"
    package.write_text(systemverilog_package(PORTS, 8, StreamChoice().layouts(PORTS)))
    require_silent(tmp_path, [package])
    yosys = toolchain.look_for("yosys")
    if yosys is not None:
        tool_runs.run(yosys, ["-q", "-p", "read_verilog -sv net_pkg.sv"], cwd=tmp_path)
    iverilog = toolchain.look_for("iverilog")
    if iverilog is None:
        pytest.skip("Icarus Verilog is not installed")
    (tmp_path / "check.sv").write_text(CHECK)
    command = ["-g2012", "-o", "check", "net_pkg.sv", "check.sv"]
    tool_runs.run(iverilog, command, cwd=tmp_path)
    shown = subprocess.run(
        ["vvp", "check"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert shown[0] == f"7 42 -{1 << 40}"
    assert shown[1] == "1e-07 -0.5 -5"
    assert shown[2] == "ef 23456789abcd"


def test_streams_of_odd_widths_are_refused() -> None:
    with pytest.raises(KanError, match="a beat of 20 bits"):
        StreamChoice(20).layouts(PORTS)


def test_a_clock_enable_is_estimated_as_a_copy_of_the_network(tmp_path: Path) -> None:
    result = built(tmp_path, "--clock-enable")
    assert result.returncode == 0, result.stderr
    estimate = json.loads((tmp_path / "out" / "report.json").read_text())["estimate"]
    assert estimate["registers"] == estimate["core"]["registers"]


def test_accumulators_take_a_clock_enable_and_are_estimated() -> None:
    """Their next values come after them."""
    text = """
    func.func @net(%x: !kan.int<0:3>) -> !kan.int<0:6> attributes {kan.interval = 2 : i64} {
      %s = kan.folded_by_input %x, %x as "l" interval 2 tables dense<[[[0, 1, 2, 3],
        [3, 1, 2, 0]]]> : tensor<1x2x4xi8> from 0 bias dense<0> : tensor<1xi8> : !kan.int<0:3>,
        !kan.int<0:3> -> !kan.int<0:6>
      func.return %s : !kan.int<0:6>
    }"""
    module, context = parse_text(make_context(), text.encode(), "net.mlir"), make_context()
    for stage in (SchedulePass(), LowerKanToHwPass(), WrapInterfacePass(clock_enable=True)):
        stage.apply(context, module)
    network, wrapped = (op for op in module.ops if isinstance(op, hw.HWModuleOp))
    costs = [module_cost(each, device("ecp5")) for each in (network, wrapped)]
    assert costs[0][1] == costs[1][1]
