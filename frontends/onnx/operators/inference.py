"""Infers extents of results, and counts multiplications, before anything is run.

A file of a few bytes can ask for terabytes, so it is refused before any allocation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from string import ascii_letters
from typing import Any, cast

import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference

from kan_dialect.evaluate.onnx_subgraph import first_line
from kan_dialect.frontends.onnx.read.graph import Node
from kan_dialect.ir.constants import Array


def infer_types(
    node: Node, opset: int, operands: Mapping[str, Array | onnx.TypeProto]
) -> dict[str, onnx.TypeProto]:
    """ONNX types of a node's results, as far as they follow from its operands.

    Parameters
    ----------
    operands : by name; the value of a constant, the type of others.

    Raises
    ------
    Unrecognised : the operands do not fit.
    """
    types: dict[str, onnx.TypeProto] = {}
    data: dict[str, onnx.TensorProto] = {}
    for name, operand in operands.items():
        if isinstance(operand, onnx.TypeProto):
            types[name] = operand
            continue
        kind = helper.np_dtype_to_tensor_dtype(operand.dtype)
        types[name] = helper.make_tensor_type_proto(kind, operand.shape)
        if operand.size <= 64:  # Extents and axes, at most.
            data[name] = numpy_helper.from_array(np.array(operand, order="C"), name)
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, "")
        infer = cast(Any, shape_inference.infer_node_outputs)
        imports = [helper.make_opsetid("", opset)]
        return infer(schema, node.proto, types, data, opset_imports=imports)
    except Exception as error:  # The C++ library raises errors of many types.
        raise node.misfit(first_line(error)) from None


def extents_of(value: onnx.TypeProto) -> tuple[int, ...] | None:
    """Extents of a tensor; None if one is open."""
    tensor = value.tensor_type
    if not value.HasField("tensor_type") or not tensor.HasField("shape"):
        return None
    extents = tensor.shape.dim
    if any(not extent.HasField("dim_value") for extent in extents):
        return None
    return tuple(extent.dim_value for extent in extents)


def multiplications(node: Node, shapes: Sequence[Sequence[int]], result: Sequence[int]) -> int:
    """Multiplications of a matrix product, a convolution or an Einsum; 0 for other operators.

    Parameters
    ----------
    shapes : extents of the operands.
    result : extents of the result.
    """
    match node.op_type:
        case "MatMul":
            return prod(result) * shapes[0][-1]
        case "Gemm":
            return prod(result) * shapes[0][0 if node.integer("transA", 0) else 1]
        case "Conv" | "ConvTranspose":
            return prod(result) * prod(shapes[1][1:])
        case "Einsum":
            terms, _ = einsum_terms(node, [len(shape) for shape in shapes])
            extents: dict[str, int] = {}
            for term, shape in zip(terms, shapes, strict=True):
                for label, extent in zip(term, shape, strict=True):
                    extents[label] = max(extents.get(label, 1), extent)
            return prod(extents.values())
        case _:
            return 0


def einsum_terms(node: Node, ranks: Sequence[int]) -> tuple[list[str], str]:
    """Labels of each operand and of the result of an Einsum, with ellipses expanded.

    Parameters
    ----------
    ranks : number of axes of each operand.
    """
    equation = node.text("equation", "").replace(" ", "")
    left, arrow, output = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise node.refuse(f"'{equation}' does not fit {len(ranks)} operands")
    free = [letter for letter in ascii_letters if letter not in equation]
    longest = ""
    for index, (term, rank) in enumerate(zip(terms, ranks, strict=True)):
        missing = rank - len(term.replace("...", ""))
        if missing < 0 or (missing > 0 and "..." not in term) or missing > len(free):
            raise node.refuse(f"'{equation}' does not fit operand {index} of {rank} axes")
        extra = "".join(free[:missing][::-1])
        longest = max(longest, extra, key=len)
        terms[index] = term.replace("...", extra)
    if not arrow:
        letters = "".join(terms)
        output = longest + "".join(
            sorted(
                each for each in set(letters) if letters.count(each) == 1 and each not in longest
            )
        )
    output = output.replace("...", longest)
    labels = [*terms, output]
    if not all((each.isalpha() and each.isascii()) or not each for each in labels):
        raise node.refuse(f"'{equation}' is not understood")
    if any(len(set(each)) < len(each) for each in labels) or set(output) - set("".join(terms)):
        raise node.refuse(f"'{equation}' takes a diagonal or invents an axis")
    return terms, output
