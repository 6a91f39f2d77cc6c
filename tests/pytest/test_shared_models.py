"""Trained models of the shared data, from ONNX to simulated RTL at 8 bits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kan_dialect.cli import kan_flow
from kan_dialect.cli.loading import load_model, make_context
from kan_dialect.flows.tools import find_simulator
from kan_dialect.model import Model

# Largest loss of test accuracy at 8 bits: one of 54 samples, one point.
CASES = [("efficient_kan_wine", "wine", 1 / 54), ("efficient_kan_digits", "digits", 0.01)]


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        kan_flow.main([str(argument) for argument in arguments])
    code = ended.value.code
    return code if isinstance(code, int) else 0


@pytest.mark.parametrize(("name", "data", "loss"), CASES)
def test_from_onnx_to_rtl(
    name: str, data: str, loss: float, shared_data: Path, tmp_path: Path
) -> None:
    source, samples = shared_data / "onnx" / f"{name}.onnx", shared_data / "onnx" / f"{data}.npz"
    reference = np.load(shared_data / "onnx" / "reference_outputs.npz")[name]
    x_test = np.load(samples)["x_test"].astype(np.float64)
    imported = Model.of(load_model(make_context(), source))
    np.testing.assert_allclose(imported.run(x_test), reference, atol=1e-5)

    folder = tmp_path / "build"
    options = ["--calibration", samples, "--bits", 8, "-o", folder]
    if find_simulator("verilator") is None:
        pytest.skip("Verilator is not installed")
    assert run("build", source, *options) == 0
    report = json.loads((folder / "report.json").read_text())
    assert report["simulation"]["mismatches"] == 0
    assert report["simulation"]["vectors"] >= 10_000 + len(x_test)
    assert report["accuracy"]["integer"] >= report["accuracy"]["float"] - loss - 1e-9

    if find_simulator("icarus") is None:
        pytest.skip("Icarus Verilog is not installed")
    # Icarus takes milliseconds a vector on the larger one: all samples, and fewer random vectors.
    vectors = 10_000 if data == "wine" else 500
    arguments = ["--inputs", samples, "--simulator", "icarus", "--vectors", vectors]
    assert run("simulate", folder, *arguments) == 0
