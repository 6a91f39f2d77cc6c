"""Checks and evaluates ONNX graphs that IR holds, in float64.

ONNX Runtime runs a graph if it has float64 kernels for all ops, else the reference implementation
of the `onnx` package. Only standard operators are executed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
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
from onnx.reference.op_run import OpRun

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import Array, FloatArray

STANDARD_DOMAINS = ("", "ai.onnx")

OPSETS = range(13, 24)
"""Supported versions of the standard operator set."""

INPUT, OUTPUT = "x", "y"
"""Names of input and output of the graphs that IR holds."""

MAX_ELEMENTS = 1 << 24
"""Most elements of a value within a graph, for a whole batch."""

_FLOAT64 = np.dtype(np.float64)

_MAX_SPLIT_FAILURES = 64
"""Failures of a runtime after which failing batches are no longer split into rows."""

_ORT: Any = onnxruntime  # It has no types.
_CHECKER: Any = onnx.checker  # Its types are incomplete.
_NARROW_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
FLOATS = (*_NARROW_FLOATS, onnx.TensorProto.DOUBLE)
"""ONNX element types of real numbers."""


class Runner(Protocol):
    """Runs a graph."""

    def run(self, outputs: Sequence[str], feed: dict[str, Array]) -> Sequence[Array]:
        """The values named `outputs`, for inputs `feed`."""
        ...


def first_line(error: Exception) -> str:
    """First line of a library's error message, at most 300 characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def open_runner(model: onnx.ModelProto) -> Runner:
    """Open a model in ONNX Runtime, or in the reference implementation if it lacks a kernel.

    Raises
    ------
    Exception : of any type, if neither can load it.
    """
    options = _ORT.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = _ORT.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return _ORT.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception:  # The reference implementation's error, if any, is the one to report.
        return cast(Runner, ReferenceEvaluator(model, new_ops=[BatchNormalization]))


def engine_of(model: onnx.ModelProto) -> str:
    """Name and version of the runtime that `open_runner` takes for a model.

    Raises
    ------
    Exception : as `open_runner`.
    """
    if isinstance(open_runner(model), ReferenceEvaluator):
        return f"onnx.reference {onnx.__version__}"
    return f"ONNX Runtime {_ORT.__version__}"


class BatchNormalization(OpRun):
    """BatchNormalization in inference; before version 14 the reference implementation trains."""

    op_domain = ""
    op_schema = onnx.defs.get_schema("BatchNormalization", 15)

    def _run(
        self,
        x: Array,
        scale: Array,
        bias: Array,
        mean: Array,
        variance: Array,
        epsilon: float | None = None,
        momentum: float | None = None,
        training_mode: int | None = None,
    ) -> tuple[Array]:
        shape = (-1, *(1 for _ in x.shape[2:]))
        gain = scale / np.sqrt(variance + (1e-5 if epsilon is None else epsilon))
        result = (x - mean.reshape(shape)) * gain.reshape(shape) + bias.reshape(shape)
        return (result.astype(x.dtype),)


def widened(model: onnx.ModelProto, *, keep_decisions: bool = False) -> onnx.ModelProto:
    """The model with float64 in place of float32 and float16.

    Parameters
    ----------
    keep_decisions : comparisons, roundings and casts to integers keep the types of the file, and so
        does a copy of all ops that they depend on. So branches are taken as a runtime takes them,
        to the last bit, and all other ops have no float32 rounding.
    """
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    kept = _copy_decisions(wide) if keep_decisions else frozenset[str]()
    for value in (*wide.graph.input, *wide.graph.output):
        if value.type.tensor_type.elem_type in _NARROW_FLOATS:
            value.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    tensors = [tensor for tensor in wide.graph.initializer if tensor.name not in kept]
    for node in wide.graph.node:
        if not kept.isdisjoint(node.output):
            continue
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                tensors.append(attribute.t)
            elif attribute.name == "to" and attribute.i in _NARROW_FLOATS:
                attribute.i = onnx.TensorProto.DOUBLE
            elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
                floats = np.array(
                    attribute.f if attribute.name == "value_float" else attribute.floats
                )
                attribute.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(floats)))
    for tensor in tensors:
        if tensor.data_type in _NARROW_FLOATS:
            array = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    _write_out_sigmoids(wide.graph, kept)
    return wide


