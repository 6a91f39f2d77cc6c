"""Bounds of ONNX comparisons, logic, roundings, casts and choices."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from kan_dialect.analysis.onnx.bounds import (
    EXACT,
    FLOATS,
    below,
    chosen,
    larger,
    minus,
    moved,
    noise_of,
    not_above,
    same,
    smaller,
    truth_bounds,
)
from kan_dialect.analysis.onnx.function_rules import ONE, ZERO
from kan_dialect.analysis.onnx.operator_rules import Operator, Rule
from kan_dialect.maths.interval_functions import Range


def _cast(op: Operator, operands: list[Range]) -> Range:
    source, target = op.kinds[op.node.input[0]], op.kind
    (x, *_) = operands
    if target == onnx.TensorProto.BOOL and source != target:
        return _opposite(same(x, ZERO))
    if source not in FLOATS or source == target:
        return x
    if target not in FLOATS:
        return moved(x, np.trunc)
    if noise_of(target).relative < noise_of(source).relative:
        return x
    narrow = helper.tensor_dtype_to_np_dtype(target)
    with np.errstate(all="ignore"):
        low, high = (end.astype(narrow).astype(np.float64) for end in x)
    # The hull of the rounded and the exact bounds.
    return Range(np.minimum(x.low, low), np.maximum(x.high, high))


def _opposite(x: Range) -> Range:
    return minus(ONE, x, EXACT)


def _comparison(op: Operator, operands: list[Range]) -> Range:
    kind = op.node.op_type
    one, other = operands[::-1] if kind.startswith("Greater") else operands
    test = same if kind == "Equal" else not_above if kind.endswith("OrEqual") else below
    return test(one, other)


def _is_not_finite(op: Operator, operands: list[Range]) -> Range:
    finite = np.isfinite(operands[0].low) & np.isfinite(operands[0].high)
    return truth_bounds(np.zeros_like(finite), finite)


RULES: dict[str, Rule] = {
    "Floor": lambda op, x: moved(x[0], np.floor),
    "Ceil": lambda op, x: moved(x[0], np.ceil),
    "Round": lambda op, x: moved(x[0], np.rint),
    "Sign": lambda op, x: moved(x[0], np.sign),
    **dict.fromkeys(("Cast", "CastLike"), _cast),
    **dict.fromkeys(("Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal"), _comparison),
    "Not": lambda op, x: _opposite(x[0]),
    "And": lambda op, x: smaller(*x),
    "Or": lambda op, x: larger(*x),
    "Xor": lambda op, x: _opposite(same(x[0], x[1])),
    **dict.fromkeys(("IsNaN", "IsInf"), _is_not_finite),
    "Where": lambda op, x: chosen(*x),
}
"""Operator -> rule."""
