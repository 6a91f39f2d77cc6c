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
    jump,
    larger,
    minus,
    negative,
    plus,
    product,
    rounded,
    smaller,
    stepped,
    times,
)
from kan_dialect.analysis.onnx.operator_rules import (
    Operands,
    Operator,
    Rule,
    registrar,
)
from kan_dialect.ir.constants import FloatArray
from kan_dialect.maths.interval_functions import FUNCTIONS, Range
from kan_dialect.maths.interval_functions import widened as pushed_out

RULES: dict[str, Rule] = {}
"""Operator -> rule."""

_rule = registrar(RULES)


@_rule("Add")
def _add(op: Operator, operands: list[Bounds]) -> Bounds:
    one, other = operands
    return plus(one, other, op.noise)


@_rule("Sub")
def _sub(op: Operator, operands: list[Bounds]) -> Bounds:
    one, other = operands
    return minus(one, other, op.noise)


@_rule("Mul")
def _mul(op: Operator, operands: list[Bounds]) -> Bounds:
    if op.node.input[0] == op.node.input[1]:
        return square(operands[0], op.noise)
    one, other = operands
    return times(one, other, op.noise)


def square(x: Bounds, noise: Noise) -> Bounds:
    # Integer arithmetic has no noise; functions always have.
    return times(x, x, noise) if noise is EXACT else applied(FUNCTIONS["square"], x, noise, 0.0)


@_rule("Div")
def _div(op: Operator, operands: list[Bounds]) -> Bounds:
    one, other = operands
    if op.kind in FLOATS:
        return times(one, reciprocal_of(other, op.noise), op.noise)
    divisor = other.point
    if divisor is None or (divisor <= 0).any():
        raise op.none("for integers over other divisors than a positive constant")
    divided = times(one, Bounds.exact(1.0 / divisor), FINE)

    # A whole quotient is off by at most some units of the last digit.
    def truncated(each: Range) -> Range:
        slack = np.maximum(np.abs(each.low), np.abs(each.high)) * 2.0**-40
        return Range(np.trunc(each.low - slack), np.trunc(each.high + slack))

    value = truncated(divided.value)
    exact = (one.value.low == one.value.high) & (one.value.low % divisor == 0)
    whole = np.rint(one.value.low / divisor)
    value = Range(np.where(exact, whole, value.low), np.where(exact, whole, value.high))
    return Bounds(value) if one.constant else Bounds(value, jump(value), value)


def reciprocal_of(x: Bounds, noise: Noise) -> Bounds:
    return applied(reciprocal, x, noise)


def reciprocal(x: Range) -> tuple[Range, Range]:
    """1 / x, of either sign; infinite over an interval that contains 0."""
    pole = (x.low <= 0.0) & (x.high >= 0.0)
    undefined = np.isnan(x.low) | np.isnan(x.high)
    with np.errstate(all="ignore"):
        value = rounded(1.0 / x.high, 1.0 / x.low, FINE)
        steep = pushed_out(*ordered(-1.0 / x.low**2, -1.0 / x.high**2))
    low, high = (
        np.where(undefined, np.nan, np.where(pole, end, each))
        for end, each in ((-np.inf, value.low), (np.inf, value.high))
    )
    slope = Range(np.where(pole, -np.inf, steep.low), np.where(pole, 0.0, steep.high))
    return Range(low, high), slope


def ordered(one: FloatArray, other: FloatArray) -> Range:
    return Range(np.minimum(one, other), np.maximum(one, other))


@_rule("Neg")
def _neg(op: Operator, operands: list[Bounds]) -> Bounds:
    return negative(operands[0])


@_rule("Min")
def _min(op: Operator, operands: list[Bounds]) -> Bounds:
    return reduce(smaller, operands)


@_rule("Max")
def _max(op: Operator, operands: list[Bounds]) -> Bounds:
    return reduce(larger, operands)


@_rule("Sum")
def _sum(op: Operator, operands: list[Bounds]) -> Bounds:
    return reduce(lambda a, b: plus(a, b, op.noise), operands)


@_rule("Mean")
def _mean(op: Operator, operands: list[Bounds]) -> Bounds:
    share = Bounds.exact(np.array(1.0 / len(operands)))
    return times(_sum(op, operands), share, op.noise)


