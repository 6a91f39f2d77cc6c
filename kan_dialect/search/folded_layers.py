"""The folded op of a layer at table level, with tables or with shapes that edges share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.ir import SSAValue

from kan_dialect.analysis.nodes import zero_points_of_clamps
from kan_dialect.ir.constants import IntArray, to_numpy
from kan_dialect.ir.types import quantized_type, range_of
from kan_dialect.ops.folded import FoldedByInputOp, FoldedOp
from kan_dialect.ops.folded_shapes import FoldedShapesOp
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import TablesOp
from kan_dialect.search.lane_order import lane_order
from kan_dialect.search.shared_shapes import shared_shapes


def lookup_of(op: NodeSumOp) -> TablesOp:
    """The tables that a layer's nodes add up."""
    lookup = op.edges.owner
    assert isinstance(lookup, TablesOp)
    return lookup


def folded_layer(
    op: NodeSumOp,
    inputs: Sequence[SSAValue],
    interval: int,
    *,
    shares_shapes: bool = False,
    word: int | None = None,
    logic_words: int | None = None,
    loadable: int | None = None,
    name: str | None = None,
) -> FoldedOp:
    """The sums of a layer that takes several cycles. Pruned edges have entries of 0.

    Constant memories leave out inputs whose edges are all constant, and have the others in the
    order of `lane_order`. Tables that can be loaded have all inputs in their own order.

    Parameters
    ----------
    inputs : wire-level values of the layer's input codes.
    shares_shapes : whether edges choose from shapes, in place of tables of their own.
    logic_words : most words of a memory in logic; None: ROM_WORDS.
    loadable : bits of an entry of tables that can be loaded. Zero points go into their bias.
    """
    lookup, bias = lookup_of(op), op.bias_array
    low, _ = quantized_type(lookup.input).bounds
    tables = to_numpy(lookup.tables) * op.mask_array[:, :, np.newaxis]
    if loadable is not None:
        bias = bias + zero_points_of_clamps(op)
    else:
        bits = _entry_bits(tables, inputs, low)
        varies = bits.any(axis=1)
        varies[0] |= not varies.any()
        constant: list[int] = np.flatnonzero(~varies).tolist()
        codes = [range_of(inputs[each]).low - low for each in constant]
        bias = bias + tables[:, constant, codes].sum(axis=1)
        order: list[int] = np.flatnonzero(varies)[lane_order(bits[varies], interval)].tolist()
        inputs, tables = [inputs[each] for each in order], tables[:, order]
    kinds = [range_of(wire) for wire in inputs]
    first, last = min(kind.low for kind in kinds), max(kind.high for kind in kinds)
    tables = tables[:, :, first - low : last - low + 1]
    if shares_shapes:
        found = shared_shapes(tables)
        edges = (found.shapes, first, found.choices, found.factors)
        bias = bias + found.offsets.sum(axis=1)
        layer = (inputs, *edges, bias, interval)
        return FoldedShapesOp(*layer, word=word, logic=logic_words, name=name)
    layer = (inputs, tables, first, bias, interval)
    return FoldedByInputOp(*layer, word=word, logic=logic_words, loadable=loadable, name=name)


def _entry_bits(tables: IntArray, inputs: Sequence[SSAValue], low: int) -> IntArray:
    """Bits of the entries of each edge, less the smallest, (inputs, nodes).

    Parameters
    ----------
    tables : (nodes, inputs, codes); entry 0 is that of code `low`.
    """
    spans = [
        np.ptp(tables[:, place, kind.low - low : kind.high - low + 1].astype(np.int64), axis=1)
        for place, kind in enumerate(map(range_of, inputs))
    ]
    return np.frexp(np.array(spans, dtype=np.float64))[1].astype(np.int64)
