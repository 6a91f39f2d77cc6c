"""LUTs of parts and of their sums, and the offsets at which parts cost least.

The cost of a bit depends on the number of input bits that it depends on (its support), and on
whether it is added to a sum (`DeviceFamily.bit_costs`, `DeviceFamily.summand_costs`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from kan_dialect.devices.device import Adders, DeviceFamily
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.maths.truth_tables import by_size, supports
from kan_dialect.search.table_split.limits import MAX_INPUT_BITS, SearchLimits, limits_on
from kan_dialect.search.table_split.parts import GatedPart, Part, Split

Integers: TypeAlias = NDArray[np.signedinteger]
_Integer = TypeVar("_Integer", bound=np.integer)


class ShiftedTables(NamedTuple):
    """Several tables, each as one part with an offset.

    Parameters
    ----------
    offsets : of each table.
    bit_luts : LUTs of the bits of each table, adding included, float64.
    masks : bits that any entry of each table has.
    lowest_may_carry : whether the lowest bit of each table costs less at an adder's carry input.
    """

    offsets: list[int]
    bit_luts: FloatArray
    masks: NDArray[np.unsignedinteger]
    lowest_may_carry: NDArray[np.bool_]

    def split(self, index: int, table: IntArray) -> Split:
        """One of the tables as a sum of one part."""
        offset = self.offsets[index]
        return Split.of_part(
            Part(0, table, offset),
            int(self.masks[index]),
            -offset,
            float(self.bit_luts[index]),
            lowest_may_carry=bool(self.lowest_may_carry[index]),
        )


class PartCosts:
    """LUTs of parts on a device."""

    def __init__(
        self,
        bit_costs: FloatArray,
        summand_costs: FloatArray,
        adders: Adders,
        limits: SearchLimits | None = None,
    ) -> None:
        """
        Parameters
        ----------
        bit_costs : LUTs of a bit that depends on 0, 1, ... inputs.
        summand_costs : the same, and of adding it to a sum.
        adders : of the device.
        """
        self.limits = limits or SearchLimits()
        self.bit_costs = bit_costs
        self.summand_costs = summand_costs
        self.adders = adders
        self._may_carry = summand_costs > bit_costs
        """Whether a bit of 0, 1, ... inputs costs less at an adder's carry input."""
        self._cheapest_bit = float(summand_costs[1:].min())
        self._amount_costs: dict[bytes, tuple[float, int, int]] = {}

    @staticmethod
    def on(device: DeviceFamily, inputs: int = MAX_INPUT_BITS) -> PartCosts:
        """Costs on a device, for tables of at most `inputs` input bits."""
        costs = device.bit_costs(inputs), device.summand_costs(inputs)
        return PartCosts(*costs, device.adders, limits_on(device))

    def of(self, split: Split) -> float:
        """LUTs of a sum of parts that is added to another sum.

        Every adder but one is a further one. Bits at carry inputs cost less.
        """
        bits = len(split.parts) - split.adders
        adders = split.adders + max(0, bits - split.adders)
        saved = self.adders.carry_in_luts * min(adders, split.carries)
        return split.bit_luts - saved + self.adders.further_luts * max(0, adders - 1)

    def of_pairs(self, tables: ShiftedTables) -> FloatArray:
        """`of` each table of the first half together with its counterpart in the second."""
        half = len(tables.bit_luts) // 2
        several, single = tables.masks > 1, tables.masks == 1
        may_carry = single | (several & tables.lowest_may_carry)
        adders, bits, carries = (
            each[:half].astype(np.int64) + each[half:] for each in (several, single, may_carry)
        )
        adders += np.maximum(bits - adders, 0)
        saved = self.adders.carry_in_luts * np.minimum(adders, carries)
        luts = tables.bit_luts[:half] + tables.bit_luts[half:] - saved
        return luts + self.adders.further_luts * np.maximum(adders - 1, 0)

    @property
    def carried_bit(self) -> float:
        """LUTs that a part of one bit saves: it enters at a carry input and brings no adder."""
        return self.adders.carry_in_luts + self.adders.further_luts

    def lower_bound(self, entries: IntArray) -> float:
        """LUTs of the fewest bits that tell the entries apart: no sum of parts costs less."""
        return (len(set(entries.tolist())) - 1).bit_length() * self._cheapest_bit

    def without_adding(self, split: Split) -> float:
        """LUTs of a split of at most one part if something else is added to it."""
        tables = [part.entries for part in split.parts if isinstance(part, Part)]
        assert len(tables) == len(split.parts)
        used = [supports(each[np.newaxis], int(each.max()).bit_length()) for each in tables]
        return float(sum(self.bit_costs[bits].sum() for bits in used))

    def lowest_bit_may_carry(self, entries: IntArray, mask: int) -> bool:
        """Whether the lowest bit of a table costs less at an adder's carry input.

        Parameters
        ----------
        mask : bits that any entry has.
        """
        used = supports(entries[np.newaxis], mask.bit_length())[0]
        return bool(self._may_carry[used[(mask & -mask).bit_length() - 1]])

    def of_summands(self, tables: Integers) -> FloatArray:
        """LUTs of tables as they are, and of adding them: (n,).

        Parameters
        ----------
        tables : (patterns, n), at least 0.
        """
        return _bit_sums(tables.astype(unsigned_for(int(tables.max()))), self.summand_costs)[0]

    def best_offsets(self, tables: Integers) -> ShiftedTables:
        """Each table with the offset at which its bits cost least.

        Parameters
        ----------
        tables : (patterns, n), integers; the least of each column is 0.
        """
        highs: list[int] = tables.max(axis=0).tolist()
        tried = self.limits.offsets
        choices = [_spread((1 << high.bit_length()) - high, tried) for high in highs]
        counts = np.array([len(each) for each in choices])
        columns = np.arange(len(highs)).repeat(counts)
        offsets = np.concatenate(choices)
        kind = unsigned_for(2 * max(highs))
        moved = tables.astype(kind).take(columns, axis=1, mode="clip")
        moved += offsets.astype(kind)
        luts, lowest = _bit_sums(moved, self.summand_costs)
        # The cheapest column of each table, the first of equal ones.
        best = np.lexsort((luts, columns))[counts.cumsum() - counts]
        masks = np.bitwise_or.reduce(moved[:, best], axis=0)
        return ShiftedTables(
            offsets[best].tolist(), luts[best], masks, self._may_carry[lowest[best]]
        )

    def best_offsets_of_repeated(self, tables: Integers, skipped: IntArray) -> ShiftedTables:
        """`best_offsets` of tables that do not depend on some of their lowest input bits.

        Parameters
        ----------
        tables : (n, patterns).
        skipped : number of these bits, (n,).
        """
        count = len(tables)
        offsets, bit_luts = np.zeros(count, dtype=np.int64), np.zeros(count)
        masks, may_carry = np.zeros(count, dtype=np.uint64), np.zeros(count, dtype=np.bool_)
        for least, above in pairwise((0, *self.limits.thinned_at, MAX_INPUT_BITS)):
            (which,) = ((least <= skipped) & (skipped < above)).nonzero()
            if len(which):
                found = self.best_offsets(tables[which, :: 1 << least].T)
                offsets[which], bit_luts[which] = found.offsets, found.bit_luts
                masks[which], may_carry[which] = found.masks, found.lowest_may_carry
        return ShiftedTables(offsets.tolist(), bit_luts, masks, may_carry)

    def of_gated(self, parts: Sequence[GatedPart]) -> list[Split]:
        """Each gated part as a sum of one part."""
        if not parts:
            return []
        highest = max(int(part.classes.max()) for part in parts)
        longest = max(len(part.classes) for part in parts)
        classes = stacked_columns([part.classes for part in parts], longest, unsigned_for(highest))
        luts: list[float] = _bit_sums(classes, self.bit_costs)[0].tolist()
        found: list[Split] = []
        for part, of_classes in zip(parts, luts, strict=True):
            of_amounts, mask, lowest = self._cost_amounts(part.amounts)
            may_carry = bool(self._may_carry[lowest])
            found.append(
                Split.of_part(part, mask, 0, of_classes + of_amounts, lowest_may_carry=may_carry)
            )
        return found

    def _cost_amounts(self, amounts: IntArray) -> tuple[float, int, int]:
        """LUTs of the amounts of a gated part, their mask, and inputs of the lowest bit.

        Few different amounts occur, so results are kept.
        """
        key = amounts.tobytes()
        if key not in self._amount_costs:
            if len(self._amount_costs) > self.limits.cached_splits:
                self._amount_costs.clear()
            mask = int(np.bitwise_or.reduce(amounts, axis=None))
            used = supports(amounts.reshape(1, -1), mask.bit_length())[0]
            used = np.minimum(used, len(self.summand_costs) - 1)
            lowest = int(used[0]) if mask else 0
            self._amount_costs[key] = float(self.summand_costs[used].sum()), mask, lowest
        return self._amount_costs[key]


def _bit_sums(
    entries: NDArray[np.unsignedinteger], costs: FloatArray
) -> tuple[FloatArray, NDArray[np.integer]]:
    """Sums of the costs of all bits of each table (n,), and the support of its lowest bit (n,).

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


@lru_cache(1 << 10)
def _spread(count: int, most: int) -> IntArray:
    """At most `most` of 0 .. count - 1, evenly spaced."""
    chosen = min(count, most)
    return np.array([index * count // chosen for index in range(chosen)])


def unsigned_for(high: int) -> type[np.unsignedinteger]:
    """The narrowest type for values 0 .. high."""
    return np.uint8 if high < 1 << 8 else np.uint16 if high < 1 << 16 else np.uint64


def stacked_columns(
    tables: Sequence[NDArray[np.integer | np.bool_]], patterns: int, dtype: type[_Integer]
) -> NDArray[_Integer]:
    """Columns (patterns, n): each table with its entries repeated."""
    stacked = np.empty((patterns, len(tables)), dtype=dtype)
    for which, rows in by_size(tables):
        stacked.reshape(rows.shape[1], -1, len(tables))[:, :, which] = rows.T[:, np.newaxis]
    return stacked
