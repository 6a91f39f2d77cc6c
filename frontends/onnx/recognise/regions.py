"""Regions: the subgraph between a layer's inputs and a tensor that depends on them one by one.

A *bottleneck* is a tensor through which every path leads, with one element for each input: the
batch norm before a spline, the tanh before Chebyshev polynomials. Functions of a bottleneck can be
evaluated on any points, whatever their form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kan_dialect.frontends.onnx.operators.dependence import CONSTANT, Kind, Tensor
from kan_dialect.ir.constants import Array, FloatArray, IntArray

CHUNK_ELEMENTS = 1 << 22
"""Most elements of all tensors of a region for the samples that are evaluated at once."""

MAX_BOTTLENECKS = 16
"""Most bottlenecks of a tensor that are tried, the nearest first."""

MAX_EVALUATIONS = 500_000
"""Most evaluations of ops for one model; B-spline layers take thousands."""


@dataclass(eq=False)
class Probe:
    """Tolerance and remaining evaluations for probing the functions of one model.

    Attributes
    ----------
    slack : factor of all tolerances; 1 for float32.
    left : evaluations of ops that remain.
    """

    slack: float = 1.0
    left: int = MAX_EVALUATIONS

    def spend(self, count: int, top: Tensor) -> None:
        """Count evaluations for probing `top`.

        Raises
        ------
        Unrecognised : no evaluations remain.
        """
        self.left -= count
        if self.left < 0:
            raise top.op.refuse(
                "the functions of the edges are too long to be recognised",
                "export the layers with plain arithmetic, comparisons and matrix products",
            )


@dataclass(frozen=True, eq=False)
class Region:
    """`top` and the tensors that it is computed from, down to nodes and inputs.

    Attributes
    ----------
    tensors : in order, `top` last.
    """

    top: Tensor
    tensors: list[Tensor]
    probe: Probe

    def bottlenecks(self) -> list[Tensor]:
        """The bottlenecks below `top`, nearest first."""
        place = {tensor: index for index, tensor in enumerate(self.tensors)}
        farthest = [0] * len(self.tensors)
        for index, tensor in enumerate(self.tensors):
            if not tensor.is_root:
                for operand in tensor.operands:
                    farthest[place[operand]] = index
        roots = [index for index, tensor in enumerate(self.tensors) if tensor.is_root]
        reach = max(roots, default=0)
        found: list[Tensor] = []
        for index, tensor in enumerate(self.tensors[:-1]):
            # No tensor before this position is read after it.
            if reach <= index and self._fits(tensor):
                found.append(tensor)
            reach = max(reach, farthest[index])
        return found[: -MAX_BOTTLENECKS - 1 : -1]

    def _fits(self, tensor: Tensor) -> bool:
        if tensor.kind is Kind.MOVEMENT and len(tensor.arguments) == 1:
            return False  # Its operand serves as well.
        variables = tensor.variables.ravel()
        return (
            not bool((variables == CONSTANT).any())
            and np.unique(variables).size == variables.size
            and bool(np.isin(self.top.variables[self.top.variables != CONSTANT], variables).all())
        )

    def above(self, bottleneck: Tensor) -> list[Tensor]:
        """The tensors after `bottleneck`, in order."""
        return [tensor for tensor in self.tensors if tensor.order > bottleneck.order]

    def evaluate(self, bottleneck: Tensor, points: FloatArray) -> FloatArray:
        """Evaluate `top` for given values of a bottleneck.

        Parameters
        ----------
        points : (samples, elements of the bottleneck)

        Returns
        -------
        (samples, elements of the top), float64.
        """
        above = self.above(bottleneck)
        self.probe.spend(len(above), self.top)
        chunk = max(1, CHUNK_ELEMENTS // sum(tensor.size for tensor in (bottleneck, *above)))
        parts: list[FloatArray] = []
        for start in range(0, len(points), chunk):
            values: dict[Tensor, Array] = {bottleneck: points[start : start + chunk]}
            for tensor in above:
                values[tensor] = _evaluate(tensor, [values[each] for each in tensor.operands])
            parts.append(values[self.top].astype(np.float64))
        return np.concatenate(parts)


def region_of(top: Tensor, probe: Probe) -> Region:
    """The region below `top`."""
    seen = {top}
    stack = [top]
    while stack:
        tensor = stack.pop()
        if tensor is not top and tensor.is_root:
            continue
        for operand in tensor.operands:
            if operand not in seen:
                seen.add(operand)
                stack.append(operand)
    probe.spend(len(seen), top)
    return Region(top, sorted(seen, key=lambda tensor: tensor.order), probe)


def columns_of(tensor: Tensor, bottleneck: Tensor) -> IntArray:
    """Element of `bottleneck` on which each element of `tensor` depends, or CONSTANT."""
    variables = bottleneck.variables.ravel()
    order = np.argsort(variables)
    wanted = tensor.variables.ravel()
    place = np.minimum(np.searchsorted(variables, wanted, sorter=order), order.size - 1)
    columns = order[place]
    return np.where(variables[columns] == wanted, columns, CONSTANT)


def with_neighbours(columns: IntArray, shape: tuple[int, ...]) -> IntArray:
    """Assign constant elements to the input of their neighbours, if those share one.

    The constant polynomial of a basis belongs to an input although it does not depend on it.

    Parameters
    ----------
    columns : as from `columns_of`.
    shape : of the tensor.
    """
    if not bool((columns == CONSTANT).any()):
        return columns
    spread = columns.reshape(shape)
    for axis in range(len(shape)):
        highest = spread.max(axis=axis, keepdims=True)
        alike = (spread == highest) | (spread == CONSTANT)
        if bool(alike.all()) and bool((highest != CONSTANT).all()):
            return np.broadcast_to(highest, shape).ravel()
    return columns


def _evaluate(tensor: Tensor, operands: list[Array]) -> Array:
    try:
        return tensor.evaluate(operands)
    except (ValueError, IndexError, TypeError, RuntimeError) as error:
        # The message names the mismatch, such as a difference of truth values.
        raise tensor.op.misfit(error) from None
