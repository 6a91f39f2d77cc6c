"""Reads an ONNX file as a graph: the nodes that its output needs, in execution order.

This file covers the structure only. `operators/` gives the meaning of operators, and
`recognise/dataflow.py` follows values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx

from kan_dialect.errors import KanError
from kan_dialect.evaluate.onnx_subgraph import STANDARD_DOMAINS, first_line
from kan_dialect.frontends.onnx.read.file import (
    MAX_NODES,
    Budget,
    read_model,
    read_tensor,
)
from kan_dialect.frontends.onnx.read.inputs import (
    float_inputs,
    input_dtype,
    input_shape,
    join_inputs,
)
from kan_dialect.frontends.onnx.read.names import names_of
from kan_dialect.frontends.onnx.read.pipelines import expand_pipeline
from kan_dialect.frontends.onnx.read.quantizers import Quantizer, expand_quantizers
from kan_dialect.ir.attributes.data_schema import NO_SCHEMA, DataSchema
from kan_dialect.ir.constants import Array

MAX_WIDTH = 1 << 16
"""Most inputs and most outputs of a network."""

_CHECKER: Any = onnx.checker  # Its types are incomplete.
_EXPORT_AGAIN = "export the model again"


class Unrecognised(KanError):
    """Recognition of the layers stopped at a node.

    Attributes
    ----------
    node : the node.
    reason : the reason, without file and node.
    """

    def __init__(self, node: Node, reason: str, remedy: str | None) -> None:
        self.node = node
        self.reason = reason
        super().__init__(f"{node.file}: {node.label}: {reason}", remedy=remedy)


@dataclass(frozen=True, eq=False)
class Node:
    """One node.

    Attributes
    ----------
    file : name of the model's file, for messages.
    """

    file: str
    proto: onnx.NodeProto

    @property
    def op_type(self) -> str:
        return self.proto.op_type

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of values; empty for an omitted optional input."""
        return tuple(self.proto.input)

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        return tuple(self.proto.output)

    @property
    def reads(self) -> list[str]:
        """Names of the operands that are given."""
        return [name for name in self.inputs if name]

    @cached_property
    def attributes(self) -> dict[str, object]:
        """Values by name; texts as `str`."""
        found = {each.name: onnx.helper.get_attribute_value(each) for each in self.proto.attribute}
        return {
            name: value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            for name, value in found.items()
        }

    @property
    def label(self) -> str:
        """The node's name and type, for messages."""
        return label_of(self.proto)

    def within(self, op_type: str, inputs: Sequence[str], outputs: Sequence[str]) -> Node:
        """A node for a step of this one."""
        name = self.proto.name or self.outputs[0]
        return Node(self.file, onnx.helper.make_node(op_type, inputs, outputs, name))

    def refuse(self, reason: str, remedy: str | None = None) -> Unrecognised:
        """The error that recognition stopped at this node."""
        return Unrecognised(self, reason, remedy)

    def misfit(self, reason: object) -> Unrecognised:
        """The error that the node's operands have wrong shapes or types."""
        return self.refuse(f"its operands do not fit it: {reason}", "export the model again")

    # The checker of the `onnx` package has compared attributes with the operators' schemas.

    def integer(self, name: str, default: int) -> int:
        return cast(int, self.attributes.get(name, default))

    def number(self, name: str, default: float) -> float:
        return cast(float, self.attributes.get(name, default))

    def text(self, name: str, default: str) -> str:
        return cast(str, self.attributes.get(name, default))

    def integers(self, name: str) -> list[int]:
        return cast("list[int]", self.attributes.get(name, []))


