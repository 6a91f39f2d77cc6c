"""Collects the edges of one layer, and writes it as IR: edge ops, their sum, and the nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import arith
from xdsl.ir import SSAValue

from kan_dialect.frontends.onnx.operators.dependence import CONSTANT, Tensor
from kan_dialect.frontends.onnx.read.file import Budget
from kan_dialect.frontends.onnx.read.graph import Node
from kan_dialect.frontends.onnx.recognise.bases import (
    Basis,
    BasisCombination,
    Parameters,
    narrow_float,
)
from kan_dialect.frontends.onnx.recognise.function_ops import FunctionWriter
from kan_dialect.frontends.onnx.recognise.linear_terms import Terms, ranges_of
from kan_dialect.ir.constants import DenseAttr, FloatArray, IntArray, dense
from kan_dialect.ops.layer import MapOp, NodeSumOp
from kan_dialect.ops.spline import BaseOp, EdgeOp

MAX_FUNCTIONS = 64
"""Most functions of one input that are written one by one, without a known basis."""

_KINDS = ("spline", "radial", "chebyshev", "base")
"""Order of the kinds of edges in a sum; the first op has the layer's name."""

_REMEDY = (
    "edges may be B-splines, radial functions, polynomials and the functions of the dialect, of "
    "one input each"
)


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


@dataclass(frozen=True, eq=False)
class _Edges:
    """Edges of one kind: a mask (out, in) of existing ones, and a function from name to op."""

    kind: str
    kept: NDArray[np.bool_]
    build: Callable[[str], EdgeOp]


class LayerWriter:
    """Collects the edges of a layer, then writes its nodes.

    Parameters
    ----------
    node : the node that computes the layer's nodes, for messages.
    """

    def __init__(self, name: str, node: Node, layer: LayerEdges, functions: FunctionWriter) -> None:
        self._name = name
        self._node = node
        self._layer = layer
        self._functions = functions
        self._edges: list[_Edges] = []

    def add_group(self, group: Group) -> None:
        """Add edges over a known basis."""
        layer, coefficients = self._layer, group.coefficients
        place = np.full(layer.inputs, CONSTANT)
        place[layer.columns(group.bottleneck.variables.ravel())] = np.arange(group.bottleneck.size)
        # Inputs outside the bottleneck have no edges; they borrow parameters of another input.
        elements = np.where(place == CONSTANT, 0, place)
        value = self._functions.value(group.bottleneck, elements)
        parameters = Parameters(value, elements, self._constant(coefficients))
        kept = np.asarray(coefficients.any(axis=2))
        self._add(group.basis.kind, kept, lambda name: group.basis.edges(parameters, name))

    def add_functions(self, tensor: Tensor, terms: Terms) -> None:
        """Add functions without a known basis, one for each input at a time."""
        variables = tensor.variables.ravel()
        columns = self._layer.columns(variables)
        if bool((variables[terms.elements] == CONSTANT).any()):
            raise self._node.refuse("it reads a constant that is not folded", "simplify the file")
        left = np.unique(terms.elements)
        for _ in range(MAX_FUNCTIONS):
            inputs, first = np.unique(columns[left], return_index=True)
            chosen = left[first]
            elements = np.full(self._layer.inputs, chosen[0])
            elements[inputs] = chosen
            self._add_function(tensor, elements, _only(terms, chosen), columns)
            left = np.delete(left, first)
            if not left.size:
                return
        raise tensor.op.refuse("the basis of a layer's edges is not known", _REMEDY)

    def _add_function(
        self, tensor: Tensor, elements: IntArray, terms: Terms, columns: IntArray
    ) -> None:
        """Add the functions elements[i] of `tensor`, one for each input, times weights."""
        weights = np.zeros((self._layer.outputs, self._layer.inputs))
        np.add.at(weights, (terms.rows, columns[terms.elements]), terms.weights)
        if not weights.any():
            return
        value = self._functions.value(tensor, elements)
        function = "identity"
        if isinstance(value.owner, MapOp):
            function, value = value.owner.function.data, value.owner.input
        constant = self._constant(weights)
        kept = np.asarray(weights != 0)
        self._add("base", kept, lambda name: BaseOp(function, value, constant, name=name))

    def write(self, bias: FloatArray) -> SSAValue:
        """Write the nodes (out): the sums over all edges, plus `bias`."""
        layer, to = self._layer, self._functions
        if not self._edges:
            # All nodes are constants; the layer keeps pruned edges of weight 0.
            weights = self._constant(np.zeros((layer.outputs, layer.inputs)))
            pruned = np.zeros((layer.outputs, layer.inputs), dtype=np.bool_)
            self._add(
                "base", pruned, lambda name: BaseOp("identity", to.inputs, weights, name=name)
            )
        total: SSAValue | None = None
        kept = np.zeros((layer.outputs, layer.inputs), dtype=np.bool_)
        names: set[str] = set()
        for edges in sorted(self._edges, key=lambda each: _rank(each.kind)):
            kept |= edges.kept
            value = to.add(edges.build(self._free_name(edges.kind, names)))
            total = value if total is None else to.add(arith.AddfOp(total, value))
        assert total is not None
        self._constant(bias)
        return to.add(NodeSumOp(total, mask=kept, bias=narrow_float(bias), name=self._name))

    def _add(self, kind: str, kept: NDArray[np.bool_], build: Callable[[str], EdgeOp]) -> None:
        self._edges.append(_Edges(kind, kept, build))

    def _constant(self, values: FloatArray) -> DenseAttr:
        """Parameters as a constant, checked to be finite."""
        if not bool(np.isfinite(values).all()):
            raise self._node.refuse(
                f"parameters of {self._name} are not finite", "train the model again"
            )
        return dense(narrow_float(values))

    def _free_name(self, kind: str, taken: set[str]) -> str:
        """`layer0` for the first op, then `layer0_base`, `layer0_base2`, ..."""
        name, count = self._name, 1
        while name in taken:
            name = f"{self._name}_{kind}" + (str(count) if count > 1 else "")
            count += 1
        taken.add(name)
        return name


def _rank(kind: str) -> int:
    """Place of a kind of edges in a sum; kinds of other packages come last."""
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS)


def _only(terms: Terms, elements: IntArray) -> Terms:
    mine = np.isin(terms.elements, elements)
    return Terms(terms.rows[mine], terms.elements[mine], terms.weights[mine])
