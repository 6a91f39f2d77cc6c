"""Interprets ONNX operators on tensors: one rule for each kind of operator.

A rule adds the tensors of a node to a `TensorBuilder` and returns the node's result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from string import ascii_lowercase, ascii_uppercase
from typing import TypeAlias

import numpy as np

from kan_dialect.frontends.onnx.operators import contraction, folding
from kan_dialect.frontends.onnx.operators.dependence import (
    Kind,
    Tensor,
)
from kan_dialect.frontends.onnx.operators.inference import einsum_terms
from kan_dialect.frontends.onnx.operators.movement import Movement
from kan_dialect.frontends.onnx.operators.refusals import (
    PRODUCT,
    PRODUCT_REMEDY,
    UNKNOWN,
)
from kan_dialect.frontends.onnx.read.graph import Node
from kan_dialect.frontends.onnx.recognise.tensor_builder import (
    REDUCTIONS,
    TensorBuilder,
    Value,
    given_operands,
)
from kan_dialect.ir.constants import Array, FloatArray

Rule: TypeAlias = Callable[[TensorBuilder, Node, Sequence[Value | None]], Tensor]
"""(tensors, node, operands) -> result; an operand is None if it is omitted."""


def _cast(tensors: TensorBuilder, node: Node, operands: Sequence[Value | None]) -> Tensor:
    """Casts to floats are movements, whatever the width: functions are evaluated in float64."""
    operand = operands[0]
    assert isinstance(operand, Tensor)
    if node.op_type == "CastLike":
        like = operands[1]
        dtype = like.dtype if isinstance(like, np.ndarray) else np.dtype(np.float32)
    else:
        dtype = folding.cast_dtype(node)
    if dtype.kind == "f":
        same = Movement([operand], operand.labels, operand.batch_axis, to_floats=True)
        return tensors.add_movement(node, same)
    kind = np.bool_ if dtype.kind == "b" else np.int64
    tensors.need(operand.variables)
    return tensors.add_tensor(
        node,
        Kind.FUNCTION,
        [operand],
        operand.batch_axis,
        operand.variables,
        run=lambda arrays: np.nan_to_num(arrays[0]).astype(kind),
    )


def _add(tensors: TensorBuilder, node: Node, operands: Sequence[Value | None]) -> Tensor:
    """Add, Sub, Sum, Mean and Neg: sums of operands times 1, -1 or 1 / n."""
    arguments = given_operands(operands)
    factors: list[float | FloatArray | None] = [1.0] * len(arguments)
    if node.op_type == "Mean":
        factors = [1.0 / len(arguments)] * len(arguments)
    elif node.op_type in ("Sub", "Neg"):
        factors[-1] = -1.0
    return tensors.add_affine(node, arguments, factors)


def _multiply(tensors: TensorBuilder, node: Node, operands: Sequence[Value | None]) -> Tensor:
    """Mul and Div: linear with a constant operand, else a function."""
    first, second = arguments = given_operands(operands)
    if isinstance(second, np.ndarray):
        scale = second.astype(np.float64)
        if node.op_type == "Mul":
            return tensors.add_affine(node, arguments, [scale, None])
        if bool((scale != 0).all()):
            return tensors.add_affine(node, arguments, [1.0 / scale, None])
    elif isinstance(first, np.ndarray) and node.op_type == "Mul":
        return tensors.add_affine(node, arguments, [None, first.astype(np.float64)])
    return tensors.add_function(node, arguments)


def _matmul(tensors: TensorBuilder, node: Node, operands: Sequence[Value | None]) -> Tensor:
    arguments = given_operands(operands)
    ranks = [len(tensors.file_shape(each)) for each in arguments]
    return _contracted(tensors, node, *contraction.matrix_terms(*ranks), arguments)


def _contracted(
    tensors: TensorBuilder,
    node: Node,
    terms: Sequence[str],
    output: str,
    arguments: Sequence[Value],
    factor: float = 1.0,
) -> Tensor:
    dependent = sum(isinstance(each, Tensor) for each in arguments)
    if dependent != 1:
        raise node.refuse(*((PRODUCT, PRODUCT_REMEDY) if dependent else UNKNOWN))
    found = contraction.contraction(
        node,
        terms,
        output,
        arguments,
        tensors.graph.budget,
        factor=factor,
        one_batch=tensors.graph.vector is not None,
    )
    return tensors.add_contraction(node, found)


def _gemm(tensors: TensorBuilder, node: Node, operands: Sequence[Value | None]) -> Tensor:
    """alpha * A' * B' + beta * C, as its product, a scaling and a sum."""
    factors = given_operands(operands[:2])
    first = "xy" if node.integer("transA", 0) else "yx"
    second = "zx" if node.integer("transB", 0) else "xz"
    bias = operands[2] if len(operands) > 2 else None
    inner = node if bias is None else _inner(node, "MatMul", "product")
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    product = _contracted(tensors, inner, [first, second], "yz", factors, alpha)
    if bias is None:
        return product
    return tensors.add_affine(_inner(node, "Add"), [product, bias], [1.0, beta])


def _einsum(tensors: TensorBuilder, node: Node, operands: Sequence[Value | None]) -> Tensor:
    arguments = given_operands(operands)
    ranks = [len(tensors.file_shape(each)) for each in arguments]
    terms, output = einsum_terms(node, ranks)
    return _contracted(tensors, node, terms, output, arguments)


def _reduce(tensors: TensorBuilder, node: Node, operands: Sequence[Value | None]) -> Tensor:
    operand, axes = (*operands, None)[:2]
    if not isinstance(operand, Tensor):
        raise node.refuse(*UNKNOWN)
    if isinstance(axes, Tensor):
        raise node.refuse("the axes depend on the input")
    rank = len(tensors.file_shape(operand))
    # A batch that the file's operator does not have comes first.
    behind = len(operand.shape) - rank
    reduced = [axis + behind for axis in _reduced_axes(node, rank, axes)]
    keep = bool(node.integer("keepdims", 1))
    if all(operand.shape[axis] == 1 and axis != operand.batch_axis for axis in reduced):
        dropped = () if keep else tuple(reduced)
        after = operand.batch_axis - sum(axis < operand.batch_axis for axis in dropped)
        return tensors.add_movement(
            node, Movement([operand], np.squeeze(operand.labels, dropped), after)
        )
    labels, further = ascii_lowercase[: len(operand.shape)], ascii_uppercase if keep else " " * 26
    output = "".join(
        further[axis] if axis in reduced else label for axis, label in enumerate(labels)
    )
    count = prod(operand.shape[axis] for axis in reduced)
    factor = 1.0 / count if REDUCTIONS[node.op_type] else 1.0
    found = contraction.contraction(
        node, [labels], output.replace(" ", ""), [operand], tensors.graph.budget, factor=factor
    )
    return tensors.add_contraction(node, found, weighted=False)


def _reduced_axes(node: Node, rank: int, axes: Array | None) -> list[int]:
    """Axes of a reduction, not negative, ascending."""
    given = node.integers("axes")
    if axes is not None:
        given = [int(axis) for axis in axes.reshape(-1)]
    if not given:
        return [] if node.integer("noop_with_empty_axes", 0) else list(range(rank))
    if any(not -rank <= axis < rank for axis in given):
        raise node.refuse(f"axes {list(given)} of a value of {rank} dimension(s)")
    return sorted({axis % rank for axis in given})


def _clip(tensors: TensorBuilder, node: Node, operands: Sequence[Value | None]) -> Tensor:
    operand = operands[0]
    bounds = [each for each in operands[1:] if not isinstance(each, Tensor)]
    if not isinstance(operand, Tensor) or len(bounds) != len(operands) - 1:
        raise node.refuse("its bounds depend on the input", PRODUCT_REMEDY)
    ends = [
        np.array(end) if bound is None else bound
        for bound, end in zip((*bounds, None, None), (-np.inf, np.inf), strict=False)
    ]
    return tensors.add_function(node, [operand, *ends])


def _batch_norm(tensors: TensorBuilder, node: Node, operands: Sequence[Value | None]) -> Tensor:
    """Batch normalisation in evaluation: (x - mean) / sqrt(variance + epsilon) * scale + bias."""
    operand = operands[0]
    parameters = [each.astype(np.float64) for each in operands[1:5] if isinstance(each, np.ndarray)]
    if node.integer("training_mode", 0):
        raise node.refuse(
            "the batch normalisation is in training mode",
            "export the model in evaluation mode (model.eval())",
        )
    if not isinstance(operand, Tensor) or len(parameters) != 4 or operand.batch_axis != 0:
        raise node.refuse("its parameters are no constants", UNKNOWN[1])
    scale, bias, mean, variance = parameters
    with np.errstate(all="ignore"):
        gain = scale / np.sqrt(variance + float(np.float32(node.number("epsilon", 1e-5))))
    shift = bias - mean * gain
    if not np.isfinite(gain).all() or not np.isfinite(shift).all():
        raise node.refuse("its variance is negative or not finite", "train the model again")
    shape = (-1,) + (1,) * (len(tensors.file_shape(operand)) - 2)
    gain, shift = gain.reshape(shape), shift.reshape(shape)
    return tensors.add_affine(node, [operand, shift], [gain, 1.0])


def _inner(node: Node, op_type: str, step: str = "") -> Node:
    """A node for a step within a composite op, with a result of its own; the last has none."""
    output = f"{node.outputs[0]} {step}" if step else node.outputs[0]
    return node.within(op_type, (), [output])


RULES: dict[str, Rule] = {
    "Add": _add,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "CastLike": _cast,
    "Clip": _clip,
    "Div": _multiply,
    "Einsum": _einsum,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Mean": _add,
    "Mul": _multiply,
    "Neg": _add,
    "Sub": _add,
    "Sum": _add,
    "ReduceMean": _reduce,
    "ReduceSum": _reduce,
}
"""Operator -> rule, for operators that are neither movement nor elementwise."""
