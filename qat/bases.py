"""Functions of a code that edges are sums of, at every number of bits that an edge may read.

A code of N bits stands for the real number (2 · code + 1) / 2^N - 1, the middle of its interval of
[-1, 1]. An edge that reads the upper n bits sees the middle of a wider interval: that of 2^(N - n)
codes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kan_dialect.ir.constants import FloatArray
from kan_dialect.maths.bsplines import bspline_basis, extend_grid


@dataclass(frozen=True)
class Basis:
    """Functions at the codes of an input, for edges that read its upper 0 .. `bits` bits."""

    values: FloatArray
    """(bits + 1, codes, functions): the functions at the point that an edge reads."""
    slopes: FloatArray
    """(bits + 1, codes, functions): their derivatives there."""
    errors: FloatArray
    """(bits + 1, codes): the value of a code minus the point that the edge reads."""
    linear: FloatArray
    """(functions): coefficients of the function x."""

    @property
    def bits(self) -> int:
        """Number of bits of a code."""
        return len(self.errors) - 1


def spline_basis(bits: int, cells: int, degree: int = 3) -> Basis:
    """B-splines on a uniform grid over [-1, 1].

    Parameters
    ----------
    bits : number of bits of the input's code.
    cells : number of cells of the grid.
    degree : polynomial degree.
    """
    knots = extend_grid(np.linspace(-1.0, 1.0, cells + 1)[np.newaxis], degree)[0]
    seen = [seen_by(bits, read) for read in range(bits + 1)]
    width = 2.0 / cells

    def slopes(x: FloatArray) -> FloatArray:
        # de Boor 1978, chapter X, eq. 12: differences of the splines of one degree less.
        lower = bspline_basis(x[:, np.newaxis], knots[np.newaxis], degree - 1)[:, 0]
        return (lower[:, :-1] - lower[:, 1:]) / width

    # Greville's points (de Boor 1978, chapter IX): a spline with these coefficients is x.
    linear = np.array([knots[k + 1 : k + 1 + degree].mean() for k in range(cells + degree)])
    return Basis(
        np.stack([bspline_basis(x[:, np.newaxis], knots[np.newaxis], degree)[:, 0] for x in seen]),
        np.stack([slopes(x) for x in seen]),
        np.stack([seen[-1] - x for x in seen]),
        linear,
    )


def table_basis(bits: int) -> Basis:
    """A function for each code: free tables. With fewer bits, codes share the mean of theirs.

    Parameters
    ----------
    bits : number of bits of the input's code.
    """
    codes = 1 << bits
    seen = [seen_by(bits, read) for read in range(bits + 1)]
    own = np.eye(codes)
    means = np.stack(
        [
            own.reshape(1 << read, -1, codes).mean(axis=1).repeat(1 << (bits - read), axis=0)
            for read in range(bits + 1)
        ]
    )
    # The slope between the neighbours of an interval, in steps of the code.
    steps = np.gradient(own, 2.0 / codes, axis=0) if bits else np.zeros_like(own)
    return Basis(means, means @ steps, np.stack([seen[-1] - x for x in seen]), seen[-1])


def line_basis(bits: int) -> Basis:
    """The function x: edges are weights, and a network of them is a perceptron.

    Parameters
    ----------
    bits : number of bits of the input's code.
    """
    seen = np.stack([seen_by(bits, read) for read in range(bits + 1)])
    values = seen[..., np.newaxis]
    return Basis(values, np.ones_like(values), seen[-1] - seen, np.ones(1))


def seen_by(bits: int, read: int) -> FloatArray:
    """What an edge sees of each code of `bits` bits whose upper `read` bits it reads: (codes)."""
    middles = (2.0 * np.arange(1 << read) + 1.0) / (1 << read) - 1.0
    return middles.repeat(1 << (bits - read))
