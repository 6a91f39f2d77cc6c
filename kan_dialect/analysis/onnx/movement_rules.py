"""Bounds of ONNX operators that move elements, and of lookups in constant tables.

The reference implementation of the `onnx` package moves the numbers of the elements, and the bounds
follow.
"""

from __future__ import annotations

from math import prod

import numpy as np

from kan_dialect.analysis.onnx.bounds import chosen, constant, hull, larger, moved, same, shape_of
from kan_dialect.analysis.onnx.operator_rules import Operands, Operator, Results, Rule
from kan_dialect.evaluate.onnx_node import run_node
from kan_dialect.ir.constants import Array, BoolArray, FloatArray, IntArray
from kan_dialect.maths.interval_functions import Range

_MAX_LOOKUP_ELEMENTS = 1 << 10
"""Most elements that a lookup may read for one element of its result."""

_MOVING: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Expand"), (0,)),
    **dict.fromkeys(("Slice", "Split", "Tile", "Trilu", "DepthToSpace", "SpaceToDepth"), (0,)),
    "GatherElements": (0,),
    **dict.fromkeys(("Pad", "ScatterElements", "ScatterND"), (0, 2)),
}
"""Operator -> indices of data operands; the others are constants that give the movement."""


def _moving(op: Operator, operands: Operands) -> Results:
    if op.attributes.get("reduction", b"none") != b"none":
        raise op.none("with a reduction")
    if op.attributes.get("mode", b"constant") != b"constant":
        raise op.none("in this mode")
    return _moved(op, operands, _MOVING[op.node.op_type])


def _identity(op: Operator, operands: Operands) -> Results:
    (x, *_) = operands
    assert x is not None
    if len(operands) > 2 and operands[2] is not None and op.known(2, "the mode").any():
        raise op.none("in training")
    if len([name for name in op.node.output if name]) > 1:
        raise op.none("with a mask")
    return x


def _moved(op: Operator, operands: Operands, data: tuple[int, ...]) -> list[Range]:
    parts = [x for index, x in enumerate(operands) if index in data and x is not None]
    if op.sources is None:
        op.sources = _source_elements(op, operands, data)
    rows = max(len(part.low) for part in parts)

    def taken(ends: list[FloatArray], sources: IntArray) -> FloatArray:
        flat = [
            np.broadcast_to(end, (rows, *end.shape[1:])).reshape(rows, prod(end.shape[1:]))
            for end in ends
        ]
        whole = np.concatenate([np.zeros((rows, 1)), *flat], axis=1)
        return whole[:, sources.ravel()].reshape(rows, *sources.shape)

    lows, highs = [part.low for part in parts], [part.high for part in parts]
    return [Range(taken(lows, each), taken(highs, each)) for each in op.sources]


def _source_elements(op: Operator, operands: Operands, data: tuple[int, ...]) -> list[IntArray]:
    """How the operator moves the numbers of elements, from 1 on: source elements of each result."""
    feed: list[Array | None] = []
    count = 1
    for index, x in enumerate(operands):
        if x is None:
            feed.append(None)
        elif index in data:
            size = prod(shape_of(x))
            feed.append(np.arange(count, count + size).reshape(shape_of(x)))
            count += size
        else:
            feed.append(op.known(index, "the operand that says where elements go"))
    return [each.astype(np.int64) for each in run_node(op.node, op.version, feed)]


def _lookup(op: Operator, operands: list[Range]) -> Results:
    """A lookup: a movement, or at computed indices the hull of all elements that it may read."""
    data, index = operands
    if op.point(1) is not None:
        return _moved(op, operands, (0,))
    if op.node.input[0] not in op.constants:
        raise op.none("of computed values at computed elements")
    if op.integer("batch_dims", 0):
        raise op.none("with batch dimensions at computed elements")
    # GatherND looks up vectors of indices. The axes that they are of become one.
    is_nd, table_shape = op.node.op_type == "GatherND", shape_of(data)
    axis = 0 if is_nd else op.integer("axis", 0) % len(table_shape)
    last = axis + (shape_of(index)[-1] if is_nd else 1)
    extents = np.array(table_shape[axis:last])
    shape = (*table_shape[:axis], -1, *table_shape[last:])
    table = Range(*(end[0].reshape(shape) for end in data))

    def at(indices: IntArray) -> Range:
        """The table's elements at indices (rows, *index, axes)."""
        places = np.ravel_multi_index(tuple(np.moveaxis(indices % extents, -1, 0)), tuple(extents))
        return Range(*(np.moveaxis(np.take(end, places, axis), axis, 0) for end in table))

    low, high = index if is_nd else (end[..., np.newaxis] for end in index)
    within: BoolArray = np.logical_and.reduce((low >= -extents) & (high < extents), axis=-1)
    low, high = (np.where(within[..., np.newaxis], end, 0).astype(np.int64) for end in (low, high))
    counts = (high - low).reshape(-1, len(extents)).max(axis=0, initial=0) + 1
    if prod(counts.tolist()) > _MAX_LOOKUP_ELEMENTS:
        raise op.none(f"over more than {_MAX_LOOKUP_ELEMENTS} elements")
    found = at(low)
    for steps in np.ndindex(*counts.tolist()):
        found = hull(found, at(np.minimum(low + np.array(steps), high)))
    # The marks in axes that broadcast against the result.
    behind = (1,) * (len(table_shape) - last)
    marks = within.reshape(len(within), *(1,) * axis, *within.shape[1:], *behind)
    return Range(*(np.where(marks, end, np.nan) for end in found))


def _one_hot(op: Operator, operands: list[Range]) -> Range:
    index, _, ends = operands
    count = int(op.known(1, "the depth").reshape(()))
    axis = op.integer("axis", -1) % (len(shape_of(index)) + 1) + 1
    expanded = moved(index, lambda a: np.expand_dims(a, axis))
    behind = (1,) * (len(shape_of(index)) + 1 - axis)
    numbers = np.arange(count, dtype=np.float64).reshape(-1, *behind)
    matches = [same(expanded, constant(numbers - wrap)) for wrap in (0, count)]
    off, on = (moved(ends, lambda a, i=i: a[:, i]) for i in (0, 1))
    return chosen(larger(*matches), on, off)


RULES: dict[str, Rule] = {
    **dict.fromkeys(_MOVING, _moving),
    **dict.fromkeys(("Identity", "Dropout"), _identity),
    "Concat": lambda op, x: _moved(op, x, tuple(range(len(x)))),
    **dict.fromkeys(("Gather", "GatherND"), _lookup),
    "OneHot": _one_hot,
}
"""Operator -> rule."""
