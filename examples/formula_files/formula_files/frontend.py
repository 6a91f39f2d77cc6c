"""Networks as JSON, each edge a formula: `NAME.formulas`.

    {"layers": [[[["sin", 2.0], null], [["tanh", 1.0, 0.5, -1.5, 0.0], ["square"]]]]}

A file holds layers, a layer nodes, a node one edge for each input. An edge is `[f, a, b, c, d]` and
means c * f(a * x + b) + d; a, b, c, d are 1, 0, 1, 0 where they are left out. `null` is no edge.
Functions are those of `kan.symbolic`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from xdsl.dialects.builtin import ModuleOp, TensorType, f32
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.frontends.frontend import Frontend
from kan_dialect.frontends.naming import identifier
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ir.functions import module_of
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.symbolic import SYMBOLIC_FUNCTIONS, SymbolicOp

EXTENSION = ".formulas"
FUNCTIONS = sorted(SYMBOLIC_FUNCTIONS)
DEFAULTS = (1.0, 0.0, 1.0, 0.0)
"""a, b, c, d of an edge that does not give them."""


@dataclass(frozen=True)
class Layer:
    """The edges of a layer.

    Attributes
    ----------
    choice : (out, in), int64: the function of each edge, an index into `FUNCTIONS`.
    affine : (out, in, 4), float64: a, b, c, d of each edge.
    mask : (out, in), bool: edges that exist.
    """

    choice: IntArray
    affine: FloatArray
    mask: IntArray


def read_layers(path: Path) -> list[Layer]:
    """The layers of a file.

    Raises
    ------
    KanError : the file is no JSON of this form; says where and why.
    """
    try:
        content: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise KanError(f"{path.name}: cannot be read: {error}") from None
    listed = cast("dict[str, object]", content).get("layers") if isinstance(content, dict) else None
    layers: list[Layer] = []
    for index, nodes in enumerate(_list(listed, f"{path.name}: layers")):
        where = f"{path.name}: layer {index}"
        rows = [_list(node, f"{where}, node {n}") for n, node in enumerate(_list(nodes, where))]
        width = len(layers[-1].mask) if layers else len(rows[0])
        for n, row in enumerate(rows):
            if len(row) != width:
                raise KanError(
                    f"{where}, node {n} has {len(row)} edges, expected are {width}",
                    remedy="write null where there is no edge",
                )
        edges = [
            [_edge(edge, f"{where}, node {n}, edge {i}") for i, edge in enumerate(row)]
            for n, row in enumerate(rows)
        ]
        layers.append(
            Layer(
                np.array([[FUNCTIONS.index(name) for name, _ in row] for row in edges]),
                np.array([[numbers for _, numbers in row] for row in edges]),
                np.array([[edge is not None for edge in row] for row in rows]),
            )
        )
    return layers


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list) or not value:
        raise KanError(f"{where}: expected a list that is not empty")
    return cast("list[object]", value)


def _edge(edge: object, where: str) -> tuple[str, tuple[float, ...]]:
    """Function and a, b, c, d of an edge."""
    if edge is None:
        return "identity", (1.0, 0.0, 0.0, 0.0)
    name, *numbers = _list(edge, where)
    if name not in FUNCTIONS:
        raise KanError(
            f"{where}: unknown function {name!r}", remedy=f"known: {', '.join(FUNCTIONS)}"
        )
    if len(numbers) > 4 or not all(type(n) in (int, float) and math.isfinite(n) for n in numbers):
        raise KanError(f"{where}: expected [f, a, b, c, d] with up to four numbers, got {edge}")
    return str(name), (*(float(str(n)) for n in numbers), *DEFAULTS[len(numbers) :])


def load(path: Path) -> ModuleOp:
    """The network of a file at spline level.

    Raises
    ------
    KanError : as `read_layers`.
    """
    layers = read_layers(path)
    block = Block(arg_types=[TensorType(f32, (layers[0].mask.shape[1],))])
    block.args[0].name_hint = "x"

    def add(op: Operation) -> SSAValue:
        block.add_op(op)
        return op.results[0]

    value: SSAValue = block.args[0]
    for index, layer in enumerate(layers):
        name = f"layer{index}"
        used, choice = np.unique(layer.choice, return_inverse=True)
        names = [FUNCTIONS[each] for each in used]
        choice = choice.reshape(layer.choice.shape)
        edges = add(SymbolicOp(names, value, choice, layer.affine, name=name))
        value = add(NodeSumOp(edges, mask=layer.mask, name=name))
    return module_of(identifier(path.name.lower().removesuffix(EXTENSION)), block, value)


FRONTEND = Frontend("formula-files", (EXTENSION,), "networks as JSON, each edge a formula", load)
