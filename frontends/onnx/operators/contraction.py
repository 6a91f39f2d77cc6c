"""Contractions: ONNX matrix products, Einsum, sums and means over axes.

All broadcast two arrays to a common space of axes, multiply them there, and sum along some of the
axes. A product of two arrays that both depend on the input is no contraction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from string import ascii_letters

import numpy as np

from kan_dialect.frontends.onnx.operators.dependence import (
    CONSTANT,
    LinearForm,
    Part,
    Run,
    Tensor,
)
from kan_dialect.frontends.onnx.read.file import Budget
from kan_dialect.frontends.onnx.read.graph import Node
from kan_dialect.ir.constants import Array, FloatArray, IntArray

View = Callable[[Array], Array]


@dataclass(frozen=True)
class Contraction:
    """sum over `summed` of data * weights, both broadcast to a common space.

    Attributes
    ----------
    data_view : broadcasts the operand's array (one sample) to the space's axes.
    weights : the constants, broadcast likewise.
    summed : axes of the space that are summed.
    shape : of the result, for one sample.
    batch_axis : of the result.
    run : computes the result for any number of samples.
    """

    data: Tensor
    data_view: View
    weights: FloatArray
    summed: tuple[int, ...]
    shape: tuple[int, ...]
    batch_axis: int
    run: Run

    def space(self) -> tuple[int, ...]:
        """Extents of the common space, for one sample."""
        return np.broadcast_shapes(self.data_view(self.data.labels).shape, self.weights.shape)

    def variables(self, budget: Budget, node: Node) -> tuple[IntArray, bool]:
        """The variable of each element of the result, and whether an element depends on several."""
        space = self.space()
        budget.check(40 * prod(space), node.label)
        spread = np.broadcast_to(self.data_view(self.data.variables), space)
        highest = spread.max(axis=self.summed)
        unset = np.iinfo(np.int64).max
        lowest = np.where(spread == CONSTANT, unset, spread).min(axis=self.summed)
        mixed = bool(((lowest != highest) & (highest != CONSTANT)).any())
        return highest.reshape(self.shape), mixed

    def linear(self) -> LinearForm:
        space = self.space()
        kept = tuple(1 if axis in self.summed else extent for axis, extent in enumerate(space))
        rows = np.broadcast_to(np.arange(prod(kept)).reshape(kept), space)
        columns = np.broadcast_to(self.data_view(self.data.labels), space)
        factors = np.broadcast_to(self.weights, space)
        # Rows must ascend: the summed axes come last.
        order = [axis for axis in range(len(space)) if axis not in self.summed] + list(self.summed)
        part = Part(
            self.data,
            rows.transpose(order).ravel(),
            columns.transpose(order).ravel(),
            factors.transpose(order).ravel(),
        )
        return LinearForm([part])


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


def matrix_product(node: Node, arguments: Sequence[Tensor | Array]) -> Contraction:
    """The contraction of a MatMul of one tensor and one constant, in either order."""
    first, second = arguments
    data, constant = (first, second) if isinstance(first, Tensor) else (second, first)
    assert isinstance(data, Tensor) and isinstance(constant, np.ndarray)
    if constant.ndim == 0 or len(data.shape) == 1:
        raise node.refuse("a matrix product with a scalar, or over the batch")
    data_first = data is first
    extents = data.shape[-1 if data_first else -2], constant.shape[-1]
    if data_first:
        extents = data.shape[-1], constant.shape[max(-2, -constant.ndim)]
    if extents[0] != extents[1]:
        raise node.refuse(f"a product over {extents[0]} and {extents[1]} values")
    weights = constant.astype(np.float64)
    if constant.ndim == 1:
        weights = weights[:, np.newaxis] if data_first else weights[np.newaxis, :]
    # The space has the axes (..., rows, inner, columns).
    new_axis = -1 if data_first else -3
    batch = data.batch_axis - len(data.shape)
    inner = -1 if data_first else -2
    if batch == inner:
        raise node.refuse("it adds up the samples of a batch")
    if batch < -2 or data_first:
        batch -= 1
    weights = np.expand_dims(weights, -3 if data_first else -1)
    weights = one_sample(weights, batch, node)
    space = np.broadcast_shapes(np.expand_dims(data.labels, new_axis).shape, weights.shape)
    shape = [*space[:-2], space[-1]]
    batch_axis = len(space) + batch - (1 if batch > -2 else 0)
    if constant.ndim == 1:
        squeezed = len(shape) - (1 if data_first else 2)
        shape.pop(squeezed)
        batch_axis -= squeezed < batch_axis

    def run(values: Sequence[Array]) -> Array:
        return np.matmul(values[0], constant) if data_first else np.matmul(constant, values[0])

    return Contraction(
        data=data,
        data_view=lambda array: np.expand_dims(array, new_axis),
        weights=weights,
        summed=(len(space) - 2,),
        shape=tuple(shape),
        batch_axis=batch_axis,
        run=run,
    )


def einsum_terms(node: Node, ranks: Sequence[int]) -> tuple[list[str], str]:
    """Labels of each operand and of the result of an Einsum, with ellipses expanded.

    Parameters
    ----------
    ranks : number of axes of each operand.
    """
    equation = node.text("equation", "").replace(" ", "")
    left, arrow, output = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise node.refuse(f"'{equation}' does not fit {len(ranks)} operands")
    free = [letter for letter in ascii_letters if letter not in equation]
    longest = ""
    for index, (term, rank) in enumerate(zip(terms, ranks, strict=True)):
        missing = rank - len(term.replace("...", ""))
        if missing < 0 or (missing > 0 and "..." not in term) or missing > len(free):
            raise node.refuse(f"'{equation}' does not fit operand {index} of {rank} axes")
        extra = "".join(free[:missing][::-1])
        longest = max(longest, extra, key=len)
        terms[index] = term.replace("...", extra)
    if not arrow:
        letters = "".join(terms)
        output = longest + "".join(
            sorted(
                each for each in set(letters) if letters.count(each) == 1 and each not in longest
            )
        )
    output = output.replace("...", longest)
    labels = [*terms, output]
    if not all((each.isalpha() and each.isascii()) or not each for each in labels):
        raise node.refuse(f"'{equation}' is not understood")
    if any(len(set(each)) < len(each) for each in labels) or set(output) - set("".join(terms)):
        raise node.refuse(f"'{equation}' takes a diagonal or invents an axis")
    return terms, output


def einsum(node: Node, arguments: Sequence[Tensor | Array], budget: Budget) -> Contraction:
    """The contraction of an Einsum of one tensor and any number of constants."""
    ranks = [len(argument.shape) for argument in arguments]
    terms, output = einsum_terms(node, ranks)
    summed = "".join(sorted(set("".join(terms)) - set(output)))
    space = output + summed
    position = next(index for index, each in enumerate(arguments) if isinstance(each, Tensor))
    data = arguments[position]
    assert isinstance(data, Tensor)
    batch = terms[position][data.batch_axis]
    if batch in summed:
        raise node.refuse("it adds up the samples of a batch")
    constants: list[Array] = []
    weights = np.ones((1,) * len(space))
    for term, argument in zip(terms, arguments, strict=True):
        if isinstance(argument, Tensor):
            continue
        if batch in term:
            argument = one_sample(argument, term.index(batch) - len(term), node)
        constants.append(argument)
        factor = _spread(argument.astype(np.float64), term, space)
        budget.check(8 * prod(np.broadcast_shapes(weights.shape, factor.shape)), node.label)
        weights = weights * factor
    spread_shape = _spread(data.labels, terms[position], space).shape
    extents = np.broadcast_shapes(spread_shape, weights.shape)

    def run(values: Sequence[Array]) -> Array:
        operands = [*constants[:position], values[0], *constants[position:]]
        return np.einsum(f"{','.join(terms)}->{output}", *operands)

    return Contraction(
        data=data,
        data_view=lambda array: _spread(array, terms[position], space),
        weights=weights,
        summed=tuple(range(len(output), len(space))),
        shape=extents[: len(output)],
        batch_axis=output.index(batch),
        run=run,
    )


def _spread(array: Array, term: str, space: str) -> Array:
    """An array with axes labelled `term`, transposed and reshaped to the axes `space`."""
    order = sorted(range(len(term)), key=lambda axis: space.index(term[axis]))
    moved = array.transpose(order)
    shape = [1] * len(space)
    for axis, extent in zip(order, moved.shape, strict=True):
        shape[space.index(term[axis])] = extent
    return moved.reshape(shape)


def reduction(
    node: Node, data: Tensor, axes: Sequence[int], *, keep: bool, mean: bool
) -> Contraction:
    """The contraction of a sum or mean over `axes`, which are not negative."""
    if data.batch_axis in axes:
        raise node.refuse("it adds up the samples of a batch")
    summed = tuple(sorted(set(axes)))
    shape = [
        1 if axis in summed else extent
        for axis, extent in enumerate(data.shape)
        if keep or axis not in summed
    ]
    count = prod(data.shape[axis] for axis in summed)
    weight = 1.0 / count if mean else 1.0

    def run(values: Sequence[Array]) -> Array:
        total = values[0].sum(axis=summed, keepdims=keep)
        return np.asarray(total * weight if mean else total)

    shift = 0 if keep else sum(axis < data.batch_axis for axis in summed)
    return Contraction(
        data=data,
        data_view=lambda array: array,
        weights=np.full((1,) * len(data.shape), weight),
        summed=summed,
        shape=tuple(shape),
        batch_axis=data.batch_axis - shift,
        run=run,
    )
