"""Gather and scatter operators of ONNX, which move elements by lists of indices.

Indices may include the batch (PyTorch writes `t[:, :, 1] = x` so). The operator is run once on the
numbered elements of a whole batch. If it does the same to all samples, the movement of one sample
follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from kan_dialect.frontends.onnx.operators.dependence import Tensor
from kan_dialect.frontends.onnx.operators.movement import Movement
from kan_dialect.frontends.onnx.read.file import Budget
from kan_dialect.frontends.onnx.read.graph import Node
from kan_dialect.ir.constants import Array, IntArray

Scatter = Callable[[Node, Array, Array, Array | None], Array]
"""(node, data, indices, updates) -> result"""


def _check(node: Node, indices: Array) -> None:
    if indices.dtype.kind not in "iu":
        raise node.refuse("the indices are no integers")
    if node.text("reduction", "none") != "none" or node.integer("batch_dims", 0):
        raise node.refuse("reductions and batch_dims are not supported")


def _gather_elements(node: Node, data: Array, indices: Array, updates: Array | None) -> Array:
    return np.take_along_axis(data, indices, node.integer("axis", 0))


def _gather_nd(node: Node, data: Array, indices: Array, updates: Array | None) -> Array:
    return data[tuple(np.moveaxis(indices, -1, 0))]


def _scatter_elements(node: Node, data: Array, indices: Array, updates: Array | None) -> Array:
    result = data.copy()
    assert updates is not None
    np.put_along_axis(result, indices, updates, node.integer("axis", 0))
    return result


def _scatter_nd(node: Node, data: Array, indices: Array, updates: Array | None) -> Array:
    result = data.copy()
    result[tuple(np.moveaxis(indices, -1, 0))] = updates
    return result


SCATTERS: dict[str, Scatter] = {
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
}
"""Operators of data, indices, and updates for scatters."""


def scatter(node: Node, operands: Sequence[Array | None]) -> Array:
    """Result of constant operands."""
    data, indices = operands[:2]
    if data is None or indices is None:
        raise node.refuse("an operand is missing")
    _check(node, indices)
    return SCATTERS[node.op_type](node, data, indices, operands[2] if len(operands) > 2 else None)


def scatter_movement(
    node: Node, operands: Sequence[Tensor | Array | None], batch: int, budget: Budget
) -> tuple[Movement, list[Tensor | Array]]:
    """The movement of a gather or scatter, and its arguments.

    Parameters
    ----------
    operands : data, indices, and updates for a scatter.
    batch : number of samples of a batch.

    Raises
    ------
    Unrecognised : indices depend on the input, or samples are treated differently.
    """
    indices = operands[1]
    if not isinstance(indices, np.ndarray):
        raise node.refuse("the indices depend on the input")
    tensors = [each for each in operands if isinstance(each, Tensor)]
    labels, values = _numbered(node, operands, tensors, batch, budget)
    moved, constants = scatter(node, labels), scatter(node, values)
    # An element's number gives its row and its column.
    width = sum(tensor.size for tensor in tensors)
    rows, columns = np.divmod(moved, width)
    axis = _batch_axis(node, rows, moved < 0, batch)
    first = np.take(np.where(moved < 0, -1, columns), 0, axis)
    fixed = np.take(constants, 0, axis)
    uniform = np.array_equal(
        np.where(moved < 0, -1, columns), np.broadcast_to(np.expand_dims(first, axis), moved.shape)
    )
    same = np.broadcast_to(np.expand_dims(fixed, axis), moved.shape)[moved < 0]
    if not uniform or not np.array_equal(same, constants[moved < 0]):
        raise node.refuse("it treats the samples of a batch differently")
    columns = first.ravel().copy()
    missing = columns < 0
    columns[missing] = width + np.arange(np.count_nonzero(missing))
    arguments: list[Tensor | Array] = [*tensors, fixed.ravel()[missing]]
    return Movement(_gathering(tensors, columns, first.shape, axis), axis), arguments


def _numbered(
    node: Node,
    operands: Sequence[Tensor | Array | None],
    tensors: Sequence[Tensor],
    batch: int,
    budget: Budget,
) -> tuple[list[Array | None], list[Array | None]]:
    """The operands twice: with element numbers (-1 for constants), and with constant values."""
    width = sum(tensor.size for tensor in tensors)
    labels: list[Array | None] = []
    values: list[Array | None] = []
    start = 0
    for position, operand in enumerate(operands):
        if isinstance(operand, Tensor):
            shape = list(operand.shape)
            shape[operand.batch_axis] = batch
            budget.check(64 * prod(shape), node.label)
            rows = np.expand_dims(np.arange(batch), _other_axes(operand))
            labels.append(rows * width + operand.labels + start)
            values.append(np.zeros(shape))
            start += operand.size
        elif operand is None or position == 1:
            labels.append(operand)
            values.append(operand)
        else:
            labels.append(np.full(operand.shape, -1, dtype=np.int64))
            values.append(operand.astype(np.float64))
    return labels, values


def _other_axes(tensor: Tensor) -> tuple[int, ...]:
    """All axes except the batch axis."""
    return tuple(axis for axis in range(len(tensor.shape)) if axis != tensor.batch_axis)


def _batch_axis(node: Node, rows: IntArray, constant: Array, batch: int) -> int:
    """The axis along which the samples of a batch lie."""
    for axis, extent in enumerate(rows.shape):
        shape = [1] * rows.ndim
        shape[axis] = -1
        if extent == batch:
            expected = np.broadcast_to(np.arange(batch).reshape(shape), rows.shape)
            if bool(((rows == expected) | constant).all()):
                return axis
    raise node.refuse("it moves values between the samples of a batch")


def _gathering(
    tensors: Sequence[Tensor], chosen: IntArray, shape: tuple[int, ...], axis: int
) -> Callable[[Sequence[Array]], Array]:
    """Gathers elements `chosen` from all tensors side by side, followed by constants."""

    def arrange(arrays: Sequence[Array]) -> Array:
        parts = [
            np.moveaxis(array, tensor.batch_axis, 0).reshape(array.shape[tensor.batch_axis], -1)
            for array, tensor in zip(arrays[:-1], tensors, strict=True)
        ]
        samples = len(parts[0])
        parts.append(np.broadcast_to(arrays[-1], (samples, arrays[-1].size)))
        moved = np.concatenate(parts, axis=1)[:, chosen]
        return np.moveaxis(moved.reshape(samples, *shape), 0, axis)

    return arrange
