"""Which two summands of a sum are best added next: the search behind `kan-balance-sums`.

A pair costs the bits of its adder where both have something, and the bits that later adders will
have to take because of it. Two summands may be added if all can still be added up within a number
of levels, that is while the sum of 2^arrival is at most 2^levels (Kraft's inequality). What a pair
costs does not change while others are added, so it is found once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ir.types import IntType


class Summands:
    """Some summands, one element of each array each.

    Parameters
    ----------
    facts : int64, (7, n); the arrays below are its rows.

    Attributes
    ----------
    low, high : the ranges.
    zeros : how many of the lowest bits are always 0.
    arrival : levels of adders before each.
    absorbed : for how many of its bits the LUTs of an adder have room.
    own : bits for which there is neither zero nor room.
    top : how many bits there are; of those that may be negative, more than any has.
    """

    def __init__(self, facts: IntArray) -> None:
        self._facts = facts
        self.low, self.high, self.zeros, self.arrival, self.absorbed, self.own, self.top = facts

    @staticmethod
    def of(
        ranges: Sequence[tuple[int, int]],
        zeros: Sequence[int],
        arrival: Sequence[int],
        absorbed: Sequence[int],
    ) -> Summands:
        """The same from numbers."""
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

    def __add__(self, other: Summands) -> Summands:
        return Summands(np.concatenate([self._facts, other._facts], axis=1))

    def take(self, which: IntArray) -> Summands:
        """Some of them."""
        return Summands(self._facts[:, which])

    @property
    def column(self) -> Summands:
        """The same, arrays (n, 1)."""
        return Summands(self._facts[:, :, np.newaxis])

    @property
    def weight(self) -> int:
        """The sum of 2^arrival."""
        return sum(1 << level for level in self.arrival.tolist())


_SIGNED = 1 << 10
"""More bits than any summand has."""


class Pairing:
    """The summands that are left, by the numbers in which they came.

    Parameters
    ----------
    summands : those that are there from the start.
    further : how many levels more than needed the tree may have.
    """

    def __init__(self, summands: Summands, further: int) -> None:
        self._all = Summands.of([], [], [], [])
        self._numbers = np.zeros(0, dtype=np.int64)
        """Of those in `_all`, rising."""
        self._next_number = 0
        self._gone: list[int] = []
        """Places in `_all` of those that are no longer there."""
        self._weight = 0
        # Of two summands, in the row of the earlier one and the column of the later one.
        self._costs = np.zeros((0, 0))
        self._least = np.zeros(0)
        """The least of each row of costs."""
        self._depth = _depth(summands.weight) + further
        self._limit = 1 << self._depth
        self.extend(summands)

    def best(self) -> tuple[int, int]:
        """The pair that costs least of those that may be added; the first of equal ones."""
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
        """Whether summands of these arrivals may be added: 2^later - 2^earlier is left."""
        left = self._limit - self._weight
        bits = left.bit_length()
        later, earlier = np.maximum(one, other), np.minimum(one, other)
        missing = ((1 << bits) - left - 1).bit_length()
        return (later == earlier) | (later < bits) | ((later == bits) & (earlier >= missing))

    def most_zeros(self, left: int, right: int) -> int:
        """How many of the lowest bits are always 0 in one of the two, at most."""
        return int(self._all.zeros[self._places(left, right)].max())

    def add(self, left: int, right: int, kind: IntType, zeros: int) -> None:
        """Put the sum of two in their place, of that range, with so many lowest bits always 0.

        Its number is the next one.
        """
        pair = self._places(left, right)
        for gone in pair:
            least = self._costs[:gone, gone] == self._least[:gone]
            (changed,) = (least & np.isfinite(self._least[:gone])).nonzero()
            self._costs[gone] = self._costs[:, gone] = self._least[gone] = np.inf
            self._least[changed] = self._costs[changed].min(axis=1)
            self._gone.append(gone)
            self._weight -= 1 << int(self._all.arrival[gone])
        arrival = int(self._all.arrival[pair].max()) + 1
        self.extend(Summands.of([(kind.low, kind.high)], [zeros], [arrival], [0]))

    def extend(self, more: Summands) -> None:
        """More summands, which get the next numbers; the tree gets deeper where it must."""
        count = len(more)
        if len(self._numbers) + count > len(self._costs):
            self._make_room(count)
        used = len(self._numbers)
        self._all = self._all + more
        numbers = np.arange(self._next_number, self._next_number + count)
        self._numbers = np.append(self._numbers, numbers)
        self._next_number += count
        self._weight += more.weight
        self._limit = max(self._limit, 1 << _depth(self._weight))
        costs = _costs(self._all, more, self._depth)
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
        """Where two summands are."""
        places: list[int] = np.searchsorted(self._numbers, [left, right]).tolist()
        return places

    def _make_room(self, count: int) -> None:
        """Room for so many more and a few others; those that have gone take none."""
        kept = np.delete(np.arange(len(self._numbers)), self._gone)
        self._all, self._numbers, self._gone = self._all.take(kept), self._numbers[kept], []
        costs, used = self._costs[np.ix_(kept, kept)], slice(len(kept))
        room = (len(kept) + count) * 5 // 4 + 8
        self._costs = np.full((room, room), np.inf)
        self._costs[used, used] = costs
        self._least = np.append(self._least[kept], np.full(room - len(kept), np.inf))


def _depth(weight: int) -> int:
    """Levels of a tree that adds up summands with that sum of 2^arrival."""
    return max(weight - 1, 0).bit_length()


def _costs(some: Summands, others: Summands, depth: int) -> FloatArray:
    """What pairs cost: (others, some), float64.

    Early ones first where it makes no difference, and then those of one level.
    """
    others = others.column
    whole = bits_of(some.low + others.low, some.high + others.high)
    # Of numbers without a sign, nothing is added above the narrower one.
    added = np.minimum(np.minimum(some.top, others.top), whole)
    added = added - np.maximum(some.zeros, others.zeros)
    added = np.maximum(added - np.maximum(some.absorbed, others.absorbed), 0)
    cost = added + whole - np.minimum(some.zeros, others.zeros) - some.own - others.own
    level = np.maximum(some.arrival, others.arrival)
    apart = np.exp2(some.arrival - (depth + 8)) - np.exp2(others.arrival - (depth + 8))
    return cost + level / 64 + np.abs(apart)


def bits_of(low: IntArray, high: IntArray) -> IntArray:
    """Bits of integers in these ranges: two's complement where they may be negative."""
    signed = low < 0
    largest = np.maximum(high, np.where(signed, ~low, 0))
    return np.frexp(largest)[1].astype(np.int64) + signed


