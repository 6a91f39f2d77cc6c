"""KANELÉ's `truth_tables.json`: one list of integers for each edge of the network."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np

from kan_dialect.constants import Array, IntArray
from kan_dialect.errors import KanError
from kan_dialect.frontends.kanele_config import Architecture, read_json
from kan_dialect.quant import default_bounds

_ACTIVE = ("acive", "active")
"""The published files spell it the first way."""


def read_tables(path: Path, shape: Architecture) -> list[tuple[IntArray, Array]]:
    """Tables (out, in, entries) and mask (out, in) of every layer; pruned edges are 0.

    Raises
    ------
    KanError : no such tables, an edge missing or too many, or entries that do not fit.
    """
    shape.check_memory(1)
    edges = read_json(path, "the truth tables")
    expected = sum(a * b for a, b in pairwise(shape.widths))
    layers = [_layer(path, edges, shape, index) for index in range(shape.layers)]
    if len(edges) != expected:
        raise KanError(
            f"{path.name}: key `{_unexpected(edges, shape)}` is no edge of the network that "
            "config.json describes",
            remedy='edges are "{layer}_{input}_{output}"; the two files must belong together',
        )
    return layers


def _layer(
    path: Path, edges: Mapping[str, object], shape: Architecture, layer: int
) -> tuple[IntArray, Array]:
    inputs, outputs = shape.widths[layer], shape.widths[layer + 1]
    entries = 1 << shape.bits[layer]
    keys = [f"{layer}_{i}_{o}" for o in range(outputs) for i in range(inputs)]
    missing = next((key for key in keys if key not in edges), None)
    if missing is not None:
        # Before anything is allocated: the configuration may claim any size.
        raise KanError(
            f"{path.name} has no edge `{missing}`",
            remedy='edges are "{layer}_{input}_{output}", pruned ones too',
        )
    tables = np.zeros((outputs, inputs, entries), dtype=np.int64)
    mask = np.zeros((outputs, inputs), dtype=np.bool_)
    for position, key in enumerate(keys):
        values = _table(path, key, edges[key], entries, shape.bits[layer + 1])
        if values is not None:
            index = divmod(position, inputs)
            tables[index], mask[index] = values, True
    return tables, mask


def _table(path: Path, key: str, edge: object, entries: int, bits: int) -> list[int] | None:
    """The entries of one edge; None where it is pruned."""
    where = f"{path.name}: edge `{key}`"
    if not isinstance(edge, dict):
        raise KanError(f"{where} is no object", remedy='expected {"acive": 1, "values_int": [...]}')
    edge = cast("dict[str, object]", edge)
    active = next((edge[name] for name in _ACTIVE if name in edge), None)
    if active not in (0, 1):
        raise KanError(f"{where}: `acive` is {active!r}", remedy="it must be 0 or 1")
    if not active:
        return None
    values = edge.get("values_int")
    if not isinstance(values, list):
        raise KanError(f"{where} has no list `values_int`")
    values = cast("list[object]", values)
    if len(values) != entries:
        raise KanError(
            f"{where} has {len(values)} entries, not {entries}",
            remedy="there is one for each code of its input, as `layers_bitwidth` in config.json "
            "says",
        )
    low, high = default_bounds(bits, True)
    for code, value in enumerate(values):
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise KanError(
                f"{where} gives {value!r} for code {code}",
                remedy=f"a layer of {bits} bits has integers of {low}..{high}",
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
