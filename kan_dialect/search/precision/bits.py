"""How many bits are left of each input, edge and node of a chain; and how the IR says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func

from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray
from kan_dialect.ir.figures import note, noted
from kan_dialect.search.precision.network import TableChain, TableLayer

PRECISION = "kan.precision"
"""Attribute of a function: what `kan-refine-precision` was allowed to trade, and what it traded."""


@dataclass(frozen=True)
class Bits:
    """Bits of a chain.

    Parameters
    ----------
    inputs : (in), of each input's code, those that some table depends on.
    edges : of each layer, (out, in): of a table's values, the offset and common powers of two left
        out; 0 where there is no edge.
    nodes : of each layer, (out): of the codes, or of the results.
    """

    inputs: IntArray
    edges: list[IntArray]
    nodes: list[IntArray]

    def as_dict(self) -> dict[str, object]:
        """What a report holds."""
        layers = [
            {"nodes": nodes.tolist(), "edges": edges.tolist()}
            for nodes, edges in zip(self.nodes, self.edges, strict=True)
        ]
        return {"inputs": self.inputs.tolist(), "layers": layers}


def bits_of(chain: TableChain) -> Bits:
    """The bits of a chain."""
    return Bits(
        _input_bits(chain.layers[0]),
        [_edge_bits(layer) for layer in chain.layers],
        [_node_bits(layer) for layer in chain.layers],
    )


def edge_luts(layer: TableLayer, prices: FloatArray) -> FloatArray:
    """What the tables of a layer cost, (out, in).

    Parameters
    ----------
    prices : LUTs of a table's bit that depends on 0, 1, ... inputs, adding included.
    """
    return _edge_bits(layer) * prices[_bits_read(layer).sum(axis=2)]


def _input_bits(layer: TableLayer) -> IntArray:
    """How many bits of each input's code some table depends on."""
    return _bits_read(layer).any(axis=0).sum(axis=1)


def _bits_read(layer: TableLayer) -> BoolArray:
    """Which bits of its input's code a table depends on, (out, in, bits)."""
    found = np.zeros((*layer.tables.shape[:2], int(layer.input_bits.max())), dtype=np.bool_)
    for index, bits in enumerate(layer.input_bits.tolist()):
        tables = layer.tables[:, index, : 1 << bits]
        for variable in range(bits):
            halves = tables.reshape(len(tables), -1, 2, 1 << variable)
            found[:, index, variable] = (halves[:, :, 0] != halves[:, :, 1]).any(axis=(1, 2))
    return found


def _edge_bits(layer: TableLayer) -> IntArray:
    """Bits of each table's values, counted from the least one in their common power of two."""
    found = np.zeros(layer.tables.shape[:2], dtype=np.int64)
    for index, bits in enumerate(layer.input_bits.tolist()):
        tables = layer.tables[:, index, : 1 << bits]
        above = tables - tables.min(axis=1, keepdims=True)
        every = np.bitwise_or.reduce(above, axis=1)
        lowest = every & -every
        found[:, index] = np.frexp(above.max(axis=1) // np.maximum(lowest, 1))[1]
    return found


def _node_bits(layer: TableLayer) -> IntArray:
    if layer.sizes is not None:
        return np.frexp(layer.sizes - 1)[1].astype(np.int64)
    spread = np.zeros(len(layer.bias), dtype=np.int64)
    for index, bits in enumerate(layer.input_bits.tolist()):
        tables = layer.tables[:, index, : 1 << bits]
        spread += tables.max(axis=1) - tables.min(axis=1)
    return np.frexp(spread)[1].astype(np.int64)


def note_trade(function: func.FuncOp, figures: Mapping[str, float]) -> None:
    """Leave the figures of a trade with the function."""
    note(function, PRECISION, figures)


def trade_of(function: func.FuncOp) -> dict[str, float] | None:
    """The figures that `note_trade` left, or None."""
    figures = noted(function, PRECISION) or {}
    return {key: each for key, each in figures.items() if isinstance(each, int | float)} or None
