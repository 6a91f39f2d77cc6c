"""A graph for a fixed number of samples: the extents of every value, with constants folded.

Nothing is run. Extents follow from the operators' shape inference, node by node, so a file that
asks for terabytes is refused before any allocation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from kan_dialect.errors import KanError
from kan_dialect.evaluate.onnx_subgraph import FLOATS, MAX_ELEMENTS
from kan_dialect.frontends.onnx.operators import folding
from kan_dialect.frontends.onnx.operators.elementwise import COMPARISONS, ELEMENTWISE
from kan_dialect.frontends.onnx.operators.inference import (
    extents_of,
    infer_types,
    multiplications,
)
from kan_dialect.frontends.onnx.operators.refusals import RANDOM, REFUSALS
from kan_dialect.frontends.onnx.read.file import Budget
from kan_dialect.frontends.onnx.read.graph import MAX_WIDTH, Graph, Node, Unrecognised
from kan_dialect.ir.constants import Array

MAX_EFFORT = 1 << 32
"""Elements of results that the search for one model's layers may compute: some twenty seconds."""

STEP_EFFORT, SLOW_STEP_EFFORT = 1 << 11, 1 << 15
"""Effort of an op beside its result, in elements: in ONNX Runtime, and in Python."""

_OPEN_BATCH = 64
"""Samples of a batch, if the file leaves it open and values are not too wide."""

_MAX_VALUE_ELEMENTS = 1 << 20
"""Most elements of a value for a whole batch, if the file leaves the batch open."""

_MAX_TOTAL_ELEMENTS = 1 << 25
"""Most elements of all values together: the reference implementation keeps them to the end."""

_REMEDY = "export the model with fixed extents, but for the batch"


