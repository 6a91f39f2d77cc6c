"""Entries of many tables at once.

A call of NumPy takes longer than its work on the sixteen entries of a small table, and a network
has thousands of tables. Tables of one input of one range are computed on together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kan_dialect.ir.constants import IntArray, to_integers_together
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import TableOp, low_zeros, patterns_by_entry


def bit_patterns_of(tables: Sequence[TableOp]) -> list[IntArray]:
    """`TableOp.by_bit_pattern` of each table."""
    found: dict[int, IntArray] = {}
    for places, entries in _together(tables):
        (value,) = tables[places[0]].inputs
        kind = range_of(value)
        found.update(zip(places, patterns_by_entry(entries, kind), strict=True))
    for place, table in enumerate(tables):
        if place not in found:
            found[place] = table.by_bit_pattern
    return [found[place] for place in range(len(tables))]


def low_zeros_of(tables: Sequence[TableOp]) -> list[int]:
    """`low_zeros` of the result of each table."""
    found: dict[int, int] = {}
    for places, entries in _together(tables):
        masks: list[int] = np.bitwise_or.reduce(entries, axis=1).tolist()
        zeros = [(mask & -mask).bit_length() - 1 if mask else 0 for mask in masks]
        found.update(zip(places, zeros, strict=True))
    for place, table in enumerate(tables):
        if place not in found:
            found[place] = low_zeros(table.result, {})
    return [found[place] for place in range(len(tables))]


def _together(tables: Sequence[TableOp]) -> Iterator[tuple[list[int], IntArray]]:
    """Places of tables of one input, all of whose entries matter, and entries (tables, size).

    The inputs of a group have one range, and the entries one type.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for place, table in enumerate(tables):
        inputs = table.inputs
        if len(inputs) == 1 and table.care is None:
            # By identity, as types are made once.
            (value,) = inputs
            key = id(value.type), id(table.entries.type)
            groups.setdefault(key, []).append(place)
    for places in groups.values():
        entries = to_integers_together([tables[place].entries for place in places])
        if entries is not None:
            yield places, entries
