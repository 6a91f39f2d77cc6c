"""Reads KANELÉ's `truth_tables.json`: one list of integers for each edge of the network."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.frontends.frontend import KEEP, SATURATE, WRAP
from kan_dialect.frontends.kanele.config import Architecture, read_json
from kan_dialect.ir.constants import Array, IntArray
from kan_dialect.ir.quant import MAX_STORAGE_BITS, default_bounds, storage_for
from kan_dialect.quantity import quantity
from kan_dialect.quoting import quoted

_ACTIVE_KEYS = ("acive", "active")
"""Spellings of the key that marks unpruned edges; the published files use the first."""


_OVERFLOW_EFFECTS = {
    KEEP: "read as they stand (--table-overflow saturate or wrap reads them otherwise)",
    SATURATE: "saturated",
    WRAP: "cut to their lowest bits",
}
"""Choice of `table_overflow` -> its effect on entries that do not fit, for the log."""

_LOG = logging.getLogger(__name__)


@dataclass
class _OverflowHandler:
    """Fits the table entries of a file to the bits of their layers, and counts overflows.

    Attributes
    ----------
    overflow : one of `TABLE_OVERFLOWS`.
    overflowing_entries, overflowing_edges : entries that did not fit, and edges that have some.
    """

    file: str
    overflow: str
    overflowing_entries: int = 0
    overflowing_edges: int = 0

    def fitted(self, where: str, values: list[int], bits: int) -> list[int]:
        """The entries of one edge, treated as `overflow` says.

        Raises
        ------
        KanError : an entry that stays as it is has more than `MAX_STORAGE_BITS` bits.
        """
        low, high = default_bounds(bits, True)
        beyond = sum(not low <= value <= high for value in values)
        if not beyond:
            return values
        self.overflowing_entries += beyond
        self.overflowing_edges += 1
        if self.overflow == SATURATE:
            return [min(max(value, low), high) for value in values]
        if self.overflow == WRAP:
            return [(value - low) % (1 << bits) + low for value in values]
        least, most = default_bounds(MAX_STORAGE_BITS, True)
        for code, value in enumerate(values):
            if not least <= value <= most:
                raise KanError(
                    f"{where} gives an integer of {storage_for(value, value)[0]} bits for code "
                    f"{code}, more than {MAX_STORAGE_BITS}",
                    remedy="use --table-overflow saturate or wrap",
                )
        return values

    def log_overflows(self) -> None:
        """Log the number of entries that did not fit, if any."""
        if self.overflowing_entries:
            _LOG.warning(
                "%s: entries beyond their layer's bits: %d, in %s; %s",
                self.file,
                self.overflowing_entries,
                quantity(self.overflowing_edges, "edge"),
                _OVERFLOW_EFFECTS[self.overflow],
            )


def read_tables(
    path: Path, shape: Architecture, overflow: str = KEEP
) -> list[tuple[IntArray, Array]]:
    """Read the tables (out, in, entries) and mask (out, in) of every layer; pruned edges are 0.

    The log names the number of entries that do not fit the bits of their layer.

    Parameters
    ----------
    overflow : how such entries are read, one of `TABLE_OVERFLOWS`.

    Raises
    ------
    KanError : the file holds no tables; an edge is missing or unknown; an entry is no integer; or
        sums need more than `MAX_STORAGE_BITS` bits.
    """
    shape.check_memory(1)
    edges = read_json(path, "the truth tables")
    expected = sum(a * b for a, b in pairwise(shape.widths))
    overflows = _OverflowHandler(path.name, overflow)
    layers = [_layer(path, edges, shape, index, overflows) for index in range(shape.layers)]
    if len(edges) != expected:
        raise KanError(
            f"{path.name}: the key {quoted(_unexpected(edges, shape))} is no edge of the network "
            "that config.json describes",
            remedy='edges are "{layer}_{input}_{output}"; the two files must belong together',
        )
    overflows.log_overflows()
    return layers


def _layer(
    path: Path,
    edges: Mapping[str, object],
    shape: Architecture,
    layer: int,
    overflows: _OverflowHandler,
) -> tuple[IntArray, Array]:
    inputs, outputs = shape.widths[layer], shape.widths[layer + 1]
    entries = 1 << shape.bits[layer]
    keys = [f"{layer}_{i}_{o}" for o in range(outputs) for i in range(inputs)]
    missing = next((key for key in keys if key not in edges), None)
    if missing is not None:
        # Checked before any allocation: the configuration may claim any size.
        raise KanError(
            f"{path.name} has no edge `{missing}`",
            remedy='edges are "{layer}_{input}_{output}", pruned ones too',
        )
    tables = np.zeros((outputs, inputs, entries), dtype=np.int64)
    mask = np.zeros((outputs, inputs), dtype=np.bool_)
    for position, key in enumerate(keys):
        where = f"{path.name}: edge `{key}`"
        values = _table(where, edges[key], entries)
        if values is not None:
            index = divmod(position, inputs)
            tables[index] = overflows.fitted(where, values, shape.bits[layer + 1])
            mask[index] = True
    _check_sums(path, layer, tables)
    return tables, mask


def _check_sums(path: Path, layer: int, tables: IntArray) -> None:
    """Refuse sums beyond `MAX_STORAGE_BITS`: entries that do not fit their layer may be large."""
    low = int(tables.min(axis=-1).sum(axis=1).min())
    high = int(tables.max(axis=-1).sum(axis=1).max())
    bits, _ = storage_for(min(low, 0), max(high, 0))
    if bits > MAX_STORAGE_BITS:
        raise KanError(
            f"{path.name}: sums of layer {layer} need {bits} bits, more than {MAX_STORAGE_BITS}",
            remedy="use --table-overflow saturate or wrap, fewer bits, or prune edges",
        )


def _table(where: str, edge: object, entries: int) -> list[int] | None:
    """The entries of one edge as the file has them; None for a pruned edge."""
    if not isinstance(edge, dict):
        raise KanError(f"{where} is no object", remedy='expected {"acive": 1, "values_int": [...]}')
    edge = cast("dict[str, object]", edge)
    active = next((edge[name] for name in _ACTIVE_KEYS if name in edge), None)
    if active not in (0, 1):
        raise KanError(f"{where}: `acive` is {quoted(active)}", remedy="it must be 0 or 1")
    if not active:
        return None
    values = edge.get("values_int")
    if not isinstance(values, list):
        raise KanError(f"{where} has no list `values_int`")
    values = cast("list[object]", values)
    if len(values) != entries:
        raise KanError(
            f"{where} has {len(values)} entries, not {entries}",
            remedy="give one for each code of its input: 2^bits, by `layers_bitwidth` in "
            "config.json",
        )
    for code, value in enumerate(values):
        if not isinstance(value, int) or isinstance(value, bool):
            raise KanError(
                f"{where} gives {quoted(value)} for code {code}", remedy="entries must be integers"
            )
    return cast("list[int]", values)


def _unexpected(edges: Mapping[str, object], shape: Architecture) -> str:
    widths = shape.widths
    known = {
        f"{layer}_{i}_{o}"
        for layer in range(shape.layers)
        for i in range(widths[layer])
        for o in range(widths[layer + 1])
    }
    return next(key for key in edges if key not in known)
