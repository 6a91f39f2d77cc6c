"""Number formats in what a build writes: RTL, packages, codec, emulator, report and page."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import kan_dialect as kan
from kan_dialect.cli import kan_flow
from kan_dialect.flows.built_models import built_models
from kan_dialect.flows.simulate.simulation import simulate
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.ir.constants import FloatArray

NETWORK = """
func.func @net(%x: tensor<2xf64>) -> tensor<2xf64> {
  %s = kan.bspline %x degree 1 knots dense<[-8.0, -4.0, 0.0, 4.0, 8.0]> : tensor<5xf64>
    coefficients dense<[[[0.5, -1.0, 0.25], [1.0, 0.5, -0.5]],
                        [[2.0, 1.0, 0.0], [0.0, 0.25, 0.5]]]> : tensor<2x2x3xf64>
    : tensor<2xf64> -> tensor<2x2xf64>
  %n = kan.node_sum %s : tensor<2x2xf64> -> tensor<2xf64>
  func.return %n : tensor<2xf64>
}
"""
INPUTS = {"x0": (12, True, 2.0**-8, 0), "x1": (10, False, 0.015625, 512)}
OUTPUTS = {"y0": (16, True, 2.0**-12, 0), "y1": (9, False, 0.0625, 100)}
"""Bits, sign, scale and zero point of each port."""
OPTIONS = ("--input-format", "x0=s12.8,x1=u10:0.015625:512")
OPTIONS += ("--output-format", "y0=s16.12,y1=u9:0.0625:100")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("formats")
    (folder / "net.mlir").write_text(NETWORK)
    with pytest.raises(SystemExit) as ended:
        rest = ("--interface", "axi-stream", "--simulator", "none", "-o", str(folder / "out"))
        kan_flow.main(["build", str(folder / "net.mlir"), "--bits", "5", *OPTIONS, *rest])
    assert not ended.value.code
    return folder / "out"


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def samples() -> FloatArray:
    x = np.random.default_rng(0).uniform(-9.0, 9.0, (300, 2))
    # Halves of a step, and values that saturate.
    x[:4] = [[0.5 / 256, 0.0078125], [1.5 / 256, -0.0078125], [100.0, 100.0], [-100.0, -100.0]]
    return x


def test_floats_go_through_codec_emulator_and_hardware(built: Path) -> None:
    x = samples()
    codec = loaded(built / "host" / "net_codec.py")
    codes = codec.encode(x)
    for column, (bits, signed, scale, zero) in enumerate(INPUTS.values()):
        low = -(1 << (bits - 1)) if signed else 0
        by_hand = [
            min(max(round(value / scale) + zero, low), low + (1 << bits) - 1)
            for value in x[:, column].tolist()
        ]
        assert codes[:, column].tolist() == by_hand
    integer, circuit = built_models(built)
    expected = integer.run_codes(codes)
    network = kan.from_ir(NETWORK)
    for column, (bits, signed, scale, zero) in enumerate(OUTPUTS.values()):
        assert np.ptp(expected[:, column]) > 20
        real = (expected[:, column] - zero) * scale
        np.testing.assert_array_equal(codec.decode(expected)[:, column], real)
        # Inputs of 5 bits are half a step of 0.5 off, where edges have slopes up to 0.5.
        inside = np.abs(x).max(axis=1) < 3.9
        assert np.abs(real - network(x)[:, column])[inside].max() < 0.5, (bits, signed)
    emulator = loaded(built / "host" / "net_emulator.py")
    if shutil.which("cc") is not None:
        np.testing.assert_array_equal(emulator.run_codes(codes), expected)
        np.testing.assert_array_equal(emulator.predict(x), codec.decode(expected))
    if find_simulator("icarus") is None:
        pytest.skip("Icarus is not installed: all but the RTL is compared")
    rtl = built / "rtl" / "net.sv"
    got = simulate(rtl, circuit.interface(), codes, simulator="icarus", bubbles=0.2)
    np.testing.assert_array_equal(got, expected)


def test_every_file_says_the_same_of_the_ports(built: Path) -> None:
    report = json.loads((built / "report.json").read_text())
    ports = {port["name"]: port for port in report["ports"]}
    package = (built / "rtl" / "net_pkg.sv").read_text()
    vhdl = (built / "vhdl" / "net_pkg.vhd").read_text().lower()
    page = (built / "report.html").read_text()
    codec = loaded(built / "host" / "net_codec.py")
    listed = dict(zip([*INPUTS, *OUTPUTS], [*codec.INPUTS, *codec.OUTPUTS], strict=True))
    for name, (bits, signed, scale, zero) in (INPUTS | OUTPUTS).items():
        low = -(1 << (bits - 1)) if signed else 0
        port = ports[name]
        assert (port["bits"], port["signed"], port["scale"]) == (bits, signed, scale)
        assert (port["zero_point"], port["low"]) == (zero, low)
        assert port["high"] == low + (1 << bits) - 1
        assert listed[name][:5] == (scale, zero, low, low + (1 << bits) - 1, bits)
        upper = name.upper()
        assert f"{upper}_WIDTH = {bits};" in package
        assert f"{upper}_SCALE = {scale!r};" in package
        assert re.search(rf"{upper}_ZERO_POINT = 64'sd{zero};", package)
        assert re.search(rf"{name}_width\s*: \w+ := {bits};", vhdl), name
        assert re.search(rf"{name}_zero_point\s*: \w+ := {zero};", vhdl), name
        assert str(scale) in page
    # Each field of the stream is padded to whole bytes.
    fields = {field["port"]: field for field in report["interface"]["input"]["fields"]}
    assert [fields[name]["bits"] for name in INPUTS] == [12, 10]


@pytest.mark.ci
def test_the_search_for_bits_keeps_the_formats(tmp_path: Path) -> None:
    """Hardware rounds the codes of the ports to the bits that `--precision auto` found."""
    x = np.random.default_rng(1).uniform(-3.9, 3.9, (400, 2))
    np.savez(tmp_path / "data.npz", x=x)
    (tmp_path / "net.mlir").write_text(NETWORK)
    rest = ("--calibration", str(tmp_path / "data.npz"), "--precision", "auto", "--max-rmse", "0.2")
    rest += ("--simulator", "none")
    with pytest.raises(SystemExit) as ended:
        kan_flow.main(
            ["build", str(tmp_path / "net.mlir"), *OPTIONS, *rest, "-o", str(tmp_path / "out")]
        )
    assert not ended.value.code
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    ports = {port["name"]: port for port in report["ports"]}
    for name, (bits, signed, scale, _) in (INPUTS | OUTPUTS).items():
        assert (ports[name]["bits"], ports[name]["signed"]) == (bits, signed)
        assert ports[name]["scale"] == scale
    integer, _ = built_models(tmp_path / "out")
    off = integer.run(x) - kan.from_ir(NETWORK)(x)
    assert np.sqrt(np.mean(off**2)) <= 0.2
    assert max(report["precision"]["bits"]["inputs"]) < 10
