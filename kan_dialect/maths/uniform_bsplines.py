"""B-splines on uniform knots, cell by cell: the degree + 1 functions that are nonzero in a cell.

In a cell of width 1 with local coordinate t in [0, 1), basis function j = 0..degree belongs to
coefficient `cell + j`. It is the cardinal B-spline at t + degree - j, a polynomial in t
(Schoenberg, Cardinal Spline Interpolation, 1973, lecture 1, eq. 1.4). B_j(t) = B_degree-j(1 - t).
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import comb, factorial

import numpy as np

from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.maths.bsplines import bspline_basis


def cell_basis(local: FloatArray, degree: int, *, derivative: bool = False) -> FloatArray:
    """Basis functions of a cell, or their derivatives.

    Parameters
    ----------
    local : (...), float64, local coordinates from 0 to 1, ends included.

    Returns
    -------
    (..., degree + 1), float64.
    """
    if derivative:
        lower = cell_basis(local, degree - 1)
        edge = np.zeros((*local.shape, 1))
        return np.concatenate([edge, lower], -1) - np.concatenate([lower, edge], -1)
    knots = np.arange(-degree, degree + 2, dtype=np.float64)
    flat = local.reshape(-1, 1)
    if degree == 0:
        return np.ones((*local.shape, 1))
    # The last knot of the cell belongs to it: the basis is continuous.
    basis = bspline_basis(flat, knots, degree)
    return basis.reshape(*local.shape, -1)[..., : degree + 1]


def _exact(index: int, bits: int, degree: int) -> list[Fraction]:
    """Exact basis functions at the middle of local step `index` of 2^bits."""
    middle = Fraction(2 * index + 1, 2 << bits)
    values: list[Fraction] = []
    for j in range(degree + 1):
        place = degree - j
        terms = (
            (-1) ** k * comb(degree + 1, k) * (middle + place - k) ** degree
            for k in range(place + 1)
        )
        values.append(sum(terms, Fraction(0)) / factorial(degree))
    return values


@lru_cache(maxsize=64)
def _table(bits: int, degree: int, scale: Fraction, fraction: int, derivative: bool) -> IntArray:
    unit = scale * Fraction(2) ** fraction
    rows: list[list[int]] = []
    for index in range(1 << bits):
        values = _exact(index, bits, degree - derivative)
        if derivative:
            zero = Fraction(0)
            values = [a - b for a, b in zip([zero, *values], [*values, zero], strict=True)]
        rows.append([round(value * unit) for value in values])
    table = np.array(rows, dtype=np.int64)
    table.flags.writeable = False
    return table


def basis_table(
    bits: int, degree: int, scale: float, fraction: int, *, derivative: bool = False
) -> IntArray:
    """Basis functions, or their derivatives, times `scale`, as fixed-point codes.

    The value at the middle of each of the 2^bits local steps is computed in rational numbers, and
    rounded half to even once. `scale` counts as its exact double value.

    Parameters
    ----------
    fraction : fractional bits of the codes.

    Returns
    -------
    (2^bits, degree + 1), int64. Column j read backwards is column degree - j; its negative for
    derivatives.
    """
    return _table(bits, degree, Fraction(scale), fraction, derivative)
