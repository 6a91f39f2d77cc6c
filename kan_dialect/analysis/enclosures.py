"""Bounds of edge functions over intervals, by interval arithmetic (Moore, Interval Analysis, 1966).

An op gives bounds of its value, of its derivative, and of its value at the middle of each interval.
Together they give the mean value form f(m) + f'(X) (X - m). Its excess over the exact range falls
with the square of the interval's width (Moore, chapter 6).

Bounds are widened by more than float64 rounds, relative to their terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from xdsl.dialects import arith
from xdsl.ir import Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray, to_floats, to_integers
from kan_dialect.ir.semantics import evaluate_op
from kan_dialect.maths import bsplines
from kan_dialect.maths.interval_functions import FUNCTIONS, Range, product, widened
from kan_dialect.ops.layer import AffineOp, MapOp, ObserveOp
from kan_dialect.ops.spline import BaseOp, BSplineOp, ChebyshevOp, RadialOp
from kan_dialect.ops.symbolic import SymbolicOp

NOISE = 2.0**-44
"""Rounding of float64 relative to the sum of an op's terms: 256 units of the last digit."""


class NoEnclosureError(KanError):
    """An op or a function has no bounds on the given intervals."""


@dataclass(frozen=True)
class Enclosure:
    """Bounds of a value over intervals of one input each: (intervals, ..., in) each.

    Parameters
    ----------
    value : bounds of the value.
    slope : bounds of its derivative by the input; infinite where the value jumps.
    middle : bounds of the value at the middle of the interval.
    radius : (intervals, in), float64, half the interval's width.
    """

    value: Range
    slope: Range
    middle: Range
    radius: FloatArray

    @staticmethod
    def of(low: FloatArray, high: FloatArray) -> Enclosure:
        """Enclosure of the inputs themselves, in low..high (intervals, in)."""
        middle, one = low + (high - low) / 2, np.ones_like(low)
        # The middle is rounded, so one end may be farther away.
        radius = np.maximum(high - middle, middle - low)
        return Enclosure(Range(low, high), Range(one, one), Range(middle, middle), radius)

    def tightened(self) -> Enclosure:
        """The enclosure with the mean value form where that is narrower."""
        radius = self.radius if self.value.low.ndim == 2 else self.radius[:, np.newaxis]
        with np.errstate(invalid="ignore"):
            steep = np.maximum(np.abs(self.slope.low), np.abs(self.slope.high)) * radius
            # A point interval has no width to multiply the slope by.
            steep = np.where(radius == 0.0, 0.0, steep)
            low, high = widened(self.middle.low - steep, self.middle.high + steep)
        value = Range(np.maximum(self.value.low, low), np.minimum(self.value.high, high))
        return Enclosure(value, self.slope, self.middle, self.radius)

    def then(self, value: Range, slope: Range, middle: Range) -> Enclosure:
        """Enclosure of a function of this value; slope is the function's derivative."""
        return Enclosure(value, product(slope, self.slope), middle, self.radius).tightened()


Rule: TypeAlias = Callable[[Any, list[Enclosure]], Enclosure]
_RULES: dict[type[Operation], Rule] = {}
_T = TypeVar("_T", bound=Rule)


def enclosure_of(kind: type[Operation]) -> Callable[[_T], _T]:
    """Register the rule of a kind of ops: `rule(op, operands)` gives an enclosure."""

    def register(rule: _T) -> _T:
        _RULES[kind] = rule
        return rule

    return register


def enclose(
    value: SSAValue, leaf: SSAValue, low: FloatArray, high: FloatArray, ops: Iterable[Operation]
) -> Range:
    """Bounds (intervals, ..., in) of a value where `leaf` lies in low..high (intervals, in).

    Parameters
    ----------
    ops : in order; ops between `leaf` and `value` are used.

    Raises
    ------
    NoEnclosureError : an op has no rule, or a function is not finite on an interval.
    """
    known: dict[SSAValue, Enclosure] = {leaf: Enclosure.of(low, high)}
    for op in _leading(list(ops), leaf, value):
        if not all(operand in known for operand in op.operands):
            continue
        if isinstance(op, arith.ConstantOp):
            (array,) = evaluate_op(op, [])
            known[op.result] = _constant(array.astype(np.float64), low)
            continue
        rule = _RULES.get(type(op))
        if rule is None:
            raise NoEnclosureError(f"'{op.name}' has no bounds")
        known[op.results[0]] = rule(op, [known[operand] for operand in op.operands])
    if value not in known:
        raise NoEnclosureError("the edges are not functions of one value each")
    return known[value].value


