"""Bounds of ONNX sums of products and reductions: MatMul, Einsum, Conv, Softmax, ..."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from math import prod

import numpy as np

from kan_dialect.analysis.onnx.arithmetic_rules import reciprocal, reciprocal_of, square
from kan_dialect.analysis.onnx.bounds import (
    Bounds,
    Noise,
    aligned,
    applied,
    contracted,
    larger,
    minus,
    negative,
    plus,
    smaller,
    summed,
    times,
)
from kan_dialect.analysis.onnx.function_rules import ZERO
from kan_dialect.analysis.onnx.operator_rules import (
    Operands,
    Operator,
    Rule,
    registrar,
)
from kan_dialect.ir.constants import FloatArray
from kan_dialect.maths.interval_functions import FUNCTIONS

RULES: dict[str, Rule] = {}
"""Operator -> rule."""

_rule = registrar(RULES)


@_rule("MatMul")
def _matmul(op: Operator, operands: list[Bounds]) -> Bounds:
    one, other = operands
    return _matrix_product(one, other, op.noise)


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


@_rule("Gemm")
def _gemm(op: Operator, operands: Operands) -> Bounds:
    one, other, added = (*operands, None)[:3]
    assert one is not None and other is not None
    if op.integer("transA", 0):
        one = one.moved(lambda x: x.swapaxes(1, 2))
    if op.integer("transB", 0):
        other = other.moved(lambda x: x.swapaxes(1, 2))
    found = _matrix_product(one, other, op.noise)
    alpha, beta = op.number("alpha", 1.0), op.number("beta", 1.0)
    if alpha != 1.0:
        found = times(found, Bounds.exact(np.array(alpha)), op.noise)
    if added is None:
        return found
    if beta != 1.0:
        added = times(added, Bounds.exact(np.array(beta)), op.noise)
    return plus(found, added, op.noise)


@_rule("Einsum")
def _einsum(op: Operator, operands: list[Bounds]) -> Bounds:
    equation = op.attributes["equation"]
    equation = (equation.decode() if isinstance(equation, bytes) else equation).replace(" ", "")
    if "." in equation:
        raise op.none("with an ellipsis")
    left, arrow, target = equation.partition("->")
    parts = left.split(",")
    if not arrow:
        target = "".join(sorted(each for each in set(left) - {","} if left.count(each) == 1))
    rows = next(each for each in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if each not in equation)
    sizes = {
        letter: extent
        for part, x in zip(parts, operands, strict=True)
        for letter, extent in zip(part, x.shape, strict=True)
    }
    found, part = operands[0], parts[0]
    if len(operands) == 1:
        return _einsum_of_one(found, part, target, rows, sizes, op.noise)
    for index in range(1, len(operands)):
        other, further = operands[index], parts[index]
        after = set(target).union(*parts[index + 1 :])
        kept = "".join(sorted((set(part) | set(further)) & after))
        result = target if index == len(operands) - 1 else kept
        terms = prod(sizes[each] for each in (set(part) | set(further)) - set(result))
        found = _einsum_of_two(found, other, (part, further, result), rows, terms, op.noise)
        part = result
    return found


def _einsum_of_one(
    x: Bounds, part: str, target: str, rows: str, sizes: Mapping[str, int], noise: Noise
) -> Bounds:
    terms = prod(sizes[each] for each in set(part) - set(target))
    return summed(x, lambda a: np.einsum(f"{rows}{part}->{rows}{target}", a), terms, noise)


def _einsum_of_two(
    one: Bounds, other: Bounds, names: tuple[str, str, str], rows: str, terms: int, noise: Noise
) -> Bounds:
    part, further, result = names

    def form(a: FloatArray, b: FloatArray) -> FloatArray:
        # An operand with one row is the same for all rows.
        a_rows, b_rows = ("" if len(each) == 1 else rows for each in (a, b))
        a, b = (each[0] if len(each) == 1 else each for each in (a, b))
        lead = a_rows or b_rows
        equation = f"{a_rows}{part},{b_rows}{further}->{lead}{result}"
        found: FloatArray = np.einsum(equation, a, b, optimize=True)
        return found if lead else found[np.newaxis]

    return contracted(one, other, form, terms, noise)


@_rule("Conv")
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


@_rule("BatchNormalization")
def _batch_normalization(op: Operator, operands: list[Bounds]) -> Bounds:
    x, *others = operands
    if op.integer("training_mode", 0):
        raise op.none("in training")
    rank = len(x.shape)

    def columns(each: Bounds) -> Bounds:
        return each.moved(lambda a: a.reshape(len(a), -1, *(1,) * (rank - 2)))

    scale, bias, mean, variance = map(columns, others)
    epsilon = op.parameter("epsilon", 1e-5)
    noise = op.noise
    deviation = applied(FUNCTIONS["sqrt"], plus(variance, epsilon, noise), noise, 0.0)
    gain = times(scale, reciprocal_of(deviation, noise), noise)
    return plus(times(minus(x, mean, noise), gain, noise), bias, noise)


@_rule("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSumSquare", "ReduceL1")
@_rule("ReduceL2", "ReduceProd")
def _reduction(op: Operator, operands: Operands) -> Bounds:
    x, given = (*operands, None)[:2]
    assert x is not None
    kind, noise = op.node.op_type.removeprefix("Reduce"), op.noise
    if given is not None:
        found = op.known(given, "the axes").reshape(-1).tolist()
    else:
        found = list(op.attributes.get("axes", []))
    if not found and op.integer("noop_with_empty_axes", 0):
        found = []
        axes: tuple[int, ...] = ()
    else:
        axes = tuple(axis % len(x.shape) + 1 for axis in found or range(len(x.shape)))
    keep = op.integer("keepdims", 1) == 1
    terms = prod(x.shape[axis - 1] for axis in axes)
    if kind == "L1":
        x = plus(larger(x, ZERO), larger(negative(x), ZERO), noise)
    if kind in ("SumSquare", "L2"):
        x = square(x, noise)
    if kind in ("Max", "Min", "Prod"):
        return _folded(x, axes, keep, kind, noise)
    total = summed(x, lambda a: a.sum(axis=axes, keepdims=keep), terms, noise)
    if kind == "Mean":
        return times(total, Bounds.exact(np.array(1.0 / terms)), noise)
    if kind == "L2":
        total = larger(total, ZERO)
        return applied(FUNCTIONS["sqrt"], total, noise, 0.0)
    return total


def _folded(x: Bounds, axes: tuple[int, ...], keep: bool, kind: str, noise: Noise) -> Bounds:
    """Fold the elements of the axes one after another."""
    rest = [axis for axis in range(1, len(x.shape) + 1) if axis not in axes]
    extents = [x.shape[axis - 1] for axis in rest]
    flat = x.moved(lambda a: a.transpose(0, *rest, *axes).reshape(len(a), *extents, -1))
    parts = [flat.moved(lambda a, i=i: a[..., i]) for i in range(flat.shape[-1])]
    if kind == "Prod":
        found = reduce(lambda a, b: times(a, b, noise), parts)
    else:
        found = reduce(smaller if kind == "Min" else larger, parts)
    if not keep:
        return found
    shape = [1 if axis + 1 in axes else extent for axis, extent in enumerate(x.shape)]
    return found.moved(lambda a: a.reshape(len(a), *shape))


@_rule("CumSum")
def _running_sum(op: Operator, operands: list[Bounds]) -> Bounds:
    x, given = operands
    axis = int(op.known(given, "the axis").reshape(())) % len(x.shape) + 1
    exclusive, reverse = (op.integer(name, 0) for name in ("exclusive", "reverse"))

    def form(a: FloatArray) -> FloatArray:
        a = np.flip(a, axis) if reverse else a
        total = a.cumsum(axis=axis)
        if exclusive:
            total = np.roll(total, 1, axis)
            total[(slice(None),) * axis + (0,)] = 0.0
        return np.flip(total, axis) if reverse else total

    return summed(x, form, x.shape[axis - 1], op.noise)


@_rule("Softmax", "LogSoftmax")
def _softmax(op: Operator, operands: list[Bounds]) -> Bounds:
    """1 / sum_j exp(x_j - x_i), in which each term depends on its own difference."""
    (x,) = operands
    if op.version < 13:
        raise op.none("before version 13")
    noise = op.noise
    axis = op.integer("axis", -1) % len(x.shape) + 1
    one = x.moved(lambda a: np.expand_dims(a, axis))
    other = x.moved(lambda a: np.expand_dims(a, axis + 1))
    terms = applied(FUNCTIONS["exp"], minus(one, other, noise), noise, 0.0)
    total = summed(terms, lambda a: a.sum(axis=axis + 1), x.shape[axis - 1], noise)
    if op.node.op_type == "LogSoftmax":
        return negative(applied(FUNCTIONS["log"], total, noise))
    return applied(reciprocal, total, noise, 0.0, 1.0)
