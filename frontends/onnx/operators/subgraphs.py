"""Extracts the subgraph between values of a static graph, as an ONNX model of its own, and runs it.

Names of the file get a prefix, so that they differ from those of the nodes at the ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import onnx
from onnx import compose, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from kan_dialect.evaluate.onnx_subgraph import (
    INPUT,
    OUTPUT,
    fails_by_rows,
    open_runner,
    run_rows,
    widened,
)
from kan_dialect.frontends.onnx.operators.static_graph import StaticGraph, needed_steps
from kan_dialect.ir.constants import FloatArray

PREFIX = "file "
"""Prefix of the names of values in an extracted subgraph."""

_CHUNK_ELEMENTS = 1 << 22
"""Most elements of a group of values that are evaluated together."""


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
    given = [onnx.ValueInfoProto(name=name) for name in sources]
    between = helper.make_graph([step.proto for step in steps], "part", given, [], tensors)
    between = compose.add_prefix_graph(between, PREFIX, rename_nodes=False)
    kinds = {static.kinds[name] for name in sources}
    kind = kinds.pop() if len(kinds) == 1 else onnx.TensorProto.FLOAT
    ends = _EndNodes(static)
    first, last = ends.scatter(sources, kind), ends.gather(targets)
    graph = helper.make_graph(
        [*first, *between.node, *last],
        "part",
        [_end(static, INPUT, kind, sources)],
        [_end(static, OUTPUT, static.kinds[targets[0]], targets)],
        [*between.initializer, *ends.tensors],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", static.source.opset)])
    model.ir_version = static.source.model.ir_version
    return model


def _end(static: StaticGraph, name: str, kind: int, values: Sequence[str]) -> onnx.ValueInfoProto:
    width = sum(static.width(value) for value in values)
    return helper.make_tensor_value_info(name, kind, [static.batch, width])


class _EndNodes:
    """Builds the nodes between the input and the sources, and between the targets and the output.

    Attributes
    ----------
    tensors : constants of these nodes.
    """

    def __init__(self, static: StaticGraph) -> None:
        self._static = static
        self.tensors: list[onnx.TensorProto] = []

    def scatter(self, sources: Sequence[str], kind: int) -> list[onnx.NodeProto]:
        """Nodes that split the input into the sources."""
        nodes: list[onnx.NodeProto] = []
        columns = [INPUT]
        if len(sources) > 1:
            columns = [f"columns of {name}" for name in sources]
            widths = self._constant([self._static.width(name) for name in sources])
            nodes.append(_node("Split", [INPUT, widths], columns, axis=1))
        for value, name in zip(columns, sources, strict=True):
            if self._static.kinds[name] != kind:
                cast_value = f"cast of {name}"
                nodes.append(_node("Cast", [value], [cast_value], to=self._static.kinds[name]))
                value = cast_value
            shape, axis = self._static.shapes[name], self._static.batch_axes.get(name) or 0
            moved = self._constant([*shape[axis : axis + 1], *shape[:axis], *shape[axis + 1 :]])
            target = f"moved {name}" if axis else PREFIX + name
            nodes.append(_node("Reshape", [value, moved], [target]))
            if axis:
                back = [*range(1, axis + 1), 0, *range(axis + 1, len(shape))]
                nodes.append(_node("Transpose", [target], [PREFIX + name], perm=back))
        return nodes

    def gather(self, targets: Sequence[str]) -> list[onnx.NodeProto]:
        """Nodes that concatenate the targets into the output."""
        nodes: list[onnx.NodeProto] = []
        parts = [f"flat {name}" for name in targets] if len(targets) > 1 else [OUTPUT]
        for name, part in zip(targets, parts, strict=True):
            shape, axis = self._static.shapes[name], self._static.batch_axes.get(name) or 0
            value = PREFIX + name
            if axis:
                order = [axis, *(each for each in range(len(shape)) if each != axis)]
                nodes.append(_node("Transpose", [value], [f"turned {name}"], perm=order))
                value = f"turned {name}"
            flat = self._constant([self._static.batch, self._static.width(name)])
            nodes.append(_node("Reshape", [value, flat], [part]))
        if len(parts) > 1:
            nodes.append(_node("Concat", parts, [OUTPUT], axis=1))
        return nodes

    def _constant(self, values: Sequence[int]) -> str:
        name = f"shape {len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.array(values, dtype=np.int64), name))
        return name


def _node(
    op_type: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: object
) -> onnx.NodeProto:
    make = cast(Any, helper.make_node)
    return make(op_type, list(inputs), list(outputs), **attributes)


class SubgraphRun:
    """Runs the subgraph between values, in float64. Rows with an index out of bounds give NaN.

    Parameters
    ----------
    wide : False to run in the types of the file.

    Attributes
    ----------
    targets : names of the values.
    columns : (targets + 1), the ends of the targets' elements.

    Raises
    ------
    Exception : of any type, if the runtimes cannot load the subgraph.
    """

    def __init__(
        self,
        static: StaticGraph,
        sources: Sequence[str],
        targets: Sequence[str],
        *,
        wide: bool = True,
    ) -> None:
        self.batch, self.targets = static.batch, targets
        self.columns = np.cumsum([0, *map(static.width, targets)])
        model = extract_subgraph(static, sources, targets)
        self._runner = open_runner(widened(model) if wide else model)
        self._dtype = np.dtype(np.float64) if wide else static.source.input_dtype
        self._effort = static.effort
        slow = isinstance(self._runner, ReferenceEvaluator)
        self._effort_per_batch = static.effort_of(needed_steps(static, sources, targets), slow=slow)

    def __call__(self, x: FloatArray) -> FloatArray:
        """Compute the targets (rows, elements), side by side, from the sources (rows, in), side
        by side.

        Raises
        ------
        KanError : the effort for discovering layers is spent.
        Exception : of any type, if the runtimes cannot run the subgraph.
        """
        self._effort.spend(self._effort_per_batch * -(-len(x) // self.batch))
        try:
            return run_rows(self._runner, x, self.batch, self._dtype)
        except Exception as error:
            if not fails_by_rows(error):
                raise
            return np.full((len(x), self.columns[-1]), np.nan)  # Other rows may run.


def grouped(names: Sequence[str], static: StaticGraph, rows: int) -> list[list[str]]:
    """Group names so that the values of a group fit into memory for this number of rows."""
    groups: list[list[str]] = []
    room = 0
    for name in names:
        size = static.width(name) * rows
        if not groups or size > room:
            groups.append([])
            room = _CHUNK_ELEMENTS
        groups[-1].append(name)
        room -= size
    return groups
