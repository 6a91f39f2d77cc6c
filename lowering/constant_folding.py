"""Constants among the values of a hardware module, folded op by op."""

from __future__ import annotations

from functools import cache

from xdsl.dialects import comb, hw
from xdsl.ir import Operation, SSAValue

from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.ir.constants import Array
from kan_dialect.ir.semantics import evaluate_op

_WIRING = (hw.BitcastOp, hw.ArrayCreateOp, hw.ArrayGetOp)


def fold_constant(op: Operation, constants: dict[SSAValue, Array]) -> None:
    """Fold an op with constant operands, or with the same result for all operands.

    Linters warn of such expressions.
    """
    if type(op) is hw.ConstantOp or (
        _is_foldable(type(op)) and all(operand in constants for operand in op.operands)
    ):
        results = evaluate_op(op, [constants[operand] for operand in op.operands])
        constants.update(zip(op.results, results, strict=True))
        return
    decided = None
    if type(op) is comb.ICmpOp:
        decided = _decided(op, constants)
    elif type(op) is comb.ShlOp or type(op) is comb.ShrUOp:
        amount = constants.get(op.rhs)
        if amount is not None and int(amount[0]) >= bit_width(op.result.type):
            decided = amount * 0
    if decided is not None:
        constants[op.results[0]] = decided


@cache
def _is_foldable(kind: type[Operation]) -> bool:
    return kind.name.startswith("comb.") or issubclass(kind, _WIRING)


def _decided(op: comb.ICmpOp, constants: dict[SSAValue, Array]) -> Array | None:
    """The result of a comparison with an end of the range, if it is the same for all operands.

    `x < lowest`, for example, equals `lowest < lowest`: the constant is compared with itself.
    """
    predicate = comb.ICMP_COMPARISON_OPERATIONS[op.predicate.value.data]
    if predicate in ("eq", "ne"):
        return None
    lhs, rhs = constants.get(op.lhs), constants.get(op.rhs)
    known = rhs if lhs is None else lhs
    if known is None or (lhs is not None and rhs is not None):
        return None
    width = bit_width(op.lhs.type)
    if predicate[0] == "s":
        lowest, highest = 1 << (width - 1), (1 << (width - 1)) - 1
    else:
        lowest, highest = 0, (1 << width) - 1
    # Nothing is below the lowest value: `x < lowest` and `x >= lowest` are decided.
    below = (predicate[1:] in ("lt", "ge")) == (lhs is None)
    end = lowest if below else highest
    return evaluate_op(op, [known, known])[0] if int(known[0]) == end else None
