"""Few shapes for many sampled functions, fitted by least squares.

A shape is a function of one variable. Its copies differ in scale and offset of input and output.

Up to scale: each function is c * S(a * t + b) + d with one of the shapes S. The fit alternates. For
given shapes, c and d follow from moments for each of many a and b. For given copies, the shapes are
linear least squares (lines between points of a grid). Shapes are added one by one, each from the
function with the largest error so far. Up to gain: the same with a = 1 or -1 and b = 0.

Up to factors: each function is c * S(t) + d with one of few factors c, such as 1 and -1. This is
k-means, with reflection and scaling.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.search.fits.symbolic_fit import regression

GRID = np.linspace(-1.6, 1.6, 65)
"""Points at which shapes up to scale have values; copies read -1 .. 1, scaled and shifted."""
_SLOPES = np.array([0.5, 0.63, 0.8, 1.0, 1.26])
_OFFSETS = np.linspace(-0.8, 0.8, 9)
_WARPS = (
    np.repeat([*_SLOPES, *-_SLOPES], len(_OFFSETS)),
    np.tile(_OFFSETS, 2 * len(_SLOPES)),
)
_UNWARPED = (np.array([1.0, -1.0]), np.zeros(2))
_ROUNDS = 6
"""Number of alternations for each number of shapes."""
_ZOOMS = 5
"""Number of searches of the neighbourhood of the best a and b, each narrower than the last."""
_NEAR = np.linspace(-1.0, 1.0, 5)
_SMOOTH = 1e-3
"""Weight of a shape's bends beside errors. It decides where no copy reaches."""


class Copies(NamedTuple):
    """Copies of shapes for n functions.

    Parameters
    ----------
    grid : (points,), points at which shapes have values.
    shapes : values of the shapes, (shapes, points).
    choice : (n,), number of the shape of each function.
    affine : (n, 3), a, b and c of each.
    constant : (n,), d of each.
    """

    grid: FloatArray
    shapes: FloatArray
    choice: IntArray
    affine: FloatArray
    constant: FloatArray


class Functions(NamedTuple):
    """Functions to find shapes for.

    Parameters
    ----------
    t : sample points, (points,), within about -1 .. 1.
    values : (n, points)
    weights : of each point, (n, points); they add up to 1.
    importance : factor of each function's squared error, (n,).
    """

    t: FloatArray
    values: FloatArray
    weights: FloatArray
    importance: FloatArray

    def of(self, rows: IntArray) -> Functions:
        """The functions of these rows."""
        return Functions(self.t, self.values[rows], self.weights[rows], self.importance[rows])

    @property
    def means(self) -> FloatArray:
        return (self.weights * self.values).sum(axis=1)

    @property
    def variances(self) -> FloatArray:
        """Variance of each function times its importance, (n,)."""
        centred = self.values - self.means[:, np.newaxis]
        return self.importance * (self.weights * centred**2).sum(axis=1)


def copies_up_to_scale(
    functions: Functions, counts: IntArray, *, only_gain: bool = False
) -> Iterator[Copies]:
    """Copies of as many shapes as each of increasing counts says.

    Parameters
    ----------
    only_gain : inputs are not scaled or shifted, only reflected.
    """
    shapes: FloatArray = np.empty((0, len(GRID)))
    error = functions.variances
    warps = _UNWARPED if only_gain else _WARPS
    for count in counts.tolist():
        for _ in range(_ROUNDS):
            while len(shapes) < min(count, len(error)):
                worst = int(error.argmax())
                added = _at(GRID, functions.t, functions.values[worst])
                shapes = np.concatenate([shapes, [_standard(added)]])
                error = _assigned(functions, shapes, warps)[2]
            choice, affine, error = _assigned(functions, shapes, warps)
            shapes = _refitted(functions, shapes, choice, affine)
        choice, affine, error = _assigned(functions, shapes, warps)
        a, b = affine[:, 0], affine[:, 1]
        if not only_gain:
            a, b = _refined(functions, shapes, choice, affine)
        c, d, error = _scaled(functions, shapes, choice, a[:, np.newaxis], b[:, np.newaxis])
        affine = np.stack([a, b, c[:, 0]], axis=1)
        error = error[:, 0] * functions.importance
        yield Copies(GRID, shapes, choice, affine, d[:, 0])


