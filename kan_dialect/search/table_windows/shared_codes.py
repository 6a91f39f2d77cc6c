"""Shared codes: one table narrows a value, and several smaller tables read its code.

Two codes of the value are in one class where all these tables have the same entries. If there are
few classes, a table gives the class, and the tables read that: a disjoint decomposition of several
functions at once (Ashenhurst, "The decomposition of switching functions", 1957).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from kan_dialect.ir.constants import BoolArray, IntArray
from kan_dialect.search.table_windows.costs import WIDTH, TableCosts
from kan_dialect.search.table_windows.windows import Ring, Window, windows_of

LEAST_SAVED = 3.0
"""LUTs that a shared code has to save: it brings a level of logic."""
LEAST_SHARE, LEAST_SHARE_WHOLE = 0.2, 0.4
"""The share that it has to save; the latter where costs are those of whole tables, which
`kan-split-tables` makes cheaper."""
LEAST_NARROWER = 2
"""Bits by which the code has to be narrower than the windows of the tables."""
MAX_TABLES = 24
"""Tables of a value among which groups are looked for: each pair is examined."""


@dataclass(frozen=True, eq=False)
class Reader:
    """A table that reads a value.

    Attributes
    ----------
    is_added : only sums read it.
    """

    ring: Ring
    is_added: bool


@dataclass(frozen=True, eq=False)
class Reading:
    """One table, or several behind a shared code, with the windows by which it reads the value.

    Attributes
    ----------
    members : indices of the tables.
    windows : each with the LUTs of all that reads the value by it.
    by_class : of several tables, the entries of each by class; empty where one reads the value.
    """

    members: tuple[int, ...]
    windows: Sequence[tuple[float, Window]]
    by_class: tuple[IntArray, ...] = ()

    @property
    def luts(self) -> float:
        """LUTs by the cheapest window."""
        return min(luts for luts, _ in self.windows)

    def behind(self, increment: int) -> tuple[float, Window]:
        """The cheapest window of the value + an increment, with its LUTs.

        One window leaves out no lowest bit, and takes every increment.
        """
        taken = [(luts, window) for luts, window in self.windows if window.takes(increment)]
        return min(taken, key=lambda each: each[0])


def readings_of(readers: Sequence[Reader], costs: TableCosts, lut_inputs: int) -> list[Reading]:
    """How tables read their value: each by itself, or groups by shared codes where that is cheaper.

    Parameters
    ----------
    lut_inputs : of the device; only tables that need more inputs are worth a shared code.
    """
    alone = [_alone(index, reader, costs) for index, reader in enumerate(readers)]
    search = _CodeSearch(readers, costs, [_narrowest(reading) for reading in alone])
    wide = [reading for reading in alone if _narrowest(reading) > lut_inputs]
    if not 0 < len(wide) <= MAX_TABLES:
        return alone
    rest = [reading for reading in alone if reading not in wide]
    return rest + search.grouped([search.joint([reading]) or reading for reading in wide])


def _alone(index: int, reader: Reader, costs: TableCosts) -> Reading:
    found = [(_luts(window, costs, reader.is_added), window) for window in windows_of(reader.ring)]
    return Reading((index,), found)


def _luts(window: Window, costs: TableCosts, is_added: bool) -> float:
    return costs.of(window.table, is_added) + WIDTH * window.width


def _narrowest(reading: Reading) -> int:
    return min(window.width for _, window in reading.windows)


class _CodeSearch:
    """Finds shared codes of the tables of one value."""

    def __init__(
        self, readers: Sequence[Reader], costs: TableCosts, narrowest: Sequence[int]
    ) -> None:
        """
        Parameters
        ----------
        narrowest : of each table, the bits of its narrowest window.
        """
        self._readers = readers
        self._costs = costs
        self._narrowest = narrowest
        self._known: dict[tuple[int, ...], Reading | None] = {}

    def grouped(self, readings: list[Reading]) -> list[Reading]:
        """Pairs become one reading while that saves, the best one first."""
        while True:
            pairs = [(pair, self.joint(pair)) for pair in combinations(readings, 2)]
            worth = [(_luts_of(pair) - new.luts, pair, new) for pair, new in pairs if new]
            if not worth:
                return readings
            _, pair, joint = max(worth, key=lambda each: each[0])
            readings = [reading for reading in readings if reading not in pair] + [joint]

    def joint(self, group: Sequence[Reading]) -> Reading | None:
        """All tables of a group behind one code; None if that saves too little."""
        members = tuple(index for reading in group for index in reading.members)
        if members not in self._known:
            before = _luts_of(group)
            share = LEAST_SHARE if self._costs.counts_parts else LEAST_SHARE_WHOLE
            most = before - max(LEAST_SAVED, share * before)
            self._known[members] = self._coded(members, most)
        return self._known[members]

    def _coded(self, members: tuple[int, ...], most: float) -> Reading | None:
        """The tables behind one code, if they take at most so many LUTs."""
        rings = [self._readers[index].ring for index in members]
        care = np.logical_or.reduce([ring.care for ring in rings])
        first, which = _classes([ring.filled[care] for ring in rings])
        bits = max(1, (len(first) - 1).bit_length())
        widths = [self._narrowest[index] for index in members]
        of_code = self._costs.bits_read(bits, max(widths) - 1)
        least = sum(self._costs.least(self._readers[index].ring) for index in members)
        if bits + LEAST_NARROWER > min(widths) or of_code + least > most:
            return None
        numberings = (first, which), _by_first_code(first, which)
        readings = [self._numbered(members, care, *each, most - of_code) for each in numberings]
        found = [reading for reading in readings if reading and reading.luts <= most]
        return min(found, key=lambda reading: reading.luts, default=None)

    def _numbered(
        self,
        members: tuple[int, ...],
        care: BoolArray,
        first: IntArray,
        which: IntArray,
        most: float,
    ) -> Reading | None:
        """The tables behind the code that numbers the classes so, if they take no more LUTs."""
        readers = [self._readers[index] for index in members]
        bits = max(1, (len(first) - 1).bit_length())
        by_class = tuple(reader.ring.filled[care][first] for reader in readers)
        behind = sum(
            self._costs.of(_padded(entries, bits), reader.is_added)
            for reader, entries in zip(readers, by_class, strict=True)
        )
        if behind > most:
            return None
        ring = Ring(np.zeros(len(care), dtype=np.int64), care)
        ring.entries[care] = which
        windows = [(behind + _luts(each, self._costs, False), each) for each in windows_of(ring)]
        return Reading(members, windows, by_class)


def _luts_of(readings: Sequence[Reading]) -> float:
    return sum(reading.luts for reading in readings)


def _classes(tables: Sequence[IntArray]) -> tuple[IntArray, IntArray]:
    """The first code of each class, and the class of each code, numbered by their entries."""
    which = np.zeros(len(tables[0]), dtype=np.int64)
    first = which[:1]
    for entries in tables:
        span = int(entries.max()) - int(entries.min()) + 1
        _, first, which = np.unique(
            which * span + (entries - entries.min()), return_index=True, return_inverse=True
        )
    return first, which


def _by_first_code(first: IntArray, which: IntArray) -> tuple[IntArray, IntArray]:
    """The classes of `_classes`, numbered by their first codes."""
    order = first.argsort()
    return first[order], order.argsort()[which]


def _padded(entries: IntArray, bits: int) -> Ring:
    """A table of classes as one of a code of some bits."""
    care = np.arange(1 << bits) < len(entries)
    return Ring(np.pad(entries, (0, (1 << bits) - len(entries)), mode="edge"), care)
