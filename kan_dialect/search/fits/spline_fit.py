"""B-splines fitted to sampled functions by weighted least squares.

All functions of an input are fitted at once (de Boor, A Practical Guide to Splines, 1978, chapter
XIV).
"""

from __future__ import annotations

import numpy as np

from kan_dialect.ir.constants import FloatArray
from kan_dialect.maths.bsplines import bspline_basis, edge_values
from kan_dialect.search.edge_samples import EVERYWHERE

POINTS_A_CELL = 16
"""Number of sample points of each grid cell."""


def fit_points(ends: FloatArray, cells: int, degree: int) -> FloatArray:
    """Points (points, in) inside the grid cells, enough to determine B-splines.

    Parameters
    ----------
    ends : the first and the last grid point of each input, (in, 2).
    """
    count = cells * max(POINTS_A_CELL, degree + 1)
    t = (np.arange(count, dtype=np.float64)[:, np.newaxis] + 0.5) / count
    return ends[:, 0] + (ends[:, 1] - ends[:, 0]) * t


def fit_weights(
    points: FloatArray, ends: FloatArray, seen: FloatArray | None, histogram: FloatArray | None
) -> FloatArray:
    """Weights (in, points) of points (points, in); they add up to 1 for each input.

    Without a histogram, all weights are equal. Values seen outside a grid count at its end.

    Parameters
    ----------
    seen : range of the histogram, (in, 2).
    histogram : (in, bins).
    """
    count, inputs = points.shape
    everywhere = np.full((inputs, count), 1.0 / count)
    if seen is None or histogram is None:
        return everywhere
    bins = histogram.shape[1]
    centres = (np.arange(bins, dtype=np.float64) + 0.5) / bins
    x = seen[:, :1] + (seen[:, 1:] - seen[:, :1]) * centres
    place = (x - ends[:, :1]) / (ends[:, 1:] - ends[:, :1]) * count
    nearest = np.clip(place, 0, count - 1).astype(np.int64)
    rows = np.arange(inputs, dtype=np.int64)[:, np.newaxis] * count
    shares = np.bincount(
        (nearest + rows).ravel(), histogram.ravel(), minlength=inputs * count
    ).reshape(inputs, count)
    total = shares.sum(axis=1, keepdims=True)
    shares = np.where(total > 0, shares / np.where(total > 0, total, 1.0), everywhere)
    return (1.0 - EVERYWHERE) * shares + EVERYWHERE * everywhere


def fit_splines(
    points: FloatArray, values: FloatArray, weights: FloatArray, knots: FloatArray, degree: int
) -> FloatArray:
    """Coefficients (out, in, K - 1 - degree) of the B-splines nearest to sampled functions.

    Parameters
    ----------
    points : (points, in); values : (points, out, in), finite.
    weights : (in, points), above 0.
    knots : (in, K); every cell between them holds points.
    """
    root = np.sqrt(weights)[..., np.newaxis]
    basis = bspline_basis(points, knots, degree).transpose(1, 0, 2)
    q, r = np.linalg.qr(root * basis)
    wanted = root * values.transpose(2, 0, 1)
    found = np.linalg.solve(r, q.transpose(0, 2, 1) @ wanted)
    return found.transpose(2, 0, 1).astype(np.float64, copy=False)


def spline_values(
    points: FloatArray, coefficients: FloatArray, knots: FloatArray, degree: int
) -> FloatArray:
    """Values (points, out, in) of B-splines at points (points, in)."""
    return edge_values(bspline_basis(points, knots, degree), coefficients)
