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

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from kan_dialect.devices.device import Fpga
from kan_dialect.devices.table_cost import by_size, supports
from kan_dialect.ir.constants import FloatArray, IntArray

_Integer = TypeVar("_Integer", bound=np.integer)
_Integers: TypeAlias = NDArray[np.signedinteger]

FURTHER_PART = 0.75
"""LUTs that a further summand costs beside its bits: sums get wider, and their trees deeper.

Chosen by what Yosys makes of four networks (docs/rationale/hardware.md)."""

CARRY = 0.5
"""LUTs that a bit costs less which comes in below an adder: it takes no bit of the adder itself."""

MAX_INPUT_BITS = 14
"""Tables over more input bits are not taken apart: the search would take long."""

_OFFSETS = 64
"""Offsets of a table that are tried."""

_SHIFTS = 3
"""Offsets of high parts that are tried, for each number of input bits left out."""

_COMPLETED = 8
"""So many high parts, of those that look cheapest, get the best offset, and so do their rests."""

_LEFT_OUT = (1, 3)
"""High parts that leave out so many input bits or more are costed together."""

_REFINED = 4
"""So many of these, the cheapest, are taken apart again; of a table of many inputs, the first."""

_WIDE = 1 << 7
"""In tables of so many entries, neighbours are told apart in more ways than one."""

_GATED_BITS = 10
"""Neighbours that differ by more bits are told apart by no gate."""

_MANY = 1 << 8
"""A table of so many entries has many inputs."""

_KNOWN = 1 << 11
"""So many results are kept for tables that occur again."""

_TOGETHER = 1 << 12
"""Entries of tables that are searched together."""

_RESIDUES = 6
"""Offsets below a power of two are tried in so many bits."""


class Part(NamedTuple):
    """A table that looks at the input's upper bits.

    Parameters
    ----------
    skipped : how many of the lowest input bits it does not look at.
    unshifted : int64, for each pattern of the other bits; the entries less an offset.
    offset : what all entries have on top; they are then at least 0.
    """

    skipped: int
    unshifted: IntArray
    offset: int = 0

    @property
    def entries(self) -> IntArray:
        """The table, int64, for each pattern of the input bits that it looks at; at least 0."""
        return self.unshifted + self.offset

    def values(self, inputs: int) -> IntArray:
        """What it adds for every pattern of so many input bits, int64."""
        return np.repeat(self.entries, 1 << self.skipped)[: 1 << inputs]


class GatedPart(NamedTuple):
    """What is added for one or the other of two neighbours, by a class of the bits above.

    Parameters
    ----------
    skipped : how many of the lowest input bits it does not look at; the next one is the gate.
    classes : int64, for each pattern of the bits above the gate; at least 0.
    amounts : int64, (2, classes), for the gate 0 and 1 and each class; at least 0.
    """

    skipped: int
    classes: IntArray
    amounts: IntArray

    def values(self, inputs: int) -> IntArray:
        """What it adds for every pattern of so many input bits, int64."""
        neighbours = self.amounts[:, self.classes].T
        return np.repeat(neighbours.ravel(), 1 << self.skipped)[: 1 << inputs]


class Split(NamedTuple):
    """A table as a sum of parts and a constant.

    Parameters
    ----------
    bits : LUTs of the parts' bits, with adding each to a sum.
    constant : the table less the sum of its parts.
    adders : parts that each bring an adder, below which a bit may come in.
    carries : such bits: parts that are 0 or 1, and the lowest bits of others that gain by it.
    """

    bits: float
    parts: tuple[Part | GatedPart, ...]
    constant: int
    adders: int
    carries: int

    @property
    def cost(self) -> float:
        """LUTs, with `FURTHER_PART` for every adder but one."""
        single = len(self.parts) - self.adders
        adders = self.adders + max(0, single - self.adders)
        return self.bits - CARRY * min(adders, self.carries) + FURTHER_PART * max(0, adders - 1)

    def joined(self, other: Split, constant: int) -> Split:
        """The sum of both and a constant."""
        return Split(
            self.bits + other.bits,
            (*self.parts, *other.parts),
            self.constant + other.constant + constant,
            self.adders + other.adders,
            self.carries + other.carries,
        )

    def raised(self, skipped: int, place: int) -> Split:
        """The same for an input with more bits below, multiplied by a power of two."""
        parts: list[Part | GatedPart] = []
        for part in self.parts:
            if isinstance(part, Part):
                upper = part.unshifted << place
                parts.append(Part(part.skipped + skipped, upper, part.offset << place))
            else:
                amounts = part.amounts << place
                parts.append(GatedPart(part.skipped + skipped, part.classes, amounts))
        return Split(self.bits, tuple(parts), self.constant << place, self.adders, self.carries)


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


