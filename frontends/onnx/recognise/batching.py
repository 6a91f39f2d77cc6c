"""Adds a batch axis to a graph for one sample.

Each op on a value that depends on the input gets a leading batch axis. Axes move by one, shapes get
one more extent, and products of a matrix and a vector become products of the vector and the
transposed matrix. The result is compared with the file like any other import.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
import onnx

from kan_dialect.frontends.onnx.operators import folding
from kan_dialect.frontends.onnx.operators.elementwise import ELEMENTWISE
from kan_dialect.frontends.onnx.read.file import first_line
from kan_dialect.frontends.onnx.read.graph import AttributeValue, Graph, Node, Unrecognised
from kan_dialect.ir.constants import Array

_INFERENCE: Any = onnx.shape_inference  # Its types are incomplete.

_AXIS_DEFAULTS = {"Gather": 0, "Split": 0, "Softmax": -1, "LogSoftmax": -1, "Hardmax": -1}


_REMEDY = "export the model with an example input of shape (batch, features)"


def with_batch(graph: Graph) -> Graph:
    """The graph for any number of samples.

    Parameters
    ----------
    graph : a graph whose `vector` is set.

    Raises
    ------
    Unrecognised : an op cannot be given a batch.
    """
    adder = _BatchAdder(graph, _shapes(graph))
    for node in graph.nodes:
        try:
            adder.add(node)
        except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError) as error:
            raise node.refuse(f"its operands do not fit it: {error}") from None
    return replace(
        graph,
        nodes=adder.nodes,
        constants=adder.constants,
        input_shape=(None, graph.inputs),
        vector=None,
    )


def _shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Extents of all values that ONNX can infer."""
    try:
        inferred: onnx.ModelProto = _INFERENCE.infer_shapes(graph.model, data_prop=True)
    except Exception as error:  # The C++ library raises errors of many types.
        raise graph.nodes[0].refuse(
            f"the shapes of the values cannot be inferred: {first_line(error)}", _REMEDY
        ) from None
    shapes = {name: array.shape for name, array in graph.constants.items()}
    for value in (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output):
        if value.type.tensor_type.HasField("shape"):
            extents = [
                each.dim_value if each.HasField("dim_value") else None
                for each in value.type.tensor_type.shape.dim
            ]
            known = [extent for extent in extents if extent is not None]
            if len(known) == len(extents):
                shapes[value.name] = tuple(known)
    return shapes


