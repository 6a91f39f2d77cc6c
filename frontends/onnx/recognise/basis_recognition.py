"""Recognises the basis functions of edges: fixed ones, B-splines, radial functions, polynomials.

Parameters are proposed from the graph: thresholds of comparisons become knots, shifts become
centers. The graph is then evaluated on knots, in cells and far outside to confirm them. So
parameters are exactly those of the file, and the form of a recursion does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import TypeAlias

import numpy as np

from kan_dialect.frontends.onnx.operators.dependence import CONSTANT, Kind, Tensor
from kan_dialect.frontends.onnx.operators.elementwise import (
    BRANCHES,
    COMPARISONS,
    DECISIONS,
    limits_of,
)
from kan_dialect.frontends.onnx.operators.sign_changes import ranks
from kan_dialect.frontends.onnx.recognise.bases import (
    Basis,
    BasisCombination,
    ChebyshevBasis,
    FixedBasis,
    RadialBasis,
    SplineBasis,
)
from kan_dialect.frontends.onnx.recognise.linear_terms import affine_in
from kan_dialect.frontends.onnx.recognise.recognisers import EdgeFunctions, other_recognisers
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
from kan_dialect.other_packages import naming

TOLERANCE = 1e-6
"""Largest error of a recognised function: constants of formulas are in float32."""

SPLINE_TOLERANCE = 2e-5
"""Largest error of B-splines, whose recursion divides by float32 knot differences."""

HALF_FACTOR = 1000.0
"""Factor of the tolerances for float16 constants."""

MAX_POLYNOMIAL_DEGREE = 32

_MAGNITUDES = np.array(
    [1e-3, 0.1, 0.3, 0.7, 0.95, 1.0, 1.3, 2.1, 3.4, 5.5, 7.0, 12.0, 33.0, 1e3, 1e6]
)
_POINTS = np.concatenate([-_MAGNITUDES[::-1], [0.0], _MAGNITUDES])
_NEAR = np.abs(_POINTS) < 10.0

_KINKED_FUNCTIONS = frozenset({"Abs", "Relu"})
"""Operators with a kink that are functions of the dialect."""


def recognise(top: Tensor, probe: Probe) -> BasisCombination | None:
    """Recognise the basis functions that make up the elements of `top`; None for unknown ones."""
    region = region_of(top, probe)
    for bottleneck in region.bottlenecks():
        columns = with_neighbours(columns_of(top, bottleneck), top.shape)
        if bool((columns == CONSTANT).any()):
            continue
        for recogniser in _RECOGNISERS:
            combination = recogniser(region, bottleneck, columns)
            if combination is not None:
                return combination
        for other in other_recognisers():
            read = EdgeFunctions(bottleneck.size, columns, partial(region.evaluate, bottleneck))
            with naming(f"recogniser {other.name!r}", other.recognise):
                basis = other.recognise(read)
            if basis is not None:
                return _one_to_one(bottleneck, basis, columns, ranks(columns))
    return None


def recognise_function(top: Tensor, probe: Probe) -> tuple[str, Tensor] | None:
    """A function of the dialect and the bottleneck that `top` applies it to; None if unknown."""
    region = region_of(top, probe)
    for bottleneck in region.bottlenecks():
        columns = columns_of(top, bottleneck)
        if not bool((columns == CONSTANT).any()):
            combination = _recognise_fixed(region, bottleneck, columns)
            if combination is not None and isinstance(combination.basis, FixedBasis):
                return combination.basis.function, bottleneck
    return None


def _agree(actual: FloatArray, expected: FloatArray, tolerance: float) -> bool:
    return np.allclose(actual, expected, rtol=tolerance, atol=tolerance, equal_nan=True)


def _one_to_one(
    bottleneck: Tensor, basis: Basis, columns: IntArray, chosen: IntArray
) -> BasisCombination:
    every = np.arange(columns.size, dtype=np.int64)
    return BasisCombination(bottleneck, basis, every, columns, chosen, np.ones(columns.size))


def _recognise_fixed(
    region: Region, bottleneck: Tensor, columns: IntArray
) -> BasisCombination | None:
    points = np.repeat(_POINTS[:, np.newaxis], bottleneck.size, axis=1)
    actual = region.evaluate(bottleneck, points)
    if not bool(np.isfinite(actual).any()):
        return None
    best: tuple[float, str] | None = None
    tolerance = TOLERANCE * region.probe.slack
    for name in functions.FUNCTIONS:
        if name == "identity" and region.top.kind is not Kind.FUNCTION:
            continue  # A product with 1: its operand is examined next.
        expected = functions.apply(name, _POINTS)[:, np.newaxis]
        if _agree(actual[:, :1], expected, tolerance) and _agree(actual, expected, tolerance):
            # In float16 several forms of gelu agree; the nearest is taken.
            distance = float(np.nanmax(np.abs(actual - expected)[_NEAR], initial=0.0))
            best = min(best or (distance, name), (distance, name))
    if best is None or not _is_everywhere(region, bottleneck, columns, best[1], tolerance):
        return None
    return _one_to_one(bottleneck, FixedBasis(best[1]), columns, np.zeros_like(columns))


def _is_everywhere(
    region: Region, bottleneck: Tensor, columns: IntArray, function: str, tolerance: float
) -> bool:
    """Whether the region is also the function where an op in it branches."""
    node = region.top.node
    if (
        len(region.above(bottleneck)) == 1
        and node is not None
        and node.op_type in _KINKED_FUNCTIONS
    ):
        return True  # The operator itself is the function.
    found = list(branch_values(region, bottleneck, BRANCHES))
    exact = [each for each in found if each is not None]
    if not exact:
        return not found
    if len(exact) < len(found):
        return False  # It branches on a function of the bottleneck that is not affine.
    pairs = np.concatenate([np.stack(each) for each in exact], axis=1)
    single = pairs[1].astype(np.float32)
    sides = [np.nextafter(single, np.float32(end)).astype(np.float64) for end in (-np.inf, np.inf)]
    tried = [pairs, *(np.stack([pairs[0], side]) for side in sides)]
    owners, values = np.unique(np.concatenate(tried, axis=1), axis=1)
    points = _side_by_side(owners.astype(np.int64), values, bottleneck.size)
    points = np.concatenate([points, (points[1:] + points[:-1]) / 2])
    expected = functions.apply(function, points)[:, columns]
    return _agree(region.evaluate(bottleneck, points), expected, tolerance)


def _side_by_side(owners: IntArray, values: FloatArray, size: int) -> FloatArray:
    """Points (rows, size) with the values of each column, which repeat where others have more.

    Parameters
    ----------
    owners : (values), columns, ascending. Columns without a value get another's.
    """
    counts = np.bincount(owners, minlength=size)
    ranks = np.arange(int(counts.max()))[:, np.newaxis]
    places = np.cumsum(counts) - counts + np.minimum(ranks, np.maximum(counts, 1) - 1)
    return values[np.minimum(places, len(values) - 1)]


# B-splines


def _recognise_spline(
    region: Region, bottleneck: Tensor, columns: IntArray
) -> BasisCombination | None:
    thresholds = _thresholds(region, bottleneck, COMPARISONS)
    rank = ranks(columns)
    for knots in _knot_vectors(thresholds, columns, bottleneck.size):
        degree = _degree(knots, int(rank.max()) + 1)
        if degree is None:
            continue
        points = _knot_points(knots)
        actual = region.evaluate(bottleneck, points)
        for closed in (False, True):
            basis = bsplines.bspline_basis(points, knots, degree, closed=closed)
            chosen = _match(actual, basis, columns, rank, SPLINE_TOLERANCE * region.probe.slack)
            if chosen is not None:
                return _one_to_one(bottleneck, SplineBasis(degree, knots, closed), columns, chosen)
    return None


def _degree(knots: FloatArray, count: int) -> int | None:
    """The degree for which `knots` give `count` functions; None without one."""
    degree = knots.shape[1] - 1 - count
    return degree if 0 <= degree <= MAX_DEGREE else None


def _thresholds(
    region: Region, bottleneck: Tensor, kinds: Collection[str]
) -> tuple[IntArray, FloatArray]:
    """Values of the bottleneck's elements at which operators of some kinds branch.

    Only operators that read affine functions of the bottleneck are looked at.

    Returns
    -------
    columns, thresholds : sorted by both. A threshold repeats as often as in the one operator that
        repeats it most for its column.
    """
    found = [
        np.unique(np.stack(each), axis=1, return_counts=True)
        for each in branch_values(region, bottleneck, kinds)
        if each is not None
    ]
    if not found:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    pairs, counts = (np.concatenate(parts, axis=-1) for parts in zip(*found, strict=True))
    distinct, place = np.unique(pairs, axis=1, return_inverse=True)
    most = np.zeros(distinct.shape[1], dtype=np.int64)
    np.maximum.at(most, place, counts)
    columns, values = np.repeat(distinct, most, axis=1)
    return columns.astype(np.int64), values


def branch_values(
    region: Region, bottleneck: Tensor, kinds: Collection[str]
) -> Iterator[tuple[IntArray, FloatArray] | None]:
    """Columns and values of the bottleneck at which each operator of some kinds branches.

    None stands for an operator that reads another function of the bottleneck than an affine one.
    """
    for tensor in region.above(bottleneck):
        if tensor.node is None or tensor.node.op_type not in kinds:
            continue
        known = [None if isinstance(each, Tensor) else each for each in tensor.arguments]
        for position, limit in limits_of(tensor.node, known, exact=True):
            affine = _affine_at(region, tensor, position, bottleneck)
            if affine is None:
                yield None
                continue
            columns, scale, offset = affine
            if isinstance(limit, int):
                other = _affine_at(region, tensor, limit, bottleneck)
                if other is None or not np.array_equal(other[0], columns):
                    yield None
                    continue
                scale, limits = scale - other[1], other[2]
            else:
                limits = np.broadcast_to(limit.astype(np.float64), tensor.shape).ravel()
            values = (limits - offset) / scale
            if bool(np.isfinite(values).all()):
                yield columns, values


def _affine_at(
    region: Region, tensor: Tensor, position: int, bottleneck: Tensor
) -> tuple[IntArray, FloatArray, FloatArray] | None:
    """`affine_in` of an operand of an elementwise op, for each element of its result."""
    operand = tensor.arguments[position]
    affine = _affine_in(region, operand, bottleneck) if isinstance(operand, Tensor) else None
    if affine is None or not isinstance(operand, Tensor):
        return None
    read = tensor.elements_of(operand)
    columns, scale, offset = affine
    return columns[read], scale[read], offset[read]


def _affine_in(
    region: Region, tensor: Tensor, bottleneck: Tensor
) -> tuple[IntArray, FloatArray, FloatArray] | None:
    """`affine_in`, counted in the probe's evaluations."""
    region.probe.spend(len(region.tensors), region.top)
    return affine_in(tensor, bottleneck)