def _copy_decisions(model: onnx.ModelProto) -> frozenset[str]:
    """Add a copy of the ops that decide on branches, in the types of the file, and use its
    decisions.

    Returns
    -------
    Names of the values and tensors that keep the types of the file.
    """
    graph = model.graph
    kinds = element_types(model)
    nodes = list(graph.node)
    floats = {name for name, kind in kinds.items() if kind in _NARROW_FLOATS}
    deciding = [node for node in nodes if is_decision(node, kinds)]
    if not deciding:
        return frozenset()
    needed = {name for node in deciding for name in node.input if name in floats}
    for node in reversed(nodes):
        if not needed.isdisjoint(node.output):
            needed.update(name for name in node.input if name in floats)
    # A suffix that no name of the file has.
    suffix = " narrow"
    while any(name.endswith(suffix) for name in kinds):
        suffix += "'"

    made: set[str] = set()
    kept: set[str] = set()
    graph.ClearField("node")
    for value in graph.input:
        if value.name in needed:
            kind = value.type.tensor_type.elem_type
            graph.node.append(
                helper.make_node("Cast", [value.name], [value.name + suffix], to=kind)
            )
            kept.add(value.name + suffix)
    for tensor in [each for each in graph.initializer if each.name in needed]:
        copy = onnx.TensorProto()
        copy.CopyFrom(tensor)
        copy.name += suffix
        graph.initializer.append(copy)
        kept.add(copy.name)
    for node in nodes:
        decides = is_decision(node, kinds)
        if decides:
            made |= {name for name in node.output if name in floats}
        if decides or not needed.isdisjoint(node.output):
            graph.node.append(_renamed_copy(node, needed | made, suffix))
            kept.update(filter(None, graph.node[-1].output))
        if not decides:
            graph.node.append(node)
        else:  # The float64 results are casts of the copy's.
            graph.node.extend(
                helper.make_node("Cast", [name + suffix], [name], to=kinds[name])
                for name in node.output
                if name in floats
            )
    return frozenset(kept)


def _renamed_copy(node: onnx.NodeProto, renamed: Collection[str], suffix: str) -> onnx.NodeProto:
    """A copy of a node that appends `suffix` to the names in `renamed`."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    for names in (copy.input, copy.output):
        names[:] = [name + suffix if name in renamed else name for name in names]
    return copy


_DISCONTINUOUS = frozenset({"Ceil", "Floor", "Mod", "Round", "Sign", "Shrink", "ThresholdedRelu"})
"""Discontinuous operators from floats to floats."""


def is_decision(node: onnx.NodeProto, kinds: Mapping[str, int]) -> bool:
    """Whether a node computes truth values or integers from floats, or is discontinuous.

    Parameters
    ----------
    kinds : ONNX element type of each value.
    """
    if node.op_type in ("Shape", "Size", "Constant", "ConstantOfShape"):
        return False
    floats = [name for name in node.input if kinds.get(name) in FLOATS]
    exact = any(kinds.get(name) not in FLOATS for name in node.output if name in kinds)
    return bool(floats) and (exact or node.op_type in _DISCONTINUOUS)


def element_types(model: onnx.ModelProto) -> dict[str, int]:
    """Element type of each value, as far as ONNX infers it; empty if inference fails."""
    try:
        inferred: onnx.ModelProto = onnx.shape_inference.infer_shapes(model)
    except Exception:  # The C++ library raises errors of many types.
        return {}
    graph = inferred.graph
    kinds = {
        value.name: value.type.tensor_type.elem_type
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    return kinds | {tensor.name: tensor.data_type for tensor in graph.initializer}


def _write_out_sigmoids(graph: onnx.GraphProto, kept: frozenset[str]) -> None:
    """Replace sigmoids by 1 / (1 + exp(-x)): ONNX Runtime's kernel is constant from about 18 on."""
    nodes = list(graph.node)
    if not any(node.op_type == "Sigmoid" for node in nodes):
        return
    taken = {name for node in nodes for name in (*node.input, *node.output)}
    free = (f"sigmoid_{count}" for count in count_from(0) if f"sigmoid_{count}" not in taken)
    one = next(free)
    graph.initializer.append(numpy_helper.from_array(np.array(1.0), one))
    graph.ClearField("node")
    for node in nodes:
        if node.op_type != "Sigmoid" or node.output[0] in kept:
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
    """Check a serialised graph x (batch, in) -> y (batch, out).

    Returns
    -------
    Batch, number of inputs, number of outputs.

    Raises
    ------
    KanError : the graph is no valid ONNX, or has another form.
    """
    try:
        model = onnx.ModelProto.FromString(data)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        raise KanError("the subgraph is no ONNX model") from None
    _check_plain(model)
    try:
        _CHECKER.check_model(model)
    except Exception as error:  # The C++ library raises errors of many types.
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
    """Refuse non-standard operators, external data, and control flow."""
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
    """Refuse values of more than `MAX_ELEMENTS`: a few bytes can ask for terabytes."""
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except Exception as error:  # The C++ library raises errors of many types.
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


