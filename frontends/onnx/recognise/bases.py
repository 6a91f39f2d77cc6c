"""Basis functions of edges: fixed functions, B-splines, radial functions, polynomials."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, cast

import numpy as np
from xdsl.ir import SSAValue

from kan_dialect.frontends.onnx.operators.dependence import Tensor
from kan_dialect.ir.constants import Array, DenseAttr, FloatArray, IntArray, dense, to_floats
from kan_dialect.ops.spline import BaseOp, BSplineOp, ChebyshevOp, EdgeOp, RadialOp


class Parameters(NamedTuple):
    """Parameters of edges over a basis.

    Attributes
    ----------
    value : tensor<in>, the elements of the bottleneck that the inputs are.
    elements : (in), their indices.
    coefficients : (out, in, functions of one element).
    """

    value: SSAValue
    elements: IntArray
    coefficients: DenseAttr


class Basis(ABC):
    """Functions of each element of a bottleneck."""

    kind: ClassVar[str]
    """Name of the kind of edges."""

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of functions of one element."""

    @property
    def key(self) -> Hashable:
        """Equal for equal bases."""
        fields = cast("dict[str, Array | Hashable]", vars(self)).values()
        return self.kind, *(
            (each.shape, each.tobytes()) if isinstance(each, np.ndarray) else each
            for each in fields
        )

    @property
    def first(self) -> float:
        """The first knot or center, which orders the parts of a basis."""
        return 0.0

    def joined(self, other: Basis) -> tuple[Basis, int] | None:
        """A basis of the functions of both, and where those of `other` begin; or None.

        A file that writes basis functions one by one has such parts.
        """
        return None

    @abstractmethod
    def edges(self, at: Parameters, name: str) -> EdgeOp:
        """The op of edges over the basis."""


@dataclass(frozen=True)
class FixedBasis(Basis):
    """A function of the dialect, by name."""

    kind = "base"
    function: str

    @property
    def count(self) -> int:
        return 1

    def edges(self, at: Parameters, name: str) -> EdgeOp:
        weights = dense(narrow_float(to_floats(at.coefficients)[:, :, 0]))
        return BaseOp(self.function, at.value, weights, name=name)


@dataclass(frozen=True, eq=False)
class SplineBasis(Basis):
    """B-splines; knots: (columns, K), float64."""

    kind = "spline"
    degree: int
    knots: FloatArray
    closed: bool

    @property
    def count(self) -> int:
        return self.knots.shape[1] - 1 - self.degree

    @property
    def first(self) -> float:
        return float(self.knots[0, 0])

    def joined(self, other: Basis) -> tuple[Basis, int] | None:
        """B-splines with overlapping knots, on one knot vector."""
        if not isinstance(other, SplineBasis) or other.degree != self.degree or self.closed:
            return None
        starts = np.flatnonzero((self.knots == other.knots[:, :1]).all(axis=0))
        for start in starts.tolist():
            shared = min(self.knots.shape[1] - start, other.knots.shape[1])
            if np.array_equal(self.knots[:, start : start + shared], other.knots[:, :shared]):
                knots = np.hstack([self.knots, other.knots[:, shared:]])
                return SplineBasis(self.degree, knots, other.closed), start
        return None

    def edges(self, at: Parameters, name: str) -> EdgeOp:
        knots = _shared(self.knots[at.elements])
        return BSplineOp(
            at.value, self.degree, knots, at.coefficients, closed=self.closed, name=name
        )


@dataclass(frozen=True, eq=False)
class RadialBasis(Basis):
    """Radial functions; centers, widths: (columns, C), float64."""

    kind = "radial"
    function: str
    centers: FloatArray
    widths: FloatArray

    @property
    def count(self) -> int:
        return self.centers.shape[1]

    @property
    def first(self) -> float:
        return float(self.centers[0, 0])

    def joined(self, other: Basis) -> tuple[Basis, int] | None:
        if not isinstance(other, RadialBasis) or other.function != self.function:
            return None
        centers = np.hstack([self.centers, other.centers])
        widths = np.hstack([self.widths, other.widths])
        return RadialBasis(self.function, centers, widths), self.count

    def edges(self, at: Parameters, name: str) -> EdgeOp:
        centers, widths = _shared(self.centers[at.elements]), _shared(self.widths[at.elements])
        return RadialOp(self.function, at.value, centers, widths, at.coefficients, name=name)


@dataclass(frozen=True)
class ChebyshevBasis(Basis):
    """Chebyshev polynomials T_0 .. T_degree."""

    kind = "chebyshev"
    degree: int

    @property
    def count(self) -> int:
        return self.degree + 1

    def joined(self, other: Basis) -> tuple[Basis, int] | None:
        if not isinstance(other, ChebyshevBasis):
            return None
        return ChebyshevBasis(max(self.degree, other.degree)), 0

    def edges(self, at: Parameters, name: str) -> EdgeOp:
        return ChebyshevOp(at.value, at.coefficients, name=name)


def narrow_float(values: FloatArray) -> Array:
    """The values as float32 if that is exact, else as float64."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    return single if np.array_equal(single.astype(np.float64), values) else values


def _shared(rows: FloatArray) -> Array:
    """One row if all inputs share it."""
    return narrow_float(rows[0] if bool((rows == rows[0]).all()) else rows)


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
