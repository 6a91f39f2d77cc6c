"""Turns the inputs of an ONNX model into a single one of shape (batch, features).

Several inputs become one that holds them side by side, in the graph's order; a Split in front of
the network separates them. An input without a batch gets a batch of 1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from kan_dialect.errors import KanError
from kan_dialect.frontends.onnx.read.file import dtype_of, element_type_name

_SHAPE_REMEDY = "export the model with an example input of shape (batch, features)"


def float_inputs(path: Path, graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """The inputs of a graph that are no parameters.

    Raises
    ------
    KanError : the graph has no inputs.
    """
    inputs = _own_inputs(graph)
    if not inputs:
        raise KanError(
            f"{path.name}: the model has no input",
            remedy="export the model as a function of its features",
        )
    return inputs


def _own_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    parameters = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in parameters]


def input_dtype(path: Path, value: onnx.ValueInfoProto) -> np.dtype[np.generic]:
    """Element type of an input.

    Raises
    ------
    KanError : it is no float type.
    """
    element_type = value.type.tensor_type.elem_type
    dtype = dtype_of(element_type)
    if dtype is None or dtype.kind != "f":
        raise KanError(
            f"{path.name}: input '{value.name}' holds {element_type_name(element_type)}, but "
            f"only float16, float32 and float64 inputs are supported",
            remedy="export the model in float32",
        )
    return dtype


def input_shape(path: Path, value: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    """Extents of an input; None for an open batch.

    Raises
    ------
    KanError : the input has no shape or no batch dimension, or another dimension is open.
    """
    where = f"{path.name}: input '{value.name}'"
    shape = _declared_shape(value)
    if shape is None:
        raise KanError(f"{where} has no shape", remedy=_SHAPE_REMEDY)
    shown = _shown(shape)
    if len(shape) < 2:
        raise KanError(f"{where} of shape ({shown}) has no batch dimension", remedy=_SHAPE_REMEDY)
    if any(extent is not None and extent <= 0 for extent in shape):
        raise KanError(
            f"{where} of shape ({shown}) has an extent that is not positive", remedy=_SHAPE_REMEDY
        )
    if sum(extent is None for extent in shape) > 1:
        raise KanError(
            f"{where} of shape ({shown}) leaves the number of features open",
            remedy="export it with only the batch dimension dynamic",
        )
    return shape


def column_names(graph: onnx.GraphProto) -> list[str]:
    """Names of several inputs of one column each; empty where inputs name no columns."""
    inputs = _own_inputs(graph)
    if len(inputs) < 2 or any((_declared_shape(value) or ())[1:] != (1,) for value in inputs):
        return []
    return [value.name for value in inputs]


def join_inputs(path: Path, graph: onnx.GraphProto) -> str | None:
    """Change a graph with several inputs, or one without a batch, to one input (batch, features).

    The input's name joins those of the original inputs: 'a+b', 'x'.

    Returns
    -------
    The value that is the input without its batch, if the file has no batch; else None.

    Raises
    ------
    KanError : an input holds no floats, or one of several is not (batch, features).
    """
    inputs = float_inputs(path, graph)
    if len(inputs) > 1:
        _join(path, graph, inputs)
        return None
    shape = _declared_shape(inputs[0])
    if shape is None or len(shape) != 1 or not shape[0] or shape[0] < 0:
        return None
    return _add_batch(path, graph, inputs[0], shape[0])


def _declared_shape(value: onnx.ValueInfoProto) -> tuple[int | None, ...] | None:
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        return None
    extents = value.type.tensor_type.shape.dim
    return tuple(each.dim_value if each.HasField("dim_value") else None for each in extents)


def _shown(shape: tuple[int | None, ...]) -> str:
    return ", ".join("?" if extent is None else str(extent) for extent in shape)


def _join(path: Path, graph: onnx.GraphProto, inputs: list[onnx.ValueInfoProto]) -> None:
    dtypes = [input_dtype(path, value) for value in inputs]
    shapes = [input_shape(path, value) for value in inputs]
    for value, shape in zip(inputs, shapes, strict=True):
        where = f"{path.name}: input '{value.name}' of shape ({_shown(shape)})"
        if len(shape) != 2 or shape[1] is None:
            raise KanError(
                f"{where} is one of several, each of which must have the shape (batch, features)",
                remedy="flatten it, or make one input of all before the export",
            )
        if shape[0] != shapes[0][0]:
            raise KanError(
                f"{where} has another batch than input '{inputs[0].name}' of shape "
                f"({_shown(shapes[0])})",
                remedy="export all inputs with the same batch dimension",
            )
    names = [value.name for value in inputs]
    joined = _unused(graph, "+".join(names))
    sizes = _add_constant(graph, f"{joined} sizes", [shape[1] or 0 for shape in shapes])
    widest = max(dtypes, key=lambda dtype: dtype.itemsize)
    casts = [
        helper.make_node(
            "Cast",
            [f"{joined} {name}"],
            [name],
            name=f"{name} cast",
            to=helper.np_dtype_to_tensor_dtype(dtype),
        )
        for name, dtype in zip(names, dtypes, strict=True)
        if dtype != widest
    ]
    narrow = {cast.output[0] for cast in casts}
    pieces = [f"{joined} {name}" if name in narrow else name for name in names]
    split = helper.make_node("Split", [joined, sizes], pieces, name=joined, axis=1)
    features = sum(shape[1] or 0 for shape in shapes)
    _replace_inputs(graph, inputs, joined, widest, [shapes[0][0], features], [split, *casts])


def _add_batch(
    path: Path, graph: onnx.GraphProto, value: onnx.ValueInfoProto, features: int
) -> str:
    dtype = input_dtype(path, value)
    vector = _unused(graph, f"{value.name} of one sample")
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name == value.name:
                node.input[index] = vector
    axes = _add_constant(graph, f"{vector} axes", [0])
    squeeze = helper.make_node("Squeeze", [value.name, axes], [vector], name=vector)
    _replace_inputs(graph, [value], value.name, dtype, [1, features], [squeeze])
    return vector


def _replace_inputs(
    graph: onnx.GraphProto,
    inputs: list[onnx.ValueInfoProto],
    name: str,
    dtype: np.dtype[np.generic],
    shape: list[int | None],
    nodes: list[onnx.NodeProto],
) -> None:
    replaced = {value.name for value in inputs}
    kept = [value for value in graph.input if value.name not in replaced]
    element_type = helper.np_dtype_to_tensor_dtype(dtype)
    old = list(graph.node)
    graph.ClearField("input")
    graph.input.extend([helper.make_tensor_value_info(name, element_type, shape), *kept])
    graph.ClearField("node")
    graph.node.extend([*nodes, *old])


def _add_constant(graph: onnx.GraphProto, name: str, values: list[int]) -> str:
    name = _unused(graph, name)
    graph.initializer.append(numpy_helper.from_array(np.array(values, dtype=np.int64), name))
    return name


def _unused(graph: onnx.GraphProto, name: str) -> str:
    """The name, extended until no value of the graph has it."""
    taken = {each for node in graph.node for each in (*node.input, *node.output)}
    taken |= {each.name for each in (*graph.initializer, *graph.input, *graph.output)}
    while name in taken:
        name += "'"
    return name