def in_batches(
    run: Callable[[FloatArray], Sequence[FloatArray]], x: FloatArray, batch: int
) -> list[FloatArray]:
    """Run rows in batches; results (rows, elements) each, float64.

    A row that fails, such as by an index computed from NaN, gives NaN. After `_MAX_SPLIT_FAILURES`
    the rows of a failing batch all give NaN.

    Raises
    ------
    Exception : of any type, if the graph cannot be run for any row.
    """
    parts: list[Sequence[FloatArray] | None] = []
    shape: list[int] | None = None
    failures = 0
    pending = [x[start : start + batch] for start in range(0, len(x), batch)][::-1]
    while pending:
        rows = pending.pop()
        try:
            with np.errstate(all="ignore"):
                parts.append(run(rows))
            shape = [each.shape[1] for each in parts[-1] or ()]
        except Exception as error:  # Runtimes raise errors of many types.
            if not fails_by_rows(error):
                raise
            failures += 1
            if len(rows) > 1 and failures <= _MAX_SPLIT_FAILURES:
                pending += [rows[len(rows) // 2 :], rows[: len(rows) // 2]]
                continue
            parts.extend([None] * len(rows))
            if shape is None and not pending:
                raise
    blanks = [np.full((1, width), np.nan) for width in shape or ()]
    filled = [blanks if part is None else part for part in parts]
    return [np.concatenate(column) for column in zip(*filled, strict=True)]


def fails_by_rows(error: Exception) -> bool:
    """Whether a runtime failed on computed values: an index out of bounds."""
    return isinstance(error, IndexError) or ("out of" in str(error) and "bounds" in str(error))


def run_rows(
    runner: Runner, x: FloatArray, batch: int, dtype: np.dtype[np.generic] = _FLOAT64
) -> FloatArray:
    """Run a graph for a fixed batch: x (rows, in) -> y (rows, out), float64, as `in_batches`.

    Parameters
    ----------
    dtype : type of the graph's input.
    """

    def run(rows: FloatArray) -> list[FloatArray]:
        # The last row fills up the last batch.
        feed = np.concatenate([rows, np.repeat(rows[-1:], batch - len(rows), axis=0)])
        (y,) = runner.run([OUTPUT], {INPUT: feed.astype(dtype)})
        return [np.asarray(y, dtype=np.float64)[: len(rows)]]

    (y,) = in_batches(run, x, batch)
    return y


@lru_cache(maxsize=64)
def _runner_of(data: bytes) -> Runner:
    return open_runner(widened(onnx.ModelProto.FromString(data), keep_decisions=True))


def run_graph(data: bytes, x: FloatArray) -> FloatArray:
    """Run a serialised graph: x (rows, in), float64 -> y (rows, out), float64.

    Raises
    ------
    KanError : the graph cannot be run.
    """
    batch, inputs, outputs = graph_shape(data)
    try:
        results = run_rows(_runner_of(data), x.reshape(len(x), inputs), batch)
    except Exception as error:  # Runtimes raise errors of many types.
        raise KanError(f"the subgraph cannot be evaluated: {first_line(error)}") from None
    return results.reshape(len(x), outputs)
