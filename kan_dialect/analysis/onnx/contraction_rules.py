"""Bounds of ONNX sums of products: MatMul, Gemm, Einsum, Conv, ReduceSum, ..."""

from __future__ import annotations

from math import prod

import numpy as np

from kan_dialect.analysis.onnx.arithmetic_rules import reciprocal_of
from kan_dialect.analysis.onnx.bounds import (
    Bounds,
    Noise,
    aligned,
    applied,
    contracted,
    minus,
    plus,
    summed,
    times,
)
from kan_dialect.analysis.onnx.operator_rules import Operands, Operator, Rule
from kan_dialect.ir.constants import FloatArray
from kan_dialect.maths.interval_functions import FUNCTIONS


def _matrix_product(one: Bounds, other: Bounds, noise: Noise) -> Bounds:
    first, last = len(one.shape) == 1, len(other.shape) == 1
    if first:
        one = one.moved(lambda x: x[:, np.newaxis, :])
    if last:
        other = other.moved(lambda x: x[:, :, np.newaxis])
    terms = one.shape[-1]
    one, other = aligned(one, other)

    def form(a: FloatArray, b: FloatArray) -> FloatArray:
        # A matrix that all rows share allows one large product.
        if b.size == prod(b.shape[-2:]):
            found = a.reshape(-1, a.shape[-1]) @ b.reshape(b.shape[-2:])
            return found.reshape(*a.shape[:-1], b.shape[-1])
        return a @ b

    found = contracted(one, other, form, terms, noise)
    if first:
        found = found.moved(lambda x: x[..., 0, :])
    return found.moved(lambda x: x[..., 0]) if last else found


def _gemm(op: Operator, operands: Operands) -> Bounds:
    one, other, added = (*operands, None)[:3]
    assert one is not None and other is not None
    if op.integer("transA", 0):
        one = one.moved(lambda x: x.swapaxes(1, 2))
    if op.integer("transB", 0):
        other = other.moved(lambda x: x.swapaxes(1, 2))
    alpha, beta = (Bounds.exact(np.array(op.number(name, 1.0))) for name in ("alpha", "beta"))
    found = times(_matrix_product(one, other, op.noise), alpha, op.noise)
    return found if added is None else plus(found, times(added, beta, op.noise), op.noise)


def _einsum(op: Operator, operands: list[Bounds]) -> Bounds:
    equation = op.attributes["equation"].decode().replace(" ", "")
    left, arrow, target = equation.partition("->")
    if "." in equation or not arrow or len(operands) != 2:
        raise op.none(f"for '{equation}'")
    one, other = operands
    part, further = left.split(",")
    rows = next(each for each in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if each not in equation)
    sizes = dict(zip(part + further, (*one.shape, *other.shape), strict=True))
    terms = prod(sizes[each] for each in sizes.keys() - set(target))

    def form(a: FloatArray, b: FloatArray) -> FloatArray:
        # An operand with one row is the same for all rows.
        count = max(len(a), len(b))
        a_rows, b_rows = ("" if len(each) < count else rows for each in (a, b))
        a, b = (each[0] if len(each) < count else each for each in (a, b))
        return np.einsum(f"{a_rows}{part},{b_rows}{further}->{rows}{target}", a, b, optimize=True)

    return contracted(one, other, form, terms, op.noise)


def _conv(op: Operator, operands: Operands) -> Bounds:
    x, weights, bias = (*operands, None)[:3]
    assert x is not None and weights is not None
    sizes = weights.shape[2:]
    axes = len(sizes)
    strides = op.attributes.get("strides", [1] * axes)
    dilations = op.attributes.get("dilations", [1] * axes)
    pads = list(op.attributes.get("pads", [0] * (2 * axes)))
    if op.attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise op.none("with padding of its own choice")
    groups = op.integer("group", 1)
    width = [(0, 0), (0, 0), (0, 0), *zip(pads[:axes], pads[axes:], strict=True)]
    outer = [
        (extent + sum(width[3 + axis]) - dilations[axis] * (sizes[axis] - 1) - 1) // strides[axis]
        + 1
        for axis, extent in enumerate(x.shape[2:])
    ]

    def form(a: FloatArray, w: FloatArray) -> FloatArray:
        a = np.pad(a, width)
        rows, batch, channels = a.shape[:3]
        a = a.reshape(rows, batch, groups, channels // groups, *a.shape[3:])
        kernels = w[0].reshape(groups, -1, *w.shape[2:])
        total = np.zeros((rows, batch, groups, kernels.shape[1], *outer))
        for place in np.ndindex(*sizes):
            window = tuple(
                slice(
                    offset * dilations[axis],
                    offset * dilations[axis] + strides[axis] * (outer[axis] - 1) + 1,
                    strides[axis],
                )
                for axis, offset in enumerate(place)
            )
            part = a[(slice(None),) * 4 + window]
            kernel = kernels[(slice(None),) * 3 + place]
            total += np.einsum("rbgc...,goc->rbgo...", part, kernel)
        return total.reshape(rows, batch, -1, *outer)

    if not weights.constant:
        raise op.none("with computed weights")
    terms = prod(sizes) * (x.shape[1] // groups)
    found = contracted(x, weights, form, terms, op.noise)
    if bias is None:
        return found
    return plus(found, bias.moved(lambda b: b.reshape(len(b), -1, *(1,) * axes)), op.noise)


def _batch_normalization(op: Operator, operands: list[Bounds]) -> Bounds:
    x, *others = operands
    if op.integer("training_mode", 0):
        raise op.none("in training")
    rank, noise = len(x.shape), op.noise

    def columns(each: Bounds) -> Bounds:
        return each.moved(lambda a: a.reshape(len(a), -1, *(1,) * (rank - 2)))

    scale, bias, mean, variance = map(columns, others)
    shifted = plus(variance, op.parameter("epsilon", 1e-5), noise)
    deviation = applied(FUNCTIONS["sqrt"], shifted, noise, 0.0)
    gain = times(scale, reciprocal_of(deviation, noise), noise)
    return plus(times(minus(x, mean, noise), gain, noise), bias, noise)


def _reduction(op: Operator, operands: Operands) -> Bounds:
    x, given = (*operands, None)[:2]
    assert x is not None
    named = op.attributes.get("axes", []) if given is None else op.known(given, "the axes").ravel()
    if not len(named) and op.integer("noop_with_empty_axes", 0):
        return x
    axes = tuple(int(axis) % len(x.shape) + 1 for axis in named) or tuple(
        range(1, len(x.shape) + 1)
    )
    keep = op.integer("keepdims", 1) == 1
    terms = prod(x.shape[axis - 1] for axis in axes)
    total = summed(x, lambda a: a.sum(axis=axes, keepdims=keep), terms, op.noise)
    if op.node.op_type == "ReduceSum":
        return total
    return times(total, Bounds.exact(np.array(1.0 / terms)), op.noise)


RULES: dict[str, Rule] = {
    "MatMul": lambda op, x: _matrix_product(x[0], x[1], op.noise),
    "Gemm": _gemm,
    "Einsum": _einsum,
    "Conv": _conv,
    "BatchNormalization": _batch_normalization,
    **dict.fromkeys(("ReduceSum", "ReduceMean"), _reduction),
}
"""Operator -> rule."""