@dataclass(eq=False)
class _BatchAdder:
    """Builds the nodes and constants of the batched graph.

    Attributes
    ----------
    shapes : extents of values, without a batch.
    batched : values that depend on the input and so have a batch.
    """

    graph: Graph
    shapes: dict[str, tuple[int, ...]]
    nodes: list[Node] = field(default_factory=list[Node])
    constants: dict[str, Array] = field(default_factory=dict[str, Array])
    batched: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.constants = dict(self.graph.constants)

    def add(self, node: Node) -> None:
        """Add a node, changed if it depends on the input.

        Raises
        ------
        Unrecognised : it cannot be given a batch.
        """
        if self.graph.vector in node.outputs:
            assert self.graph.vector is not None
            inputs = (self.graph.input,)
            self.nodes.append(replace(node, op_type="Identity", inputs=inputs, attributes={}))
        elif self.batched.isdisjoint(node.inputs):
            self.fold(node)
            return
        elif node.op_type in ("Shape", "Size"):
            shape = self.shape(node, node.inputs[0])
            whole = np.array(prod(shape), np.int64)
            value = folding.shape_slice(node, shape) if node.op_type == "Shape" else whole
            self.constants[node.outputs[0]] = value
            return
        else:
            rule = _RULES.get(node.op_type)
            if rule is not None:
                rule(self, node)
            elif node.op_type in ELEMENTWISE or node.op_type == "Clip":
                self.elementwise(node)
            else:  # Ops without axes, and ops that are refused by name later.
                self.nodes.append(node)
        self.batched.update(node.outputs)

    def fold(self, node: Node) -> None:
        """Add a node that does not depend on the input, folded if its operands are known."""
        if all(name in self.constants for name in node.inputs if name):
            operands = [self.constants[name] if name else None for name in node.inputs]
            results = folding.fold(node, operands, self.graph.budget)
            for name, array in zip(node.outputs, results, strict=False):
                self.constants[name] = array
                self.shapes[name] = array.shape
        else:
            self.nodes.append(node)

    def shape(self, node: Node, name: str) -> tuple[int, ...]:
        """Extents of an operand, without a batch."""
        if name not in self.shapes:
            raise self.unsupported(node)
        return self.shapes[name]

    def unsupported(self, node: Node) -> Unrecognised:
        return node.refuse("the model takes one sample, and no batch can be added here", _REMEDY)

    def constant(self, node: Node, role: str, values: Sequence[int]) -> str:
        """Add a constant for a node; returns its name."""
        name = f"{node.outputs[0]} {role}"
        self.constants[name] = np.array(values, dtype=np.int64)
        return name

    def emit(
        self,
        node: Node,
        op_type: str,
        inputs: Sequence[str],
        step: str,
        **attributes: AttributeValue,
    ) -> str:
        """Add a node in front of another; returns its result."""
        result = f"{node.outputs[0]} {step}"
        self.nodes.append(
            replace(
                node,
                op_type=op_type,
                inputs=tuple(inputs),
                outputs=(result,),
                attributes=dict(attributes),
            )
        )
        return result

    def become(
        self, node: Node, op_type: str, inputs: Sequence[str], **attributes: AttributeValue
    ) -> None:
        """Add an op that replaces a node."""
        self.nodes.append(
            replace(node, op_type=op_type, inputs=tuple(inputs), attributes=dict(attributes))
        )

    def with_rank(self, node: Node, name: str, rank: int) -> str:
        """A batched value with further axes of extent 1 behind the batch."""
        missing = rank - len(self.shape(node, name))
        if missing <= 0:
            return name
        place = node.inputs.index(name)
        axes = self.constant(node, f"axes {place}", range(1, missing + 1))
        return self.emit(node, "Unsqueeze", [name, axes], f"operand {place}")

    def known(self, node: Node, name: str) -> tuple[int, ...]:
        """Values of a constant list of integers."""
        if name not in self.constants:
            raise self.unsupported(node)
        return tuple(int(each) for each in self.constants[name].reshape(-1))

    def elementwise(self, node: Node) -> None:
        shapes = [self.shape(node, name) for name in node.inputs if name]
        rank = max(len(shape) for shape in shapes)
        self.shapes.setdefault(node.outputs[0], np.broadcast_shapes(*shapes))
        operands = [
            self.with_rank(node, name, rank) if name in self.batched else name
            for name in node.inputs
        ]
        self.nodes.append(replace(node, inputs=tuple(operands)))

    def with_axis(self, node: Node) -> None:
        axis = node.integer("axis", _AXIS_DEFAULTS[node.op_type])
        if node.op_type == "Gather" and node.inputs[0] not in self.batched:
            raise self.unsupported(node)
        self.nodes.append(_changed(node, axis=_shifted(axis)))

    def concat(self, node: Node) -> None:
        operands: list[str] = []
        for place, name in enumerate(node.inputs):
            if name not in self.batched:
                axes = self.constant(node, f"axes {place}", [0])
                name = self.emit(node, "Unsqueeze", [name, axes], f"operand {place}")
            operands.append(name)
        axis = _shifted(node.integer("axis", 0))
        self.nodes.append(_changed(replace(node, inputs=tuple(operands)), axis=axis))

    def reshape(self, node: Node) -> None:
        target = self.known(node, node.inputs[1])
        if node.inputs[0] not in self.batched or (node.integer("allowzero", 0) and 0 in target):
            raise self.unsupported(node)
        before = self.shape(node, node.inputs[0])
        extents = [extent or before[axis] for axis, extent in enumerate(target)]
        if -1 in extents:
            extents[extents.index(-1)] = prod(before) // prod(each for each in extents if each > 0)
        self.shapes.setdefault(node.outputs[0], tuple(extents))
        # In a shape, 0 copies the operand's extent: here the batch.
        shape = self.constant(node, "shape", [0, *target])
        self.become(node, "Reshape", [node.inputs[0], shape])

    def flatten(self, node: Node) -> None:
        shape = self.shape(node, node.inputs[0])
        axis = node.integer("axis", 1)
        axis = axis + len(shape) if axis < 0 else axis
        target = self.constant(node, "shape", [0, prod(shape[:axis]), prod(shape[axis:])])
        self.become(node, "Reshape", [node.inputs[0], target])

    def squeeze(self, node: Node) -> None:
        operand, *given = node.inputs
        if given and given[0]:
            axes = [_shifted(axis) for axis in self.known(node, given[0])]
        else:
            axes = [at + 1 for at, extent in enumerate(self.shape(node, operand)) if extent == 1]
        self.become(node, node.op_type, [operand, self.constant(node, "axes", axes)])

    def unsqueeze(self, node: Node) -> None:
        axes = [_shifted(axis) for axis in self.known(node, node.inputs[1])]
        self.become(node, node.op_type, [node.inputs[0], self.constant(node, "axes", axes)])

    def transpose(self, node: Node) -> None:
        rank = len(self.shape(node, node.inputs[0]))
        order = node.integers("perm") or tuple(reversed(range(rank)))
        self.nodes.append(_changed(node, perm=(0, *(axis + 1 for axis in order))))

    def slice(self, node: Node) -> None:
        operands = [*node.inputs, "", ""][:5]
        count = len(self.known(node, operands[1]))
        axes = self.known(node, operands[3]) if operands[3] else tuple(range(count))
        operands[3] = self.constant(node, "axes", [_shifted(axis) for axis in axes])
        while not operands[-1]:
            operands.pop()
        self.nodes.append(replace(node, inputs=tuple(operands)))

    def expand(self, node: Node) -> None:
        if node.inputs[0] not in self.batched:
            raise self.unsupported(node)
        target = self.known(node, node.inputs[1])
        operand = self.with_rank(node, node.inputs[0], len(target))
        whole = np.broadcast_shapes(self.shape(node, node.inputs[0]), target)
        self.shapes.setdefault(node.outputs[0], whole)
        fewer = max(0, len(self.shape(node, node.inputs[0])) - len(target))
        shape = self.constant(node, "shape", [1] * (1 + fewer) + list(target))
        self.become(node, "Expand", [operand, shape])

    def tile(self, node: Node) -> None:
        repeats = self.constant(node, "repeats", [1, *self.known(node, node.inputs[1])])
        self.become(node, "Tile", [node.inputs[0], repeats])

    def reduce(self, node: Node) -> None:
        rank = len(self.shape(node, node.inputs[0]))
        axes = node.integers("axes")
        if axes is None:
            axes = (
                self.known(node, node.inputs[1]) if len(node.inputs) > 1 and node.inputs[1] else ()
            )
        if not axes and not node.integer("noop_with_empty_axes", 0):
            axes = tuple(range(rank))
        shifted = tuple(_shifted(axis) for axis in axes)
        if len(node.inputs) > 1:
            self.nodes.append(
                replace(node, inputs=(node.inputs[0], self.constant(node, "axes", shifted)))
            )
        else:
            self.nodes.append(_changed(node, axes=shifted))

    def matmul(self, node: Node) -> None:
        first, second = node.inputs
        ranks = [len(self.shape(node, name)) for name in node.inputs]
        if first in self.batched and second in self.batched:
            self.nodes.append(node)  # It is refused by name later.
        elif first in self.batched:
            if ranks[0] == 1 and ranks[1] > 2:
                raise self.unsupported(node)
            rank = ranks[0] if ranks[1] <= 2 else ranks[1]
            self.become(node, "MatMul", [self.with_rank(node, first, rank), second])
        elif ranks[1] > 1:
            rank = ranks[1] if ranks[0] <= 2 else ranks[0]
            self.become(node, "MatMul", [first, self.with_rank(node, second, rank)])
        elif ranks[0] == 2:
            turned = self.emit(node, "Transpose", [first], "transposed", perm=(1, 0))
            self.become(node, "MatMul", [second, turned])
        elif ranks[0] == 1:
            self.become(node, "MatMul", [second, first])
        else:
            raise self.unsupported(node)

    def gemm(self, node: Node) -> None:
        a, b, *rest = node.inputs
        scaled = node.number("alpha", 1.0) != 1.0 or node.number("beta", 1.0) != 1.0
        if node.integer("transA", 0) or scaled or a not in self.batched or b in self.batched:
            raise self.unsupported(node)
        if node.integer("transB", 0):
            b = self.emit(node, "Transpose", [b], "transposed", perm=(1, 0))
        if not rest or not rest[0]:
            self.become(node, "MatMul", [a, b])
            return
        product = self.emit(node, "MatMul", [a, b], "product")
        self.become(node, "Add", [product, rest[0]])

    def einsum(self, node: Node) -> None:
        equation = node.text("equation", "").replace(" ", "")
        left, arrow, output = equation.partition("->")
        batch = next((each for each in "zyxwvutsrqpo" if each not in equation), None)
        if not arrow or batch is None:
            raise self.unsupported(node)
        given = left.split(",")
        if "." not in equation:
            extents = {
                label: extent
                for name, term in zip(node.inputs, given, strict=True)
                for label, extent in zip(term, self.shape(node, name), strict=True)
            }
            whole = tuple(extents.get(label, 1) for label in output)
            self.shapes.setdefault(node.outputs[0], whole)
        terms = [
            batch + term if name in self.batched else term
            for name, term in zip(node.inputs, given, strict=True)
        ]
        self.nodes.append(_changed(node, equation=f"{','.join(terms)}->{batch}{output}"))


_RULES: dict[str, Callable[[_BatchAdder, Node], None]] = {
    **dict.fromkeys(_AXIS_DEFAULTS, _BatchAdder.with_axis),
    **dict.fromkeys(
        ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2"),
        _BatchAdder.reduce,
    ),
    "Concat": _BatchAdder.concat,
    "Einsum": _BatchAdder.einsum,
    "Expand": _BatchAdder.expand,
    "Flatten": _BatchAdder.flatten,
    "Gemm": _BatchAdder.gemm,
    "MatMul": _BatchAdder.matmul,
    "Reshape": _BatchAdder.reshape,
    "Slice": _BatchAdder.slice,
    "Squeeze": _BatchAdder.squeeze,
    "Tile": _BatchAdder.tile,
    "Transpose": _BatchAdder.transpose,
    "Unsqueeze": _BatchAdder.unsqueeze,
}


def _shifted(axis: int) -> int:
    """An axis after the insertion of a first one; negative axes stay."""
    return axis + 1 if axis >= 0 else axis


def _changed(node: Node, **attributes: AttributeValue) -> Node:
    return replace(node, attributes={**node.attributes, **attributes})
