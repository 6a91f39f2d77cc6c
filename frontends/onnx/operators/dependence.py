"""Describes values that depend on the input: which variable each element is a function of.

Arrays have the value's shape, with extent 1 along the batch. Each element is a constant, or a
function of one *variable*. Where an op adds up functions of several variables, the element becomes
a new variable: a node of the network, once a nonlinear op reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

import numpy as np

from kan_dialect.frontends.onnx.read.graph import Node
from kan_dialect.ir.constants import Array, FloatArray, IntArray

CONSTANT = -1
"""In `Tensor.variables`: the element is constant."""

Run: TypeAlias = Callable[[Sequence[Array]], Array]


class Kind(Enum):
    """How a tensor is computed from its operands."""

    INPUT = auto()
    """The graph's input."""
    MOVEMENT = auto()
    """Each element is an element of an operand, or a constant."""
    AFFINE = auto()
    """Each element is a constant plus constant multiples of one element of each operand."""
    CONTRACTION = auto()
    """Each element is a weighted sum of elements of one operand."""
    FUNCTION = auto()
    """Each element is a nonlinear function of one element of each operand."""


@dataclass(frozen=True, eq=False)
class Part:
    """One operand's part of a linear tensor: element rows[k] += factors[k] * columns[k].

    Attributes
    ----------
    rows : elements of the tensor, ascending; None for all elements once.
    columns : elements of the operand.
    factors : None for 1.
    """

    operand: Tensor
    rows: IntArray | None
    columns: IntArray
    factors: FloatArray | None


@dataclass(frozen=True, eq=False)
class LinearForm:
    """A tensor as a linear combination of its operands plus `offset` (elements)."""

    parts: Sequence[Part]
    offset: FloatArray | None = None

    def apply(self, values: Sequence[Array], size: int) -> Array:
        """Values (samples, size) from those (samples, elements) of the operand of each part."""
        moves = self.offset is None and all(part.factors is None for part in self.parts)
        kind = np.result_type(*values) if moves else np.dtype(np.float64)
        total = np.zeros((len(values[0]), size), kind)
        if self.offset is not None:
            total += self.offset
        for part, value in zip(self.parts, values, strict=True):
            read = value[:, part.columns]
            terms = read if part.factors is None else read * part.factors
            if part.rows is None:
                total += terms
            else:
                np.add.at(total.T, part.rows, terms.T)
        return total


@dataclass(eq=False)
class Source:
    """A tensor whose elements are the variables `first`, `first + 1`, ...

    Attributes
    ----------
    needed : whether it is the input, or must become the nodes of a layer.
    """

    tensor: Tensor
    first: int
    needed: bool = False

    @property
    def count(self) -> int:
        return self.tensor.size


@dataclass(eq=False)
class Tensor:
    """A value that depends on the input.

    Attributes
    ----------
    order : position in an order in which tensors can be computed.
    node : the op that computes it; None for the input.
    arguments : operands and constants, aligned so that they broadcast against each other.
    variables : int64, the variable of each element, or CONSTANT; extent 1 at `batch_axis`.
    linear : the linear form in `operands`; None for the input and a FUNCTION.
    run : computes a FUNCTION from its arguments, for any number of samples.
    source : set if the elements are variables of their own.
    """

    order: int
    name: str
    node: Node | None
    kind: Kind
    arguments: tuple[Tensor | Array, ...]
    batch_axis: int
    variables: IntArray
    linear: Callable[[], LinearForm] | None = None
    run: Run | None = None
    source: Source | None = None

    @property
    def op(self) -> Node:
        """The op that computes it, which only the input lacks."""
        assert self.node is not None
        return self.node

    @property
    def is_root(self) -> bool:
        """Whether its elements are inputs or nodes of the network."""
        return self.source is not None and self.source.needed

    @property
    def operands(self) -> list[Tensor]:
        return [argument for argument in self.arguments if isinstance(argument, Tensor)]

    def evaluate(self, operands: Sequence[Array]) -> Array:
        """Values (samples, elements) from those of the operands."""
        if self.linear is not None:
            return self.linear().apply(operands, self.size)
        assert self.run is not None
        given = iter(operands)
        found = self.run(
            [
                each.spread(next(given)) if isinstance(each, Tensor) else _widest(each)
                for each in self.arguments
            ]
        )
        moved = np.moveaxis(found, self.batch_axis, 0)
        return moved.reshape(len(moved), self.size)

    def spread(self, values: Array) -> Array:
        """Values (samples, elements) in the tensor's own axes."""
        shape = [extent for axis, extent in enumerate(self.shape) if axis != self.batch_axis]
        return np.moveaxis(values.reshape(len(values), *shape), 0, self.batch_axis)

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents, with 1 for the batch."""
        return self.variables.shape

    @property
    def size(self) -> int:
        """Number of elements of one sample."""
        return self.variables.size

    @property
    def labels(self) -> IntArray:
        """Indices of the elements, in the tensor's shape."""
        return np.arange(self.size, dtype=np.int64).reshape(self.shape)

    def elements_of(self, operand: Tensor) -> IntArray:
        """Index of the element of `operand` that each element of an AFFINE or a FUNCTION reads."""
        return np.broadcast_to(operand.labels, self.shape).ravel()


def _widest(constant: Array) -> Array:
    """A constant in the type that tensors of its kind are evaluated in."""
    wide = {"f": np.float64, "i": np.int64, "u": np.int64}
    return constant.astype(wide.get(constant.dtype.kind, constant.dtype))
