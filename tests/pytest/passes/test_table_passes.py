"""Passes over random networks of tables, down to hardware, against a few lines of NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Block
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from kan_dialect.analysis.nodes import dead_nodes, saturated
from kan_dialect.checking import Checker, run_passes
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_inside, find_function
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.constants import Array, IntArray
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.quant import UniformQuantizedType, default_bounds, storage_for
from kan_dialect.ir.types import bounds_constant, range_of
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import DequantizeOp, RequantizeOp
from kan_dialect.ops.wire import MarkOp, TableOp
from kan_dialect.passes.balance_sums import BalanceSumsPass
from kan_dialect.passes.expand_wires import ExpandWiresPass
from kan_dialect.passes.fold_tables import FoldTablesPass
from kan_dialect.passes.narrow import NarrowPass
from kan_dialect.passes.schedule import SchedulePass
from kan_dialect.passes.split_tables import SplitTablesPass

deterministic = settings(derandomize=True, deadline=None, max_examples=10)


@dataclass
class Layer:
    tables: IntArray
    """(out, in, entries)"""
    mask: Array
    saturate: tuple[int, int] | None


@dataclass
class Network:
    """What a table network is: layers of tables, and the codes that come in."""

    codes: UniformQuantizedType
    layers: list[Layer]
    inputs: IntArray
    """(samples, in)"""

    def module(self) -> ModuleOp:
        network = TableNetwork("net", self.codes, self.layers[0].tables.shape[1])
        for layer in self.layers:
            network.add_layer(layer.tables, mask=layer.mask, saturate=layer.saturate)
        return network.module()

    def nodes(self) -> list[IntArray]:
        """The codes of every layer's nodes: (samples, out) each."""
        codes, low = self.inputs, self.codes.bounds[0]
        result: list[IntArray] = []
        for layer in self.layers:
            edges = np.take_along_axis(
                layer.tables[np.newaxis], codes[:, np.newaxis, :, np.newaxis] - low, axis=-1
            )[..., 0]
            codes = np.where(layer.mask, edges, 0).sum(axis=-1)
            low = self.lowest(layer)
            if layer.saturate is not None:
                codes = np.clip(codes, *layer.saturate)
            result.append(codes)
        return result

    @staticmethod
    def lowest(layer: Layer) -> int:
        """Code of a table's first entry, for the tables that read this layer."""
        return code_range(layer)[0]


def code_range(layer: Layer) -> tuple[int, int]:
    """The storage of the layer's codes: what `TableNetwork` gives it."""
    if layer.saturate is not None:
        return layer.saturate
    tables = np.where(layer.mask[..., np.newaxis], layer.tables, 0)
    low, high = tables.min(axis=-1).sum(axis=1).min(), tables.max(axis=-1).sum(axis=1).max()
    return default_bounds(*storage_for(min(int(low), 0), max(int(high), 0)))


@st.composite
def networks(draw: st.DrawFn) -> Network:
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    width = draw(st.integers(1, 40))
    bits, signed = draw(st.integers(1, 9)), draw(st.booleans())
    low, high = default_bounds(bits, signed)
    if bits > 1 and draw(st.booleans()):
        low += 1
    codes = UniformQuantizedType(bits, signed, 0.5, 3, bounds=(low, high))
    inputs = rng.integers(low, high + 1, size=(64, width))
    inputs[0], inputs[1] = low, high
    layers: list[Layer] = []
    entries = high - low + 1
    for _ in range(draw(st.integers(1, 3))):
        outputs = draw(st.integers(1, 5))
        size = draw(st.sampled_from([1, 1, 3, 30, 500]))
        # Centred, or all of one sign.
        lowest = draw(st.sampled_from([-size, 0, 7, -3 * size]))
        tables = rng.integers(lowest, lowest + 2 * size, size=(outputs, width, entries))
        match draw(st.sampled_from(["random", "random", "constant", "equal", "extreme"])):
            case "constant":
                tables[rng.random((outputs, width)) < 0.5] = lowest
            case "equal":
                tables[:] = tables[:1, :1]
            case "extreme":
                tables = np.where(rng.random(tables.shape) < 0.5, -(1 << 15), (1 << 15) - 1)
            case _:
                pass
        mask = rng.random((outputs, width)) < draw(st.sampled_from([1.0, 0.7, 0.1]))
        saturate = None
        if draw(st.booleans()) or size * width > 60:
            saturate = draw(st.sampled_from([(-8, 7), (0, 15), (-1, 0), (3, 100), (-128, 127)]))
        layer = Layer(tables, mask, saturate)
        if saturate is None and code_range(layer)[1] - code_range(layer)[0] > 1 << 10:
            layer.saturate = (-16, 15)
        layers.append(layer)
        low, high = code_range(layer)
        width, entries = outputs, high - low + 1
    return Network(codes, layers, inputs)


