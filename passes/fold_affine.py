"""`kan-fold-affine`: folds batch norms, biases and scalings into edge functions and node biases.

An affine behind a node sum becomes a scaling of the node's edges and a bias of the node; a scaling
of edges becomes a scaling of their coefficients or weights. The ops between two node sums then map
each input separately, so they fold into tables. An affine before a layer does so already.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)

from kan_dialect.ir.constants import FloatArray, dense, to_floats
from kan_dialect.ir.types import is_float_tensor, tensor_shape
from kan_dialect.ops.layer import AffineOp, NodeSumOp
from kan_dialect.ops.spline import BaseOp, BSplineOp, ChebyshevOp, RadialOp
from kan_dialect.passbase.kan_pass import KanPass


def _parameters(op: AffineOp) -> tuple[FloatArray, FloatArray]:
    """Scale and bias, broadcast to the shape of the value."""
    shape = tensor_shape(op.input)
    return (
        np.broadcast_to(to_floats(op.scale), shape),
        np.broadcast_to(to_floats(op.bias), shape),
    )


def _used_once(value: SSAValue) -> bool:
    return value.has_one_use()


class MergeAffines(RewritePattern):
    """affine(affine(x)) is one affine."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: AffineOp, rewriter: PatternRewriter) -> None:
        inner = op.input.owner
        if not isinstance(inner, AffineOp):
            return
        scale, bias = _parameters(op)
        inner_scale, inner_bias = _parameters(inner)
        rewriter.replace(op, AffineOp(inner.input, scale * inner_scale, inner_bias * scale + bias))


class AffineIntoNodeSum(RewritePattern):
    """affine(node_sum(e)) is node_sum(scaled e) with another bias."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: AffineOp, rewriter: PatternRewriter) -> None:
        node_sum = op.input.owner
        if not isinstance(node_sum, NodeSumOp) or not _used_once(op.input):
            return
        scale, bias = _parameters(op)
        column = scale[:, np.newaxis]
        scaled = AffineOp(node_sum.edges, column, np.zeros_like(column))
        summed = NodeSumOp(
            scaled,
            mask=node_sum.mask,
            bias=node_sum.bias_array * scale + bias,
            name=node_sum.given_name,
        )
        rewriter.replace(op, [scaled, summed])
        rewriter.erase(node_sum)


class ScaleIntoEdges(RewritePattern):
    """A scaling of edges, without a bias, scales their coefficients, or the summands' each."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: AffineOp, rewriter: PatternRewriter) -> None:
        edges = op.input.owner
        scale, bias = _parameters(op)
        if scale.ndim != 2 or bias.any() or not _used_once(op.input):
            return
        if isinstance(edges, arith.AddfOp):
            parts = [AffineOp(part, scale, bias) for part in (edges.lhs, edges.rhs)]
            rewriter.replace(op, [*parts, arith.AddfOp(parts[0], parts[1])])
            rewriter.erase(edges)
        elif isinstance(edges, BaseOp):
            edges.weights = dense(to_floats(edges.weights) * scale)
            rewriter.replace(op, (), [edges.result])
        elif isinstance(edges, BSplineOp | RadialOp | ChebyshevOp):
            edges.coefficients = dense(to_floats(edges.coefficients) * scale[..., np.newaxis])
            rewriter.replace(op, (), [edges.result])


@dataclass(frozen=True)
class FoldAffinePass(KanPass):
    """Folds affines into edge functions and node biases."""

    name = "kan-fold-affine"
    works_at = ("spline",)

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        if not any(is_float_tensor(result) for op in module.walk() for result in op.results):
            return False
        patterns: list[RewritePattern] = [MergeAffines(), AffineIntoNodeSum(), ScaleIntoEdges()]
        if any(isinstance(op, AffineOp) for op in module.walk()):
            # Without affines the walker would still erase unread ops, which renumbers later layers.
            PatternRewriteWalker(GreedyRewritePatternApplier(patterns)).rewrite_module(module)
        return True
