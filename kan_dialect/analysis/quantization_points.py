"""Quantisation points of a spline-level function: the values that `kan-quantize` gives codes.

These are arguments, node sums, operands of `kan.concat`, and results. Between two points every
value is a function of each input separately, so it folds into tables. `kan-calibrate` observes the
values at the points. Values that have codes of the model's file are not points.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.ir.functions import functions_of
from kan_dialect.ir.semantics import is_univariate
from kan_dialect.ir.types import is_float_tensor, tensor_shape
from kan_dialect.ops.layer import AffineOp, ConcatOp, NodeSumOp, ObserveOp
from kan_dialect.ops.table import DequantizeOp, QuantizeOp


def spline_functions(module: ModuleOp) -> Iterator[func.FuncOp]:
    """Functions of float tensors that have values without codes."""
    yield from filter(is_spline, functions_of(module))


def is_spline(function: func.FuncOp) -> bool:
    """True if a function takes tensors of floats and has values without codes."""
    if function.is_declaration or not function.args:
        return False
    if not all(map(is_float_tensor, function.args)):
        return False
    return not quantizers_inside(function) or bool(_points(function))


def quantizers_inside(function: func.FuncOp) -> bool:
    """Whether a function has quantisers: those of its file at spline level."""
    return any(isinstance(op, QuantizeOp) for op in function.body.block.ops)


def observer(value: SSAValue) -> ObserveOp | None:
    """The first `kan.observe` that reads a value; None without one."""
    for use in value.uses:
        if isinstance(use.operation, ObserveOp):
            return use.operation
    return None


def readers(value: SSAValue) -> list[Operation]:
    """Ops that read a value, directly or through its observers."""
    found: list[Operation] = []
    for use in value.uses:
        op = use.operation
        found.extend(readers(op.result) if isinstance(op, ObserveOp) else [op])
    return found


def unobserved(value: SSAValue) -> SSAValue:
    """The value itself, or the observed value where it is the result of a `kan.observe`."""
    return value.owner.input if isinstance(value.owner, ObserveOp) else value


def quantization_points(function: func.FuncOp) -> list[SSAValue]:
    """Arguments, then node sums and values that are concatenated or returned, without codes.

    The order is that of computation: a point depends on earlier points only. A concatenation is no
    point, its operands are. An observed value is given, not the result of its `kan.observe`.

    Raises
    ------
    KanError : a point is not a vector of floats.
    """
    values = _points(function)
    for value in values:
        if not is_float_tensor(value) or len(tensor_shape(value)) != 1:
            raise KanError(
                f"@{function.sym_name.data}: a value of type {value.type} cannot be quantised",
                remedy="arguments, nodes and results must be vectors of floats",
            )
    return values


def _points(function: func.FuncOp) -> list[SSAValue]:
    values: list[SSAValue] = [value for value in function.args if not _has_port_codes(value)]
    for op in function.body.block.ops:
        if isinstance(op, NodeSumOp) and is_float_tensor(op.result):
            values.append(op.result)
        elif isinstance(op, ConcatOp | func.ReturnOp):
            for value in map(unobserved, op.operands):
                coded = isinstance(value.owner, ConcatOp | DequantizeOp)
                if value not in values and not coded and is_float_tensor(value):
                    values.append(value)
    position = {op: index for index, op in enumerate(function.body.block.ops)}
    values.sort(key=lambda v: position[v.owner] if isinstance(v.owner, Operation) else -1)
    return values


def _has_port_codes(value: SSAValue) -> bool:
    """Whether a quantiser of an argument, or of an affine of it, alone reads it."""
    found = readers(value)
    if len(found) == 1 and isinstance(found[0], AffineOp):
        return _has_port_codes(found[0].result)
    return len(found) == 1 and isinstance(found[0], QuantizeOp)


def has_codes_only(value: SSAValue) -> bool:
    """Whether quantisers read all functions of a value, and something does."""
    found = readers(value)
    return bool(found) and all(map(leads_to_codes, found))


def leads_to_codes(reader: Operation) -> bool:
    """Whether an op is a quantiser, or a function that only quantisers read."""
    if isinstance(reader, QuantizeOp):
        return True
    return is_univariate(reader) and all(map(has_codes_only, reader.results))


def point_behind(value: SSAValue, points: Collection[SSAValue]) -> SSAValue | None:
    """The point, or concatenation of points, that a value is a function of; None if several.

    Parameters
    ----------
    points : the function's `quantization_points`.
    """
    leaves: set[SSAValue] = set()
    pending = [value]
    while pending:
        current = pending.pop()
        owner = current.owner
        # A result is a point itself, and a function of an earlier point.
        if isinstance(owner, Block | ConcatOp | DequantizeOp) or (
            current in points and current is not value
        ):
            leaves.add(current)
        else:
            pending.extend(owner.operands)
    return leaves.pop() if len(leaves) == 1 else None