def _knot_vectors(
    thresholds: tuple[IntArray, FloatArray], columns: IntArray, size: int
) -> list[FloatArray]:
    """Candidate knots (columns, K) from thresholds: as compared, and with repeated ends."""
    owners, values = thresholds
    used = np.unique(columns)
    lengths = np.bincount(owners, minlength=size)[used]
    if lengths.min() < 2 or lengths.min() != lengths.max():
        return []
    # Inputs without functions borrow the knots of the first input with functions.
    knots = np.tile(values[owners == used[0]], (size, 1))
    knots[used] = values[np.isin(owners, used)].reshape(used.size, -1)
    candidates = [knots]
    # Comparisons that skip empty cells show each end once, instead of degree + 1 times.
    repeats = int(np.bincount(columns).max()) - knots.shape[1] + 1
    if repeats >= 1:
        first, last = knots[:, :1], knots[:, -1:]
        candidates.append(
            np.concatenate([np.repeat(first, repeats, 1), knots, np.repeat(last, repeats, 1)], 1)
        )
    return candidates


def _knot_points(knots: FloatArray) -> FloatArray:
    """Test points (samples, columns): knots, three in each cell, and outside, near and far."""
    left, right = knots[:, :-1], knots[:, 1:]
    within = [left + share * (right - left) for share in (0.19, 0.5, 0.83)]
    width = np.maximum(knots[:, -1:] - knots[:, :1], 1e-3)
    outside = [knots[:, :1] - far * width for far in (0.01, 0.4, 50.0)]
    outside += [knots[:, -1:] + far * width for far in (0.01, 0.4, 50.0)]
    return np.concatenate([knots, *within, *outside], axis=1).T


