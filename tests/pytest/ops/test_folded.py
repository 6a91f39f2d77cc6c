"""Layers that take several cycles a sample: evaluated, as hardware, and proven."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from folded_networks import assert_bugs_are_found, folded, random_network
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.ir import Block

from kan_dialect.devices.device import device
from kan_dialect.flows.prove.forms import Total
from kan_dialect.flows.prove.prove import prove
from kan_dialect.flows.tools import toolchain
from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.attributes.module_attributes import declare_interval, declare_logic_words
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.ir.types import int_type
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model
from kan_dialect.ops.folded import FoldedByInputOp
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.passes.expand_wires import ExpandWiresPass
from kan_dialect.passes.schedule import SchedulePass

needs_yosys = pytest.mark.skipif(
    toolchain.look_for("yosys") is None, reason="Yosys is not installed"
)


def layer(interval: int) -> tuple[FoldedByInputOp, IntArray]:
    rng = np.random.default_rng(3)
    block = Block(arg_types=[int_type(-2, 5)] * 5)
    tables, bias = rng.integers(-99, 99, (3, 5, 8)), np.array([0, 7, -1000])
    return FoldedByInputOp(block.args, tables, -2, bias, interval), tables


@pytest.mark.parametrize(
    ("interval", "lanes", "turns"), [(2, 3, 2), (3, 2, 3), (4, 2, 3), (5, 1, 5), (9, 1, 5)]
)
def test_inputs_share_memories(interval: int, lanes: int, turns: int) -> None:
    op, _ = layer(interval)
    assert (op.lanes, op.turns) == (lanes, turns)


def test_bits_that_no_table_reads_are_in_no_address() -> None:
    block = Block(arg_types=[int_type(-5, 9)] * 4)
    codes = np.arange(-5, 10)
    tables = np.stack([codes >> 2, (codes >> 3) ** 2]).repeat(4, 0).reshape(2, 4, -1)
    op = FoldedByInputOp(block.args, tables, -5, np.zeros(2, dtype=np.int64), 4)
    assert (op.codes.bits, op.unread_bits, op.memory_words) == (5, 2, 4 * 8)
    assert layer(4)[0].unread_bits == 0


def test_sums_are_those_of_the_tables() -> None:
    op, tables = layer(3)
    codes = np.random.default_rng(0).integers(-2, 6, (5, 200))
    expected = [
        sum(tables[node, place, codes[place] + 2] for place in range(5)) + bias
        for node, bias in enumerate((0, 7, -1000))
    ]
    np.testing.assert_array_equal(op.evaluate(list(codes)), expected)


@given(st.integers(0, 1 << 30))
@settings(max_examples=25, deadline=None)
def test_hardware_computes_the_integer_model(seed: int) -> None:
    module = random_network(seed)
    integer = Model.of(module.clone())
    ports = integer.interface().inputs
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(p.low, p.high, 20, endpoint=True) for p in ports], axis=1)
    expected = integer.run_codes(codes)
    found = Model.of(folded(module, seed)).run_codes(codes)
    np.testing.assert_array_equal(found, expected)


@needs_yosys
@pytest.mark.parametrize("seed", range(6))
def test_hardware_is_proven(tmp_path: Path, seed: int) -> None:
    module = random_network(seed)
    integer = Model.of(module.clone())
    circuit = Model.of(folded(module, seed))
    rtl = tmp_path / "net.sv"
    rtl.write_text(emit_systemverilog(module))
    assert prove(rtl, integer, circuit).proven


@needs_yosys
def test_a_proof_forgets_the_sums_of_a_node(tmp_path: Path) -> None:
    """Each node adds up 12 turns, and no other node reads these sums."""
    rng = np.random.default_rng(0)
    network = TableNetwork("net", UniformQuantizedType(3, True, 1.0), 24)
    network.add_layer(rng.integers(-16, 16, (10, 24, 8)))
    module = network.module()
    integer = Model.of(module.clone())
    CompilePass(interval=12, target="ecp5").apply(make_context(), module)
    rtl = tmp_path / "net.sv"
    rtl.write_text(emit_systemverilog(module))
    sums: list[int] = []

    def count(*_: object) -> None:
        sums.append(sum(isinstance(each, Total) for each in gc.get_objects()))

    assert prove(rtl, integer, Model.of(module), progress=count).proven
    assert max(sums[1:10]) - sums[0] < 12


@pytest.mark.ci
def test_ten_thousand_edges_are_folded() -> None:
    rng = np.random.default_rng(0)
    network = TableNetwork("net", UniformQuantizedType(5, True, 1.0), 100)
    network.add_layer(rng.integers(-16, 16, (90, 100, 32)), saturate=(-16, 15))
    network.add_layer(rng.integers(-16, 16, (12, 90, 32)))
    module = network.module()
    codes = rng.integers(-16, 16, (6, 100))
    expected = Model.of(module).run_codes(codes)
    CompilePass(interval=25, target="ecp5", mhz=80.0).apply(make_context(), module)
    np.testing.assert_array_equal(Model.of(module).run_codes(codes), expected)
    assert "one sample per 25 clocks" in emit_systemverilog(module)


SEEDED = [
    ("turn1 <= 1'b1;", "turn1 <= 1'b0;"),
    ("turn1 <= turn1 + 1'b1;", "turn1 <= turn1;"),
    ("is_turn0 <= 1'b1;", "is_turn0 <= 1'b0;"),
    ("is_turn0 <= turn1 == 1'b0;", "is_turn0 <= turn1 == 1'b1;"),
    ("layer0_code0 <= is_turn0 ? x0 : layer0_code2;", "layer0_code0 <= is_turn0 ? x0 : x2;"),
    ("layer0_code0 <= is_turn0 ? x0 :", "layer0_code0 <= is_turn1 ? x0 :"),
    ("layer0_code2 <= x2;", "layer0_code2 <= x3;"),
    ("layer0_rom0_0[{turn1, layer0_code0}]", "layer0_rom0_0[{layer0_code0, turn1}]"),
    ("layer0_rom1_0[{turn1, layer0_code1}]", "layer0_rom1_0[{turn1, layer0_code0}]"),
    ("layer0_rom1_0_read <= layer0_rom1_0[", "layer0_rom1_0_read <= layer0_rom0_0["),
    ("layer0_rom1_0[6] = 2'd1;", "layer0_rom1_0[6] = 2'd0;"),
    ("layer0_rom0_0_word <= layer0_rom0_0_read;", "layer0_rom0_0_word <= layer0_rom1_0_read;"),
    ("is_turn1 ? 4'd0 : layer0_sum0;", "is_turn0 ? 4'd0 : layer0_sum0;"),
    ("is_turn1 ? 4'd0 : layer0_sum0;", "is_turn1 ? 4'd1 : layer0_sum0;"),
    ("layer0_sum0_before + {1'b0, register_1};", "layer0_sum0_before;"),
    ("layer0_s6 <= layer0_sum0;", "layer0_s6 <= layer0_sum0_before;"),
    ("valid_s1 <= is_turn0 ? in_valid : valid_s1;", "valid_s1 <= in_valid;"),
    ("valid_s2 <= is_turn0 ? valid_s1 :", "valid_s2 <= is_turn0 ? in_valid :"),
    ("valid_s3 <= 1'b0;", "valid_s3 <= 1'b1;"),
    ("valid_s3 <= 1'b0;", "valid_s3 <= valid_s2;"),
    ("valid_s3 & is_turn0;", "valid_s3 & is_turn1;"),
    ("valid_s3 & is_turn0;", "valid_s3;"),
    (  # A sample right behind a reset is lost.
        "  assign out_valid =",
        "  logic ran0, ran1, ran2, ran3, ran4, ran5, ran6;\n"
        "  always_ff @(posedge clk) begin\n    ran0 <= ~rst;\n"
        + "".join(f"    ran{n + 1} <= ran{n} & ~rst;\n" for n in range(6))
        + "  end\n  assign out_valid = ran6 &",
    ),
    ("assign in_ready = is_turn0;", "assign in_ready = is_turn1;"),
    ("assign in_ready = is_turn0;", "assign in_ready = 1'b1;"),
]


@needs_yosys
def test_seeded_bugs_are_found(tmp_path: Path) -> None:
    """Of the schedule, address, accumulator, bank and handshake."""
    network = TableNetwork("net", UniformQuantizedType(2, False, 1.0), 4)
    network.add_layer(np.array([[[0, 1, 2, 3], [3, 1, 0, 2], [2, 0, 1, 3], [0, 3, 1, 2]]]))
    assert_bugs_are_found(network, 2, SEEDED, tmp_path)


def test_constant_inputs_have_no_turn_and_alike_ones_share_a_lane() -> None:
    function = _pruned().module()
    for op in (function.ops.first, *(op for op in function.walk() if isinstance(op, NodeSumOp))):
        declare_interval(op, 2)
    ExpandWiresPass().apply(make_context(), function)
    (op,) = (op for op in function.walk() if isinstance(op, FoldedByInputOp))
    lane_of = {value.index: place % op.lanes for place, value in enumerate(op.inputs)}
    assert sorted(lane_of) == [0, 1, 3, 4]
    assert lane_of[0] == lane_of[1] != lane_of[3] == lane_of[4]
    assert [bits for _, bits in op.memories] == [2, 2]


@needs_yosys
@pytest.mark.parametrize(("logic_words", "style"), [(64, 'ram_style = "registers"'), (7, "block")])
def test_storage_is_written_and_proven(tmp_path: Path, logic_words: int, style: str) -> None:
    function = _pruned().module()
    integer = Model.of(function.clone())
    for op in (function.ops.first, *(op for op in function.walk() if isinstance(op, NodeSumOp))):
        declare_interval(op, 2)
        declare_logic_words(op, logic_words)
    for stage in (ExpandWiresPass(), SchedulePass(levels=4)):
        stage.apply(make_context(), function)
    (op,) = (op for op in function.walk() if isinstance(op, FoldedByInputOp))
    assert op.block_rams_on(device("ecp5")) == (0 if logic_words == 64 else 2)
    LowerKanToHwPass().apply(make_context(), function)
    rtl = tmp_path / "net.sv"
    rtl.write_text(emit_systemverilog(function))
    assert style in rtl.read_text()
    assert prove(rtl, integer, Model.of(function)).proven


@needs_yosys
def test_a_wrong_lane_is_found(tmp_path: Path) -> None:
    wrong = [
        ("layer0_code2 <= x3;", "layer0_code2 <= x0;"),
        ("is_turn0 ? x4 : layer0_code2;", "is_turn0 ? x1 : layer0_code2;"),
        ("is_turn0 ? x1 : layer0_code3;", "is_turn0 ? x2 : layer0_code3;"),
    ]
    assert_bugs_are_found(_pruned(), 2, wrong, tmp_path)


def _pruned() -> TableNetwork:
    """Two inputs for each of two nodes, and one whose edges are constant."""
    tables = np.zeros((2, 5, 4), dtype=np.int64)
    tables[0, :2] = [0, 1, 2, 3], [3, 1, 0, 2]
    tables[1, 2:] = [5, 5, 5, 5], [3, 1, 0, 2], [0, 3, 1, 2]
    return TableNetwork("net", UniformQuantizedType(2, False, 1.0), 5).add_layer(tables)
