"""The search for cheap sums of parts, which is in C: `c/search.c`."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence

import numpy as np

from kan_dialect.ir.constants import IntArray
from kan_dialect.search.library import search_library
from kan_dialect.search.table_split.costs import PartCosts
from kan_dialect.search.table_split.parts import GatedPart, Part, Split

_BATCH_ENTRIES = 1 << 17
"""Entries of the tables of one call, which nothing interrupts."""


class _Costs(ctypes.Structure):
    _fields_ = (
        ("bit_costs", ctypes.c_void_p),
        ("summand_costs", ctypes.c_void_p),
        ("most", ctypes.c_int64),
        ("carry_in", ctypes.c_double),
        ("further", ctypes.c_double),
    )


class _Output(ctypes.Structure):
    _fields_ = (
        ("heads", ctypes.POINTER(ctypes.c_int64)),
        ("data", ctypes.POINTER(ctypes.c_int64)),
        ("luts", ctypes.POINTER(ctypes.c_double)),
        ("heads_length", ctypes.c_int64),
        ("data_length", ctypes.c_int64),
        ("luts_length", ctypes.c_int64),
        ("heads_room", ctypes.c_int64),
        ("data_room", ctypes.c_int64),
        ("luts_room", ctypes.c_int64),
    )


class CompiledSearch:
    """The search by some costs."""

    def __init__(self, costs: PartCosts) -> None:
        self._limits = (ctypes.c_int64 * len(costs.limits))(*costs.limits)
        self._arrays = [
            np.ascontiguousarray(each, dtype=np.float64)
            for each in (costs.bit_costs, costs.summand_costs)
        ]
        most, adders = len(costs.bit_costs) - 1, costs.adders
        pointers = [each.ctypes.data for each in self._arrays]
        self._costs = _Costs(*pointers, most, adders.carry_in_luts, adders.further_luts)

    def split_all(self, tables: Sequence[IntArray], max_parts: int) -> Iterator[Split]:
        """See `Splitter.split_all`."""
        start, size = 0, 0
        for end, table in enumerate(tables, 1):
            size += len(table)
            if size >= _BATCH_ENTRIES or end == len(tables):
                yield from self._split(tables[start:end], max_parts)
                start, size = end, 0

    def _split(self, tables: Sequence[IntArray], max_parts: int) -> Iterator[Split]:
        entries = np.concatenate(tables, dtype=np.int64)
        inputs = np.array([len(table).bit_length() - 1 for table in tables])
        output = _Output()
        try:
            failed = search_library().kan_split_tables(
                entries.ctypes.data,
                inputs.ctypes.data,
                len(tables),
                max_parts,
                ctypes.byref(self._costs),
                self._limits,
                ctypes.byref(output),
            )
            if failed:
                raise MemoryError
            heads = output.heads[: output.heads_length]
            luts = output.luts[: output.luts_length]
            # Not by `numpy.ctypeslib`, which takes longer to import than the search of a small
            # network.
            raw = ctypes.string_at(output.data, 8 * output.data_length)
        finally:
            search_library().kan_free_splits(ctypes.byref(output))
        return _splits(iter(heads), luts, np.frombuffer(raw, dtype=np.int64))


def _splits(heads: Iterator[int], luts: Sequence[float], data: IntArray) -> Iterator[Split]:
    """Splits of the numbers that the C text writes, table by table."""
    end = 0
    for bit_luts in luts:
        constant, adders, carries, count = next(heads), next(heads), next(heads), next(heads)
        parts: list[Part | GatedPart] = []
        for _ in range(count):
            skipped, length, offset = next(heads), next(heads), next(heads)
            gates, gate_bits = next(heads), next(heads)
            start, end = end, end + length
            entries = data[start:end]
            if gates:
                start, end = end, end + gates
                amounts = data[start:end].reshape(1 << gate_bits, -1)
                parts.append(GatedPart(skipped, entries, amounts))
            else:
                parts.append(Part(skipped, entries, offset))
        yield Split(bit_luts, tuple(parts), constant, adders, carries)
