"""Rewrite patterns applied to the ops of one class in a function, once each, in order."""

from __future__ import annotations

from xdsl.dialects import func
from xdsl.ir import Operation
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern

from kan_dialect.ir.operation import ops_of


def rewrite_ops(function: func.FuncOp, kind: type[Operation], *patterns: RewritePattern) -> None:
    """Apply to each op of a class the first of the patterns that changes something.

    Ops that the patterns make are left out. xDSL's walker with `apply_recursively=False` does the
    same; it puts every op on a list of work and tells listeners of each change, which takes as
    long as the patterns.
    """
    for op in ops_of(function.body.block):
        if type(op) is not kind or op.parent is None:
            continue
        rewriter = PatternRewriter(op)
        for pattern in patterns:
            pattern.match_and_rewrite(op, rewriter)
            if rewriter.has_done_action:
                break
