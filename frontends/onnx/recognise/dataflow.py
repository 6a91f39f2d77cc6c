"""Follows the input through the graph: what each value depends on, and how.

No op sequence is matched. Every op says of its result which input or node each element depends on
(`onnx_values`), so that different writings of one layer come out alike. Stops at the first op whose
result is no sum of functions of one value each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from kan_dialect.frontends.onnx.operators import contraction as onnx_contraction
from kan_dialect.frontends.onnx.operators import folding
from kan_dialect.frontends.onnx.operators.contraction import Contraction, one_sample
from kan_dialect.frontends.onnx.operators.dependence import (
    CONSTANT,
    Kind,
    LinearForm,
    Part,
    Run,
    Source,
    Tensor,
    move_form,
)
from kan_dialect.frontends.onnx.operators.elementwise import ELEMENTWISE, apply_kernel
from kan_dialect.frontends.onnx.operators.movement import MOVES, Site, concatenation, split_moves
from kan_dialect.frontends.onnx.operators.refusals import (
    NORMALISED_PRODUCT,
    PRODUCT,
    PRODUCT_REMEDY,
    REFUSALS,
    UNKNOWN,
)
from kan_dialect.frontends.onnx.operators.scatter import SCATTERS, scatter_move
from kan_dialect.frontends.onnx.read.graph import MAX_WIDTH, Graph, Node
from kan_dialect.ir.constants import Array, FloatArray, IntArray

Value = Tensor | Array

DYNAMIC_BATCH = 7
"""The extent that stands for a batch left open: a prime, so that reshapes do not hide it."""

_REDUCTIONS = {"ReduceSum": False, "ReduceMean": True}


class Dataflow:
    """The values of a graph, once `run` has been through it.

    Attributes
    ----------
    input, output : the graph's.
    sources : the tensors whose elements are variables, in order; the input is the first.
    tensors : all that depends on the input, in order.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.sources: list[Source] = []
        self.tensors: list[Tensor] = []
        self._values: dict[str, Value] = dict(graph.constants)
        self._readers = _count_readers(graph)
        self.batch, self.input = self._make_input()

    def run(self) -> Tensor:
        """Interpret all nodes; the output.

        Raises
        ------
        Unrecognised : at the first op that has no place in a KAN.
        KanError : the output does not depend on the input.
        """
        for node in self.graph.nodes:
            try:
                results = self._interpret(node)
            except (ValueError, IndexError, TypeError, OverflowError, MemoryError) as error:
                # NumPy says what does not fit; an op's operands come from the file.
                raise node.refuse(f"its operands do not fit it: {error}") from None
            self._values.update(zip(node.outputs, results, strict=False))
        output = self._values[self.graph.output]
        if not isinstance(output, Tensor):
            raise self.graph.error("the output does not depend on the input")
        if output.size > MAX_WIDTH:
            raise self.graph.too_wide("output", self.graph.output, output.size)
        # The check runs whole batches, where their size is fixed, and holds a few values at a time.
        if None not in self.graph.input_shape:
            size = 64 * self.batch * self.widest
            self.graph.budget.check(size, f"a batch of {self.batch} samples")
        return output

    @property
    def widest(self) -> int:
        """The most elements that a value has for one sample."""
        return max(tensor.size for tensor in self.tensors)

    def source_of(self, variable: int) -> Source:
        """The source that a variable is an element of."""
        firsts = [source.first for source in self.sources]
        return self.sources[int(np.searchsorted(firsts, variable, side="right")) - 1]

    def need(self, variables: IntArray) -> None:
        """The sources of `variables` must become nodes."""
        firsts = np.array([source.first for source in self.sources])
        used = variables[variables != CONSTANT]
        present = np.bincount(
            np.searchsorted(firsts, used, side="right") - 1, minlength=len(self.sources)
        )
        for index in np.flatnonzero(present):
            self.sources[index].needed = True

    def make_source(self, tensor: Tensor, *, needed: bool = False) -> None:
        """Make the elements of a tensor variables of their own."""
        first = self.sources[-1].first + self.sources[-1].count if self.sources else 0
        tensor.variables = np.arange(first, first + tensor.size, dtype=np.int64).reshape(
            tensor.shape
        )
        tensor.source = Source(tensor, first, needed)
        self.sources.append(tensor.source)

    def _make_input(self) -> tuple[int, Tensor]:
        shape = self.graph.input_shape
        axis = shape.index(None) if None in shape else 0
        batch = shape[axis] or DYNAMIC_BATCH
        extents = [1 if index == axis else extent or 1 for index, extent in enumerate(shape)]
        if prod(extents) > MAX_WIDTH:
            raise self.graph.too_wide("input", self.graph.input, prod(extents))
        self.graph.budget.charge(16 * prod(extents), f"input '{self.graph.input}'")
        tensor = Tensor(
            order=0,
            name=self.graph.input,
            node=None,
            kind=Kind.INPUT,
            arguments=(),
            run=_no_run,
            batch_axis=axis,
            variables=np.zeros(extents, dtype=np.int64),
        )
        self.make_source(tensor, needed=True)
        self.tensors.append(tensor)
        self._values[self.graph.input] = tensor
        return batch, tensor

    def _interpret(self, node: Node) -> list[Value]:
        operands = [self._value(node, name) if name else None for name in node.inputs]
        tensors = [operand for operand in operands if isinstance(operand, Tensor)]
        if not tensors:
            constants = [each for each in operands if not isinstance(each, Tensor)]
            return list(folding.fold(node, constants, self.graph.budget))
        if node.op_type in ("Shape", "Size"):
            shape = self._full_shape(tensors[0])
            known = folding.shape_slice(node, shape)
            return [known if node.op_type == "Shape" else np.array(prod(shape), np.int64)]
        if node.op_type == "Split" and isinstance(operands[0], Tensor):
            return self._split(node, operands[0], operands[1:])
        return [self._result(node, operands)]

    def _value(self, node: Node, name: str) -> Value:
        if name not in self._values:
            raise node.refuse(f"it reads '{name}', a further result that is not supported")
        return self._values[name]

    def _result(self, node: Node, operands: Sequence[Value | None]) -> Tensor:
        first = operands[0]
        if node.op_type in MOVES and isinstance(first, Tensor):
            move = MOVES[node.op_type](self._site(node, first, operands[1:]))
            return self._moved(node, move.arrange, [first], move.batch_axis or 0)
        if node.op_type in SCATTERS:
            move, arguments = scatter_move(node, operands, self.batch, self.graph.budget)
            return self._moved(node, move.arrange, arguments, move.batch_axis or 0)
        if node.op_type in _REDUCTIONS and isinstance(first, Tensor):
            return self._reduce(node, first, operands[1:])
        handler = _HANDLERS.get(node.op_type)
        if handler is not None:
            return handler(self, node, operands)
        if node.op_type in ELEMENTWISE:
            return self._function(node, _given(node, operands))
        reason, remedy = REFUSALS.get(node.op_type, UNKNOWN)
        raise node.refuse(reason, remedy)

    # Moves

    def _full_shape(self, tensor: Tensor) -> tuple[int, ...]:
        shape = list(tensor.shape)
        shape[tensor.batch_axis] = self.batch
        return tuple(shape)

    def _site(self, node: Node, operand: Tensor, further: Sequence[Value | None]) -> Site:
        constants: list[Array | None] = []
        for argument in further:
            if isinstance(argument, Tensor):
                raise node.refuse("where it moves values to depends on the input", UNKNOWN[1])
            constants.append(argument)
        return Site(
            node, self._full_shape(operand), operand.batch_axis, constants, self.graph.budget
        )

    def _split(self, node: Node, operand: Tensor, further: Sequence[Value | None]) -> list[Value]:
        moves = split_moves(self._site(node, operand, further), len(node.outputs))
        return [
            self._moved(node, move.arrange, [operand], operand.batch_axis, name)
            for move, name in zip(moves, node.outputs, strict=True)
        ]

    def _moved(
        self,
        node: Node,
        arrange: Run,
        arguments: Sequence[Value],
        batch_axis: int,
        name: str | None = None,
    ) -> Tensor:
        """A tensor whose elements are those of `arguments`, moved by `arrange`."""
        variables = arrange(
            [
                argument.variables
                if isinstance(argument, Tensor)
                else np.full(argument.shape, CONSTANT, dtype=np.int64)
                for argument in arguments
            ]
        )
        return self._add_tensor(
            node,
            Kind.MOVE,
            arguments,
            _with_constants(arguments, arrange),
            batch_axis,
            variables,
            linear=lambda: move_form(arrange, arguments),
            name=name,
        )

    def concat(self, node: Node, operands: Sequence[Value | None]) -> Tensor:
        arguments = _given(node, operands)
        first = next(each for each in arguments if isinstance(each, Tensor))
        rank, batch = len(first.shape), first.batch_axis
        axis = node.integer("axis", 0)
        if not -rank <= axis < rank or any(len(each.shape) != rank for each in arguments):
            raise node.refuse(f"its operands cannot be concatenated along axis {axis}")
        axis %= rank
        if axis == batch or any(
            isinstance(each, Tensor) and each.batch_axis != batch for each in arguments
        ):
            raise node.refuse("it concatenates samples of the batch")
        aligned = [
            each if isinstance(each, Tensor) else one_sample(each, batch - rank, node)
            for each in arguments
        ]
        return self._moved(node, concatenation(axis, batch), aligned, batch)

    def cast(self, node: Node, operands: Sequence[Value | None]) -> Tensor:
        """To floats a move, whatever the width: functions are evaluated in float64."""
        operand = operands[0]
        assert isinstance(operand, Tensor)
        if node.op_type == "CastLike":
            like = operands[1]
            dtype = like.dtype if isinstance(like, np.ndarray) else np.dtype(np.float32)
        else:
            dtype = folding.cast_dtype(node)
        if dtype.kind == "f":
            tensor = self._moved(node, lambda arrays: arrays[0], [operand], operand.batch_axis)
            tensor.run = lambda arrays: arrays[0].astype(np.float64)
            return tensor
        kind = np.bool_ if dtype.kind == "b" else np.int64
        self.need(operand.variables)
        return self._add_tensor(
            node,
            Kind.FUNCTION,
            [operand],
            lambda arrays: np.nan_to_num(arrays[0]).astype(kind),
            operand.batch_axis,
            operand.variables,
        )

    # Sums

    def add(self, node: Node, operands: Sequence[Value | None]) -> Tensor:
        """Add, Sub, Sum, Mean and Neg: sums of operands times 1, -1 or 1 / n."""
        arguments = _given(node, operands)
        factors = [1.0] * len(arguments)
        if node.op_type == "Mean":
            factors = [1.0 / len(arguments)] * len(arguments)
        elif node.op_type in ("Sub", "Neg"):
            factors[-1] = -1.0
        return self._affine(node, arguments, factors)

    def multiply(self, node: Node, operands: Sequence[Value | None]) -> Tensor:
        """Mul and Div; by a constant they are linear."""
        arguments = _given(node, operands)
        if len(arguments) != 2:
            raise node.refuse(f"{len(arguments)} operands instead of 2")
        first, second = arguments
        if isinstance(second, np.ndarray):
            scale = second.astype(np.float64)
            if node.op_type == "Mul":
                return self._scaled(node, arguments, 0, scale)
            if bool((scale != 0).all()):
                return self._scaled(node, arguments, 0, 1.0 / scale)
        elif isinstance(first, np.ndarray) and node.op_type == "Mul":
            return self._scaled(node, arguments, 1, first.astype(np.float64))
        return self._function(node, arguments)

    def matmul(self, node: Node, operands: Sequence[Value | None]) -> Tensor:
        return self._contraction(node, self._matrix_product(node, _given(node, operands)))

    def gemm(self, node: Node, operands: Sequence[Value | None]) -> Tensor:
        """alpha * A' * B' + beta * C, as its product, scalings and sum."""
        a, b = _given(node, operands[:2])
        if node.integer("transA", 0):
            a = self._transposed(node, a)
        if node.integer("transB", 0):
            b = self._transposed(node, b)
        alpha = node.number("alpha", 1.0)
        product: Value
        if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
            product = self._times(node, np.asarray(np.matmul(a, b)), alpha)
        else:
            if isinstance(a, Tensor):  # The factor goes into the weights.
                b = self._times(node, b, alpha)
            else:
                a = self._times(node, a, alpha)
            inner = _inner(node, "MatMul", "product")
            product = self._contraction(inner, self._matrix_product(inner, [a, b]))
        if len(operands) < 3 or operands[2] is None:
            assert isinstance(product, Tensor)
            return product
        bias = self._times(node, operands[2], node.number("beta", 1.0))
        return self._affine(replace(node, op_type="Add"), [product, bias], [1.0, 1.0])

    def _times(self, node: Node, value: Value, factor: float) -> Value:
        if factor == 1.0:
            return value
        if isinstance(value, np.ndarray):
            return value.astype(np.float64) * factor
        scale = np.array(factor)
        return self._scaled(_inner(node, "Mul", "scaled"), [value, scale], 0, scale)

    def _transposed(self, node: Node, value: Value) -> Value:
        if isinstance(value, np.ndarray):
            return value.T
        if len(value.shape) != 2:
            raise node.refuse("it transposes what is no matrix")
        inner = _inner(node, "Transpose", "transposed")
        return self._moved(inner, lambda arrays: arrays[0].T, [value], 1 - value.batch_axis)

    def einsum(self, node: Node, operands: Sequence[Value | None]) -> Tensor:
        arguments = _given(node, operands)
        if sum(isinstance(each, Tensor) for each in arguments) > 1:
            raise node.refuse(PRODUCT, PRODUCT_REMEDY)
        return self._contraction(node, onnx_contraction.einsum(node, arguments, self.graph.budget))

    def _matrix_product(self, node: Node, arguments: Sequence[Value]) -> Contraction:
        if all(isinstance(each, Tensor) for each in arguments):
            raise node.refuse(PRODUCT, PRODUCT_REMEDY)
        return onnx_contraction.matrix_product(node, arguments)

    def _reduce(self, node: Node, operand: Tensor, further: Sequence[Value | None]) -> Tensor:
        axes = further[0] if further else None
        if isinstance(axes, Tensor):
            raise node.refuse("the axes depend on the input")
        rank = len(operand.shape)
        reduced = folding.reduced_axes(node, rank, axes)
        keep = bool(node.integer("keepdims", 1))
        if all(operand.shape[axis] == 1 and axis != operand.batch_axis for axis in reduced):
            dropped = () if keep else reduced
            after = operand.batch_axis - sum(axis < operand.batch_axis for axis in dropped)
            return self._moved(
                node, lambda arrays: np.squeeze(arrays[0], dropped), [operand], after
            )
        contraction = onnx_contraction.reduction(
            node, operand, reduced, keep=keep, mean=_REDUCTIONS[node.op_type]
        )
        return self._contraction(node, contraction, weighted=False)

    def _contraction(
        self, node: Node, contraction: Contraction, *, weighted: bool = True
    ) -> Tensor:
        """The tensor of a contraction.

        It starts variables of its own where an element adds up functions of several variables, and
        where all depend on one variable: with one input, the nodes of a layer show only there. What
        a `weighted` one reads, if sums itself, are nodes: layers without a nonlinearity between
        them stay layers, with their weights as they are.
        """
        variables, mixed = contraction.variables(self.graph.budget, node)
        # They are kept, in float64, however often the file reads the same ones.
        self.graph.budget.charge(contraction.weights.nbytes, node.label)
        used = variables[variables != CONSTANT]
        tensor = self._add_tensor(
            node,
            Kind.CONTRACTION,
            [contraction.data],
            contraction.run,
            contraction.batch_axis,
            variables,
            linear=contraction.linear,
        )
        if mixed or (used.size and used.min() == used.max()):
            if weighted:
                self.need(contraction.data.variables)
            self.make_source(tensor)
        return tensor

    def _scaled(
        self, node: Node, arguments: Sequence[Value], position: int, scale: FloatArray
    ) -> Tensor:
        """Argument `position` times `scale`, which the other one is or stands for."""
        aligned, batch = _align(node, arguments)
        tensor = aligned[position]
        assert isinstance(tensor, Tensor)
        scale = one_sample(scale, tensor.batch_axis - len(tensor.shape), node)
        variables = self._broadcast(node, aligned)

        def linear() -> LinearForm:
            factors = np.broadcast_to(scale, variables.shape).ravel()
            return LinearForm([Part(tensor, None, result.elements_of(tensor), factors)])

        result = self._add_tensor(
            node, Kind.AFFINE, aligned, _elementwise(node, aligned), batch, variables, linear
        )
        return result

    def _affine(self, node: Node, arguments: Sequence[Value], factors: Sequence[float]) -> Tensor:
        """The sum of `arguments`, each times a number."""
        aligned, batch = _align(node, arguments)
        variables = self._broadcast(node, aligned)
        mixed = _is_mixed(aligned, variables)

        def linear() -> LinearForm:
            offset = np.zeros(variables.shape)
            parts: list[Part] = []
            for argument, factor in zip(aligned, factors, strict=True):
                if isinstance(argument, Tensor):
                    scale = None if factor == 1.0 else np.full(result.size, factor)
                    parts.append(Part(argument, None, result.elements_of(argument), scale))
                else:
                    offset = offset + argument.astype(np.float64) * factor
            return LinearForm(parts, offset.ravel())

        result = self._add_tensor(
            node, Kind.AFFINE, aligned, _elementwise(node, aligned), batch, variables, linear
        )
        if mixed or self._shifts_nodes(node, aligned):
            self.make_source(result)
        return result

    def _shifts_nodes(self, node: Node, arguments: Sequence[Value]) -> bool:
        """Whether a constant is added to nodes that nothing else reads: then it is their bias."""
        operands = [each for each in arguments if isinstance(each, Tensor)]
        if len(operands) != 1 or node.op_type == "Neg":
            return False
        tensor = operands[0]
        while self._readers.get(tensor.name, 1) == 1:
            if tensor.source is not None:
                return tensor.kind is not Kind.INPUT and not tensor.source.needed
            if tensor.kind is not Kind.MOVE or len(tensor.operands) != 1:
                return False
            tensor = tensor.operands[0]
        return False

    # Functions

    def clip(self, node: Node, operands: Sequence[Value | None]) -> Tensor:
        operand = operands[0]
        bounds = [each for each in operands[1:] if not isinstance(each, Tensor)]
        if not isinstance(operand, Tensor) or len(bounds) != len(operands) - 1:
            raise node.refuse("its bounds depend on the input", PRODUCT_REMEDY)
        filled = folding.clip_bounds(node, np.dtype(np.float64), [None, *bounds])
        return self._function(node, [operand, *filled])

    def where(self, node: Node, operands: Sequence[Value | None]) -> Tensor:
        """With a constant condition a move of two operands, else a function of three."""
        arguments = _given(node, operands)
        condition = arguments[0]
        if isinstance(condition, Tensor) or len(arguments) != 3:
            return self._function(node, arguments)
        aligned, batch = _align(node, arguments)
        chosen = aligned[0]
        assert isinstance(chosen, np.ndarray)
        self._broadcast(node, aligned, mixing=True)
        return self._moved(node, lambda arrays: np.where(chosen, *arrays), aligned[1:], batch)

    def batch_norm(self, node: Node, operands: Sequence[Value | None]) -> Tensor:
        """In evaluation: (x - mean) / sqrt(variance + epsilon) * scale + bias, for each channel."""
        operand = operands[0]
        parameters = [
            each.astype(np.float64) for each in operands[1:5] if isinstance(each, np.ndarray)
        ]
        if node.integer("training_mode", 0):
            raise node.refuse(
                "the batch normalisation is in training mode",
                "export the model in evaluation mode (model.eval())",
            )
        if not isinstance(operand, Tensor) or len(parameters) != 4 or operand.batch_axis != 0:
            raise node.refuse("its parameters are no constants", UNKNOWN[1])
        scale, bias, mean, variance = parameters
        with np.errstate(all="ignore"):
            gain = scale / np.sqrt(variance + float(np.float32(node.number("epsilon", 1e-5))))
        shift = bias - mean * gain
        if not np.isfinite(gain).all() or not np.isfinite(shift).all():
            raise node.refuse("its variance is negative or not finite", "train the model again")
        shape = (-1,) + (1,) * (len(operand.shape) - 2)
        gain, shift = gain.reshape(shape), shift.reshape(shape)
        scaled = self._scaled(_inner(node, "Mul", "scaled"), [operand, gain], 0, gain)
        return self._affine(replace(node, op_type="Add"), [scaled, shift], [1.0, 1.0])

    def _function(self, node: Node, arguments: Sequence[Value]) -> Tensor:
        """A nonlinear function of one element of each argument."""
        aligned, batch = _align(node, arguments)
        variables = self._broadcast(node, aligned)
        if _is_mixed(aligned, variables):
            normalised = node.op_type in ("Div", "Mul") and any(
                _comes_from_reduction(each) for each in aligned if isinstance(each, Tensor)
            )
            raise node.refuse(NORMALISED_PRODUCT if normalised else PRODUCT, PRODUCT_REMEDY)
        self.need(variables)
        return self._add_tensor(
            node, Kind.FUNCTION, aligned, _elementwise(node, aligned), batch, variables
        )

    def _broadcast(
        self, node: Node, arguments: Sequence[Value], *, mixing: bool = False
    ) -> IntArray:
        """The variable of each element of a result: that of the first argument that has one."""
        shape = np.broadcast_shapes(*(argument.shape for argument in arguments))
        if not mixing:
            self.graph.budget.check(24 * prod(shape), node.label)
        variables = np.full(shape, CONSTANT, dtype=np.int64)
        for argument in arguments:
            if isinstance(argument, Tensor):
                variables = np.where(variables == CONSTANT, argument.variables, variables)
        return variables

    def _add_tensor(
        self,
        node: Node,
        kind: Kind,
        arguments: Sequence[Value],
        run: Run,
        batch_axis: int,
        variables: IntArray,
        linear: Callable[[], LinearForm] | None = None,
        name: str | None = None,
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
            run=run,
            batch_axis=batch_axis,
            variables=variables,
            linear=linear,
        )
        self.tensors.append(tensor)
        return tensor


