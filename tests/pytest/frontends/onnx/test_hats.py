"""Layers of hat functions max(0, 1 - |x - t| / h): B-splines of degree 1, however written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from fuzz.random_graphs import Writer
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.ir.constants import Array, FloatArray, to_floats
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import AffineOp, NodeSumOp
from kan_dialect.ops.spline import BaseOp, BSplineOp

INPUTS, HATS, NODES = 3, 6, 2
GRID = np.linspace(-1, 1.5, HATS).astype(np.float32)
"""With a step of 0.5, which float32 has."""
STEP = 0.5

Hats = Callable[[Writer, str], str]
"""Writes hats (batch, in, grid) of x - t, (batch, in, grid)."""


def _tent(writer: Writer, away: str) -> str:
    """1 - |x - t| / h."""
    share = writer.op("Div", writer.op("Abs", away), writer.const(STEP))
    return writer.op("Sub", writer.const(1.0), share)


def _relu(writer: Writer, away: str) -> str:
    return writer.op("Relu", _tent(writer, away))


def _max(writer: Writer, away: str) -> str:
    return writer.op("Max", writer.const(0.0), _tent(writer, away))


def _clip(writer: Writer, away: str) -> str:
    return writer.op("Clip", _tent(writer, away), writer.const(0.0), writer.const(1.0))


def _scaled_before(writer: Writer, away: str) -> str:
    share = writer.op("Abs", writer.op("Mul", away, writer.const(1 / STEP)))
    return writer.op("Relu", writer.op("Add", writer.op("Neg", share), writer.const(1.0)))


def _scaled_after(writer: Writer, away: str) -> str:
    tent = writer.op("Sub", writer.const(STEP), writer.op("Abs", away))
    return writer.op("Div", writer.op("Relu", tent), writer.const(STEP))


def _lines(writer: Writer, away: str) -> str:
    share, one = writer.op("Div", away, writer.const(STEP)), writer.const(1.0)
    lower = writer.op("Min", writer.op("Add", one, share), writer.op("Sub", one, share))
    return writer.op("Relu", lower)


def _where(writer: Writer, away: str) -> str:
    share, one = writer.op("Abs", writer.op("Div", away, writer.const(STEP))), writer.const(1.0)
    inside = writer.op("Less", share, one)
    return writer.op("Where", inside, writer.op("Sub", one, share), writer.const(0.0))


def _three_ramps(writer: Writer, away: str) -> str:
    share, one = writer.op("Div", away, writer.const(STEP)), writer.const(1.0)
    left, right = writer.op("Add", share, one), writer.op("Sub", share, one)
    twice = writer.op("Mul", writer.op("Relu", share), writer.const(2.0))
    rest = writer.op("Sub", writer.op("Relu", left), twice)
    return writer.op("Add", rest, writer.op("Relu", right))


def _extremum(writer: Writer, away: str) -> str:
    share = writer.op("Div", away, writer.const(STEP))
    absolute = writer.op("Max", share, writer.op("Neg", share))
    return writer.op("Relu", writer.op("Sub", writer.const(1.0), absolute))


WRITINGS: list[Hats] = [
    _relu,
    _max,
    _clip,
    _scaled_before,
    _scaled_after,
    _lines,
    _where,
    _three_ramps,
    _extremum,
]


def column(writer: Writer, x: str = "x") -> str:
    return writer.op("Unsqueeze", x, writer.ints(-1))


def layer(writer: Writer, hats: str, weights: Array, *, einsum: bool = False) -> str:
    """Nodes of hats (batch, in, grid); weights (in, grid, out)."""
    if einsum:
        return writer.op("Einsum", hats, writer.const(weights), equation="big,igo->bo")
    flat = writer.op("Reshape", hats, writer.ints(-1, weights.shape[0] * weights.shape[1]))
    return writer.op("MatMul", flat, writer.const(weights.reshape(-1, weights.shape[-1])))


def save(writer: Writer, y: str, path: Path) -> Path:
    graph = helper.make_graph(
        [*writer.nodes, helper.make_node("Identity", [y], ["y"])],
        "hats",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", INPUTS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", NODES])],
        writer.tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    path.write_bytes(model.SerializeToString())
    return path


def imported(path: Path, spread: float = 2.0) -> tuple[BSplineOp, list[type]]:
    """The B-splines of a model, which computes as ONNX Runtime does; and the kinds of its ops."""
    module = load_onnx(path)
    x = np.random.default_rng(3).normal(size=(500, INPUTS)) * spread
    x[:HATS, 0] = GRID  # on knots, and far outside
    x[HATS : HATS + 2] = [[-1e4] * INPUTS, [1e4] * INPUTS]
    x = x.astype(np.float32)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    expected = np.asarray(session.run(None, {"x": x})[0])
    found = Model.of(module).run(x.astype(np.float64))
    assert np.abs(found - expected).max() <= 3e-6 * np.ptp(expected)
    assert (np.abs(x) > 2 * spread).any()
    body = Model.of(module).op.body.block.ops
    (splines,) = [op for op in body if isinstance(op, BSplineOp)]
    assert splines.degree.value.data == 1
    return splines, [type(op) for op in body if not isinstance(op, BSplineOp)][:-1]


def weights(hats: int = HATS) -> FloatArray:
    values = np.random.default_rng(0).normal(size=(INPUTS, hats, NODES))
    return values.astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("writing", WRITINGS, ids=lambda each: each.__name__.strip("_"))
def test_grid_and_coefficients_are_those_of_the_file(writing: Hats, tmp_path: Path) -> None:
    writer = Writer(np.random.default_rng(0))
    hats = writing(writer, writer.op("Sub", column(writer), writer.const(GRID)))
    splines, others = imported(save(writer, layer(writer, hats, weights()), tmp_path / "m.onnx"))
    assert others == [NodeSumOp]
    assert to_floats(splines.knots).tolist() == [-1.5, *GRID.tolist(), 2.0]
    assert np.array_equal(to_floats(splines.coefficients), weights().transpose(2, 0, 1))


def test_with_a_base_function(tmp_path: Path) -> None:
    writer = Writer(np.random.default_rng(0))
    hats = _relu(writer, writer.op("Sub", column(writer), writer.const(GRID)))
    y = layer(writer, hats, weights(), einsum=True)
    silu = writer.op("Mul", "x", writer.op("Sigmoid", "x"))
    y = writer.op("Add", y, writer.op("MatMul", silu, writer.weights(INPUTS, NODES)))
    splines, others = imported(save(writer, y, tmp_path / "m.onnx"))
    assert BaseOp in others
    assert np.array_equal(to_floats(splines.coefficients), weights().transpose(2, 0, 1))


def test_one_by_one_behind_an_affine(tmp_path: Path) -> None:
    """Each hat by ops of its own."""
    writer = Writer(np.random.default_rng(0))
    x = writer.op("Mul", "x", writer.const(0.5))
    hats = [_relu(writer, writer.op("Sub", x, writer.const(place))) for place in GRID]
    mixed = weights().transpose(1, 0, 2).reshape(-1, NODES)
    y = writer.op("MatMul", writer.op("Concat", *hats, axis=1), writer.const(mixed))
    splines, others = imported(save(writer, y, tmp_path / "m.onnx"), spread=4.0)
    assert others == [AffineOp, NodeSumOp]
    assert to_floats(splines.knots).tolist() == [-1.5, *GRID.tolist(), 2.0]
    assert np.array_equal(to_floats(splines.coefficients), weights().transpose(2, 0, 1))


def test_uneven_knots_of_each_input(tmp_path: Path) -> None:
    """Flanks of different widths, that end at the neighbours' peaks."""
    writer = Writer(np.random.default_rng(0))
    knots = np.sort(writer.rng.uniform(-2, 2, (INPUTS, HATS + 2)), axis=1).astype(np.float32)
    left, peak, right = knots[:, :-2], knots[:, 1:-1], knots[:, 2:]
    x = column(writer)
    rising = writer.op("Div", writer.op("Sub", x, writer.const(left)), writer.const(peak - left))
    falling = writer.op("Div", writer.op("Sub", writer.const(right), x), writer.const(right - peak))
    hats = writer.op("Relu", writer.op("Min", rising, falling))
    splines, _ = imported(save(writer, layer(writer, hats, weights()), tmp_path / "m.onnx"))
    assert np.allclose(to_floats(splines.knots), knots, rtol=0, atol=3e-7)
    found = to_floats(splines.coefficients)
    assert np.allclose(found, weights().transpose(2, 0, 1), rtol=1e-6)


