"""Edits of one block: append, insert, replace and erase ops, as xDSL's `Rewriter` does.

xDSL's methods check each op in several calls, tell listeners, and make a value that stands for
each erased result. Passes edit thousands of ops.
"""

# The fields of the lists of ops and uses are private in xDSL.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xdsl.ir import Block, Operation, SSAValue, SSAValues


def append_op(block: Block, op: Operation) -> None:
    """Add an op at the end of a block: `block.add_op(op)`."""
    _require_free(op)
    last = block._last_op
    op.parent, op._prev_op, op._next_op = block, last, None
    if last is None:
        block._first_op = op
    else:
        last._next_op = op
    block._last_op = op


def insert_before(place: Operation, ops: Sequence[Operation]) -> None:
    """Insert ops before an op of a block: `block.insert_ops_before(ops, place)`."""
    block, before = place.parent, place._prev_op
    if block is None:
        raise ValueError("ops are inserted before an op of a block")
    for op in ops:
        _require_free(op)
        op.parent, op._prev_op = block, before
        if before is None:
            block._first_op = op
        else:
            before._next_op = op
        before = op
    if before is not None:
        before._next_op = place
    place._prev_op = before


def replace_op(op: Operation, new_ops: Sequence[Operation], value: SSAValue) -> None:
    """Replace an op of one result by others and a value: `Rewriter.replace_op`."""
    (result,) = op.results
    insert_before(op, new_ops)
    move_uses(result, value)
    name_results(new_ops, result._name)
    erase_op(op)


def name_results(ops: Sequence[Operation], name: str | None) -> None:
    """Give a name in IR to the results that have none."""
    if name is not None:
        for op in ops:
            for result in op.results:
                if result._name is None:
                    result._name = name


def move_uses(old: SSAValue, new: SSAValue) -> None:
    """Let all readers of a value read another one: `old.replace_all_uses_with(new)`.

    The lists of uses have the same order as after xDSL's method: the last reader comes first.
    """
    if new is old:
        return
    use, first = old.first_use, new.first_use
    while use is not None:
        following = use._next_use
        reader, place = use._operation, use._index
        operands = list(reader._operands)
        operands[place] = new
        reader._operands = SSAValues(operands)
        use._next_use, use._prev_use = first, None
        if first is not None:
            first._prev_use = use
        first, use = use, following
    old.first_use, new.first_use = None, first
    if new._name is None:
        new._name = old._name


def erase_op(op: Operation) -> None:
    """Erase an op of a block, whose results nothing reads: `Rewriter.erase_op`."""
    block = op.parent
    if block is None:
        raise ValueError(f"'{op.name}' is in no block")
    if op.regions or op.successors:
        block.erase_op(op)
        return
    for result in op.results:
        if result.first_use is not None:
            raise ValueError(f"'{op.name}' is erased, and a result is read")
    for result in op.results:
        result.erase()  # lets go of the op
    before, after = op._prev_op, op._next_op
    if before is None:
        block._first_op = after
    else:
        before._next_op = after
    if after is None:
        block._last_op = before
    else:
        after._prev_op = before
    op.parent = op._prev_op = op._next_op = None
    for operand, use in zip(op._operands, op._operand_uses, strict=True):
        before_use, after_use = use._prev_use, use._next_use
        if before_use is None:
            operand.first_use = after_use
        else:
            before_use._next_use = after_use
        if after_use is not None:
            after_use._prev_use = before_use
    op._operand_uses = ()


def drop_ops(ops: Iterable[Operation]) -> None:
    """Take ops of no block, which are not needed, out of the uses of their operands."""
    for op in ops:
        op.drop_all_references()


def _require_free(op: Operation) -> None:
    if op.parent is not None:
        raise ValueError(f"'{op.name}' is in a block already")
