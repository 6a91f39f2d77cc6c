"""Rewrite patterns applied to the ops of one class in a function, once each, in order."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern
from xdsl.rewriter import InsertPoint

from kan_dialect.ir.edits import erase_op, insert_before, move_uses, name_results
from kan_dialect.ir.operation import ops_of, result_of


class OpRewriter(PatternRewriter):
    """xDSL's rewriter without listeners, which `rewrite_ops` gives to patterns.

    It edits ops of one result in a block by the shorter ways of `kan_dialect.ir.edits`. All other
    edits are xDSL's.
    """

    def insert(  # pyright: ignore[reportIncompatibleMethodOverride] (xDSL's has a type variable)
        self,
        op: Operation | Sequence[Operation],
        insertion_point: InsertPoint | None = None,
    ) -> Operation | Sequence[Operation]:
        """Insert ops at a point; by default, before the op that the pattern looks at."""
        point = self.insertion_point if insertion_point is None else insertion_point
        if point.insert_before is None:
            return super().insert(op, point)
        self.has_done_action = True
        insert_before(point.insert_before, [op] if isinstance(op, Operation) else op)
        return op

    def replace(
        self,
        op: Operation,
        new_ops: Operation | Sequence[Operation],
        new_results: Sequence[SSAValue | None] | None = None,
        safe_erase: bool = True,
    ) -> None:
        """Replace an op by others; the values for its results are by default the last op's."""
        ops = [new_ops] if isinstance(new_ops, Operation) else new_ops
        if new_results is None:
            new_results = ops[-1].results if ops else []
        if len(op.results) != 1 or len(new_results) != 1 or (value := new_results[0]) is None:
            super().replace(op, ops, new_results, safe_erase)
            return
        self.has_done_action = True
        insert_before(op, ops)
        move_uses(result_of(op), value)
        name_results(ops, value.name_hint)
        erase_op(op)

    def erase(self, op: Operation, safe_erase: bool = True) -> None:
        """Erase an op whose results nothing reads."""
        self.has_done_action = True
        erase_op(op)


def rewrite_ops(function: func.FuncOp, kind: type[Operation], *patterns: RewritePattern) -> None:
    """Apply to each op of a class the first of the patterns that changes something.

    Ops that the patterns make are left out. xDSL's walker with `apply_recursively=False` does the
    same; it puts every op on a list of work and tells listeners of each change, which takes as
    long as the patterns.
    """
    for op in ops_of(function.body.block):
        if type(op) is not kind or op.parent is None:
            continue
        rewriter = OpRewriter(op)
        for pattern in patterns:
            pattern.match_and_rewrite(op, rewriter)
            if rewriter.has_done_action:
                break
