"""ONNX graphs as data: checked, and evaluated in float64.

ONNX Runtime runs them where it has kernels for float64, the reference implementation of the `onnx`
package where not. Nothing in a graph is executed other than the standard operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import count as count_from
from math import prod
from typing import Any, Protocol, cast

import numpy as np
import onnx
import onnxruntime  # pyright: ignore[reportMissingTypeStubs] (it has none)
from google.protobuf.message import DecodeError
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from kan_dialect.constants import Array, FloatArray
from kan_dialect.errors import KanError

STANDARD_DOMAINS = ("", "ai.onnx")

OPSETS = range(13, 22)
"""Versions of the standard operators that are understood."""

INPUT, OUTPUT = "x", "y"
"""What input and output of the graphs that IR holds are called."""

MAX_ELEMENTS = 1 << 24
"""Most elements that a value within a graph may have, for a whole batch."""

_ORT: Any = onnxruntime  # It has no types.
_CHECKER: Any = onnx.checker  # Its types are incomplete.
_NARROW = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)


class Runner(Protocol):
    """Runs a graph: the values named `outputs` for a feed."""

    def run(self, outputs: Sequence[str], feed: dict[str, Array]) -> Sequence[Array]: ...


def first_line(error: Exception) -> str:
    """What an error of a library says, on one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def open_runner(model: onnx.ModelProto) -> Runner:
    """ONNX Runtime on a model; the reference implementation, where it has no kernel.

    Raises
    ------
    Exception : neither can load it; of the library's own choice.
    """
    options = _ORT.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = _ORT.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return _ORT.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception:  # The runtime raises what it likes; ours says why it cannot run either.
        return cast(Runner, ReferenceEvaluator(model))


def widened(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with float64 wherever it has float32 or float16."""
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    for value in (*wide.graph.input, *wide.graph.output):
        if value.type.tensor_type.elem_type in _NARROW:
            value.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    tensors = list(wide.graph.initializer)
    for node in wide.graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                tensors.append(attribute.t)
            elif attribute.name == "to" and attribute.i in _NARROW:
                attribute.i = onnx.TensorProto.DOUBLE
            elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
                floats = np.array(
                    attribute.f if attribute.name == "value_float" else attribute.floats
                )
                attribute.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(floats)))
    for tensor in tensors:
        if tensor.data_type in _NARROW:
            array = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    _write_out_sigmoids(wide.graph)
    return wide


def _write_out_sigmoids(graph: onnx.GraphProto) -> None:
    """1 / (1 + exp(-x)): ONNX Runtime's own kernel is constant from about 18 on."""
    nodes = list(graph.node)
    if not any(node.op_type == "Sigmoid" for node in nodes):
        return
    taken = {name for node in nodes for name in (*node.input, *node.output)}
    free = (f"sigmoid_{count}" for count in count_from(0) if f"sigmoid_{count}" not in taken)
    one = next(free)
    graph.initializer.append(numpy_helper.from_array(np.array(1.0), one))
    graph.ClearField("node")
    for node in nodes:
        if node.op_type != "Sigmoid":
            graph.node.append(node)
            continue
        negative, rising, total = next(free), next(free), next(free)
        graph.node.extend(
            [
                helper.make_node("Neg", node.input, [negative]),
                helper.make_node("Exp", [negative], [rising]),
                helper.make_node("Add", [rising, one], [total]),
                helper.make_node("Reciprocal", [total], node.output),
            ]
        )


# Graphs within IR


@lru_cache(maxsize=64)
def graph_shape(data: bytes) -> tuple[int, int, int]:
    """Batch, inputs and outputs of a serialised graph x (batch, in) -> y (batch, out), checked.

    Raises
    ------
    KanError : it is no valid ONNX, or of another form.
    """
    try:
        model = onnx.ModelProto.FromString(data)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        raise KanError("the subgraph is no ONNX model") from None
    _check_plain(model)
    try:
        _CHECKER.check_model(model)
    except Exception as error:  # The C++ library raises what it likes.
        raise KanError(f"the subgraph is not valid ONNX: {first_line(error)}") from None
    ends = [*model.graph.input, *model.graph.output]
    if [end.name for end in ends] != [INPUT, OUTPUT]:
        raise KanError(f"the subgraph must have one input '{INPUT}' and one output '{OUTPUT}'")
    shapes: list[list[int]] = []
    for end in ends:
        extents = end.type.tensor_type.shape.dim
        shapes.append([extent.dim_value for extent in extents])
        if len(extents) != 2 or min(shapes[-1]) < 1:
            raise KanError(f"'{end.name}' of the subgraph must have two known extents")
    _check_sizes(model)
    (batch, inputs), (other, outputs) = shapes
    if batch != other:
        raise KanError(f"the subgraph maps a batch of {batch} samples to one of {other}")
    return batch, inputs, outputs


def _check_plain(model: onnx.ModelProto) -> None:
    """Standard operators only; nothing outside the bytes, and no control flow."""
    for entry in model.opset_import:
        if entry.domain in STANDARD_DOMAINS and entry.version not in OPSETS:
            raise KanError(f"the subgraph is of operator set {entry.version}")
    if model.functions:
        raise KanError("the subgraph has functions of its own")
    for node in model.graph.node:
        if node.domain not in STANDARD_DOMAINS:
            raise KanError(f"the subgraph has an operator of the domain '{node.domain}'")
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise KanError("the subgraph has control flow")
    held = [attribute.t for node in model.graph.node for attribute in node.attribute]
    for tensor in (*model.graph.initializer, *held):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise KanError("the subgraph refers to data in another file")


def _check_sizes(model: onnx.ModelProto) -> None:
    """No value may be larger than `MAX_ELEMENTS`: a few bytes can ask for terabytes."""
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except Exception as error:  # The C++ library raises what it likes.
        raise KanError(f"the subgraph is not valid ONNX: {first_line(error)}") from None
    sizes = {
        value.name: [extent.dim_value for extent in value.type.tensor_type.shape.dim]
        for value in (*inferred.graph.value_info, *inferred.graph.output)
        if value.type.tensor_type.HasField("shape")
    }
    for node in model.graph.node:
        for name in filter(None, node.output):
            shape = sizes.get(name)
            if shape is None or min(shape, default=1) < 1:
                raise KanError(f"the extents of '{name}' in the subgraph are not known")
            if prod(shape) > MAX_ELEMENTS:
                raise KanError(
                    f"'{name}' in the subgraph has {prod(shape)} elements, more than {MAX_ELEMENTS}"
                )


@lru_cache(maxsize=64)
def _runner_of(data: bytes) -> Runner:
    return open_runner(widened(onnx.ModelProto.FromString(data)))


def run_graph(data: bytes, x: FloatArray) -> FloatArray:
    """y (rows, out) of a serialised graph for x (rows, in), both float64, batch after batch.

    Raises
    ------
    KanError : the graph cannot be run.
    """
    batch, inputs, outputs = graph_shape(data)
    results = np.empty((len(x), outputs))
    try:
        runner = _runner_of(data)
        for start in range(0, len(x), batch):
            rows = x[start : start + batch]
            # The last batch is filled up with its last row.
            feed = np.concatenate([rows, np.repeat(rows[-1:], batch - len(rows), axis=0)])
            with np.errstate(all="ignore"):
                (y,) = runner.run([OUTPUT], {INPUT: feed.reshape(batch, inputs)})
            results[start : start + batch] = y[: len(rows)]
    except Exception as error:  # Either runtime raises what it likes.
        raise KanError(f"the subgraph cannot be evaluated: {first_line(error)}") from None
    return results
