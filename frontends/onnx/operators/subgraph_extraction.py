"""Extracts the subgraph between values of a static graph, as an ONNX model of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import onnx
from onnx import helper, numpy_helper

from kan_dialect.evaluate.onnx_subgraph import INPUT, OUTPUT
from kan_dialect.frontends.onnx.operators.static_graph import StaticGraph, needed_steps


def extract_subgraph(
    static: StaticGraph, sources: Sequence[str], targets: Sequence[str]
) -> onnx.ModelProto:
    """The subgraph between values, as a model of its own.

    Parameters
    ----------
    sources : values that determine the targets.
    targets : one value, or several.

    Returns
    -------
    A model from `x` (batch, elements of the sources side by side) to `y`, likewise of the targets.
    """
    steps = needed_steps(static, sources, targets)
    read = {name for step in steps for name in step.reads}
    tensors = [
        numpy_helper.from_array(np.array(static.constants[name], order="C"), name)
        for name in sorted(read & set(static.constants))
    ]
    kinds = {static.kinds[name] for name in sources}
    kind = kinds.pop() if len(kinds) == 1 else onnx.TensorProto.FLOAT
    ends = _EndNodes(static, tensors)
    first = ends.scatter(sources, kind)
    last = ends.gather(targets)
    graph = helper.make_graph(
        [*first, *(step.proto for step in steps), *last],
        "part",
        [_end(static, ends.input, kind, sources)],
        [_end(static, ends.output, static.kinds[targets[0]], targets)],
        tensors,
    )
    for old, new in ((INPUT, ends.free(INPUT)), (OUTPUT, ends.free(OUTPUT))):
        _rename(graph, old, new)
    _rename(graph, ends.input, INPUT)
    _rename(graph, ends.output, OUTPUT)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", static.source.opset)])
    model.ir_version = static.source.model.ir_version
    return model


def _end(static: StaticGraph, name: str, kind: int, values: Sequence[str]) -> onnx.ValueInfoProto:
    width = sum(static.width(value) for value in values)
    return helper.make_tensor_value_info(name, kind, [static.batch, width])


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Rename a value everywhere."""
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
    for named in (*graph.input, *graph.output, *graph.initializer):
        if named.name == old:
            named.name = new


class _EndNodes:
    """Builds the nodes between the subgraph's input and the sources, and the targets and its
    output.
    """

    def __init__(self, static: StaticGraph, tensors: list[onnx.TensorProto]) -> None:
        self._static = static
        self._tensors = tensors
        self._taken = {*static.constants, *static.shapes}
        self._counts: dict[str, int] = {}
        self.input, self.output = self.free("input"), self.free("output")

    def free(self, name: str) -> str:
        """A new name."""
        candidate, count = f"part_{name}", self._counts.get(name, 0)
        while candidate in self._taken:
            count += 1
            candidate = f"part_{name}{count}"
        self._taken.add(candidate)
        self._counts[name] = count
        return candidate

    def scatter(self, sources: Sequence[str], kind: int) -> list[onnx.NodeProto]:
        """Nodes that split the input into the sources."""
        nodes: list[onnx.NodeProto] = []
        columns = [self.input]
        if len(sources) > 1:
            columns = [self.free(f"columns{index}") for index in range(len(sources))]
            widths = self._constant("widths", [self._static.width(name) for name in sources])
            nodes.append(_node("Split", [self.input, widths], columns, axis=1))
        for value, name in zip(columns, sources, strict=True):
            if self._static.kinds[name] != kind:
                nodes.append(
                    _node("Cast", [value], [self.free("cast")], to=self._static.kinds[name])
                )
                value = nodes[-1].output[0]
            shape, axis = self._static.shapes[name], self._static.batch_axes.get(name) or 0
            moved = [*shape[axis : axis + 1], *shape[:axis], *shape[axis + 1 :]]
            target = self.free("moved") if axis else name
            nodes.append(_node("Reshape", [value, self._constant("shape", moved)], [target]))
            if axis:
                back = [*range(1, axis + 1), 0, *range(axis + 1, len(shape))]
                nodes.append(_node("Transpose", [target], [name], perm=back))
        return nodes

    def gather(self, targets: Sequence[str]) -> list[onnx.NodeProto]:
        """Nodes that concatenate the targets into the output."""
        nodes: list[onnx.NodeProto] = []
        parts = [self.free("flat") for _ in targets] if len(targets) > 1 else [self.output]
        for name, part in zip(targets, parts, strict=True):
            shape, axis = self._static.shapes[name], self._static.batch_axes.get(name) or 0
            value = name
            if axis:
                value = self.free("moved")
                order = [axis, *(each for each in range(len(shape)) if each != axis)]
                nodes.append(_node("Transpose", [name], [value], perm=order))
            flat = self._constant("shape", [self._static.batch, self._static.width(name)])
            nodes.append(_node("Reshape", [value, flat], [part]))
        if len(parts) > 1:
            nodes.append(_node("Concat", parts, [self.output], axis=1))
        return nodes

    def _constant(self, name: str, values: Sequence[int]) -> str:
        name = self.free(name)
        self._tensors.append(numpy_helper.from_array(np.array(values, dtype=np.int64), name))
        return name


def _node(
    op_type: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: object
) -> onnx.NodeProto:
    make = cast(Any, helper.make_node)
    return make(op_type, list(inputs), list(outputs), **attributes)
