"""Bounds of ONNX sums of products: MatMul, Gemm, Einsum, Conv, ReduceSum, ReduceMean."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx

from kan_dialect.analysis.onnx.bounds import (
    DOUBLE,
    Noise,
    aligned,
    constant,
    contracted,
    moved,
    plus,
    shape_of,
    times,
)
from kan_dialect.analysis.onnx.operator_rules import Operands, Operator, Rule
from kan_dialect.evaluate.onnx_node import open_node
from kan_dialect.ir.constants import FloatArray
from kan_dialect.maths.interval_functions import Range


def _matrix_product(one: Range, other: Range, noise: Noise) -> Range:
    first, last = len(shape_of(one)) == 1, len(shape_of(other)) == 1
    if first:
        one = moved(one, lambda x: x[:, np.newaxis, :])
    if last:
        other = moved(other, lambda x: x[:, :, np.newaxis])
    terms = shape_of(one)[-1]
    one, other = aligned(one, other)

    found = contracted(one, other, np.matmul, terms, noise)
    if first:
        found = moved(found, lambda x: x[..., 0, :])
    return moved(found, lambda x: x[..., 0]) if last else found


def _gemm(op: Operator, operands: Operands) -> Range:
    one, other, added = (*operands, None)[:3]
    assert one is not None and other is not None
    if op.integer("transA", 0):
        one = moved(one, lambda x: x.swapaxes(1, 2))
    if op.integer("transB", 0):
        other = moved(other, lambda x: x.swapaxes(1, 2))
    alpha, beta = (constant(np.array(op.number(name, 1.0))) for name in ("alpha", "beta"))
    found = times(_matrix_product(one, other, op.noise), alpha, op.noise)
    return found if added is None else plus(found, times(added, beta, op.noise), op.noise)


def _einsum(op: Operator, operands: list[Range]) -> Range:
    equation = op.attributes["equation"].decode().replace(" ", "")
    left, arrow, target = equation.partition("->")
    if "." in equation or not arrow or len(operands) != 2:
        raise op.none(f"for '{equation}'")
    one, other = operands
    part, further = left.split(",")
    rows = next(each for each in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if each not in equation)
    sizes = dict(zip(part + further, (*shape_of(one), *shape_of(other)), strict=True))
    terms = prod(sizes[each] for each in sizes.keys() - set(target))

    def form(a: FloatArray, b: FloatArray) -> FloatArray:
        # An operand with one row is the same for all rows.
        count = max(len(a), len(b))
        a_rows, b_rows = ("" if len(each) < count else rows for each in (a, b))
        a, b = (each[0] if len(each) < count else each for each in (a, b))
        return np.einsum(f"{a_rows}{part},{b_rows}{further}->{rows}{target}", a, b, optimize=True)

    return contracted(one, other, form, terms, op.noise)


def _conv(op: Operator, operands: Operands) -> Range:
    x, weights, bias = (*operands, None)[:3]
    assert x is not None and weights is not None
    if len(weights.low) > 1:
        raise op.none("with computed weights")
    node = onnx.NodeProto()
    node.CopyFrom(op.node)
    del node.input[2:]
    convolution = open_node(node, op.version, [DOUBLE, DOUBLE])

    def form(a: FloatArray, b: FloatArray) -> FloatArray:
        (found,) = convolution([a.reshape(-1, *a.shape[2:]), b[0]])
        return found.reshape(*a.shape[:2], *found.shape[1:])

    found = contracted(x, weights, form, prod(shape_of(weights)[1:]), op.noise)
    if bias is None:
        return found
    axes = (1,) * (len(shape_of(x)) - 2)
    return plus(found, moved(bias, lambda b: b.reshape(len(b), 1, -1, *axes)), op.noise)


def _reduction(op: Operator, operands: Operands) -> Range:
    x = operands[0]
    assert x is not None
    given = len(operands) > 1 and operands[1] is not None
    named = op.known(1, "the axes").ravel() if given else op.attributes.get("axes", [])
    if not len(named) and op.integer("noop_with_empty_axes", 0):
        return x
    shape = shape_of(x)
    axes = tuple(int(axis) % len(shape) + 1 for axis in named) or tuple(range(1, len(shape) + 1))
    keep = op.integer("keepdims", 1) == 1
    terms = prod(shape[axis - 1] for axis in axes)
    factor = constant(np.array(1.0 if op.node.op_type == "ReduceSum" else 1.0 / terms))

    def form(a: FloatArray, b: FloatArray) -> FloatArray:
        return a.sum(axis=axes, keepdims=keep) * b.ravel()

    return contracted(x, factor, form, terms, op.noise)


RULES: dict[str, Rule] = {
    "MatMul": lambda op, x: _matrix_product(x[0], x[1], op.noise),
    "Gemm": _gemm,
    "Einsum": _einsum,
    "Conv": _conv,
    **dict.fromkeys(("ReduceSum", "ReduceMean"), _reduction),
}
"""Operator -> rule."""
