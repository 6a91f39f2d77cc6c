"""Bounds of values within an ONNX graph, and arithmetic on them.

Every row of a graph depends on one parameter t between -1 and 1. An element has bounds of its
value, of its derivative by t, and of its value at t = 0. Together they give the mean value form, as
in `enclosures.py`.

NaN bounds mark a value that may be undefined. They propagate to the results.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple, TypeAlias

import numpy as np
import onnx

from kan_dialect.ir.constants import BoolArray, FloatArray
from kan_dialect.maths.interval_functions import Bounded, Range

DOUBLE = onnx.TensorProto.DOUBLE


class Noise(NamedTuple):
    """Error bounds of a runtime's operations."""

    relative: float
    """Relative to the largest term."""
    absolute: float
    """Absolute, of arithmetic."""
    function: float
    """Absolute, of functions such as the exponential, in addition to the relative part."""
    largest: float
    """Largest finite value."""


_NOISES: dict[int, Noise] = {
    DOUBLE: Noise(2.0**-46, 2.0**-1000, 2.0**-1000, np.inf),
    onnx.TensorProto.FLOAT: Noise(2.0**-20, 2.0**-140, 2.0**-20, 3.4e38),
    onnx.TensorProto.FLOAT16: Noise(2.0**-8, 2.0**-20, 2.0**-8, 65504.0),
}
EXACT = Noise(0.0, 0.0, 0.0, np.inf)
FINE = _NOISES[DOUBLE]

FLOATS: frozenset[int] = frozenset(_NOISES)
"""ONNX floating-point element types."""


def noise_of(kind: int) -> Noise:
    """Errors of operations of an ONNX element type; integers and truth values are exact."""
    return _NOISES.get(kind, EXACT)


