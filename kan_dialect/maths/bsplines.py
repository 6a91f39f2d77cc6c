"""Basis functions of one variable, for many samples and inputs at once, in float64.

Shapes: x is (samples, in); a basis is (samples, in, functions).
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np

from kan_dialect.ir.constants import FloatArray

RadialFunction: TypeAlias = Literal[
    "gaussian", "multiquadric", "inverse_multiquadric", "inverse_quadratic"
]
RADIAL_FUNCTIONS: tuple[str, ...] = get_args(RadialFunction)

UNIFORM_TOLERANCE = 1e-5
"""Largest deviation of a uniform grid's cells from their mean width, relative: float32 rounds
knots.
"""


def extend_grid(grid: FloatArray, degree: int) -> FloatArray:
    """Extend a grid to knots: `degree` more points on each side, at the grid's mean spacing.

    Parameters
    ----------
    grid : (..., points), float64, ascending.

    Returns
    -------
    (..., points + 2 * degree), float64.
    """
    step = (grid[..., -1:] - grid[..., :1]) / (grid.shape[-1] - 1)
    offsets = step * np.arange(1, degree + 1, dtype=np.float64)
    return np.concatenate([grid[..., :1] - offsets[..., ::-1], grid, grid[..., -1:] + offsets], -1)


def uniform_grid(knots: FloatArray, degree: int) -> FloatArray | None:
    """First and last point (..., 2) of the grid that knots extend.

    None if the knots are not a uniform grid with `degree` more knots on each side.

    Parameters
    ----------
    knots : (..., K), float64, non-decreasing.
    """
    widths = np.diff(knots, axis=-1)
    mean = widths.mean(axis=-1, keepdims=True)
    uniform = bool((np.abs(widths - mean) <= UNIFORM_TOLERANCE * mean).all())
    if not uniform or not (mean > 0).all() or knots.shape[-1] < 2 * degree + 2:
        return None
    return np.stack([knots[..., degree], knots[..., -1 - degree]], axis=-1)


def bspline_basis(
    x: FloatArray, knots: FloatArray, degree: int, *, closed: bool = False
) -> FloatArray:
    """B-spline basis functions by the Cox-de Boor recursion (de Boor 1978, chapter IX, eq. 14).

    Cells are half-open, and the basis is 0 outside the knots. A term with coinciding knots is 0.

    Parameters
    ----------
    x : (samples, in), float64.
    knots : (in, K) or (K), float64, non-decreasing.
    degree : polynomial degree, at most K - 2.
    closed : whether the last knot belongs to the last nonempty cell.

    Returns
    -------
    (samples, in, K - 1 - degree), float64.
    """
    # Infinity times 0 is NaN; any point outside the knots gives the same basis.
    points = np.where(np.isinf(x), np.nextafter(knots[..., 0], -np.inf), x)[..., np.newaxis]
    left, right = knots[..., :-1], knots[..., 1:]
    basis = ((points >= left) & (points < right)).astype(np.float64)
    if closed:
        ends = (right == knots[..., -1:]) & (left < right)
        basis[np.broadcast_to((points == knots[..., -1:]) & ends, basis.shape)] = 1.0
    for order in range(1, degree + 1):
        rising = _ratio(
            points - knots[..., : -order - 1], knots[..., order:-1] - knots[..., : -order - 1]
        )
        falling = _ratio(
            knots[..., order + 1 :] - points, knots[..., order + 1 :] - knots[..., 1:-order]
        )
        basis = rising * basis[..., :-1] + falling * basis[..., 1:]
    return basis


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """The quotient; 0 where knots coincide."""
    coincide = denominator == 0.0
    if not coincide.any():
        return numerator / denominator
    return np.where(coincide, 0.0, numerator / np.where(coincide, 1.0, denominator))


def radial_basis(x: FloatArray, centers: FloatArray, widths: FloatArray, kind: str) -> FloatArray:
    """Radial functions of r = (x - center) / width (Buhmann, Radial Basis Functions, 2003).

    gaussian exp(-r^2), multiquadric sqrt(1 + r^2), inverse_multiquadric 1 / sqrt(1 + r^2),
    inverse_quadratic 1 / (1 + r^2).

    Parameters
    ----------
    x : (samples, in), float64.
    centers, widths : (in, C) or (C), float64.
    kind : one of `RADIAL_FUNCTIONS`.

    Returns
    -------
    (samples, in, C), float64.
    """
    with np.errstate(over="ignore"):
        squared = ((x[..., np.newaxis] - centers) / widths) ** 2
        match kind:
            case "gaussian":
                return np.exp(-squared)
            case "multiquadric":
                return np.sqrt(1.0 + squared)
            case "inverse_multiquadric":
                return 1.0 / np.sqrt(1.0 + squared)
            case "inverse_quadratic":
                return 1.0 / (1.0 + squared)
            case _:
                raise ValueError(f"unknown radial function {kind!r}")


def chebyshev_basis(x: FloatArray, degree: int) -> FloatArray:
    """Chebyshev polynomials of the first kind, T_0 .. T_degree (DLMF 18.9.2 with 18.7.5).

    Parameters
    ----------
    x : (samples, in), float64.

    Returns
    -------
    (samples, in, degree + 1), float64.
    """
    terms = [np.ones_like(x), x]
    with np.errstate(over="ignore", invalid="ignore"):
        while len(terms) <= degree:
            terms.append(2.0 * x * terms[-1] - terms[-2])
    return np.stack(terms[: degree + 1], axis=-1)


def edge_values(basis: FloatArray, coefficients: FloatArray) -> FloatArray:
    """Edge functions from a basis: phi[o, i] = sum_m c[o, i, m] * B_m(x_i).

    Parameters
    ----------
    basis : (samples, in, functions), float64.
    coefficients : (out, in, functions), float64.

    Returns
    -------
    (samples, out, in), float64.
    """
    # One matrix product for each input: (in, samples, functions) @ (in, functions, out).
    product = np.matmul(basis.transpose(1, 0, 2), coefficients.transpose(1, 2, 0))
    return product.transpose(1, 2, 0)
