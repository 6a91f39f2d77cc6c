"""Bounds of ONNX arithmetic: sums, products, quotients, powers, extrema."""

from __future__ import annotations

from functools import reduce

import numpy as np

from kan_dialect.analysis.onnx.bounds import (
    EXACT,
    FINE,
    FLOATS,
    Bounds,
    Noise,
    aligned,
    applied,
    larger,
    minus,
    negative,
    plus,
    product,
    rounded,
    smaller,
    times,
)
from kan_dialect.analysis.onnx.operator_rules import Operands, Operator, Rule
from kan_dialect.ir.constants import FloatArray
from kan_dialect.maths.interval_functions import FUNCTIONS, Range
from kan_dialect.maths.interval_functions import widened as pushed_out


def _mul(op: Operator, operands: list[Bounds]) -> Bounds:
    if op.node.input[0] == op.node.input[1]:
        return square(operands[0], op.noise)
    one, other = operands
    return times(one, other, op.noise)


def square(x: Bounds, noise: Noise) -> Bounds:
    # Integer arithmetic has no noise; functions always have.
    return times(x, x, noise) if noise is EXACT else applied(FUNCTIONS["square"], x, noise, 0.0)


def _div(op: Operator, operands: list[Bounds]) -> Bounds:
    if op.kind not in FLOATS:
        raise op.none("for integers")
    one, other = operands
    return times(one, reciprocal_of(other, op.noise), op.noise)


def reciprocal_of(x: Bounds, noise: Noise) -> Bounds:
    return applied(reciprocal, x, noise)


def reciprocal(x: Range) -> tuple[Range, Range]:
    """1 / x, of either sign; infinite over an interval that contains 0."""
    pole = (x.low <= 0.0) & (x.high >= 0.0)
    undefined = np.isnan(x.low) | np.isnan(x.high)
    with np.errstate(all="ignore"):
        value = rounded(1.0 / x.high, 1.0 / x.low, FINE)
        steep = pushed_out(*_ordered(-1.0 / x.low**2, -1.0 / x.high**2))
    low, high = (
        np.where(undefined, np.nan, np.where(pole, end, each))
        for end, each in ((-np.inf, value.low), (np.inf, value.high))
    )
    slope = Range(np.where(pole, -np.inf, steep.low), np.where(pole, 0.0, steep.high))
    return Range(low, high), slope


def _ordered(one: FloatArray, other: FloatArray) -> Range:
    return Range(np.minimum(one, other), np.maximum(one, other))


def _sum(op: Operator, operands: list[Bounds]) -> Bounds:
    return reduce(lambda a, b: plus(a, b, op.noise), operands)


def _mean(op: Operator, operands: list[Bounds]) -> Bounds:
    share = Bounds.exact(np.array(1.0 / len(operands)))
    return times(_sum(op, operands), share, op.noise)


def _clip(op: Operator, operands: Operands) -> Bounds:
    x, least, most = (*operands, None, None)[:3]
    assert x is not None
    x = x if least is None else larger(x, least)
    return x if most is None else smaller(x, most)


def _pow(op: Operator, operands: list[Bounds]) -> Bounds:
    """Whole powers, their reciprocals, or else exp(n log x)."""
    if op.kind not in FLOATS:
        raise op.none("for integers")
    base, exponent = operands
    n = exponent.point
    if n is not None and (n == np.rint(n)).all():
        if (n >= 0).all():
            return _whole_power(base, exponent, op.noise)
        if (n < 0).all():
            return reciprocal_of(_whole_power(base, negative(exponent), op.noise), op.noise)
    rising = applied(FUNCTIONS["log"], base, op.noise)
    return applied(FUNCTIONS["exp"], times(exponent, rising, op.noise), op.noise, 0.0)


def _whole_power(base: Bounds, exponent: Bounds, noise: Noise) -> Bounds:
    """x^n for constants n = 0, 1, 2, ..."""
    base, exponent = aligned(base, exponent)
    n = exponent.value.low

    def power(x: Range, n: FloatArray) -> Range:
        low, high = _ordered(np.power(x.low, n), np.power(x.high, n))
        turns = (n % 2 == 0) & (n > 0) & (x.low <= 0.0) & (x.high >= 0.0)
        low, high = pushed_out(np.where(turns, 0.0, low), high)
        return Range(np.where(n % 2 == 0, np.maximum(low, 0.0), low), high)

    def bounded(x: Range) -> tuple[Range, Range]:
        return power(x, n), product(Range(n, n), power(x, np.maximum(n - 1.0, 0.0)))

    return applied(bounded, base, noise)


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
}
"""Operator -> rule."""