def _leading(ops: list[Operation], leaf: SSAValue, value: SSAValue) -> list[Operation]:
    """The ops between `leaf` and `value`."""
    needed = {value} - {leaf}
    found: list[Operation] = []
    for op in reversed(ops):
        if not needed.isdisjoint(op.results):
            found.append(op)
            needed.update(operand for operand in op.operands if operand is not leaf)
    return found[::-1]


def _constant(array: FloatArray, low: FloatArray) -> Enclosure:
    value, zero = Range(array, array), np.zeros_like(array)
    return Enclosure(value, Range(zero, zero), value, np.zeros_like(low))


# Functions.


def _applied(name: str, x: Enclosure) -> Enclosure:
    rule = FUNCTIONS.get(name)
    if rule is None:
        raise NoEnclosureError(f"the function {name} has no bounds")
    with np.errstate(all="ignore"):
        value, slope = rule(x.value)
        middle, _ = rule(x.middle)
    for bound in (value.low, value.high):
        if not np.isfinite(bound).all():
            index = tuple(np.argwhere(~np.isfinite(bound))[0])
            raise NoEnclosureError(
                f"the function {name} is not finite between {x.value.low[index]:g} and "
                f"{x.value.high[index]:g}"
            )
    return x.then(value, slope, middle)


def _scaled(x: Range, factor: FloatArray) -> Range:
    """Bounds times a factor for each edge: (out, in), or broadcastable.

    Infinite bounds times 0 are 0: they bound finite numbers.
    """
    with np.errstate(invalid="ignore"):
        ends = [np.where(factor == 0.0, 0.0, each * factor) for each in (x.low, x.high)]
    return Range(*widened(np.minimum(*ends), np.maximum(*ends)))


def _edges(x: Range) -> Range:
    """Reshape bounds (intervals, in) to (intervals, 1, in), to broadcast over edges."""
    return Range(x.low[:, np.newaxis], x.high[:, np.newaxis])


@enclosure_of(BaseOp)
def _base(op: BaseOp, operands: list[Enclosure]) -> Enclosure:
    weights = to_floats(op.weights)
    if not weights.any():
        zero = np.zeros((len(operands[0].radius), *weights.shape))
        return Enclosure(
            Range(zero, zero), Range(zero, zero), Range(zero, zero), operands[0].radius
        )
    x = _applied(op.function.data, operands[0])
    value, slope, middle = (_scaled(_edges(each), weights) for each in (x.value, x.slope, x.middle))
    return Enclosure(value, slope, middle, x.radius)


@enclosure_of(MapOp)
def _map(op: MapOp, operands: list[Enclosure]) -> Enclosure:
    return _applied(op.function.data, operands[0])


@enclosure_of(ObserveOp)
def _observe(op: ObserveOp, operands: list[Enclosure]) -> Enclosure:
    return operands[0]


@enclosure_of(AffineOp)
def _affine(op: AffineOp, operands: list[Enclosure]) -> Enclosure:
    (x,) = operands
    scale, bias = to_floats(op.scale), to_floats(op.bias)
    value, middle = (_sum(_scaled(each, scale), Range(bias, bias)) for each in (x.value, x.middle))
    return Enclosure(value, _scaled(x.slope, scale), middle, x.radius).tightened()


@enclosure_of(SymbolicOp)
def _symbolic(op: SymbolicOp, operands: list[Enclosure]) -> Enclosure:
    (x,) = operands
    a, b, c, d = np.moveaxis(to_floats(op.affine), -1, 0)
    choice = to_integers(op.choice)
    value, slope, middle = (_scaled(_edges(each), a) for each in (x.value, x.slope, x.middle))
    value, middle = (_sum(each, Range(b, b)) for each in (value, middle))
    shape = value.low.shape
    found = [np.broadcast_to(d, shape).copy() for _ in range(6)]
    found[2][:], found[3][:] = 0.0, 0.0
    for index, name in enumerate(each.data for each in op.functions):
        for o, i in np.argwhere((choice == index) & (c != 0.0)).tolist():
            one = Enclosure(
                _column(value, o, i), _column(slope, o, i), _column(middle, o, i), x.radius[:, [i]]
            )
            y = _applied(name, one)
            added = Range(d[o, i : i + 1], d[o, i : i + 1])
            bounds = (
                _sum(_scaled(y.value, c[o, i]), added),
                _scaled(y.slope, c[o, i]),
                _sum(_scaled(y.middle, c[o, i]), added),
            )
            for array, end in zip(found, (e for each in bounds for e in each), strict=True):
                array[:, o, i] = end[:, 0]
    return Enclosure(Range(*found[:2]), Range(*found[2:4]), Range(*found[4:]), x.radius).tightened()


