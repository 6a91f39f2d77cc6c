"""Integers of networks with large offsets: as docs/reference/numerics.md says, or refused.

The reference is written here, in float64 with matrices: a layer of linear edges, and one of tanh
behind it. The bound is half a step for each edge and for the bias of each node, what the codes of
inputs lose, and half a step where the codes of a node end, each carried through the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, TensorType, f64
from xdsl.ir import Block, Region, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import FloatArray
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.types import quantized_type
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.spline import BaseOp, BSplineOp
from kan_dialect.ops.table import QuantizeOp
from kan_dialect.passes.calibrate import observe
from kan_dialect.passes.choose_bits import ChooseBitsPass
from kan_dialect.passes.fold_tables import FoldTablesPass
from kan_dialect.passes.make_trainable import MakeTrainablePass
from kan_dialect.passes.quantize import QuantizePass
from kan_dialect.search import edge_rounding, layer_rounding
from kan_dialect.search.edge_rounding import RoundedEdges


@dataclass(frozen=True)
class Network:
    """y = readout tanh(weights x + bias); without a readout the linear layer alone."""

    weights: FloatArray
    bias: FloatArray
    readout: FloatArray | None = None

    def __call__(self, x: FloatArray) -> FloatArray:
        """Results (samples, out) of x (samples, in)."""
        nodes = x @ self.weights.T + self.bias
        return nodes if self.readout is None else np.tanh(nodes) @ self.readout.T

    def module(self) -> ModuleOp:
        block = Block(arg_types=[TensorType(f64, (self.weights.shape[1],))])
        value: SSAValue = block.args[0]
        layers = [("identity", self.weights, self.bias)]
        if self.readout is not None:
            layers.append(("tanh", self.readout, np.zeros(len(self.readout))))
        for index, (function, weights, bias) in enumerate(layers):
            edges = BaseOp(function, value, weights)
            nodes = NodeSumOp(edges, bias=bias, name=f"layer{index}")
            block.add_ops([edges, nodes])
            value = nodes.result
        return module_of("net", block, value)

    def bound(self, x: FloatArray, integers: ModuleOp) -> FloatArray:
        """How far results (samples, out) of the integers may be off, by the scales that they have.

        Inputs are those of the calibration: no code saturates by more than half a step.
        """
        (function,) = integers.ops
        assert isinstance(function, func.FuncOp)
        ops = list(function.body.block.ops)
        port = next(op for op in ops if isinstance(op, QuantizeOp))
        element = quantized_type(port.result)
        low, high = element.bounds
        scale, zero = element.scale_for(1), element.zero_point_for(1)
        seen = (np.clip(np.rint(x / scale) + zero, low, high) - zero) * scale
        steps = [quantized_type(op.result).scale_for(1) for op in ops if isinstance(op, NodeSumOp)]
        error = np.abs(seen - x) @ np.abs(self.weights).T
        # Float64 rounds products and sums of the reference, too.
        error += 2.0**-48 * (np.abs(x) @ np.abs(self.weights).T + np.abs(self.bias))
        error += (self.weights.shape[1] + 1) / 2 * steps[0]
        if self.readout is not None:
            error = (error + steps[0] / 2) @ np.abs(self.readout).T
            error += (self.readout.shape[1] + 1) / 2 * steps[1] + 1e-12
        return error * (1 + 1e-6)


def quantised(network: Network, x: FloatArray, bits: int, *, scale: str = "minmax") -> ModuleOp:
    """The network, calibrated on x, in tables."""
    module = network.module()
    (function,) = module.ops
    assert isinstance(function, func.FuncOp)
    observe(function, [x], 256)
    before = module.clone()
    stage = QuantizePass(bits=bits, scale=scale)
    stage.apply(Context(), module)
    (old,), (new,) = before.ops, module.ops
    assert isinstance(old, func.FuncOp) and isinstance(new, func.FuncOp)
    assert stage.violation(old, new) is None
    FoldTablesPass().apply(Context(), module)
    module.verify()
    return module


PRESSURE = np.random.default_rng(0).uniform(101320, 101330, (200, 1))
PAIRS = np.random.default_rng(1).uniform(101320, 101330, (200, 2))
YEARS = np.random.default_rng(2).integers(2008, 2017, (200, 1)).astype(np.float64)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize(
    ("network", "x"),
    [
        (Network(np.ones((1, 1)), np.array([-101325.0])), PRESSURE),
        (Network(np.array([[1.0, -1.0]]), np.zeros(1)), PAIRS),
        (
            Network(np.array([[1.0], [-0.5]]), np.array([-2012.0, 1006.0]), np.array([[0.3, 0.7]])),
            YEARS,
        ),
    ],
    ids=["pressure", "difference", "year"],
)
def test_offsets_are_exact(network: Network, x: FloatArray, bits: int) -> None:
    integers = quantised(network, x, bits)
    error = np.abs(Model.of(integers).run(x) - network(x))
    assert (error <= network.bound(x, integers)).all()
    assert error.max() < 10 * 2.0**-bits * np.ptp(network(x))


NETWORKS = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "inputs": st.integers(1, 3),
        "nodes": st.integers(1, 3),
        "offset": st.sampled_from([0.0, 1.0, 1e3, 101325.0, 1e6, 1e9]),
        "span": st.sampled_from([1e-9, 1e-4, 1e-2, 1.0, 1e3]),
        "centred": st.booleans(),
        "deep": st.booleans(),
    }
)


def _require_bound_or_refusal(drawn: dict[str, Any], bits: int) -> None:
    rng = np.random.default_rng(drawn["seed"])
    inputs, nodes, span = drawn["inputs"], drawn["nodes"], drawn["span"]
    places = drawn["offset"] * rng.choice([-1.0, 1.0], inputs) * rng.uniform(0.5, 1, inputs)
    x = places + span * rng.uniform(-1, 1, (60, inputs))
    weights = rng.normal(size=(nodes, inputs)) * rng.choice([1.0, 1.0, 1 / span])
    bias = -weights @ places if drawn["centred"] else np.zeros(nodes)
    readout = rng.normal(size=(2, nodes)) if drawn["deep"] else None
    network = Network(weights, bias + rng.normal(size=nodes), readout)
    try:
        integers = quantised(network, x, bits)
    except KanError as error:
        assert error.remedy is not None
        assert "need" in error.message or "resolve" in error.message
        return
    error = np.abs(Model.of(integers).run(x) - network(x))
    assert (error <= network.bound(x, integers)).all()


@settings(max_examples=20, deadline=None)
@given(NETWORKS, st.integers(2, 10))
def test_random_offsets_keep_the_bound_or_are_refused(drawn: dict[str, Any], bits: int) -> None:
    _require_bound_or_refusal(drawn, bits)


# The checks find what is wrong.


def _clamped(rounded: RoundedEdges) -> RoundedEdges:
    tables = np.clip(rounded.tables, -20, 20)
    return RoundedEdges(rounded.constants, tables, rounded.bias)


def _without_constants(rounded: RoundedEdges) -> RoundedEdges:
    return RoundedEdges(np.zeros_like(rounded.constants), rounded.tables, rounded.bias)


def _with_another_bias(rounded: RoundedEdges) -> RoundedEdges:
    return RoundedEdges(rounded.constants, rounded.tables, rounded.bias + 3)


@pytest.mark.parametrize("spoil", [_clamped, _without_constants, _with_another_bias])
@pytest.mark.parametrize("results", [True, False])
def test_edges_that_are_wrong_are_found(
    spoil: Callable[[RoundedEdges], RoundedEdges],
    results: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Network(
        np.array([[1.0, -1.0]]), np.zeros(1), None if results else np.array([[1.0], [2.0]])
    )

    def spoilt(*arguments: object) -> RoundedEdges:
        return spoil(edge_rounding.round_edges(*arguments))  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(layer_rounding, "round_edges", spoilt)
    with pytest.raises(AssertionError, match="is off by more than"):
        quantised(network, PAIRS, 8)


def test_an_infinite_edge_that_its_node_needs_is_refused() -> None:
    """Two edges that are infinite in opposite directions: no sum says which of them counts."""
    block = Block(arg_types=[TensorType(f64, (2,))])
    edges = BaseOp("reciprocal", block.args[0], np.array([[1.0, -1.0]]))
    nodes = NodeSumOp(edges, name="layer0")
    after = BaseOp("tanh", nodes, np.ones((1, 1)))
    sums = NodeSumOp(after, name="layer1")
    block.add_ops([edges, nodes, after, sums, func.ReturnOp(sums.result)])
    kinds = [block.args[0].type], [sums.result.type]
    function = func.FuncOp("net", kinds, Region(block))
    module = ModuleOp([function])
    x = np.random.default_rng(0).uniform(0.01, 1, (50, 2))
    x[:2] = [[0.01, 1.0], [1.0, 0.01]]
    observe(function, [x], 16)
    with pytest.raises(KanError, match="is inf for code"):
        QuantizePass(bits=3, scale="minmax").apply(Context(), module)


# Ranges near the ends of float64, and of float32.


@pytest.mark.parametrize("size", [1e-40, 1e-200])
def test_tiny_columns_are_no_false_alarm(size: float) -> None:
    x = size * np.random.default_rng(0).uniform(0, 1, (100, 1))
    network = Network(np.array([[1 / size]]), np.zeros(1))
    integers = quantised(network, x, 8)
    error = np.abs(Model.of(integers).run(x) - network(x))
    assert (error <= network.bound(x, integers)).all()
    assert error.max() < 0.01


def test_huge_columns_are_refused() -> None:
    x = np.array([[-1e308], [1e308]])
    with pytest.raises(KanError, match=r"argument 0\): element 0 has values from -1e\+308 to 1e"):
        quantised(Network(np.array([[1e-300]]), np.zeros(1)), x, 8)


# Other places where floats become integers.


def test_bits_that_do_not_fit_are_not_chosen(tmp_path: Path) -> None:
    """No number of bits works for results of 1e9 that vary by 1e-3; the message says why."""
    x = np.random.default_rng(0).uniform(0, 1e-3, (50, 1))
    np.savez(tmp_path / "x.npz", x=x)
    network = Network(np.ones((1, 1)), np.array([1e9]))
    stage = ChooseBitsPass(data=str(tmp_path / "x.npz"), max_error=1e-5)
    with pytest.raises(KanError, match=r"no number of bits from 2 to 12 keeps the budget; with 12"):
        module = network.module()
        (function,) = module.ops
        assert isinstance(function, func.FuncOp)
        observe(function, [x], 16)
        stage.apply(Context(), module)


def test_coefficients_beyond_fixed_point_are_refused() -> None:
    block = Block(arg_types=[TensorType(f64, (1,))])
    edges = BSplineOp(block.args[0], 1, np.arange(-1.0, 4.0), np.array([[[1.0, 50.0, 2.0]]]))
    nodes = NodeSumOp(edges, name="layer0")
    block.add_ops([edges, nodes])
    module = module_of("net", block, nodes.result)
    with pytest.raises(KanError, match=r"a coefficient of 50 .*integer-bits of at least 7"):
        MakeTrainablePass().apply(Context(), module.clone())
    MakeTrainablePass(integer_bits=7).apply(Context(), module)
