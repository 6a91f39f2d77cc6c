"""Formulas c * f(a * t + b) + d fitted to sampled functions by least squares.

For given a and b, c and d follow from moments (linear regression), so matrix products compare many
functions with many a and b. The best pair of a grid is refined for each function.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kan_dialect.ir.constants import FloatArray
from kan_dialect.ops.symbolic import SYMBOLIC_FUNCTIONS

_SLOPES = np.geomspace(0.25, 8.0, 28)
_OFFSETS = np.linspace(-8.0, 8.0, 49)
_HOPEFUL = 0.1
"""Largest unexplained share of the variance on the grid with which a fit is refined."""
_ZOOMS = 16
"""Number of searches of the neighbourhood of the best a and b, each narrower than the last."""
_NEAR = np.linspace(-1.0, 1.0, 5)
_CHUNK = 256
"""Number of functions in a batch."""


class Fit(NamedTuple):
    """Formulas for n functions.

    Parameters
    ----------
    affine : a, b, c and d of each, (n, 4).
    error : mean squared error of each, (n,).
    """

    affine: FloatArray
    error: FloatArray


def fit(name: str, t: FloatArray, y: FloatArray, weights: FloatArray) -> Fit:
    """The best formula with one of `SYMBOLIC_FUNCTIONS` for each of n functions.

    Parameters
    ----------
    t : sample points, (points,), within about -1 .. 1.
    y : their values, (n, points).
    weights : of each point, (n, points), which add up to 1; points without weight still have to
        be in the domain of the formula.
    """
    parts = [slice(start, start + _CHUNK) for start in range(0, len(y), _CHUNK)]
    found = [_fit(name, t, y[part], weights[part]) for part in parts]
    return Fit(
        np.concatenate([each.affine for each in found] or [np.empty((0, 4))]),
        np.concatenate([each.error for each in found] or [np.empty(0)]),
    )


def _fit(name: str, t: FloatArray, y: FloatArray, weights: FloatArray) -> Fit:
    mean = (weights * y).sum(axis=1)
    if name == "zero":
        error = (weights * (y - mean[:, np.newaxis]) ** 2).sum(axis=1)
        zeros = np.zeros_like(mean)
        return Fit(np.stack([zeros, zeros, zeros, mean], axis=1), error)
    a, b = np.ones(1), np.zeros(1)
    if name != "identity":
        a, b = (axis.ravel() for axis in np.meshgrid([*_SLOPES, *-_SLOPES], _OFFSETS))
    _, error = regression(_values(name, np.multiply.outer(a, t) + b[:, np.newaxis]), y, weights)
    best = error.argmin(axis=1)
    a, b = a[best], b[best]
    if name != "identity":
        variance = (weights * (y - mean[:, np.newaxis]) ** 2).sum(axis=1)
        hopeful = error.min(axis=1) <= _HOPEFUL * variance
        a[hopeful], b[hopeful] = _refined(
            name, t, y[hopeful], weights[hopeful], a[hopeful], b[hopeful]
        )
    inner = (a[:, np.newaxis] * t + b[:, np.newaxis])[:, np.newaxis]
    (c, d), error = regression(_values(name, inner), y, weights)
    return Fit(np.stack([a, b, c[:, 0], d[:, 0]], axis=1), error[:, 0])


def _refined(
    name: str, t: FloatArray, y: FloatArray, weights: FloatArray, a: FloatArray, b: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Better a and b near the given ones, of each function."""
    step_a, step_b = np.abs(a) / 4, np.full(len(b), _OFFSETS[1] - _OFFSETS[0])
    near_a, near_b = (axis.ravel() for axis in np.meshgrid(_NEAR, _NEAR))
    # Nearest first, as the first of equal ones is taken.
    order = np.argsort(near_a**2 + near_b**2, kind="stable")
    near_a, near_b = near_a[order], near_b[order]
    for _ in range(_ZOOMS):
        tried_a = a[:, np.newaxis] + step_a[:, np.newaxis] * near_a
        tried_b = b[:, np.newaxis] + step_b[:, np.newaxis] * near_b
        inner = tried_a[..., np.newaxis] * t + tried_b[..., np.newaxis]
        _, error = regression(_values(name, inner), y, weights)
        # With a slope near 0, every function is a line.
        error[np.abs(tried_a) < _SLOPES[0]] = np.inf
        best = error.argmin(axis=1)
        a, b = (tried[np.arange(len(best)), best] for tried in (tried_a, tried_b))
        # If the best one is at the border, better ones may lie beyond it.
        step_a /= np.where(np.abs(near_a[best]) < 1.0, 2.5, 1.2)
        step_b /= np.where(np.abs(near_b[best]) < 1.0, 2.5, 1.2)
    return a, b


def _values(name: str, inner: FloatArray) -> FloatArray:
    """The function at (..., points); NaN at all points if it is not finite at or between them."""
    with np.errstate(all="ignore"):
        values = SYMBOLIC_FUNCTIONS[name](inner)
    finite = (np.abs(values) < 1e6).all(axis=-1, keepdims=True)
    # A pole may lie between two points.
    if name.startswith("reciprocal"):
        finite &= np.sign(inner.min(axis=-1, keepdims=True)) == np.sign(inner[..., :1])
        finite &= np.sign(inner.max(axis=-1, keepdims=True)) == np.sign(inner[..., :1])
    elif name == "tan":
        branch = np.round(inner / np.pi)
        finite &= (branch == branch[..., :1]).all(axis=-1, keepdims=True)
    return np.where(finite, values, np.nan)


def regression(
    values: FloatArray, y: FloatArray, weights: FloatArray
) -> tuple[tuple[FloatArray, FloatArray], FloatArray]:
    """Factor, constant and mean squared error (n, k) of each of k candidates for n functions.

    Parameters
    ----------
    values : candidates, (k, points) for all functions or (n, k, points).
    """
    product = "np,kp->nk" if values.ndim == 2 else "np,nkp->nk"
    mean = (weights * y).sum(axis=1, keepdims=True)
    centred = weights * (y - mean)
    total = (centred * (y - mean)).sum(axis=1, keepdims=True)
    # Squares lose no digits if the candidates are centred first.
    about = values.mean(axis=-1, keepdims=True)
    values = values - about
    first = np.einsum(product, weights, values, optimize=True)
    variance = np.einsum(product, weights, values**2, optimize=True) - first**2
    covariance = np.einsum(product, centred, values, optimize=True)
    with np.errstate(all="ignore"):
        factor = np.where(variance > 1e-12, covariance / variance, np.nan)
    error = total - factor * covariance
    constant = mean - factor * (first + about[..., 0])
    return (factor, constant), np.where(np.isfinite(error), np.maximum(error, 0.0), np.inf)
