"""`kan-share-sums`: nodes with similar edges share a sum, and stay what they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from kan_dialect.analysis.wires import wire_functions
from kan_dialect.devices.device import XCUP
from kan_dialect.devices.estimate import estimate
from kan_dialect.evaluate.interpreter import evaluate_inside
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.types import IntType
from kan_dialect.ops.wire import SumOp, TableOp
from kan_dialect.passes.balance_sums import BalanceSumsPass
from kan_dialect.passes.narrow import NarrowPass
from kan_dialect.passes.schedule import SchedulePass
from kan_dialect.passes.share_sums import ShareSumsPass
from kan_dialect.passes.split_tables import SplitTablesPass

deterministic = settings(derandomize=True, deadline=None, max_examples=40)
AFTER: list[ModulePass] = [
    NarrowPass(),
    SplitTablesPass(),
    BalanceSumsPass(),
    SchedulePass(levels=2),
]


def layer(*networks: IntArray) -> ModuleOp:
    """Nodes that add up tables: (nodes, inputs, codes); networks side by side share no input."""
    block = Block()
    ops: list[Operation] = []
    sums: list[SSAValue] = []
    for entries in networks:
        nodes, inputs, codes = entries.shape
        first = len(block.args)
        arguments = [block.insert_arg(IntType(0, codes - 1), first + i) for i in range(inputs)]
        for node in range(nodes):
            tables = [
                TableOp([argument], entries[node, i], name=f"edge{node}_{first + i}")
                for i, argument in enumerate(arguments)
            ]
            ops += [*tables, SumOp(tables, name=f"sum{node}_{first}")]
            sums.append(ops[-1].results[0])
    block.add_ops(ops)
    return module_of("net", block, *sums)


def alike(seed: int, nodes: int, inputs: int, bits: int) -> IntArray:
    """Rough tables, of which each node has its own or those of another node, a little changed.

    Some are like the negatives of another node's.
    """
    rng = np.random.default_rng(seed)
    entries = rng.integers(-40, 90, (nodes, inputs, 1 << bits))
    for node in range(1, nodes):
        sign = rng.choice([1, -1])
        for i in range(inputs):
            if rng.random() < 0.7:
                change = rng.integers(0, rng.integers(1, 4), 1 << bits)
                entries[node, i] = (
                    sign * entries[rng.integers(node), i] + change + rng.integers(-9, 9)
                )
    return entries


def run(module: ModuleOp, *passes: ModulePass) -> func.FuncOp:
    context = make_context()
    for each in passes:
        each.apply(context, module)
        module.verify()
    (function,) = wire_functions(module)
    return function


def outputs(function: func.FuncOp, codes: IntArray) -> list[IntArray]:
    terminator = function.get_return_op()
    assert terminator is not None
    values = evaluate_inside(function, list(codes.T), list(terminator.operands))
    return [np.broadcast_to(value, len(codes)) for value in values]


@deterministic
@given(st.integers(0, 1 << 30), st.integers(2, 5), st.integers(2, 6), st.integers(1, 7))
def test_sums_stay_what_they_are(seed: int, nodes: int, inputs: int, bits: int) -> None:
    entries = alike(seed, nodes, inputs, bits)
    codes = np.random.default_rng(seed).integers(0, 1 << bits, (500, inputs))
    expected = [sum(entries[node, i][codes[:, i]] for i in range(inputs)) for node in range(nodes)]
    for passes in ([ShareSumsPass()], [NarrowPass(), ShareSumsPass(), *AFTER[1:]]):
        function = run(layer(entries), *passes)
        for found, wanted in zip(outputs(function, codes), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("sign", [1, -1])
def test_nodes_that_are_alike_take_fewer_luts(sign: int) -> None:
    entries = alike(3, 1, 8, 6)
    change = np.random.default_rng(4).integers(0, 3, entries.shape)
    entries = np.concatenate([entries, sign * entries + change])
    luts = [
        estimate(run(layer(entries), *passes), XCUP).luts
        for passes in (AFTER, [AFTER[0], ShareSumsPass(), *AFTER[1:]])
    ]
    assert luts[1] < 0.9 * luts[0]


@deterministic
@given(st.lists(st.integers(0, 1 << 30), min_size=2, max_size=3))
def test_networks_side_by_side_share_what_each_shares_alone(seeds: list[int]) -> None:
    """Tables of all pairs are costed together; of few bits, they are not worth an adder."""
    networks = [alike(seed, 2, 3 + seed % 5, (6, 3)[place % 2]) for place, seed in enumerate(seeds)]

    def tables(*some: IntArray) -> list[bytes]:
        ops = run(layer(*some), ShareSumsPass()).body.block.ops
        return sorted(op.entries_array.tobytes() for op in ops if isinstance(op, TableOp))

    alone = [table for each in networks for table in tables(each)]
    assert tables(*networks) == sorted(alone)


def test_wide_sums_are_not_complemented() -> None:
    """The table that inverts the bits of a sum has an entry for each of its values."""
    entries = alike(5, 1, 8, 6) << 14
    entries = np.concatenate([entries, -entries])
    codes = np.random.default_rng(6).integers(0, 64, (100, 8))
    function = run(layer(entries), ShareSumsPass())
    expected = [sum(entries[node, i][codes[:, i]] for i in range(8)) for node in range(2)]
    np.testing.assert_array_equal(outputs(function, codes), expected)
