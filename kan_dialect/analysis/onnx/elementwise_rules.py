"""Bounds of ONNX operators of one element of each operand: arithmetic, functions, decisions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import inf

import numpy as np
import onnx
from onnx import helper

from kan_dialect.analysis.onnx.bounds import (
    EXACT,
    FINE,
    FLOATS,
    Function,
    Noise,
    aligned,
    applied,
    below,
    chosen,
    constant,
    larger,
    minus,
    moved,
    negative,
    noise_of,
    not_above,
    plus,
    rounded,
    same,
    shape_of,
    smaller,
    times,
    truth_bounds,
)
from kan_dialect.analysis.onnx.operator_rules import Operands, Operator, Rule
from kan_dialect.maths.interval_functions import FUNCTIONS, Range, turning
from kan_dialect.maths.interval_functions import widened as pushed_out

# Arithmetic


def named(function: str, x: Range, noise: Noise, least: float = -np.inf) -> Range:
    """Bounds of a function of the dialect, with values of at least `least`."""
    return applied(lambda value: FUNCTIONS[function](value)[0], x, noise, least)


def _mul(op: Operator, operands: list[Range]) -> Range:
    one, other = operands
    # Integer arithmetic has no noise; functions always have.
    if op.node.input[0] == op.node.input[1] and op.noise is not EXACT:
        return named("square", one, op.noise, 0.0)
    return times(one, other, op.noise)


def _div(op: Operator, operands: list[Range]) -> Range:
    if op.kind not in FLOATS:
        raise op.none("for integers")
    one, other = operands
    return times(one, reciprocal(other, op.noise), op.noise)


def reciprocal(x: Range, noise: Noise) -> Range:
    """1 / x, of either sign; infinite over an interval that contains 0."""

    def bounded(x: Range) -> Range:
        with np.errstate(all="ignore"):
            value = rounded(1.0 / x.high, 1.0 / x.low, FINE)
        pole = (x.low <= 0.0) & (x.high >= 0.0)
        undefined = np.isnan(x.low) | np.isnan(x.high)
        low, high = np.where(pole, -np.inf, value.low), np.where(pole, np.inf, value.high)
        return Range(np.where(undefined, np.nan, low), np.where(undefined, np.nan, high))

    return applied(bounded, x, noise)


def _sum(op: Operator, operands: list[Range]) -> Range:
    return reduce(lambda a, b: plus(a, b, op.noise), operands)


def _mean(op: Operator, operands: list[Range]) -> Range:
    return times(_sum(op, operands), constant(np.array(1.0 / len(operands))), op.noise)


def _clip(op: Operator, operands: Operands) -> Range:
    x, least, most = (*operands, None, None)[:3]
    assert x is not None
    x = x if least is None else larger(x, least)
    return x if most is None else smaller(x, most)


def _pow(op: Operator, operands: list[Range]) -> Range:
    """Whole powers, their reciprocals, or else exp(n log x)."""
    if op.kind not in FLOATS:
        raise op.none("for integers")
    base, exponent = operands
    n = op.point(1)
    if n is not None and (n == np.rint(n)).all():
        if (n >= 0).all():
            return _whole_power(base, exponent, op.noise)
        if (n < 0).all():
            return reciprocal(_whole_power(base, negative(exponent), op.noise), op.noise)
    rising = times(exponent, named("log", base, op.noise), op.noise)
    return named("exp", rising, op.noise, 0.0)


def _whole_power(base: Range, exponent: Range, noise: Noise) -> Range:
    """x^n for constants n = 0, 1, 2, ..."""
    base, exponent = aligned(base, exponent)
    n = exponent.low

    def power(x: Range) -> Range:
        ends = np.power(x.low, n), np.power(x.high, n)
        turns = (n % 2 == 0) & (n > 0) & (x.low <= 0.0) & (x.high >= 0.0)
        low, high = pushed_out(np.where(turns, 0.0, np.minimum(*ends)), np.maximum(*ends))
        return Range(np.where(n % 2 == 0, np.maximum(low, 0.0), low), high)

    return applied(power, base, noise)


def _batch_normalization(op: Operator, operands: list[Range]) -> Range:
    """Batch normalisation in evaluation."""
    x, *others = operands
    if op.integer("training_mode", 0):
        raise op.none("in training")
    shape, noise = (-1, *(1,) * (len(shape_of(x)) - 2)), op.noise
    scale, bias, mean, variance = (
        Range(*(end.reshape(len(end), *shape) for end in each)) for each in others
    )
    shifted = plus(variance, op.parameter("epsilon", 1e-5), noise)
    gain = times(scale, reciprocal(named("sqrt", shifted, noise, 0.0), noise), noise)
    return plus(times(minus(x, mean, noise), gain, noise), bias, noise)


# Functions of one variable


def _dialect(name: str) -> Function:
    return lambda x: FUNCTIONS[name](x)[0]


_FUNCTIONS: dict[str, tuple[Function, float, float]] = {
    "Tanh": (_dialect("tanh"), -1.0, 1.0),
    "Sigmoid": (_dialect("sigmoid"), 0.0, 1.0),
    "Exp": (_dialect("exp"), 0.0, inf),
    "Log": (_dialect("log"), -inf, inf),
    "Sqrt": (_dialect("sqrt"), 0.0, inf),
    "Sin": (_dialect("sin"), -1.0, 1.0),
    "Cos": (_dialect("cos"), -1.0, 1.0),
    "Tan": (_dialect("tan"), -inf, inf),
    "Asin": (_dialect("arcsin"), -inf, inf),
    "Acos": (_dialect("arccos"), -inf, inf),
    "Atan": (_dialect("arctan"), -inf, inf),
    "Atanh": (_dialect("arctanh"), -inf, inf),
}
"""Operator -> (bounds of the value, least value, greatest value)."""


def _function(op: Operator, operands: Sequence[Range]) -> Range:
    function, least, most = _FUNCTIONS[op.node.op_type]
    return applied(function, operands[0], op.noise, least, most)


_TURNS: dict[str, Sequence[float]] = {
    **dict.fromkeys(("Celu", "Cosh", "Elu", "LeakyRelu", "Selu"), (0.0,)),
    **dict.fromkeys(("Erf", "HardSigmoid", "Sinh", "Softplus", "Softsign"), ()),
    "HardSwish": (-1.5,),
    "Mish": (-1.19243121451,),
}
"""Operator that is monotone between its turning points, and evaluated itself -> these points."""

_ROUNDED = Noise(2.0**-46, 2.0**-46, 2.0**-46, inf)
_COARSE = Noise(2.0**-22, 2.0**-22, 2.0**-22, inf)
"""Noise of functions that runtimes compute in float32 even for float64 operands."""


def _turning(op: Operator, operands: Sequence[Range]) -> Range:
    kind, noise = op.node.op_type, op.noise
    if noise is FINE:
        noise = _COARSE if kind in ("Erf", "HardSwish") else _ROUNDED
    return applied(lambda x: turning(x, op.evaluate, _TURNS[kind]), operands[0], noise)


ZERO, ONE = constant(np.array(0.0)), constant(np.array(1.0))


def _parametric_relu(op: Operator, operands: list[Range]) -> Range:
    x, slope = operands
    return plus(larger(x, ZERO), times(slope, smaller(x, ZERO), op.noise), op.noise)


def _gelu(op: Operator, operands: list[Range]) -> Range:
    way = op.attributes.get("approximate", b"none")
    name = "gelu_tanh" if way in (b"tanh", "tanh") else "gelu"
    return named(name, operands[0], _COARSE if op.noise is FINE else op.noise)


# Comparisons, logic, roundings, casts, choices


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
    "Add": lambda op, x: plus(x[0], x[1], op.noise),
    "Sub": lambda op, x: minus(x[0], x[1], op.noise),
    "Mul": _mul,
    "Div": _div,
    "Neg": lambda op, x: negative(x[0]),
    "Min": lambda op, x: reduce(smaller, x),
    "Max": lambda op, x: reduce(larger, x),
    "Sum": _sum,
    "Mean": _mean,
    "Clip": _clip,
    "Pow": _pow,
    "BatchNormalization": _batch_normalization,
    **dict.fromkeys(_FUNCTIONS, _function),
    **dict.fromkeys(_TURNS, _turning),
    "PRelu": _parametric_relu,
    "Abs": lambda op, x: named("abs", x[0], EXACT, 0.0),
    "Gelu": _gelu,
    "Reciprocal": lambda op, x: reciprocal(x[0], op.noise),
    "Relu": lambda op, x: larger(x[0], ZERO),
    "ThresholdedRelu": lambda op, x: chosen(below(op.parameter("alpha", 1.0), x[0]), x[0], ZERO),
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
