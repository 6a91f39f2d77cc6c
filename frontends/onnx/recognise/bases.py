"""Basis functions of edges: fixed functions, B-splines, radial functions, polynomials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from kan_dialect.frontends.onnx.operators.dependence import Tensor
from kan_dialect.ir.constants import FloatArray, IntArray


@dataclass(frozen=True)
class FixedBasis:
    """A function of the dialect, by name."""

    function: str
    count: int = 1


@dataclass(frozen=True, eq=False)
class SplineBasis:
    """B-splines; knots: (columns, K), float64."""

    degree: int
    knots: FloatArray
    closed: bool

    @property
    def count(self) -> int:
        return self.knots.shape[1] - 1 - self.degree


@dataclass(frozen=True, eq=False)
class RadialBasis:
    """Radial functions; centers, widths: (columns, C), float64."""

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
class BasisCombination:
    """A tensor whose elements are combinations of basis functions of a bottleneck's elements.

    Element elements[k] contains factors[k] times function functions[k] of the bottleneck's element
    columns[k].
    """

    bottleneck: Tensor
    basis: Basis
    elements: IntArray
    columns: IntArray
    functions: IntArray
    factors: FloatArray


def identity_of(bottleneck: Tensor) -> BasisCombination:
    """The elements of `bottleneck` themselves."""
    every = np.arange(bottleneck.size, dtype=np.int64)
    return BasisCombination(
        bottleneck,
        FixedBasis("identity"),
        every,
        every,
        np.zeros_like(every),
        np.ones(bottleneck.size),
    )
