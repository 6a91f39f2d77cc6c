"""Builds the tensors of a graph: what each element depends on, and how to compute it.

Each method `add_...` makes one tensor, for one kind of operation. It refuses an operation whose
result is no sum of functions of one variable each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from math import prod
from typing import TypeAlias

import numpy as np

from kan_dialect.frontends.onnx.operators.contraction import Contraction, one_sample
from kan_dialect.frontends.onnx.operators.dependence import (
    CONSTANT,
    Kind,
    LinearForm,
    Part,
    Run,
    Source,
    Tensor,
)
from kan_dialect.frontends.onnx.operators.elementwise import kernel
from kan_dialect.frontends.onnx.operators.movement import DYNAMIC_BATCH, Movement, movements
from kan_dialect.frontends.onnx.operators.refusals import (
    NORMALISED_PRODUCT,
    PRODUCT,
    PRODUCT_REMEDY,
)
from kan_dialect.frontends.onnx.read.graph import MAX_WIDTH, Graph, Node
from kan_dialect.ir.constants import Array, FloatArray, IntArray

Value: TypeAlias = Tensor | Array

REDUCTIONS = {"ReduceSum": False, "ReduceMean": True}
"""Reductions that are linear -> whether they divide by the number of elements."""


class TensorBuilder:
    """The tensors of a graph, in the order in which they are added.

    Attributes
    ----------
    batch : number of samples of a batch; `DYNAMIC_BATCH` if it is open.
    input : the graph's input.
    sources : the tensors whose elements are variables, in order; the input is the first.
    tensors : all tensors, in order.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.sources: list[Source] = []
        self.tensors: list[Tensor] = []
        self._readers = Counter(
            [graph.output, *(name for node in graph.nodes for name in node.inputs)]
        )
        self.batch, self.input = self._make_input()

    @property
    def widest(self) -> int:
        """Most elements of a value, for one sample."""
        return max(tensor.size for tensor in self.tensors)

    def source_of(self, variable: int) -> Source:
        """The source of a variable."""
        firsts = [source.first for source in self.sources]
        return self.sources[int(np.searchsorted(firsts, variable, side="right")) - 1]

    def need(self, variables: IntArray) -> None:
        """Mark the sources of `variables` as needed: they must become nodes."""
        firsts = np.array([source.first for source in self.sources])
        used = variables[variables != CONSTANT]
        present = np.bincount(
            np.searchsorted(firsts, used, side="right") - 1, minlength=len(self.sources)
        )
        for index in np.flatnonzero(present):
            self.sources[index].needed = True

    def make_source(self, tensor: Tensor, *, needed: bool = False) -> None:
        """Turn the elements of a tensor into variables of their own."""
        first = self.sources[-1].first + self.sources[-1].count if self.sources else 0
        tensor.variables = np.arange(first, first + tensor.size, dtype=np.int64).reshape(
            tensor.shape
        )
        tensor.source = Source(tensor, first, needed)
        self.sources.append(tensor.source)

    def _make_input(self) -> tuple[int, Tensor]:
        axis, extents = self.graph.batch_axis, self.graph.sample_shape
        batch = self.graph.input_shape[axis] or DYNAMIC_BATCH
        extents.insert(axis, 1)
        if prod(extents) > MAX_WIDTH:
            raise self.graph.too_wide("input", self.graph.input, prod(extents))
        self.graph.budget.charge(16 * prod(extents), f"input '{self.graph.input}'")
        tensor = Tensor(
            order=0,
            name=self.graph.input,
            node=None,
            kind=Kind.INPUT,
            arguments=(),
            batch_axis=axis,
            variables=np.zeros(extents, dtype=np.int64),
        )
        self.make_source(tensor, needed=True)
        self.tensors.append(tensor)
        return batch, tensor

    def file_shape(self, value: Value) -> tuple[int, ...]:
        """Extents of a value in the file."""
        if isinstance(value, np.ndarray):
            return value.shape
        if self.graph.vector is not None:
            return value.shape[1:]
        shape = list(value.shape)
        shape[value.batch_axis] = self.batch
        return tuple(shape)

    def moved(self, node: Node, operands: Sequence[Value | None]) -> list[Tensor]:
        """Add a tensor for each result of a movement operator."""
        one_batch = self.graph.vector is not None
        opset, budget = self.graph.opset, self.graph.budget
        found = movements(node, operands, self.batch, opset, budget, one_batch=one_batch)
        return [
            self.add_movement(node, move, name)
            for move, name in zip(found, node.outputs, strict=False)
        ]

    def add_movement(self, node: Node, movement: Movement, name: str | None = None) -> Tensor:
        """Add a tensor whose elements are elements of others, or constants."""
        form = movement.linear
        constants = [] if movement.constants is None else [movement.constants]
        return self.add_tensor(
            node,
            Kind.MOVEMENT,
            [*movement.tensors, *constants],
            movement.batch_axis,
            movement.variables,
            lambda: form,
            name,
        )

    def add_contraction(
        self, node: Node, contraction: Contraction, *, weighted: bool = True
    ) -> Tensor:
        """Add the tensor of a contraction.

        It becomes a source if an element adds up functions of several variables, or if all elements
        depend on one variable: with one input, the nodes of a layer show only there. Sums that a
        `weighted` contraction reads are nodes, so layers without a nonlinearity between them remain
        layers with the weights of the file.

        Parameters
        ----------
        weighted : whether the contraction has weights, unlike a plain sum or mean.
        """
        variables, mixed = contraction.variables()
        # Weights are kept in float64, each time the file reads them.
        self.graph.budget.charge(contraction.weights.nbytes, node.label)
        used = variables[variables != CONSTANT]
        tensor = self.add_tensor(
            node,
            Kind.CONTRACTION,
            [contraction.data],
            contraction.batch_axis,
            variables,
            linear=contraction.linear,
        )
        if mixed or (used.size and used.min() == used.max()):
            if weighted:
                self.need(contraction.data.variables)
            self.make_source(tensor)
        return tensor

    def add_affine(
        self, node: Node, arguments: Sequence[Value], factors: Sequence[float | FloatArray | None]
    ) -> Tensor:
        """Add the sum of `arguments`, each times its factor, without those whose factor is None."""
        aligned, batch = self._aligned(node, arguments)
        variables = self.broadcast_variables(node, aligned)
        axis = batch - variables.ndim
        terms = [
            (argument, one_sample(np.asarray(factor, dtype=np.float64), axis, node))
            for argument, factor in zip(aligned, factors, strict=True)
            if factor is not None
        ]

        constants = [each * factor for each, factor in terms if isinstance(each, np.ndarray)]
        offset = sum(constants, np.zeros(variables.shape)).ravel() if constants else None
        parts: list[Part] = []
        for argument, factor in terms:
            if isinstance(argument, Tensor):
                elements = np.broadcast_to(argument.labels, variables.shape).ravel()
                scale = np.broadcast_to(factor, variables.shape).ravel()
                plain = None if bool((scale == 1.0).all()) else scale
                parts.append(Part(argument, None, elements, plain))
        form = LinearForm(parts, offset)
        result = self.add_tensor(node, Kind.AFFINE, aligned, batch, variables, lambda: form)
        if _is_mixed(aligned, variables) or self._shifts_nodes(node, aligned):
            self.make_source(result)
        return result

    def _shifts_nodes(self, node: Node, arguments: Sequence[Value]) -> bool:
        """Whether a constant is added to nodes without other readers, as their bias.

        Several constants for a node are no bias, but the centres of the functions that read it.
        """
        operands = [each for each in arguments if isinstance(each, Tensor)]
        if len(operands) != 1 or node.op_type not in ("Add", "Mean", "Sub", "Sum"):
            return False
        tensor = operands[0]
        if prod(np.broadcast_shapes(*(each.shape for each in arguments))) > tensor.size:
            return False
        while self._readers[tensor.name] <= 1:
            if tensor.source is not None:
                return tensor.kind is not Kind.INPUT and not tensor.source.needed
            if tensor.kind is not Kind.MOVEMENT or len(tensor.operands) != 1:
                return False
            tensor = tensor.operands[0]
        return False

    def add_function(self, node: Node, arguments: Sequence[Value]) -> Tensor:
        """Add a nonlinear function of one element of each argument.

        Raises
        ------
        Unrecognised : the arguments depend on different variables.
        """
        aligned, batch = self._aligned(node, arguments)
        variables = self.broadcast_variables(node, aligned)
        if _is_mixed(aligned, variables):
            normalised = node.op_type in ("Div", "Mul") and any(
                _comes_from_reduction(each) for each in aligned if isinstance(each, Tensor)
            )
            raise node.refuse(NORMALISED_PRODUCT if normalised else PRODUCT, PRODUCT_REMEDY)
        self.need(variables)
        return self.add_tensor(
            node, Kind.FUNCTION, aligned, batch, variables, run=kernel(node, self.graph.opset)
        )

    def _aligned(self, node: Node, arguments: Sequence[Value]) -> tuple[list[Value], int]:
        """Align arguments so that they broadcast, with extent 1 along the batch.

        Returns
        -------
        The arguments, and the batch axis of the result.

        Raises
        ------
        Unrecognised : the arguments have different batch axes.
        """
        if self.graph.vector is not None:
            arguments = self._of_one_rank(node, arguments)
        axes = {each.batch_axis - len(each.shape) for each in arguments if isinstance(each, Tensor)}
        if len(axes) != 1:
            raise node.refuse("it combines different samples of a batch")
        (axis,) = axes
        aligned = [
            each if isinstance(each, Tensor) else one_sample(each, axis, node) for each in arguments
        ]
        return aligned, axis + max(len(each.shape) for each in aligned)

    def _of_one_rank(self, node: Node, arguments: Sequence[Value]) -> list[Value]:
        """Insert axes behind the batch that the file's operator does not have."""
        rank = max(len(each.shape) + isinstance(each, np.ndarray) for each in arguments)
        ranked: list[Value] = []
        for position, argument in enumerate(arguments):
            if isinstance(argument, Tensor) and len(argument.shape) < rank:
                axes = tuple(range(1, 1 + rank - len(argument.shape)))
                moved = Movement([argument], np.expand_dims(argument.labels, axes), 0)
                name = f"{node.outputs[0]} operand {position}"
                argument = self.add_movement(node, moved, name)
            ranked.append(argument)
        return ranked

    def broadcast_variables(self, node: Node, arguments: Sequence[Value]) -> IntArray:
        """Variable of each element of an elementwise result: that of the first argument that has
        one.
        """
        shape = np.broadcast_shapes(*(argument.shape for argument in arguments))
        self.graph.budget.check(24 * prod(shape), node.label)
        variables = np.full(shape, CONSTANT, dtype=np.int64)
        for argument in arguments:
            if isinstance(argument, Tensor):
                variables = np.where(variables == CONSTANT, argument.variables, variables)
        return variables

    def add_tensor(
        self,
        node: Node,
        kind: Kind,
        arguments: Sequence[Value],
        batch_axis: int,
        variables: IntArray,
        linear: Callable[[], LinearForm] | None = None,
        name: str | None = None,
        run: Run | None = None,
    ) -> Tensor:
        if variables.size == 0:
            raise node.refuse(
                f"its result has shape {list(variables.shape)}: an extent is 0",
                "export a model without empty layers",
            )
        if variables.shape[batch_axis] != 1:
            raise node.refuse("it treats the samples of a batch differently")
        self.graph.budget.charge(variables.nbytes, node.label)
        tensor = Tensor(
            order=len(self.tensors),
            name=name or node.outputs[0],
            node=node,
            kind=kind,
            arguments=tuple(arguments),
            batch_axis=batch_axis,
            variables=variables,
            linear=linear,
            run=run,
        )
        self.tensors.append(tensor)
        return tensor


def _is_mixed(arguments: Sequence[Value], variables: IntArray) -> bool:
    """Whether an argument depends on other variables than `variables`."""
    return any(
        bool(((argument.variables != CONSTANT) & (argument.variables != variables)).any())
        for argument in arguments
        if isinstance(argument, Tensor)
    )


def _comes_from_reduction(tensor: Tensor) -> bool:
    """Whether one of the last ops before the tensor is a reduction over several inputs."""
    for _ in range(8):
        if tensor.kind is Kind.CONTRACTION:
            return tensor.node is not None and tensor.node.op_type in REDUCTIONS
        if not tensor.operands:
            return False
        tensor = tensor.operands[-1]
    return False


def given_operands(operands: Sequence[Value | None]) -> list[Value]:
    """The operands that the node gives."""
    return [operand for operand in operands if operand is not None]
