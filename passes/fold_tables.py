"""`kan-fold-tables`: what stands between codes and codes becomes lookup tables.

Every chain of univariate ops from a `kan.dequantize` to a `kan.quantize` is evaluated in float64 at
every code and rounded half to even, once. Tables then say exactly which codes they give, so edges
and sums get the narrowest storage that holds them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Operation
from xdsl.rewriter import Rewriter
from xdsl.transforms.dead_code_elimination import dce

from kan_dialect.errors import KanError
from kan_dialect.evaluate.edge_tables import (
    Chain,
    code_table,
    evaluate_chain,
    find_chain,
    require_no_nan,
)
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.quant import UniformQuantizedType, storage_for
from kan_dialect.ir.types import bounds_constant, quantized_type, tensor_shape
from kan_dialect.ops.layer import ConcatOp, NodeSumOp, reads_argument
from kan_dialect.ops.table import DequantizeOp, LookupOp, QuantizeOp, RequantizeOp
from kan_dialect.passbase.kan_pass import KanPass

_ANY_STORAGE = (DequantizeOp, RequantizeOp, ConcatOp)
"""Ops that read codes whatever their storage."""


@dataclass(frozen=True)
class FoldTablesPass(KanPass):
    """Folds edge functions into tables."""

    name = "kan-fold-tables"

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        chains = [
            fold(op)
            for op in list(module.walk())
            if isinstance(op, QuantizeOp) and not reads_argument(op.input)
        ]
        for chain in chains:
            _erase_unread(chain)
        if chains:
            dce(module)
        return bool(chains)


def _erase_unread(chain: Chain) -> None:
    """Take out ops of a folded chain that nothing reads, `Pure` or not: univariate ops are."""
    for op in reversed(chain.ops):
        if op.parent is not None and all(result.first_use is None for result in op.results):
            Rewriter.erase_op(op)


def fold(op: QuantizeOp) -> Chain:
    """Replace a quantiser by a table lookup; returns the chain that it ended, which stays.

    Raises
    ------
    KanError : the chain mixes inputs, or is not a number for some code.
    """
    consumer = _only_sum(op)
    layer = (consumer.given_name if consumer is not None else None) or "a table"
    chain = find_chain(op.input, layer)
    if chain is None:
        raise KanError(
            f"{layer}: '{op.name}' does not end a chain of functions of one input each",
            remedy="run kan-quantize on the whole model",
        )
    element = quantized_type(op.result)
    rank = len(tensor_shape(op.result))
    values = evaluate_chain(chain)
    if consumer is not None:
        values[:, ~consumer.mask_array] = 0.0
    require_no_nan(values, chain, layer)
    lower, upper = bounds_of(op.result)
    tables = code_table(values, element.scale_for(rank), element.zero_point_for(rank), lower, upper)
    _replace(op, chain.source, tables, element, consumer)  # pyright: ignore[reportArgumentType]
    return chain


def _only_sum(op: QuantizeOp) -> NodeSumOp | None:
    """The node sum that alone reads the codes, if so."""
    use = op.result.get_unique_use()
    return use.operation if use is not None and isinstance(use.operation, NodeSumOp) else None


def _replace(
    op: QuantizeOp,
    source: Operation,
    tables: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    element: UniformQuantizedType,
    consumer: NodeSumOp | None,
) -> None:
    name = None if consumer is None else consumer.given_name
    if consumer is None:
        lookup = LookupOp(source, tables, element, name=name)
        Rewriter.replace_op(op, lookup)
        return
    lower, upper = tables.min(axis=-1), tables.max(axis=-1)
    edge_type = _narrowest(element, int(lower.min()), int(upper.max()))
    bounds = bounds_constant(TensorType(edge_type, lower.shape), lower, upper)
    lookup = LookupOp(source, tables, edge_type, bounds=bounds, name=name)
    mask, bias = consumer.mask_array, consumer.bias_array
    low = np.where(mask, lower, 0).sum(axis=1) + bias
    high = np.where(mask, upper, 0).sum(axis=1) + bias
    sum_type = quantized_type(consumer.result)
    if all(isinstance(use.operation, _ANY_STORAGE) for use in consumer.result.uses):
        sum_type = _narrowest(sum_type, int(low.min()), int(high.max()))
    result_type = TensorType(sum_type, low.shape)
    sums = NodeSumOp(
        lookup,
        mask=consumer.mask,
        bias=consumer.bias,
        bounds=bounds_constant(result_type, low, high),
        result_type=result_type,
        name=name,
    )
    Rewriter.replace_op(consumer, [lookup, sums])
    Rewriter.erase_op(op)


def _narrowest(element: UniformQuantizedType, low: int, high: int) -> UniformQuantizedType:
    """The same codes in the fewest whole bits that hold low..high."""
    bits, signed = storage_for(low, high)
    return UniformQuantizedType(
        bits,
        signed,
        element.scales,
        element.zero_points,
        axis=element.axis,
        expressed=element.expressed_type,
    )