def _column(x: Range, node: int, edge: int) -> Range:
    return Range(x.low[:, node, [edge]], x.high[:, node, [edge]])


# Sums and products.


def _sum(one: Range, other: Range) -> Range:
    return Range(*widened(one.low + other.low, one.high + other.high, one, other))


def _negated(x: Range) -> Range:
    return Range(-x.high, -x.low)


@enclosure_of(arith.AddfOp)
def _addf(op: arith.AddfOp, operands: list[Enclosure]) -> Enclosure:
    one, other = operands
    return Enclosure(
        _sum(one.value, other.value),
        _sum(one.slope, other.slope),
        _sum(one.middle, other.middle),
        np.maximum(one.radius, other.radius),
    ).tightened()


@enclosure_of(arith.NegfOp)
def _negf(op: arith.NegfOp, operands: list[Enclosure]) -> Enclosure:
    (x,) = operands
    return Enclosure(_negated(x.value), _negated(x.slope), _negated(x.middle), x.radius)


@enclosure_of(arith.SubfOp)
def _subf(op: arith.SubfOp, operands: list[Enclosure]) -> Enclosure:
    one, other = operands
    negative = Enclosure(
        _negated(other.value), _negated(other.slope), _negated(other.middle), other.radius
    )
    return _addf(op, [one, negative])  # pyright: ignore[reportArgumentType] (a sum all the same)


@enclosure_of(arith.MulfOp)
def _mulf(op: arith.MulfOp, operands: list[Enclosure]) -> Enclosure:
    one, other = operands
    return Enclosure(
        product(one.value, other.value),
        _sum(product(one.slope, other.value), product(one.value, other.slope)),
        product(one.middle, other.middle),
        np.maximum(one.radius, other.radius),
    ).tightened()


# Bases.


class _Spline(NamedTuple):
    """A B-spline; knots (in, K), coefficients (out, in, K - 1 - degree), float64."""

    knots: FloatArray
    coefficients: FloatArray
    degree: int

    def derivative(self) -> tuple[_Spline, BoolArray]:
        """The derivative (de Boor 1978, chapter X, eq. 12), and at which knots the spline jumps:
        (out, in, K).

        Coefficients outside the knots are 0: the spline ends there.
        """
        padded = np.pad(self.coefficients, ((0, 0), (0, 0), (1, 1)))
        steps = np.diff(padded, axis=-1)
        count = steps.shape[-1]
        widths = self.knots[:, self.degree :][:, :count] - self.knots[:, :count]
        flat = widths == 0.0
        slopes = self.degree * steps / np.where(flat, 1.0, widths)
        jumps: BoolArray = np.zeros((*steps.shape[:2], self.knots.shape[1]), dtype=np.bool_)
        jumps[..., :count] = flat & (steps != 0.0)
        slopes = np.where(flat, 0.0, slopes)
        return _Spline(self.knots, slopes, max(self.degree - 1, 0)), jumps

    def at(self, x: FloatArray) -> FloatArray:
        """Values (points, out, in) at x (points, in)."""
        basis = bsplines.bspline_basis(x, self.knots, self.degree, closed=True)
        return bsplines.edge_values(basis, self.coefficients)

    def hull(self, first: IntArray, last: IntArray) -> Range:
        """Bounds (intervals, out, in) over knot spans first..last, from the coefficients there.

        In each span, a B-spline lies in the convex hull of the active coefficients.
        """
        p = self.degree
        padded = np.pad(self.coefficients, ((0, 0), (0, 0), (p + 1, p + 1)))
        windows = sliding_window_view(padded, p + 1, axis=-1)
        least, most = (
            np.ascontiguousarray(each.transpose(1, 2, 0))
            for each in (windows.min(axis=-1), windows.max(axis=-1))
        )
        inputs = np.arange(len(self.knots))
        low, high = least[inputs, first + 1], most[inputs, first + 1]
        for further in range(1, int((last - first).max(initial=0)) + 1):
            span = np.minimum(first + further, last) + 1
            low = np.minimum(low, least[inputs, span])
            high = np.maximum(high, most[inputs, span])
        return Range(low.transpose(0, 2, 1), high.transpose(0, 2, 1))


