"""Bounds of ONNX lookups at computed indices: Gather and OneHot."""

from __future__ import annotations

from math import prod

import numpy as np

from kan_dialect.analysis.onnx.bounds import (
    Bounds,
    chosen,
    compared,
    hull,
    larger,
    same,
)
from kan_dialect.analysis.onnx.movement_rules import moved
from kan_dialect.analysis.onnx.operator_rules import (
    Operator,
    Results,
    Rule,
    registrar,
)
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.maths.interval_functions import Range

RULES: dict[str, Rule] = {}
"""Operator -> rule."""

_rule = registrar(RULES)


_MAX_LOOKUP_ELEMENTS = 1 << 10
"""Most elements that a lookup may read for one element of its result."""


@_rule("Gather", "GatherElements", "GatherND")
def _lookup(op: Operator, operands: list[Bounds]) -> Results:
    data, index = operands
    if index.point is not None:
        return moved(op, operands, (0,))
    if not data.constant:
        raise op.none("of computed values at computed elements")
    kind = op.node.op_type
    if kind == "GatherND" and op.integer("batch_dims", 0):
        raise op.none("with batch dimensions at computed elements")
    axis = op.integer("axis", 0) % len(data.shape)
    extents = np.array(data.shape[: index.shape[-1]] if kind == "GatherND" else data.shape[axis])

    def at(indices: IntArray, table: FloatArray) -> FloatArray:
        """Elements of a table (*shape) at indices (rows, *index)."""
        if kind == "GatherND":
            return table[tuple(np.moveaxis(indices, -1, 0))]
        if kind == "Gather":
            found = np.take(table, indices.reshape(-1), axis=axis)
            found = found.reshape(*table.shape[:axis], *indices.shape, *table.shape[axis + 1 :])
            return np.moveaxis(found, axis, 0)
        order: list[IntArray] = [each[np.newaxis] for each in _indices(indices.shape[1:])]
        order[axis] = indices
        return table[tuple(order)]

    def read(indices: Range) -> Range:
        bad = (indices.low < -extents) | (indices.high >= extents) | np.isnan(indices.low)
        bad = bad | np.isnan(indices.high)
        low, high = (
            np.where(bad, 0, np.clip(np.nan_to_num(end), -extents, extents - 1)).astype(np.int64)
            for end in indices
        )
        found = Range(at(low % extents, data.value.low[0]), at(low % extents, data.value.high[0]))
        spans = (high - low).reshape(-1, high.shape[-1]).max(axis=0, initial=0)
        steps = (
            spans + 1 if kind == "GatherND" else np.array([int((high - low).max(initial=0)) + 1])
        )
        if prod(steps.tolist()) > _MAX_LOOKUP_ELEMENTS:
            raise op.none(f"over more than {_MAX_LOOKUP_ELEMENTS} elements")
        for offset in list(np.ndindex(*steps.tolist()))[1:]:
            step_by = np.array(offset) if kind == "GatherND" else offset[0]
            shifted = np.minimum(low + step_by, high) % extents
            found = hull(
                found, Range(at(shifted, data.value.low[0]), at(shifted, data.value.high[0]))
            )
        if bad.any():
            wrong = at(np.zeros_like(low), np.zeros(data.shape)) * 0.0
            marks: Array = np.asarray(bad.any(axis=-1)) if kind == "GatherND" else bad
            wrong = wrong + _spread(marks, wrong, axis, kind)
            found = Range(found.low + wrong, found.high + wrong)
        return found

    value = read(index.value)
    fixed = np.asarray(index.value.low == index.value.high)
    fixed = np.asarray(fixed.all(axis=-1)) if kind == "GatherND" else fixed
    zero = np.zeros_like(value.low)
    moves = _spread(np.asarray(~fixed), zero, axis, kind) != 0.0
    slope = Range(np.where(moves, -np.inf, 0.0), np.where(moves, np.inf, 0.0))
    return Bounds(value, slope, read(index.middles))


def _indices(shape: tuple[int, ...]) -> list[IntArray]:
    return list(np.indices(shape))


def _spread(marks: Array, like: FloatArray, axis: int, kind: str) -> FloatArray:
    """NaN where indices are marked, 0 elsewhere, in the shape of the elements read there."""
    values = np.where(marks, np.nan, 0.0)
    if kind == "Gather":
        behind = like.ndim - axis - values.ndim
        values = values.reshape(len(values), *(1,) * axis, *values.shape[1:], *(1,) * behind)
    elif kind == "GatherND":
        values = values.reshape(*values.shape, *(1,) * (like.ndim - values.ndim))
    return np.broadcast_to(values, like.shape)


@_rule("OneHot")
def _one_hot(op: Operator, operands: list[Bounds]) -> Bounds:
    index, depth, ends = operands
    count = int(op.known(depth, "the depth").reshape(()))
    axis = op.integer("axis", -1) % (len(index.shape) + 1) + 1
    expanded = index.moved(lambda a: np.expand_dims(a, axis))
    numbers = np.arange(count, dtype=np.float64).reshape(-1, *(1,) * (len(index.shape) + 1 - axis))
    found = compared(expanded, Bounds.exact(numbers), same)
    wrapped = compared(expanded, Bounds.exact(numbers - count), same)
    off, on = (ends.moved(lambda a, i=i: a[:, i]) for i in (0, 1))
    return chosen(larger(found, wrapped), on, off)
