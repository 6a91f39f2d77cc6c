"""Full adders of a sum's single bits: the same sum, in no more LUTs by the estimate."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Region
from xdsl.rewriter import Rewriter

from kan_dialect.devices.device import DEVICES, XCUP
from kan_dialect.devices.lut_count import count_luts
from kan_dialect.evaluate.interpreter import evaluate_function
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import IntType
from kan_dialect.ops.wire import SumOp, TableOp, low_zeros
from kan_dialect.passbase.dead_ops import remove_dead
from kan_dialect.passes.balance_sums import BalanceSumsPass
from kan_dialect.search.adder_trees.full_adders import (
    BITS_FOR_EACH,
    INPUTS,
    full_adders,
    tree_with_full_adders,
)
from kan_dialect.search.adder_trees.tree import adder_tree

BITS = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=3, max_size=40)
"""Place of each bit, and whether the sum reads it inverted."""

NODE = np.array([0, 1, 1, 0])
"""A node of one bit, by its input."""


def sum_of_bits(bits: list[tuple[int, bool]], inputs: int) -> tuple[func.FuncOp, SumOp]:
    """A function with a node of one bit for each input, and a sum that reads them in turn."""
    block = Block(arg_types=[IntType(0, 3)] * inputs)
    nodes = [TableOp([argument], NODE) for argument in block.args]
    tables = [
        TableOp(
            [nodes[number % inputs].result], np.array([0, 1 << place][:: -1 if inverted else 1])
        )
        for number, (place, inverted) in enumerate(bits)
    ]
    total = SumOp(tables, name="s")
    block.add_ops([*nodes, *tables, total, func.ReturnOp(total)])
    types = [argument.type for argument in block.args], [total.result.type]
    return func.FuncOp("f", types, Region(block)), total


def expected(bits: list[tuple[int, bool]], x: IntArray) -> IntArray:
    """The sums at inputs (samples, inputs)."""
    nodes = NODE[x]
    read = [nodes[:, number % x.shape[1]] ^ inverted for number, (_, inverted) in enumerate(bits)]
    terms = [each << place for each, (place, _) in zip(read, bits, strict=True)]
    whole: IntArray = np.array(terms, dtype=np.int64).sum(axis=0)
    return whole


@settings(deadline=None, max_examples=60)
@given(BITS, st.integers(0, 3), st.integers(0, 2**32 - 1), st.booleans())
@example([(0, False)] * 5 + [(1, False)], 0, 0, False)
def test_sums_stay_the_same(
    bits: list[tuple[int, bool]], further: int, seed: int, share_inputs: bool
) -> None:
    inputs = max(1, len(bits) * 2 // 3) if share_inputs else len(bits)
    function, _ = sum_of_bits(bits, inputs)
    module = ModuleOp([function])
    BalanceSumsPass(extra_levels=further).apply(make_context(), module)
    x = np.random.default_rng(seed).integers(0, 4, (200, inputs))
    (found,) = evaluate_function(function, list(x.T))
    np.testing.assert_array_equal(found, expected(bits, x))


@settings(deadline=None, max_examples=60)
@given(BITS)
def test_full_adders_are_of_a_place_with_a_bit_above(bits: list[tuple[int, bool]]) -> None:
    _, total = sum_of_bits(bits, len(bits))
    groups = [list(group.tables.values()) for group in full_adders(total, XCUP)]
    places = [{low_zeros(table.result, {}) for table in group} for group in groups]
    assert all(len(group) == INPUTS for group in groups)
    assert all(len(each) == 1 for each in places)
    grouped = [table for group in groups for table in group]
    assert len(set(grouped)) == len(grouped)
    counts = Counter(place for place, _ in bits)
    used = Counter(place for each in places for place in each)
    assert all(number <= counts[place + 1] for place, number in used.items())
    assert all(BITS_FOR_EACH * number <= counts[place] for place, number in used.items())


@settings(deadline=None, max_examples=60)
@given(BITS, st.integers(0, 2))
@example([(0, False)] * 10 + [(1, False)] * 3, 0)
def test_full_adders_cost_no_more(bits: list[tuple[int, bool]], further: int) -> None:
    """By the estimate of all ops, where the sum alone reads the nodes: they pack with its tables.

    One LUT more is the parity of functions that are packed in pairs, which the tree alone has not.
    """
    luts: list[int] = []
    for tree_of in (tree_with_full_adders, adder_tree):
        function, total = sum_of_bits(bits, len(bits))
        before = list(total.inputs)
        tree = tree_of(total, XCUP, further)
        assert list(total.inputs) == before
        Rewriter.replace_op(total, tree)
        remove_dead(function)
        luts.append(XCUP.pack(count_luts(function.body.block.ops, XCUP)))
    assert luts[0] <= luts[1] + 1


@pytest.mark.parametrize("name", ["ecp5", "ice40"])
def test_devices_whose_adders_absorb_nothing_have_none(name: str) -> None:
    _, total = sum_of_bits([(0, False)] * 12 + [(1, False)] * 8, 20)
    assert any(len(table.operands) == INPUTS for table in tree_with_full_adders(total, XCUP, 0))
    assert full_adders(total, XCUP) and not full_adders(total, DEVICES[name])


def test_bits_of_ports_have_none() -> None:
    block = Block(arg_types=[IntType(0, 1)] * 20)
    places = [0] * 12 + [1] * 8
    tables = [
        TableOp([each], np.array([0, 1 << place]))
        for each, place in zip(block.args, places, strict=True)
    ]
    assert not full_adders(SumOp(tables), XCUP)
