"""The search for cheap sums of parts: decompose, keep the cheapest, split their parts again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.ir.constants import IntArray
from kan_dialect.search.table_split.compiled import CompiledSearch
from kan_dialect.search.table_split.costs import PartCosts, stacked_columns
from kan_dialect.search.table_split.decompositions import Decomposition, decompose
from kan_dialect.search.table_split.gates import GatedDecomposition, gated_decompositions
from kan_dialect.search.table_split.parts import GatedPart, Part, Split


def splitter_for(target: DeviceFamily, parts: int) -> Splitter:
    """A search for sums of at most `parts` parts, by the costs of a device."""
    return Splitter(PartCosts.on(target), parts)


class Splitter:
    """Finds cheap sums of parts, and remembers those of tables that occur again.

    The search is compiled where that is possible (`compiled.py`), and finds the same sums.
    """

    def __init__(self, costs: PartCosts, max_parts: int, *, compiled: bool = True) -> None:
        """
        Parameters
        ----------
        max_parts : at least 1.
        compiled : the search may be compiled.
        """
        self._compiled = CompiledSearch.of(costs) if compiled else None
        self.costs = costs
        self._max_parts = max_parts
        self._limits = costs.limits
        self._splits: dict[tuple[int, bytes], Split] = {}

    def cost(self, split: Split) -> float:
        """LUTs of a split, see `PartCosts.of`."""
        return self.costs.of(split)

    def split(self, entries: IntArray) -> Split:
        """The cheapest sum of parts that was found; the shifted table itself if none is cheaper.

        Parameters
        ----------
        entries : int64; their number is a power of two.
        """
        return self.split_all([entries])[0]

    def split_all(self, tables: Sequence[IntArray], max_parts: int | None = None) -> list[Split]:
        """`split` of several tables at once.

        Parameters
        ----------
        max_parts : where it differs from the splitter's; at least 1.
        """
        max_parts = max_parts or self._max_parts
        if self._compiled is not None and self._compiled.takes(tables):
            return self._compiled.split_all(tables, max_parts)
        lows = [int(table.min()) for table in tables]
        found: dict[int, Split] = {}
        # Batches of tables of one size.
        order = sorted(range(len(tables)), key=lambda index: len(tables[index]))
        while order:
            count = max(1, self._limits.batch_entries // len(tables[order[-1]]))
            chosen, order = order[-count:], order[:-count]
            if len(self._splits) > self._limits.cached_splits:
                self._splits.clear()
            splits = self._split([tables[i] - lows[i] for i in chosen], max_parts)
            found.update(zip(chosen, splits, strict=True))
        return [
            found[index]._replace(constant=found[index].constant + low)
            for index, low in enumerate(lows)
        ]

    def separate_lowest_bits(self, split: Split, most: int) -> Split:
        """The split with lowest bits of parts as parts of their own, where adding them takes LUTs.

        Parameters
        ----------
        most : number of bits at most.
        """
        parts: list[Part | GatedPart] = []
        for part in split.parts:
            entries = part.entries if isinstance(part, Part) else part.amounts
            mask = int(np.bitwise_or.reduce(entries, axis=None))
            lowest = mask & -mask
            if (
                isinstance(part, Part)
                and mask != lowest
                and most > 0
                and self.costs.lowest_bit_may_carry(entries, mask)
            ):
                parts.append(Part(part.skipped, entries & ~lowest))
                parts.append(Part(part.skipped, entries & lowest))
                most -= 1
            else:
                parts.append(part)
        return split._replace(parts=tuple(parts))

    def _split(self, tables: Sequence[IntArray], max_parts: int) -> list[Split]:
        """Splits of tables whose least entry is 0."""
        keys = [(max_parts, table.tobytes()) for table in tables]
        missing = {
            key: table for key, table in zip(keys, tables, strict=True) if key not in self._splits
        }
        if missing:
            new = list(missing.values())
            found = self._search(new, max_parts) if max_parts > 1 else self._shifted(new)
            self._splits.update(zip(missing, found, strict=True))
        return [self._splits[key] for key in keys]

    def _shifted(self, tables: Sequence[IntArray]) -> list[Split]:
        """Each table as one part with its best offset."""
        columns = stacked_columns(tables, max(map(len, tables)), np.int64)
        found = self.costs.best_offsets(columns)
        return [found.split(index, table) for index, table in enumerate(tables)]

    def _search(self, tables: Sequence[IntArray], max_parts: int) -> list[Split]:
        """Splits of tables whose least entry is 0, into at least 2 parts.

        The cheapest decompositions are refined: both of their parts are split again.
        """
        best = self._split(tables, 1)
        improvable = [
            index
            for index, table in enumerate(tables)
            if len(table) > 2 and self.cost(best[index]) > self.costs.lower_bound(table)
        ]
        if not improvable:
            return best
        some = [tables[index] for index in improvable]
        decomposed = [
            (index, each)
            for index, found in zip(improvable, self._decomposed(some, max_parts), strict=True)
            for each in found
        ]
        highs = [each.high for _, each in decomposed]
        rests = [each.rest for _, each in decomposed]
        gated = self._best_gated(some)
        lesser = [each.high for _, each, _ in gated]
        if max_parts > 2:
            self._split([*lesser, *highs, *rests], max_parts - 1)
        uppers = self._split(lesser, max_parts - 1)
        for (number, each, lower), upper in zip(gated, uppers, strict=True):
            index = improvable[number]
            if self.cost(upper.joined(lower, 0)) < self.cost(best[index]):
                raised = upper.raised(each.part.gate_bits, 0)
                best[index] = raised.joined(lower, each.constant)
        for count in range(1, max_parts):
            uppers, lowers = self._split(highs, count), self._split(rests, max_parts - count)
            for (index, each), upper, lower in zip(decomposed, uppers, lowers, strict=True):
                if self.cost(upper.joined(lower, 0)) < self.cost(best[index]):
                    raised = upper.raised(each.skipped, each.place)
                    best[index] = raised.joined(lower, each.constant)
        return best

    def _best_gated(
        self, tables: Sequence[IntArray]
    ) -> list[tuple[int, GatedDecomposition, Split]]:
        """The cheapest gate of each number of bits of each table.

        Each with the table's number, and the gated part as a split.
        """
        gated = list(gated_decompositions(tables, self._limits))
        lowers = self.costs.of_gated([each.part for _, each in gated])
        uppers = self._split([each.high for _, each in gated], 1)
        found: dict[tuple[int, int], tuple[float, GatedDecomposition, Split]] = {}
        for (index, each), upper, lower in zip(gated, uppers, lowers, strict=True):
            cost = self.cost(upper.joined(lower, 0))
            key = index, each.part.gate_bits
            if key not in found or cost < found[key][0]:
                found[key] = cost, each, lower
        return [(index, each, lower) for (index, _), (_, each, lower) in found.items()]

    def _decomposed(self, tables: Sequence[IntArray], max_parts: int) -> list[list[Decomposition]]:
        """The cheapest decompositions of each table; both parts are then in `_splits`.

        Those that are cheapest without offsets get their best offsets.
        """
        every = decompose(tables, self.costs)
        if every is None:
            return [[] for _ in tables]
        chosen = every.cheapest(self._limits.decompositions, len(tables))
        rows = [row for own in chosen for row in own]
        shifted = self.costs.best_offsets_of_repeated(
            np.concatenate([every.highs[rows], every.rests[rows]]),
            np.concatenate([every.skipped[rows], np.zeros_like(rows)]),
        )
        sums: list[float] = self.costs.of_pairs(shifted).tolist()
        found: list[list[Decomposition]] = []
        end = 0
        for table, own in zip(tables, chosen, strict=True):
            start, end = end, end + len(own)
            best = sorted(range(start, end), key=lambda number: (sums[number], number))
            once = max_parts == 2 or len(table) >= self._limits.refined_once
            best = best[: 1 if once else self._limits.refined]
            found.append([every.row(rows[number], len(table)) for number in best])
            for number, each in zip(best, found[-1], strict=True):
                for part, which in ((each.high, number), (each.rest, number + len(rows))):
                    self._splits.setdefault((1, part.tobytes()), shifted.split(which, part))
        return found
