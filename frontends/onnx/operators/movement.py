"""Movement operators of ONNX: reshape, transpose, slice, gather, concatenate, ...

Each becomes a function of arrays, for any number of samples on the batch axis. It moves the indices
of elements (one sample) as well as their values (many samples).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from kan_dialect.frontends.onnx.operators.dependence import Run
from kan_dialect.frontends.onnx.read.file import Budget
from kan_dialect.frontends.onnx.read.graph import Node, Unrecognised
from kan_dialect.ir.constants import Array


@dataclass(frozen=True)
class MovementOperands:
    """The operands of a movement operator.

    Attributes
    ----------
    shape : of the moved operand, with the batch's extent.
    batch_axis : None for a constant.
    constants : further operands; None for an omitted one.
    """

    node: Node
    shape: tuple[int, ...]
    batch_axis: int | None
    constants: Sequence[Array | None]
    budget: Budget

    @property
    def rank(self) -> int:
        return len(self.shape)

    def integers(self, index: int) -> tuple[int, ...] | None:
        """Further operand `index` as integers; None if omitted."""
        if index >= len(self.constants):
            return None
        array = self.constants[index]
        if array is None:
            return None
        if array.dtype.kind not in "iu" or array.ndim > 1:
            raise self.node.refuse("an operand that should list integers does not")
        return tuple(int(value) for value in array.reshape(-1))

    @property
    def text(self) -> str:
        """The shape for messages."""
        extents = ["batch" if i == self.batch_axis else str(e) for i, e in enumerate(self.shape)]
        return f"[{', '.join(extents)}]"

    def axis(self, axis: int, rank: int | None = None) -> int:
        """A given axis as a non-negative one."""
        rank = self.rank if rank is None else rank
        if not -rank <= axis < rank:
            raise self.node.refuse(f"axis {axis} of a value of {rank} dimension(s)")
        return axis % rank

    def check_size(self, shape: Sequence[int]) -> None:
        self.budget.charge(8 * prod(shape), self.node.label)

    def batch_error(self) -> Unrecognised:
        return self.node.refuse(
            "it moves values between the samples of a batch",
            "export the model so that the batch stays a dimension of its own",
        )


@dataclass(frozen=True)
class Movement:
    """A function that moves elements, and the batch axis of its result."""

    arrange: Run
    batch_axis: int | None


def _identity(site: MovementOperands) -> Movement:
    return Movement(lambda arrays: arrays[0], site.batch_axis)


def _reshaped(site: MovementOperands, target: Sequence[int]) -> Movement:
    if prod(target) != prod(site.shape):
        raise site.node.refuse(
            f"cannot reshape {site.text} to {list(target)}",
            "export the model so that it takes any batch size (x.shape[0], not a number)",
        )
    if site.batch_axis is None:
        return Movement(lambda arrays: arrays[0].reshape(target), None)
    batch = site.batch_axis
    # The batch axis is where the same number of elements precede it: memory order is unchanged.
    before, extent = prod(site.shape[:batch]), site.shape[batch]
    candidates = [
        axis
        for axis in range(len(target))
        if target[axis] == extent and prod(target[:axis]) == before
    ]
    if not candidates:
        raise site.batch_error()
    new_batch = candidates[0]

    def arrange(arrays: Sequence[Array]) -> Array:
        samples = arrays[0].shape[batch]
        return arrays[0].reshape([*target[:new_batch], samples, *target[new_batch + 1 :]])

    return Movement(arrange, new_batch)


def _reshape(site: MovementOperands) -> Movement:
    target = list(site.integers(0) or ())
    if not site.node.integer("allowzero", 0):
        if any(extent == 0 and axis >= site.rank for axis, extent in enumerate(target)):
            raise site.node.refuse("the new shape copies an extent that is not there")
        target = [extent or site.shape[axis] for axis, extent in enumerate(target)]
    if target.count(-1) > 1 or any(extent < -1 for extent in target):
        raise site.node.refuse(f"{target} is no shape")
    if -1 in target:
        known = prod(extent for extent in target if extent != -1)
        target[target.index(-1)] = prod(site.shape) // known if known else 0
    return _reshaped(site, target)


def _flatten(site: MovementOperands) -> Movement:
    axis = site.node.integer("axis", 1)
    axis = axis + site.rank if axis < 0 else axis
    return _reshaped(site, [prod(site.shape[:axis]), prod(site.shape[axis:])])


def _squeeze(site: MovementOperands) -> Movement:
    axes = site.integers(0)
    if axes is None:
        axes = [
            axis
            for axis, extent in enumerate(site.shape)
            if extent == 1 and axis != site.batch_axis
        ]
    axes = {site.axis(axis) for axis in axes}
    if site.batch_axis in axes:
        raise site.batch_error()
    if any(site.shape[axis] != 1 for axis in axes):
        raise site.node.refuse(f"cannot squeeze {sorted(axes)} of {site.text}")
    dropped = tuple(sorted(axes))
    batch = site.batch_axis
    after = None if batch is None else batch - sum(axis < batch for axis in dropped)
    return Movement(lambda arrays: np.squeeze(arrays[0], dropped), after)


def _unsqueeze(site: MovementOperands) -> Movement:
    given = site.integers(0) or ()
    rank = site.rank + len(given)
    axes = tuple(sorted(site.axis(axis, rank) for axis in given))
    if len(set(axes)) < len(axes):
        raise site.node.refuse("an axis is inserted twice")
    kept = [axis for axis in range(rank) if axis not in axes]
    after = None if site.batch_axis is None else kept[site.batch_axis]
    return Movement(lambda arrays: np.expand_dims(arrays[0], axes), after)


def _transpose(site: MovementOperands) -> Movement:
    order = site.node.integers("perm") or tuple(reversed(range(site.rank)))
    if sorted(order) != list(range(site.rank)):
        raise site.node.refuse(f"{list(order)} is no order of {site.rank} axes")
    after = None if site.batch_axis is None else order.index(site.batch_axis)
    return Movement(lambda arrays: np.transpose(arrays[0], order), after)


def _slice(site: MovementOperands) -> Movement:
    starts, ends = site.integers(0) or (), site.integers(1) or ()
    axes = site.integers(2)
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = site.integers(3) or (1,) * len(starts)
    slices = [slice(None)] * site.rank
    for start, end, given, step in zip(starts, ends, axes, steps, strict=True):
        axis = site.axis(given)
        extent = site.shape[axis]
        if step == 0:
            raise site.node.refuse("a step of 0")
        # Negative bounds count from the end; then both are clamped, as the ONNX standard requires.
        lowest, highest = (0, extent) if step > 0 else (-1, extent - 1)
        first = min(max(start + extent if start < 0 else start, 0), highest)
        last = min(max(end + extent if end < 0 else end, lowest), highest)
        chosen = range(extent)[first : None if last < 0 else last : step]
        if axis != site.batch_axis:
            slices[axis] = slice(first, None if last < 0 else last, step)
        elif len(chosen) != extent or step != 1:
            raise site.batch_error()
    index = tuple(slices)
    return Movement(lambda arrays: arrays[0][index], site.batch_axis)


def _gather(site: MovementOperands) -> Movement:
    indices = site.constants[0]
    if indices is None or indices.dtype.kind not in "iu":
        raise site.node.refuse("the indices are no integers")
    axis = site.axis(site.node.integer("axis", 0))
    extent = site.shape[axis]
    if bool(((indices < -extent) | (indices >= extent)).any()):
        raise site.node.refuse(f"an index lies outside an axis of {extent}")
    batch = site.batch_axis
    if axis == batch:
        raise site.batch_error()
    site.check_size([*site.shape[:axis], indices.size, *site.shape[axis + 1 :]])
    after = batch if batch is None or batch < axis else batch + indices.ndim - 1
    return Movement(lambda arrays: np.take(arrays[0], indices, axis), after)


def _expand(site: MovementOperands) -> Movement:
    target = site.integers(0) or ()
    if any(extent < 0 for extent in target):
        raise site.node.refuse(f"{list(target)} is no shape")
    shape = np.broadcast_shapes(site.shape, target)
    site.check_size(shape)
    if site.batch_axis is None:
        return Movement(lambda arrays: np.broadcast_to(arrays[0], shape), None)
    batch = site.batch_axis + len(shape) - site.rank
    if shape[batch] != site.shape[site.batch_axis]:
        raise site.batch_error()

    def arrange(arrays: Sequence[Array]) -> Array:
        samples = arrays[0].shape[batch + site.rank - len(shape)]
        return np.broadcast_to(arrays[0], [*shape[:batch], samples, *shape[batch + 1 :]])

    return Movement(arrange, batch)


def _tile(site: MovementOperands) -> Movement:
    repeats = site.integers(0) or ()
    if len(repeats) != site.rank or any(count < 0 for count in repeats):
        raise site.node.refuse(f"{list(repeats)} does not say how often to repeat each axis")
    if site.batch_axis is not None and repeats[site.batch_axis] != 1:
        raise site.batch_error()
    site.check_size([extent * count for extent, count in zip(site.shape, repeats, strict=True)])
    return Movement(lambda arrays: np.tile(arrays[0], repeats), site.batch_axis)


MOVEMENTS: dict[str, Callable[[MovementOperands], Movement]] = {
    "Dropout": _identity,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Identity": _identity,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""Operators that move the elements of their first operand."""


