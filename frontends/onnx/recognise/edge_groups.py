"""Collects the edges of a layer: coefficients for each basis of its inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from kan_dialect.frontends.onnx.operators.dependence import Tensor
from kan_dialect.frontends.onnx.read.file import Budget
from kan_dialect.frontends.onnx.recognise.bases import Basis, BasisCombination
from kan_dialect.frontends.onnx.recognise.linear_terms import Terms, ranges_of
from kan_dialect.ir.constants import FloatArray, IntArray


@dataclass(eq=False)
class Group:
    """Edges over one basis: coefficients[o, i, m] belongs to function m of input i."""

    bottleneck: Tensor
    basis: Basis
    coefficients: FloatArray

    def joined(self, other: Group) -> Group | None:
        """Both groups over one basis, with the parameters of this one first; None if they do not
        fit.
        """
        if other.bottleneck is not self.bottleneck:
            return None
        found = self.basis.joined(other.basis)
        if found is None:
            return None
        basis, start = found
        coefficients = np.zeros((*self.coefficients.shape[:2], basis.count))
        coefficients[:, :, : self.basis.count] += self.coefficients
        coefficients[:, :, start : start + other.basis.count] += other.coefficients
        return Group(self.bottleneck, basis, coefficients)


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
        key = combination.bottleneck, combination.basis.key
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
        for group in sorted(used, key=lambda each: each.basis.first):
            for index, other in enumerate(merged):
                joined = other.joined(group)
                if joined is not None:
                    merged[index] = joined
                    break
            else:
                merged.append(group)
        return merged
