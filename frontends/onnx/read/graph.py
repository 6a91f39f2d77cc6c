"""Reads an ONNX file as a graph: live nodes in execution order, with plain Python attributes.

This file covers the structure only. `operators/` gives the meaning of operators, and
`recognise/dataflow.py` follows values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, TypeAlias, cast

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
from kan_dialect.ir.attributes.data_names import NAMELESS, DataNames
from kan_dialect.ir.constants import Array

AttributeValue: TypeAlias = (
    int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...] | Array
)

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
    inputs : names of values; empty for an omitted optional input.
    """

    file: str
    name: str
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, AttributeValue]

    @property
    def label(self) -> str:
        """The node's name and type, for messages."""
        return f"node '{self.name or self.outputs[0]}' ({self.op_type})"

    @property
    def proto(self) -> onnx.NodeProto:
        """The node as ONNX stores it."""
        make = cast(Any, onnx.helper.make_node)
        return make(
            self.op_type,
            self.inputs,
            self.outputs,
            **{
                name: onnx.numpy_helper.from_array(value)
                if isinstance(value, np.ndarray)
                else value
                for name, value in self.attributes.items()
                if not isinstance(value, tuple) or value
            },
        )

    def refuse(self, reason: str, remedy: str | None = None) -> Unrecognised:
        """The error that recognition stopped at this node."""
        return Unrecognised(self, reason, remedy)

    def integer(self, name: str, default: int) -> int:
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise self._wrong(name)
        return value

    def number(self, name: str, default: float) -> float:
        value = self.attributes.get(name, default)
        if not isinstance(value, int | float):
            raise self._wrong(name)
        return float(value)

    def text(self, name: str, default: str) -> str:
        value = self.attributes.get(name, default)
        if not isinstance(value, str):
            raise self._wrong(name)
        return value

    def integers(self, name: str) -> tuple[int, ...] | None:
        value = self.attributes.get(name)
        if value is None:
            return None
        if not isinstance(value, tuple):
            raise self._wrong(name)
        numbers = tuple(entry for entry in value if isinstance(entry, int))
        if len(numbers) != len(value):
            raise self._wrong(name)
        return numbers

    def array(self, name: str) -> Array | None:
        value = self.attributes.get(name)
        if value is not None and not isinstance(value, np.ndarray):
            raise self._wrong(name)
        return value

    def _wrong(self, name: str) -> Unrecognised:
        return self.refuse(f"attribute '{name}' is of the wrong kind", _EXPORT_AGAIN)


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
    names: DataNames = NAMELESS

    @property
    def inputs(self) -> int:
        """Number of features of a sample."""
        shape = self.input_shape
        axis = shape.index(None) if None in shape else 0
        return prod(extent or 1 for index, extent in enumerate(shape) if index != axis)

    def up_to(self, value: str) -> Graph:
        """The graph with another of its values as output."""
        needed = {value}
        nodes: list[Node] = []
        for node in reversed(self.nodes):
            if not needed.isdisjoint(node.outputs):
                nodes.append(node)
                needed.update(node.inputs)
        kept = {node.outputs[0] for node in nodes}
        source = self.model.graph
        model = _pruned_model(
            self.model,
            [node for node in source.node if node.output[0] in kept],
            [tensor for tensor in source.initializer if tensor.name in needed],
        )
        model.graph.ClearField("output")
        model.graph.output.append(onnx.ValueInfoProto(name=value))  # Runtimes infer the type.
        return replace(
            self,
            model=model,
            nodes=nodes[::-1],
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
    names = names_of(path, model)
    vector = join_inputs(path, source)
    if len(source.node) > MAX_NODES:
        raise KanError(f"{path.name}: {len(source.node)} nodes are more than {MAX_NODES}")
    if source.sparse_initializer:
        raise KanError(
            f"{path.name}: sparse initializers are not supported",
            remedy="export the model with dense weights",
        )
    initializers = {tensor.name: tensor for tensor in source.initializer}
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
    live, used = _live_nodes(path, source, initializers, graph_input.name, output)
    used_initializers = [tensor for tensor in source.initializer if tensor.name in used]
    constants = {
        each.name: read_tensor(each, path, each.name, budget) for each in used_initializers
    }
    for name, array in constants.items():
        _check_finite(path, name, array)
    nodes = [_read_node(node, path, budget) for node in live]
    pruned = _pruned_model(model, live, used_initializers)
    _check_validity(path, pruned)
    return Graph(
        path=path,
        model=pruned,
        opset=max(
            entry.version for entry in model.opset_import if entry.domain in STANDARD_DOMAINS
        ),
        nodes=nodes,
        constants=constants,
        input=graph_input.name,
        input_shape=shape,
        input_dtype=dtype,
        output=output,
        budget=budget,
        vector=vector,
        names=names,
    )


def _live_nodes(
    path: Path,
    graph: onnx.GraphProto,
    initializers: dict[str, onnx.TensorProto],
    graph_input: str,
    output: str,
) -> tuple[list[onnx.NodeProto], set[str]]:
    """The nodes that the output needs, in execution order, and the names that they read."""
    producers: dict[str, int] = {}
    for index, node in enumerate(graph.node):
        for name in filter(None, node.output):
            if name in producers or name in initializers or name == graph_input:
                raise KanError(
                    f"{path.name}: value '{name}' is defined more than once", remedy=_EXPORT_AGAIN
                )
            producers[name] = index
    known = {*initializers, graph_input}
    order: list[int] = []
    state: dict[int, str] = {}
    used: set[str] = {output}
    # Depth-first search without recursion: a node is left once its inputs are done.
    stack: list[tuple[str, str, bool]] = [(output, "the graph's output", False)]
    while stack:
        name, reader, leaving = stack.pop()
        if name in known:
            continue
        index = producers.get(name)
        if index is None:
            raise KanError(
                f"{path.name}: value '{name}', read by {reader}, is not defined: it is neither a "
                f"node's output nor an initializer",
                remedy=_EXPORT_AGAIN,
            )
        if leaving:
            state[index] = "done"
            order.append(index)
        elif state.get(index) == "open":
            raise KanError(
                f"{path.name}: the graph is cyclic: {_proto_label(graph.node[index])} needs its "
                f"own result",
                remedy=_EXPORT_AGAIN,
            )
        elif index not in state:
            node = graph.node[index]
            _check_kind(path, node)
            state[index] = "open"
            stack.append((name, reader, True))
            label = _proto_label(node)
            stack.extend((each, label, False) for each in reversed(node.input) if each)
            used.update(filter(None, node.input))
    return [graph.node[index] for index in order], used


def _proto_label(node: onnx.NodeProto) -> str:
    name = node.name or (node.output[0] if node.output else "")
    return f"node '{name}' ({node.op_type})"


def _check_kind(path: Path, node: onnx.NodeProto) -> None:
    where = f"{path.name}: {_proto_label(node)}"
    if node.domain not in STANDARD_DOMAINS:
        raise KanError(
            f"{where}: operators of the domain '{node.domain}' are not known",
            remedy="export the model with standard ONNX operators only",
        )
    if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
        raise KanError(
            f"{where}: control flow with subgraphs is not supported",
            remedy="export the model with loops unrolled and branches resolved",
        )


def _read_node(proto: onnx.NodeProto, path: Path, budget: Budget) -> Node:
    attributes = {
        attribute.name: _read_attribute(attribute, proto, path, budget)
        for attribute in proto.attribute
    }
    return Node(
        file=path.name,
        name=proto.name,
        op_type=proto.op_type,
        inputs=tuple(proto.input),
        outputs=tuple(proto.output),
        attributes=attributes,
    )


def _read_attribute(
    attribute: onnx.AttributeProto, node: onnx.NodeProto, path: Path, budget: Budget
) -> AttributeValue:
    kinds = onnx.AttributeProto
    match attribute.type:
        case kinds.INT:
            return attribute.i
        case kinds.FLOAT:
            return attribute.f
        case kinds.STRING:
            return attribute.s.decode("utf-8", "replace")
        case kinds.INTS:
            return tuple(attribute.ints)
        case kinds.FLOATS:
            return tuple(attribute.floats)
        case kinds.STRINGS:
            return tuple(entry.decode("utf-8", "replace") for entry in attribute.strings)
        case kinds.TENSOR:
            name = node.output[0] if node.output else attribute.name
            array = read_tensor(attribute.t, path, name, budget)
            _check_finite(path, name, array)
            return array
        case _:
            raise KanError(
                f"{path.name}: {_proto_label(node)}: attribute '{attribute.name}' is of a kind "
                f"that is not supported",
                remedy=_EXPORT_AGAIN,
            )


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


def _pruned_model(
    model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto], tensors: Sequence[onnx.TensorProto]
) -> onnx.ModelProto:
    """The model reduced to the part that its output needs."""
    names = {tensor.name for tensor in model.graph.initializer}
    pruned = onnx.ModelProto()
    pruned.ir_version = model.ir_version
    pruned.opset_import.extend(model.opset_import)
    pruned.graph.name = model.graph.name or "model"
    pruned.graph.node.extend(nodes)
    pruned.graph.initializer.extend(tensors)
    pruned.graph.input.extend(value for value in model.graph.input if value.name not in names)
    pruned.graph.output.extend(model.graph.output)
    return pruned


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
