"""`kan-fold-tables`: functions between codes and codes become lookup tables.

Every chain of univariate ops from a `kan.dequantize` to a `kan.quantize` is evaluated in float64 at
every code of its input, and rounded half to even once. The bounds of a table say which codes it
gives, so edges and sums get the narrowest storage that holds them. Exact: the integers stay.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import SSAValue
from xdsl.pattern_rewriter import (
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.rewriter import Rewriter
from xdsl.transforms.dead_code_elimination import dce

from kan_dialect.errors import KanError
from kan_dialect.evaluate.edge_tables import (
    code_table,
    evaluate_chain,
    find_chain,
    require_no_nan,
)
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.quant import UniformQuantizedType, storage_for
from kan_dialect.ir.semantics import is_univariate
from kan_dialect.ir.types import bounds_constant, quantized_type
from kan_dialect.ops.layer import ConcatOp, NodeSumOp, reads_argument
from kan_dialect.ops.table import DequantizeOp, QuantizeOp, RequantizeOp, TablesOp
from kan_dialect.passbase.kan_pass import KanPass

_ANY_STORAGE = (DequantizeOp, RequantizeOp, ConcatOp)
"""Ops that read codes of any storage."""


class FoldChain(RewritePattern):
    """quantize(f(dequantize(codes))) is a lookup, and a node sum that reads it gets narrower.

    Raises
    ------
    KanError : the chain mixes inputs, or is not a number for some code.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: QuantizeOp, rewriter: PatternRewriter) -> None:
        if reads_argument(op.input):
            return
        use = op.result.get_unique_use()
        node_sum = use.operation if use is not None else None
        if not isinstance(node_sum, NodeSumOp):
            source, tables = _tables(op, None)
            rewriter.replace(op, TablesOp(source, tables, quantized_type(op.result)))
            return
        lookup = _narrowed_lookup(op, node_sum)
        rewriter.replace(node_sum, [lookup, narrowed_sum(node_sum, lookup)])
        rewriter.erase(op)


def _tables(op: QuantizeOp, node_sum: NodeSumOp | None) -> tuple[SSAValue, IntArray]:
    """The codes that a chain reads, and its tables; masked and pruned edges give 0."""
    layer = (None if node_sum is None else node_sum.given_name) or "a table"
    chain = find_chain(op.input, layer)
    if chain is None:
        raise KanError(
            f"{layer}: '{op.name}' does not end a chain of functions of one input each",
            remedy="run kan-quantize on the whole model",
        )
    kept = op.mask_array if node_sum is None else op.mask_array & node_sum.mask_array
    values = evaluate_chain(chain)
    values[:, ~kept] = 0.0
    require_no_nan(values, chain, layer)
    element = quantized_type(op.result)
    scale, zero_point = element.scale_for(kept.ndim), element.zero_point_for(kept.ndim)
    table = code_table(values, scale, zero_point, *bounds_of(op.result), op.rounding_name)
    return chain.source, table


def _narrowed_lookup(op: QuantizeOp, node_sum: NodeSumOp) -> TablesOp:
    """The lookup of the edges of a sum, with bounds, in the narrowest storage."""
    source, tables = _tables(op, node_sum)
    lower, upper = tables.min(axis=-1), tables.max(axis=-1)
    element = narrowest(quantized_type(op.result), lower, upper)
    bounds = bounds_constant(TensorType(element, lower.shape), lower, upper)
    return TablesOp(source, tables, element, bounds=bounds, name=node_sum.given_name)


def narrowed_sum(node_sum: NodeSumOp, edges: TablesOp, bias: IntArray | None = None) -> NodeSumOp:
    """The sum of narrower edges, with bounds; in the narrowest storage if its readers allow.

    Parameters
    ----------
    bias : (out), integers, in place of the bias of `node_sum`.
    """
    lower, upper = bounds_of(edges.result)
    mask, bias = node_sum.mask_array, node_sum.bias_array if bias is None else bias
    low = np.where(mask, lower, 0).sum(axis=1) + bias
    high = np.where(mask, upper, 0).sum(axis=1) + bias
    element = quantized_type(node_sum.result)
    if all(isinstance(use.operation, _ANY_STORAGE) for use in node_sum.result.uses):
        element = narrowest(element, low, high)
    result_type = TensorType(element, low.shape)
    return NodeSumOp(
        edges,
        mask=node_sum.mask,
        bias=bias,
        bounds=bounds_constant(result_type, low, high),
        result_type=result_type,
        name=node_sum.given_name,
    )


def narrowest(
    element: UniformQuantizedType, lower: IntArray, upper: IntArray
) -> UniformQuantizedType:
    """The same codes in the fewest bits that hold lower..upper."""
    bits, signed = storage_for(int(lower.min()), int(upper.max()))
    return UniformQuantizedType(
        bits,
        signed,
        element.scales,
        element.zero_points,
        axis=element.axis,
        expressed=element.expressed_type,
    )


def _erase_unread(module: ModuleOp) -> None:
    """Erase univariate ops without readers; `dce` leaves those that do not say they are `Pure`."""
    for op in reversed(list(module.walk())):
        if is_univariate(op) and all(result.first_use is None for result in op.results):
            Rewriter.erase_op(op)


@dataclass(frozen=True)
class FoldTablesPass(KanPass):
    """Folds edge functions into tables."""

    name = "kan-fold-tables"
    works_at = ("table",)

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        walker = PatternRewriteWalker(FoldChain(), apply_recursively=False)
        if not walker.rewrite_module(module):
            return False
        _erase_unread(module)
        dce(module)
        return True
