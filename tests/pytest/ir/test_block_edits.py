"""Edits of a block leave what xDSL's own methods leave, lists of uses included."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from xdsl.dialects import func
from xdsl.ir import Block, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.ir.edits import append_op, erase_op, insert_before, move_uses, replace_op
from kan_dialect.ir.types import int_type
from kan_dialect.ops.wire import SumOp


def _insert(place: Operation, ops: Sequence[Operation]) -> None:
    Rewriter.insert_op(ops, InsertPoint.before(place))


def _replace(op: Operation, new_ops: Sequence[Operation], value: SSAValue) -> None:
    Rewriter.replace_op(op, new_ops, [value])


OURS = append_op, insert_before, replace_op, erase_op, move_uses
XDSLS = Block.add_op, _insert, _replace, Rewriter.erase_op, SSAValue.replace_all_uses_with


def edited(edits: tuple[Callable[..., None], ...], seed: int) -> list[object]:
    """A block after random edits: its ops both ways, and the readers of each value in order."""
    append, insert, replace, erase, move = edits
    rng = np.random.default_rng(seed)
    block = Block(arg_types=[int_type(0, 3)] * 3)
    numbers: dict[SSAValue | Operation, int] = {}

    def values(end: Operation | None = None) -> list[SSAValue]:
        found: list[SSAValue] = list(block.args)
        for op in block.ops:
            if op is end:
                break
            found.extend(op.results)
        return found

    def new(end: Operation | None = None) -> SumOp:
        known = values(end)
        op = SumOp([known[i] for i in rng.integers(len(known), size=rng.integers(1, 4))])
        numbers[op] = numbers[op.result] = len(numbers)
        if rng.integers(3) == 0:
            op.result.name_hint = f"v{rng.integers(9)}"
        return op

    numbers.update({argument: -1 - argument.index for argument in block.args})
    append(block, new())
    append(block, last := func.ReturnOp(values()[-1]))
    numbers[last] = 1 << 20
    for _ in range(40):
        ops = [op for op in block.ops if isinstance(op, SumOp)]
        op = ops[rng.integers(len(ops))]
        match rng.integers(4):
            case 0:
                place = [*ops, last][rng.integers(len(ops) + 1)]
                insert(place, [new(place) for _ in range(rng.integers(3))])
            case 1:
                made = [new(op) for _ in range(rng.integers(3))]
                known = [*values(op), *[each.result for each in made]]
                replace(op, made, known[rng.integers(len(known))])
                if len(ops) == 1:
                    insert(last, [new(last)])
            case 2:
                known = values(op)
                move(op.result, known[rng.integers(len(known))])
            case _:
                if op.result.first_use is None and len(ops) > 1:
                    erase(op)
    backwards: list[int] = []
    op = block.last_op
    while op is not None:
        backwards.append(numbers[op])
        op = op.prev_op
    return [
        [(numbers[op], [numbers[each] for each in op.operands]) for op in block.ops],
        backwards,
        [(v.name_hint, [(numbers[u.operation], u.index) for u in v.uses]) for v in values()],
    ]


def test_edits_leave_what_xdsl_leaves() -> None:
    for seed in range(100):
        assert edited(OURS, seed) == edited(XDSLS, seed)


def test_edits_refuse_what_breaks_a_block() -> None:
    block = Block(arg_types=[int_type(0, 3)])
    first = SumOp([block.args[0]])
    append_op(block, first)
    append_op(block, SumOp([first]))
    with pytest.raises(ValueError, match="in a block already"):
        append_op(block, first)
    with pytest.raises(ValueError, match="in a block already"):
        insert_before(first, [first])
    with pytest.raises(ValueError, match="a result is read"):
        erase_op(first)
    loose = SumOp([block.args[0]])
    with pytest.raises(ValueError, match="in no block"):
        erase_op(loose)
    with pytest.raises(ValueError, match="before an op of a block"):
        insert_before(loose, [SumOp([block.args[0]])])
