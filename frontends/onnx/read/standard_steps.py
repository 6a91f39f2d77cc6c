"""Writes an operator of a file as standard operators, step by step.

Operators of other domains, and quantisers, are written so when a file is read. The meaning of the
graph stays, and runtimes and shape inference know all of its operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnx
from onnx import helper, numpy_helper

from kan_dialect.errors import KanError
from kan_dialect.frontends.onnx.read.file import Budget, read_tensor
from kan_dialect.ir.constants import Array

MAX_CONSTANT = 1 << 16
"""Most elements of a constant that decides how an operator is written."""

_Value = TypeVar("_Value")


@dataclass
class Rewriting:
    """A graph that is written anew.

    Attributes
    ----------
    tensors : constants of the file, by name.
    nodes, added : the new operators, and the constants that they read beside those of the file.
    """

    path: Path
    tensors: dict[str, onnx.TensorProto]
    nodes: list[onnx.NodeProto] = field(default_factory=list[onnx.NodeProto])
    added: list[onnx.TensorProto] = field(default_factory=list[onnx.TensorProto])

    @staticmethod
    def of(path: Path, graph: onnx.GraphProto) -> Rewriting:
        """The start of a new list of a graph's operators."""
        tensors = {tensor.name: tensor for tensor in graph.initializer}
        for node in graph.node:
            for attribute in node.attribute:
                if node.op_type == "Constant" and attribute.HasField("t"):
                    tensors.update((name, attribute.t) for name in node.output[:1])
        return Rewriting(path, tensors)

    def finish(self, graph: onnx.GraphProto) -> None:
        """Replace the operators of the graph."""
        graph.ClearField("node")
        graph.node.extend(self.nodes)
        graph.initializer.extend(self.added)

    def constant(self, name: str) -> Array | None:
        """The value of a constant of the file; None if it is computed, or large."""
        tensor = self.tensors.get(name)
        if tensor is None or prod(tensor.dims) > MAX_CONSTANT:
            return None
        return read_tensor(tensor, self.path, name, Budget(self.path))

    def rank(self, name: str) -> int:
        """Number of axes of a constant, or of values, which are (batch, features)."""
        return len(self.tensors[name].dims) if name in self.tensors else 2


@dataclass
class Steps:
    """Adds the operators that take the place of one node; the last one has the node's result.

    Attributes
    ----------
    kind : ONNX element type of the numbers that the operators read.
    """

    rewriting: Rewriting
    node: onnx.NodeProto
    kind: int = onnx.TensorProto.FLOAT

    def step(
        self, op_type: str, inputs: Sequence[str], result: str | None = None, **attributes: object
    ) -> str:
        """Add an operator; returns the name of its result, that of the node without `result`."""
        output = self.node.output[0]
        name = output if result is None else f"{output} {result}"
        make: Any = helper.make_node
        label = self.node.name or output
        self.rewriting.nodes.append(make(op_type, inputs, [name], label, **attributes))
        return name

    def tensor(self, values: Array, role: str) -> str:
        """Add a constant; returns its name."""
        name = f"{self.node.output[0]} {role}"
        self.rewriting.added.append(numpy_helper.from_array(values, name))
        return name

    def number(self, value: object, role: str) -> str:
        """Add a number, or an array of numbers, in the type of the values."""
        return self.tensor(np.array(value, helper.tensor_dtype_to_np_dtype(self.kind)), role)

    def attribute(self, name: str, default: _Value) -> _Value:
        """An attribute of the type of its default; texts as `str`.

        Raises
        ------
        KanError : it has another type.
        """
        for each in self.node.attribute:
            if each.name == name:
                value: object = helper.get_attribute_value(each)
                if isinstance(value, bytes):
                    value = value.decode("utf-8", "replace")
                if not isinstance(value, type(default)):
                    raise self.refuse(f"its attribute {name} has another type", EXPORT_AGAIN)
                return value
        return default

    def constant(self, index: int, what: str) -> Array:
        """The value of an operand.

        Raises
        ------
        KanError : it is not a constant.
        """
        given = index < len(self.node.input)
        found = self.rewriting.constant(self.node.input[index]) if given else None
        if found is None or not found.size:
            raise self.refuse(
                f"its {what} is not a constant of the file",
                "export the model with constant parameters",
            )
        return found

    def require_operands(self, count: int) -> None:
        """Refuse a node with fewer operands, or without a result."""
        if len(self.node.input) < count or not all(self.node.input[:count]):
            raise self.refuse(f"it has fewer than {count} operands", EXPORT_AGAIN)
        if not self.node.output or not self.node.output[0]:
            raise self.refuse("it has no result", EXPORT_AGAIN)

    def refuse(self, reason: str, remedy: str) -> KanError:
        """The error that the node cannot be written."""
        name = self.node.name or "".join(self.node.output[:1])
        return KanError(
            f"{self.rewriting.path.name}: node '{name}' ({self.node.op_type}): {reason}",
            remedy=remedy,
        )


EXPORT_AGAIN = "export the model again"