@pytest.mark.parametrize("width", [0.8, None])
def test_hats_that_overlap_otherwise(width: float | None, tmp_path: Path) -> None:
    """Of another width than the grid's step: sums of B-splines on all of their knots."""
    writer = Writer(np.random.default_rng(1))
    widths = np.full(HATS, width) if width else writer.rng.uniform(0.2, 1, HATS)
    widths = widths.astype(np.float32)
    away = writer.op("Abs", writer.op("Sub", column(writer), writer.const(GRID)))
    tent = writer.op("Sub", writer.const(1.0), writer.op("Div", away, writer.const(widths)))
    y = layer(writer, writer.op("Relu", tent), weights())
    splines, others = imported(save(writer, y, tmp_path / "m.onnx"))
    assert others == [NodeSumOp]
    expected = np.concatenate([GRID - widths, GRID, GRID + widths])
    apart = np.abs(to_floats(splines.knots)[:, np.newaxis] - expected)
    assert apart.min(axis=0).max() < 1e-6 and apart.min(axis=1).max() < 1e-6


def test_trapezoids_are_no_hats(tmp_path: Path) -> None:
    writer = Writer(np.random.default_rng(0))
    away = writer.op("Abs", writer.op("Sub", column(writer), writer.const(GRID)))
    tent = writer.op("Sub", writer.const(1.5), away)
    hats = writer.op("Clip", tent, writer.const(0.0), writer.const(1.0))
    module = load_onnx(save(writer, layer(writer, hats, weights()), tmp_path / "m.onnx"))
    assert not any(isinstance(op, BSplineOp) for op in module.walk())