@dataclass(frozen=True, eq=False)
class Graph:
    """The part of a model that its output needs.

    Attributes
    ----------
    model : the same as a model of its own, for ONNX Runtime.
    nodes : in execution order.
    constants : initializers by name.
    input_shape : extents; None for an open one.
    vector : the value that is the input without its batch, in a file for one sample; else None.
    names : of features and classes, as far as the model has them.
    quantizers : by the names of their results.
    """

    path: Path
    model: onnx.ModelProto
    opset: int
    nodes: Sequence[Node]
    constants: dict[str, Array]
    input: str
    input_shape: tuple[int | None, ...]
    input_dtype: np.dtype[np.generic]
    output: str
    budget: Budget
    vector: str | None = None
    schema: DataSchema = NO_SCHEMA
    quantizers: Mapping[str, Quantizer] = field(default_factory=dict[str, Quantizer])

    @property
    def inputs(self) -> int:
        """Number of features of a sample."""
        return prod(self.sample_shape)

    @property
    def batch_axis(self) -> int:
        """The axis of the input that runs over samples: the open one, or else the first."""
        return self.input_shape.index(None) if None in self.input_shape else 0

    @property
    def sample_shape(self) -> list[int]:
        """Extents of the input for one sample, without the batch."""
        axis = self.batch_axis
        return [extent or 1 for index, extent in enumerate(self.input_shape) if index != axis]

    def up_to(self, value: str) -> Graph:
        """The graph with another of its values as output."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        del model.graph.output[:]
        model.graph.output.append(onnx.ValueInfoProto(name=value))  # Runtimes infer the type.
        needed = _prune(model.graph)
        return replace(
            self,
            model=model,
            nodes=[node for node in self.nodes if not needed.isdisjoint(node.outputs)],
            constants={name: each for name, each in self.constants.items() if name in needed},
            output=value,
        )

    def too_wide(self, end: str, name: str, width: int) -> KanError:
        """The error that input or output (`end`) has too many features."""
        return self.error(
            f"{end} '{name}' has {width} features, more than {MAX_WIDTH}",
            "select features or reduce their number before the network"
            if end == "input"
            else "split the model by its outputs",
        )

    def error(self, reason: str, remedy: str | None = None) -> KanError:
        """An error about the model as a whole."""
        return KanError(f"{self.path.name}: {reason}", remedy=remedy)


def read_graph(path: Path) -> Graph:
    """Read and check the graph of the model in a file.

    Raises
    ------
    KanError : the file is no valid model of float inputs and one output.
    """
    try:
        return graph_of(read_model(path), path)
    except UnicodeDecodeError:
        raise _not_utf8(path) from None


def _not_utf8(path: Path) -> KanError:
    return KanError(
        f"{path.name}: a name in the file is not UTF-8 text",
        remedy=f"{_EXPORT_AGAIN}, with names in UTF-8",
    )


def graph_of(model: onnx.ModelProto, path: Path) -> Graph:
    """Check the graph of a model that came from the file `path`.

    Raises
    ------
    KanError : as `read_graph`.
    """
    budget = Budget(path)
    source = model.graph
    names = names_of(path, model, expand_pipeline(path, source))
    vector = join_inputs(path, source)
    quantizers = expand_quantizers(path, source)
    if len(source.node) > MAX_NODES:
        raise KanError(f"{path.name}: {len(source.node)} nodes are more than {MAX_NODES}")
    if source.sparse_initializer:
        raise KanError(
            f"{path.name}: sparse initializers are not supported",
            remedy="export the model with dense weights",
        )
    (graph_input,) = float_inputs(path, source)
    shape, dtype = input_shape(path, graph_input), input_dtype(path, graph_input)
    if len(source.output) != 1:
        names = ", ".join(f"'{value.name}'" for value in source.output) or "none"
        raise KanError(
            f"{path.name}: exactly one output is needed, the model has {len(source.output)}: "
            f"{names}",
            remedy="export the model with one output",
        )
    output = source.output[0].name
    standard = [entry for entry in model.opset_import if entry.domain in STANDARD_DOMAINS]
    pruned = onnx.ModelProto(ir_version=model.ir_version, opset_import=standard)
    pruned.graph.CopyFrom(source)
    pruned.graph.name = source.name or "model"
    _prune(pruned.graph)
    nodes = [Node(path.name, proto) for proto in pruned.graph.node]
    constants = {each.name: _parameter(each, path, budget) for each in pruned.graph.initializer}
    for node in nodes:
        _check_node(path, node.proto, budget)
    made = {name for node in nodes for name in node.outputs}
    if output not in {graph_input.name, *constants, *made}:
        raise KanError(f"{path.name}: no node computes output '{output}'", remedy=_EXPORT_AGAIN)
    _check_validity(path, pruned)
    return Graph(
        path=path,
        model=pruned,
        opset=max(entry.version for entry in standard),
        nodes=nodes,
        constants=constants,
        input=graph_input.name,
        input_shape=shape,
        input_dtype=dtype,
        output=output,
        budget=budget,
        vector=vector,
        schema=names,
        quantizers=quantizers,
    )


def _prune(graph: onnx.GraphProto) -> set[str]:
    """Keep only what the output needs; returns the names of these values.

    Nodes must be in execution order, which the checker of the `onnx` package requires afterwards.
    """
    needed = {value.name for value in graph.output}
    nodes: list[onnx.NodeProto] = []
    for node in reversed(graph.node):
        if not needed.isdisjoint(node.output):
            nodes.append(node)
            needed.update(filter(None, node.input))
    tensors = [tensor for tensor in graph.initializer if tensor.name in needed]
    names = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in names]
    kept = onnx.GraphProto(node=nodes[::-1], initializer=tensors, input=inputs)
    for part in ("node", "initializer", "input", "value_info"):
        graph.ClearField(part)
    graph.MergeFrom(kept)
    return needed


def label_of(node: onnx.NodeProto) -> str:
    """A node's name and type, for messages."""
    name = node.name or (node.output[0] if node.output else "")
    return f"node '{name}' ({node.op_type})"


