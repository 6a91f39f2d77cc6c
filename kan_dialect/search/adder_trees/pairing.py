"""The two summands of a sum that are best added next.

A pair costs the bits of its adder where both have some, and the bits that later adders take because
of it. On devices whose carry chains take whole bits, it costs all bits of its adder. Two summands
may be added if all can still be added within a number of levels, that is while the sum of 2^arrival
is at most 2^levels (Kraft's inequality). The cost of a pair stays the same while others are added,
so it is computed once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ir.types import IntType


class Summands:
    """Summands, one element of each array each.

    Parameters
    ----------
    rows : int64, (7, n); the arrays below are its rows.

    Attributes
    ----------
    low, high : ranges.
    zeros : number of lowest bits that are always 0.
    arrival : levels of adders before each.
    absorbed : number of bits that the LUTs of an adder absorb.
    own : number of the other bits, lowest zeros not counted.
    top : number of bits; of summands that may be negative, more than any has.
    """

    def __init__(self, rows: IntArray) -> None:
        self._rows = rows
        self.low, self.high, self.zeros, self.arrival, self.absorbed, self.own, self.top = rows

    @staticmethod
    def of(
        ranges: Sequence[tuple[int, int]],
        zeros: Sequence[int],
        arrival: Sequence[int],
        absorbed: Sequence[int],
    ) -> Summands:
        """Summands from numbers, one of each sequence each."""
        known = np.array(
            [[low for low, _ in ranges], [high for _, high in ranges], zeros, arrival, absorbed],
            dtype=np.int64,
        )
        low, high = known[:2]
        bits = bits_of(low, high)
        own = np.maximum(bits - known[2] - known[4], 0)
        top = np.where(low < 0, _SIGNED, bits)
        return Summands(np.concatenate([known, [own, top]]))

    def __len__(self) -> int:
        return len(self.low)

    @property
    def given(self) -> IntArray:
        """The first five of the rows, from which the others follow."""
        return self._rows[:5]

    def __add__(self, other: Summands) -> Summands:
        return Summands(np.concatenate([self._rows, other._rows], axis=1))

    def take(self, which: IntArray) -> Summands:
        """The summands at these places."""
        return Summands(self._rows[:, which])

    @property
    def column(self) -> Summands:
        """The same summands as arrays (n, 1)."""
        return Summands(self._rows[:, :, np.newaxis])

    @property
    def kraft_sum(self) -> int:
        """The sum of 2^arrival."""
        return sum(1 << level for level in self.arrival.tolist())


_SIGNED = 1 << 10
"""More bits than any summand has."""


class Pairing:
    """The summands left to add, numbered in the order in which they came.

    Parameters
    ----------
    summands : the first summands.
    further : levels that the tree may have beyond the fewest.
    whole_bits : every bit of an adder takes a LUT (`Adders.whole_bits`).
    """

    def __init__(self, summands: Summands, further: int, *, whole_bits: bool = False) -> None:
        self._whole_bits = whole_bits
        self._all = Summands.of([], [], [], [])
        self._numbers = np.zeros(0, dtype=np.int64)
        """Numbers of the summands in `_all`, ascending."""
        self._next_number = 0
        self._gone: list[int] = []
        """Places in `_all` of summands that have been added."""
        self._kraft_sum = 0
        # Costs of pairs: the row is that of the earlier summand, the column that of the later one.
        self._costs = np.zeros((0, 0))
        self._least = np.zeros(0)
        """The least of each row of costs."""
        self._depth = depth_of(summands.kraft_sum) + further
        self._limit = 1 << self._depth
        self.extend(summands)

    def best(self) -> tuple[int, int]:
        """The cheapest pair that may be added; the first of equal ones."""
        used = len(self._numbers)
        left = int(self._least[:used].argmin())
        right = int(self._costs[left, :used].argmin())
        arrival = self._all.arrival
        if not self._fits(arrival[left], arrival[right]):
            possible = self._fits(arrival[:, np.newaxis], arrival)
            costs = np.where(possible, self._costs[:used, :used], np.inf)
            left, right = divmod(int(costs.argmin()), used)
            assert np.isfinite(costs[left, right]), "two of least arrival can always be added"
        return int(self._numbers[left]), int(self._numbers[right])

    def _fits(self, one: IntArray, other: IntArray) -> NDArray[np.bool_]:
        """Whether summands of these arrivals may be added: the sum grows by 2^later - 2^earlier."""
        left = self._limit - self._kraft_sum
        bits = left.bit_length()
        later, earlier = np.maximum(one, other), np.minimum(one, other)
        missing = ((1 << bits) - left - 1).bit_length()
        return (later == earlier) | (later < bits) | ((later == bits) & (earlier >= missing))

    def most_zeros(self, left: int, right: int) -> int:
        """The larger number of lowest bits that are always 0 in one of the two."""
        return int(self._all.zeros[self._places(left, right)].max())

    def add(self, left: int, right: int, kind: IntType, zeros: int) -> None:
        """Replace two summands by their sum, which gets the next number.

        Parameters
        ----------
        kind : range of the sum.
        zeros : number of its lowest bits that are always 0.
        """
        pair = self._places(left, right)
        for gone in pair:
            least = self._costs[:gone, gone] == self._least[:gone]
            (changed,) = (least & np.isfinite(self._least[:gone])).nonzero()
            self._costs[gone] = self._costs[:, gone] = self._least[gone] = np.inf
            self._least[changed] = self._costs[changed].min(axis=1)
            self._gone.append(gone)
            self._kraft_sum -= 1 << int(self._all.arrival[gone])
        arrival = int(self._all.arrival[pair].max()) + 1
        self.extend(Summands.of([(kind.low, kind.high)], [zeros], [arrival], [0]))

    def extend(self, more: Summands) -> None:
        """Add summands, which get the next numbers; the tree gets deeper where it must."""
        count = len(more)
        if len(self._numbers) + count > len(self._costs):
            self._make_room(count)
        used = len(self._numbers)
        self._all = self._all + more
        numbers = np.arange(self._next_number, self._next_number + count)
        self._numbers = np.append(self._numbers, numbers)
        self._next_number += count
        self._kraft_sum += more.kraft_sum
        self._limit = max(self._limit, 1 << depth_of(self._kraft_sum))
        costs = _costs(self._all, more, self._depth, whole_bits=self._whole_bits)
        costs[:, self._gone] = np.inf
        new = slice(used, used + count)
        costs[:, new][np.tri(count, dtype=bool).T] = np.inf
        self._costs[: used + count, new] = costs.T
        np.minimum(
            self._least[: used + count],
            costs.min(axis=0, initial=np.inf),
            out=self._least[: used + count],
        )

    def _places(self, left: int, right: int) -> list[int]:
        """The places of two summands in `_all`."""
        places: list[int] = np.searchsorted(self._numbers, [left, right]).tolist()
        return places

    def _make_room(self, count: int) -> None:
        """Room for `count` more summands and a few others; drops those that have been added."""
        kept = np.delete(np.arange(len(self._numbers)), self._gone)
        self._all, self._numbers, self._gone = self._all.take(kept), self._numbers[kept], []
        costs, used = self._costs[np.ix_(kept, kept)], slice(len(kept))
        room = (len(kept) + count) * 5 // 4 + 8
        self._costs = np.full((room, room), np.inf)
        self._costs[used, used] = costs
        self._least = np.append(self._least[kept], np.full(room - len(kept), np.inf))


def depth_of(kraft_sum: int) -> int:
    """Levels of a tree that adds summands with this sum of 2^arrival."""
    return max(kraft_sum - 1, 0).bit_length()


def _costs(some: Summands, others: Summands, depth: int, *, whole_bits: bool) -> FloatArray:
    """Costs of pairs in LUTs, (others, some), float64.

    Of equal costs, the fractions prefer early pairs, and then pairs of one level.
    """
    others = others.column
    whole = bits_of(some.low + others.low, some.high + others.high)
    # Where a number has no sign, nothing is added above its highest bit, but the carry.
    added = whole if whole_bits else np.minimum(np.minimum(some.top, others.top), whole)
    added = added - np.maximum(some.zeros, others.zeros)
    added = np.maximum(added - np.maximum(some.absorbed, others.absorbed), 0)
    cost = added + whole - np.minimum(some.zeros, others.zeros) - some.own - others.own
    level = np.maximum(some.arrival, others.arrival)
    apart = np.ldexp(1.0, some.arrival - (depth + 8)) - np.ldexp(1.0, others.arrival - (depth + 8))
    return cost + level / 64 + np.abs(apart)


def bits_of(low: IntArray, high: IntArray) -> IntArray:
    """Bits of integers in these ranges: two's complement where they may be negative."""
    signed = low < 0
    largest = np.maximum(high, np.where(signed, ~low, 0))
    return np.frexp(largest)[1].astype(np.int64) + signed
