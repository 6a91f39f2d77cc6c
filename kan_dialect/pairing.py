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

from kan_dialect.attributes import IntType
from kan_dialect.constants import FloatArray, IntArray


class Summands:
    """Some summands, one element of each array each.

    Parameters
    ----------
    facts : int64, (8, n); the arrays below are its rows.

    Attributes
    ----------
    low, high : the ranges.
    zeros : how many of the lowest bits are always 0.
    arrival : levels of adders before each.
    absorbed : for how many of its bits the LUTs of an adder have room.
    weight : 2^arrival.
    own : bits for which there is neither zero nor room.
    top : how many bits there are; of those that may be negative, more than any has.
    """

    def __init__(self, facts: IntArray) -> None:
        self._facts = facts
        self.low, self.high, self.zeros, self.arrival, self.absorbed = facts[:5]
        self.weight, self.own, self.top = facts[5:]

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
        return Summands(np.concatenate([known, [1 << known[3], own, top]]))

    def __len__(self) -> int:
        return len(self.low)

    def __add__(self, other: Summands) -> Summands:
        return Summands(np.concatenate([self._facts, other._facts], axis=1))

    def take(self, which: IntArray) -> Summands:
        """Some of them."""
        return Summands(self._facts[:, which])


_SIGNED = 1 << 10


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
        self._weight = 0.0
        # Of two summands, in the row of the earlier one and the column of the later one.
        self._costs = np.zeros((0, 0))
        self._left_over = np.zeros((0, 0), dtype=np.int64)
        self._least = np.zeros(0)
        """The least of each row of costs."""
        depth = _depth(float(summands.weight.sum())) + further
        self._scale = 2.0 ** -(depth + 8)
        self._limit = 2.0**depth
        self.extend(summands)

    def best(self) -> tuple[int, int]:
        """The pair that costs least of those that may be added; the first of equal ones."""
        most = self._limit - self._weight
        used = len(self._numbers)
        left = int(self._least[:used].argmin())
        right = int(self._costs[left, :used].argmin())
        if self._left_over[left, right] > most:
            costs, left_over = self._costs[:used, :used], self._left_over[:used, :used]
            possible = np.where(left_over <= most, costs, np.inf)
            left, right = divmod(int(possible.argmin()), used)
            assert np.isfinite(possible[left, right]), "two of least arrival can always be added"
        return int(self._numbers[left]), int(self._numbers[right])

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
            self._weight -= float(self._all.weight[gone])
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
        self._weight += float(more.weight.sum())
        self._limit = max(self._limit, 2.0 ** _depth(self._weight))
        costs, left_over = _costs(self._all, more, self._scale)
        costs[:, self._gone] = np.inf
        new = slice(used, used + count)
        costs[:, new][np.tri(count, dtype=bool).T] = np.inf
        self._costs[: used + count, new] = costs.T
        self._left_over[: used + count, new] = left_over.T
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
        pairs = np.ix_(kept, kept)
        costs, left_over = self._costs[pairs], self._left_over[pairs]
        used = slice(len(kept))
        room = (len(kept) + count) * 5 // 4 + 8
        self._costs, self._left_over = (
            np.full((room, room), np.inf),
            np.zeros_like(left_over, shape=(room, room)),
        )
        self._costs[used, used], self._left_over[used, used] = costs, left_over
        self._least = np.append(self._least[kept], np.full(room - len(kept), np.inf))


def _depth(weight: float) -> int:
    """Levels of a tree that adds up summands with that sum of 2^arrival."""
    return max(int(weight) - 1, 0).bit_length()


def _costs(some: Summands, others: Summands, scale: float) -> tuple[FloatArray, IntArray]:
    """What pairs cost, and what they add to the sum of 2^arrival: (others, some)."""
    low, high, zeros, arrival, absorbed, weight, own, top = (
        each[:, np.newaxis]
        for each in (
            others.low,
            others.high,
            others.zeros,
            others.arrival,
            others.absorbed,
            others.weight,
            others.own,
            others.top,
        )
    )
    whole = bits_of(some.low + low, some.high + high)
    # Of numbers without a sign, nothing is added above the narrower one.
    upper = np.minimum(np.minimum(some.top, top), whole)
    added = upper - np.maximum(some.zeros, zeros) - np.maximum(some.absorbed, absorbed)
    cost = np.maximum(added, 0) + whole - np.minimum(some.zeros, zeros) - some.own - own
    left_over = np.abs(some.weight - weight)
    # Early ones first, where it makes no difference.
    return cost + np.maximum(some.arrival, arrival) / 64 + left_over * scale, left_over


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
