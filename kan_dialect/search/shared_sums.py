"""Which nodes share a sum of tables: the search behind `kan-share-sums`.

A node is its tables by input: arrays of int64, one entry for each bit pattern of the input. For
each node, the search takes the one partner whose tables leave the smallest differences. Table
splitting then tells the LUTs of tables and differences (`kan_dialect.search.table_split`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from xdsl.ir import SSAValue

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.ir.constants import Array, FloatArray, IntArray, extremes
from kan_dialect.search.table_split.splitter import splitter_for

Tables: TypeAlias = Mapping[SSAValue, IntArray]
"""The tables of a node by their input."""

MAX_INPUT_BITS = 8
"""Tables of more input bits are not compared, which would take long."""

LEAST_BITS = 4.0
"""Bits that the differences save in all; pairs of nodes that save fewer are not costed."""

PARTS = 2
"""Parts of a split table, for its cost."""


class SharedSum(NamedTuple):
    """Two nodes and the inputs whose tables the first one shares with the second one."""

    first: int
    second: int
    sign: int
    """1, or -1 where the second node's tables resemble the negatives of the first one's."""
    inputs: tuple[SSAValue, ...]
    saved: float
    """LUTs."""


class _Candidate(NamedTuple):
    """Two nodes with similar tables."""

    first: int
    second: int
    sign: int
    own: Tables
    """The second node's tables that have a wider range than the differences."""
    differences: Tables
    """These tables less `sign` times the first node's."""


def shared_sums(nodes: Sequence[Tables], device: DeviceFamily) -> list[SharedSum]:
    """The pairs of nodes that save LUTs by a shared sum, the best first; no node is in two pairs.

    Of pairs that save the same, the one with the earlier first node comes first.
    """
    found = sorted(
        _costed(list(_candidates(nodes)), nodes, device), key=lambda p: (-p.saved, p.first)
    )
    chosen: list[SharedSum] = []
    taken: set[int] = set()
    for pair in found:
        if pair.saved > 0 and taken.isdisjoint((pair.first, pair.second)):
            chosen.append(pair)
            taken |= {pair.first, pair.second}
    return chosen


def _candidates(nodes: Sequence[Tables]) -> Iterator[_Candidate]:
    """For each node, the partner whose tables save the most bits."""
    saved = {sign: _saved_bits(nodes, sign) for sign in (1, -1)}
    for second in range(len(nodes)):
        partners = [
            (bits, first, sign)
            for sign, table in saved.items()
            for first, bits in enumerate(table[second].tolist())
            if bits >= LEAST_BITS and first != second
        ]
        if partners:
            _, first, sign = max(partners, key=lambda partner: partner[0])
            yield _candidate(nodes, first, second, sign)


def _saved_bits(nodes: Sequence[Tables], sign: int) -> FloatArray:
    """Bits that differences need less than tables: (node, node whose tables are subtracted)."""
    saved = np.zeros((len(nodes), len(nodes)))
    readers: dict[SSAValue, list[int]] = {}
    for node, tables in enumerate(nodes):
        for x in tables:
            readers.setdefault(x, []).append(node)
    for x, who in readers.items():
        stacked = _compact(np.stack([nodes[node][x] for node in who], axis=1))
        own = _bits(_ranges(stacked))
        ranges = np.empty((len(who), len(who)), dtype=np.int64)
        for place in range(len(who)):
            ranges[:, place] = _ranges(stacked - sign * stacked[:, place : place + 1])
        saved[np.ix_(who, who)] += np.maximum(own[:, np.newaxis] - _bits(ranges), 0)
    return saved


def _compact(tables: IntArray) -> Array:
    """Integers as the narrowest type that also holds differences of two, and ranges of these.

    All pairs of nodes are compared: this takes several times as long with 64 bits a number.
    """
    largest = max(map(abs, extremes(tables)))
    kind = np.int16 if largest < 1 << 13 else np.int32 if largest < 1 << 29 else np.int64
    return tables.astype(kind)


def _ranges(tables: Array) -> Array:
    """Largest less smallest entry of each table, (tables,), of tables (entries, tables)."""
    return np.maximum.reduce(tables, axis=0) - np.minimum.reduce(tables, axis=0)


def _bits(ranges: Array) -> FloatArray:
    """Bits that entries of such ranges need, with fractions."""
    return np.log2(1.0 + ranges.astype(np.float64))


def _candidate(nodes: Sequence[Tables], first: int, second: int, sign: int) -> _Candidate:
    own: dict[SSAValue, IntArray] = {}
    differences: dict[SSAValue, IntArray] = {}
    for x, base in nodes[first].items():
        table = nodes[second].get(x)
        if table is not None:
            difference = table - sign * base
            if np.ptp(difference) < np.ptp(table):
                own[x], differences[x] = table, difference
    return _Candidate(first, second, sign, own, differences)


def _costed(
    candidates: Sequence[_Candidate], nodes: Sequence[Tables], device: DeviceFamily
) -> Iterator[SharedSum]:
    """The candidates with the inputs for which sharing is cheaper, and what it saves.

    The tables of all candidates are split at once, which is faster than one by one.
    """
    adders = device.adders
    own = _luts([table for each in candidates for table in each.own.values()], device)
    differ = _luts([table for each in candidates for table in each.differences.values()], device)
    end = 0
    for each in candidates:
        start, end = end, end + len(each.own)
        saved = own[start:end] - differ[start:end]
        shared = [x for x, luts in zip(each.own, saved.tolist(), strict=True) if luts > 0]
        if len(shared) < 2:
            continue
        height = sum(int(np.ptp(nodes[each.first][x])) for x in shared)
        # The shared sum is a summand of both nodes: one adder more, which absorbs no table.
        adder = adders.bit_luts * (height.bit_length() + 1) + 2 * adders.further_luts
        total = float(np.maximum(saved, 0).sum()) - adder
        yield SharedSum(each.first, each.second, each.sign, tuple(shared), total)


def _luts(tables: Sequence[IntArray], device: DeviceFamily) -> FloatArray:
    """LUTs of each table, split and added to a sum; 0 of a constant: (tables,)."""
    splitter = splitter_for(device, PARTS)
    further = device.adders.further_luts
    splits = splitter.split_all(tables)
    return np.array([splitter.cost(split) + further if split.parts else 0.0 for split in splits])
