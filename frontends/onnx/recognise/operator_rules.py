"""Interprets ONNX operators on tensors: one rule for each kind of operator.

A rule adds the tensors of a node to a `TensorBuilder` and returns the node's result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from kan_dialect.frontends.onnx.operators import contraction, folding
from kan_dialect.frontends.onnx.operators.contraction import Contraction, one_sample
from kan_dialect.frontends.onnx.operators.dependence import (
    Kind,
    Tensor,
)
from kan_dialect.frontends.onnx.operators.movement import (
    concatenation,
)
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
    align,
    given_operands,
)

Rule: TypeAlias = Callable[[TensorBuilder, Node, Sequence[Value | None]], Tensor]
"""(tensors, node, operands) -> result; an operand is None if it is omitted."""


def _concat(tensors: TensorBuilder, node: Node, operands: Sequence[Value | None]) -> Tensor:
    arguments = given_operands(node, operands)
    first = next(each for each in arguments if isinstance(each, Tensor))
    rank, batch = len(first.shape), first.batch_axis
    axis = node.integer("axis", 0)
    if not -rank <= axis < rank or any(len(each.shape) != rank for each in arguments):
        raise node.refuse(f"its operands cannot be concatenated along axis {axis}")
    axis %= rank
    if axis == batch or any(
        isinstance(each, Tensor) and each.batch_axis != batch for each in arguments
    ):
        raise node.refuse("it concatenates samples of the batch")
    aligned = [
        each if isinstance(each, Tensor) else one_sample(each, batch - rank, node)
        for each in arguments
    ]
    return tensors.add_movement(node, concatenation(axis, batch), aligned, batch)


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
        tensor = tensors.add_movement(node, lambda arrays: arrays[0], [operand], operand.batch_axis)
        tensor.run = lambda arrays: arrays[0].astype(np.float64)
        return tensor
    kind = np.bool_ if dtype.kind == "b" else np.int64
    tensors.need(operand.variables)
    return tensors.add_tensor(
        node,
        Kind.FUNCTION,
        [operand],
        lambda arrays: np.nan_to_num(arrays[0]).astype(kind),
        operand.batch_axis,
        operand.variables,
    )


def _add(tensors: TensorBuilder, node: Node, operands: Sequence[Value | None]) -> Tensor:
    """Add, Sub, Sum, Mean and Neg: sums of operands times 1, -1 or 1 / n."""
    arguments = given_operands(node, operands)
    factors = [1.0] * len(arguments)
    if node.op_type == "Mean":
        factors = [1.0 / len(arguments)] * len(arguments)
    elif node.op_type in ("Sub", "Neg"):
        factors[-1] = -1.0
    return tensors.add_sum(node, arguments, factors)


def _multiply(tensors: TensorBuilder, node: Node, operands: Sequence[Value | None]) -> Tensor:
    """Mul and Div: linear with a constant operand, else a function."""
    arguments = given_operands(node, operands)
    if len(arguments) != 2:
        raise node.refuse(f"{len(arguments)} operands instead of 2")
    first, second = arguments
    if isinstance(second, np.ndarray):
        scale = second.astype(np.float64)
        if node.op_type == "Mul":
            return tensors.add_scaling(node, arguments, 0, scale)
        if bool((scale != 0).all()):
            return tensors.add_scaling(node, arguments, 0, 1.0 / scale)
    elif isinstance(first, np.ndarray) and node.op_type == "Mul":
        return tensors.add_scaling(node, arguments, 1, first.astype(np.float64))
    return tensors.add_function(node, arguments)


def _matmul(tensors: TensorBuilder, node: Node, operands: Sequence[Value | None]) -> Tensor:
    return tensors.add_contraction(
        node, _matrix_product(tensors, node, given_operands(node, operands))
    )


def _gemm(tensors: TensorBuilder, node: Node, operands: Sequence[Value | None]) -> Tensor:
    """alpha * A' * B' + beta * C, as its product, scalings and sum."""
    a, b = given_operands(node, operands[:2])
    if node.integer("transA", 0):
        a = _transposed(tensors, node, a)
    if node.integer("transB", 0):
        b = _transposed(tensors, node, b)
    alpha = node.number("alpha", 1.0)
    product: Value
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        product = _times(tensors, node, np.asarray(np.matmul(a, b)), alpha)
    else:
        if isinstance(a, Tensor):  # The weights take the factor.
            b = _times(tensors, node, b, alpha)
        else:
            a = _times(tensors, node, a, alpha)
        inner = _inner(node, "MatMul", "product")
        product = tensors.add_contraction(inner, _matrix_product(tensors, inner, [a, b]))
    if len(operands) < 3 or operands[2] is None:
        assert isinstance(product, Tensor)
        return product
    bias = _times(tensors, node, operands[2], node.number("beta", 1.0))
    return tensors.add_sum(replace(node, op_type="Add"), [product, bias], [1.0, 1.0])


def _times(tensors: TensorBuilder, node: Node, value: Value, factor: float) -> Value:
    if factor == 1.0:
        return value
    if isinstance(value, np.ndarray):
        return value.astype(np.float64) * factor
    scale = np.array(factor)
    return tensors.add_scaling(_inner(node, "Mul", "scaled"), [value, scale], 0, scale)


def _transposed(tensors: TensorBuilder, node: Node, value: Value) -> Value:
    if isinstance(value, np.ndarray):
        return value.T
    if len(value.shape) != 2:
        raise node.refuse("it transposes a value that is no matrix")
    inner = _inner(node, "Transpose", "transposed")
    return tensors.add_movement(inner, lambda arrays: arrays[0].T, [value], 1 - value.batch_axis)


def _einsum(tensors: TensorBuilder, node: Node, operands: Sequence[Value | None]) -> Tensor:
    arguments = given_operands(node, operands)
    if sum(isinstance(each, Tensor) for each in arguments) > 1:
        raise node.refuse(PRODUCT, PRODUCT_REMEDY)
    return tensors.add_contraction(node, contraction.einsum(node, arguments, tensors.graph.budget))


def _matrix_product(tensors: TensorBuilder, node: Node, arguments: Sequence[Value]) -> Contraction:
    if all(isinstance(each, Tensor) for each in arguments):
        raise node.refuse(PRODUCT, PRODUCT_REMEDY)
    return contraction.matrix_product(node, arguments)


def _reduce(tensors: TensorBuilder, node: Node, operands: Sequence[Value | None]) -> Tensor:
    operand, axes = (*operands, None)[:2]
    if not isinstance(operand, Tensor):
        raise node.refuse(*UNKNOWN)
    if isinstance(axes, Tensor):
        raise node.refuse("the axes depend on the input")
    rank = len(operand.shape)
    reduced = folding.reduced_axes(node, rank, axes)
    keep = bool(node.integer("keepdims", 1))
    if all(operand.shape[axis] == 1 and axis != operand.batch_axis for axis in reduced):
        dropped = () if keep else reduced
        after = operand.batch_axis - sum(axis < operand.batch_axis for axis in dropped)
        return tensors.add_movement(
            node, lambda arrays: np.squeeze(arrays[0], dropped), [operand], after
        )
    mean = REDUCTIONS[node.op_type]
    reduction = contraction.reduction(node, operand, reduced, keep=keep, mean=mean)
    return tensors.add_contraction(node, reduction, weighted=False)


def _clip(tensors: TensorBuilder, node: Node, operands: Sequence[Value | None]) -> Tensor:
    operand = operands[0]
    bounds = [each for each in operands[1:] if not isinstance(each, Tensor)]
    if not isinstance(operand, Tensor) or len(bounds) != len(operands) - 1:
        raise node.refuse("its bounds depend on the input", PRODUCT_REMEDY)
    filled = folding.clip_bounds(node, np.dtype(np.float64), [None, *bounds])
    return tensors.add_function(node, [operand, *filled])


def _where(tensors: TensorBuilder, node: Node, operands: Sequence[Value | None]) -> Tensor:
    """Where: a movement of two operands for a constant condition, else a function of three."""
    arguments = given_operands(node, operands)
    condition = arguments[0]
    if isinstance(condition, Tensor) or len(arguments) != 3:
        return tensors.add_function(node, arguments)
    aligned, batch = align(node, arguments)
    chosen = aligned[0]
    assert isinstance(chosen, np.ndarray)
    tensors.broadcast_variables(node, aligned, mixing=True)
    return tensors.add_movement(node, lambda arrays: np.where(chosen, *arrays), aligned[1:], batch)


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
    shape = (-1,) + (1,) * (len(operand.shape) - 2)
    gain, shift = gain.reshape(shape), shift.reshape(shape)
    scaled = tensors.add_scaling(_inner(node, "Mul", "scaled"), [operand, gain], 0, gain)
    return tensors.add_sum(replace(node, op_type="Add"), [scaled, shift], [1.0, 1.0])


def _inner(node: Node, op_type: str, step: str) -> Node:
    """A node for a step within a composite op, with a result of its own."""
    return replace(node, op_type=op_type, outputs=(f"{node.outputs[0]} {step}",))


RULES: dict[str, Rule] = {
    "Add": _add,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "CastLike": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Div": _multiply,
    "Einsum": _einsum,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Mean": _add,
    "Mul": _multiply,
    "Neg": _add,
    "Sub": _add,
    "Sum": _add,
    "Where": _where,
    "ReduceMean": _reduce,
    "ReduceSum": _reduce,
}
"""Operator -> rule, for operators that are neither movement nor elementwise."""
