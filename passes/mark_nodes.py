"""`kan-mark-nodes`: marks the nodes of wire-level IR of others, so that proofs go node by node.

    %s = kan.sum %t, %u
    %y = kan.table %s

gets

    kan.mark %s as "layer0_node0" offset 0 cycle 0

A node is a sum, or a table alone, that something else than a sum reads. `kan-expand-wires` and the
frontends mark what they make. Other passes keep marked values, which may cost some cells.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import func

from kan_dialect.ops.wire import DeadOp, MarkOp, SumOp, TableOp
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.node_marks import mark_nodes


@dataclass(frozen=True)
class MarkNodesPass(FunctionPass):
    """A mark for each node of a function that has no marks."""

    name = "kan-mark-nodes"
    works_at = ("wire",)

    def rewrite(self, function: func.FuncOp) -> None:
        block = function.body.block
        if any(isinstance(op, MarkOp | DeadOp) for op in block.ops):
            return
        tables = {op.result for op in block.ops if isinstance(op, TableOp)}
        sums = {op.result for op in block.ops if isinstance(op, SumOp)}
        returned = function.get_return_op()
        assert returned is not None
        returned.detach()
        mark_nodes(block, returned.arguments, tables, sums)
        block.add_op(returned)
