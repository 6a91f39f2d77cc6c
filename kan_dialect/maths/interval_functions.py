"""Bounds of functions of one variable, and of their derivatives, over intervals.

A function is bounded by its values at the ends and at the turning points between them. If a
derivative has turning points without a simple formula, it is composed of functions with simple
ones. Bounds are widened beyond the error of NumPy's functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import erf as scalar_erf
from math import pi, sqrt
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import numpy as np

from kan_dialect.ir.constants import FloatArray
from kan_dialect.maths.functions import apply

_RELATIVE = 2.0**-46
"""Widening of a bound, relative to its size."""
_ABSOLUTE = 2.0**-1000
"""Absolute widening, for bounds near 0."""


class Range(NamedTuple):
    """Lower and upper bounds: float64 arrays of one shape."""

    low: FloatArray
    high: FloatArray


Bounded: TypeAlias = Callable[[Range], tuple[Range, Range]]
"""Intervals -> bounds of a function, and bounds of its derivative."""


def widened(low: FloatArray, high: FloatArray, *terms: Range) -> Range:
    """Bounds widened by more than float64 rounds, relative to the bounds and to their terms."""
    size = np.maximum(np.abs(low), np.abs(high))
    for term in terms:
        size = np.maximum(size, np.maximum(np.abs(term.low), np.abs(term.high)))
    slack = np.where(np.isfinite(size), size, 0.0) * _RELATIVE + _ABSOLUTE
    return Range(low - slack, high + slack)


def product(one: Range, other: Range) -> Range:
    """Bounds of products. 0 times an infinite bound is 0: a slope over a single point."""
    with np.errstate(invalid="ignore"):
        ends = [_zero(a * b) for a in one for b in other]
    low, high = ends[0], ends[0]
    for end in ends[1:]:
        low, high = np.minimum(low, end), np.maximum(high, end)
    return widened(low, high)


def _zero(x: FloatArray) -> FloatArray:
    return np.where(np.isnan(x), 0.0, x)


def _sum(one: Range, other: Range) -> Range:
    return widened(one.low + other.low, one.high + other.high, one, other)


def turning(x: Range, function: Callable[[FloatArray], FloatArray], at: Sequence[float]) -> Range:
    """Bounds of a function that is monotone between the points `at`."""
    ends = function(x.low), function(x.high)
    low: FloatArray = np.minimum(*ends)
    high: FloatArray = np.maximum(*ends)
    for point in at:
        inside = (x.low <= point) & (x.high >= point)
        value = float(function(np.array([point]))[0])
        low = np.where(inside, np.minimum(low, value), low)
        high = np.where(inside, np.maximum(high, value), high)
    return widened(low, high)


def _monotone(name: str) -> Callable[[Range], Range]:
    return lambda x: turning(x, lambda y: apply(name, y), ())


def _named(name: str) -> Callable[[FloatArray], FloatArray]:
    return lambda x: apply(name, x)


def _simple(
    function: Callable[[FloatArray], FloatArray],
    turns: Sequence[float],
    derivative: Callable[[FloatArray], FloatArray],
    bends: Sequence[float],
) -> Bounded:
    """A function with turning points `turns`, whose derivative has turning points `bends`."""
    return lambda x: (turning(x, function, turns), turning(x, derivative, bends))


def _constant_slope(value: float) -> Callable[[FloatArray], FloatArray]:
    return lambda x: np.full_like(x, value)


def _relu(x: Range) -> tuple[Range, Range]:
    value = Range(np.maximum(x.low, 0.0), np.maximum(x.high, 0.0))
    return value, Range(np.where(x.low > 0.0, 1.0, 0.0), np.where(x.high < 0.0, 0.0, 1.0))


def _abs(x: Range) -> tuple[Range, Range]:
    slope = Range(np.where(x.low > 0.0, 1.0, -1.0), np.where(x.high < 0.0, -1.0, 1.0))
    return turning(x, np.abs, (0.0,)), slope


def _sign(x: Range) -> tuple[Range, Range]:
    value = Range(np.sign(x.low), np.sign(x.high))
    jumps = value.low != value.high
    return value, Range(np.where(jumps, -np.inf, 0.0), np.where(jumps, np.inf, 0.0))


def _periodic(x: Range, shift: float) -> Range:
    """Bounds of sin(x + shift), which turns at pi / 2 + k pi - shift."""
    low, high = np.minimum(*_sines(x, shift)), np.maximum(*_sines(x, shift))
    slack = 1e-9 + 1e-13 * np.maximum(np.abs(x.low), np.abs(x.high))
    for extreme, phase in ((1.0, pi / 2), (-1.0, -pi / 2)):
        # Turning points phase + 2 pi k - shift in the interval.
        turns = np.ceil((x.low - slack + shift - phase) / (2 * pi))
        inside = phase + 2 * pi * turns - shift <= x.high + slack
        low = np.where(inside & (extreme < 0), -1.0, low)
        high = np.where(inside & (extreme > 0), 1.0, high)
    # The error of argument reduction is proportional to the argument.
    size = np.maximum(np.abs(x.low), np.abs(x.high)) * 2.0**-50
    return Range(np.maximum(low - size - 2.0**-46, -1.0), np.minimum(high + size + 2.0**-46, 1.0))


def _sines(x: Range, shift: float) -> tuple[FloatArray, FloatArray]:
    return np.sin(x.low + shift), np.sin(x.high + shift)


def _negative(x: Range) -> Range:
    return Range(-x.high, -x.low)


def _sin(x: Range) -> tuple[Range, Range]:
    return _periodic(x, 0.0), _periodic(x, pi / 2)


def _cos(x: Range) -> tuple[Range, Range]:
    return _periodic(x, pi / 2), _negative(_periodic(x, 0.0))


def _tan(x: Range) -> tuple[Range, Range]:
    # An interval with a pole has no bounds.
    pole = np.floor(x.low / pi - 0.5 + 1e-9) != np.floor(x.high / pi - 0.5 - 1e-9)
    value = turning(x, np.tan, ())
    low = np.where(pole, -np.inf, value.low)
    high = np.where(pole, np.inf, value.high)
    square = _power(Range(low, high), 2)
    one = np.ones_like(low)
    return Range(low, high), _sum(Range(one, one), square)


def _power(x: Range, n: int) -> Range:
    return turning(x, lambda y: y**n, (0.0,))


def _inverse_power(n: int) -> Bounded:
    """1 / x^n; infinite over an interval that contains 0."""

    def bounded(x: Range) -> tuple[Range, Range]:
        pole = (x.low <= 0.0) & (x.high >= 0.0)
        value = turning(x, lambda y: 1.0 / y**n, ())
        slope = turning(x, lambda y: -n / y ** (n + 1), ())
        return (
            Range(np.where(pole, -np.inf, value.low), np.where(pole, np.inf, value.high)),
            Range(np.where(pole, -np.inf, slope.low), np.where(pole, np.inf, slope.high)),
        )

    return bounded


def _sigmoid_slope(x: Range) -> Range:
    def slope(y: FloatArray) -> FloatArray:
        return apply("sigmoid", y) * apply("sigmoid", -y)

    return turning(x, slope, (0.0,))


def _silu(x: Range) -> tuple[Range, Range]:
    # silu' = s + x s' with the sigmoid s; silu turns where that is 0.
    value = turning(x, _named("silu"), (-1.2784645427610738,))
    wide = product(x, _sigmoid_slope(x))
    loose = _sum(_monotone("sigmoid")(x), wide)
    # silu' itself turns where silu'' is 0, at +-2.3993572805154677.
    exact = turning(x, _silu_slope, (-2.3993572805154677, 2.3993572805154677))
    return value, Range(np.maximum(loose.low, exact.low), np.minimum(loose.high, exact.high))


def _silu_slope(x: FloatArray) -> FloatArray:
    s = apply("sigmoid", x)
    return s + x * s * apply("sigmoid", -x)


def _normal(x: FloatArray) -> FloatArray:
    """The standard normal distribution function."""
    flat = np.array([0.5 * (1.0 + scalar_erf(v / sqrt(2.0))) for v in x.ravel().tolist()])
    return flat.reshape(x.shape)


def _gelu(x: Range) -> tuple[Range, Range]:
    def slope(y: FloatArray) -> FloatArray:
        return _normal(y) + y * np.exp(-(y**2) / 2) / sqrt(2 * pi)

    value = turning(x, _named("gelu"), (-0.7517915246935645,))
    bounds = turning(x, slope, (-sqrt(2.0), sqrt(2.0)))
    # In the tail 1 + erf cancels: its rounding is of the size of 1.
    size = np.maximum(np.abs(x.low), np.abs(x.high)) * _RELATIVE + _RELATIVE
    return Range(value.low - size, value.high + size), Range(bounds.low - size, bounds.high + size)


def _gelu_tanh(x: Range) -> tuple[Range, Range]:
    """0.5 x (1 + tanh u), u = c (x + 0.044715 x^3)."""
    c = sqrt(2.0 / pi)

    def inner(y: FloatArray) -> FloatArray:
        return c * (y + 0.044715 * y**3)

    u = turning(x, inner, ())
    tanh, tanh_slope = _tanh(u)
    one = np.ones_like(x.low)
    # The minimum lies near -0.7524614: values at the ends and there.
    value = turning(x, _named("gelu_tanh"), (-0.7524614220710162,))
    size = np.maximum(np.abs(x.low), np.abs(x.high)) * _RELATIVE + _RELATIVE
    value = Range(value.low - size, value.high + size)
    half = _sum(Range(one, one), tanh)
    u_slope = turning(x, lambda y: c * (1.0 + 3 * 0.044715 * y**2), (0.0,))
    other = product(product(x, tanh_slope), u_slope)
    slope = _sum(half, other)
    return value, Range(*widened(slope.low / 2, slope.high / 2))


def _tanh(x: Range) -> tuple[Range, Range]:
    return turning(x, np.tanh, ()), turning(x, lambda y: 1.0 / np.cosh(y) ** 2, (0.0,))


def _sqrt(x: Range) -> tuple[Range, Range]:
    low = np.where(x.low < 0.0, np.nan, x.low)
    value = turning(Range(low, x.high), np.sqrt, ())
    return value, turning(Range(low, x.high), lambda y: 0.5 / np.sqrt(y), ())


def _positive(
    function: Callable[[FloatArray], FloatArray], slope: Callable[[FloatArray], FloatArray]
) -> Bounded:
    """A monotone function of positive numbers with a monotone derivative; NaN elsewhere."""

    def bounded(x: Range) -> tuple[Range, Range]:
        inside = Range(np.where(x.low <= 0.0, np.nan, x.low), x.high)
        return turning(inside, function, ()), turning(inside, slope, ())

    return bounded


def _within(
    function: Callable[[FloatArray], FloatArray],
    slope: Callable[[FloatArray], FloatArray],
) -> Bounded:
    """A monotone function on -1..1 whose derivative turns at 0."""
    return lambda x: (turning(x, function, ()), turning(x, slope, (0.0,)))


_THIRD = 1.0 / sqrt(3.0)

FUNCTIONS: Mapping[str, Bounded] = MappingProxyType(
    {
        "identity": lambda x: (x, turning(x, _constant_slope(1.0), ())),
        "zero": lambda x: (
            turning(x, _constant_slope(0.0), ()),
            turning(x, _constant_slope(0.0), ()),
        ),
        "relu": _relu,
        "abs": _abs,
        "sign": _sign,
        "tanh": _tanh,
        "sigmoid": lambda x: (_monotone("sigmoid")(x), _sigmoid_slope(x)),
        "silu": _silu,
        "gelu": _gelu,
        "gelu_tanh": _gelu_tanh,
        "sin": _sin,
        "cos": _cos,
        "tan": _tan,
        "exp": _simple(np.exp, (), np.exp, ()),
        "sqrt": _sqrt,
        "square": _simple(np.square, (0.0,), lambda x: 2.0 * x, ()),
        "cube": _simple(lambda x: x**3, (), lambda x: 3.0 * x**2, (0.0,)),
        "power4": _simple(lambda x: x**4, (0.0,), lambda x: 4.0 * x**3, ()),
        "power5": _simple(lambda x: x**5, (), lambda x: 5.0 * x**4, (0.0,)),
        "power3_2": lambda x: _positive(lambda y: np.sqrt(y) ** 3, lambda y: 1.5 * np.sqrt(y))(x),
        "log": _positive(np.log, lambda x: 1.0 / x),
        "reciprocal": _inverse_power(1),
        "reciprocal_square": _inverse_power(2),
        "reciprocal_cube": _inverse_power(3),
        "reciprocal_power4": _inverse_power(4),
        "reciprocal_power5": _inverse_power(5),
        "reciprocal_sqrt": _positive(lambda x: 1.0 / np.sqrt(x), lambda x: -0.5 / np.sqrt(x) ** 3),
        "arcsin": _within(np.arcsin, lambda x: 1.0 / np.sqrt(1.0 - x**2)),
        "arccos": lambda x: (
            turning(x, np.arccos, ()),
            turning(x, lambda y: -1.0 / np.sqrt(1.0 - y**2), (0.0,)),
        ),
        "arctan": _within(np.arctan, lambda x: 1.0 / (1.0 + x**2)),
        "arctanh": _within(np.arctanh, lambda x: 1.0 / (1.0 - x**2)),
        # exp(-x^2): its derivative turns at +-1 / sqrt(2).
        "gaussian": _simple(
            lambda x: np.exp(-(x**2)),
            (0.0,),
            lambda x: -2.0 * x * np.exp(-(x**2)),
            (-sqrt(0.5), sqrt(0.5)),
        ),
        "multiquadric": _simple(
            lambda x: np.sqrt(1.0 + x**2), (0.0,), lambda x: x / np.sqrt(1.0 + x**2), ()
        ),
        "inverse_multiquadric": _simple(
            lambda x: 1.0 / np.sqrt(1.0 + x**2),
            (0.0,),
            lambda x: -x / np.sqrt(1.0 + x**2) ** 3,
            (-sqrt(0.5), sqrt(0.5)),
        ),
        "inverse_quadratic": _simple(
            lambda x: 1.0 / (1.0 + x**2),
            (0.0,),
            lambda x: -2.0 * x / (1.0 + x**2) ** 2,
            (-_THIRD, _THIRD),
        ),
    }
)
"""Bounds of the functions of `kan.base`, `kan.map`, `kan.symbolic` and `kan.radial`, by name."""
