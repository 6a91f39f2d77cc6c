"""Bounds of ONNX operators that move elements, and of lookups in constant tables.

The reference implementation of the `onnx` package moves the numbers of the elements, and the bounds
follow.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from kan_dialect.analysis.onnx.bounds import Bounds, chosen, compared, hull, larger, same
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
    if op.attributes.get("mode", b"constant") not in (b"constant", b"DCR", b"CRD"):
        raise op.none("in this mode")
    return _moved(op, operands, _MOVING[op.node.op_type])


def _identity(op: Operator, operands: Operands) -> Results:
    (x, *_) = operands
    assert x is not None
    if len(operands) > 2 and operands[2] is not None and op.known(operands[2], "the mode").any():
        raise op.none("in training")
    if len([name for name in op.node.output if name]) > 1:
        raise op.none("with a mask")
    return x


def _moved(op: Operator, operands: Operands, data: tuple[int, ...]) -> list[Bounds]:
    parts = [x for index, x in enumerate(operands) if index in data and x is not None]
    if op.sources is None:
        op.sources = _source_elements(op, operands, data)
    rows = max(len(array) for part in parts for array in (part.value.low, part.slopes.low))

    def taken(select: Callable[[Bounds], Range], sources: IntArray) -> Range:
        ends: list[FloatArray] = []
        for end in (0, 1):
            flat = [
                np.broadcast_to(select(part)[end], (rows, *part.shape)).reshape(rows, -1)
                for part in parts
            ]
            whole = np.concatenate([np.zeros((rows, 1)), *flat], axis=1)
            ends.append(whole[:, sources.ravel()].reshape(rows, *sources.shape))
        return Range(*ends)

    if all(part.constant for part in parts):
        return [Bounds(taken(lambda part: part.value, each)) for each in op.sources]
    return [
        Bounds(
            taken(lambda part: part.value, each),
            taken(lambda part: part.slopes, each),
            taken(lambda part: part.middles, each),
        )
        for each in op.sources
    ]


def _source_elements(op: Operator, operands: Operands, data: tuple[int, ...]) -> list[IntArray]:
    """How the operator moves the numbers of elements, from 1 on: source elements of each result."""
    feed: list[Array | None] = []
    count = 1
    for index, x in enumerate(operands):
        if x is None:
            feed.append(None)
        elif index in data:
            size = prod(x.shape)
            feed.append(np.arange(count, count + size).reshape(x.shape))
            count += size
        else:
            feed.append(op.known(x, "the operand that says where elements go"))
    return [each.astype(np.int64) for each in run_node(op.node, op.version, feed)]


def _lookup(op: Operator, operands: list[Bounds]) -> Results:
    """A lookup: a movement, or at computed indices the hull of all elements that it may read."""
    data, index = operands
    if index.point is not None:
        return _moved(op, operands, (0,))
    if not data.constant:
        raise op.none("of computed values at computed elements")
    if op.integer("batch_dims", 0):
        raise op.none("with batch dimensions at computed elements")
    # GatherND looks up vectors of indices. The axes that they are of become one.
    is_nd = op.node.op_type == "GatherND"
    axis = 0 if is_nd else op.integer("axis", 0) % len(data.shape)
    last = axis + (index.shape[-1] if is_nd else 1)
    extents = np.array(data.shape[axis:last])
    shape = (*data.shape[:axis], -1, *data.shape[last:])
    table = Range(*(end[0].reshape(shape) for end in data.value))

    def at(indices: IntArray) -> Range:
        """The table's elements at indices (rows, *index, axes)."""
        places = np.ravel_multi_index(tuple(np.moveaxis(indices % extents, -1, 0)), tuple(extents))
        return Range(*(np.moveaxis(np.take(end, places, axis), axis, 0) for end in table))

    def spread(marks: BoolArray) -> BoolArray:
        """Marks (rows, *index) in axes that broadcast against the result."""
        behind = (1,) * (len(data.shape) - last)
        return marks.reshape(len(marks), *(1,) * axis, *marks.shape[1:], *behind)

    def vectors(indices: Range) -> Range:
        return indices if is_nd else Range(*(end[..., np.newaxis] for end in indices))

    def read(indices: Range) -> Range:
        inside = (indices.low >= -extents) & (indices.high < extents)
        within: BoolArray = np.logical_and.reduce(inside, axis=-1)
        low, high = (np.where(within[..., np.newaxis], end, 0).astype(np.int64) for end in indices)
        counts = (high - low).reshape(-1, len(extents)).max(axis=0, initial=0) + 1
        if prod(counts.tolist()) > _MAX_LOOKUP_ELEMENTS:
            raise op.none(f"over more than {_MAX_LOOKUP_ELEMENTS} elements")
        found = at(low)
        for steps in np.ndindex(*counts.tolist()):
            found = hull(found, at(np.minimum(low + np.array(steps), high)))
        return Range(*(np.where(spread(within), end, np.nan) for end in found))

    value, indices = read(vectors(index.value)), vectors(index.value)
    moves = spread(np.logical_or.reduce(indices.low != indices.high, axis=-1))
    moves = np.broadcast_to(moves, value.low.shape)
    slope = Range(np.where(moves, -np.inf, 0.0), np.where(moves, np.inf, 0.0))
    return Bounds(value, slope, read(vectors(index.middles)))


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


RULES: dict[str, Rule] = {
    **dict.fromkeys(_MOVING, _moving),
    **dict.fromkeys(("Identity", "Dropout"), _identity),
    "Concat": lambda op, x: _moved(op, x, tuple(range(len(x)))),
    **dict.fromkeys(("Gather", "GatherND"), _lookup),
    "OneHot": _one_hot,
}
"""Operator -> rule."""
