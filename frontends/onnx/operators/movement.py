"""Movement operators of ONNX: reshape, transpose, slice, gather, concatenate, scatter, ...

The operator is run once on the numbered elements of a whole batch. If it does the same to all
samples, the movement of one sample follows. Indices may thus include the batch (PyTorch writes
`t[:, :, 1] = x` so).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx
from onnx import helper

from kan_dialect.evaluate.onnx_node import run_node
from kan_dialect.evaluate.onnx_subgraph import first_line
from kan_dialect.frontends.onnx.operators.dependence import CONSTANT, LinearForm, Part, Tensor
from kan_dialect.frontends.onnx.operators.inference import extents_of, infer_types
from kan_dialect.frontends.onnx.operators.refusals import UNKNOWN
from kan_dialect.frontends.onnx.read.file import MAX_NODES, Budget
from kan_dialect.frontends.onnx.read.graph import Node, Unrecognised
from kan_dialect.ir.constants import Array, BoolArray, FloatArray, IntArray

_MOVED: dict[str, Sequence[int]] = {
    **dict.fromkeys(("Expand", "Flatten", "Gather", "GatherElements"), (0,)),
    **dict.fromkeys(("GatherND", "Identity", "Reshape", "Slice", "Split", "Squeeze"), (0,)),
    **dict.fromkeys(("Tile", "Transpose", "Unsqueeze"), (0,)),
    **dict.fromkeys(("ScatterElements", "ScatterND"), (0, 2)),
    "Concat": range(MAX_NODES),
    "Where": (1, 2),
}
"""Operator -> positions of the operands that it moves."""

MOVEMENTS = _MOVED.keys() - {"Where"}
"""Operators that are movements; a Where is one if its condition is constant."""

_ANY = onnx.TensorProto.FLOAT
"""Element type that stands for any: movements take all."""

DYNAMIC_BATCH = 7
"""The extent that stands for an open batch: a prime, so that reshapes do not hide it."""


@dataclass(frozen=True, eq=False)
class Movement:
    """A result whose elements are elements of tensors, or constants.

    Attributes
    ----------
    chosen : the element of the tensors side by side that each element is, or CONSTANT; extent 1 at
        `batch_axis`.
    constants : the constants, likewise, and 0 elsewhere; None without any.
    to_floats : whether truth values and integers become floats.
    """

    tensors: Sequence[Tensor]
    chosen: IntArray
    batch_axis: int
    constants: FloatArray | None = None
    to_floats: bool = False

    @property
    def variables(self) -> IntArray:
        """The variable of each element."""
        moved = [np.array([CONSTANT]), *(each.variables.ravel() for each in self.tensors)]
        return np.concatenate(moved)[self.chosen - CONSTANT]

    @property
    def linear(self) -> LinearForm:
        chosen = self.chosen.ravel()
        parts: list[Part] = []
        first = 0
        for tensor in self.tensors:
            rows = np.flatnonzero((chosen >= first) & (chosen < first + tensor.size))
            every = rows.size == chosen.size
            factors = np.ones(rows.size) if self.to_floats else None
            parts.append(Part(tensor, None if every else rows, chosen[rows] - first, factors))
            first += tensor.size
        return LinearForm(parts, None if self.constants is None else self.constants.ravel())


def movements(
    node: Node,
    operands: Sequence[Tensor | Array | None],
    batch: int,
    opset: int,
    budget: Budget,
    *,
    one_batch: bool = False,
) -> list[Movement]:
    """The movement of each result of a node.

    Parameters
    ----------
    batch : number of samples of the file's batch.
    one_batch : whether the file's operator works on one sample: its operands lack the batch.

    Raises
    ------
    Unrecognised : what says where elements go depends on the input, or samples are treated
        differently.
    """
    moved = _MOVED[node.op_type]
    tensors: list[Tensor] = []
    for position, operand in enumerate(operands):
        if isinstance(operand, Tensor):
            if position not in moved:
                raise node.refuse("where it moves values to depends on the input", UNKNOWN[1])
            tensors.append(operand)
    if node.text("reduction", "none") != "none" or node.integer("batch_dims", 0):
        raise node.refuse("reductions and batch_dims are not supported")
    # An axis of extent 1 may be any: a larger batch shows which one it is, if that fits.
    for count in (DYNAMIC_BATCH, 1) if batch == 1 and not one_batch else (batch,):
        try:
            return _Numbered(node, tensors, count, one_batch).movements(
                operands, moved, opset, budget
            )
        except Unrecognised:
            if count == batch or one_batch:
                raise
    raise AssertionError("the last batch is the file's own")


@dataclass(frozen=True)
class _Numbered:
    """Runs a node on numbered elements of a batch: sample * width + element, constants behind."""

    node: Node
    tensors: Sequence[Tensor]
    batch: int
    one_batch: bool

    @property
    def width(self) -> int:
        return sum(tensor.size for tensor in self.tensors)

    @property
    def first_constant(self) -> int:
        return self.width * (1 if self.one_batch else self.batch)

    def movements(
        self,
        operands: Sequence[Tensor | Array | None],
        moved: Sequence[int],
        opset: int,
        budget: Budget,
    ) -> list[Movement]:
        self._check_size(operands, moved, opset, budget)
        numbers: list[Array | None] = []
        constants: list[Array] = [np.zeros(1)]
        start, count = 0, self.first_constant
        for position, operand in enumerate(operands):
            if isinstance(operand, Tensor):
                numbers.append(self._numbers(operand) + start)
                start += operand.size
            elif operand is None or position not in moved:
                numbers.append(operand)
            else:
                numbers.append(np.arange(count, count + operand.size).reshape(operand.shape))
                constants.append(operand.ravel().astype(np.float64))
                count += operand.size
        try:
            results = run_node(self.node.proto, opset, numbers)
        except Exception as error:  # The reference implementation raises errors of many types.
            raise self._misfit(operands, first_line(error)) from None
        held = np.concatenate(constants)
        return [self._movement(each, held) for each in results]

    def _misfit(self, operands: Sequence[Tensor | Array | None], reason: str) -> Unrecognised:
        """The error that the operands do not fit, with the batch in place of its extent."""
        (first, *_), target = self.tensors, operands[-1]
        extents = [
            "batch" if axis == first.batch_axis else str(each)
            for axis, each in enumerate(first.shape)
        ]
        if self.node.op_type == "Reshape" and isinstance(target, np.ndarray):
            reason = f"cannot reshape [{', '.join(extents)}] to {target.tolist()}"
        return self.node.refuse(
            f"its operands do not fit it: {reason}",
            "export the model so that it takes any batch size (x.shape[0], not a number)",
        )

    def _shape(self, tensor: Tensor) -> tuple[int, ...]:
        """Extents of an operand in the file."""
        shape = list(tensor.shape)
        shape[tensor.batch_axis : tensor.batch_axis + 1] = [] if self.one_batch else [self.batch]
        return tuple(shape)

    def _numbers(self, tensor: Tensor) -> IntArray:
        if self.one_batch:
            return tensor.labels.reshape(self._shape(tensor))
        others = tuple(axis for axis in range(len(tensor.shape)) if axis != tensor.batch_axis)
        return np.expand_dims(np.arange(self.batch), others) * self.width + tensor.labels

    def _check_size(
        self,
        operands: Sequence[Tensor | Array | None],
        moved: Sequence[int],
        opset: int,
        budget: Budget,
    ) -> None:
        given: dict[str, Array | onnx.TypeProto] = {}
        for position, (name, operand) in enumerate(zip(self.node.inputs, operands, strict=True)):
            if isinstance(operand, Tensor):
                given[name] = helper.make_tensor_type_proto(_ANY, self._shape(operand))
            elif operand is not None and position in moved:
                given[name] = helper.make_tensor_type_proto(_ANY, operand.shape)
            elif operand is not None:
                given[name] = operand
        for found in infer_types(self.node, opset, given).values():
            extents = extents_of(found)
            if extents is None:
                raise self.node.refuse("the extents of its result are not known")
            budget.check(64 * prod(extents), self.node.label)

    def _movement(self, numbers: IntArray, held: FloatArray) -> Movement:
        """The movement from the numbers of a result's elements; `held` are 0 and the constants."""
        if self.one_batch:
            numbers = numbers[np.newaxis]
        fixed = numbers >= self.first_constant
        values = held[np.where(fixed, numbers - self.first_constant + 1, 0)]
        samples, columns = np.divmod(numbers, self.width)
        axis = 0 if self.one_batch else self._batch_axis(samples, fixed)
        columns = np.where(fixed, CONSTANT, columns)
        chosen, constants = np.take(columns, [0], axis), np.take(values, [0], axis)
        pairs = (columns, chosen), (values, constants)
        if not all(
            np.array_equal(np.broadcast_to(first, every.shape), every, equal_nan=True)
            for every, first in pairs
        ):
            raise self.node.refuse("it treats the samples of a batch differently")
        return Movement(self.tensors, chosen, axis, constants if fixed.any() else None)

    def _batch_axis(self, samples: IntArray, fixed: BoolArray) -> int:
        """The axis along which the samples of a batch lie."""
        for axis, extent in enumerate(samples.shape):
            shape = [1] * samples.ndim
            shape[axis] = -1
            if extent == self.batch:
                number: IntArray = np.arange(extent, dtype=np.int64).reshape(shape)
                expected = np.broadcast_to(number, samples.shape)
                if bool(((samples == expected) | fixed).all()):
                    return axis
        raise self.node.refuse(
            "it moves values between the samples of a batch",
            "export the model so that the batch stays a dimension of its own",
        )