def _standard(shape: FloatArray) -> FloatArray:
    """The shape scaled to 0 .. 1."""
    return (shape - shape.min()) / (np.ptp(shape) or 1.0)


def _at(x: FloatArray, points: FloatArray, values: FloatArray) -> FloatArray:
    """Linear interpolation between points, constant beyond."""
    return np.interp(x, points, values).astype(np.float64)


def _assigned(
    functions: Functions, shapes: FloatArray, warps: tuple[FloatArray, FloatArray]
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Shape (n), a, b, c (n, 3) and weighted squared error (n) of each function.

    Parameters
    ----------
    warps : candidates of a and b.
    """
    a, b = warps
    inner = np.multiply.outer(a, functions.t) + b[:, np.newaxis]
    rows = np.arange(len(functions.values))
    found: list[FloatArray] = []
    for shape in shapes:
        values = _at(inner, GRID, shape)
        (c, _), error = regression(values, functions.values, functions.weights)
        best = error.argmin(axis=1)
        found.append(np.stack([a[best], b[best], c[rows, best], error[rows, best]]))
    each = np.stack(found)  # (shapes, 4, n)
    choice = each[:, 3].argmin(axis=0)
    a, b, c, error = each[choice, :, rows].T
    # A shape that is flat at all sample points has only constant copies.
    flat = ~np.isfinite(error)
    c = np.where(flat, 0.0, c)
    error = np.where(flat, functions.variances, error * functions.importance)
    return choice, np.stack([a, b, c], axis=1), error


def _refitted(
    functions: Functions, shapes: FloatArray, choice: IntArray, affine: FloatArray
) -> FloatArray:
    """Each shape fitted to the functions that are its copies."""
    bends = np.diff(np.eye(len(GRID)), n=2, axis=0)
    smooth = _SMOOTH * bends.T @ bends + 1e-9 * np.eye(len(GRID))
    new = shapes.copy()
    for index in range(len(shapes)):
        mine = np.flatnonzero((choice == index) & (affine[:, 2] != 0.0))
        if not mine.size:
            continue
        some = functions.of(mine)
        a, b, c = affine[mine].T
        # Hat functions at the points of each copy, (n, points, grid), less their means.
        place = np.clip(a[:, np.newaxis] * some.t + b[:, np.newaxis], GRID[0], GRID[-1])
        step = GRID[1] - GRID[0]
        hats = np.maximum(1.0 - np.abs(place[..., np.newaxis] - GRID) / step, 0.0)
        hats -= np.einsum("np,npg->ng", some.weights, hats)[:, np.newaxis]
        hats *= c[:, np.newaxis, np.newaxis]
        target = some.values - some.means[:, np.newaxis]
        weights = some.weights * some.importance[:, np.newaxis]
        flat = (weights[..., np.newaxis] * hats).reshape(-1, len(GRID))
        products: FloatArray = flat.T @ hats.reshape(-1, len(GRID))
        size = float(np.diag(products).mean()) or 1.0
        right: FloatArray = flat.T @ target.ravel()
        solved = np.linalg.solve(products + size * smooth, right).astype(np.float64)
        new[index] = _standard(solved) if np.ptp(solved) > 0 else shapes[index]
    return new


def _refined(
    functions: Functions, shapes: FloatArray, choice: IntArray, affine: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The best a and b near those of each function."""
    a, b = affine[:, 0].copy(), affine[:, 1].copy()
    step_a, step_b = np.abs(a) / 8, np.full(len(b), (_OFFSETS[1] - _OFFSETS[0]) / 2)
    near_a, near_b = (axis.ravel() for axis in np.meshgrid(_NEAR, _NEAR))
    # Nearest first, as the first of equal ones is taken.
    order = np.argsort(near_a**2 + near_b**2, kind="stable")
    near_a, near_b = near_a[order], near_b[order]
    rows = np.arange(len(a))
    for _ in range(_ZOOMS):
        tried_a = a[:, np.newaxis] + step_a[:, np.newaxis] * near_a
        tried_b = b[:, np.newaxis] + step_b[:, np.newaxis] * near_b
        error = _scaled(functions, shapes, choice, tried_a, tried_b)[2]
        best = error.argmin(axis=1)
        a, b = tried_a[rows, best], tried_b[rows, best]
        step_a, step_b = step_a / 2, step_b / 2
    return a, b


def _scaled(
    functions: Functions, shapes: FloatArray, choice: IntArray, a: FloatArray, b: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """c, d and squared error for each function's k pairs of a and b, (n, k) each."""
    inner = a[..., np.newaxis] * functions.t + b[..., np.newaxis]
    values = np.empty_like(inner)
    for index, shape in enumerate(shapes):
        values[choice == index] = _at(inner[choice == index], GRID, shape)
    (c, d), error = regression(values, functions.values, functions.weights)
    flat = ~np.isfinite(error)
    variance = (functions.variances / functions.importance)[:, np.newaxis]
    return (
        np.where(flat, 0.0, c),
        np.where(flat, functions.means[:, np.newaxis], d),
        np.where(flat, variance, error),
    )


def copies_up_to_factors(
    functions: Functions, count: int, factors: Sequence[float] = (1.0, -1.0)
) -> Copies:
    """Copies with a = 1, b = 0 and c one of few factors, of at most `count` shapes."""
    means = functions.means
    centred = functions._replace(values=functions.values - means[:, np.newaxis])
    y, rows = centred.values, np.arange(len(means))
    weights = functions.weights * functions.importance[:, np.newaxis]
    shapes = _added(centred, y[:0], int(functions.variances.argmax()), factors)
    choice, factor, error = _factored(centred, shapes, factors)
    for _ in range(_ROUNDS * max(count, 1)):
        if len(shapes) < min(count, len(y)):
            shapes = _added(centred, shapes, int(error.argmax()), factors)
        else:
            before, shapes = shapes, shapes.copy()
            middles = functions.weights @ shapes.T
            for index in np.unique(choice[factor != 0.0]).tolist():
                mine = np.flatnonzero((choice == index) & (factor != 0.0))
                c = factor[mine, np.newaxis]
                share = weights[mine] * c
                right = (share * (y[mine] + c * middles[mine, index, np.newaxis])).sum(axis=0)
                shapes[index] = right / np.maximum((share * c).sum(axis=0), 1e-300)
            if np.array_equal(before, shapes):
                break
        choice, factor, error = _factored(centred, shapes, factors)
    affine = np.stack([np.ones(len(y)), np.zeros(len(y)), factor], axis=1)
    middles = (functions.weights @ shapes.T)[rows, choice]
    return Copies(functions.t, shapes, choice, affine, means - factor * middles)


def _added(
    centred: Functions, shapes: FloatArray, row: int, factors: Sequence[float]
) -> FloatArray:
    """The shapes and one more, whose size gives function `row` one of the factors."""
    sizes = sorted({1.0 / abs(c) for c in factors if c != 0.0})
    every = [np.concatenate([shapes, size * centred.values[[row]]]) for size in sizes]
    return min(every, key=lambda each: float(_factored(centred, each, factors)[2].sum()))


def _factored(
    centred: Functions, shapes: FloatArray, factors: Sequence[float]
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Shape, factor and error times importance of each function whose mean is 0, (n) each."""
    rows = np.arange(len(centred.values))
    weights, y = centred.weights, centred.values
    spread = weights @ shapes.T**2 - (weights @ shapes.T) ** 2
    products = (weights * y) @ shapes.T
    # (factors, n, shapes), less the variance of each function.
    every = np.stack([c * c * spread - 2.0 * c * products for c in factors])
    choice = every.min(axis=0).argmin(axis=1)
    best = every[:, rows, choice]
    factor = np.asarray(factors)[best.argmin(axis=0)]
    return choice, factor, centred.variances + centred.importance * best.min(axis=0)