def _match(
    actual: FloatArray, basis: FloatArray, columns: IntArray, rank: IntArray, tolerance: float
) -> IntArray | None:
    """Index of the basis function of each element; None without a match.

    The elements of an input usually come in order, which is tried first.

    Parameters
    ----------
    actual : (samples, elements); basis : (samples, columns, functions).
    """
    fits = int(rank.max()) < basis.shape[2]
    if fits and _agree(actual, basis[:, columns, rank], tolerance):
        return rank
    if not bool(np.isfinite(actual).all()):
        return None
    chosen = np.empty_like(rank)
    for element, column in enumerate(columns.tolist()):
        distance = np.abs(basis[:, column, :] - actual[:, element, np.newaxis]).max(axis=0)
        chosen[element] = int(distance.argmin())
        if not distance[chosen[element]] <= tolerance:
            return None
    return chosen


# Hat functions

_HAT_BRANCHES = BRANCHES - (DECISIONS - COMPARISONS)
"""Operators that hats are made of."""


def _recognise_hats(
    region: Region, bottleneck: Tensor, columns: IntArray
) -> BasisCombination | None:
    """Recognise functions with straight flanks, max(0, 1 - |x - t| / h), as sums of B-splines.

    Peaks are proposed from operators that branch. A flank is 0 where its line is. Hats whose
    neighbours have their peaks there are B-splines of degree 1 themselves.
    """
    if region.top.kind is not Kind.FUNCTION and len(region.top.operands) == 1:
        return None  # Scaled or moved: its operand is examined next.
    peaks = _peaks(region, bottleneck, columns)
    if peaks is None:
        return None
    places, heights = peaks
    widths = _flanks(region, bottleneck, columns, places, heights)
    if widths is None:
        return None
    thresholds = _merged_knots(columns, places, widths, SPLINE_TOLERANCE * region.probe.slack)
    candidates = _knot_vectors(thresholds, columns, bottleneck.size)
    if not candidates:
        return None
    knots = candidates[0]
    factors = region.evaluate(bottleneck, knots.T)[1:-1]
    tolerance = SPLINE_TOLERANCE * region.probe.slack
    factors = np.where(np.abs(factors) <= tolerance * np.abs(heights), 0.0, factors)
    factors = np.where(np.abs(factors - 1.0) <= 1e-12, 1.0, factors)
    points = _knot_points(knots)
    basis = bsplines.bspline_basis(points, knots, 1)[:, columns, :]
    expected = np.einsum("sef,fe->se", basis, factors)
    actual = region.evaluate(bottleneck, points)
    if not _agree(actual / heights, expected / heights, tolerance):
        return None
    functions, elements = np.nonzero(factors)
    return BasisCombination(
        bottleneck,
        SplineBasis(1, knots, False),
        elements,
        columns[elements],
        functions,
        factors[functions, elements],
    )