class Shifted(NamedTuple):
    """Some tables, each as one part with an offset.

    Parameters
    ----------
    offsets : of each table.
    bits : LUTs of the bits of each table, float64.
    every : the bits that the entries of each table have.
    gains : whether the lowest bit of each table costs less where it comes in below an adder.
    """

    offsets: list[int]
    bits: FloatArray
    every: NDArray[np.unsignedinteger]
    gains: NDArray[np.bool_]

    def split(self, index: int, table: IntArray) -> Split:
        """One of them."""
        offset, every = self.offsets[index], int(self.every[index])
        part = Part(0, table, offset)
        return _one_part(part, every, -offset, float(self.bits[index]), bool(self.gains[index]))

    def pair_costs(self) -> FloatArray:
        """What the sums of each of the first half and its counterpart in the second cost.

        As `Split.cost`.
        """
        half = len(self.bits) // 2
        wide = self.every > 1
        carries = (self.every == 1) | (wide & self.gains)
        adders, single, carries = (
            each[:half].astype(np.int64) + each[half:] for each in (wide, self.every == 1, carries)
        )
        adders += np.maximum(single - adders, 0)
        cost = self.bits[:half] + self.bits[half:] - CARRY * np.minimum(adders, carries)
        return cost + FURTHER_PART * np.maximum(adders - 1, 0)


def _one_part(part: Part | GatedPart, every: int, constant: int, bits: float, gains: bool) -> Split:
    """One part alone, with `every` bit of its amounts.

    Parameters
    ----------
    gains : whether the lowest bit costs less where it comes in below an adder.
    """
    if every == 0:
        return Split(0.0, (), constant, 0, 0)
    is_single = every == 1
    return Split(bits, (part,), constant, int(not is_single), int(is_single or gains))


