"""Recognises the basis functions of edges: fixed ones, B-splines, radial functions, polynomials.

What to look for is proposed from the graph (thresholds of comparisons become knots, shifts become
centers); whether it is that is decided by evaluating the graph on knots, in cells and far outside.
So parameters come out with the bits of the file, and how the recursion is written plays no part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from kan_dialect.frontends.onnx.operators.dependence import CONSTANT, Kind, Tensor
from kan_dialect.frontends.onnx.operators.elementwise import COMPARISONS
from kan_dialect.frontends.onnx.recognise.linear_terms import affine_in
from kan_dialect.frontends.onnx.recognise.regions import (
    Probe,
    Region,
    columns_of,
    region_of,
    with_neighbours,
)
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.maths import bsplines, functions
from kan_dialect.ops.spline import MAX_DEGREE

TOLERANCE = 1e-6
"""How far a function may be from the one it is taken for: constants of formulas are in float32."""

SPLINE_TOLERANCE = 2e-5
"""The same for B-splines, whose recursion divides by knot differences rounded to float32."""

HALF_FACTOR = 1000.0
"""How much coarser constants in float16 are."""

MAX_POLYNOMIAL_DEGREE = 32

_MAGNITUDES = np.array(
    [1e-3, 0.1, 0.3, 0.7, 0.95, 1.0, 1.3, 2.1, 3.4, 5.5, 7.0, 12.0, 33.0, 1e3, 1e6]
)
_POINTS = np.concatenate([-_MAGNITUDES[::-1], [0.0], _MAGNITUDES])
_NEAR = np.abs(_POINTS) < 10.0

_EXACT = frozenset({"Abs", "Relu"})
"""Operators with a kink that are functions of the dialect."""


@dataclass(frozen=True)
class FixedBasis:
    """One function of the dialect, by name."""

    function: str
    count: int = 1


@dataclass(frozen=True, eq=False)
class SplineBasis:
    """B-splines; knots (columns, K)."""

    degree: int
    knots: FloatArray
    closed: bool

    @property
    def count(self) -> int:
        return self.knots.shape[1] - 1 - self.degree


@dataclass(frozen=True, eq=False)
class RadialBasis:
    """Radial functions; centers and widths (columns, C)."""

    kind: str
    centers: FloatArray
    widths: FloatArray

    @property
    def count(self) -> int:
        return self.centers.shape[1]


@dataclass(frozen=True)
class ChebyshevBasis:
    """Chebyshev polynomials T_0 .. T_degree."""

    degree: int

    @property
    def count(self) -> int:
        return self.degree + 1


Basis: TypeAlias = FixedBasis | SplineBasis | RadialBasis | ChebyshevBasis


@dataclass(frozen=True, eq=False)
class Atom:
    """A tensor whose elements are combinations of basis functions of a waist's elements.

    Element elements[k] has factors[k] times function functions[k] of the waist's columns[k].
    """

    waist: Tensor
    basis: Basis
    elements: IntArray
    columns: IntArray
    functions: IntArray
    factors: FloatArray


def identity_of(waist: Tensor) -> Atom:
    """The elements of `waist` as they are."""
    every = np.arange(waist.size, dtype=np.int64)
    return Atom(
        waist, FixedBasis("identity"), every, every, np.zeros_like(every), np.ones(waist.size)
    )


def recognise(top: Tensor, probe: Probe) -> Atom | None:
    """The basis functions that the elements of `top` are, if they are known ones."""
    region = region_of(top, probe)
    for waist in region.waists():
        columns = with_neighbours(columns_of(top, waist), top.shape)
        if bool((columns == CONSTANT).any()):
            continue
        for recogniser in _RECOGNISERS:
            atom = recogniser(region, waist, columns)
            if atom is not None:
                return atom
    return None


def recognise_function(top: Tensor, probe: Probe) -> tuple[str, Tensor] | None:
    """The function of the dialect that `top` applies to the elements of a waist, if it does."""
    region = region_of(top, probe)
    for waist in region.waists():
        columns = columns_of(top, waist)
        if not bool((columns == CONSTANT).any()):
            atom = _recognise_fixed(region, waist, columns)
            if atom is not None and isinstance(atom.basis, FixedBasis):
                return atom.basis.function, waist
    return None


def _agree(actual: FloatArray, expected: FloatArray, tolerance: float) -> bool:
    return np.allclose(actual, expected, rtol=tolerance, atol=tolerance, equal_nan=True)


def _one_to_one(waist: Tensor, basis: Basis, columns: IntArray, chosen: IntArray) -> Atom:
    every = np.arange(columns.size, dtype=np.int64)
    return Atom(waist, basis, every, columns, chosen, np.ones(columns.size))


def _recognise_fixed(region: Region, waist: Tensor, columns: IntArray) -> Atom | None:
    points = np.repeat(_POINTS[:, np.newaxis], waist.size, axis=1)
    actual = region.evaluate(waist, points)
    if not bool(np.isfinite(actual).any()):
        return None
    best: tuple[float, str] | None = None
    tolerance = TOLERANCE * region.probe.slack
    for name in functions.FUNCTIONS:
        if name == "identity" and region.top.kind is not Kind.FUNCTION:
            continue  # A product with 1; what it multiplies is looked at next.
        expected = functions.apply(name, _POINTS)[:, np.newaxis]
        if _agree(actual[:, :1], expected, tolerance) and _agree(actual, expected, tolerance):
            # In float16 the forms of gelu are alike: the nearest it is.
            distance = float(np.nanmax(np.abs(actual - expected)[_NEAR], initial=0.0))
            best = min(best or (distance, name), (distance, name))
    if best is None or not _is_everywhere(region, waist, columns, best[1], tolerance):
        return None
    return _one_to_one(waist, FixedBasis(best[1]), columns, np.zeros_like(columns))


def _is_everywhere(
    region: Region, waist: Tensor, columns: IntArray, function: str, tolerance: float
) -> bool:
    """Whether the region is the function at the values, too, at which something in it branches."""
    node = region.top.node
    if len(region.above(waist)) == 1 and node is not None and node.op_type in _EXACT:
        return True  # The operator is the function.
    points = region.thresholds(waist, _POINTS[_NEAR])
    if not len(points):
        return True
    expected = functions.apply(function, points)[:, columns]
    return _agree(region.evaluate(waist, points), expected, tolerance)


# B-splines


def _recognise_spline(region: Region, waist: Tensor, columns: IntArray) -> Atom | None:
    thresholds = _thresholds(region, waist)
    ranks = _ranks(columns)
    for knots in _knot_vectors(thresholds, columns, waist.size):
        degree = _degree(knots, int(ranks.max()) + 1)
        if degree is None:
            continue
        points = _knot_points(knots)
        actual = region.evaluate(waist, points)
        for closed in (False, True):
            basis = bsplines.bspline_basis(points, knots, degree, closed=closed)
            chosen = _match(actual, basis, columns, ranks, SPLINE_TOLERANCE * region.probe.slack)
            if chosen is not None:
                return _one_to_one(waist, SplineBasis(degree, knots, closed), columns, chosen)
    return None


def _degree(knots: FloatArray, count: int) -> int | None:
    """The degree at which `knots` carry `count` functions, if there is one."""
    degree = knots.shape[1] - 1 - count
    return degree if 0 <= degree <= MAX_DEGREE else None


def _thresholds(region: Region, waist: Tensor) -> tuple[IntArray, FloatArray]:
    """What comparisons compare the elements of the waist with.

    Returns
    -------
    columns and thresholds, sorted by both; each threshold as often as in the comparison that has
    it most often for the column.
    """
    found: list[tuple[IntArray, FloatArray, IntArray]] = []
    for tensor in region.above(waist):
        if tensor.node is None or tensor.node.op_type not in COMPARISONS:
            continue
        operands = tensor.operands
        constants = [each for each in tensor.arguments if not isinstance(each, Tensor)]
        if len(operands) != 1 or len(constants) != 1:
            continue
        affine = _affine_in(region, operands[0], waist)
        if affine is None:
            continue
        columns, scale, offset = affine
        read = tensor.elements_of(operands[0])
        limits = np.broadcast_to(constants[0].astype(np.float64), tensor.shape).ravel()
        values = (limits - offset[read]) / scale[read]
        if bool(np.isfinite(values).all()):
            found.append(_runs(columns[read], values, np.ones_like(read), np.add))
    if not found:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    columns, values, counts = _runs(
        np.concatenate([each[0] for each in found]),
        np.concatenate([each[1] for each in found]),
        np.concatenate([each[2] for each in found]),
        np.maximum,
    )
    return np.repeat(columns, counts), np.repeat(values, counts)


def _affine_in(
    region: Region, tensor: Tensor, waist: Tensor
) -> tuple[IntArray, FloatArray, FloatArray] | None:
    """`affine_in`, counted as work on the region."""
    region.probe.spend(len(region.tensors), region.top)
    return affine_in(tensor, waist)


def _runs(
    columns: IntArray, values: FloatArray, counts: IntArray, combine: np.ufunc
) -> tuple[IntArray, FloatArray, IntArray]:
    """Equal pairs of column and value as one, sorted, their counts combined."""
    order = np.lexsort((values, columns))
    columns, values, counts = columns[order], values[order], counts[order]
    new = np.ones(columns.size, dtype=np.bool_)
    new[1:] = (np.diff(columns) != 0) | (np.diff(values) != 0)
    return columns[new], values[new], combine.reduceat(counts, np.flatnonzero(new))


def _knot_vectors(
    thresholds: tuple[IntArray, FloatArray], columns: IntArray, size: int
) -> list[FloatArray]:
    """Knots (columns, K) that the thresholds may be of: as compared, and clamped at the ends."""
    owners, values = thresholds
    used = np.unique(columns)
    lengths = np.bincount(owners, minlength=size)[used]
    if lengths.min() < 2 or lengths.min() != lengths.max():
        return []
    # Inputs without functions borrow the knots of the first that has some.
    knots = np.tile(values[owners == used[0]], (size, 1))
    knots[used] = values[np.isin(owners, used)].reshape(used.size, -1)
    candidates = [knots]
    # Comparisons that leave out empty cells show each end once: there may be `degree` more of it.
    repeats = int(np.bincount(columns).max()) - knots.shape[1] + 1
    if repeats >= 1:
        first, last = knots[:, :1], knots[:, -1:]
        candidates.append(
            np.concatenate([np.repeat(first, repeats, 1), knots, np.repeat(last, repeats, 1)], 1)
        )
    return candidates


def _knot_points(knots: FloatArray) -> FloatArray:
    """Points (samples, columns): on the knots, thrice within each cell, outside near and far."""
    left, right = knots[:, :-1], knots[:, 1:]
    within = [left + share * (right - left) for share in (0.19, 0.5, 0.83)]
    width = np.maximum(knots[:, -1:] - knots[:, :1], 1e-3)
    outside = [knots[:, :1] - far * width for far in (0.01, 0.4, 50.0)]
    outside += [knots[:, -1:] + far * width for far in (0.01, 0.4, 50.0)]
    return np.concatenate([knots, *within, *outside], axis=1).T


def _match(
    actual: FloatArray, basis: FloatArray, columns: IntArray, ranks: IntArray, tolerance: float
) -> IntArray | None:
    """Which basis function each element is: usually those of an input come in order.

    Parameters
    ----------
    actual : (samples, elements); basis : (samples, columns, functions).
    """
    fits = int(ranks.max()) < basis.shape[2]
    if fits and _agree(actual, basis[:, columns, ranks], tolerance):
        return ranks
    if not bool(np.isfinite(actual).all()):
        return None
    chosen = np.empty_like(ranks)
    for element, column in enumerate(columns.tolist()):
        distance = np.abs(basis[:, column, :] - actual[:, element, np.newaxis]).max(axis=0)
        chosen[element] = int(distance.argmin())
        if not distance[chosen[element]] <= tolerance:
            return None
    return chosen


def _ranks(columns: IntArray) -> IntArray:
    """The place of each element among those of its column."""
    order = np.argsort(columns, kind="stable")
    sorted_columns = columns[order]
    starts = np.searchsorted(sorted_columns, sorted_columns, side="left")
    ranks = np.empty_like(columns)
    ranks[order] = np.arange(columns.size) - starts
    return ranks


# Radial functions

_RadialTest: TypeAlias = Callable[[FloatArray], FloatArray]

_RADIAL: dict[str, tuple[_RadialTest, _RadialTest]] = {
    "gaussian": (lambda y: -np.log(y), lambda s: np.exp(-s)),
    "multiquadric": (lambda y: y**2 - 1.0, lambda s: np.sqrt(1.0 + s)),
    "inverse_multiquadric": (lambda y: 1.0 / y**2 - 1.0, lambda s: 1.0 / np.sqrt(1.0 + s)),
    "inverse_quadratic": (lambda y: 1.0 / y - 1.0, lambda s: 1.0 / (1.0 + s)),
}
"""Kind -> what squared distance gives a value, and the reverse."""


def _recognise_radial(region: Region, waist: Tensor, columns: IntArray) -> Atom | None:
    shifted = _shifted(region, waist)
    if shifted is None:
        return None
    scale, offset = shifted
    centers = _snap(-offset / scale)
    # Two points for each element, at distances where all kinds are far from 0 and from 1.
    probes = centers[:, np.newaxis] + np.array([0.8, -1.1]) / np.abs(scale)[:, np.newaxis]
    actual = _evaluate_elements(region, waist, columns, probes)
    distances = (probes - centers[:, np.newaxis]) * scale[:, np.newaxis]
    for kind, (inverse, _) in _RADIAL.items():
        with np.errstate(all="ignore"):
            gains = inverse(actual) / distances**2
        gain = gains[:, 0]
        if not bool((gain > 0).all()) or not np.allclose(
            gains[:, 0], gains[:, 1], rtol=TOLERANCE * region.probe.slack
        ):
            continue
        exact = np.where(np.abs(gain - 1.0) < 1e-12, 1.0, gain)
        widths = _snap(1.0 / (np.abs(scale) * np.sqrt(exact)))
        if _confirm_radial(region, waist, columns, kind, centers, widths):
            return _radial_atom(waist, columns, kind, centers, widths)
    return None


def _shifted(region: Region, waist: Tensor) -> tuple[FloatArray, FloatArray] | None:
    """Scale and offset of the last tensor that is affine in the waist, for each element of the top.

    It holds (x - center) / width, of the top's shape up to broadcasting.
    """
    found = [
        (tensor, _affine_in(region, tensor, waist))
        for tensor in region.above(waist)
        if tensor.kind is Kind.AFFINE and tensor.size == region.top.size
    ]
    affines = [(tensor, affine) for tensor, affine in found if affine is not None]
    if not affines or affines[-1][0] is region.top:
        return None
    best, (_, scale, offset) = affines[-1]
    elementwise = {Kind.AFFINE, Kind.FUNCTION}
    on_top = [each for each in region.above(waist) if each.order > best.order]
    if any(each.kind not in elementwise for each in on_top) or bool((scale == 0).any()):
        return None
    return scale, offset


def _evaluate_elements(
    region: Region, waist: Tensor, columns: IntArray, points: FloatArray
) -> FloatArray:
    """Each element of the top on points of its own: points and result (elements, points)."""
    ranks = _ranks(columns)
    result = np.empty_like(points)
    for rank in range(int(ranks.max()) + 1):
        elements = np.flatnonzero(ranks == rank)
        given = np.zeros((points.shape[1], waist.size))
        given[:, columns[elements]] = points[elements].T
        result[elements] = region.evaluate(waist, given)[:, elements].T
    return result


def _confirm_radial(
    region: Region,
    waist: Tensor,
    columns: IntArray,
    kind: str,
    centers: FloatArray,
    widths: FloatArray,
) -> bool:
    shares = np.array([-60.0, -7.0, -3.1, -1.3, -0.4, -0.05, 0.0, 0.02, 0.3, 0.9, 2.2, 4.7, 60.0])
    points = centers[:, np.newaxis] + shares * widths[:, np.newaxis]
    actual = _evaluate_elements(region, waist, columns, points)
    squared = ((points - centers[:, np.newaxis]) / widths[:, np.newaxis]) ** 2
    return _agree(actual, _RADIAL[kind][1](squared), TOLERANCE * region.probe.slack)


def _radial_atom(
    waist: Tensor, columns: IntArray, kind: str, centers: FloatArray, widths: FloatArray
) -> Atom:
    ranks = _ranks(columns)
    count = int(ranks.max()) + 1
    # Places that no element fills keep a width that is legal.
    all_centers, all_widths = np.zeros((waist.size, count)), np.ones((waist.size, count))
    all_centers[columns, ranks] = centers
    all_widths[columns, ranks] = widths
    return _one_to_one(waist, RadialBasis(kind, all_centers, all_widths), columns, ranks)


def _snap(values: FloatArray) -> FloatArray:
    """Values that float64 arithmetic has moved off a float32 by a few last bits, moved back."""
    single = values.astype(np.float32).astype(np.float64)
    return np.where(np.abs(single - values) <= 4e-15 * np.abs(values), single, values)


# Polynomials


def _recognise_polynomials(region: Region, waist: Tensor, columns: IntArray) -> Atom | None:
    """Polynomials of any family, as combinations of Chebyshev polynomials.

    Those of the file come out with factors of exactly 1. Where functions are defined outside
    [-1, 1] at all (cos(k arccos x) is not), they must be polynomials there too.
    """
    several = int(np.bincount(columns).max()) > 1
    for degree in (8, MAX_POLYNOMIAL_DEGREE):
        angles = (np.arange(degree + 1) + 0.5) * np.pi / (degree + 1)
        nodes = np.cos(angles)
        values = region.evaluate(waist, np.repeat(nodes[:, np.newaxis], waist.size, axis=1))
        if not bool(np.isfinite(values).all()):
            return None
        waves = np.cos(np.arange(degree + 1)[:, np.newaxis] * angles)
        factors = waves @ values * (2.0 / (degree + 1))
        factors[0] /= 2.0
        whole = np.round(factors)
        factors = np.where(np.abs(factors - whole) < 1e-9, whole, factors)
        if not bool(factors[2:].any()):
            return None  # Affine: there is nothing to recognise.
        if not several and not bool((np.sort(factors, axis=0)[[0, -2, -1]].T == (0, 0, 1)).all()):
            return None  # Alone, only what is T_k itself is taken for one of a family.
        if _confirm_polynomials(region, waist, factors):
            return _polynomial_atom(waist, columns, factors)
    return None


def _confirm_polynomials(region: Region, waist: Tensor, factors: FloatArray) -> bool:
    """Whether the top is the combination `factors` (functions, elements), in [-1, 1] and out."""
    degree = len(factors) - 1
    for points in (np.linspace(-1.0, 1.0, 41), np.array([-7.0, -2.5, -1.2, 1.1, 1.9, 3.0, 20.0])):
        inside = abs(float(points[0])) <= 1.0
        actual = region.evaluate(waist, np.repeat(points[:, np.newaxis], waist.size, axis=1))
        expected = bsplines.chebyshev_basis(points[:, np.newaxis], degree)[:, 0, :] @ factors
        if inside and not _agree(actual, expected, TOLERANCE * region.probe.slack):
            return False
        defined = np.isfinite(actual)
        tolerance = TOLERANCE * region.probe.slack
        if not inside and not _agree(actual[defined], expected[defined], tolerance):
            return False
    return True


def _polynomial_atom(waist: Tensor, columns: IntArray, factors: FloatArray) -> Atom:
    chosen, elements = np.nonzero(factors)
    degree = int(chosen.max(initial=0))
    return Atom(
        waist,
        ChebyshevBasis(degree),
        elements,
        columns[elements],
        chosen,
        factors[chosen, elements],
    )


_RECOGNISERS = (_recognise_fixed, _recognise_spline, _recognise_radial, _recognise_polynomials)