def _peaks(
    region: Region, bottleneck: Tensor, columns: IntArray
) -> tuple[FloatArray, FloatArray] | None:
    """Where each element of the top is largest among the thresholds of its column, and how large.

    None if a column has no thresholds, or an element is 0 at all of them.
    """
    owners, values = _thresholds(region, bottleneck, _HAT_BRANCHES)
    counts = np.bincount(owners, minlength=bottleneck.size)
    if not bool(counts[columns].all()):
        return None
    points = _side_by_side(owners, values, bottleneck.size)
    actual = region.evaluate(bottleneck, points)
    if not bool(np.isfinite(actual).all()):
        return None
    best, every = np.abs(actual).argmax(axis=0), np.arange(columns.size)
    heights = actual[best, every]
    return (points[best, columns], heights) if bool(heights.all()) else None


def _flanks(
    region: Region,
    bottleneck: Tensor,
    columns: IntArray,
    places: FloatArray,
    heights: FloatArray,
) -> FloatArray | None:
    """Widths (elements, 2) of the flanks on the left and on the right of the peaks, if any."""
    found: list[FloatArray] = []
    for side in (-1.0, 1.0):
        points = places[:, np.newaxis] + side * 2.0 ** np.arange(-30.0, 31.0)
        away = np.abs(points - places[:, np.newaxis])
        left = evaluate_elements(region, bottleneck, columns, points) / heights[:, np.newaxis]
        # Halfway down, a line through the peak is known exactly.
        halfway = (left > 0.2) & (left < 0.9)
        if not bool(halfway.any(axis=1).all()):
            return None
        chosen = np.arange(columns.size), halfway.shape[1] - 1 - halfway[:, ::-1].argmax(axis=1)
        found.append(away[chosen] / (1.0 - left[chosen]))
    return np.stack(found, axis=1)