class _Options(NamedTuple):
    """Sums of a high part and what remains, one in each row, both with 0 as their least entry.

    Parameters
    ----------
    table : of which table.
    highs, rests : (n, patterns), integers; the high part's entries are repeated.
    skipped, places, constants : as those of `_Candidate`.
    costs : LUTs as far as known without offsets, float64.
    """

    table: IntArray
    highs: _Integers
    rests: _Integers
    skipped: IntArray
    places: IntArray
    constants: IntArray
    costs: FloatArray

    def candidate(self, row: int, entries: int) -> _Candidate:
        """One of them, for a table of so many entries: these are repeated here."""
        skipped = int(self.skipped[row])
        added = (self.rests.shape[1] // entries).bit_length() - 1
        return _Candidate(
            self.highs[row, :: 1 << skipped].astype(np.int64),
            self.rests[row, :: 1 << added].astype(np.int64),
            skipped - added,
            int(self.places[row]),
            int(self.constants[row]),
        )


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
        self._gains_apart = summand > own
        """Whether a lowest bit of 0, 1, ... inputs costs less where it comes in below an adder."""
        self._known: dict[tuple[int, bytes], Split] = {}
        self._known_amounts: dict[bytes, tuple[float, int, int]] = {}

    def split(self, entries: IntArray) -> Split:
        """The cheapest sum of parts that was found; the table itself, shifted, if none is cheaper.

        Parameters
        ----------
        entries : int64, in number a power of two.
        """
        return self.split_all([entries])[0]

    def split_all(self, tables: Sequence[IntArray], max_parts: int | None = None) -> list[Split]:
        """The same for some tables, which takes less time than one by one.

        Parameters
        ----------
        max_parts : where not that of the splitter, at least 1.
        """
        max_parts = max_parts or self._max_parts
        lows = [int(table.min()) for table in tables]
        found: dict[int, Split] = {}
        # Tables of one size together.
        order = sorted(range(len(tables)), key=lambda index: len(tables[index]))
        while order:
            count = max(1, _TOGETHER // len(tables[order[-1]]))
            chosen, order = order[-count:], order[:-count]
            if len(self._known) > _KNOWN:
                self._known.clear()
                self._known_amounts.clear()
            splits = self._split([tables[i] - lows[i] for i in chosen], max_parts)
            found.update(zip(chosen, splits, strict=True))
        return [
            found[index]._replace(constant=found[index].constant + low)
            for index, low in enumerate(lows)
        ]

    def own(self, split: Split) -> float:
        """LUTs of a table of one part, or none, if something else is added to it."""
        tables = [part.entries for part in split.parts if isinstance(part, Part)]
        assert len(tables) == len(split.parts)
        used = [supports(each[np.newaxis], int(each.max()).bit_length()) for each in tables]
        return float(sum(self._own[bits].sum() for bits in used))

    def lowest_apart(self, split: Split, most: int) -> Split:
        """The same, with the lowest bits of parts as parts, where adding them takes LUTs.

        Parameters
        ----------
        most : no more than so many of them.
        """
        parts: list[Part | GatedPart] = []
        for part in split.parts:
            amounts = part.entries if isinstance(part, Part) else part.amounts
            every = int(np.bitwise_or.reduce(amounts, axis=None))
            lowest = every & -every
            if isinstance(part, GatedPart) or every == lowest or most == 0:
                parts.append(part)
                continue
            used = supports(amounts[np.newaxis], every.bit_length())[0]
            inputs = int(used[lowest.bit_length() - 1])
            if self._summand[inputs] > self._own[inputs]:
                parts.append(Part(part.skipped, amounts & ~lowest))
                parts.append(Part(part.skipped, amounts & lowest))
                most -= 1
            else:
                parts.append(part)
        return split._replace(parts=tuple(parts))

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
        candidates = self._candidates([tables[index] for index in still], max_parts)
        refined = [(i, each) for i, some in zip(still, candidates, strict=True) for each in some]
        highs, rests = [each.high for _, each in refined], [each.rest for _, each in refined]
        gated = self._best_gated(tables, still)
        lesser = [each.high for each, _ in gated.values()]
        if max_parts > 2:
            self._split([*lesser, *highs, *rests], max_parts - 1)
        uppers = self._split(lesser, max_parts - 1)
        for (index, (each, lower)), upper in zip(gated.items(), uppers, strict=True):
            if upper.joined(lower, 0).cost < best[index].cost:
                best[index] = upper.raised(1, 0).joined(lower, each.constant)
        for count in range(1, max_parts):
            uppers, lowers = self._split(highs, count), self._split(rests, max_parts - count)
            for (index, each), upper, lower in zip(refined, uppers, lowers, strict=True):
                if upper.joined(lower, 0).cost < best[index].cost:
                    raised = upper.raised(each.skipped, each.place)
                    best[index] = raised.joined(lower, each.constant)
        return best

    def _best_gated(
        self, tables: Sequence[IntArray], which: Sequence[int]
    ) -> dict[int, tuple[_GatedCandidate, Split]]:
        """Of some tables, the way to tell neighbours apart that looks cheapest.

        By the number of the table, with the gated part as a sum of one part.
        """
        gated = [(which[i], each) for i, each in _gated([tables[index] for index in which])]
        lowers = self._cost_gated([each.part for _, each in gated]) if gated else []
        uppers = self._split([each.high for _, each in gated], 1)
        found: dict[int, tuple[float, _GatedCandidate, Split]] = {}
        for (index, each), upper, lower in zip(gated, uppers, lowers, strict=True):
            cost = upper.joined(lower, 0).cost
            if index not in found or cost < found[index][0]:
                found[index] = cost, each, lower
        return {index: (each, lower) for index, (_, each, lower) in found.items()}

    def _least(self, entries: IntArray) -> float:
        """No sum of parts costs less: so many bits are needed to tell the entries apart."""
        return (len(set(entries.tolist())) - 1).bit_length() * float(self._summand[1:].min())

    def _shifted(self, tables: Sequence[IntArray]) -> list[Split]:
        """Each as one table, with the best offset.

        Parameters
        ----------
        tables : the least entry of each is 0.
        """
        found = self.with_best_offsets(_stacked(tables, max(map(len, tables)), np.int64))
        return [found.split(index, table) for index, table in enumerate(tables)]

    def _summand_costs(self, tables: _Integers) -> FloatArray:
        """LUTs of some tables as they are, and of adding them: (patterns, n), from 0."""
        return _costs(tables.astype(_dtype(int(tables.max()))), self._summand)[0]

    def with_best_offsets(self, tables: _Integers) -> Shifted:
        """Each with the offset at which its bits cost least.

        Parameters
        ----------
        tables : (patterns, n), integers; the least of each column is 0.
        """
        highs: list[int] = tables.max(axis=0).tolist()
        choices = [_offsets((1 << high.bit_length()) - high) for high in highs]
        counts = np.array([len(each) for each in choices])
        columns = np.arange(len(highs)).repeat(counts)
        offsets = np.concatenate(choices)
        kind = _dtype(2 * max(highs))
        moved = tables.astype(kind).take(columns, axis=1, mode="clip")
        moved += offsets.astype(kind)
        costs, lowest = _costs(moved, self._summand)
        # The cheapest column of each table, the first of equal ones.
        best = np.lexsort((costs, columns))[counts.cumsum() - counts]
        every = np.bitwise_or.reduce(moved[:, best], axis=0)
        return Shifted(offsets[best].tolist(), costs[best], every, self._gains_apart[lowest[best]])

    def _options_with_best_offsets(self, options: _Options, rows: Sequence[int]) -> Shifted:
        """The high parts of some options, then their rests, each with its best offset.

        Of entries that are repeated, few are looked at.
        """
        tables = np.concatenate([options.highs[rows], options.rests[rows]])
        skipped = np.concatenate([options.skipped[rows], np.zeros_like(rows)])
        count = len(tables)
        offsets, bits = np.zeros(count, dtype=np.int64), np.zeros(count)
        every, gains = np.zeros(count, dtype=np.uint64), np.zeros(count, dtype=np.bool_)
        for least, above in pairwise((0, *_LEFT_OUT, MAX_INPUT_BITS)):
            (which,) = ((least <= skipped) & (skipped < above)).nonzero()
            if len(which):
                found = self.with_best_offsets(tables[which, :: 1 << least].T)
                offsets[which], bits[which] = found.offsets, found.bits
                every[which], gains[which] = found.every, found.gains
        return Shifted(offsets.tolist(), bits, every, gains)

    def _cost_gated(self, parts: Sequence[GatedPart]) -> list[Split]:
        """Each as one part."""
        highs = [int(part.classes.max()) for part in parts]
        longest = max(len(part.classes) for part in parts)
        classes = _stacked([part.classes for part in parts], longest, _dtype(max(highs)))
        found: list[Split] = []
        for part, cost in zip(parts, _costs(classes, self._own)[0].tolist(), strict=True):
            bits, every, lowest = self._cost_amounts(part.amounts)
            gains = bool(self._gains_apart[lowest])
            found.append(_one_part(part, every, 0, cost + bits, gains))
        return found

    def _cost_amounts(self, amounts: IntArray) -> tuple[float, int, int]:
        """What the bits of a gated part cost, every bit of them, and inputs of the lowest one.

        The same few amounts come again and again.
        """
        key = amounts.tobytes()
        if key not in self._known_amounts:
            every = int(np.bitwise_or.reduce(amounts, axis=None))
            used = supports(amounts.reshape(1, -1), every.bit_length())[0]
            used = np.minimum(used, len(self._summand) - 1)
            lowest = int(used[0]) if every else 0
            self._known_amounts[key] = float(self._summand[used].sum()), every, lowest
        return self._known_amounts[key]

    def _candidates(self, tables: Sequence[IntArray], max_parts: int) -> list[list[_Candidate]]:
        """For each table the sums of a high part and what remains that are cheapest.

        Those that look cheapest before anything is shifted get the best offsets. Both parts of the
        ones that are then left are known (`_known`).
        """
        options = self._options(tables)
        if options is None:
            return [[] for _ in tables]
        few: list[dict[bytes, int]] = [{} for _ in tables]
        owners: list[int] = options.table.tolist()
        order: list[int] = options.costs.argsort(kind="stable").tolist()
        for row in order:
            mine = few[owners[row]]
            if len(mine) < _COMPLETED:
                mine.setdefault(options.rests[row].tobytes(), row)
        rows = [row for mine in few for row in mine.values()]
        shifted = self._options_with_best_offsets(options, rows)
        sums: list[float] = shifted.pair_costs().tolist()
        found: list[list[_Candidate]] = []
        end = 0
        for table, mine in zip(tables, few, strict=True):
            start, end = end, end + len(mine)
            best = sorted(range(start, end), key=lambda number: (sums[number], number))
            count = 1 if max_parts == 2 or len(table) >= _MANY else _REFINED
            found.append([options.candidate(rows[number], len(table)) for number in best[:count]])
            for number, each in zip(best, found[-1], strict=False):
                for part, which in ((each.high, number), (each.rest, number + len(rows))):
                    self._known.setdefault((1, part.tobytes()), shifted.split(which, part))
        return found

    def _options(self, tables: Sequence[IntArray]) -> _Options | None:
        """Sums of a high part and what remains; None if all tables have too few bits.

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
        if not len(level):
            return None
        bits = bits[valid]
        ends = np.searchsorted(level, np.arange(inputs)).tolist()
        lows: list[_Integers] = []
        slacks: list[_Integers] = []
        for start, end, floor, spread in zip(ends, ends[1:], floors, spreads, strict=False):
            limit = ((1 << bits[start:end, np.newaxis]) - 1).astype(kind)
            lows.append(floor.T[table[start:end]])
            slacks.append(limit - spread.T[table[start:end]])
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
        # Of the high parts, neighbours are equal.
        costs = self._summand_costs(highs[::2]) + self._summand_costs(rests)
        # A rest of one bit comes in below an adder.
        costs -= (CARRY + FURTHER_PART) * (rests.max(axis=0) == 1)
        constants = least_rest + (least_high.astype(np.int64) << place)
        highs, rests = np.ascontiguousarray(highs.T), np.ascontiguousarray(rests.T)
        return _Options(table, highs, rests, skipped, place, constants, costs)


class _GatedCandidate(NamedTuple):
    """A table as a high part that leaves the last input bit out, a gated part, and a constant."""

    high: IntArray
    part: GatedPart
    constant: int


def _gated(tables: Sequence[IntArray]) -> Iterator[tuple[int, _GatedCandidate]]:
    """What tells neighbours apart, with the last input bit as gate; with the number of the table.

    The high part is the lesser of both, and the class says which one is greater and by how much; or
    it is one of both less a constant, and the gate adds that constant or how the other differs.
    """
    for which, entries in by_size(tables):
        neighbours = entries.reshape(len(which), -1, 2).swapaxes(1, 2)
        differ = neighbours[:, 1] - neighbours[:, 0]
        lesser = neighbours.min(axis=1)
        distance = np.abs(differ)
        widths = _bits(distance.max(axis=1))
        either = distance + ((differ < 0) << widths[:, np.newaxis])
        ends = zip(differ.min(axis=1).tolist(), differ.max(axis=1).tolist(), strict=True)
        for row, (index, bits, (least, most)) in enumerate(
            zip(which.tolist(), widths.tolist(), ends, strict=True)
        ):
            if bits > _GATED_BITS:
                continue
            if least >= 0 or most <= 0:
                part = GatedPart(0, distance[row], _one_way(bits, int(least >= 0)))
            else:
                part = GatedPart(0, either[row], _either_way(bits))
                bits += 1
            yield index, _GatedCandidate(lesser[row], part, 0)
            if entries.shape[1] >= _WIDE:
                others = _gated_otherwise(neighbours[row], differ[row], bits, (least, most))
                yield from ((index, each) for each in others)


@lru_cache(2 * _GATED_BITS + 2)
def _one_way(bits: int, gate: int) -> IntArray:
    """A class of so many bits for one gate, nothing for the other."""
    amounts = np.zeros((2, 1 << bits), dtype=np.int64)
    amounts[gate] = np.arange(1 << bits)
    return amounts


@lru_cache(_GATED_BITS + 1)
def _either_way(bits: int) -> IntArray:
    """A number of so many bits for the gate that a further bit of the class says."""
    return np.concatenate([_one_way(bits, 1), _one_way(bits, 0)], axis=1)


def _gated_otherwise(
    neighbours: IntArray, differ: IntArray, bits: int, ends: tuple[int, int]
) -> Iterator[_GatedCandidate]:
    """Classes of fewer than so many bits, and what is not the lesser of both as high part.

    Parameters
    ----------
    neighbours : (2, patterns), int64.
    differ : by how much the second ones are greater; between these ends.
    """
    count = len(set(differ.tolist()))
    if (count - 1).bit_length() < bits:
        different, classes = np.unique(differ, return_inverse=True)
        amounts = np.maximum([-different, different], 0)
        # Classes that do not occur are like the last one.
        missing = (1 << (count - 1).bit_length()) - count
        amounts = np.pad(amounts, ((0, 0), (0, missing)), mode="edge")
        yield _GatedCandidate(neighbours.min(axis=0), GatedPart(0, classes, amounts), 0)
    for gate, constant in enumerate((-ends[0], ends[1])):
        if constant <= 0:
            continue
        classes = (differ if gate == 0 else -differ) + constant
        codes = np.arange(1 << int(classes.max()).bit_length())
        amounts = np.stack([codes, codes])
        amounts[gate] = constant
        least = int(neighbours[gate].min())
        yield _GatedCandidate(
            neighbours[gate] - least, GatedPart(0, classes, amounts), least - constant
        )


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
    for which, rows in by_size(tables):
        stacked.reshape(rows.shape[1], -1, len(tables))[:, :, which] = rows.T[:, np.newaxis]
    return stacked


def _raised(tables: Sequence[_Integers], patterns: int) -> _Integers:
    """Columns (patterns, n): each row of each array with its entries repeated."""
    raised = [each.T.repeat(patterns // each.shape[1], axis=0) for each in tables]
    return np.concatenate(raised, axis=1)


def _costs(
    entries: NDArray[np.unsignedinteger], costs: FloatArray
) -> tuple[FloatArray, NDArray[np.integer]]:
    """What the bits of some tables cost, float64 (n,), and inputs of the lowest bit of each (n,).

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
    bits = np.unpackbits(differ.view(np.uint8), axis=1, bitorder="little")
    used = np.add.reduce(bits, axis=0, dtype=np.uint8).reshape(count, -1)
    lowest = used[np.arange(count), (used != 0).argmax(axis=1)]
    return costs[used].sum(axis=1), lowest


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


def splitter_for(target: Fpga, parts: int) -> Splitter:
    """What finds sums of at most so many parts, by the costs of a target."""
    return Splitter(target.bit_costs(MAX_INPUT_BITS), target.summand_costs(MAX_INPUT_BITS), parts)