@enclosure_of(BSplineOp)
def _bspline(op: BSplineOp, operands: list[Enclosure]) -> Enclosure:
    (x,) = operands
    coefficients = to_floats(op.coefficients)
    knots = np.broadcast_to(op.knot_vector, (op.inputs, op.knot_vector.shape[-1]))
    spline = _Spline(knots, coefficients, op.degree.value.data)
    noise = NOISE * np.abs(coefficients).max(axis=-1) * (spline.degree + 1)
    first, last = _spans(knots, x.value.low, x.value.high)
    hull = spline.hull(first, last)
    slope = _spline_slope(spline, x.value, first, last)
    point = x.middle.low + (x.middle.high - x.middle.low) / 2
    (at_point,) = op.evaluate([point])
    steep = np.maximum(np.abs(slope.low), np.abs(slope.high))
    apart = (x.middle.high - x.middle.low)[:, np.newaxis]
    with np.errstate(invalid="ignore"):
        off = noise + np.where(apart == 0.0, 0.0, steep * apart)
    middle = Range(at_point - off, at_point + off)
    value = Range(hull.low - noise, hull.high + noise)
    inner = Enclosure(_edges(x.value), _edges(x.slope), _edges(x.middle), x.radius)
    return inner.then(value, slope, middle)


def _spans(knots: FloatArray, low: FloatArray, high: FloatArray) -> tuple[IntArray, IntArray]:
    """First and last knot span that intervals (intervals, in) touch, from -1 on."""
    first: IntArray = np.empty(low.shape, dtype=np.int64)
    last: IntArray = np.empty(low.shape, dtype=np.int64)
    for i, row in enumerate(knots):
        first[:, i] = np.searchsorted(row, low[:, i], side="left") - 1
        last[:, i] = np.searchsorted(row, high[:, i], side="right") - 1
    return first, np.maximum(first, last)


def _spline_slope(spline: _Spline, x: Range, first: IntArray, last: IntArray) -> Range:
    """Bounds of a B-spline's derivative over intervals; infinite where the spline jumps."""
    slopes, jumps = spline.derivative()
    low, high = slopes.hull(first, last)
    if spline.degree >= 2:
        # Mean value form of the derivative.
        bends, kinks = slopes.derivative()
        bend = bends.hull(first, last)
        steep = np.maximum(np.abs(bend.low), np.abs(bend.high))
        steep = np.where(_touched(kinks, first, last), np.inf, steep)
        middle = slopes.at(x.low + (x.high - x.low) / 2)
        noise = NOISE * np.abs(slopes.coefficients).max(axis=-1) * (spline.degree + 1)
        width = (x.high - x.low)[:, np.newaxis]
        with np.errstate(invalid="ignore"):
            off = np.where(width == 0.0, 0.0, steep * width * (0.5 + 2.0**-20)) + noise
        low, high = np.maximum(low, middle - off), np.minimum(high, middle + off)
    broken = _touched(jumps, first, last)
    return Range(*widened(np.where(broken, -np.inf, low), np.where(broken, np.inf, high)))


def _touched(jumps: BoolArray, first: IntArray, last: IntArray) -> BoolArray:
    """Whether intervals touch a knot with a jump: (intervals, out, in), bool."""
    if not jumps.any():
        return np.zeros((*first.shape[:1], *jumps.shape[:2]), dtype=np.bool_)
    count = np.cumsum(np.pad(jumps, ((0, 0), (0, 0), (1, 0))), axis=-1).transpose(1, 2, 0)
    inputs = np.arange(int(first.shape[1]))
    # Knots first + 1 .. last lie between the two spans; knot `first` lies left of both.
    found = count[inputs, np.clip(last, -1, None) + 1] - count[inputs, first + 1]
    return (found > 0).transpose(0, 2, 1)


