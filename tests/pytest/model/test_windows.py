"""Values that a layer sets apart, as a mark for missing ones, keep a code of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.evaluate.onnx_subgraph import open_runner
from kan_dialect.files.data_sets import Dataset
from kan_dialect.flows.build import build
from kan_dialect.flows.build_options import BuildOptions
from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.ir.constants import FloatArray
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.model.model import Model
from kan_dialect.model.windows import Standing, as_coded, set_apart
from kan_dialect.passbase.pipeline import build_pipeline
from kan_dialect.universe import UNIVERSE
from onnx_windows import DENSE, SENTINEL, WEIGHTS, WINDOW, save

RNG = np.random.default_rng(7)


def expected(path: Path, x: FloatArray) -> FloatArray:
    model = onnx.load(path)  # pyright: ignore[reportUnknownMemberType] (it has no types)
    (y,) = open_runner(model).run(["y"], {"x": x.astype(np.float32)})
    return np.asarray(y, dtype=np.float64)


def run(module: ModuleOp, text: str) -> None:
    for stage in build_pipeline(UNIVERSE.all_passes, text):
        stage.apply(make_context(), module)


def tables(path: Path, x: FloatArray, folder: Path, bits: int = 8) -> Model:
    """The model in tables, calibrated with x."""
    np.savez(folder / "x.npz", x=x)
    module = load_onnx(path)
    data = f'kan-calibrate{{data="{folder / "x.npz"}"}}'
    run(module, f"{data},kan-quantize{{bits={bits}}},kan-fold-tables")
    return Model.of(module)


def marked(value: float, share: float = 0.1) -> FloatArray:
    x = RNG.uniform(0.0, 10.0, (400, 2)).astype(np.float32).astype(np.float64)
    x[RNG.random(x.shape) < share] = np.float32(value)
    return x


@pytest.mark.parametrize("bits", [5, 8])
@pytest.mark.parametrize("value", [-999.0, -1.0, 1e6])
def test_mark_beyond_the_other_values(tmp_path: Path, value: float, bits: int) -> None:
    """Its table entries are exact, and the other values keep their resolution."""
    path = save(tmp_path / "m.onnx", [*SENTINEL, DENSE], t=value, k=0.7, W=WEIGHTS)
    x = marked(value)
    apart = np.abs(tables(path, x, tmp_path, bits).run(x) - expected(path, x))
    step = 10.0 * (1 + 1 / 4) / (2**bits - 1)
    both = (x == value).all(axis=1)
    assert both.any()
    assert apart[both].max() < 2 * step
    assert apart.max() < 4 * step


def test_narrow_window_between_two_codes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Most samples near 4.3 are marks; the nearest code is theirs."""
    nodes = [*WINDOW, DENSE]
    path = save(tmp_path / "m.onnx", nodes, t=4.3, e=1e-3, k=9.0, W=WEIGHTS)
    x = marked(4.3, 0.3)
    both = (x == np.float32(4.3)).all(axis=1)
    assert both.any()
    apart = np.abs(tables(path, x, tmp_path, 6).run(x) - expected(path, x))
    assert apart[both].max() < 0.7
    assert "which are read like it: give more bits" in caplog.text


def test_value_without_a_code_of_its_own_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = save(tmp_path / "m.onnx", [*SENTINEL, DENSE], t=4.3, k=50.0, W=WEIGHTS)
    x = marked(3.0, 0.0)
    model = tables(path, x, tmp_path, 5)
    assert "input 0: the value 4.30000019 is treated differently by the model" in caplog.text
    assert np.abs(model.run(x) - expected(path, x)).max() < 2.0


def test_windows_near_the_others_stay() -> None:
    values = np.array([[0.0], [10.0], [10.5], [-999.0], [4.0]])
    windows = np.array([[0.0, -999.0, -999.0], [0.0, 3.9, 4.1], [0.0, 10.5, 10.5]])
    moved, seen = set_apart(values, windows)
    assert moved[:, 0].tolist() == [0.0, 10.0, 10.5, -1.25, 4.0]
    assert seen[:, 3:].tolist() == [[1, -1.25], [1, 4.0], [1, 10.5]]


def test_marks_do_not_count_as_saturated(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [*SENTINEL, DENSE], t=-999.0, k=0.7, W=WEIGHTS)
    x = marked(-999.0, 0.2)
    np.savez(tmp_path / "x.npz", x=x)
    module = load_onnx(path)
    text = f'kan-compile{{data="{tmp_path / "x.npz"}" fast=true}}'
    passes = build_pipeline(UNIVERSE.all_passes, text)
    options = BuildOptions(passes, dataset=Dataset(x), simulator=None, vectors=10)
    report = build(make_context(), module, tmp_path / "out", options)
    assert report.saturation is not None
    assert report.saturation["calibration"].saturated == 0
    assert not [each for each in report.warnings if "saturate" in each]
    assert report.max_abs_error is not None
    assert report.max_abs_error < 0.3


def test_as_coded_changes_windows_alone(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [*SENTINEL, DENSE], t=-999.0, k=0.7, W=WEIGHTS)
    x = marked(-999.0)
    function = Model.of(load_onnx(path)).op
    assert isinstance(function, func.FuncOp)
    ports, _ = tables(path, x, tmp_path).ports()
    coded = as_coded(function, ports, x)
    assert ((coded == x) == (x != -999.0)).all()
    assert coded.min() > -3.0


def test_inputs_behind_the_last_window_keep_their_scales() -> None:
    element = UniformQuantizedType(8, False, [0.5, 0.25, 1.0, 2.0], [0, 0, 0, 0], axis=0)
    found = Standing.of(np.array([[0.0, 7.1, 7.2, 0.0, 0.0]]), element, None, None, "input")
    assert found.table.tolist() == [[0.0, 14.0, 7.15]]