def concatenation(axis: int, batch_axis: int | None) -> Run:
    """Concatenation along `axis`; arrays of one sample are broadcast over the samples."""

    def arrange(arrays: Sequence[Array]) -> Array:
        if batch_axis is None:
            return np.concatenate(arrays, axis)
        samples = max(array.shape[batch_axis] for array in arrays)
        spread: list[Array] = []
        for array in arrays:
            shape = list(array.shape)
            shape[batch_axis] = samples
            spread.append(np.broadcast_to(array, shape))
        return np.concatenate(spread, axis)

    return arrange


def split_movements(site: MovementOperands, outputs: int) -> list[Movement]:
    """The movement of each output of a Split."""
    axis = site.axis(site.node.integer("axis", 0))
    if axis == site.batch_axis:
        raise site.batch_error()
    extent = site.shape[axis]
    sizes = site.integers(0)
    if sizes is None:
        size = -(-extent // outputs)
        sizes = [min(size, extent - size * index) for index in range(outputs)]
    if len(sizes) != outputs or sum(sizes) != extent or any(size < 0 for size in sizes):
        raise site.node.refuse(f"cannot split an axis of {extent} into {list(sizes)}")
    moves: list[Movement] = []
    start = 0
    for size in sizes:
        moves.append(Movement(_piece(axis, start, start + size), site.batch_axis))
        start += size
    return moves


def _piece(axis: int, start: int, end: int) -> Run:
    index = (slice(None),) * axis + (slice(start, end),)
    return lambda arrays: arrays[0][index]
