"""A package of another author that recognises edges in ONNX files, and bounds them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quantised_files import File
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, prop_def

from kan_dialect.analysis.enclosures import Enclosure, enclose, enclosure_of
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_function
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.frontends.onnx.recognise import recognisers
from kan_dialect.frontends.onnx.recognise.bases import Basis, Parameters
from kan_dialect.frontends.onnx.recognise.recognisers import EdgeFunctions, Recogniser
from kan_dialect.ir.constants import FloatArray, as_dense, to_floats
from kan_dialect.ir.functions import functions_of
from kan_dialect.maths.interval_functions import Range
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.spline import EdgeOp, edge_type


@irdl_op_definition
class SignedSquareOp(EdgeOp):
    """Edges weights[o, i] * x * |x|."""

    name = "demo.signed_square"

    weights = prop_def(DenseIntOrFPElementsAttr)

    def __init__(self, input: SSAValue, weights: FloatArray, *, name: str) -> None:
        result = edge_type(input, *weights.shape)
        self.set_up([input], [result], weights=as_dense(weights), name=name)

    def verify_edges(self, outputs: int, inputs: int) -> None:
        assert to_floats(self.weights).shape == (outputs, inputs)

    def edges(self, x: FloatArray) -> FloatArray:
        return to_floats(self.weights) * (x * np.abs(x))[:, np.newaxis]


@enclosure_of(SignedSquareOp)
def _bounds(op: SignedSquareOp, operands: list[Enclosure]) -> Enclosure:
    """The function rises; bounds of its derivative are not needed."""
    (x,) = operands
    weights = to_floats(op.weights)

    def at(values: Range) -> Range:
        ends = [(v * np.abs(v))[:, np.newaxis] * weights for v in (values.low, values.high)]
        return Range(np.minimum(*ends), np.maximum(*ends))

    value = at(x.value)
    endless = np.full_like(value.low, np.inf)
    return Enclosure(value, Range(-endless, endless), at(x.middle), x.radius)


@dataclass(frozen=True)
class SignedSquares(Basis):
    kind = "signed_square"

    @property
    def count(self) -> int:
        return 1

    def edges(self, at: Parameters, name: str) -> EdgeOp:
        return SignedSquareOp(at.value, to_floats(at.coefficients)[:, :, 0], name=name)


def recognise(functions: EdgeFunctions) -> Basis | None:
    points = np.repeat(np.linspace(-3.0, 3.0, 13)[:, np.newaxis], functions.inputs, axis=1)
    wanted = (points * np.abs(points))[:, functions.columns]
    return SignedSquares() if np.allclose(functions.values(points), wanted) else None


def fail(functions: EdgeFunctions) -> Basis | None:
    raise ValueError("a bug")


RECOGNISER = Recogniser("signed-square", recognise)
FAILING = Recogniser("failing", fail)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Installs entry points of the group."""

    def install(*values: str) -> None:
        entries = [EntryPoint(v, v, recognisers.ENTRY_POINT_GROUP) for v in values]
        monkeypatch.setattr(recognisers, "entry_points", lambda group: entries)
        recognisers.other_recognisers.cache_clear()

    yield install
    recognisers.other_recognisers.cache_clear()


def file(path: Path) -> tuple[File, Path]:
    found = File(3)
    size = found.add("Abs")
    found.join("Mul", ["x", size])
    found.add("MatMul", found.constant([[1.0, 2.0], [0.5, -1.0], [0.25, 3.0]]))
    return found, found.save(path)


def test_a_recogniser_of_another_package(tmp_path: Path, installed: Any) -> None:
    written, path = file(tmp_path / "m.onnx")
    assert "demo" not in str(load_onnx(path))
    installed(f"{__name__}:RECOGNISER")
    module = load_onnx(path)
    (edges,) = (op for op in module.walk() if isinstance(op, EdgeOp))
    assert isinstance(edges, SignedSquareOp) and edges.given_name == "layer0"
    (function,) = functions_of(module)
    x = np.random.default_rng(0).normal(size=(50, 3))
    (found,) = evaluate_function(function, [x])
    assert np.allclose(found, written.outputs(x))


def test_bounds_of_edges_of_another_package(tmp_path: Path, installed: Any) -> None:
    """Every sample of a box lies within the bounds, which the ends of the box reach."""
    installed(f"{__name__}:RECOGNISER")
    module = load_onnx(file(tmp_path / "m.onnx")[1])
    (function,) = functions_of(module)
    (sums,) = (op for op in module.walk() if isinstance(op, NodeSumOp))
    low, high = np.array([[-1.0, 0.5, -2.0]]), np.array([[2.0, 1.0, -1.0]])
    bounds = enclose(sums.edges, function.args[0], low, high, function.body.block.ops)
    weights = np.array([[1.0, 0.5, 0.25], [2.0, -1.0, 3.0]])
    ends = [weights * each * np.abs(each) for each in (low[0], high[0])]
    assert np.allclose(bounds.low[0], np.minimum(*ends))
    assert np.allclose(bounds.high[0], np.maximum(*ends))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no.such.module:R", "recogniser of ONNX layers .* cannot be loaded"),
        (f"{__name__}:recognise", "recogniser of ONNX layers .* not a Recogniser"),
        (f"{__name__}:FAILING", "recogniser 'failing'.* a bug"),
    ],
)
def test_a_broken_recogniser(value: str, reason: str, tmp_path: Path, installed: Any) -> None:
    installed(value)
    with pytest.raises(KanError, match=reason):
        load_onnx(file(tmp_path / "m.onnx")[1])
