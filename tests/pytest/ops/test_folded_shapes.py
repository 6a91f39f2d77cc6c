"""Folded layers whose edges choose among few shapes: evaluated, as hardware, and proven."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from folded_networks import assert_bugs_are_found, folded, random_network
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.ir import Block

from kan_dialect.devices.device import device
from kan_dialect.flows.prove.prove import prove
from kan_dialect.flows.tools import toolchain
from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.ir.types import int_type
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model
from kan_dialect.ops.folded_shapes import FoldedShapesOp

needs_yosys = pytest.mark.skipif(
    toolchain.look_for("yosys") is None, reason="Yosys is not installed"
)


def layer(*, is_shared: bool) -> FoldedShapesOp:
    rng = np.random.default_rng(5)
    block = Block(arg_types=[int_type(-2, 5)] * 5)
    shapes = rng.integers(-9, 9, (1 if is_shared else 5, 3, 8))
    choices, factors = rng.integers(0, 3, (4, 5)), rng.choice([-4, -1, 0, 1, 2], (4, 5))
    return FoldedShapesOp(block.args, shapes, -2, choices, factors, np.arange(4), 3)


@pytest.mark.parametrize("is_shared", [True, False])
def test_sums_are_those_of_the_shapes(is_shared: bool) -> None:
    op = layer(is_shared=is_shared)
    shapes, choices, factors = (
        np.array(list(each.iter_values())).reshape(each.get_shape())
        for each in (op.shapes, op.choices, op.factors)
    )
    codes = np.random.default_rng(0).integers(-2, 6, (5, 200))
    expected = [
        node
        + sum(
            factors[node, place]
            * shapes[0 if is_shared else place, choices[node, place], codes[place] + 2]
            for place in range(5)
        )
        for node in range(4)
    ]
    np.testing.assert_array_equal(op.evaluate(list(codes)), expected)


def test_memories_are_of_choices_and_of_shapes() -> None:
    """784 inputs of 5 bits, 128 nodes: 2 + 2 + 1 bits an edge."""
    rng, edges = np.random.default_rng(0), (128, 784)
    block = Block(arg_types=[int_type(0, 31)] * 784)
    factors = rng.choice([-1, 1], edges) << rng.integers(0, 4, edges)
    shapes = np.stack([np.arange(32) * step % 32 for step in (1, 3, 5, 7)])[np.newaxis]
    bias = np.zeros(128, dtype=np.int64)
    op = FoldedShapesOp(block.args, shapes, 0, rng.integers(0, 4, edges), factors, bias, 98)
    assert op.memories == [(98, 5 * 128)] * 8 + [(32, 4 * 5)] * 8
    assert op.block_rams_on(device("ecp5")) == 8 * 18


def test_pruned_edges_of_a_lane_take_no_choices() -> None:
    block = Block(arg_types=[int_type(0, 3)] * 4)
    shapes, bias = np.array([[[0, 1, 2, 3], [0, 3, 1, 2]]]), np.zeros(2, dtype=np.int64)
    choices = np.array([[0, 1, 1, 0], [1, 0, 0, 1]])
    # Node 0 has edges from the second lane only: its choices take a bit, and two of node 1.
    factors = np.array([[0, 1, 0, 1], [1, 1, 1, 0]])
    op = FoldedShapesOp(block.args, shapes, 0, choices, factors, bias, 2)
    assert op.memories[:2] == [(2, 1), (2, 3)]


@given(st.integers(0, 1 << 30))
@settings(max_examples=25, deadline=None)
def test_hardware_computes_the_integer_model(seed: int) -> None:
    module = random_network(seed, of_shapes=True)
    integer = Model.of(module.clone())
    ports = integer.interface().inputs
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(p.low, p.high, 20, endpoint=True) for p in ports], axis=1)
    expected = integer.run_codes(codes)
    found = Model.of(folded(module, seed, shares_shapes=True)).run_codes(codes)
    np.testing.assert_array_equal(found, expected)


@needs_yosys
@pytest.mark.parametrize("seed", range(6))
def test_hardware_is_proven(tmp_path: Path, seed: int) -> None:
    module = random_network(seed, of_shapes=True)
    integer = Model.of(module.clone())
    circuit = Model.of(folded(module, seed, shares_shapes=True))
    rtl = tmp_path / "net.sv"
    rtl.write_text(emit_systemverilog(module))
    assert prove(rtl, integer, circuit).proven


SEEDED = [
    ("layer0_shapes0_0[1] = 4'd5;", "layer0_shapes0_0[1] = 4'd4;"),
    ("layer0_shapes0_0[layer0_code0]", "layer0_shapes0_0[layer0_code1]"),
    ("layer0_choices0_0[0] = 3'd1;", "layer0_choices0_0[0] = 3'd0;"),
    ("layer0_choices0_0[0] = 3'd1;", "layer0_choices0_0[0] = 3'd3;"),
    ("layer0_choices0_0[0] = 3'd1;", "layer0_choices0_0[0] = 3'd5;"),
    ("layer0_choices0_0[turn1]", "layer0_choices0_0[{is_turn1, is_turn2}]"),
    ("bits_1 ? layer0_shapes0_0_word[3:2] :", "layer0_sign0_0 ? layer0_shapes0_0_word[3:2] :"),
    ("bits_1 ? layer0_shapes0_0_word[3:2] :", "bits_1 ? layer0_shapes0_0_word[2:1] :"),
    ("layer0_shift0_0 <= layer0_choices0_0_word[1];", "layer0_shift0_0 <= 1'b0;"),
    ("layer0_shift0_0 ? {bits_2[1:0], 1'b0} : bits_2", "bits_2"),
    ("layer0_sign0_0 <= layer0_choices0_0_word[2];", "layer0_sign0_0 <= bits_1;"),
    ("{3{layer0_sign0_0}}", "{2'd0, layer0_sign0_0}"),
    ("5'd25", "5'd24"),
]


@needs_yosys
def test_seeded_bugs_are_found(tmp_path: Path) -> None:
    """Of shapes, choices, shifts and signs."""
    network = TableNetwork("net", UniformQuantizedType(2, False, 1.0), 3)
    network.add_layer(np.array([[[0, 1, 2, 3], [0, -2, 0, -6], [0, 2, 4, 6]]]))
    assert_bugs_are_found(network, 3, SEEDED, tmp_path, shapes=2)


@pytest.mark.ci
def test_ten_thousand_edges_choose_among_shapes() -> None:
    rng = np.random.default_rng(0)
    network = TableNetwork("net", UniformQuantizedType(5, True, 1.0), 100)
    for nodes, inputs in ((90, 100), (12, 90)):
        shapes, factors = (
            rng.integers(-16, 16, (4, 32)),
            rng.choice([-4, -1, 1, 2], (nodes, inputs)),
        )
        tables = shapes[rng.integers(0, 4, (nodes, inputs))] * factors[:, :, np.newaxis]
        network.add_layer(tables, saturate=(-16, 15))
    module = network.module()
    codes = rng.integers(-16, 16, (6, 100))
    expected = Model.of(module).run_codes(codes)
    CompilePass(interval=25, target="ecp5-12", mhz=80.0).apply(make_context(), module)
    np.testing.assert_array_equal(Model.of(module).run_codes(codes), expected)
    assert "layer0_choices0_0" in emit_systemverilog(module)
