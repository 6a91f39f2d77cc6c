"""Bounds of values within an ONNX graph, and arithmetic on them.

A value of a graph has bounds (rows, *shape) each; constants have one row. Every row stands for one
point of inputs, or one box of them.

NaN bounds mark a value that may be undefined. They propagate to the results.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import onnx

from kan_dialect.ir.constants import BoolArray, FloatArray
from kan_dialect.maths.interval_functions import Range

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


def constant(array: FloatArray) -> Range:
    """Bounds of a constant."""
    return Range(array[np.newaxis], array[np.newaxis])


def shape_of(x: Range) -> tuple[int, ...]:
    """Shape of the value in the graph, without rows."""
    return x.low.shape[1:]


def moved(x: Range, move: Callable[[FloatArray], FloatArray]) -> Range:
    """Bounds of moved elements; `move` moves arrays (rows, *shape)."""
    return Range(move(x.low), move(x.high))


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


def aligned(*operands: Range) -> list[Range]:
    """Operands reshaped to one rank, so that their shapes broadcast behind the rows."""
    rank = max(each.low.ndim for each in operands)

    def move(x: FloatArray) -> FloatArray:
        return x.reshape(x.shape[0], *(1,) * (rank - x.ndim), *x.shape[1:])

    return [moved(each, move) for each in operands]


def plus(one: Range, other: Range, noise: Noise = FINE) -> Range:
    one, other = aligned(one, other)
    return rounded(one.low + other.low, one.high + other.high, noise, one, other)


def negative(x: Range) -> Range:
    return Range(-x.high, -x.low)


def minus(one: Range, other: Range, noise: Noise = FINE) -> Range:
    return plus(one, negative(other), noise)


def times(one: Range, other: Range, noise: Noise = FINE) -> Range:
    """Bounds of products; 0 times an infinite bound is 0."""
    one, other = aligned(one, other)
    undefined = np.isnan(one.low) | np.isnan(other.low) | np.isnan(one.high) | np.isnan(other.high)
    ends = [a * b for a in one for b in other]
    ends = [np.where(np.isnan(end), 0.0, end) for end in ends]
    low, high = np.minimum.reduce(ends), np.maximum.reduce(ends)
    if undefined.any():
        low, high = (np.where(undefined, np.nan, each) for each in (low, high))
    return rounded(low, high, noise)


Function: TypeAlias = Callable[[Range], Range]
"""Bounds of a function of one variable, from bounds of the variable."""


def applied(
    function: Function, x: Range, noise: Noise, least: float = -np.inf, most: float = np.inf
) -> Range:
    """Bounds of a function of each element with values between `least` and `most`."""
    value = function(x)
    if noise is not FINE:
        value = rounded(*value, noise, function=True)
    return Range(np.clip(value.low, least, most), np.clip(value.high, least, most))


def hull(one: Range, other: Range) -> Range:
    return Range(np.minimum(one.low, other.low), np.maximum(one.high, other.high))


# Truth values are 0 or 1; an undecided one lies in 0..1.


def truth_bounds(yes: BoolArray, no: BoolArray) -> Range:
    return Range(np.where(yes, 1.0, 0.0), np.where(no, 0.0, 1.0))


def below(one: Range, other: Range) -> Range:
    one, other = aligned(one, other)
    return truth_bounds(one.high < other.low, one.low >= other.high)


def not_above(one: Range, other: Range) -> Range:
    one, other = aligned(one, other)
    return truth_bounds(one.high <= other.low, one.low > other.high)


def same(one: Range, other: Range) -> Range:
    one, other = aligned(one, other)
    equal = (one.low == one.high) & (other.low == other.high) & (one.low == other.low)
    return truth_bounds(equal, (one.high < other.low) | (one.low > other.high))


def chosen(condition: Range, one: Range, other: Range) -> Range:
    """Bounds of a choice: `one` if the condition holds, else `other`; both if it is undecided."""
    condition, one, other = aligned(condition, one, other)
    both = hull(one, other)
    yes, no = condition.low == 1.0, condition.high == 0.0
    return Range(
        np.where(yes, one.low, np.where(no, other.low, both.low)),
        np.where(yes, one.high, np.where(no, other.high, both.high)),
    )


def smaller(one: Range, other: Range) -> Range:
    one, other = aligned(one, other)
    return Range(np.minimum(one.low, other.low), np.minimum(one.high, other.high))


def larger(one: Range, other: Range) -> Range:
    one, other = aligned(one, other)
    return Range(np.maximum(one.low, other.low), np.maximum(one.high, other.high))


# Sums of products: midpoints and radii (Rump, BIT 39, 1999).

Bilinear: TypeAlias = Callable[[FloatArray, FloatArray], FloatArray]

PRODUCT_SUM_NOISE_FACTOR = 4.0
"""Sums of products are widened by at least this factor times the noise of a single operation."""


def contracted(one: Range, other: Range, form: Bilinear, terms: int, noise: Noise) -> Range:
    """Bounds of a bilinear form of two values, such as a matrix product.

    Parameters
    ----------
    form : bilinear function of arrays (rows or 1, *shape).
    terms : number of products that are added for each element.
    """
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
        # Undefined, even if the other factor is 0.
        ones, other_ones = np.ones_like(a.middle), np.ones_like(b.middle)
        unknown = form(a.unknown, other_ones) + form(ones, b.unknown) > 0
        low, high = (np.where(unknown, np.nan, each) for each in (low, high))
    return Range(low, high)


class _Ball(NamedTuple):
    """Midpoints and radii of bounds; and masks, 0 or 1."""

    middle: FloatArray
    radius: FloatArray
    unknown: FloatArray
    """Infinite or undefined elements, which have middle and radius 0."""

    @property
    def largest(self) -> FloatArray:
        return np.abs(self.middle) + self.radius


def _ball(x: Range) -> _Ball:
    middle = x.low + (x.high - x.low) / 2
    radius = np.maximum(x.high - middle, middle - x.low)
    # Rounded up: a difference of floats is off by up to half a unit of the last digit.
    radius = np.where(radius == 0.0, 0.0, radius * (1 + 2.0**-50))
    usable = np.isfinite(middle) & np.isfinite(radius)
    return _Ball(
        np.where(usable, middle, 0.0),
        np.where(usable, radius, 0.0),
        np.where(usable, 0.0, 1.0),
    )
