"""Where a spline-level function is cut: arguments, node sums, what it concatenates, and results.

Between two cuts every value depends on each input separately, so it folds into tables; at a cut
stand the quantisers, and calibration observes the values there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.ir.types import is_float_tensor, tensor_shape
from kan_dialect.ops.layer import ConcatOp, NodeSumOp, ObserveOp
from kan_dialect.ops.table import QuantizeOp


def spline_functions(module: ModuleOp) -> Iterator[func.FuncOp]:
    """Functions of float tensors that have no quantisers yet."""
    for op in module.ops:
        if isinstance(op, func.FuncOp) and is_spline(op):
            yield op


def is_spline(function: func.FuncOp) -> bool:
    """Whether it is a function of float tensors that has no quantisers yet."""
    if function.is_declaration or not function.args:
        return False
    return all(map(is_float_tensor, function.args)) and not any(
        isinstance(op, QuantizeOp) for op in function.body.block.ops
    )


def observer(value: SSAValue) -> ObserveOp | None:
    """The `kan.observe` that reads the value, if there is one."""
    for use in value.uses:
        if isinstance(use.operation, ObserveOp):
            return use.operation
    return None


def readers(value: SSAValue) -> list[Operation]:
    """Ops that read the value, as it is or behind its observers."""
    found: list[Operation] = []
    for use in value.uses:
        op = use.operation
        found.extend(readers(op.result) if isinstance(op, ObserveOp) else [op])
    return found


def unobserved(value: SSAValue) -> SSAValue:
    """The value that a `kan.observe` passes on."""
    return value.owner.input if isinstance(value.owner, ObserveOp) else value


def cuts(function: func.FuncOp) -> list[SSAValue]:
    """Arguments; then node sums, and what is concatenated or returned; no observers.

    All in the order in which they are computed, so that a cut depends on those in front of it only.
    A concatenation is none: its operands are.

    Raises
    ------
    KanError : one of them is no vector of floats.
    """
    values: list[SSAValue] = list(function.args)
    for op in function.body.block.ops:
        if isinstance(op, NodeSumOp) and is_float_tensor(op.result):
            values.append(op.result)
        elif isinstance(op, ConcatOp | func.ReturnOp):
            for value in map(unobserved, op.operands):
                if value not in values and not isinstance(value.owner, ConcatOp):
                    values.append(value)
    position = {op: index for index, op in enumerate(function.body.block.ops)}
    values.sort(key=lambda v: position[v.owner] if isinstance(v.owner, Operation) else -1)
    for value in values:
        if not is_float_tensor(value) or len(tensor_shape(value)) != 1:
            raise KanError(
                f"@{function.sym_name.data}: a value of type {value.type} cannot be quantised",
                remedy="arguments, nodes and results must be vectors of floats",
            )
    return values


def cut_behind(value: SSAValue, found: Collection[SSAValue]) -> SSAValue | None:
    """The cut, or concatenation of cuts, that a value is a function of; None if there are several.

    Parameters
    ----------
    found : the function's `cuts`.
    """
    leaves: set[SSAValue] = set()
    pending = [value]
    while pending:
        current = pending.pop()
        owner = current.owner
        # What is returned is a cut as well, and a function of another one.
        if isinstance(owner, Block | ConcatOp) or (current in found and current is not value):
            leaves.add(current)
        else:
            pending.extend(owner.operands)
    return leaves.pop() if len(leaves) == 1 else None
