"""A quantised ONNX file, built without options, proven, and compared with its own operators."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import flow
from quantised_files import File


def network() -> File:
    """A network 4-4-3-2. Some of its nodes are tables of sums of few codes."""
    rng = np.random.default_rng(2)
    file = File(4)
    file.quant(0.1, 4)
    for nodes in (4, 3):
        weights = rng.normal(size=(4, nodes)) * 0.4
        file.dense(weights, np.exp(rng.normal(size=(1, nodes)) * 0.3) * 0.07, 4)
        file.add("Add", file.constant(rng.normal(size=nodes) * 0.3))
        file.add("Relu")
        file.quant(0.23, 4, signed=0)
    file.dense(rng.normal(size=(3, 2)) * 0.4, 0.07, 4)
    return file


def test_build_and_proof(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = network().save(tmp_path / "net.onnx"), tmp_path / "out"
    x = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    labels = network().outputs(x.astype(np.float64)).argmax(axis=1)
    np.savez(tmp_path / "data.npz", x_test=x, y_test=labels, x=x)
    arguments = ("--calibration", tmp_path / "data.npz", "--simulator", "none")
    assert flow("build", path, "-o", out, *arguments) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["accuracy"]["float"] == 1.0
    assert report["accuracy"]["integer"] == 1.0
    assert flow("prove", out) == 0
    assert "equal to the integer model for all codes" in capsys.readouterr().out


def test_bits_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = network().save(tmp_path / "net.onnx")
    assert flow("build", path, "-o", tmp_path / "out", "--bits", 4) == 1
    assert "the model is at table level; leave bits out" in capsys.readouterr().err