class Effort:
    """Remaining effort for discovering the layers of one model, in elements."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.left = MAX_EFFORT

    def spend(self, amount: int) -> None:
        """Count work before it is done.

        Raises
        ------
        KanError : the effort is spent.
        """
        self.left -= amount
        if self.left < 0:
            raise KanError(
                f"{self._path.name}: the search for its layers takes too long",
                remedy="export the model in parts, or with layers of a form that is known",
            )


@dataclass(frozen=True, eq=False)
class StaticGraph:
    """A graph for a fixed number of samples.

    Attributes
    ----------
    batch : number of samples.
    steps : nodes that depend on the input's values, in order.
    constants : their other operands, by name.
    shapes, kinds : extents and ONNX element type of the input and of every result of the steps.
    batch_axes : axis of each value that runs over samples, or None.
    """

    source: Graph
    batch: int
    steps: Sequence[Node]
    constants: dict[str, Array]
    shapes: dict[str, tuple[int, ...]]
    kinds: dict[str, int]
    batch_axes: dict[str, int | None]
    effort: Effort

    def effort_of(self, steps: Sequence[Node], *, slow: bool) -> int:
        """Effort of running steps for one batch, in elements."""
        sizes = [prod(self.shapes[name]) for step in steps for name in step.outputs if name]
        return sum(sizes) + (SLOW_STEP_EFFORT if slow else STEP_EFFORT) * len(steps)

    def width(self, name: str) -> int:
        """Elements of a value for one sample."""
        return prod(self.shapes[name]) // self.batch

    def multiplications(self) -> int:
        """Multiplications in matrix products, convolutions and Einsum, for one sample."""
        return sum(map(self._multiplications, self.steps)) // self.batch

    def _multiplications(self, step: Node) -> int:
        shapes = [
            self.shapes[name] if name in self.shapes else self.constants[name].shape
            for name in step.reads
        ]
        return multiplications(step, shapes, self.shapes[step.outputs[0]])

    def may_be_boundary(self, name: str) -> bool:
        """Whether the value is a float vector for each sample, of at most `MAX_WIDTH` elements."""
        known = self.batch == 1 or self.batch_axes.get(name) is not None
        return known and self.kinds[name] in FLOATS and 0 < self.width(name) <= MAX_WIDTH


def make_static(graph: Graph) -> StaticGraph:
    """The graph for a number of samples of our choice if it allows any, else for its own.

    Raises
    ------
    KanError : extents depend on data, contradict each other, or are too large.
    """
    axis = graph.batch_axis
    own = graph.input_shape[axis]
    try:
        small = [_measure(graph, axis, batch) for batch in (3, 5)]
        widths = [small[0].width(name) for name in small[0].shapes]
        fitting = (_MAX_VALUE_ELEMENTS // max(widths), _MAX_TOTAL_ELEMENTS // sum(widths))
        batch = max(1, min(_OPEN_BATCH, *fitting))
        chosen = _measure(graph, axis, batch)
    except KanError:
        if own is None:
            raise
        # The example's batch is a constant of the file.
        chosen = _measure(graph, axis, own)
        return _with_axes(chosen, [chosen])
    return _with_axes(chosen, small)


def _with_axes(static: StaticGraph, measured: Sequence[StaticGraph]) -> StaticGraph:
    """Add the batch axis of each value: the axis whose extent follows the number of samples."""
    axes: dict[str, int | None] = {}
    for name in static.shapes:
        candidates = [
            [axis for axis, extent in enumerate(each.shapes[name]) if extent == each.batch]
            for each in measured
            if name in each.shapes
        ]
        shared = [axis for axis in candidates[0] if all(axis in found for found in candidates)]
        axes[name] = shared[0] if shared else None
    return replace(static, batch_axes=axes)


def _measure(graph: Graph, axis: int, batch: int) -> StaticGraph:
    """The graph for `batch` samples, without batch axes."""
    inference = _ShapeInference(graph, axis, batch)
    inference.run()
    return StaticGraph(
        graph,
        batch,
        inference.steps,
        inference.constants,
        inference.shapes,
        inference.kinds,
        {},
        Effort(graph.path),
    )


class _ShapeInference:
    """Infers extents and folds constants, node by node."""

    def __init__(self, graph: Graph, axis: int, batch: int) -> None:
        self._graph = graph
        # Folding charges memory; that of another batch size is free again.
        self._budget = Budget(graph.path)
        self.steps: list[Node] = []
        self.constants: dict[str, Array] = dict(graph.constants)
        shape = [
            batch if index == axis else extent or 1
            for index, extent in enumerate(graph.input_shape)
        ]
        self.shapes: dict[str, tuple[int, ...]] = {graph.input: tuple(shape)}
        kind = helper.np_dtype_to_tensor_dtype(graph.input_dtype)
        self.kinds: dict[str, int] = {graph.input: kind}

    def run(self) -> None:
        for node in self._graph.nodes:
            if node.op_type in RANDOM:
                raise node.refuse(*REFUSALS[node.op_type])
            if node.op_type in ("Shape", "Size") and node.inputs[0] in self.shapes:
                blank = np.broadcast_to(np.zeros((), np.int8), self.shapes[node.inputs[0]])
                self._fold(node, [blank])
            elif all(name in self.constants for name in node.reads):
                self._fold(node, [self.constants[name] if name else None for name in node.inputs])
            else:
                self._add_step(node)

    def _fold(self, node: Node, operands: Sequence[Array | None]) -> None:
        try:
            results = folding.fold(node, operands, self._graph.opset, self._budget)
        except Unrecognised:
            # A runtime may support the node; it is run where its result is needed.
            self._add_step(node)
            return
        for result in results:
            if result.dtype.kind == "f" and not np.isfinite(result).all() and result.size > 1:
                raise node.refuse("its result, a constant, is not finite", "train the model again")
        self.constants.update(zip(node.outputs, results, strict=False))

    def _add_step(self, node: Node) -> None:
        types = self._infer(node)
        for name in filter(None, node.outputs):
            found = types.get(name)
            extents = None if found is None else extents_of(found)
            kind = 0 if found is None else found.tensor_type.elem_type
            if extents is None and node.op_type in ELEMENTWISE:
                # Function operators of old opsets have no shape inference.
                shapes = [self._shape(each) for each in node.reads]
                try:
                    extents = np.broadcast_shapes(*shapes)
                except ValueError:
                    listed = " and ".join(map(str, shapes))
                    raise node.refuse(f"its operands do not fit each other: {listed}") from None
                compares = node.op_type in COMPARISONS
                kind = onnx.TensorProto.BOOL if compares else self.kinds.get(node.inputs[0], 1)
            if extents is None:
                raise node.refuse("the extents of its result depend on data", _REMEDY)
            if prod(extents) > MAX_ELEMENTS:
                raise node.refuse(
                    f"its result has {prod(extents)} elements, more than {MAX_ELEMENTS}",
                    "split or narrow the model",
                )
            self.shapes[name] = extents
            self.kinds[name] = kind
        if node.op_type == "Reshape" and prod(self.shapes[node.outputs[0]]) != prod(
            self._shape(node.inputs[0])
        ):
            raise node.refuse("its operand has another number of elements", _REMEDY)
        self.steps.append(node)

    def _shape(self, name: str) -> tuple[int, ...]:
        return self.shapes[name] if name in self.shapes else self.constants[name].shape

    def _infer(self, node: Node) -> dict[str, onnx.TypeProto]:
        operands: dict[str, Array | onnx.TypeProto] = {}
        for name in filter(None, node.inputs):
            if name in self.shapes:
                operands[name] = helper.make_tensor_type_proto(self.kinds[name], self.shapes[name])
            elif name in self.constants:
                operands[name] = self.constants[name]
            else:
                raise node.refuse(f"it reads '{name}', a further result that is not supported")
        return infer_types(node, self._graph.opset, operands)


def needed_steps(static: StaticGraph, sources: Sequence[str], targets: Sequence[str]) -> list[Node]:
    """The steps that compute the targets from the sources, in order."""
    wanted = set(targets) - set(sources)
    found: list[Node] = []
    for step in reversed(static.steps):
        if wanted.intersection(step.outputs):
            found.append(step)
            wanted.update(name for name in step.reads if name not in sources)
    return found[::-1]