def _check_node(path: Path, node: onnx.NodeProto, budget: Budget) -> None:
    where = f"{path.name}: {label_of(node)}"
    if node.domain not in STANDARD_DOMAINS:
        raise KanError(
            f"{where}: operators of the domain '{node.domain}' are not known",
            remedy="export the model with standard ONNX operators only",
        )
    for attribute in node.attribute:
        if attribute.HasField("g") or attribute.graphs:
            raise KanError(
                f"{where}: control flow with subgraphs is not supported",
                remedy="export the model with loops unrolled and branches resolved",
            )
        if attribute.HasField("t"):
            name = node.output[0] if node.output else attribute.name
            _check_finite(path, name, read_tensor(attribute.t, path, name, budget))


def _parameter(tensor: onnx.TensorProto, path: Path, budget: Budget) -> Array:
    array = read_tensor(tensor, path, tensor.name, budget)
    _check_finite(path, tensor.name, array)
    return array


def _check_finite(path: Path, name: str, array: Array) -> None:
    """Refuse NaN and infinite parameters. A scalar may be infinite: the bound of a clamp."""
    if array.dtype.kind != "f" or (array.size == 1 and not np.isnan(array).any()):
        return
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        index = bad[0].tolist()
        raise KanError(
            f"{path.name}: tensor '{name}'{index} is {float(array[tuple(index)])}: parameters "
            f"must be finite",
            remedy="train the model again: it has diverged",
        )


def _check_validity(path: Path, model: onnx.ModelProto) -> None:
    """Check inputs and attributes against the operators' schemas."""
    # The checker requires a shape of an output, which is not needed otherwise.
    shapeless = [
        each.type.tensor_type
        for each in model.graph.output
        if not each.type.tensor_type.HasField("shape")
    ]
    for tensor_type in shapeless:
        tensor_type.shape.SetInParent()
    try:
        _CHECKER.check_model(model)
    except Exception as error:  # The C++ library raises errors of many types.
        # On Python 3.11, an error whose message quotes such a name has no message.
        if isinstance(error, UnicodeDecodeError) or not error.args:
            raise _not_utf8(path) from None
        raise KanError(
            f"{path.name}: not valid ONNX: {first_line(error)}", remedy=_EXPORT_AGAIN
        ) from None
    for tensor_type in shapeless:
        tensor_type.ClearField("shape")