_HANDLERS: dict[str, Callable[[Dataflow, Node, Sequence[Value | None]], Tensor]] = {
    "Add": Dataflow.add,
    "BatchNormalization": Dataflow.batch_norm,
    "Cast": Dataflow.cast,
    "CastLike": Dataflow.cast,
    "Clip": Dataflow.clip,
    "Concat": Dataflow.concat,
    "Div": Dataflow.multiply,
    "Einsum": Dataflow.einsum,
    "Gemm": Dataflow.gemm,
    "MatMul": Dataflow.matmul,
    "Mean": Dataflow.add,
    "Mul": Dataflow.multiply,
    "Neg": Dataflow.add,
    "Sub": Dataflow.add,
    "Sum": Dataflow.add,
    "Where": Dataflow.where,
}


def _inner(node: Node, op_type: str, step: str) -> Node:
    """A step within a composite op; its result has a name of its own."""
    return replace(node, op_type=op_type, outputs=(f"{node.outputs[0]} {step}",))


def _no_run(values: Sequence[Array]) -> Array:
    raise AssertionError("the input is given, not computed")


def _count_readers(graph: Graph) -> dict[str, int]:
    readers: dict[str, int] = {graph.output: 1}
    for node in graph.nodes:
        for name in node.inputs:
            readers[name] = readers.get(name, 0) + 1
    return readers


