"""Which two summands of a sum are best added next: the search behind `kan-balance-sums`.

A pair costs the bits of its adder where both have something, and the bits that later adders will
have to take because of it. Two summands may be added if all can still be added up within `depth`
levels, that is while the sum of 2^arrival is at most 2^depth (Kraft's inequality). What a pair
costs does not change while others are added, so it is found once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kan_dialect.attributes import IntType
from kan_dialect.constants import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Summands:
    """Some summands, one element each.

    Parameters
    ----------
    low, high : the ranges, int64.
    zeros : how many of the lowest bits are always 0, int64.
    arrival : levels of adders before each, int64.
    absorbed : whether the LUTs of an adder have room for the table that it is, bool.
    """

    low: IntArray
    high: IntArray
    zeros: IntArray
    arrival: IntArray
    absorbed: BoolArray

    @staticmethod
    def of(
        ranges: Sequence[tuple[int, int]],
        zeros: Sequence[int],
        arrival: Sequence[int],
        absorbed: Sequence[bool],
    ) -> Summands:
        """The same from numbers."""
        low, high = np.array(ranges, dtype=np.int64).reshape(-1, 2).T
        times = np.array(arrival, dtype=np.int64)
        return Summands(low, high, np.array(zeros, dtype=np.int64), times, np.array(absorbed, bool))

    def __add__(self, other: Summands) -> Summands:
        return Summands(
            np.concatenate([self.low, other.low]),
            np.concatenate([self.high, other.high]),
            np.concatenate([self.zeros, other.zeros]),
            np.concatenate([self.arrival, other.arrival]),
            np.concatenate([self.absorbed, other.absorbed]),
        )


class Pairing:
    """The summands that are left, by the numbers in which they came."""

    def __init__(self, depth: int, summands: Summands) -> None:
        self._scale = 2.0 ** -(depth + 8)
        self._limit = 2.0**depth
        self._all = summands
        self._weight = float(np.exp2(summands.arrival).sum())
        costs, left_over = _costs(summands, summands, self._scale)
        np.fill_diagonal(costs, np.inf)
        self._gone: list[int] = []
        # With room for the sums that will be appended.
        self._used = len(summands.low)
        room = (2 * self._used, 2 * self._used)
        self._costs = np.full(room, np.inf)
        self._costs[: self._used, : self._used] = costs
        self._left_over = np.zeros(room)
        self._left_over[: self._used, : self._used] = left_over

    def best(self) -> tuple[int, int]:
        """The pair that costs least of those that may be added; the first of equal ones."""
        most = self._limit - self._weight
        index = int(self._costs.argmin())
        if self._left_over.flat[index] > most:
            possible = np.where(self._left_over <= most, self._costs, np.inf)
            index = int(possible.argmin())
            assert np.isfinite(possible.flat[index]), "two of least arrival can always be added"
        left, right = divmod(index, len(self._costs))
        return left, right

    def add(self, left: int, right: int, kind: IntType) -> None:
        """Put the sum of two in their place, of that range; its number is the next one."""
        pair = [left, right]
        whole = Summands.of(
            [(kind.low, kind.high)],
            [int(self._all.zeros[pair].min())],
            [int(self._all.arrival[pair].max()) + 1],
            [False],
        )
        for gone in pair:
            self._costs[gone] = self._costs[:, gone] = np.inf
            self._gone.append(gone)
            self._weight -= 2.0 ** int(self._all.arrival[gone])
        self._weight += 2.0 ** int(whole.arrival[0])
        new = self._used
        costs, left_over = _costs(self._all, whole, self._scale)
        costs[0, self._gone] = np.inf
        self._costs[:new, new] = self._costs[new, :new] = costs[0]
        self._left_over[:new, new] = self._left_over[new, :new] = left_over[0]
        self._all = self._all + whole
        self._used += 1


def _costs(some: Summands, others: Summands, scale: float) -> tuple[FloatArray, FloatArray]:
    """What pairs cost, and what they add to the sum of 2^arrival: (others, some), float64."""
    low = some.low + others.low[:, np.newaxis]
    high = some.high + others.high[:, np.newaxis]
    own, own_others = _own_bits(some), _own_bits(others)[:, np.newaxis]
    zeros = np.minimum(some.zeros, others.zeros[:, np.newaxis])
    whole = bits_of(low, high)
    # Of numbers without a sign, nothing is added above the narrower one.
    top = np.minimum(
        np.where(some.low < 0, whole, bits_of(some.low, some.high)),
        np.where(
            others.low[:, np.newaxis] < 0, whole, bits_of(others.low, others.high)[:, np.newaxis]
        ),
    )
    added = np.maximum(top - np.maximum(some.zeros, others.zeros[:, np.newaxis]), 0)
    added[some.absorbed | others.absorbed[:, np.newaxis]] = 0
    cost = added + whole - zeros - own - own_others
    level = np.maximum(some.arrival, others.arrival[:, np.newaxis])
    left_over = np.exp2(level + 1) - np.exp2(some.arrival) - np.exp2(others.arrival)[:, np.newaxis]
    # Early ones first, where it makes no difference.
    return cost + level / 64 + left_over * scale, left_over


def _own_bits(summands: Summands) -> IntArray:
    width = bits_of(summands.low, summands.high)
    return np.where(summands.absorbed, 0, width - summands.zeros)


def bits_of(low: IntArray, high: IntArray) -> IntArray:
    """Bits of integers in these ranges: two's complement where they may be negative."""
    signed = low < 0
    largest = np.maximum(high, np.where(signed, ~low, 0))
    return np.frexp(largest)[1].astype(np.int64) + signed
