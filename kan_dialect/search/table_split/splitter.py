"""The search for cheap sums of parts, and what parts cost in a sum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.ir.constants import IntArray
from kan_dialect.search.table_split.compiled import CompiledSearch
from kan_dialect.search.table_split.costs import PartCosts
from kan_dialect.search.table_split.parts import GatedPart, Part, Split


def splitter_for(target: DeviceFamily, parts: int) -> Splitter:
    """A search for sums of at most `parts` parts, by the costs of a device."""
    return Splitter(PartCosts.on(target), parts)


class Splitter:
    """Finds cheap sums of parts."""

    def __init__(self, costs: PartCosts, max_parts: int) -> None:
        """
        Parameters
        ----------
        max_parts : at least 1.
        """
        self.costs = costs
        self._max_parts = max_parts
        self._search = CompiledSearch(costs)

    def cost(self, split: Split) -> float:
        """LUTs of a split, see `PartCosts.of`."""
        return self.costs.of(split)

    def split_all(self, tables: Sequence[IntArray], max_parts: int | None = None) -> list[Split]:
        """For each table, the cheapest sum of parts that was found.

        It is the table itself, shifted, if nothing is cheaper.

        Parameters
        ----------
        tables : of int64, less than 2^50; the number of entries is a power of two.
        max_parts : where it differs from the splitter's; at least 1.
        """
        return list(self._search.split_all(tables, max_parts or self._max_parts))

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
