"""Contractions: ONNX matrix products, Einsum, sums and means over axes.

All are written as an Einsum: they broadcast arrays to a common space of axes, multiply them there,
and sum along some of the axes. A product of two arrays that both depend on the input is no
contraction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from string import ascii_lowercase, ascii_uppercase

import numpy as np

from kan_dialect.frontends.onnx.operators.dependence import (
    CONSTANT,
    LinearForm,
    Part,
    Tensor,
)
from kan_dialect.frontends.onnx.read.file import Budget
from kan_dialect.frontends.onnx.read.graph import Node
from kan_dialect.ir.constants import Array, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Contraction:
    """sum over `summed` of data * weights, both broadcast to a common space.

    Attributes
    ----------
    labels : elements of the operand (one sample), broadcast to the space.
    weights : the constants, broadcast likewise.
    summed : axes of the space that are summed.
    shape : of the result, for one sample.
    batch_axis : of the result.
    """

    data: Tensor
    labels: IntArray
    weights: FloatArray
    summed: tuple[int, ...]
    shape: tuple[int, ...]
    batch_axis: int

    def variables(self) -> tuple[IntArray, bool]:
        """The variable of each element of the result, and whether an element depends on several."""
        spread = self.data.variables.ravel()[self.labels]
        highest = spread.max(axis=self.summed)
        unset = np.iinfo(np.int64).max
        lowest = np.where(spread == CONSTANT, unset, spread).min(axis=self.summed)
        mixed = bool(((lowest != highest) & (highest != CONSTANT)).any())
        return highest.reshape(self.shape), mixed

    def linear(self) -> LinearForm:
        """The linear form, which takes three times the memory of the weights."""
        space = self.labels.shape
        kept = tuple(1 if axis in self.summed else extent for axis, extent in enumerate(space))
        rows = np.broadcast_to(np.arange(prod(kept)).reshape(kept), space)
        # Rows must ascend: the summed axes come last.
        order = [axis for axis in range(len(space)) if axis not in self.summed] + list(self.summed)
        rows = rows.transpose(order).ravel()
        columns, factors = self.labels.transpose(order), self.weights.transpose(order)
        return LinearForm([Part(self.data, rows, columns.ravel(), factors.ravel())])


def one_sample(array: Array, axis: int, node: Node) -> Array:
    """A constant with extent 1 along the batch; `axis` is negative.

    Raises
    ------
    Unrecognised : the constant differs between samples.
    """
    if array.ndim < -axis or array.shape[axis] == 1:
        return array
    first = np.take(array, [0], axis)
    if not np.array_equal(
        np.broadcast_to(first, array.shape), array, equal_nan=array.dtype.kind == "f"
    ):
        raise node.refuse(
            "a constant differs from sample to sample of the batch",
            "export the model so that every sample is treated alike",
        )
    return first


def contraction(
    node: Node,
    terms: Sequence[str],
    output: str,
    arguments: Sequence[Tensor | Array],
    budget: Budget,
    *,
    factor: float = 1.0,
    one_batch: bool = False,
) -> Contraction:
    """The contraction of an Einsum of one tensor and any number of constants.

    Parameters
    ----------
    terms, output : labels of the axes of each argument, and of the result; a label of the result
        only is an axis of extent 1.
    factor : multiplies the result.
    one_batch : whether the file's operator works on one sample: `terms` lack the tensor's batch.
    """
    position = next(index for index, each in enumerate(arguments) if isinstance(each, Tensor))
    data = arguments[position]
    assert isinstance(data, Tensor)
    term = terms[position]
    if one_batch:
        free = next(each for each in ascii_uppercase if each not in "".join(terms))
        term, output = free + term, free + output
    summed = "".join(sorted(set(term).union(*terms) - set(output)))
    space = output + summed
    batch = term[data.batch_axis]
    if batch in summed:
        raise node.refuse("it adds up the samples of a batch")
    weights = np.full((1,) * len(space), factor)
    for labels, argument in zip(terms, arguments, strict=True):
        if isinstance(argument, Tensor):
            continue
        if batch in labels:
            argument = one_sample(argument, labels.index(batch) - len(labels), node)
        spread = _spread(argument.astype(np.float64), labels, space)
        budget.check(8 * prod(np.broadcast_shapes(weights.shape, spread.shape)), node.label)
        weights = weights * spread
    labels = _spread(data.labels, term, space)
    extents = np.broadcast_shapes(labels.shape, weights.shape)
    budget.check(40 * prod(extents), node.label)
    return Contraction(
        data=data,
        labels=np.broadcast_to(labels, extents),
        weights=np.broadcast_to(weights, extents),
        summed=tuple(range(len(output), len(space))),
        shape=extents[: len(output)],
        batch_axis=output.index(batch),
    )


def matrix_terms(first: int, second: int) -> tuple[list[str], str]:
    """Labels of the operands of a MatMul with these numbers of axes, and of its result."""
    leads = ascii_lowercase[: max(first, second, 2) - 2]
    one, other = (leads[max(0, len(leads) + 2 - rank) :] for rank in (first, second))
    rows, columns = "y" if first > 1 else "", "z" if second > 1 else ""
    return [f"{one}{rows}x", f"{other}x{columns}"], f"{leads}{rows}{columns}"


def _spread(array: Array, term: str, space: str) -> Array:
    """An array with axes labelled `term`, transposed and reshaped to the axes `space`."""
    order = sorted(range(len(term)), key=lambda axis: space.index(term[axis]))
    moved = array.transpose(order)
    shape = [1] * len(space)
    for axis, extent in zip(order, moved.shape, strict=True):
        shape[space.index(term[axis])] = extent
    return moved.reshape(shape)
