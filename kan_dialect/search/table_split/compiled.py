"""The search in C (`c/search.c`) where there is a compiler: the same splits, ten times as fast.

The C text does what the Python of this room does, in the same order. Both find the same splits as
long as sums of costs are exact, whatever their order; `is_exact` tells costs that are.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from kan_dialect.files.c_library import load_c_library
from kan_dialect.ir.constants import IntArray
from kan_dialect.search.table_split.costs import PartCosts
from kan_dialect.search.table_split.limits import MAX_INPUT_BITS
from kan_dialect.search.table_split.parts import GatedPart, Part, Split

_FRACTION = 1 << 16
"""Costs are multiples of the inverse, and less than the number: no sum of them is rounded."""

_MAX_ENTRY = 1 << 50
_BATCH_ENTRIES = 1 << 17
"""Entries of the tables of one call, which nothing interrupts."""

_LIMITS = (
    "offsets",
    "high_offsets",
    "offset_bits",
    "decompositions",
    "refined",
    "refined_once",
    "gate_variants",
    "shape_bits",
    "shape_inputs",
    "gate_bits",
)
"""Fields of `SearchLimits` in the order of the C structure."""


_FOLDER = Path(__file__).with_name("c")
_HEADERS = ("state", "numbers", "costs", "splits", "decompositions", "gates")
_SOURCES = [_FOLDER / "search.c", *(_FOLDER / f"{name}.h" for name in _HEADERS)]


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


@cache
def _library() -> ctypes.CDLL | None:
    return load_c_library("table-split", _SOURCES)


class CompiledSearch:
    """The compiled search by some costs."""

    def __init__(self, library: ctypes.CDLL, costs: PartCosts) -> None:
        self._library = library
        limits = [getattr(costs.limits, name) for name in _LIMITS]
        self._limits = (ctypes.c_int64 * len(limits))(*limits)
        self._arrays = [
            np.ascontiguousarray(each, dtype=np.float64)
            for each in (costs.bit_costs, costs.summand_costs)
        ]
        most, adders = len(costs.bit_costs) - 1, costs.adders
        pointers = [each.ctypes.data for each in self._arrays]
        self._costs = _Costs(*pointers, most, adders.carry_in_luts, adders.further_luts)
        self._most_patterns = 1 << most

    @staticmethod
    def of(costs: PartCosts) -> CompiledSearch | None:
        """The search; None where nothing is compiled, or the costs or limits need Python's."""
        if not (is_exact(costs) and _has_room(costs)):
            return None
        library = _library()
        return None if library is None else CompiledSearch(library, costs)

    def takes(self, tables: Sequence[IntArray]) -> bool:
        """Whether the compiled search splits these tables, which are of a power of two entries."""
        return all(
            table.dtype == np.int64
            and len(table) <= self._most_patterns
            and table.min() > -_MAX_ENTRY
            and table.max() < _MAX_ENTRY
            for table in tables
        )

    def split_all(self, tables: Sequence[IntArray], max_parts: int) -> list[Split]:
        """See `Splitter.split_all`."""
        found: list[Split] = []
        start, size = 0, 0
        for end, table in enumerate(tables, 1):
            size += len(table)
            if size >= _BATCH_ENTRIES or end == len(tables):
                found += self._split(tables[start:end], max_parts)
                start, size = end, 0
        return found

    def _split(self, tables: Sequence[IntArray], max_parts: int) -> list[Split]:
        entries = np.concatenate(tables)
        inputs = np.array([len(table).bit_length() - 1 for table in tables])
        output = _Output()
        try:
            failed = self._library.kan_split_tables(
                entries.ctypes.data_as(ctypes.c_void_p),
                inputs.ctypes.data_as(ctypes.c_void_p),
                ctypes.c_int64(len(tables)),
                ctypes.c_int64(max_parts),
                ctypes.byref(self._costs),
                self._limits,
                ctypes.byref(output),
            )
            if failed:
                raise MemoryError
            heads = output.heads[: output.heads_length]
            luts = output.luts[: output.luts_length]
            data = _copied(output)
        finally:
            self._library.kan_free_splits(ctypes.byref(output))
        return list(_splits(iter(heads), luts, data))


def is_exact(costs: PartCosts) -> bool:
    """Whether sums of these costs are exact in any order."""
    adders = costs.adders
    each = np.concatenate(
        [costs.bit_costs, costs.summand_costs, [adders.carry_in_luts, adders.further_luts]]
    )
    fractions = each * _FRACTION
    return bool(
        costs.bit_costs[0] == 0
        and costs.summand_costs[0] == 0
        and np.all((each >= 0) & (each < _FRACTION) & (fractions == np.rint(fractions)))
    )


def _has_room(costs: PartCosts) -> bool:
    """Whether limits are within the sizes of arrays and words of the C text."""
    limits = costs.limits
    return (
        len(costs.bit_costs) == len(costs.summand_costs) <= MAX_INPUT_BITS + 1
        and limits.offset_bits <= 6
        and limits.shape_bits <= 3
        and limits.gate_bits < 15
        and min(limits.offsets, limits.high_offsets, limits.decompositions, limits.refined) >= 1
    )


def _copied(output: _Output) -> IntArray:
    # Not by `numpy.ctypeslib`, which takes longer to import than the search of a small network.
    raw = ctypes.string_at(output.data, 8 * output.data_length)
    return np.frombuffer(raw, dtype=np.int64)


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
