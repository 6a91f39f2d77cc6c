"""The boards in examples/boards: lint, simulation with the host script, bitstreams."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import flow

from repository import EXAMPLES, ROOT

BOARDS = EXAMPLES / "boards"
PORTS = {"ulx3s": 12, "icebreaker": 5}
"""Bits of the ports of each board's top, all with a pin."""


def require_tools(*names: str) -> None:
    for name in names:
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not on the PATH")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example network with small tables behind a stream of bytes."""
    folder = tmp_path_factory.mktemp("boards") / "wine"
    arguments = ["build", EXAMPLES / "wine.onnx", "-o", folder, "--vectors", 20]
    arguments += ["--calibration", EXAMPLES / "wine.npz", "--bits", 3, "--fast"]
    arguments += ["--simulator", "none", "--no-check-passes", "--certificate", "never"]
    arguments += ["--interface", "axi-stream", "--beat-bits", 8]
    assert flow(*arguments) == 0
    return folder


def sources(built: Path, board: str) -> list[Path]:
    rtl = [built / "rtl" / "wine.sv", built / "rtl" / "wine_axi_stream.sv"]
    return [*rtl, *sorted((BOARDS / "rtl").glob("*.sv")), BOARDS / board / f"{board}_top.sv"]


@pytest.mark.parametrize("board", PORTS)
def test_the_linter_has_nothing_to_say(board: str, built: Path, tmp_path: Path) -> None:
    require_tools("verilator")
    command = ["verilator", "--lint-only", "-Wall", "-DNETWORK=wine_axi_stream"]
    command += ["--top", f"{board}_top", *map(str, sources(built, board))]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("board", PORTS)
@pytest.mark.parametrize("options", [["+stream"], ["+break", "+stream"], []])
def test_boards_compute_the_integer_model(
    board: str, options: list[str], built: Path, tmp_path: Path
) -> None:
    """The UART model sends samples; with `+break`, after an unfinished one."""
    require_tools("iverilog", "vvp")
    files = [*sources(built, board), BOARDS / "sim" / "board_tb.sv"]
    defines = ["-DNETWORK=wine_axi_stream", f"-DBOARD_{board.upper()}"]
    compiled = ["iverilog", "-g2012", "-s", "board_tb", "-o", "board", *defines, *map(str, files)]
    subprocess.run(compiled, cwd=tmp_path, check=True)
    lines = (built / "sim" / "wine_inputs.hex").read_text().splitlines()[-12:]
    results = (built / "sim" / "wine_outputs.hex").read_text().splitlines()[-12:]
    samples = [[int(code, 16) for code in line.split("_")] for line in lines]
    (tmp_path / "to_board").write_bytes(bytes(code for sample in samples for code in sample))
    run = ["vvp", "-n", "board", f"+in={len(samples[0])}", "+out=3", *options]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert "PASS" in done.stdout, done.stdout
    got = np.array([int(line, 16) for line in (tmp_path / "from_board").read_text().split()])
    bits = [p["bits"] for p in json.loads((built / "report.json").read_text())["ports"][-3:]]
    codes = np.array([[int(code, 16) for code in line.split("_")] for line in results])
    # The board extends signs to whole bytes.
    assert np.array_equal(got.reshape(-1, 3) & ((1 << np.array(bits)) - 1), codes)
    signs = codes >> (np.array(bits) - 1)
    assert np.array_equal(got.reshape(-1, 3) >> np.array(bits), signs * (255 >> np.array(bits)))


@pytest.mark.parametrize("board", PORTS)
def test_the_host_script_talks_to_a_board(board: str, built: Path) -> None:
    require_tools("iverilog", "vvp", "cc")
    data = EXAMPLES / "wine.npz"
    command = [sys.executable, str(BOARDS / "simulate.py"), str(built), "--board", board]
    command += ["--simulator", "icarus", "--run", sys.executable, str(BOARDS / "host.py")]
    command += [str(built), "--data", str(data), "--samples", "5"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 samples, 0 differ from the integer model" in done.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [("1,2\n", "is not an .npz file; save samples as x with numpy.savez"), (None, "no array x")],
)
def test_data_without_samples_is_told(
    text: str | None, message: str, built: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    if text is None:
        with data.open("wb") as file:
            np.savez(file, y=np.zeros(3))
    else:
        data.write_text(text)
    command = [sys.executable, str(BOARDS / "host.py"), str(built), "--data", str(data), "port"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("board", PORTS)
def test_git_ignores_what_make_writes(board: str) -> None:
    """What `make clean` removes."""
    require_tools("git")
    (line,) = re.findall(r"^\trm -f (.*)$", (BOARDS / "common.mk").read_text(), re.MULTILINE)
    names = line.replace("$(TOP)", f"{board}_top").split()
    command = [
        "git",
        "check-ignore",
        "--no-index",
        *(f"examples/boards/{board}/{n}" for n in names),
    ]
    if not (ROOT / ".git").exists():
        pytest.skip("not in a git repository")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert len(done.stdout.splitlines()) == len(names) > 5


def test_a_design_without_bytes_is_refused(tmp_path: Path) -> None:
    require_tools("make")
    command = ["make", "-C", str(BOARDS / "ulx3s"), f"DESIGN={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode and "build with --interface axi-stream --beat-bits 8" in done.stderr


@pytest.mark.ci
@pytest.mark.parametrize(("board", "tool"), [("ulx3s", "ecp5"), ("icebreaker", "ice40")])
def test_bitstreams_are_made(board: str, tool: str, built: Path, tmp_path: Path) -> None:
    require_tools("yosys", "make", f"nextpnr-{tool}")
    folder = tmp_path / "boards"
    shutil.copytree(BOARDS, folder)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    command = ["make", "-C", str(folder / board), f"DESIGN={built}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / board / f"{board}_top.bit").stat().st_size > 10_000
    report = json.loads((folder / board / "report.json").read_text())
    ((_, clock),) = report["fmax"].items()
    assert clock["achieved"] > clock["constraint"]
    log = (folder / board / "nextpnr.log").read_text()
    assert "unconstrained" not in log
    pins = {"ulx3s": "TRELLIS_IO", "icebreaker": "SB_IO"}[board]
    assert report["utilization"][pins]["used"] == PORTS[board]
