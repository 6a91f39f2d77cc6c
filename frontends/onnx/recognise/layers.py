"""Raises a graph to the spline level: one `kan.node_sum` of edges for each set of nodes found.

Each sum that something nonlinear reads is a layer. It is expanded down to tensors that are known
bases of its inputs (`onnx_bases`); the weights that lead there are the coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, TensorType, f32
from xdsl.ir import Block, Region, SSAValue
from xdsl.transforms.dead_code_elimination import region_dce

from kan_dialect.frontends.naming import identifier
from kan_dialect.frontends.onnx.operators.dependence import CONSTANT, Kind, Source, Tensor
from kan_dialect.frontends.onnx.read.graph import Graph, Unrecognised
from kan_dialect.frontends.onnx.recognise.bases import HALF_FACTOR, Atom, identity_of, recognise
from kan_dialect.frontends.onnx.recognise.dataflow import Dataflow
from kan_dialect.frontends.onnx.recognise.edge_groups import LayerEdges
from kan_dialect.frontends.onnx.recognise.expressions import Expressions
from kan_dialect.frontends.onnx.recognise.layer_ops import LayerWriter
from kan_dialect.frontends.onnx.recognise.linear_terms import Terms, expand
from kan_dialect.frontends.onnx.recognise.regions import Probe
from kan_dialect.ops.layer import ConcatOp


@dataclass(frozen=True, eq=False)
class Raised:
    """A graph at the spline level.

    Attributes
    ----------
    layers : the name of each layer, the graph's value that holds its nodes, and theirs in the IR.
    widest : the most elements that a value of the graph has for one sample.
    """

    module: ModuleOp
    function: func.FuncOp
    layers: Sequence[tuple[str, str, SSAValue]]
    widest: int


def raise_layers(graph: Graph, *, first: int = 0) -> Raised:
    """The graph as a module of one function.

    Parameters
    ----------
    first : the number of its first layer.

    Raises
    ------
    Unrecognised : at the op where recognition stopped.
    """
    with np.errstate(all="ignore"):  # Functions are tried on points where they may overflow.
        return _raise(graph, first)


def _raise(graph: Graph, first: int) -> Raised:
    dataflow = Dataflow(graph)
    output = dataflow.run()
    block = Block(arg_types=[TensorType(f32, [dataflow.input.size])])
    block.args[0].name_hint = "x"
    raising = _Raising(dataflow, block, first)
    result = raising.raise_output(output)
    block.add_op(func.ReturnOp(result))
    function = func.FuncOp(
        identifier(graph.path.stem),
        ([block.args[0].type], [result.type]),
        Region(block),
    )
    module = ModuleOp([function])
    region_dce(function.body)
    return Raised(module, function, raising.layers, dataflow.widest)


class _Raising:
    """Raises layer after layer into `block`."""

    def __init__(self, dataflow: Dataflow, block: Block, first: int) -> None:
        self._dataflow = dataflow
        self._first = first
        self._block = block
        self._values: dict[Source, SSAValue] = {dataflow.sources[0]: block.args[0]}
        self._atoms: dict[Tensor, Atom | None] = {}
        half = dataflow.graph.input_dtype == np.float16
        self._probe = Probe(HALF_FACTOR if half else 1.0)
        self.layers: list[tuple[str, str, SSAValue]] = []

    def raise_output(self, output: Tensor) -> SSAValue:
        """All layers, then what stands after the last one."""
        head = output.source or self._head_of(output)
        if head is not None:
            head.needed = True
        for source in self._dataflow.sources[1:]:
            if source.needed:
                self._values[source] = self._raise_layer(source.tensor)
        if head is not None:
            elements = np.arange(output.size, dtype=np.int64)
            # What is no chain of maps is a layer with one edge for each node; the ops left behind
            # are dead.
            with suppress(Unrecognised):
                head_value = self._values[head]
                return Expressions(self._block, head_value, self._probe).value(output, elements)
        return self._raise_layer(output)

    def _head_of(self, output: Tensor) -> Source | None:
        """The source of which the output is a function, element by element, in order."""
        variables = output.variables.ravel()
        if bool((variables == CONSTANT).any()):
            return None
        source = self._dataflow.source_of(int(variables[0]))
        own = np.arange(source.first, source.first + source.count)
        if not np.array_equal(variables, own):
            return None
        # What a contraction adds up of one input is a layer of its own.
        below = expand(
            output,
            lambda each, _: (
                each.source is source or each.kind is Kind.CONTRACTION or _is_node(each)
            ),
        )
        summed = [each for each in below.terms if each.kind is Kind.CONTRACTION]
        return None if any(each.source is not source for each in summed) else source

    def _raise_layer(self, tensor: Tensor) -> SSAValue:
        """The nodes of a layer: the elements of `tensor`."""
        name = f"layer{self._first + len(self.layers)}"
        expansion = expand(tensor, lambda each, contracted: self._is_atom(each, contracted, tensor))
        written: list[tuple[Tensor, Terms]] = []
        atoms: list[tuple[Atom, Terms]] = []
        for operand, terms in expansion.terms.items():
            atom = self._atoms.get(operand)
            if atom is None:
                written.append((operand, terms))
            else:
                atoms.append((atom, terms))
        waists = [atom.waist for atom, _ in atoms] + [operand for operand, _ in written]
        sources = self._sources_of(waists)
        variables = [np.arange(each.first, each.first + each.count) for each in sources]
        budget = self._dataflow.graph.budget
        layer = LayerEdges(tensor.size, np.concatenate(variables), budget)
        for atom, terms in atoms:
            layer.add(atom, terms)
        expressions = Expressions(self._block, self._inputs(sources), self._probe)
        assert tensor.node is not None
        writer = LayerWriter(name, tensor.node, layer, expressions)
        for group in layer.merged_groups():
            writer.add_group(group)
        for operand, terms in written:
            writer.add_written(operand, terms)
        nodes = writer.write(expansion.bias)
        self.layers.append((name, tensor.name, nodes))
        return nodes

    def _inputs(self, sources: Sequence[Source]) -> SSAValue:
        """The values of all sources, side by side."""
        values = [self._values[source] for source in sources]
        if len(values) == 1:
            return values[0]
        concat = ConcatOp(values)
        self._block.add_op(concat)
        return concat.result

    def _is_atom(self, tensor: Tensor, contracted: bool, layer: Tensor) -> bool:
        """Whether the expansion of a layer stops at `tensor`, which `_atoms` then describes."""
        if tensor is not layer and _is_node(tensor):
            self._atoms[tensor] = identity_of(tensor)
            return True
        if tensor.source is not None or tensor.kind is Kind.CONTRACTION:
            return False
        if tensor.kind is Kind.MOVE and len(tensor.arguments) == 1:
            return False
        variables = tensor.variables[tensor.variables != CONSTANT]
        if not all(self._dataflow.source_of(int(each)).needed for each in variables[:1]):
            return False
        if tensor not in self._atoms:
            self._atoms[tensor] = recognise(tensor, self._probe)
        atom = self._atoms[tensor]
        if atom is None and contracted and tensor.kind is Kind.AFFINE and _is_scaling(tensor):
            # Inputs scaled before a matrix product: its weights stay as they are.
            self._atoms[tensor] = atom = identity_of(tensor)
        return atom is not None

    def _sources_of(self, tensors: Sequence[Tensor]) -> list[Source]:
        """The sources that tensors depend on, in order; the input where there are none."""
        variables = np.unique(
            np.concatenate([[CONSTANT], *(each.variables.ravel() for each in tensors)])
        )
        sources = {self._dataflow.source_of(int(each)) for each in variables if each != CONSTANT}
        return sorted(sources, key=lambda source: source.first) or self._dataflow.sources[:1]


def _is_node(tensor: Tensor) -> bool:
    """Whether the elements of a tensor are inputs or nodes of the network."""
    return tensor.source is not None and tensor.source.needed


def _is_scaling(tensor: Tensor) -> bool:
    """Whether each element is an input or node of its own times a constant, not 0, plus another."""
    variables = tensor.variables.ravel()
    if bool((variables == CONSTANT).any()) or np.unique(variables).size < variables.size:
        return False
    below = expand(tensor, lambda each, _: each.kind is Kind.CONTRACTION or _is_node(each)).terms
    factors = np.concatenate([terms.weights for terms in below.values()])
    return all(_is_node(each) for each in below) and np.count_nonzero(factors) == tensor.size