def run(module: ModuleOp, *passes: ModulePass) -> ModuleOp:
    """A module after the passes, verified and checked after each."""
    result = module.clone()
    run_passes(Context(), result, passes, Checker(count=100))
    return result


def check(module: ModuleOp, network: Network) -> None:
    """Outputs, and at wire level the marked nodes and the types of all values."""
    model = Model.of(module)
    nodes = network.nodes()
    np.testing.assert_array_equal(model.run_codes(network.inputs), nodes[-1])
    if model.level != "wire":
        return
    function = find_function(module)
    marks = [op for op in function.body.block.ops if isinstance(op, MarkOp)]
    values = [value for op in function.body.block.ops for value in op.results]
    wanted = [*(mark.value for mark in marks), *values]
    columns = evaluate_inside(function, list(network.inputs.T), wanted)
    for value, seen in zip(wanted, columns, strict=True):
        kind = range_of(value)
        assert kind.low <= seen.min() and seen.max() <= kind.high
    marked = {
        mark.node.data: saturated(seen + mark.offset.value.data, mark.within)
        for mark, seen in zip(marks, columns, strict=False)
    }
    expected = {
        f"layer{index}_node{node}": codes[:, node]
        for index, codes in enumerate(nodes)
        for node in range(codes.shape[1])
    }
    dead = dead_nodes(function)
    assert marked.keys() | dead == expected.keys() and marked.keys().isdisjoint(dead)
    for name, codes in marked.items():
        np.testing.assert_array_equal(codes, expected[name])


orders = st.permutations([NarrowPass(), SplitTablesPass(), BalanceSumsPass(), SchedulePass()])


@deterministic
@given(networks(), orders)
def test_every_pass_keeps_outputs_and_nodes(network: Network, order: list[ModulePass]) -> None:
    module = network.module()
    check(module, network)
    assert str(run(module, FoldTablesPass())) == str(module), "there is nothing to fold"
    module = run(module, ExpandWiresPass())
    check(module, network)
    for one in order:
        module = run(module, one)
        check(module, network)
    check(run(module, LowerKanToHwPass()), network)


def body(module: ModuleOp) -> str:
    return str(find_function(module))


RESCALINGS = [(0.5, 1), (1.0, -3), (0.25, 0), (4.0, 2), (0.0625, -7)]


@pytest.mark.parametrize(("scale", "zero_point"), RESCALINGS)
def test_codes_are_rescaled_around_their_zero_points(scale: float, zero_point: int) -> None:
    """The same at every level, for every code."""
    before = UniformQuantizedType(6, True, 0.5, 5)
    after = UniformQuantizedType(5, True, scale, zero_point)
    block = Block(arg_types=[TensorType(before, (1,))])
    rescaled = RequantizeOp(block.args[0], after)
    block.add_op(rescaled)
    module = module_of("net", block, rescaled)
    codes = np.arange(-32, 32)[:, np.newaxis]
    exact = [round(Fraction(q - 5) * Fraction(0.5) / Fraction(scale)) for q in range(-32, 32)]
    expected = np.clip(np.array(exact) + zero_point, -16, 15)
    for passes in ((), (NarrowPass(), SchedulePass()), (LowerKanToHwPass(),)):
        expand = (ExpandWiresPass(),) if passes else ()
        result = Model.of(run(module, *expand, *passes)).run_codes(codes)
        np.testing.assert_array_equal(result[:, 0], expected)


