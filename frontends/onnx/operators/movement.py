"""ONNX operators that only move elements: reshape, transpose, slice, gather, concatenate, ...

Each becomes a function of arrays that holds for any number of samples on the batch axis, so that
it moves the numbers of elements (one sample) as well as values (many samples).
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
class Site:
    """Where a move takes place.

    Attributes
    ----------
    shape : of the moved operand, with the batch's extent.
    batch_axis : None for a constant.
    constants : the further operands; None where one is left out.
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
        """The further operand `index` as a list of integers."""
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
        """The shape as messages show it."""
        extents = ["batch" if i == self.batch_axis else str(e) for i, e in enumerate(self.shape)]
        return f"[{', '.join(extents)}]"

    def axis(self, axis: int, rank: int | None = None) -> int:
        """An axis counted from the front."""
        rank = self.rank if rank is None else rank
        if not -rank <= axis < rank:
            raise self.node.refuse(f"axis {axis} of a value of {rank} dimension(s)")
        return axis % rank

    def check_size(self, shape: Sequence[int]) -> None:
        self.budget.charge(8 * prod(shape), self.node.label)

    def mixes_batch(self) -> Unrecognised:
        return self.node.refuse(
            "it moves values between the samples of a batch",
            "export the model so that the batch stays a dimension of its own",
        )


@dataclass(frozen=True)
class Move:
    """How elements move, and where the batch axis goes."""

    arrange: Run
    batch_axis: int | None


def _identity(site: Site) -> Move:
    return Move(lambda arrays: arrays[0], site.batch_axis)


def _reshaped(site: Site, target: Sequence[int]) -> Move:
    if prod(target) != prod(site.shape):
        raise site.node.refuse(
            f"cannot reshape {site.text} to {list(target)}",
            "export the model so that it takes any batch size (x.shape[0], not a number)",
        )
    if site.batch_axis is None:
        return Move(lambda arrays: arrays[0].reshape(target), None)
    batch = site.batch_axis
    # The batch stays where as many elements precede it as before; then memory order is the same.
    before, extent = prod(site.shape[:batch]), site.shape[batch]
    places = [
        axis
        for axis in range(len(target))
        if target[axis] == extent and prod(target[:axis]) == before
    ]
    if not places:
        raise site.mixes_batch()
    place = places[0]

    def arrange(arrays: Sequence[Array]) -> Array:
        samples = arrays[0].shape[batch]
        return arrays[0].reshape([*target[:place], samples, *target[place + 1 :]])

    return Move(arrange, place)


def _reshape(site: Site) -> Move:
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


def _flatten(site: Site) -> Move:
    axis = site.node.integer("axis", 1)
    axis = axis + site.rank if axis < 0 else axis
    return _reshaped(site, [prod(site.shape[:axis]), prod(site.shape[axis:])])


def _squeeze(site: Site) -> Move:
    axes = site.integers(0)
    if axes is None:
        axes = [
            axis
            for axis, extent in enumerate(site.shape)
            if extent == 1 and axis != site.batch_axis
        ]
    axes = {site.axis(axis) for axis in axes}
    if site.batch_axis in axes:
        raise site.mixes_batch()
    if any(site.shape[axis] != 1 for axis in axes):
        raise site.node.refuse(f"cannot squeeze {sorted(axes)} of {site.text}")
    dropped = tuple(sorted(axes))
    batch = site.batch_axis
    after = None if batch is None else batch - sum(axis < batch for axis in dropped)
    return Move(lambda arrays: np.squeeze(arrays[0], dropped), after)


def _unsqueeze(site: Site) -> Move:
    given = site.integers(0) or ()
    rank = site.rank + len(given)
    axes = tuple(sorted(site.axis(axis, rank) for axis in given))
    if len(set(axes)) < len(axes):
        raise site.node.refuse("an axis is inserted twice")
    kept = [axis for axis in range(rank) if axis not in axes]
    after = None if site.batch_axis is None else kept[site.batch_axis]
    return Move(lambda arrays: np.expand_dims(arrays[0], axes), after)