def _merged_knots(
    columns: IntArray, places: FloatArray, widths: FloatArray, tolerance: float
) -> tuple[IntArray, FloatArray]:
    """Knots of hats with their columns, sorted by both. Knots that nearly coincide are merged.

    A peak, which is a constant of the file, stands for the ends of flanks near it.

    Parameters
    ----------
    tolerance : of flanks, in widths.
    """
    ends = np.concatenate([places - widths[:, 0], places + widths[:, 1]])
    sizes = np.tile(np.abs(places), 2) + widths.T.ravel()
    ends = _snap(ends, 1e-13 * sizes)
    owners, values = np.tile(columns, 3), np.concatenate([places, ends])
    is_end = np.arange(values.size) >= places.size
    apart = np.full(columns.max() + 1, np.inf)
    np.minimum.at(apart, columns, tolerance * widths.min(axis=1))
    order = np.lexsort((values, owners))
    new = np.ones(values.size, dtype=np.bool_)
    new[1:] = (np.diff(owners[order]) != 0) | (np.diff(values[order]) > apart[owners[order][1:]])
    knot = np.cumsum(new) - 1
    # Of each knot, a peak comes first.
    order = order[np.lexsort((is_end[order], knot))][np.flatnonzero(new)]
    return owners[order], values[order]


# Radial functions

_RadialFunction: TypeAlias = Callable[[FloatArray], FloatArray]

_RADIAL: dict[str, tuple[_RadialFunction, _RadialFunction]] = {
    "gaussian": (lambda y: -np.log(y), lambda s: np.exp(-s)),
    "multiquadric": (lambda y: y**2 - 1.0, lambda s: np.sqrt(1.0 + s)),
    "inverse_multiquadric": (lambda y: 1.0 / y**2 - 1.0, lambda s: 1.0 / np.sqrt(1.0 + s)),
    "inverse_quadratic": (lambda y: 1.0 / y - 1.0, lambda s: 1.0 / (1.0 + s)),
}
"""Kind -> (squared distance as a function of the value, value as a function of squared distance).
"""


def _recognise_radial(
    region: Region, bottleneck: Tensor, columns: IntArray
) -> BasisCombination | None:
    shifted = _shifted(region, bottleneck)
    if shifted is None:
        return None
    scale, offset = shifted
    centers = _snap(-offset / scale, 4e-15 * np.abs(offset / scale))
    # Two points for each element, where all kinds are far from 0 and 1.
    probes = centers[:, np.newaxis] + np.array([0.8, -1.1]) / np.abs(scale)[:, np.newaxis]
    actual = evaluate_elements(region, bottleneck, columns, probes)
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
        widths = 1.0 / (np.abs(scale) * np.sqrt(exact))
        widths = _snap(widths, 4e-15 * widths)
        if _confirm_radial(region, bottleneck, columns, kind, centers, widths):
            return _radial_combination(bottleneck, columns, kind, centers, widths)
    return None


def _shifted(region: Region, bottleneck: Tensor) -> tuple[FloatArray, FloatArray] | None:
    """Scale and offset of the last tensor that is affine in the bottleneck; None without one.

    It holds (x - center) / width for each element of the top.
    """
    found = [
        (tensor, _affine_in(region, tensor, bottleneck))
        for tensor in region.above(bottleneck)
        if tensor.kind is Kind.AFFINE and tensor.size == region.top.size
    ]
    affines = [(tensor, affine) for tensor, affine in found if affine is not None]
    if not affines or affines[-1][0] is region.top:
        return None
    best, (_, scale, offset) = affines[-1]
    elementwise = {Kind.AFFINE, Kind.FUNCTION}
    on_top = [each for each in region.above(bottleneck) if each.order > best.order]
    if any(each.kind not in elementwise for each in on_top) or bool((scale == 0).any()):
        return None
    return scale, offset


def evaluate_elements(
    region: Region, bottleneck: Tensor, columns: IntArray, points: FloatArray
) -> FloatArray:
    """Evaluate each element of the top on its own points; both are (elements, points), float64."""
    rank = ranks(columns)
    result = np.empty_like(points)
    for each in range(int(rank.max()) + 1):
        elements = np.flatnonzero(rank == each)
        given = np.zeros((points.shape[1], bottleneck.size))
        given[:, columns[elements]] = points[elements].T
        result[elements] = region.evaluate(bottleneck, given)[:, elements].T
    return result


