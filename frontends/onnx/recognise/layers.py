"""Recognises the layers of a graph, and writes them at spline level.

A layer is a sum that a nonlinear op reads; it becomes a `kan.node_sum` of edges. The sum is
expanded down to tensors that are known bases of its inputs (`basis_recognition.py`). The weights on
the way are the coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, TensorType, f32
from xdsl.ir import Block, SSAValue
from xdsl.transforms.dead_code_elimination import region_dce

from kan_dialect.frontends.naming import identifier
from kan_dialect.frontends.onnx.operators.dependence import CONSTANT, Kind, Source, Tensor
from kan_dialect.frontends.onnx.read.graph import Graph, Unrecognised
from kan_dialect.frontends.onnx.recognise.bases import BasisCombination, identity_of
from kan_dialect.frontends.onnx.recognise.basis_recognition import HALF_FACTOR, recognise
from kan_dialect.frontends.onnx.recognise.dataflow import Dataflow
from kan_dialect.frontends.onnx.recognise.function_ops import FunctionWriter
from kan_dialect.frontends.onnx.recognise.layer_ops import LayerEdges, LayerWriter
from kan_dialect.frontends.onnx.recognise.linear_terms import Terms, expand
from kan_dialect.frontends.onnx.recognise.regions import Probe
from kan_dialect.ir.functions import function_of
from kan_dialect.ops.layer import ConcatOp


@dataclass(frozen=True, eq=False)
class ImportedNetwork:
    """A network at spline level.

    Attributes
    ----------
    layers : number of layers.
    widest : most elements of a value of the graph, for one sample.
    rounding : largest error of results that is meant: their codes do not hold the file's biases.
    real : why a part of a quantised graph has no integers; None if all has, or is not quantised.
    """

    module: ModuleOp
    function: func.FuncOp
    layers: int
    widest: int
    rounding: float = 0.0
    real: Unrecognised | None = None


@np.errstate(all="ignore")  # Functions may overflow on test points.
def recognise_layers(graph: Graph, *, first: int = 0) -> ImportedNetwork:
    """Recognise the layers of a graph.

    Parameters
    ----------
    first : number of the first layer.

    Raises
    ------
    Unrecognised : the op where recognition stopped.
    """
    dataflow = Dataflow(graph)
    output = dataflow.run()
    block = Block(arg_types=[TensorType(f32, [dataflow.input.size])])
    block.args[0].name_hint = "x"
    builder = LayerBuilder(dataflow, block, first)
    result = builder.build(output)
    return finished_network(graph, block, result, builder.layers, dataflow.widest)


def finished_network(
    graph: Graph,
    block: Block,
    result: SSAValue,
    layers: int,
    widest: int,
) -> ImportedNetwork:
    """The network of the ops in a block, named after the file; dead ops are removed."""
    function = function_of(identifier(graph.path.stem), block, [result])
    region_dce(function.body)
    return ImportedNetwork(ModuleOp([function]), function, layers, widest)


class LayerBuilder:
    """Writes layers into `block`.

    Attributes
    ----------
    layers : number of layers that are written.
    """

    def __init__(self, dataflow: Dataflow, block: Block, first: int) -> None:
        self.dataflow = dataflow
        self._first = first
        self.block = block
        self._values: dict[Source, SSAValue] = {dataflow.sources[0]: block.args[0]}
        self._combinations: dict[Tensor, BasisCombination | None] = {}
        half = dataflow.graph.input_dtype == np.float16
        self.probe = Probe(HALF_FACTOR if half else 1.0)
        self.layers = 0

    def build(self, output: Tensor) -> SSAValue:
        """Write all layers, then the functions after the last one."""
        head = output.source or self._head_of(output)
        if head is not None:
            head.needed = True
        for source in self.dataflow.sources:
            if source.needed:
                self.value(source)
        return self.functions(output)

    def functions(self, tensor: Tensor) -> SSAValue:
        """A value that holds a tensor: functions of one source each, or of a layer."""
        head = tensor.source or self._head_of(tensor)
        if head is not None:
            head.needed = True
            elements = np.arange(tensor.size, dtype=np.int64)
            # A head that no elementwise ops compute becomes a layer with one edge for each node.
            # Ops left behind are dead.
            writer = FunctionWriter(self.block, self.value(head), self.probe)
            with suppress(Unrecognised):
                return writer.value(tensor, elements)
        return self.build_layer(tensor)

    def value(self, source: Source) -> SSAValue:
        """The value of a source; its layer is written where it is missing."""
        if source not in self._values:
            self._values[source] = self.build_layer(source.tensor)
        return self._values[source]

    def next_name(self) -> str:
        """The name of the next layer, which is counted."""
        self.layers += 1
        return f"layer{self._first + self.layers - 1}"

    def _head_of(self, output: Tensor) -> Source | None:
        """The source whose elements, in order, the output's elements are functions of; or None."""
        variables = output.variables.ravel()
        if bool((variables == CONSTANT).any()):
            return None
        source = self.dataflow.source_of(int(variables[0]))
        own = np.arange(source.first, source.first + source.count)
        if not np.array_equal(variables, own):
            return None
        # A contraction of one input is a layer of its own.
        below = expand(
            output,
            lambda each, _: each.source is source or each.kind is Kind.CONTRACTION or each.is_root,
        )
        summed = [each for each in below.terms if each.kind is Kind.CONTRACTION]
        return None if any(each.source is not source for each in summed) else source

    def build_layer(self, tensor: Tensor) -> SSAValue:
        """Write the layer whose nodes are the elements of `tensor`."""
        expansion = expand(
            tensor, lambda each, contracted: self._ends_expansion(each, contracted, tensor)
        )
        written: list[tuple[Tensor, Terms]] = []
        combinations: list[tuple[BasisCombination, Terms]] = []
        for operand, terms in expansion.terms.items():
            combination = self._combinations.get(operand)
            if combination is None:
                written.append((operand, terms))
            else:
                combinations.append((combination, terms))
        bottlenecks = [combination.bottleneck for combination, _ in combinations] + [
            operand for operand, _ in written
        ]
        sources = self._sources_of(bottlenecks)
        variables = [np.arange(each.first, each.first + each.count) for each in sources]
        budget = self.dataflow.graph.budget
        layer = LayerEdges(tensor.size, np.concatenate(variables), budget)
        for combination, terms in combinations:
            layer.add(combination, terms)
        functions = FunctionWriter(self.block, self._inputs(sources), self.probe)
        writer = LayerWriter(self.next_name(), tensor.op, layer, functions)
        for group in layer.merged_groups():
            writer.add_group(group)
        for operand, terms in written:
            writer.add_functions(operand, terms)
        return writer.write(expansion.bias)

    def _inputs(self, sources: Sequence[Source]) -> SSAValue:
        """The values of all sources side by side."""
        values = [self.value(source) for source in sources]
        if len(values) == 1:
            return values[0]
        concat = ConcatOp(values)
        self.block.add_op(concat)
        return concat.result

    def _ends_expansion(self, tensor: Tensor, contracted: bool, layer: Tensor) -> bool:
        """Whether a layer's expansion ends at `tensor`; `_combinations` then describes it."""
        if tensor is not layer and tensor.is_root:
            self._combinations[tensor] = identity_of(tensor)
            return True
        if tensor.source is not None or tensor.kind is Kind.CONTRACTION:
            return False
        if tensor.kind is Kind.MOVEMENT and len(tensor.arguments) == 1:
            return False
        variables = tensor.variables[tensor.variables != CONSTANT]
        if not all(self.dataflow.source_of(int(each)).needed for each in variables[:1]):
            return False
        if tensor not in self._combinations:
            self._combinations[tensor] = recognise(tensor, self.probe)
        combination = self._combinations[tensor]
        if (
            combination is None
            and contracted
            and tensor.kind is Kind.AFFINE
            and _is_scaling(tensor)
        ):
            # Scalings before a matrix product stay separate: the product keeps its weights.
            self._combinations[tensor] = combination = identity_of(tensor)
        return combination is not None

    def _sources_of(self, tensors: Sequence[Tensor]) -> list[Source]:
        """The sources on which tensors depend, in order; the input without any."""
        variables = np.unique(
            np.concatenate([[CONSTANT], *(each.variables.ravel() for each in tensors)])
        )
        sources = {self.dataflow.source_of(int(each)) for each in variables if each != CONSTANT}
        return sorted(sources, key=lambda source: source.first) or self.dataflow.sources[:1]


def _is_scaling(tensor: Tensor) -> bool:
    """Whether each element is a nonzero multiple of its own input or node, plus a constant."""
    variables = tensor.variables.ravel()
    if bool((variables == CONSTANT).any()) or np.unique(variables).size < variables.size:
        return False
    below = expand(tensor, lambda each, _: each.kind is Kind.CONTRACTION or each.is_root).terms
    factors = np.concatenate([terms.weights for terms in below.values()])
    return all(each.is_root for each in below) and np.count_nonzero(factors) == tensor.size
