"""Tables as a high part, which leaves out low input bits, and a rest of few bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.search.table_split.costs import Integers, PartCosts, stacked_columns

NARROW = 1 << 13
"""Entries below this bound are decomposed as 16-bit integers."""


class Decomposition(NamedTuple):
    """A table as a high part and a rest, both with 0 as their least entry.

    Parameters
    ----------
    high : int64, for each pattern of the input bits that are not left out.
    rest : int64, for each pattern.
    skipped : number of lowest input bits that the high part leaves out.
    place : the high part counts 2^place times.
    constant : the table less the sum of both.
    """

    high: IntArray
    rest: IntArray
    skipped: int
    place: int
    constant: int


class Decompositions(NamedTuple):
    """Decompositions of several tables, one a row.

    Parameters
    ----------
    table : number of each row's table.
    highs, rests : (n, patterns), integers; the high part's entries are repeated.
    skipped, places, constants : see `Decomposition`.
    luts : LUTs without offsets of the parts, float64.
    """

    table: IntArray
    highs: Integers
    rests: Integers
    skipped: IntArray
    places: IntArray
    constants: IntArray
    luts: FloatArray

    def row(self, row: int, entries: int) -> Decomposition:
        """One of them, for a table of `entries` entries, which are repeated here."""
        skipped = int(self.skipped[row])
        added = (self.rests.shape[1] // entries).bit_length() - 1
        return Decomposition(
            self.highs[row, :: 1 << skipped].astype(np.int64),
            self.rests[row, :: 1 << added].astype(np.int64),
            skipped - added,
            int(self.places[row]),
            int(self.constants[row]),
        )

    def cheapest(self, count: int, tables: int) -> list[list[int]]:
        """For each table the rows of its `count` cheapest decompositions; each rest once."""
        chosen: list[dict[bytes, int]] = [{} for _ in range(tables)]
        owners: list[int] = self.table.tolist()
        order: list[int] = self.luts.argsort(kind="stable").tolist()
        for row in order:
            own = chosen[owners[row]]
            if len(own) < count:
                own.setdefault(self.rests[row].tobytes(), row)
        return [list(own.values()) for own in chosen]


def decompose(tables: Sequence[IntArray], costs: PartCosts) -> Decompositions | None:
    """High parts and rests of tables; None if all tables have too few bits.

    The rest has as few bits as possible, or one more.

    Parameters
    ----------
    tables : int64; the least entry of each is 0.
    """
    patterns = max(map(len, tables))
    inputs = (patterns - 1).bit_length()
    # Tables of fewer inputs get more below.
    added = np.array([inputs - (len(table) - 1).bit_length() for table in tables])
    narrow = max(int(table.max()) for table in tables) < NARROW
    kind: type[np.signedinteger] = np.int16 if narrow else np.int64
    whole = stacked_columns(tables, patterns, kind)
    floors, spreads = _floors_and_spreads(whole, inputs)
    # Choices: number of input bits left out, table, and bits of the rest.
    least = np.maximum(1, _widths(np.stack([spread.max(axis=0) for spread in spreads])))
    bits = np.stack([least, least + 1], axis=2)
    left_out = np.arange(1, inputs)[:, np.newaxis]
    width = _widths(whole.max(axis=0))
    valid = (bits < width[:, np.newaxis]) & (added < left_out)[:, :, np.newaxis]
    level, table, _ = valid.nonzero()
    if not len(level):
        return None
    bits = bits[valid]
    ends = np.searchsorted(level, np.arange(inputs)).tolist()
    lows: list[Integers] = []
    slacks: list[Integers] = []
    for start, end, floor, spread in zip(ends, ends[1:], floors, spreads, strict=False):
        limit = ((1 << bits[start:end, np.newaxis]) - 1).astype(kind)
        lows.append(floor.T[table[start:end]])
        slacks.append(limit - spread.T[table[start:end]])
    skipped = level + 1
    which, place, shift = _high_offsets(lows, slacks, bits, costs)
    bottom = _repeated_columns(lows, patterns).take(which, axis=1)
    slack = _repeated_columns(slacks, patterns).take(which, axis=1)
    power, bottom = place.astype(kind), bottom - shift.astype(kind)
    highs = np.concatenate([bottom >> power, -((slack - bottom) >> power)], axis=1)
    place, which = np.concatenate([place, place]), np.concatenate([which, which])
    table, skipped = table[which], skipped[which]
    rests = whole.take(table, axis=1) - (highs << place.astype(kind))
    least_high, least_rest = highs.min(axis=0), rests.min(axis=0)
    highs -= least_high
    rests -= least_rest
    # Neighbouring entries of high parts are equal.
    luts = costs.of_summands(highs[::2]) + costs.of_summands(rests)
    luts -= costs.carried_bit * (rests.max(axis=0) == 1)
    constants = least_rest + (least_high.astype(np.int64) << place)
    highs, rests = np.ascontiguousarray(highs.T), np.ascontiguousarray(rests.T)
    return Decompositions(table, highs, rests, skipped, place, constants, luts)


def _floors_and_spreads(whole: Integers, inputs: int) -> tuple[list[Integers], list[Integers]]:
    """Least entry, and greatest less least, among entries that differ in 1, 2, ... lowest bits.

    Parameters
    ----------
    whole : (patterns, n).

    Returns
    -------
    Two lists of arrays (patterns / 2^k, n), k from 1 to inputs - 1.
    """
    low, high = whole, whole
    floors: list[Integers] = []
    spreads: list[Integers] = []
    for _ in range(1, inputs):
        low = np.minimum(low[::2], low[1::2])
        high = np.maximum(high[::2], high[1::2])
        floors.append(low)
        spreads.append(high - low)
    return floors, spreads


def _widths(values: Integers) -> IntArray:
    """Bits of numbers that are at least 0."""
    return np.frexp(values)[1].astype(np.int64)


def _repeated_columns(tables: Sequence[Integers], patterns: int) -> Integers:
    """Columns (patterns, n): each row of each array with its entries repeated."""
    columns = [each.T.repeat(patterns // each.shape[1], axis=0) for each in tables]
    return np.concatenate(columns, axis=1)


def _high_offsets(
    lows: Sequence[Integers], slacks: Sequence[Integers], tops: IntArray, costs: PartCosts
) -> tuple[IntArray, IntArray, IntArray]:
    """Offsets at which every interval low - slack .. low has a multiple of a high power of two.

    Parameters
    ----------
    lows, slacks : arrays of rows of intervals.
    tops : of each row, the highest exponent of the power of two.

    Returns
    -------
    For each offset: its row, the exponent, and the offset.
    """
    low = np.concatenate([each.ravel() for each in lows]).astype(np.int64)
    slack = np.concatenate([each.ravel() for each in slacks]).astype(np.int64)
    sizes = np.array([each.shape[1] for each in lows]).repeat([len(each) for each in lows])
    starts = sizes.cumsum() - sizes
    # For each exponent and interval, a word whose bits are the possible offsets.
    resolution = costs.limits.offset_bits
    places = np.arange(int(tops.max()) + 1)[:, np.newaxis]
    steps = np.maximum(places - resolution, 0)
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
    # Evenly among the possible ones.
    which, shift = allowed.nonzero()
    counts = np.bincount(which)
    rank = np.arange(len(which)) - (counts.cumsum() - counts)[which]
    counts = counts[which]
    taken = np.minimum(counts, costs.limits.high_offsets)
    kept = (rank * taken) % counts < taken
    which, shift = which[kept], shift[kept]
    return which, place[which], shift << np.maximum(place[which] - resolution, 0)
