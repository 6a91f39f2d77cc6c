"""ONNX models with windows and branches, written node by node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import helper, numpy_helper

from kan_dialect.evaluate.onnx_subgraph import open_runner
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.ir.constants import FloatArray
from kan_dialect.model.model import Model

Node: TypeAlias = tuple[str, list[str], str]


F32 = np.float32


WEIGHTS = np.array([[1.0, 2.0], [0.5, -0.3]], F32)


def save(path: Path, nodes: Sequence[Node], out: int = 2, **constants: object) -> Path:
    """A model of two inputs x, of nodes (op, operands, result); `y` is the output."""
    tensors = [
        numpy_helper.from_array(np.asarray(value, F32), name) for name, value in constants.items()
    ]
    graph = helper.make_graph(
        [helper.make_node(kind, reads, [name], name) for kind, reads, name in nodes],
        "branches",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["batch", out])],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)  # pyright: ignore[reportUnknownMemberType] (it has no types)
    return path


def assert_follows(path: Path, x: FloatArray, **options: Any) -> str:
    """Require that the import computes what ONNX Runtime does; returns its IR."""
    module = load_onnx(path, ImportOptions(**options))
    (expected,) = open_runner(onnx.load(path)).run(["y"], {"x": x.astype(F32)})  # pyright: ignore[reportUnknownMemberType] (it has no types)
    actual = Model.of(module).run(x)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)
    return str(module)


SENTINEL: list[Node] = [("Equal", ["x", "t"], "c"), ("Where", ["c", "k", "x"], "w")]


WINDOW: list[Node] = [
    ("Sub", ["x", "t"], "s"),
    ("Abs", ["s"], "a"),
    ("Less", ["a", "e"], "c"),
    ("Where", ["c", "k", "x"], "w"),
]


DENSE: Node = ("MatMul", ["w", "W"], "y")
