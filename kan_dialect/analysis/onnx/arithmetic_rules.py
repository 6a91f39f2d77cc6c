"""Bounds of ONNX arithmetic: sums, products, quotients, powers, extrema."""

from __future__ import annotations

from functools import reduce

import numpy as np

from kan_dialect.analysis.onnx.bounds import (
    EXACT,
    FINE,
    FLOATS,
    Noise,
    aligned,
    applied,
    constant,
    larger,
    minus,
    negative,
    plus,
    rounded,
    shape_of,
    smaller,
    times,
)
from kan_dialect.analysis.onnx.operator_rules import Operands, Operator, Rule
from kan_dialect.maths.interval_functions import FUNCTIONS, Range
from kan_dialect.maths.interval_functions import widened as pushed_out


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
}
"""Operator -> rule."""
