"""Bounds of ONNX subgraphs: each rule encloses its operator; imported edges have certificates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from certificates import Functions, excess, one_layer, only, quantised, samples_of
from fuzz.random_graphs import REGIMES, make_network
from kan_dialect.analysis.certificate import certify
from kan_dialect.analysis.enclosures import NoEnclosureError
from kan_dialect.analysis.onnx import bounds as graph_bounds
from kan_dialect.analysis.onnx import elementwise_rules, movement_rules
from kan_dialect.analysis.onnx.subgraph_bounds import RULES, SubgraphBounds
from kan_dialect.errors import KanError
from kan_dialect.evaluate.onnx_subgraph import run_graph
from kan_dialect.flows.report_certificate import certificate_entry, certificate_text
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.ir.constants import FloatArray
from kan_dialect.maths.interval_functions import Range, turning
from kan_dialect.model.model import Model
from kan_dialect.ops.onnx import OnnxOp
from kan_dialect.passes.calibrate import observe
from kan_dialect.passes.quantize import QuantizePass

BATCH, INPUTS = 4, 3


class Graph:
    """Writes a graph of an input `x` (4, 3)."""

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []

    def const(self, *values: Any) -> str:
        """A tensor of the graph's type."""
        dtype = helper.tensor_dtype_to_np_dtype(self.kind)
        return self._tensor(np.array(values[0] if len(values) == 1 else values, dtype=dtype))

    def ints(self, value: Any) -> str:
        return self._tensor(np.array(value, dtype=np.int64))

    def _tensor(self, array: Any) -> str:
        name = f"c{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(array, name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.ops(kind, *inputs, **attributes)[0]

    def ops(self, kind: str, *inputs: str, results: int = 1, **attributes: Any) -> list[str]:
        names = [f"v{len(self.nodes)}_{index}" for index in range(results)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def floats(self, name: str) -> str:
        return self.op("Cast", name, to=self.kind)

    def whole(self, name: str) -> str:
        return self.op("Cast", self.op("Floor", name), to=TensorProto.INT64)

    def model(self, result: str, opset: int = 20) -> bytes:
        """Add the output y: the result as (4, elements)."""
        flat = self.op("Reshape", result, self.ints([BATCH, -1]))
        self.nodes.append(helper.make_node("Identity", [flat], ["y"]))
        shape = [BATCH, INPUTS]
        ends = [helper.make_tensor_value_info("x", self.kind, shape)]
        result_info = helper.make_tensor_value_info("y", self.kind, None)
        graph = helper.make_graph(self.nodes, "g", ends, [result_info], self.tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        model.ir_version = 9
        return onnx.shape_inference.infer_shapes(model, data_prop=True).SerializeToString()


Recipe = Callable[[Graph], str]


@dataclass(frozen=True)
class Case:
    """A graph around operators, with inputs in `low`..`high`."""

    build: Recipe
    low: float = -4.0
    high: float = 4.0


def _unary(kind: str, low: float = -4.0, high: float = 4.0, **attributes: Any) -> Case:
    return Case(lambda g: g.op(kind, "x", **attributes), low, high)


def _reduced(kind: str, axes: list[int]) -> Case:
    return Case(lambda g: g.op(kind, _column(g), g.ints(axes), keepdims=0))


def _column(g: Graph) -> str:
    """(4, 3, 2)."""
    column = g.op("Unsqueeze", "x", g.ints([2]))
    return g.op("Mul", column, g.const([0.7, -1.3]))


def _jumping(kind: str) -> Case:
    return Case(lambda g: g.floats(g.op(kind, "x", g.const([-1.0, 0.5, 2.0]))))


def _truths(kind: str) -> Case:
    def build(g: Graph) -> str:
        one, other = g.op("Greater", "x", g.const(-1.0)), g.op("Less", "x", g.const(1.5))
        return g.floats(g.op(kind, one, other))

    return Case(build)


def _index(g: Graph, least: float = 0.0, most: float = 4.0) -> str:
    """Indices into a table of five elements."""
    return g.whole(g.op("Clip", "x", g.const(least), g.const(most)))


def _batch_norm(g: Graph) -> str:
    scale, bias = g.const([1.0, -2.0, 0.5]), g.const([0.1, 0.2, 0.3])
    mean, variance = g.const([0.5, -1.0, 2.0]), g.const([0.25, 4.0, 1.0])
    return g.op("BatchNormalization", "x", scale, bias, mean, variance)


def _scattered(g: Graph, kind: str) -> str:
    zeros = g.op("Mul", g.op("Concat", "x", "x", axis=1), g.const(0.5))
    if kind == "ScatterElements":
        place = g.ints(np.tile([4, 0, 3], (BATCH, 1)))
        return g.op(kind, zeros, place, "x", axis=1)
    rows = np.stack(np.meshgrid(np.arange(BATCH), [1, 5, 2], indexing="ij"), axis=-1)
    return g.op(kind, zeros, g.ints(rows), g.op("Sin", "x"))


def _convolved(g: Graph) -> str:
    rng = np.random.default_rng(0)
    columns = g.op("Transpose", _column(g), perm=[0, 2, 1])
    weights = g.const(rng.normal(size=(4, 1, 2)))
    return g.op("Conv", columns, weights, g.const(rng.normal(size=4)), group=2, pads=[1, 0])


def _einsums(g: Graph) -> str:
    weights = g.const(np.random.default_rng(0).normal(size=(5, 3, 2)))
    constant = g.op("Einsum", _column(g), weights, equation="bik,oik->bo")
    computed = g.op("Einsum", "x", g.op("Tanh", _column(g)), equation="bi,bik->bk")
    return g.op("Concat", constant, computed, axis=1)


def _split(g: Graph) -> str:
    left, right = g.ops("Split", "x", g.ints([2, 1]), results=2, axis=1)
    return g.op("Concat", right, left, axis=1)


CASES: dict[str, Case] = {
    "Add": Case(lambda g: g.op("Add", g.op("Mul", "x", "x"), "x")),
    "Sub": Case(lambda g: g.op("Sub", g.const(1.0, 2.0, 3.0), g.op("Sin", "x"))),
    "Mul": Case(lambda g: g.op("Mul", g.op("Sin", "x"), "x")),
    "Mul of itself": Case(lambda g: g.op("Mul", "x", "x")),
    "Div": Case(lambda g: g.op("Div", "x", g.op("Add", g.op("Abs", "x"), g.const(0.1)))),
    "Div through 0": Case(lambda g: g.op("Div", g.const(1.0), "x")),
    "Neg": _unary("Neg"),
    "Min": Case(lambda g: g.op("Min", "x", g.op("Sin", "x"), g.const(0.5))),
    "Max": Case(lambda g: g.op("Max", "x", g.op("Cos", "x"), g.const(-0.5))),
    "Sum": Case(lambda g: g.op("Sum", "x", g.op("Exp", "x"), "x")),
    "Mean": Case(lambda g: g.op("Mean", "x", g.op("Exp", "x"), "x")),
    "Clip": Case(lambda g: g.op("Clip", "x", g.const(-1.0), g.const(2.0))),
    "Clip below": Case(lambda g: g.op("Clip", "x", "", g.const(2.0))),
    "Pow": Case(lambda g: g.op("Pow", "x", g.const(2.0, 3.0, 0.0))),
    "Pow below 0": Case(lambda g: g.op("Pow", "x", g.const(-1.0, -2.0, -3.0)), 0.1, 5.0),
    "Pow of any kind": Case(lambda g: g.op("Pow", "x", g.const(0.5, 1.7, -0.3)), 0.0, 5.0),
    "Pow, computed": Case(lambda g: g.op("Pow", "x", g.op("Sin", "x")), 0.05, 5.0),
    **{kind: _unary(kind) for kind in ("Tanh", "Sigmoid", "Exp", "Sin", "Cos", "Atan", "Erf")},
    **{kind: _unary(kind) for kind in ("Softplus", "Softsign", "Abs", "Relu", "Sinh", "Cosh")},
    **{kind: _unary(kind) for kind in ("LeakyRelu", "Elu", "Selu", "HardSigmoid")},
    **{kind: _unary(kind) for kind in ("Gelu", "Mish", "HardSwish", "Floor", "Ceil", "Round")},
    **{kind: _unary(kind) for kind in ("Sign", "Identity", "Dropout", "Reciprocal", "Tan")},
    "Celu": _unary("Celu", alpha=0.7),
    "Gelu by tanh": _unary("Gelu", approximate="tanh"),
    "HardSwish, far": _unary("HardSwish", -9.0, 9.0),
    "ThresholdedRelu": _unary("ThresholdedRelu", alpha=0.8),
    "Log": _unary("Log", 1e-3, 9.0),
    "Log, also of nothing": _unary("Log", -1.0, 9.0),
    "Sqrt": _unary("Sqrt", 0.0, 9.0),
    "Asin": _unary("Asin", -1.0, 1.0),
    "Acos": _unary("Acos", -1.0, 1.0),
    "Acos of Tanh": Case(lambda g: g.op("Acos", g.op("Tanh", "x")), -30.0, 30.0),
    "Atanh": _unary("Atanh", -0.99, 0.99),
    "PRelu": Case(lambda g: g.op("PRelu", "x", g.const(0.1, -0.4, 2.0))),
    "Cast": Case(lambda g: g.floats(g.op("Cast", "x", to=TensorProto.INT32))),
    "Cast to truths": Case(
        lambda g: g.floats(g.op("Cast", g.op("Relu", "x"), to=TensorProto.BOOL))
    ),
    "Cast to less": Case(
        lambda g: g.floats(g.op("Cast", g.op("Mul", "x", "x"), to=TensorProto.FLOAT16))
    ),
    "CastLike": Case(lambda g: g.floats(g.op("CastLike", "x", g.ints(1)))),
    **{kind: _jumping(kind) for kind in ("Greater", "Less", "GreaterOrEqual", "LessOrEqual")},
    "Equal": Case(lambda g: g.floats(g.op("Equal", g.whole("x"), g.ints([0, 1, -3])))),
    **{kind: _truths(kind) for kind in ("And", "Or", "Xor")},
    "Not": Case(lambda g: g.floats(g.op("Not", g.op("Less", "x", g.const(0.3))))),
    "IsNaN": Case(lambda g: g.floats(g.op("IsNaN", g.op("Log", "x"))), -1.0),
    "IsInf": Case(lambda g: g.floats(g.op("IsInf", "x"))),
    "Where": Case(
        lambda g: g.op("Where", g.op("Less", "x", g.const(0.4)), g.op("Sin", "x"), g.op("Exp", "x"))
    ),
    "MatMul": Case(lambda g: g.op("MatMul", "x", g.const(np.eye(3, 5) - 0.3))),
    "MatMul of rows": Case(lambda g: g.op("MatMul", _column(g), g.const([0.5, -2.0]))),
    "MatMul of computed values": Case(
        lambda g: g.op("MatMul", _column(g), g.op("Transpose", _column(g), perm=[0, 2, 1]))
    ),
    "Gemm": Case(
        lambda g: g.op(
            "Gemm",
            "x",
            g.const(np.eye(5, 3) - 0.3),
            g.const(1.0, 2.0, 3.0, 4.0, 5.0),
            transB=1,
            alpha=0.5,
            beta=2.0,
        )
    ),
    "Einsum": Case(_einsums),
    "Conv": Case(_convolved),
    "BatchNormalization": Case(_batch_norm),
    "ReduceSum": _reduced("ReduceSum", [1, 2]),
    "ReduceMean": _reduced("ReduceMean", [-1]),
    "Reshape": Case(lambda g: g.op("Reshape", _column(g), g.ints([0, 2, 3]))),
    "Transpose": Case(lambda g: g.op("Transpose", _column(g), perm=[0, 2, 1])),
    "Flatten": Case(lambda g: g.op("Flatten", _column(g), axis=1)),
    "Squeeze": Case(lambda g: g.op("Squeeze", g.op("Unsqueeze", "x", g.ints([1])), g.ints([1]))),
    "Unsqueeze": Case(lambda g: g.op("Unsqueeze", "x", g.ints([0, 3]))),
    "Expand": Case(
        lambda g: g.op("Expand", g.op("Unsqueeze", "x", g.ints([1])), g.ints([1, 2, 1]))
    ),
    "Slice": Case(lambda g: g.op("Slice", "x", g.ints([1]), g.ints([2**63 - 1]), g.ints([1]))),
    "Split": Case(_split),
    "Tile": Case(lambda g: g.op("Tile", "x", g.ints([1, 2]))),
    "Trilu": Case(lambda g: g.op("Trilu", _column(g), upper=0)),
    "DepthToSpace": Case(
        lambda g: g.op("DepthToSpace", g.op("Reshape", "x", g.ints([1, 12, 1, 1])), blocksize=2)
    ),
    "SpaceToDepth": Case(
        lambda g: g.op("SpaceToDepth", g.op("Reshape", "x", g.ints([1, 3, 2, 2])), blocksize=2)
    ),
    "Pad": Case(lambda g: g.op("Pad", "x", g.ints([0, 1, 0, 2]), g.const(0.7))),
    "ScatterElements": Case(lambda g: _scattered(g, "ScatterElements")),
    "ScatterND": Case(lambda g: _scattered(g, "ScatterND")),
    "Concat": Case(lambda g: g.op("Concat", "x", g.const(np.ones((4, 2))), "x", axis=1)),
    "Gather": Case(lambda g: g.op("Gather", "x", g.ints([2, 0, -2]), axis=1)),
    "Gather at computed indices": Case(
        lambda g: g.op("Gather", g.const([[0.1, 0.9, -0.4, 0.3, 2.0]] * 2), _index(g), axis=1)
    ),
    "Gather from the end": Case(
        lambda g: g.op("Gather", g.const([0.1, 0.9, -0.4, 0.3, 2.0]), _index(g, -5.0), axis=0)
    ),
    "GatherElements": Case(lambda g: g.op("GatherElements", "x", g.ints([[2, 0]] * BATCH), axis=1)),
    "GatherND": Case(lambda g: g.op("GatherND", "x", g.ints([[[0, 1], [3, 2]]] * BATCH))),
    "OneHot": Case(lambda g: g.op("OneHot", _index(g, -3.0), g.ints(5), g.const(-1.0, 3.0))),
    "a network": Case(
        lambda g: g.op(
            "MatMul",
            g.op("Mul", "x", g.op("Sigmoid", g.op("Sub", g.op("Mul", "x", "x"), g.const(2.0)))),
            g.const(np.eye(3) + 0.1),
        )
    ),
}
"""Test graphs by name: an operator and its use."""


def require_held(case: Case, kind: int, seed: int = 0) -> None:
    """Require that values lie within their bounds."""
    graph = Graph(kind)
    data = graph.model(case.build(graph))
    rng = np.random.default_rng(seed)
    rows = 160
    ends = np.sort(rng.uniform(case.low, case.high, (2, rows, INPUTS)), axis=0)
    width = rng.choice([0.0, 1e-7, 1e-3, 0.1, 1.0], (rows, 1))
    # Some inputs are constant; some are numbers where functions break.
    width = np.where(rng.random((rows, INPUTS)) < 0.3, 0.0, width)
    low = np.where(rng.random((rows, INPUTS)) < 0.1, np.round(ends[0]), ends[0])
    low = np.clip(low, case.low, case.high)
    high = np.maximum(low, low + (ends[1] - ends[0]) * width)
    with np.errstate(all="ignore"):
        found = SubgraphBounds(data).run(low, high)
    shares = np.linspace(-1.0, 1.0, 17)
    middle, half = (low + high) / 2, (high - low) / 2
    points = [np.clip(middle + half * share, low, high) for share in shares]
    values = np.stack([run_graph(data, each) for each in points])
    _require_within(values, found)


def _require_within(values: FloatArray, bounds: Range) -> None:
    finite = np.isfinite(values).all(axis=0)
    # A function that is not finite everywhere has no finite bounds.
    assert not (np.isfinite(bounds.low) & np.isfinite(bounds.high))[~finite].any()
    open_ = np.isnan(bounds.low) | np.isnan(bounds.high)
    within = (values >= bounds.low) & (values <= bounds.high)
    assert (within | open_ | ~finite).all()
    # Infinite bounds would always hold.
    assert np.isfinite(bounds.low).mean() > 0.3


@pytest.mark.parametrize("kind", [TensorProto.DOUBLE, TensorProto.FLOAT])
@pytest.mark.parametrize("name", CASES)
def test_values_lie_within_their_bounds(name: str, kind: int) -> None:
    require_held(CASES[name], kind)


def test_every_rule_is_tried() -> None:
    assert {name.split()[0].rstrip(",") for name in CASES} >= set(RULES)


# Seeded errors are found.


def _monotone_cosine(patch: pytest.MonkeyPatch) -> None:
    _, least, most = elementwise_rules._FUNCTIONS["Cos"]  # pyright: ignore[reportPrivateUsage]
    functions: Any = elementwise_rules._FUNCTIONS  # pyright: ignore[reportPrivateUsage]
    patch.setitem(functions, "Cos", (lambda x: turning(x, np.cos, ()), least, most))


def _square_without_0(patch: pytest.MonkeyPatch) -> None:
    def wrong(step: Any, operands: list[Range]) -> Range:
        return turning(operands[0], np.square, ())

    patch.setitem(RULES, "Mul", wrong)  # pyright: ignore[reportArgumentType]


def _tables_at_the_ends(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(movement_rules, "hull", lambda one, other: one)  # pyright: ignore


def _one_sided_choice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(graph_bounds, "hull", lambda one, other: one)  # pyright: ignore


@pytest.mark.parametrize(
    ("name", "seed_error"),
    [
        ("Cos", _monotone_cosine),
        ("Mul of itself", _square_without_0),
        ("Gather at computed indices", _tables_at_the_ends),
        ("Where", _one_sided_choice),
    ],
)
def test_seeded_errors_are_found(
    name: str, seed_error: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    seed_error(monkeypatch)
    with pytest.raises(AssertionError):
        require_held(CASES[name], TensorProto.DOUBLE)


def _rounded_sum(x: float) -> tuple[Range, Fraction]:
    """Bounds of (x + 0.1) * 0.3, and the exact result."""
    graph = Graph(TensorProto.DOUBLE)
    total = graph.op("Mul", graph.op("Add", "x", graph.const(0.1)), graph.const(0.3))
    row = np.full((1, INPUTS), x)
    exact = (Fraction(x) + Fraction(0.1)) * Fraction(0.3)
    return SubgraphBounds(graph.model(total)).run(row, row), exact


def test_bounds_hold_real_numbers() -> None:
    """Bounds enclose the exact result, not only float64's rounded one."""
    for x in np.random.default_rng(0).uniform(-1, 1, 20).tolist():
        bounds, exact = _rounded_sum(x)
        assert Fraction(float(bounds.low[0, 0])) <= exact <= Fraction(float(bounds.high[0, 0]))


def test_missing_rounding_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        graph_bounds,
        "rounded",
        lambda low, high, noise, *terms, function=False: Range(low, high),  # pyright: ignore
    )
    with pytest.raises(AssertionError):
        test_bounds_hold_real_numbers()


# Certificates


def _functions(seed: int, bits: int, folder: Path) -> tuple[Functions, int]:
    """A random network before and after quantisation, and its ONNX subgraphs."""
    network = make_network(seed, REGIMES[seed % len(REGIMES)])
    path = folder / "net.onnx"
    path.write_bytes(network.model.SerializeToString())
    module = load_onnx(path)
    x = network.points(np.random.default_rng(seed), 200)
    observe(only(module), [x], 1024)
    count = sum(isinstance(op, OnnxOp) for op in module.walk())
    return quantised(module, QuantizePass(bits=bits)), count


@pytest.mark.parametrize("seed", [0, 1, 3, 4, 6, 13, 15, 17, 24, 29, 32])
def test_imported_subgraphs_lie_within_their_bounds(seed: int, tmp_path: Path) -> None:
    functions, count = _functions(seed, 4 + seed % 5, tmp_path)
    assert count > 0
    found = certify(*functions)
    x = samples_of(found.box, 1000, np.random.default_rng(seed))
    assert excess(functions, found, x) <= 0


@pytest.mark.ci
@pytest.mark.parametrize("seed", range(100, 112))
def test_many_imported_subgraphs_lie_within_their_bounds(seed: int, tmp_path: Path) -> None:
    try:
        functions, _ = _functions(seed, 2 + seed % 7, tmp_path)
        found = certify(*functions)
    except KanError:
        return
    x = samples_of(found.box, 5000, np.random.default_rng(seed))
    assert excess(functions, found, x) <= 0


def _edges(build: Recipe) -> Functions:
    graph = Graph(TensorProto.DOUBLE)
    data = graph.model(build(graph))
    rest = np.full(INPUTS, 0.5)
    outputs = run_graph(data, rest[np.newaxis]).shape[1]
    module = one_layer(lambda value: OnnxOp(value, data, rest, outputs), INPUTS)
    observe(only(module), [np.random.default_rng(0).uniform(0.1, 2, (300, INPUTS))], 256)
    return quantised(module, QuantizePass(bits=6))


def _lengths(g: Graph) -> str:
    unit = g.op("LpNormalization", g.op("Unsqueeze", "x", g.ints([2])), axis=2)
    return g.op("Hardmax", g.op("Add", unit, g.const(0.0, 1.0)), axis=2)


def test_operators_without_a_rule_are_named() -> None:
    real, integers = (
        Model(each, level)
        for each, level in zip(_edges(_lengths), ("spline", "table"), strict=True)
    )
    entry = certificate_entry(real, integers, None, "auto")
    assert entry is not None
    why = "layer0: the ONNX operators Hardmax, LpNormalization have no bounds"
    assert entry == {"none": why}
    assert certificate_text(entry) == f"none: {why}"


UNBOUNDED: Mapping[str, tuple[Recipe, str]] = {
    "a pole": (
        lambda g: g.op("Reciprocal", g.op("Sub", "x", g.const(1.0))),
        "layer0: the ONNX subgraph has no finite bounds between",
    ),
    "a computed table": (
        lambda g: g.op("Gather", "x", _index(g), axis=1),
        "layer0: the ONNX operator Gather has no bounds of computed values at computed elements",
    ),
}


@pytest.mark.parametrize("name", UNBOUNDED)
def test_missing_bounds_are_explained(name: str) -> None:
    build, message = UNBOUNDED[name]
    with pytest.raises(NoEnclosureError, match=message):
        certify(*_edges(build))
