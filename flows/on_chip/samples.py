"""Samples that a network trains on: codes of a data file, or random ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray
from kan_dialect.ir.types import tensor_shape
from kan_dialect.model.on_chip.training_step import Step
from kan_dialect.ops.grid import LocateOp
from kan_dialect.quantity import quantity


class Samples(NamedTuple):
    """Samples of a run of training, in their order."""

    inputs: IntArray
    """Codes, (samples, in), int64."""
    targets: IntArray
    """Codes, (samples, out), int64."""
    train: BoolArray
    """Whether a sample trains, (samples), bool."""

    def first(self, count: int) -> Samples:
        """The first `count` samples."""
        return Samples(self.inputs[:count], self.targets[:count], self.train[:count])


def random_samples(step: Step, count: int, seed: int) -> Samples:
    """Random samples of a run of training.

    They also lie outside the grid, and a tenth of them does not train.
    """
    rng = np.random.default_rng(seed)
    first = next(op for op in step.function.body.block.ops if isinstance(op, LocateOp))
    low, high = first.ends[:, 0], first.ends[:, 1]
    margin = (high - low) / 8
    x = rng.uniform(low - margin, high + margin, (count, len(low)))
    y = rng.uniform(-1, 1, (count, tensor_shape(step.target)[0]))
    train = rng.random(count) < 0.9
    return Samples(step.encode(x), step.encode_targets(y), train)


def samples_of(step: Step, dataset: Dataset) -> Samples:
    """The samples of a data file, which all train.

    Raises
    ------
    KanError : the data has no targets, or does not fit the network.
    """
    inputs, targets = tensor_shape(step.input)[0], targets_of(step, dataset)
    if dataset.x.shape[1] != inputs:
        raise KanError(f"the data has {dataset.x.shape[1]} inputs a sample, @{step.name} {inputs}")
    train = np.ones(len(dataset.x), dtype=np.bool_)
    return Samples(step.encode(dataset.x), step.encode_targets(targets), train)


def targets_of(step: Step, dataset: Dataset) -> FloatArray:
    """Targets of the outputs, (samples, outputs), float64.

    For several outputs, integer labels are classes: the target is 1 for the output of the class and
    0 for the others. Floats, and labels of a single output, are the targets themselves.

    Raises
    ------
    KanError : the data has no targets, or they do not fit the network.
    """
    outputs = tensor_shape(step.target)[0]
    if dataset.y is None:
        raise KanError("the data has no targets", remedy="give an array `y` beside `x`")
    y = dataset.y.reshape(len(dataset.x), -1)
    if has_classes(step, dataset):
        if step.fed_error:
            raise KanError(
                f"the data has classes, but @{step.name} takes errors",
                remedy="build with the squared error, or give the errors as floats",
            )
        wrong = np.flatnonzero((y[:, 0] < 0) | (y[:, 0] >= outputs))
        if wrong.size:
            raise KanError(
                f"label {wrong[0]} of the data is {y[wrong[0], 0]}, @{step.name} has {outputs} "
                "outputs",
                remedy=f"classes are 0 to {outputs - 1}; give numeric targets as floats",
            )
        return np.eye(outputs)[y[:, 0].astype(np.int64)]
    if y.shape[1] != outputs:
        raise KanError(
            f"the data has {quantity(y.shape[1], 'target')} a sample, "
            f"@{step.name} {quantity(outputs, 'output')}"
        )
    return y.astype(np.float64)


def has_classes(step: Step, dataset: Dataset) -> bool:
    """Whether the labels are classes: integers, one a sample, for several outputs."""
    y, outputs = dataset.y, tensor_shape(step.target)[0]
    return y is not None and y.dtype.kind != "f" and outputs > 1 and y.size == len(dataset.x)