def _transpose(site: Site) -> Move:
    order = site.node.integers("perm") or tuple(reversed(range(site.rank)))
    if sorted(order) != list(range(site.rank)):
        raise site.node.refuse(f"{list(order)} is no order of {site.rank} axes")
    after = None if site.batch_axis is None else order.index(site.batch_axis)
    return Move(lambda arrays: np.transpose(arrays[0], order), after)


def _slice(site: Site) -> Move:
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
        # Negative bounds count from the end; then both are clamped, as the standard says.
        lowest, highest = (0, extent) if step > 0 else (-1, extent - 1)
        first = min(max(start + extent if start < 0 else start, 0), highest)
        last = min(max(end + extent if end < 0 else end, lowest), highest)
        chosen = range(extent)[first : None if last < 0 else last : step]
        if axis != site.batch_axis:
            slices[axis] = slice(first, None if last < 0 else last, step)
        elif len(chosen) != extent or step != 1:
            raise site.mixes_batch()
    index = tuple(slices)
    return Move(lambda arrays: arrays[0][index], site.batch_axis)


def _gather(site: Site) -> Move:
    indices = site.constants[0]
    if indices is None or indices.dtype.kind not in "iu":
        raise site.node.refuse("the indices are no integers")
    axis = site.axis(site.node.integer("axis", 0))
    extent = site.shape[axis]
    if bool(((indices < -extent) | (indices >= extent)).any()):
        raise site.node.refuse(f"an index lies outside an axis of {extent}")
    batch = site.batch_axis
    if axis == batch:
        raise site.mixes_batch()
    site.check_size([*site.shape[:axis], indices.size, *site.shape[axis + 1 :]])
    after = batch if batch is None or batch < axis else batch + indices.ndim - 1
    return Move(lambda arrays: np.take(arrays[0], indices, axis), after)


def _expand(site: Site) -> Move:
    target = site.integers(0) or ()
    if any(extent < 0 for extent in target):
        raise site.node.refuse(f"{list(target)} is no shape")
    shape = np.broadcast_shapes(site.shape, target)
    site.check_size(shape)
    if site.batch_axis is None:
        return Move(lambda arrays: np.broadcast_to(arrays[0], shape), None)
    batch = site.batch_axis + len(shape) - site.rank
    if shape[batch] != site.shape[site.batch_axis]:
        raise site.mixes_batch()

    def arrange(arrays: Sequence[Array]) -> Array:
        samples = arrays[0].shape[batch + site.rank - len(shape)]
        return np.broadcast_to(arrays[0], [*shape[:batch], samples, *shape[batch + 1 :]])

    return Move(arrange, batch)


def _tile(site: Site) -> Move:
    repeats = site.integers(0) or ()
    if len(repeats) != site.rank or any(count < 0 for count in repeats):
        raise site.node.refuse(f"{list(repeats)} does not say how often to repeat each axis")
    if site.batch_axis is not None and repeats[site.batch_axis] != 1:
        raise site.mixes_batch()
    site.check_size([extent * count for extent, count in zip(site.shape, repeats, strict=True)])
    return Move(lambda arrays: np.tile(arrays[0], repeats), site.batch_axis)


MOVES: dict[str, Callable[[Site], Move]] = {
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
    """Arrays side by side along `axis`; those of one sample are spread over the samples."""

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


def split_moves(site: Site, outputs: int) -> list[Move]:
    """The pieces of a Split."""
    axis = site.axis(site.node.integer("axis", 0))
    if axis == site.batch_axis:
        raise site.mixes_batch()
    extent = site.shape[axis]
    sizes = site.integers(0)
    if sizes is None:
        size = -(-extent // outputs)
        sizes = [min(size, extent - size * index) for index in range(outputs)]
    if len(sizes) != outputs or sum(sizes) != extent or any(size < 0 for size in sizes):
        raise site.node.refuse(f"cannot split an axis of {extent} into {list(sizes)}")
    moves: list[Move] = []
    start = 0
    for size in sizes:
        moves.append(Move(_piece(axis, start, start + size), site.batch_axis))
        start += size
    return moves


def _piece(axis: int, start: int, end: int) -> Run:
    index = (slice(None),) * axis + (slice(start, end),)
    return lambda arrays: arrays[0][index]
