"""Bounds of ONNX comparisons, logic, roundings, casts and choices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import helper

from kan_dialect.analysis.onnx.bounds import (
    EXACT,
    FLOATS,
    Bounds,
    below,
    chosen,
    compared,
    larger,
    minus,
    noise_of,
    not_above,
    same,
    smaller,
    stepped,
    truth_bounds,
)
from kan_dialect.analysis.onnx.function_rules import ONE, ZERO
from kan_dialect.analysis.onnx.operator_rules import (
    Operator,
    Rule,
    registrar,
)
from kan_dialect.ir.constants import FloatArray
from kan_dialect.maths.interval_functions import Range

RULES: dict[str, Rule] = {}
"""Operator -> rule."""

_rule = registrar(RULES)


_STAIRS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.rint,
    "Sign": np.sign,
}


@_rule(*_STAIRS)
def _stairs(op: Operator, operands: list[Bounds]) -> Bounds:
    return stepped(_STAIRS[op.node.op_type], operands[0])


@_rule("Cast", "CastLike")
def _cast(op: Operator, operands: list[Bounds]) -> Bounds:
    source, target = op.kinds[op.node.input[0]], op.kind
    x = operands[0]
    if target == onnx.TensorProto.BOOL and source != target:
        equal = compared(x, ZERO, same)
        return _opposite(equal)
    if source not in FLOATS or source == target:
        return x
    if target not in FLOATS:
        return stepped(np.trunc, x)
    if noise_of(target).relative < noise_of(source).relative:
        return x
    narrow = helper.tensor_dtype_to_np_dtype(target)

    def both(each: Range) -> Range:
        """The hull of the rounded and the exact bounds."""
        low, high = (end.astype(narrow).astype(np.float64) for end in each)
        return Range(np.minimum(each.low, low), np.maximum(each.high, high))

    with np.errstate(all="ignore"):
        value = both(x.value)
        return Bounds(value) if x.constant else Bounds(value, x.slope, both(x.middles))


def _opposite(x: Bounds) -> Bounds:
    return minus(ONE, x, EXACT)


@_rule("Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal")
def _comparison(op: Operator, operands: list[Bounds]) -> Bounds:
    kind = op.node.op_type
    one, other = operands[::-1] if kind.startswith("Greater") else operands
    test = same if kind == "Equal" else not_above if kind.endswith("OrEqual") else below
    return compared(one, other, test)


@_rule("Not")
def _not(op: Operator, operands: list[Bounds]) -> Bounds:
    return _opposite(operands[0])


@_rule("And")
def _and(op: Operator, operands: list[Bounds]) -> Bounds:
    return smaller(*operands)


@_rule("Or")
def _or(op: Operator, operands: list[Bounds]) -> Bounds:
    return larger(*operands)


@_rule("Xor")
def _xor(op: Operator, operands: list[Bounds]) -> Bounds:
    one, other = operands
    return _opposite(compared(one, other, same))


@_rule("IsNaN", "IsInf")
def _is_no_number(op: Operator, operands: list[Bounds]) -> Bounds:
    (x,) = operands

    def test(each: Range, _: Range) -> Range:
        usable = np.isfinite(each.low) & np.isfinite(each.high)
        return truth_bounds(np.zeros_like(usable), usable)

    return compared(x, ZERO, test)


@_rule("Where")
def _where(op: Operator, operands: list[Bounds]) -> Bounds:
    condition, one, other = operands
    return chosen(condition, one, other)
