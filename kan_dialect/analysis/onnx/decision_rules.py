"""Bounds of ONNX comparisons, logic, roundings, casts and choices."""

from __future__ import annotations

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
from kan_dialect.analysis.onnx.operator_rules import Operator, Rule
from kan_dialect.maths.interval_functions import Range


def _cast(op: Operator, operands: list[Bounds]) -> Bounds:
    source, target = op.kinds[op.node.input[0]], op.kind
    x = operands[0]
    if target == onnx.TensorProto.BOOL and source != target:
        return _opposite(compared(x, ZERO, same))
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


def _comparison(op: Operator, operands: list[Bounds]) -> Bounds:
    kind = op.node.op_type
    one, other = operands[::-1] if kind.startswith("Greater") else operands
    test = same if kind == "Equal" else not_above if kind.endswith("OrEqual") else below
    return compared(one, other, test)


def _is_not_finite(op: Operator, operands: list[Bounds]) -> Bounds:
    def test(each: Range, _: Range) -> Range:
        usable = np.isfinite(each.low) & np.isfinite(each.high)
        return truth_bounds(np.zeros_like(usable), usable)

    return compared(operands[0], ZERO, test)


RULES: dict[str, Rule] = {
    "Floor": lambda op, x: stepped(np.floor, x[0]),
    "Ceil": lambda op, x: stepped(np.ceil, x[0]),
    "Round": lambda op, x: stepped(np.rint, x[0]),
    "Sign": lambda op, x: stepped(np.sign, x[0]),
    **dict.fromkeys(("Cast", "CastLike"), _cast),
    **dict.fromkeys(("Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal"), _comparison),
    "Not": lambda op, x: _opposite(x[0]),
    "And": lambda op, x: smaller(*x),
    "Or": lambda op, x: larger(*x),
    "Xor": lambda op, x: _opposite(compared(x[0], x[1], same)),
    **dict.fromkeys(("IsNaN", "IsInf"), _is_not_finite),
    "Where": lambda op, x: chosen(*x),
}
"""Operator -> rule."""
