"""The folded op of a layer at table level, with tables or with shapes that edges share."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from kan_dialect.analysis.nodes import zero_points_of_clamps
from kan_dialect.ir.constants import to_numpy
from kan_dialect.ir.types import quantized_type, range_of
from kan_dialect.ops.folded import FoldedByInputOp, FoldedOp
from kan_dialect.ops.folded_shapes import FoldedShapesOp
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import TablesOp
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
    loadable: int | None = None,
    name: str | None = None,
) -> FoldedOp:
    """The sums of a layer that takes several cycles. Pruned edges have entries of 0.

    Parameters
    ----------
    inputs : wire-level values of the layer's input codes.
    shares_shapes : whether edges choose from shapes, in place of tables of their own.
    loadable : bits of an entry of tables that can be loaded. Zero points go into their bias.
    """
    lookup = lookup_of(op)
    low, _ = quantized_type(lookup.input).bounds
    codes = [range_of(wire) for wire in inputs]
    first, last = min(kind.low for kind in codes), max(kind.high for kind in codes)
    tables = to_numpy(lookup.tables)[:, :, first - low : last - low + 1]
    tables = tables * op.mask_array[:, :, None]
    if not shares_shapes:
        bias = op.bias_array
        if loadable is not None:
            bias = bias + zero_points_of_clamps(op)
        layer = (inputs, tables, first, bias, interval)
        return FoldedByInputOp(*layer, word=word, loadable=loadable, name=name)
    found = shared_shapes(tables)
    edges = (found.shapes, first, found.choices, found.factors)
    bias = op.bias_array + found.offsets.sum(axis=1)
    return FoldedShapesOp(inputs, *edges, bias, interval, word=word, name=name)
