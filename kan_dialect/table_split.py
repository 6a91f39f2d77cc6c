"""Tables as sums of cheaper ones: the search behind `kan-split-tables`.

A table whose entries differ little between neighbouring codes is taken apart into a high part,
which looks at the upper input bits only, and what remains, which has few bits; either may be taken
apart again. What remains between two neighbours may also be gated: the lesser of both is the high
part, and the last input bit says whether the difference is added. (This is what bipartite tables
approximate, without loss: Schulte and Stine, "Approximating elementary functions with symmetric
bipartite tables", IEEE Trans. Computers 48(8), 1999.) Constants are free: all parts may be shifted.

Arrays are indexed by bit patterns of the input, in number a power of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from kan_dialect.constants import BoolArray, FloatArray, IntArray

_Integer = TypeVar("_Integer", bound=np.integer)
_Integers: TypeAlias = NDArray[np.signedinteger]

FURTHER_PART = 0.75
"""LUTs that a further summand costs beside its bits: sums get wider, and their trees deeper.

Chosen by what Yosys makes of four networks (docs/hardware.md)."""

_OFFSETS = 64
"""Offsets of a table that are tried."""

_SHIFTS = 3
"""Offsets of high parts that are tried, for each number of input bits left out."""

_COMPLETED = 8
"""So many high parts, of those that look cheapest, get the best offset, and so do their rests."""

_REFINED = 4
"""So many of these, the cheapest, are taken apart again; of a table of many inputs, the first."""

_MANY = 1 << 8
"""A table of so many entries has many inputs."""

_KNOWN = 1 << 11
"""So many results are kept for tables that occur again."""

_TOGETHER = 1 << 12
"""Entries of tables that are searched together."""

_RESIDUES = 6
"""Offsets below a power of two are tried in so many bits."""


@dataclass(frozen=True)
class Part:
    """A table that looks at the input's upper bits.

    Parameters
    ----------
    skipped : how many of the lowest input bits it does not look at.
    entries : int64, for each pattern of the other bits; at least 0.
    """

    skipped: int
    entries: IntArray

    def values(self, inputs: int) -> IntArray:
        """What it adds for every pattern of so many input bits, int64."""
        return np.repeat(self.entries, 1 << self.skipped)[: 1 << inputs]


@dataclass(frozen=True)
class GatedPart:
    """What is added for one of two neighbours, by the bits above the one that tells them apart.

    Parameters
    ----------
    skipped : how many of the lowest input bits it does not look at; the next one is the gate.
    amounts : int64, for each pattern of the bits above the gate; at least 0.
    sides : bool, of the same length: the gate at which nothing is added.
    """

    skipped: int
    amounts: IntArray
    sides: BoolArray

    def values(self, inputs: int) -> IntArray:
        """What it adds for every pattern of so many input bits, int64."""
        neighbours = np.stack([self.sides, ~self.sides], axis=1) * self.amounts[:, np.newaxis]
        return np.repeat(neighbours.ravel(), 1 << self.skipped)[: 1 << inputs]


@dataclass(frozen=True)
class Split:
    """A table as a sum of parts and a constant.

    Parameters
    ----------
    cost : LUTs, with adding each part to a sum, and `FURTHER_PART` for all parts but one.
    constant : the table less the sum of its parts.
    """

    cost: float
    parts: tuple[Part | GatedPart, ...]
    constant: int

    def raised(self, skipped: int, place: int) -> Split:
        """The same for an input with more bits below, multiplied by a power of two."""
        parts: list[Part | GatedPart] = []
        for part in self.parts:
            if isinstance(part, Part):
                parts.append(Part(part.skipped + skipped, part.entries << place))
            else:
                parts.append(GatedPart(part.skipped + skipped, part.amounts << place, part.sides))
        return Split(self.cost, tuple(parts), self.constant << place)


class _Candidate(NamedTuple):
    """A table as a high part and what remains, both with 0 as their least entry.

    Parameters
    ----------
    high : int64, for each pattern of the input bits that are not left out.
    rest : int64, for each pattern.
    skipped : how many input bits are left out by the high part.
    place : the high part counts as multiplied by two to this.
    constant : the table less the sum of both.
    """

    high: IntArray
    rest: IntArray
    skipped: int
    place: int
    constant: int


class Splitter:
    """Finds cheap sums of tables, for costs of a bit by how many inputs it depends on."""

    def __init__(self, own: FloatArray, summand: FloatArray, max_parts: int) -> None:
        """
        Parameters
        ----------
        own : LUTs of a bit that depends on 0, 1, ... inputs.
        summand : the same, and of adding it to a sum.
        max_parts : at least 1.
        """
        self._own = own
        self._summand = summand
        self._max_parts = max_parts
        self._known: dict[tuple[int, bytes], Split] = {}

    def split(self, entries: IntArray) -> Split:
        """The cheapest sum of parts that was found; the table itself, shifted, if none is cheaper.

        Parameters
        ----------
        entries : int64, in number a power of two.
        """
        return self.split_all([entries])[0]

    def split_all(self, tables: Sequence[IntArray]) -> list[Split]:
        """The same for some tables, which takes less time than one by one."""
        lows = [int(table.min()) for table in tables]
        found: dict[int, Split] = {}
        # Tables of one size together.
        order = sorted(range(len(tables)), key=lambda index: len(tables[index]))
        while order:
            count = max(1, _TOGETHER // len(tables[order[-1]]))
            chosen, order = order[-count:], order[:-count]
            if len(self._known) > _KNOWN:
                self._known.clear()
            splits = self._split([tables[i] - lows[i] for i in chosen], self._max_parts)
            found.update(zip(chosen, splits, strict=True))
        return [
            Split(found[index].cost, found[index].parts, found[index].constant + low)
            for index, low in enumerate(lows)
        ]

    def _split(self, tables: Sequence[IntArray], max_parts: int) -> list[Split]:
        """Of tables whose least entry is 0."""
        keys = [(max_parts, table.tobytes()) for table in tables]
        missing = {
            key: table for key, table in zip(keys, tables, strict=True) if key not in self._known
        }
        if missing:
            new = list(missing.values())
            found = self._search(new, max_parts) if max_parts > 1 else self._shifted(new)
            self._known.update(zip(missing, found, strict=True))
        return [self._known[key] for key in keys]

    def _search(self, tables: Sequence[IntArray], max_parts: int) -> list[Split]:
        """Of tables whose least entry is 0, with at least 2 parts allowed.

        A few high parts are tried, and what they leave; the cheapest of these sums are refined.
        """
        best = self._split(tables, 1)
        still = [
            index
            for index, table in enumerate(tables)
            if len(table) > 2 and best[index].cost > self._least(table)
        ]
        if not still:
            return best
        candidates = self._candidates([tables[index] for index in still])
        pairs = [tables[index].reshape(-1, 2) for index in still]
        lesser = [each.min(axis=1) for each in pairs]
        ones = self._split([part for some in candidates for each in some for part in each[:2]], 1)
        sums = iter(high.cost + rest.cost for high, rest in zip(ones[::2], ones[1::2], strict=True))
        refined: list[tuple[int, _Candidate]] = []
        for index, some in zip(still, candidates, strict=True):
            few = max_parts == 2 or len(tables[index]) >= _MANY
            count = 1 if few else _REFINED
            order = sorted((next(sums), i) for i in range(len(some)))
            refined += [(index, some[i]) for _, i in order[:count]]
        highs, rests = [each.high for _, each in refined], [each.rest for _, each in refined]
        if max_parts > 2:
            self._split([*lesser, *highs, *rests], max_parts - 1)
        uppers = self._split(lesser, max_parts - 1)
        for index, upper, gated in zip(still, uppers, self._gated(pairs), strict=True):
            if upper.cost + gated.cost + FURTHER_PART < best[index].cost:
                best[index] = _joined(upper.raised(1, 0), gated, 0)
        for count in range(1, max_parts):
            uppers, lowers = self._split(highs, count), self._split(rests, max_parts - count)
            for (index, each), upper, lower in zip(refined, uppers, lowers, strict=True):
                if upper.cost + lower.cost + FURTHER_PART < best[index].cost:
                    raised = upper.raised(each.skipped, each.place)
                    best[index] = _joined(raised, lower, each.constant)
        return best

    def _least(self, entries: IntArray) -> float:
        """No sum of parts costs less: so many bits are needed to tell the entries apart."""
        return (len(set(entries.tolist())) - 1).bit_length() * float(self._summand[1:].min())

    def _shifted(self, tables: Sequence[IntArray]) -> list[Split]:
        """Each as one table, with the best offset.

        Parameters
        ----------
        tables : the least entry of each is 0.
        """
        whole = _stacked(tables, max(map(len, tables)), np.int64)
        highs: list[int] = whole.max(axis=0).tolist()
        choices = [_offsets((1 << high.bit_length()) - high) for high in highs]
        counts = np.array([len(each) for each in choices])
        columns = np.arange(len(tables)).repeat(counts)
        offsets = np.concatenate(choices)
        kind = _dtype(2 * max(highs))
        moved = whole.astype(kind).take(columns, axis=1, mode="clip")
        moved += offsets.astype(kind)
        costs = _costs(moved, self._summand)
        # The cheapest column of each table, the first of equal ones.
        best = np.lexsort((costs, columns))[counts.cumsum() - counts]
        return [
            Split(cost, (Part(0, table + offset),), -offset)
            for table, offset, cost in zip(
                tables, offsets[best].tolist(), costs[best].tolist(), strict=True
            )
        ]

    def _gated(self, pairs: Sequence[IntArray]) -> list[Split]:
        """How much more the greater one of each two neighbours is.

        Parameters
        ----------
        pairs : of each table, (patterns / 2, 2).
        """
        amounts = [np.abs(each[:, 1] - each[:, 0]) for each in pairs]
        sides = [each[:, 1] < each[:, 0] for each in pairs]
        highs = [int(each.max()) for each in amounts]
        both = _stacked([*amounts, *sides], max(map(len, pairs)), _dtype(max(highs)))
        costs = _costs(both, self._own)
        gate = float(self._summand[min(3, len(self._summand) - 1)])
        found: list[Split] = []
        for amount, side, high, cost in zip(
            amounts, sides, highs, costs[: len(pairs)] + costs[len(pairs) :], strict=True
        ):
            whole = float(cost) + high.bit_length() * gate
            found.append(Split(whole, (GatedPart(0, amount, side),), 0))
        return found

    def _candidates(self, tables: Sequence[IntArray]) -> list[list[_Candidate]]:
        """For each table the high parts that look cheapest, before anything is shifted.

        What remains has as few bits as possible, or one more.
        """
        patterns = max(map(len, tables))
        inputs = (patterns - 1).bit_length()
        # Tables of fewer inputs get more below.
        added = np.array([inputs - (len(table) - 1).bit_length() for table in tables])
        kind: type[np.signedinteger] = np.int64
        if max(int(table.max()) for table in tables) < 1 << 13:
            kind = np.int16
        whole = _stacked(tables, patterns, kind)
        width = _bits(whole.max(axis=0))
        low: _Integers = whole
        high: _Integers = whole
        floors: list[_Integers] = []
        spreads: list[_Integers] = []
        for _ in range(1, inputs):
            low = np.minimum(low[::2], low[1::2])
            high = np.maximum(high[::2], high[1::2])
            floors.append(low)
            spreads.append(high - low)
        # Options: input bits left out, table, and bits of what remains.
        least = np.maximum(1, _bits(np.stack([spread.max(axis=0) for spread in spreads])))
        bits = np.stack([least, least + 1], axis=2)
        left_out = np.arange(1, inputs)[:, np.newaxis]
        valid = (bits < width[:, np.newaxis]) & (added < left_out)[:, :, np.newaxis]
        level, table, _ = valid.nonzero()
        found: list[dict[bytes, _Candidate]] = [{} for _ in tables]
        if not len(level):
            return [[] for _ in tables]
        bits = bits[valid]
        ends = np.searchsorted(level, np.arange(inputs)).tolist()
        lows: list[_Integers] = []
        slacks: list[_Integers] = []
        for start, end, floor, spread in zip(ends, ends[1:], floors, spreads, strict=False):
            chosen = table[start:end]
            limit = ((1 << bits[start:end, np.newaxis]) - 1).astype(kind)
            lows.append(floor.T[chosen])
            slacks.append(limit - spread.T[chosen])
        skipped = level + 1
        which, place, shift = _shifts(lows, slacks, bits)
        bottom = _raised(lows, patterns).take(which, axis=1)
        slack = _raised(slacks, patterns).take(which, axis=1)
        power, bottom = place.astype(kind), bottom - shift.astype(kind)
        highs = np.concatenate([bottom >> power, -((slack - bottom) >> power)], axis=1)
        place, which = np.concatenate([place, place]), np.concatenate([which, which])
        table, skipped = table[which], skipped[which]
        rests = whole.take(table, axis=1) - (highs << place.astype(kind))
        least_high, least_rest = highs.min(axis=0), rests.min(axis=0)
        highs -= least_high
        rests -= least_rest
        both = np.concatenate([highs, rests], axis=1)
        costs = _costs(both.astype(_dtype(int(both.max()))), self._summand)
        costs = costs[: len(place)] + costs[len(place) :]
        constants = least_rest + (least_high.astype(np.int64) << place)
        for column in costs.argsort(kind="stable").tolist():
            owner = int(table[column])
            if len(found[owner]) == _COMPLETED:
                continue
            rest = rests[:: 1 << int(added[owner]), column].astype(np.int64)
            key = rest.tobytes()
            if key not in found[owner]:
                found[owner][key] = _Candidate(
                    highs[:: 1 << int(skipped[column]), column].astype(np.int64),
                    rest,
                    int(skipped[column] - added[owner]),
                    int(place[column]),
                    int(constants[column]),
                )
        return [list(each.values()) for each in found]


def _dtype(high: int) -> type[np.unsignedinteger]:
    """The smallest type for values from 0."""
    return np.uint8 if high < 1 << 8 else np.uint16 if high < 1 << 16 else np.uint64


def _bits(values: _Integers) -> IntArray:
    """Of numbers from 0: how many bits each has."""
    return np.frexp(values)[1].astype(np.int64)


@lru_cache(1 << 10)
def _offsets(slack: int) -> IntArray:
    """Some of 0 .. slack - 1."""
    count = min(slack, _OFFSETS)
    return np.array([index * slack // count for index in range(count)])


def _stacked(
    tables: Sequence[NDArray[np.integer | np.bool_]], patterns: int, dtype: type[_Integer]
) -> NDArray[_Integer]:
    """Columns (patterns, n): each table with its entries repeated."""
    stacked = np.empty((patterns, len(tables)), dtype=dtype)
    for index, table in enumerate(tables):
        stacked.reshape(len(table), -1, len(tables))[:, :, index] = table[:, np.newaxis]
    return stacked


def _raised(tables: Sequence[_Integers], patterns: int) -> _Integers:
    """Columns (patterns, n): each row of each array with its entries repeated."""
    raised = [each.T.repeat(patterns // each.shape[1], axis=0) for each in tables]
    return np.concatenate(raised, axis=1)


def _costs(entries: NDArray[np.unsignedinteger], costs: FloatArray) -> FloatArray:
    """What the bits of some tables cost, float64 (n,).

    Parameters
    ----------
    entries : unsigned, (patterns, n).
    costs : of a bit that depends on 0, 1, ... inputs.
    """
    patterns, count = entries.shape
    inputs = (patterns - 1).bit_length()
    differ = np.zeros((inputs, count), dtype=entries.dtype)
    for variable in range(inputs):
        halves = entries.reshape(-1, 2, count << variable)
        different = (halves[:, 0] ^ halves[:, 1]).reshape(-1, count)
        np.bitwise_or.reduce(different, axis=0, out=differ[variable])
    bits = np.unpackbits(differ.view(np.uint8), axis=1)
    used = np.add.reduce(bits, axis=0, dtype=np.uint8)
    return costs[used].reshape(count, -1).sum(axis=1)


def _shifts(
    lows: Sequence[_Integers], slacks: Sequence[_Integers], tops: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Offsets at which every interval low - slack .. low has a multiple of a high power of two.

    Gives some offsets: for which row each is, the place of the power of two, and the offset.

    Parameters
    ----------
    lows, slacks : arrays of rows of intervals.
    tops : of each row, the highest place.
    """
    low = np.concatenate([each.ravel() for each in lows]).astype(np.int64)
    slack = np.concatenate([each.ravel() for each in slacks]).astype(np.int64)
    sizes = np.array([each.shape[1] for each in lows]).repeat([len(each) for each in lows])
    starts = sizes.cumsum() - sizes
    # A word for each place and interval tells which offsets are possible.
    places = np.arange(int(tops.max()) + 1)[:, np.newaxis]
    steps = np.maximum(places - _RESIDUES, 0)
    tried = 1 << (places - steps)
    last = low >> steps
    run = np.minimum(last + ((slack - low) >> steps), tried - 1)
    first = ((last - run) & (tried - 1)).astype(np.uint64)
    all_ones = np.uint64(0xFFFFFFFFFFFFFFFF)
    word = all_ones >> (63 - run).astype(np.uint64)
    word = (word << first) | (word >> (tried.astype(np.uint64) - first))
    word &= all_ones >> (64 - tried).astype(np.uint64)
    possible = np.bitwise_and.reduceat(word, starts, axis=1)
    place = ((possible != 0) & (places <= tops)) * places
    place = place.max(axis=0)
    chosen = possible[place, np.arange(len(place))]
    allowed = (chosen[:, np.newaxis] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    # Evenly among those that are possible.
    which, shift = allowed.nonzero()
    counts = np.bincount(which)
    rank = np.arange(len(which)) - (counts.cumsum() - counts)[which]
    counts = counts[which]
    taken = np.minimum(counts, _SHIFTS)
    kept = (rank * taken) % counts < taken
    which, shift = which[kept], shift[kept]
    return which, place[which], shift << np.maximum(place[which] - _RESIDUES, 0)


def _joined(upper: Split, lower: Split, constant: int) -> Split:
    return Split(
        upper.cost + lower.cost + FURTHER_PART,
        (*upper.parts, *lower.parts),
        upper.constant + lower.constant + constant,
    )
