"""The folded op of a layer at table level, with tables or with shapes that edges share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.ir import SSAValue

from kan_dialect.analysis.nodes import zero_points_of_clamps
from kan_dialect.ir.constants import to_integers
from kan_dialect.ir.types import quantized_type, range_of
from kan_dialect.ops.folded import FoldedByInputOp, FoldedOp, entry_spans
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
    tables = to_integers(lookup.tables) * op.mask_array[:, :, np.newaxis]
    kinds = [range_of(wire) for wire in inputs]
    if loadable is not None:
        bias = bias + zero_points_of_clamps(op)
    else:
        spans = entry_spans(tables, low, kinds)
        kept: list[int] = np.flatnonzero(spans.any(axis=1)).tolist() or [0]
        constant = sorted(set(range(len(kinds))) - set(kept))
        codes = [kinds[each].low - low for each in constant]
        bias = bias + tables[:, constant, codes].sum(axis=1)
        bits = np.frexp(spans[kept].astype(np.float64))[1].astype(np.int64)
        places: list[int] = lane_order(bits, interval).tolist()
        order = [kept[place] for place in places]
        inputs, kinds = [inputs[each] for each in order], [kinds[each] for each in order]
        tables = tables[:, order]
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