@_rule("Clip")
def _clip(op: Operator, operands: Operands) -> Bounds:
    x, least, most = (*operands, None, None)[:3]
    assert x is not None
    x = x if least is None else larger(x, least)
    return x if most is None else smaller(x, most)


@_rule("Pow")
def _pow(op: Operator, operands: list[Bounds]) -> Bounds:
    base, exponent = operands
    point = exponent.point
    if point is None:
        rising = applied(FUNCTIONS["log"], base, op.noise)
        power = times(exponent, rising, op.noise)
        return applied(FUNCTIONS["exp"], power, op.noise, 0.0)
    base, exponent = aligned(base, exponent)
    n = exponent.value.low

    def bounded(x: Range) -> tuple[Range, Range]:
        value = _powers(x, n)
        rise = _powers(x, n - 1.0)
        slope = product(Range(n, n), rise)
        flat = n == 0.0
        return value, Range(np.where(flat, 0.0, slope.low), np.where(flat, 0.0, slope.high))

    if op.kind in FLOATS:
        return applied(bounded, base, op.noise)
    return stepped(np.rint, applied(bounded, base, EXACT))


def _powers(x: Range, n: FloatArray) -> Range:
    """x^n for constants n of any kind."""
    with np.errstate(all="ignore"):
        ends = np.power(x.low, n), np.power(x.high, n)
    low, high = ordered(*ends)
    whole = n == np.rint(n)
    even = whole & (n % 2 == 0)
    inside = (x.low <= 0.0) & (x.high >= 0.0)
    low = np.where(inside & even & (n > 0), np.minimum(low, 0.0), low)
    low, high = pushed_out(low, high)
    low = np.where(even | ~whole, np.maximum(low, 0.0), low)
    pole = inside & (n < 0)
    low, high = np.where(pole & ~even, -np.inf, low), np.where(pole, np.inf, high)
    low = np.where(pole & even, 0.0, low)
    outside = ~whole & (x.low < 0.0)
    one = n == 0.0
    low, high = (np.where(outside, np.nan, np.where(one, 1.0, each)) for each in (low, high))
    return Range(low, high)


@_rule("Mod")
def _mod(op: Operator, operands: list[Bounds]) -> Bounds:
    """The remainder has the sign of the dividend with `fmod`, else that of the divisor."""
    one, other = operands
    toward = op.integer("fmod", 0) == 1
    divisor = other.point
    if divisor is None or (divisor == 0).any():
        raise op.none("by other divisors than a constant that is not 0")
    one, other = aligned(one, other)
    size = np.abs(other.value.low)

    def upward(x: Range) -> Range:
        """x - |d| floor(x / |d|), between 0 and |d|."""
        ends = x.low / size, x.high / size
        first, last = (np.floor(end) for end in ends)
        whole = first != last
        if op.kind in FLOATS:
            # A nearly whole quotient may lie on either side.
            for end in ends:
                whole = whole | (np.abs(end - np.rint(end)) <= np.abs(end) * 2.0**-46)
        inner = rounded(x.low - first * size, x.high - first * size, op.noise, x)
        return Range(
            np.where(whole, 0.0, np.maximum(inner.low, 0.0)),
            np.where(whole, size, np.minimum(inner.high, size)),
        )

    def downward(x: Range) -> Range:
        found = upward(Range(-x.high, -x.low))
        return Range(-found.high, -found.low)

    def rest(x: Range) -> Range:
        if not toward:
            falls = other.value.low < 0.0
            left, right = downward(x), upward(x)
            return Range(
                np.where(falls, left.low, right.low), np.where(falls, left.high, right.high)
            )
        left = downward(Range(np.minimum(x.low, 0.0), np.minimum(x.high, 0.0)))
        right = upward(Range(np.maximum(x.low, 0.0), np.maximum(x.high, 0.0)))
        return Range(
            np.where(x.low < 0.0, left.low, right.low),
            np.where(x.high > 0.0, right.high, left.high),
        )

    value = rest(one.value)
    if one.constant:
        return Bounds(value)
    anywhere = np.full_like(value.low, np.inf)
    return Bounds(value, Range(-anywhere, anywhere), rest(one.middles))
