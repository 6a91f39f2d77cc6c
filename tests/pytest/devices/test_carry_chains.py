"""Sums that take no adder, against the numbers themselves."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.ir import Block

from kan_dialect.devices.carry_chains import inverts_top, joined_of
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.ops.wire import ConstantOp, SumOp, TableOp


@settings(deadline=None, max_examples=300)
@given(st.integers(-70, 40), st.integers(0, 80), st.integers(-140, 140))
def test_half_of_a_power_of_two_inverts_the_highest_bit(low: int, more: int, added: int) -> None:
    block = Block(arg_types=[IntType(low, low + more)])
    value = block.args[0]
    constant = ConstantOp(added)
    total = SumOp([constant.result, value])
    bits = range_of(total.result).bits
    numbers, mask = np.arange(low, low + more + 1), (1 << bits) - 1
    flipped = (numbers & mask) ^ (1 << (bits - 1))
    sums = (numbers + added) & mask
    inverted = inverts_top(total)
    if inverted is not None:
        assert inverted == value
        assert bits == range_of(value).bits
        assert (sums == flipped).all()
    elif bits == range_of(value).bits:
        assert (sums != flipped).any()


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.integers(-8, 8), min_size=2, max_size=8),
    st.integers(0, 4),
    st.integers(-3, 3),
    st.integers(0, 20),
)
def test_bits_of_joined_terms_do_not_meet(
    entries: list[int], place: int, low: int, more: int
) -> None:
    block = Block(arg_types=[IntType(0, len(entries) - 1), IntType(low, low + more)])
    index, lower = block.args
    table = TableOp([index], np.array(entries) << place)
    joined = joined_of(SumOp([lower, table.result]), {})
    if joined is not None:
        numbers = {table.result: table.entries_array.tolist(), lower: range(low, low + more + 1)}
        for one in numbers[joined[0]]:
            assert all(other >= 0 and one & other == 0 for other in numbers[joined[1]])
