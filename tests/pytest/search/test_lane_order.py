"""Which inputs share a lane: words are never wider than in the order as it is."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kan_dialect.ir.constants import IntArray
from kan_dialect.ops.folded import lanes_and_turns
from kan_dialect.search.lane_order import lane_order


def word_bits(bits: IntArray, order: IntArray, interval: int) -> int:
    """Bits of the words of all lanes."""
    lanes, _ = lanes_and_turns(len(bits), interval)
    return sum(int(bits[order[lane::lanes]].max(axis=0).sum()) for lane in range(lanes))


@given(st.integers(0, 1 << 30))
@settings(max_examples=60, deadline=None)
def test_words_are_no_wider_than_in_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    inputs, nodes = int(rng.integers(1, 30)), int(rng.integers(1, 9))
    interval = int(rng.integers(2, 12))
    bits = rng.integers(0, 9, (inputs, nodes)) * (rng.random((inputs, nodes)) < rng.random())
    order = lane_order(bits, interval)
    assert sorted(order.tolist()) == list(range(inputs))
    given_order = np.arange(inputs)
    assert word_bits(bits, order, interval) <= word_bits(bits, given_order, interval)
    np.testing.assert_array_equal(order, lane_order(bits, interval))


@given(st.integers(0, 1 << 30))
@settings(max_examples=20, deadline=None)
def test_no_order_is_much_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bits = rng.integers(1, 6, (6, 4)) * (rng.random((6, 4)) < 0.5)
    for interval in (2, 3):
        every = (word_bits(bits, np.array(order), interval) for order in permutations(range(6)))
        assert word_bits(bits, lane_order(bits, interval), interval) <= 1.25 * min(every)


def test_inputs_with_alike_rows_share_a_lane() -> None:
    first, second = np.array([[4, 4, 0, 0]]), np.array([[0, 0, 5, 5]])
    bits = np.concatenate([first, first, second, first, second, second, second, first])
    order = lane_order(bits, 4)
    assert word_bits(bits, order, 4) == 18
    assert word_bits(bits, np.arange(8), 4) == 36


def test_equal_rows_stay_in_order() -> None:
    np.testing.assert_array_equal(lane_order(np.full((7, 3), 4), 2), np.arange(7))