def _confirm_radial(
    region: Region,
    bottleneck: Tensor,
    columns: IntArray,
    kind: str,
    centers: FloatArray,
    widths: FloatArray,
) -> bool:
    shares = np.array([-60.0, -7.0, -3.1, -1.3, -0.4, -0.05, 0.0, 0.02, 0.3, 0.9, 2.2, 4.7, 60.0])
    points = centers[:, np.newaxis] + shares * widths[:, np.newaxis]
    actual = evaluate_elements(region, bottleneck, columns, points)
    squared = ((points - centers[:, np.newaxis]) / widths[:, np.newaxis]) ** 2
    return _agree(actual, _RADIAL[kind][1](squared), TOLERANCE * region.probe.slack)


def _radial_combination(
    bottleneck: Tensor, columns: IntArray, kind: str, centers: FloatArray, widths: FloatArray
) -> BasisCombination:
    rank = ranks(columns)
    count = int(rank.max()) + 1
    # Unused entries keep a legal width.
    all_centers, all_widths = np.zeros((bottleneck.size, count)), np.ones((bottleneck.size, count))
    all_centers[columns, rank] = centers
    all_widths[columns, rank] = widths
    return _one_to_one(bottleneck, RadialBasis(kind, all_centers, all_widths), columns, rank)


def _snap(values: FloatArray, tolerance: FloatArray) -> FloatArray:
    """Round values that lie within some units of float64 of a float32 value."""
    single = values.astype(np.float32).astype(np.float64)
    return np.where(np.abs(single - values) <= tolerance, single, values)


# Polynomials


def _recognise_polynomials(
    region: Region, bottleneck: Tensor, columns: IntArray
) -> BasisCombination | None:
    """Recognise polynomials of any family as combinations of Chebyshev polynomials.

    Chebyshev polynomials of the file get factors of exactly 1. Functions that are defined outside
    [-1, 1], unlike cos(k arccos x), must be polynomials there too.
    """
    several = int(np.bincount(columns).max()) > 1
    for degree in (8, MAX_POLYNOMIAL_DEGREE):
        angles = (np.arange(degree + 1) + 0.5) * np.pi / (degree + 1)
        nodes = np.cos(angles)
        values = region.evaluate(
            bottleneck, np.repeat(nodes[:, np.newaxis], bottleneck.size, axis=1)
        )
        if not bool(np.isfinite(values).all()):
            return None
        waves = np.cos(np.arange(degree + 1)[:, np.newaxis] * angles)
        factors = waves @ values * (2.0 / (degree + 1))
        factors[0] /= 2.0
        whole = np.round(factors)
        factors = np.where(np.abs(factors - whole) < 1e-9, whole, factors)
        if not bool(factors[2:].any()):
            return None  # Affine functions need no basis.
        if not several and not bool((np.sort(factors, axis=0)[[0, -2, -1]].T == (0, 0, 1)).all()):
            return None  # A single function per input must be a Chebyshev polynomial itself.
        if _confirm_polynomials(region, bottleneck, factors):
            return _polynomial_combination(bottleneck, columns, factors)
    return None


def _confirm_polynomials(region: Region, bottleneck: Tensor, factors: FloatArray) -> bool:
    """Whether the top is the combination `factors` (functions, elements), outside [-1, 1] too."""
    degree = len(factors) - 1
    for points in (np.linspace(-1.0, 1.0, 41), np.array([-7.0, -2.5, -1.2, 1.1, 1.9, 3.0, 20.0])):
        inside = abs(float(points[0])) <= 1.0
        actual = region.evaluate(
            bottleneck, np.repeat(points[:, np.newaxis], bottleneck.size, axis=1)
        )
        expected = bsplines.chebyshev_basis(points[:, np.newaxis], degree)[:, 0, :] @ factors
        if inside and not _agree(actual, expected, TOLERANCE * region.probe.slack):
            return False
        defined = np.isfinite(actual)
        tolerance = TOLERANCE * region.probe.slack
        if not inside and not _agree(actual[defined], expected[defined], tolerance):
            return False
    return True


def _polynomial_combination(
    bottleneck: Tensor, columns: IntArray, factors: FloatArray
) -> BasisCombination:
    chosen, elements = np.nonzero(factors)
    degree = int(chosen.max(initial=0))
    return BasisCombination(
        bottleneck,
        ChebyshevBasis(degree),
        elements,
        columns[elements],
        chosen,
        factors[chosen, elements],
    )


_RECOGNISERS = (
    _recognise_fixed,
    _recognise_spline,
    _recognise_hats,
    _recognise_radial,
    _recognise_polynomials,
)
