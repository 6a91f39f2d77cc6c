"""Folds constants: parameters, grids, shapes.

Folding uses the types of the file, as a runtime would. A grid that the graph builds in float32 has
exactly the values that the model was trained with.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from kan_dialect.evaluate.onnx_node import run_node
from kan_dialect.evaluate.onnx_subgraph import first_line
from kan_dialect.frontends.onnx.operators.inference import (
    extents_of,
    infer_types,
    multiplications,
)
from kan_dialect.frontends.onnx.operators.refusals import RANDOM, REFUSALS
from kan_dialect.frontends.onnx.read.file import Budget, dtype_of, element_type_name
from kan_dialect.frontends.onnx.read.graph import Graph, Node
from kan_dialect.ir.constants import Array

MAX_MULTIPLICATIONS = 1 << 30
"""Most multiplications of one constant matrix product."""

_REMEDY = (
    "export the model with constant folding (do_constant_folding=True), or simplify the file with "
    "onnx-simplifier"
)


def fold(node: Node, operands: Sequence[Array | None], opset: int, budget: Budget) -> list[Array]:
    """Results of a node with constant operands.

    Parameters
    ----------
    operands : None for an omitted optional operand.

    Raises
    ------
    Unrecognised : the operator or its operands are not supported.
    """
    if node.op_type in RANDOM:
        raise node.refuse(*REFUSALS[node.op_type])
    if node.op_type == "Cast":
        cast_dtype(node)
    _check_size(node, operands, opset, budget)
    try:
        results = run_node(node.proto, opset, operands)
    except NotImplementedError:
        raise node.refuse("the operator is not known for constants", _REMEDY) from None
    except Exception as error:  # The reference implementation raises errors of many types.
        raise node.misfit(first_line(error)) from None
    if any(each.dtype.kind not in "fiub" for each in results):
        raise node.refuse("the constant has no numeric value")
    return results


def _check_size(node: Node, operands: Sequence[Array | None], opset: int, budget: Budget) -> None:
    """Refuse results that are too large, before they are computed."""
    given = {
        name: operand
        for name, operand in zip(node.inputs, operands, strict=True)
        if operand is not None
    }
    types = infer_types(node, opset, given)
    for name in filter(None, node.outputs):
        extents = extents_of(types[name]) if name in types else None
        if extents is None:
            raise node.refuse("the operator is not known for constants", _REMEDY)
        budget.charge(8 * prod(extents), node.label)
        shapes = [operand.shape for operand in given.values()]
        count = multiplications(node, shapes, extents)
        if count > MAX_MULTIPLICATIONS:
            raise node.refuse(f"a constant product of {count} multiplications")


def cast_dtype(node: Node) -> np.dtype[np.generic]:
    """Target type of a Cast.

    Raises
    ------
    Unrecognised : the type is not supported.
    """
    element_type = node.integer("to", 0)
    dtype = dtype_of(element_type)
    if dtype is None:
        raise node.refuse(
            f"casts to {element_type_name(element_type)} are not supported",
            "export the model in float32",
        )
    return dtype


def known_constants(graph: Graph) -> dict[str, Array]:
    """Initializers, and the values of Constant nodes that hold numbers."""
    constants = dict(graph.constants)
    for node in graph.nodes:
        if node.op_type == "Constant" and not any("string" in name for name in node.attributes):
            (constants[node.outputs[0]],) = fold(node, [], graph.opset, graph.budget)
    return constants