def test_pruned_edges_never_become_tables() -> None:
    rng = np.random.default_rng(0)
    mask = np.array([[1, 0, 1], [0, 0, 0]], dtype=bool)
    network = TableNetwork("net", UniformQuantizedType(3, False, 1.0), inputs=3)
    network.add_layer(rng.integers(-9, 9, size=(2, 3, 8)), mask=mask)
    wires = run(network.module(), ExpandWiresPass())
    names = [op.given_name for op in wires.walk() if isinstance(op, TableOp)]
    assert names == ["layer0_edge0_0", "layer0_edge0_2"]


def test_a_network_that_is_constant_keeps_its_latency_and_ports() -> None:
    network = TableNetwork("net", UniformQuantizedType(3, False, 1.0), inputs=2)
    network.add_layer(np.full((2, 2, 8), 5), saturate=(0, 7))
    wires = run(network.module(), ExpandWiresPass(), NarrowPass(), BalanceSumsPass())
    hardware = Model.of(run(wires, SchedulePass(cycles=3), LowerKanToHwPass()))
    interface = hardware.interface()
    assert (interface.latency, interface.combinational) == (3, False)
    assert [port.name for port in interface.inputs] == ["x0", "x1"]
    assert hardware.run_codes(np.array([[0, 1], [7, 7]])).tolist() == [[7, 7], [7, 7]]


def test_tables_must_fit_the_layer_before() -> None:
    network = TableNetwork("net", UniformQuantizedType(3, False, 1.0), inputs=2)
    with pytest.raises(KanError, match=r"layer 0: tables must have shape \(out, 2, 8\)"):
        network.add_layer(np.zeros((2, 2, 4), dtype=np.int64))
    network.add_layer(np.zeros((4, 2, 8), dtype=np.int64), saturate=(-2, 1))
    with pytest.raises(KanError, match=r"layer 1: tables must have shape \(out, 4, 4\)"):
        network.add_layer(np.zeros((1, 4, 8), dtype=np.int64))


@pytest.mark.parametrize("gain", [0.3, -1.7, 1.0])
def test_sums_that_are_narrower_than_their_bounds_are_rounded(gain: float) -> None:
    """The bounds of a sum may hold more than its edges give."""
    rng = np.random.default_rng(4)
    network = TableNetwork("net", UniformQuantizedType(3, False, 1.0), 2)
    tables = rng.integers(-20, 50, (3, 2, 8))
    network.add_layer(tables, scale=0.5)
    module = network.module()
    (dequantize,) = (op for op in module.walk() if isinstance(op, DequantizeOp))
    sums = dequantize.input.owner
    assert isinstance(sums, NodeSumOp)
    low, high = -500, 500
    wide = UniformQuantizedType(10, True, 0.5)
    bounds = bounds_constant(TensorType(wide, (3,)), np.full(3, low), np.full(3, high))
    wider = NodeSumOp(sums.edges, bounds=bounds, result_type=TensorType(wide, (3,)))
    codes = UniformQuantizedType(4, True, 2.0)
    rounded = RequantizeOp(wider, codes, affine=(np.full(3, gain), np.array([0.1, 1.0, -2.0])))
    Rewriter.replace_op(sums, [wider, rounded])
    Rewriter.replace_op(dequantize, DequantizeOp(rounded))
    every = np.stack(np.meshgrid(np.arange(8), np.arange(8)), -1).reshape(-1, 2)
    expected = Model.of(module).run_codes(every)
    assert len(np.unique(expected)) > 4
    ExpandWiresPass().apply(Context(), module)
    module.verify()
    np.testing.assert_array_equal(Model.of(module).run_codes(every), expected)