@enclosure_of(RadialOp)
def _radial(op: RadialOp, operands: list[Enclosure]) -> Enclosure:
    (x,) = operands
    centers, widths = to_floats(op.centers), to_floats(op.widths)
    coefficients = to_floats(op.coefficients)
    rule = FUNCTIONS[op.function.data]

    def reduced(each: Range) -> Range:
        low, high = ((end[..., np.newaxis] - centers) / widths for end in (each.low, each.high))
        return Range(*widened(low, high))

    with np.errstate(all="ignore"):
        value, slope = rule(reduced(x.value))
        point, _ = rule(reduced(x.middle))
    slope = Range(*widened(slope.low / widths, slope.high / widths))
    found = (_combined(each, coefficients) for each in (value, slope, point))
    inner = Enclosure(_edges(x.value), _edges(x.slope), _edges(x.middle), x.radius)
    return inner.then(*found)


def _combined(basis: Range, coefficients: FloatArray) -> Range:
    """Bounds of sum_c coefficients[o, i, c] * basis[i, c]: (intervals, out, in).

    Where a basis function has no bound, the bounds are infinite or NaN.
    """
    plus, minus = np.maximum(coefficients, 0.0), np.minimum(coefficients, 0.0)
    size = np.maximum(np.abs(basis.low), np.abs(basis.high))
    with np.errstate(all="ignore"):
        low = bsplines.edge_values(basis.low, plus) + bsplines.edge_values(basis.high, minus)
        high = bsplines.edge_values(basis.high, plus) + bsplines.edge_values(basis.low, minus)
        noise = NOISE * bsplines.edge_values(size, np.abs(coefficients))
        return Range(low - noise, high + noise)


@enclosure_of(ChebyshevOp)
def _chebyshev(op: ChebyshevOp, operands: list[Enclosure]) -> Enclosure:
    """Bounds from the Taylor polynomial around the middle, which equals the series."""
    (x,) = operands
    coefficients = to_floats(op.coefficients)
    middle = x.value.low + (x.value.high - x.value.low) / 2
    radius = np.maximum(x.value.high - middle, middle - x.value.low)
    degree = coefficients.shape[2] - 1
    terms = _chebyshev_terms(middle, degree)
    sizes = _chebyshev_terms(np.abs(middle), degree, positive=True)
    # taylor[j]: (intervals, out, in), the coefficient of (x - middle)^j; noises[j]: its rounding.
    taylor = [bsplines.edge_values(terms[..., j], coefficients) for j in range(degree + 1)]
    noises = [
        NOISE * (degree + 1) * bsplines.edge_values(sizes[..., j], np.abs(coefficients))
        for j in range(degree + 1)
    ]
    reach = radius[:, np.newaxis]
    size = [np.abs(each) + noise for each, noise in zip(taylor, noises, strict=True)]
    zero = np.zeros_like(taylor[0])
    spread = sum((size[j] * reach**j for j in range(1, degree + 1)), zero)
    bend = sum((j * size[j] * reach ** (j - 1) for j in range(2, degree + 1)), zero)
    first = taylor[1] if degree else zero
    bend = bend + (noises[1] if degree else zero)
    value = Range(*widened(taylor[0] - spread - noises[0], taylor[0] + spread + noises[0]))
    slope = Range(*widened(first - bend, first + bend))
    off = np.maximum(np.abs(x.middle.low - middle), np.abs(x.middle.high - middle))[:, np.newaxis]
    near = noises[0] + np.maximum(np.abs(slope.low), np.abs(slope.high)) * off
    point = Range(*widened(taylor[0] - near, taylor[0] + near))
    inner = Enclosure(_edges(x.value), _edges(x.slope), _edges(x.middle), x.radius)
    return inner.then(value, slope, point)


def _chebyshev_terms(x: FloatArray, degree: int, *, positive: bool = False) -> FloatArray:
    """Taylor coefficients (intervals, in, degree + 1 terms, degree + 1) of T_0 .. T_degree at x.

    With `positive` all terms of the recursion are added: a bound of their sum of magnitudes.
    """
    found = np.zeros((*x.shape, degree + 1, degree + 1))
    found[..., 0, 0] = 1.0
    if degree:
        found[..., 1, 0], found[..., 1, 1] = x, 1.0
    for k in range(2, degree + 1):
        found[..., k, :] = 2.0 * x[..., np.newaxis] * found[..., k - 1, :]
        found[..., k, 1:] += 2.0 * found[..., k - 1, :-1]
        found[..., k, :] += found[..., k - 2, :] if positive else -found[..., k - 2, :]
    return found


RULES: Mapping[type[Operation], Rule] = _RULES
"""Kind of op -> rule."""