class Extent(NamedTuple):
    """Which bits a summand has.

    Parameters
    ----------
    zeros : so many of the lowest are always 0.
    bits : how many, these included.
    signed : whether it may be negative; nothing stands above it then.
    small : whether an adder has room for all of its bits in its LUTs.
    """

    zeros: int
    bits: int
    signed: bool
    small: bool


def joins(extents: Sequence[Extent]) -> Iterator[tuple[int, int]]:
    """Pairs of summands whose bits do not meet, the upper one first, as many as are found.

    Numbers are those of `extents`; what a pair becomes has the next one. Each summand is in at most
    one pair. Below an upper one comes the widest that fits, of its own kind (`small`) if there is
    one, so that adders take in both or none.
    """
    known: list[Extent] = []
    below: dict[tuple[bool, int], list[int]] = {}
    """Numbers of those that something may stand above, by kind and bits."""
    pending: list[tuple[int, int]] = []
    """Those that may yet be an upper one: of fewest zeros first, of equal ones the latest."""

    def offer(each: Extent) -> None:
        number = len(known)
        known.append(each)
        if not each.signed:
            below.setdefault((each.small, each.bits), []).append(number)
        heappush(pending, (each.zeros, -number))

    for each in extents:
        offer(each)
    gone: set[int] = set()
    while pending:
        upper = -heappop(pending)[1]
        top = known[upper]
        lower = None if upper in gone else _widest_below(top, below)
        if lower is None:
            continue
        if not top.signed:
            below[top.small, top.bits].remove(upper)
        gone.update((upper, lower))
        yield upper, lower
        bottom = known[lower]
        offer(Extent(bottom.zeros, top.bits, top.signed, top.small and bottom.small))


def _widest_below(top: Extent, below: Mapping[tuple[bool, int], list[int]]) -> int | None:
    """The widest summand that ends below another one; it is taken out."""
    for small in (top.small, not top.small):
        for bits in range(top.zeros, 0, -1):
            some = below.get((small, bits))
            if some:
                return some.pop(0)
    return None
