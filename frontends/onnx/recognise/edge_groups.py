"""Collects the edges of a layer: coefficients for each basis of its inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from kan_dialect.frontends.onnx.operators.dependence import Tensor
from kan_dialect.frontends.onnx.read.file import Budget
from kan_dialect.frontends.onnx.recognise.bases import (
    Basis,
    BasisCombination,
    ChebyshevBasis,
    RadialBasis,
    SplineBasis,
)
from kan_dialect.frontends.onnx.recognise.linear_terms import Terms, ranges_of
from kan_dialect.ir.constants import FloatArray, IntArray


@dataclass(eq=False)
class Group:
    """Edges over one basis: coefficients[o, i, m] belongs to function m of input i."""

    bottleneck: Tensor
    basis: Basis
    coefficients: FloatArray


@dataclass(eq=False)
class LayerEdges:
    """The edges of a layer.

    Attributes
    ----------
    outputs : number of nodes.
    variables : (in), int64, ascending, the variables that its inputs are.
    groups : edges by basis.
    """

    outputs: int
    variables: IntArray
    budget: Budget
    groups: dict[object, Group] = field(default_factory=dict[object, Group])

    @property
    def inputs(self) -> int:
        return self.variables.size

    def columns(self, variables: IntArray) -> IntArray:
        """Input indices of `variables`."""
        return np.searchsorted(self.variables, variables)

    def add(self, combination: BasisCombination, terms: Terms) -> None:
        """Add `terms` of the tensor that `combination` describes to the coefficients."""
        key = _key(combination)
        group = self.groups.get(key)
        if group is None:
            shape = (self.outputs, self.inputs, combination.basis.count)
            # The coefficients, and their copies on the way into the IR.
            self.budget.charge(32 * prod(shape), f"a layer of {shape[0]} x {shape[1]} edges")
            group = Group(combination.bottleneck, combination.basis, np.zeros(shape))
            self.groups[key] = group
        # Each term is distributed over all functions of its element.
        order = np.argsort(combination.elements, kind="stable")
        places, counts = ranges_of(combination.elements[order], terms.elements)
        chosen = order[places]
        rows, weights = np.repeat(terms.rows, counts), np.repeat(terms.weights, counts)
        columns = self.columns(
            combination.bottleneck.variables.ravel()[combination.columns[chosen]]
        )
        index = (rows, columns, combination.functions[chosen])
        np.add.at(group.coefficients, index, weights * combination.factors[chosen])

    def merged_groups(self) -> list[Group]:
        """The nonzero groups; groups whose bases are parts of one basis are joined.

        A file that writes basis functions one by one has such groups.
        """
        merged: list[Group] = []
        used = [group for group in self.groups.values() if bool(group.coefficients.any())]
        for group in sorted(used, key=_first_parameter):
            for index, other in enumerate(merged):
                joined = _join(other, group) if other.bottleneck is group.bottleneck else None
                if joined is not None:
                    merged[index] = joined
                    break
            else:
                merged.append(group)
        return merged


def _key(combination: BasisCombination) -> object:
    """Key of an op: combinations with the same key share it."""
    match combination.basis:
        case SplineBasis(degree, knots, closed):
            return combination.bottleneck, degree, knots.tobytes(), knots.shape, closed
        case RadialBasis(kind, centers, widths):
            return combination.bottleneck, kind, centers.tobytes(), widths.tobytes(), centers.shape
        case basis:
            return combination.bottleneck, basis


def _first_parameter(group: Group) -> float:
    """First knot or center, which orders the parts of a basis."""
    match group.basis:
        case SplineBasis() as basis:
            return float(basis.knots[0, 0])
        case RadialBasis() as basis:
            return float(basis.centers[0, 0])
        case _:
            return 0.0


def _join(first: Group, second: Group) -> Group | None:
    """Join two groups, with the parameters of `first` first; None if they do not fit."""
    match first.basis, second.basis:
        case SplineBasis() as a, SplineBasis() as b if a.degree == b.degree and not a.closed:
            return _join_splines(first, a, second, b)
        case RadialBasis() as a, RadialBasis() as b if a.kind == b.kind:
            centers, widths = np.hstack([a.centers, b.centers]), np.hstack([a.widths, b.widths])
            coefficients = np.concatenate([first.coefficients, second.coefficients], axis=2)
            return Group(first.bottleneck, RadialBasis(a.kind, centers, widths), coefficients)
        case ChebyshevBasis() as a, ChebyshevBasis() as b:
            degree = max(a.degree, b.degree)
            coefficients = np.zeros((*first.coefficients.shape[:2], degree + 1))
            coefficients[:, :, : a.count] += first.coefficients
            coefficients[:, :, : b.count] += second.coefficients
            return Group(first.bottleneck, ChebyshevBasis(degree), coefficients)
        case _:
            return None


def _join_splines(first: Group, a: SplineBasis, second: Group, b: SplineBasis) -> Group | None:
    """Join B-splines with overlapping knots on one knot vector."""
    starts = np.flatnonzero((a.knots == b.knots[:, :1]).all(axis=0))
    for start in starts.tolist():
        shared = min(a.knots.shape[1] - start, b.knots.shape[1])
        if np.array_equal(a.knots[:, start : start + shared], b.knots[:, :shared]):
            knots = np.hstack([a.knots, b.knots[:, shared:]])
            basis = SplineBasis(a.degree, knots, b.closed)
            coefficients = np.zeros((*first.coefficients.shape[:2], basis.count))
            coefficients[:, :, : a.count] += first.coefficients
            coefficients[:, :, start : start + b.count] += second.coefficients
            return Group(first.bottleneck, basis, coefficients)
    return None