@dataclass(frozen=True, eq=False)
class Bounds:
    """Bounds of a value of a graph: (rows, *shape) each; constants have one row.

    Parameters
    ----------
    value : bounds of the value, for all t.
    slope : bounds of the derivative by t, infinite where the value jumps; None for constants.
    middle : bounds of the value at t = 0; None for constants.
    """

    value: Range
    slope: Range | None = None
    middle: Range | None = None

    @staticmethod
    def exact(array: FloatArray) -> Bounds:
        """Bounds of a constant."""
        row = array[np.newaxis]
        return Bounds(Range(row, row))

    @property
    def constant(self) -> bool:
        return self.slope is None

    @property
    def slopes(self) -> Range:
        if self.slope is not None:
            return self.slope
        zero = np.zeros((1,) * self.value.low.ndim)
        return Range(zero, zero)

    @property
    def middles(self) -> Range:
        return self.value if self.middle is None else self.middle

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value in the graph, without rows."""
        return self.value.low.shape[1:]

    @property
    def point(self) -> FloatArray | None:
        """Value of a constant that is known exactly; else None."""
        low, high = self.value
        return low[0] if self.constant and np.array_equal(low, high) else None

    def moved(self, move: Callable[[FloatArray], FloatArray]) -> Bounds:
        """Bounds of moved elements; `move` moves arrays (rows, *shape)."""

        def both(x: Range) -> Range:
            low = move(x.low)
            return Range(low, low if x.high is x.low else move(x.high))

        if self.slope is None or self.middle is None:
            return Bounds(both(self.value))
        full = np.broadcast_shapes(self.value.low.shape, self.slope.low.shape)
        slope = Range(*(np.broadcast_to(each, full) for each in self.slope))
        middle = Range(*(np.broadcast_to(each, full) for each in self.middle))
        value = Range(*(np.broadcast_to(each, full) for each in self.value))
        return Bounds(both(value), both(slope), both(middle))


def tightened(value: Range, slope: Range, middle: Range, noise: Noise) -> Bounds:
    """Bounds of a value that depends on t, with the mean value form where that is narrower."""
    slope = _unbounded_if_unknown(slope)
    shape = np.broadcast_shapes(value.low.shape, slope.low.shape, middle.low.shape)
    value, slope, middle = (
        Range(*(np.broadcast_to(each, shape) for each in x)) for x in (value, slope, middle)
    )
    if noise is not FINE:
        # Rounding in narrow types is not part of the slopes.
        return Bounds(value, slope, middle)
    steep = np.maximum(np.abs(slope.low), np.abs(slope.high))
    low, high = rounded(middle.low - steep, middle.high + steep, FINE)
    # Undefined values stay undefined.
    usable = np.isfinite(low) & np.isfinite(high)
    low = np.where(usable, np.maximum(value.low, low), value.low)
    high = np.where(usable, np.minimum(value.high, high), value.high)
    return Bounds(Range(low, high), slope, middle)


def _unbounded_if_unknown(slope: Range) -> Range:
    """Replace unknown slopes by infinite bounds."""
    return Range(
        np.where(np.isnan(slope.low), -np.inf, slope.low),
        np.where(np.isnan(slope.high), np.inf, slope.high),
    )


def rounded(
    low: FloatArray, high: FloatArray, noise: Noise, *terms: Range, function: bool = False
) -> Range:
    """Bounds widened by `noise`, relative to the bounds and to their terms.

    Rounding keeps signs in arithmetic, so bounds do not cross 0 there. Functions may.
    """
    if noise is EXACT:
        return Range(low, high)
    size = np.maximum(np.abs(low), np.abs(high))
    for term in terms:
        size = np.maximum(size, np.maximum(np.abs(term.low), np.abs(term.high)))
    slack = np.where(np.isfinite(size), size, 0.0) * noise.relative
    slack += noise.function if function else noise.absolute
    below, above = low - slack, high + slack
    if not function:
        below = np.where(low >= 0.0, np.maximum(below, 0.0), below)
        above = np.where(high <= 0.0, np.minimum(above, 0.0), above)
    if noise.largest < np.inf:
        below = np.where(below < -noise.largest, -np.inf, below)
        above = np.where(above > noise.largest, np.inf, above)
    return Range(below, above)


# Elementwise: shapes are those of ONNX, aligned at the end, behind the rows.


def aligned(*operands: Bounds) -> list[Bounds]:
    """Operands reshaped to one rank, so that their shapes broadcast behind the rows."""
    rank = max(len(each.shape) for each in operands)

    def move(x: FloatArray) -> FloatArray:
        return x.reshape(x.shape[0], *(1,) * (rank + 1 - x.ndim), *x.shape[1:])

    return [each if len(each.shape) == rank else each.moved(move) for each in operands]


def plus(one: Bounds, other: Bounds, noise: Noise = FINE) -> Bounds:
    one, other = aligned(one, other)
    value = _sum(one.value, other.value, noise)
    if one.constant and other.constant:
        return Bounds(value)
    return tightened(
        value,
        _sum(one.slopes, other.slopes, FINE),
        _sum(one.middles, other.middles, noise),
        noise,
    )


def _sum(one: Range, other: Range, noise: Noise) -> Range:
    return rounded(one.low + other.low, one.high + other.high, noise, one, other)


def negative(x: Bounds) -> Bounds:
    def turned(each: Range) -> Range:
        return Range(-each.high, -each.low)

    if x.slope is None or x.middle is None:
        return Bounds(turned(x.value))
    return Bounds(turned(x.value), turned(x.slope), turned(x.middle))


def minus(one: Bounds, other: Bounds, noise: Noise = FINE) -> Bounds:
    return plus(one, negative(other), noise)


def times(one: Bounds, other: Bounds, noise: Noise = FINE) -> Bounds:
    one, other = aligned(one, other)
    value = product(one.value, other.value, noise)
    if one.constant and other.constant:
        return Bounds(value)
    if one.constant:
        slope = product(one.value, other.slopes)
    elif other.constant:
        slope = product(one.slopes, other.value)
    else:
        slope = _sum(product(one.slopes, other.value), product(one.value, other.slopes), FINE)
    return tightened(value, slope, product(one.middles, other.middles, noise), noise)


def product(one: Range, other: Range, noise: Noise = FINE) -> Range:
    """Bounds of products; 0 times an infinite bound is 0."""
    undefined = np.isnan(one.low) | np.isnan(other.low) | np.isnan(one.high) | np.isnan(other.high)
    ends = [a * b for a in one for b in other]
    ends = [np.where(np.isnan(end), 0.0, end) for end in ends]
    low, high = np.minimum.reduce(ends), np.maximum.reduce(ends)
    if undefined.any():
        low, high = (np.where(undefined, np.nan, each) for each in (low, high))
    return rounded(low, high, noise)


def applied(
    function: Bounded, x: Bounds, noise: Noise, least: float = -np.inf, most: float = np.inf
) -> Bounds:
    """Bounds of a function of each element with values between `least` and `most`."""

    def bounded(value: Range, slope: bool) -> tuple[Range, Range]:
        found, steep = function(value)
        if noise is not FINE:
            found = rounded(*found, noise, function=True)
        return Range(np.clip(found.low, least, most), np.clip(found.high, least, most)), steep

    value, steep = bounded(x.value, True)
    if x.constant:
        return Bounds(value)
    middle, _ = bounded(x.middles, False)
    return tightened(value, product(_unbounded_if_unknown(steep), x.slopes), middle, noise)


StepFunction: TypeAlias = Callable[[FloatArray], FloatArray]


def stepped(function: StepFunction, x: Bounds) -> Bounds:
    """Bounds of a non-decreasing step function, which has no rounding error."""
    value = Range(function(x.value.low), function(x.value.high))
    if x.constant:
        return Bounds(value)
    middle = Range(function(x.middles.low), function(x.middles.high))
    return Bounds(value, jump(value), middle)


def jump(value: Range) -> Range:
    """Slopes of a step function: 0, or infinite where it may jump."""
    jumps = ~(value.low == value.high)
    return Range(np.where(jumps, -np.inf, 0.0), np.where(jumps, np.inf, 0.0))


def hull(one: Range, other: Range) -> Range:
    return Range(np.minimum(one.low, other.low), np.maximum(one.high, other.high))


# Truth values are 0 or 1; an undecided one lies in 0..1.


def truth_bounds(yes: BoolArray, no: BoolArray) -> Range:
    return Range(np.where(yes, 1.0, 0.0), np.where(no, 0.0, 1.0))


def compared(one: Bounds, other: Bounds, test: Callable[[Range, Range], Range]) -> Bounds:
    one, other = aligned(one, other)
    value = test(one.value, other.value)
    if one.constant and other.constant:
        return Bounds(value)
    return Bounds(value, jump(value), test(one.middles, other.middles))


def below(one: Range, other: Range) -> Range:
    return truth_bounds(one.high < other.low, one.low >= other.high)


def not_above(one: Range, other: Range) -> Range:
    return truth_bounds(one.high <= other.low, one.low > other.high)


def same(one: Range, other: Range) -> Range:
    equal = (one.low == one.high) & (other.low == other.high) & (one.low == other.low)
    return truth_bounds(equal, (one.high < other.low) | (one.low > other.high))


def chosen(condition: Bounds, one: Bounds, other: Bounds) -> Bounds:
    """Bounds of a choice: `one` if the condition holds, else `other`; both if it is undecided."""
    condition, one, other = aligned(condition, one, other)

    def pick(truth: Range, a: Range, b: Range) -> Range:
        both = hull(a, b)
        yes, no = truth.low == 1.0, truth.high == 0.0
        return Range(
            np.where(yes, a.low, np.where(no, b.low, both.low)),
            np.where(yes, a.high, np.where(no, b.high, both.high)),
        )

    value = pick(condition.value, one.value, other.value)
    if condition.constant and one.constant and other.constant:
        return Bounds(value)
    steep = pick(condition.value, one.slopes, other.slopes)
    open_ = condition.value.low != condition.value.high
    steep = Range(np.where(open_, -np.inf, steep.low), np.where(open_, np.inf, steep.high))
    middle = pick(condition.middles, one.middles, other.middles)
    return tightened(value, steep, middle, EXACT)


def smaller(one: Bounds, other: Bounds) -> Bounds:
    """Bounds of the minimum, which has the slope of one of the operands."""
    one, other = aligned(one, other)

    def least(a: Range, b: Range) -> Range:
        return Range(np.minimum(a.low, b.low), np.minimum(a.high, b.high))

    value = least(one.value, other.value)
    if one.constant and other.constant:
        return Bounds(value)
    first, second = one.value.high <= other.value.low, other.value.high <= one.value.low
    a, b = one.slopes, other.slopes
    both = hull(a, b)
    slope = Range(
        np.where(first, a.low, np.where(second, b.low, both.low)),
        np.where(first, a.high, np.where(second, b.high, both.high)),
    )
    return tightened(value, slope, least(one.middles, other.middles), EXACT)


def larger(one: Bounds, other: Bounds) -> Bounds:
    return negative(smaller(negative(one), negative(other)))


# Sums of products: midpoints and radii (Rump, BIT 39, 1999).

Bilinear: TypeAlias = Callable[[FloatArray, FloatArray], FloatArray]


def contracted(one: Bounds, other: Bounds, form: Bilinear, terms: int, noise: Noise) -> Bounds:
    """Bounds of a bilinear form of two values, such as a matrix product.

    Parameters
    ----------
    form : bilinear function of arrays (rows or 1, *shape).
    terms : number of products that are added for each element.
    """
    value = _contracted(one.value, other.value, form, terms, noise)
    if one.constant and other.constant:
        return Bounds(value)
    middle = _contracted(one.middles, other.middles, form, terms, noise)
    slopes = [
        _contracted(a, b, form, terms, FINE)
        for a, b, varies in (
            (_full(one), other.value, not one.constant),
            (one.value, _full(other), not other.constant),
        )
        if varies
    ]
    slope = reduce(lambda a, b: _sum(a, b, FINE), slopes)
    return tightened(value, slope, middle, noise)


def _full(x: Bounds) -> Range:
    return Range(*(np.broadcast_to(each, x.value.low.shape) for each in x.slopes))


def _contracted(one: Range, other: Range, form: Bilinear, terms: int, noise: Noise) -> Range:
    a, b = _ball(one), _ball(other)
    middle = form(a.middle, b.middle)
    # Rounding error of the form, in any order of its additions.
    slack = (terms + 8) * 2.0**-50
    if noise is not EXACT:
        slack = max(
            slack, PRODUCT_SUM_NOISE_FACTOR * noise.relative, (terms + 8) * noise.relative / 8
        )
    spread = form(a.radius, b.largest) + form(np.abs(a.middle), b.radius)
    radius = form(a.largest, b.largest) * slack + spread * (1 + slack)
    exact = noise is EXACT and not spread.any()
    low, high = (middle, middle) if exact else rounded(middle - radius, middle + radius, FINE)
    if a.unknown.any() or b.unknown.any():
        # 0 times an unbounded value is 0; 0 times an undefined value is undefined.
        wild = form(a.unknown, b.reached) + form(a.reached, b.unknown) > 0
        low, high = np.where(wild, -np.inf, low), np.where(wild, np.inf, high)
        ones, other_ones = np.ones_like(a.middle), np.ones_like(b.middle)
        undefined = form(a.undefined, other_ones) + form(ones, b.undefined) > 0
        low, high = (np.where(undefined, np.nan, each) for each in (low, high))
    return Range(low, high)


PRODUCT_SUM_NOISE_FACTOR = 4.0
"""Sums of products are widened by at least this factor times the noise of a single operation."""


class _Ball(NamedTuple):
    """Midpoints and radii of bounds; and masks, 0 or 1."""

    middle: FloatArray
    radius: FloatArray
    unknown: FloatArray
    """Infinite or undefined elements, which have middle and radius 0."""
    undefined: FloatArray

    @property
    def largest(self) -> FloatArray:
        return np.abs(self.middle) + self.radius

    @property
    def reached(self) -> FloatArray:
        """Elements that are not certainly 0."""
        return np.where((self.largest > 0) | (self.unknown > 0), 1.0, 0.0)


def _ball(x: Range) -> _Ball:
    middle = x.low + (x.high - x.low) / 2
    radius = np.maximum(x.high - middle, middle - x.low)
    # Rounded up: a difference of floats is off by up to half a unit of the last digit.
    radius = np.where(radius == 0.0, 0.0, radius * (1 + 2.0**-50))
    usable = np.isfinite(middle) & np.isfinite(radius)
    undefined = np.isnan(x.low) | np.isnan(x.high)
    return _Ball(
        np.where(usable, middle, 0.0),
        np.where(usable, radius, 0.0),
        np.where(usable, 0.0, 1.0),
        np.where(undefined, 1.0, 0.0),
    )


def summed(x: Bounds, form: Callable[[FloatArray], FloatArray], terms: int, noise: Noise) -> Bounds:
    """Bounds of a sum of elements; `form` adds up arrays (rows, *shape)."""

    def ends(each: Range, one: Noise) -> Range:
        low, high = form(each.low), form(each.high)
        if one is EXACT:
            return Range(low, high)
        size = np.maximum(np.abs(each.low), np.abs(each.high))
        slack = form(np.where(np.isfinite(size), size, 0.0)) * one.relative * max(1.0, terms / 8)
        return Range(low - slack - one.absolute, high + slack + one.absolute)

    value = ends(x.value, noise)
    if x.constant:
        return Bounds(value)
    return tightened(value, ends(_full(x), FINE), ends(x.middles, noise), noise)
