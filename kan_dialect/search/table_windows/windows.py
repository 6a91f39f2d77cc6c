"""Windows of a table: the few bits of a value, after an increment, that it depends on.

A table that reads a code of W bits behind a quantiser of its own changes at few codes only. It is a
smaller table of the bits

    (code + increment) mod 2^W, from bit `low` on, `width` of them

where its entries are constant on blocks of 2^low codes that start `increment` below the multiples
of 2^low, and repeat with the period 2^(low + width). Codes form a ring: rounding up wraps the
highest code to the lowest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from kan_dialect.ir.constants import BoolArray, IntArray


class Ring(NamedTuple):
    """A table of one value, by code modulo the number of entries."""

    entries: IntArray
    """(2^bits), int64."""
    care: BoolArray
    """(2^bits): which entries matter."""

    @property
    def bits(self) -> int:
        """Bits of the code."""
        return len(self.entries).bit_length() - 1

    @property
    def filled(self) -> IntArray:
        """The entries; those that do not matter are the nearest one below that does."""
        if bool(self.care.all()) or not bool(self.care.any()):
            return self.entries
        (known,) = self.care.nonzero()
        nearest = known.searchsorted(np.arange(len(self.entries)), side="right") - 1
        return self.entries[known[nearest.clip(0)]]

    def turned(self, by: int) -> Ring:
        """The table of the code + `by`."""
        return Ring(np.roll(self.entries, by), np.roll(self.care, by))

    def merged(self, shape: tuple[int, int], axis: int) -> Ring | None:
        """One entry for each of the rows or columns whose entries that matter agree; else None."""
        entries, care = self.entries.reshape(shape), self.care.reshape(shape)
        least = np.iinfo(np.int64).min
        largest = np.where(care, entries, least).max(axis=axis)
        smallest = np.where(care, entries, ~least).min(axis=axis)
        matters = np.logical_or.reduce(care, axis=axis)
        if bool((largest[matters] != smallest[matters]).any()):
            return None
        return Ring(np.where(matters, largest, 0), matters)


class Window(NamedTuple):
    """The bits that a table reads."""

    increment: int
    low: int
    table: Ring
    """The table of these bits."""

    @property
    def width(self) -> int:
        """Number of the bits."""
        return self.table.bits

    def takes(self, increment: int) -> bool:
        """Whether the table can read the same bits of the code + another increment."""
        return (increment - self.increment) % (1 << self.low) == 0

    def behind(self, increment: int) -> Ring:
        """The table of the same bits of the code + another increment, which it `takes`."""
        return self.table.turned((increment - self.increment) >> self.low)


def windows_of(ring: Ring) -> Iterator[Window]:
    """For each number of lowest bits left out, and each increment, the narrowest window."""
    increments = [0]
    for low in range(ring.bits):
        possible: list[int] = []
        for increment in increments:
            blocks = ring.turned(increment).merged((-1, 1 << low), axis=1)
            if blocks is not None:
                possible.append(increment)
                yield Window(increment, low, _without_periods(blocks))
        # Blocks of twice the size start where these do.
        increments = [start + more for start in possible for more in (0, 1 << low)]


def _without_periods(ring: Ring) -> Ring:
    """The table without the highest bits of the code that it does not depend on."""
    while ring.bits > 1 and (half := ring.merged((2, -1), axis=0)) is not None:
        ring = half
    return ring
