"""Which summands are added next, against every pair costed anew at every step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.ir import Block

from kan_dialect.devices.carry_chains import addends_of, carry_of, is_wires
from kan_dialect.devices.device import XCUP
from kan_dialect.devices.lut_count import absorbed_bits_of, count_luts
from kan_dialect.ir.types import IntType
from kan_dialect.ops.wire import ConstantOp, SumOp, TableOp
from kan_dialect.search.adder_trees.pairing import Pairing, Summand
from kan_dialect.search.adder_trees.side_by_side import Extent, side_by_side
from kan_dialect.search.adder_trees.tree import adder_tree

# Least value, how many more, lowest zeros, bits that an adder absorbs, levels before.
SUMMAND = st.tuples(
    st.integers(-300, 300),
    st.integers(0, 500),
    st.integers(0, 3),
    st.integers(0, 8),
    st.integers(0, 1) | st.sampled_from([64, 100]),
)


def bits(low: int, high: int) -> int:
    return max(high, ~low if low < 0 else 0).bit_length() + (low < 0)


class Reference:
    """The summands that are left, and the best pair of them by going through all."""

    def __init__(self, depth: int, whole_bits: bool) -> None:
        self.depth = depth
        self.whole_bits = whole_bits
        self.scale = depth
        self.count = 0
        self.left: dict[int, tuple[int, int, int, int, int]] = {}

    def deepen(self, more: list[tuple[int, int, int, int, int]]) -> None:
        """More summands; the tree gets as deep as they need."""
        for each in more:
            self.left[self.count] = each
            self.count += 1
        weight = sum(2 ** each[4] for each in self.left.values())
        self.depth = max(self.depth, (weight - 1).bit_length())

    def cost(self, one: int, other: int) -> tuple[float, bool]:
        a, b = self.left[one], self.left[other]
        low, high = a[0] + b[0], a[1] + b[1]
        own = [max(0, bits(*each[:2]) - each[2] - each[3]) for each in (a, b)]
        tops = [bits(low, high) if each[0] < 0 else bits(*each[:2]) for each in (a, b)]
        top = bits(low, high) if self.whole_bits else min(tops)
        added = max(0, top - max(a[2], b[2]) - max(a[3], b[3]))
        cost = added + bits(low, high) - min(a[2], b[2]) - sum(own)
        level = max(a[4], b[4])
        weight = sum(2 ** each[4] for each in self.left.values())
        left_over = 2 ** (level + 1) - 2 ** a[4] - 2 ** b[4]
        possible = weight + left_over <= 2**self.depth
        return cost + level / 64 + left_over / 2**self.scale, possible

    def best(self) -> tuple[int, int]:
        pairs = [(i, j) for i in self.left for j in self.left if i < j]
        costs = {pair: self.cost(*pair) for pair in pairs}
        return min((p for p in pairs if costs[p][1]), key=lambda p: (costs[p][0], p))


def summands_of(some: list[tuple[int, int, int, int, int]]) -> list[Summand]:
    return [
        Summand(low, high, zeros, arrival, absorbed) for low, high, zeros, absorbed, arrival in some
    ]


@pytest.mark.ci
@settings(deadline=None, max_examples=60)
@given(
    st.lists(SUMMAND, min_size=2, max_size=12) | st.lists(SUMMAND, min_size=40, max_size=44),
    st.lists(SUMMAND, max_size=4),
    st.integers(0, 12),
    st.integers(0, 2) | st.sampled_from([70, 5000]),
    st.booleans(),
)
def test_the_best_pair_is_that_of_a_search_through_all(
    early: list[tuple[int, int, int, int, int]],
    late: list[tuple[int, int, int, int, int]],
    when: int,
    further: int,
    whole_bits: bool,
) -> None:
    """Some summands are there from the start, others come after some steps.

    So many that those which are gone leave their places to others, or few.
    """
    early, late = (
        [(low, low + size, *rest) for low, size, *rest in some] for some in (early, late)
    )
    reference = Reference(0, whole_bits)
    reference.deepen(early)
    reference.scale = reference.depth + further + 8
    reference.depth += further
    pairing = Pairing(summands_of(early), further, whole_bits=whole_bits)
    count = len(early)
    while len(reference.left) > 1 or late:
        if late and (len(reference.left) == 1 or count - len(early) >= when):
            reference.deepen(late)
            pairing.extend(summands_of(late))
            count, late = count + len(late), []
        left, right = reference.best()
        one, other = reference.left[left], reference.left[right]
        assert pairing.best() == (left, right, max(one[2], other[2]))
        del reference.left[left], reference.left[right]
        low, high = one[0] + other[0], one[1] + other[1]
        zeros, arrival = min(one[2], other[2]), max(one[4], other[4]) + 1
        reference.left[count] = low, high, zeros, 0, arrival
        reference.count += 1
        count += 1
        pairing.add(left, right, IntType(low, high), zeros)


EXTENTS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 5), st.booleans(), st.booleans()), max_size=12
)


@settings(deadline=None, max_examples=200)
@given(EXTENTS)
def test_numbers_side_by_side_do_not_meet_and_none_that_fits_is_left(
    some: list[tuple[int, int, bool, bool]],
) -> None:
    known = [Extent(low, low + width, signed, absorbed) for low, width, signed, absorbed in some]
    pairs = list(side_by_side(known))
    left = set(range(len(known)))
    for upper, lower in pairs:
        top, bottom = known[upper], known[lower]
        assert not bottom.signed
        assert bottom.bits <= top.zeros
        both = Extent(bottom.zeros, top.bits, top.signed, top.absorbed and bottom.absorbed)
        left -= {upper, lower}
        left.add(len(known))
        known.append(both)
    assert len(left) == len(some) - len(pairs)
    for upper in left:
        for lower in left - {upper}:
            assert known[lower].signed or known[lower].bits > known[upper].zeros


@settings(deadline=None, max_examples=300)
@given(st.lists(st.integers(1, 20), min_size=2, max_size=4))
def test_adders_of_single_bits_are_full(counts: list[int]) -> None:
    """Each adder but one for each place takes a bit at its carry input.

    A full adder makes two bits of three. So LUTs are as many as bits go, and one for each adder
    without a bit at its carry input.
    """
    places = [place for place, count in enumerate(counts) for _ in range(count)]
    block = Block(arg_types=[IntType(0, 1)] * len(places))
    tables = [
        TableOp([bit], np.array([0, 1 << place]))
        for bit, place in zip(block.args, places, strict=True)
    ]
    total = SumOp([table.result for table in tables])
    adders = [op for op in adder_tree(total, XCUP, 0) if not is_wires(op)]
    alone = [op for op in adders if carry_of(op, {}) is None]
    assert len(alone) <= len(counts)
    assert all(len(addends_of(op)) == 2 for op in adders)
    luts = count_luts(adders, XCUP)[2]
    # An adder begins anew above a place that one of its numbers has no bit at.
    assert luts <= len(places) - len(counts) + len(alone) + 2


def test_adders_absorb_the_rarer_polarity_of_a_bit() -> None:
    """One table gives the lowest bit and two its complement. A table of both bits is absorbed."""
    (codes,) = Block(arg_types=[IntType(0, 3)]).args
    low, inverted, high, both = ([0, 4, 0, 4], [8, 0, 8, 0], [0, 0, 2, 2], [0, 1, 1, 0])
    tables = [TableOp([codes], np.array(each)) for each in (low, inverted, inverted, high, both)]
    SumOp([table.result for table in tables])
    assert absorbed_bits_of([table.result for table in tables], XCUP) == [1, 0, 0, 0, 1]


def test_a_node_that_sums_read_inverted_too_takes_a_second_lookup_table() -> None:
    """A carry chain takes a bit as it is. The estimate counts nothing for a port's bit."""
    (codes, port) = Block(arg_types=[IntType(0, 63), IntType(0, 1)]).args
    node = TableOp([codes], np.arange(64) % 3 // 2)
    luts = []
    for source in (node.result, port):
        tables = [TableOp([source], np.array(each)) for each in ([0, 1], [0, 2], [4, 0])]
        numbers = [ConstantOp(number) for number in (8, 16, 32)]
        sums = [SumOp(pair) for pair in zip(tables, numbers, strict=True)]
        luts.append(count_luts([node, *tables, *sums], XCUP)[6])
    assert luts == [2, 1]
