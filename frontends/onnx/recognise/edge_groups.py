"""The edges of a layer while it is raised: coefficients for each basis of its inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from kan_dialect.frontends.onnx.operators.dependence import Tensor
from kan_dialect.frontends.onnx.read.file import Budget
from kan_dialect.frontends.onnx.recognise.bases import (
    Atom,
    Basis,
    ChebyshevBasis,
    RadialBasis,
    SplineBasis,
)
from kan_dialect.frontends.onnx.recognise.linear_terms import Terms, ranges_of
from kan_dialect.ir.constants import FloatArray, IntArray


@dataclass(eq=False)
class Group:
    """Edges of one kind: coefficients[o, i, m] for function m of input i."""

    waist: Tensor
    basis: Basis
    coefficients: FloatArray


@dataclass(eq=False)
class LayerEdges:
    """The edges of a layer.

    Attributes
    ----------
    outputs : number of nodes.
    variables : (in), those that its inputs are, ascending.
    """

    outputs: int
    variables: IntArray
    budget: Budget
    groups: dict[object, Group] = field(default_factory=dict[object, Group])

    @property
    def inputs(self) -> int:
        return self.variables.size

    def columns(self, variables: IntArray) -> IntArray:
        """The inputs that `variables` are."""
        return np.searchsorted(self.variables, variables)

    def add(self, atom: Atom, terms: Terms) -> None:
        """Count `terms` of the tensor that `atom` describes."""
        key = _key(atom)
        group = self.groups.get(key)
        if group is None:
            shape = (self.outputs, self.inputs, atom.basis.count)
            # The coefficients, and those that are made of them on the way into the IR.
            self.budget.charge(32 * prod(shape), f"a layer of {shape[0]} x {shape[1]} edges")
            group = Group(atom.waist, atom.basis, np.zeros(shape))
            self.groups[key] = group
        # Each term meets all functions that its element consists of.
        order = np.argsort(atom.elements, kind="stable")
        places, counts = ranges_of(atom.elements[order], terms.elements)
        chosen = order[places]
        rows, weights = np.repeat(terms.rows, counts), np.repeat(terms.weights, counts)
        columns = self.columns(atom.waist.variables.ravel()[atom.columns[chosen]])
        index = (rows, columns, atom.functions[chosen])
        np.add.at(group.coefficients, index, weights * atom.factors[chosen])

    def merged_groups(self) -> list[Group]:
        """The groups that are not 0; those of one waist whose bases are parts of one, as one.

        They are where a file writes basis functions one by one.
        """
        merged: list[Group] = []
        used = [group for group in self.groups.values() if bool(group.coefficients.any())]
        for group in sorted(used, key=_first_parameter):
            for index, other in enumerate(merged):
                joined = _join(other, group) if other.waist is group.waist else None
                if joined is not None:
                    merged[index] = joined
                    break
            else:
                merged.append(group)
        return merged


def _key(atom: Atom) -> object:
    """Atoms with one key share an op."""
    match atom.basis:
        case SplineBasis(degree, knots, closed):
            return atom.waist, degree, knots.tobytes(), knots.shape, closed
        case RadialBasis(kind, centers, widths):
            return atom.waist, kind, centers.tobytes(), widths.tobytes(), centers.shape
        case basis:
            return atom.waist, basis


def _first_parameter(group: Group) -> float:
    """What orders the parts of a basis: their first knot or center."""
    match group.basis:
        case SplineBasis() as basis:
            return float(basis.knots[0, 0])
        case RadialBasis() as basis:
            return float(basis.centers[0, 0])
        case _:
            return 0.0


def _join(first: Group, second: Group) -> Group | None:
    """Both as one group, the parameters of `first` coming first; None where they do not fit."""
    match first.basis, second.basis:
        case SplineBasis() as a, SplineBasis() as b if a.degree == b.degree and not a.closed:
            return _join_splines(first, a, second, b)
        case RadialBasis() as a, RadialBasis() as b if a.kind == b.kind:
            centers, widths = np.hstack([a.centers, b.centers]), np.hstack([a.widths, b.widths])
            coefficients = np.concatenate([first.coefficients, second.coefficients], axis=2)
            return Group(first.waist, RadialBasis(a.kind, centers, widths), coefficients)
        case ChebyshevBasis() as a, ChebyshevBasis() as b:
            degree = max(a.degree, b.degree)
            coefficients = np.zeros((*first.coefficients.shape[:2], degree + 1))
            coefficients[:, :, : a.count] += first.coefficients
            coefficients[:, :, : b.count] += second.coefficients
            return Group(first.waist, ChebyshevBasis(degree), coefficients)
        case _:
            return None


def _join_splines(first: Group, a: SplineBasis, second: Group, b: SplineBasis) -> Group | None:
    """B-splines whose knots overlap, as on one vector of knots."""
    starts = np.flatnonzero((a.knots == b.knots[:, :1]).all(axis=0))
    for start in starts.tolist():
        shared = min(a.knots.shape[1] - start, b.knots.shape[1])
        if np.array_equal(a.knots[:, start : start + shared], b.knots[:, :shared]):
            knots = np.hstack([a.knots, b.knots[:, shared:]])
            basis = SplineBasis(a.degree, knots, b.closed)
            coefficients = np.zeros((*first.coefficients.shape[:2], basis.count))
            coefficients[:, :, : a.count] += first.coefficients
            coefficients[:, :, start : start + b.count] += second.coefficients
            return Group(first.waist, basis, coefficients)
    return None
