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
    run : computes the value from those of `operands`, for any number of samples.
    variables : int64, the variable of each element, or CONSTANT; extent 1 at `batch_axis`.
    linear : the linear form in `operands`; None for the input and a FUNCTION.
    source : set if the elements are variables of their own.
    """

    order: int
    name: str
    node: Node | None
    kind: Kind
    arguments: tuple[Tensor | Array, ...]
    run: Run
    batch_axis: int
    variables: IntArray
    linear: Callable[[], LinearForm] | None = None
    source: Source | None = None

    @property
    def operands(self) -> list[Tensor]:
        return [argument for argument in self.arguments if isinstance(argument, Tensor)]

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
