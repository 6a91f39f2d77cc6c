"""`prune-constant-edges`: an edge whose table says the same for every code becomes a bias.

    edges whose table is constant     ->  pruned from the node sum's mask,
                                          their value added to the node's bias

The outputs stay bit for bit the same, so the pass is exact (what `KanPass` says unless told
otherwise), and `kan-flow build` verifies that as it does for the compiler's own passes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.pattern_rewriter import (
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)

from kan_dialect.ir.constants import to_integers
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import TablesOp
from kan_dialect.passbase.kan_pass import KanPass


class ConstantEdgesIntoBias(RewritePattern):
    """Prune constant edges of one node sum."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: NodeSumOp, rewriter: PatternRewriter) -> None:
        lookup = op.edges.owner
        if not isinstance(lookup, TablesOp):
            return
        tables, kept = to_integers(lookup.tables), op.mask_array
        constant = kept & (tables == tables[..., :1]).all(axis=-1)
        if not constant.any():
            return
        rewriter.replace(
            op,
            NodeSumOp(
                lookup,
                mask=kept & ~constant,
                bias=op.bias_array + np.where(constant, tables[..., 0], 0).sum(axis=1),
                bounds=op.bounds,
                result_type=op.result.type,
                name=op.given_name,
            ),
        )


@dataclass(frozen=True)
class PruneConstantEdgesPass(KanPass):
    """Prunes edges that are constant, at table level."""

    name = "prune-constant-edges"
    works_at = ("table",)

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        return PatternRewriteWalker(ConstantEdgesIntoBias()).rewrite_module(module)
