"""Removal of dead ops at wire level."""

from __future__ import annotations

from xdsl.dialects import func
from xdsl.ir import Operation
from xdsl.rewriter import Rewriter
from xdsl.transforms.dead_code_elimination import would_be_trivially_dead

from kan_dialect.ir.operation import ops_of
from kan_dialect.ops.wire import ConstantOp, DeadOp, MarkOp


def remove_dead(function: func.FuncOp) -> None:
    """Remove the ops without effects whose results have no readers but marks.

    A mark does not keep hardware alive: a node that no result depends on becomes `kan.dead`. A
    constant takes no hardware, so its marks stay.

    xDSL's `dce` walks over the module until nothing changes. In one block, with users after
    definitions, one walk backwards is enough.
    """
    for op in reversed(ops_of(function.body.block)):
        marks = _only_marks(op)
        if marks is None or (marks and type(op) is ConstantOp):
            continue
        if not would_be_trivially_dead(op):  # last, as it takes longest
            continue
        for mark in marks:
            Rewriter.replace_op(mark, DeadOp(mark.node.data))
        Rewriter.erase_op(op)


def _only_marks(op: Operation) -> list[MarkOp] | None:
    """The marks of the results of an op; None if something else reads a result."""
    marks: list[MarkOp] = []
    for result in op.results:
        if (first := result.first_use) is None:
            continue
        if type(first.operation) is not MarkOp:  # most results have readers
            return None
        for use in result.uses:
            reader = use.operation
            if type(reader) is not MarkOp:
                return None
            marks.append(reader)
    return marks
