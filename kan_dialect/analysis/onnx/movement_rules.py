"""Bounds of ONNX operators that move elements, and of Shape and Size.

The reference implementation of the `onnx` package moves the numbers of the elements, and the bounds
follow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from kan_dialect.analysis.onnx.bounds import (
    Bounds,
)
from kan_dialect.analysis.onnx.operator_rules import (
    Operands,
    Operator,
    Results,
    Rule,
    registrar,
    run_alone,
)
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.maths.interval_functions import Range

RULES: dict[str, Rule] = {}
"""Operator -> rule."""

_rule = registrar(RULES)


_MOVING: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Expand"), (0,)),
    **dict.fromkeys(("Slice", "Split", "Tile", "Trilu", "DepthToSpace", "SpaceToDepth"), (0,)),
    "Pad": (0, 2),
    "ScatterElements": (0, 2),
    "ScatterND": (0, 2),
}
"""Operator -> indices of data operands; the others are constants that give the movement."""


@_rule(*_MOVING)
def _moving(op: Operator, operands: Operands) -> Results:
    data = _MOVING[op.node.op_type]
    if op.attributes.get("reduction", b"none") not in (b"none", "none"):
        raise op.none("with a reduction")
    if op.attributes.get("mode", b"constant") not in (b"constant", "constant", b"DCR", b"CRD"):
        raise op.none("in this mode")
    return moved(op, operands, data)


@_rule("Concat")
def _concat(op: Operator, operands: list[Bounds]) -> Results:
    return moved(op, operands, tuple(range(len(operands))))


@_rule("Identity", "Dropout")
def _identity(op: Operator, operands: Operands) -> Results:
    (x, *_) = operands
    assert x is not None
    if len(operands) > 2 and operands[2] is not None and op.known(operands[2], "the mode").any():
        raise op.none("in training")
    if len([name for name in op.node.output if name]) > 1:
        raise op.none("with a mask")
    return x


def moved(op: Operator, operands: Operands, data: tuple[int, ...]) -> Results:
    parts = [x for index, x in enumerate(operands) if index in data and x is not None]
    if op.sources is None:
        op.sources = _source_elements(op, operands, data)
    if len(parts) == 1:
        (x,) = parts
        whole = np.arange(1, prod(x.shape) + 1)
        found: list[Bounds] = []
        for sources, shape in op.sources:
            same_order = np.array_equal(sources, whole)
            found.append(
                x.moved(
                    (lambda a, s=shape: a.reshape(len(a), *s))
                    if same_order
                    else (lambda a, p=sources, s=shape: _taken([a], p, s))
                )
            )
        return found
    if all(part.constant for part in parts):
        return [
            Bounds(Range(*(_taken([part.value[end] for part in parts], *each) for end in (0, 1))))
            for each in op.sources
        ]
    rows = max(len(array) for part in parts for array in (part.value.low, part.slopes.low))

    def taken(select: Callable[[Bounds], Range], each: tuple[IntArray, tuple[int, ...]]) -> Range:
        full = [
            [np.broadcast_to(end, (rows, *part.shape)) for end in select(part)] for part in parts
        ]
        return Range(*(_taken([part[end] for part in full], *each) for end in (0, 1)))

    return [
        Bounds(
            taken(lambda part: part.value, each),
            taken(lambda part: part.slopes, each),
            taken(lambda part: part.middles, each),
        )
        for each in op.sources
    ]


def _taken(parts: Sequence[FloatArray], sources: IntArray, shape: tuple[int, ...]) -> FloatArray:
    rows = len(parts[0])
    flat = [each.reshape(rows, -1) for each in parts]
    if not sources.all():
        flat = [np.zeros((rows, 1)), *flat]
        sources = sources + 1
    whole = flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)
    return whole[:, sources - 1].reshape(rows, *shape)


def _source_elements(
    op: Operator, operands: Operands, data: tuple[int, ...]
) -> list[tuple[IntArray, tuple[int, ...]]]:
    """Source elements of each result: how the operator moves the numbers of elements, from 1 on."""
    feed: dict[str, Array] = {}
    names = [f"i{index}" if name else "" for index, name in enumerate(op.node.input)]
    count = 1
    for index, (name, x) in enumerate(zip(names, operands, strict=False)):
        if x is None:
            continue
        if index in data:
            size = prod(x.shape)
            feed[name] = np.arange(count, count + size).reshape(x.shape)
            count += size
        else:
            feed[name] = op.known(x, "the operand that says where elements go")
    found = run_alone(op, feed, names)
    return [(each.reshape(-1).astype(np.int64), each.shape) for each in found]


@_rule("Shape", "Size")
def _shape(op: Operator, operands: list[Bounds]) -> Bounds:
    shape = np.array(operands[0].shape, dtype=np.float64)
    if op.node.op_type == "Size":
        return Bounds.exact(np.array(float(shape.prod())))
    last = op.attributes.get("end")
    return Bounds.exact(shape[op.integer("start", 0) : last])
