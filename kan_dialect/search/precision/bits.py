"""Bits of each input, edge and node of a chain, and the record of a trade in the IR."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func

from kan_dialect.ir.attributes.figures import record_figures, recorded_figures
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray
from kan_dialect.search.precision.network import TableChain, TableLayer

PRECISION = "kan.precision"
"""Attribute of a function: the budget of `kan-refine-precision`, and the loss that it caused."""


@dataclass(frozen=True)
class Bits:
    """Bits of a chain.

    Parameters
    ----------
    inputs : (in), bits of each input's code that some table depends on.
    edges : for each layer (out, in), bits of a table's values without offset and common power of
        two; 0 where there is no edge.
    nodes : for each layer (out), bits of the codes, or of the results.
    """

    inputs: IntArray
    edges: list[IntArray]
    nodes: list[IntArray]

    def as_dict(self) -> dict[str, object]:
        """The bits as a report holds them."""
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
    """LUTs of the tables of a layer, (out, in).

    Parameters
    ----------
    prices : LUTs of a table's bit that depends on 0, 1, ... inputs, adding included.
    """
    return _edge_bits(layer) * prices[_bits_read(layer).sum(axis=2)]


def _input_bits(layer: TableLayer) -> IntArray:
    """Number of bits of each input's code that some table depends on."""
    return _bits_read(layer).any(axis=0).sum(axis=1)


def _bits_read(layer: TableLayer) -> BoolArray:
    """Whether each table depends on each bit of its input's code, (out, in, bits)."""
    found = np.zeros((*layer.tables.shape[:2], int(layer.input_bits.max())), dtype=np.bool_)
    for index, bits in enumerate(layer.input_bits.tolist()):
        tables = layer.tables[:, index, : 1 << bits]
        for variable in range(bits):
            halves = tables.reshape(len(tables), -1, 2, 1 << variable)
            found[:, index, variable] = (halves[:, :, 0] != halves[:, :, 1]).any(axis=(1, 2))
    return found


def _edge_bits(layer: TableLayer) -> IntArray:
    """Bits of each table's values, less the least value, in units of their common power of two."""
    found = np.zeros(layer.tables.shape[:2], dtype=np.int64)
    for index, bits in enumerate(layer.input_bits.tolist()):
        tables = layer.tables[:, index, : 1 << bits]
        above = tables - tables.min(axis=1, keepdims=True)
        mask = np.bitwise_or.reduce(above, axis=1)
        lowest = mask & -mask
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
    """Attach the figures of a trade to the function."""
    record_figures(function, PRECISION, figures)


def trade_of(function: func.FuncOp) -> dict[str, float] | None:
    """The figures that `note_trade` attached, or None."""
    figures = recorded_figures(function, PRECISION) or {}
    return {key: each for key, each in figures.items() if isinstance(each, int | float)} or None