def _given(node: Node, operands: Sequence[Value | None]) -> list[Value]:
    given = [operand for operand in operands if operand is not None]
    if len(given) < len(operands):
        raise node.refuse("an operand is missing")
    return given


def _align(node: Node, arguments: Sequence[Value]) -> tuple[list[Value], int]:
    """Arguments that broadcast against each other without their extent along the batch.

    Returns
    -------
    The arguments, and the batch axis of the result.
    """
    axes = {each.batch_axis - len(each.shape) for each in arguments if isinstance(each, Tensor)}
    if len(axes) != 1:
        raise node.refuse("it combines different samples of a batch")
    (axis,) = axes
    aligned = [
        each if isinstance(each, Tensor) else one_sample(each, axis, node) for each in arguments
    ]
    return aligned, axis + max(len(each.shape) for each in aligned)


def _is_mixed(arguments: Sequence[Value], variables: IntArray) -> bool:
    """Whether arguments depend on other variables than the first of them that has one."""
    return any(
        bool(((argument.variables != CONSTANT) & (argument.variables != variables)).any())
        for argument in arguments
        if isinstance(argument, Tensor)
    )


def _elementwise(node: Node, arguments: Sequence[Value]) -> Run:
    """An elementwise op on the values of its tensors, its constants in float64."""
    wide = [
        each if isinstance(each, Tensor) or each.dtype.kind != "f" else each.astype(np.float64)
        for each in arguments
    ]
    return _with_constants(wide, lambda arrays: apply_kernel(node, arrays))


def _with_constants(arguments: Sequence[Value], run: Run) -> Run:
    """`run` on all arguments, as a function of the values of those that are tensors."""
    if all(isinstance(each, Tensor) for each in arguments):
        return run

    def filled(values: Sequence[Array]) -> Array:
        given = iter(values)
        return run([next(given) if isinstance(each, Tensor) else each for each in arguments])

    return filled


def _comes_from_reduction(tensor: Tensor) -> bool:
    """Whether a reduction over several inputs is among the last ops that led to the tensor."""
    for _ in range(8):
        if tensor.kind is Kind.CONTRACTION:
            return tensor.node is not None and tensor.node.op_type in _REDUCTIONS
        if not tensor.operands:
            return False
        tensor = tensor.operands[-1]
    return False
