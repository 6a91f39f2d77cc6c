"""Simulates a run of training: the error over time and the learnt functions."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.files.atomic import write_atomically
from kan_dialect.files.data_sets import Dataset
from kan_dialect.flows.on_chip.samples import samples_of, targets_of
from kan_dialect.flows.on_chip.simulation import TrainingVerdict, compare_training, open_circuit
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.ir.types import tensor_shape
from kan_dialect.model.on_chip.training_step import Step, infer
from kan_dialect.ops.grid import LocateOp

CURVE_POINTS = 400
"""Number of points of each learnt function."""


@dataclass(frozen=True)
class Course:
    """The course of a run of training."""

    verdict: TrainingVerdict
    squared_error: FloatArray
    """Error of each sample before its update, summed over the outputs: (samples), float64."""
    states: list[Array]
    """The final coefficients of each layer: (out, in, coefficients), int64."""

    def mean_error(self, window: int) -> FloatArray:
        """Moving average of the error over `window` samples: (samples - window + 1), float64."""
        sums = np.cumsum(np.concatenate([[0.0], self.squared_error]))
        return (sums[window:] - sums[:-window]) / window


def simulate_training(rtl: Path, step: Step, dataset: Dataset) -> Course:
    """Train the RTL on a data file's samples in their order, beside the integer model.

    Raises
    ------
    KanError : the data does not fit the network, the network takes errors instead of targets, the
        simulation fails, or the RTL differs from the integer model.
    """
    if step.fed_error:
        raise KanError(
            f"@{step.name} takes errors, which depend on its outputs and cannot come from a file",
            remedy="build it with the squared error, or drive it from Python (TrainingCircuit)",
        )
    samples = samples_of(step, dataset)
    with open_circuit(rtl, step) as circuit:
        verdict = compare_training(circuit, step, *samples)
    if not verdict.passed:
        raise KanError(f"the RTL differs from the integer model: {verdict.describe()}")
    errors = ((step.decode(verdict.model.outputs) - targets_of(step, dataset)) ** 2).sum(axis=1)
    return Course(verdict, errors, verdict.model.states)


def learnt_curves(step: Step, states: list[Array]) -> tuple[FloatArray, FloatArray]:
    """The learnt function of each input, with the other inputs in the middle of their grids.

    Returns
    -------
    x : (in, points), float64.
    y : (in, points, out), float64.
    """
    first = next(op for op in step.function.body.block.ops if isinstance(op, LocateOp))
    low, high = first.ends[:, 0], first.ends[:, 1]
    inputs = tensor_shape(step.input)[0]
    x = np.linspace(low, high, CURVE_POINTS, endpoint=False).T
    curves: list[FloatArray] = []
    for index in range(inputs):
        points = np.tile((low + high) / 2, (CURVE_POINTS, 1))
        points[:, index] = x[index]
        curves.append(step.decode(infer(step, step.encode(points), states)))
    return x, np.stack(curves)


def plot_training(path: Path, step: Step, course: Course, dataset: Dataset, window: int) -> None:
    """Draw the error over time, and the learnt functions beside the last samples.

    Parameters
    ----------
    path : of the picture; its extension is the format.
    window : number of samples of the moving average.

    Raises
    ------
    KanError : matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise KanError(
            "--plot needs matplotlib", remedy="pip install matplotlib, or leave --plot out"
        ) from None
    figure: Any = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    mean = course.mean_error(window)
    left.semilogy(np.arange(window, window + len(mean)), np.maximum(mean, 1e-12))
    left.set_xlabel("samples")
    left.set_ylabel(f"mean squared error over {window} samples")
    x, curves = learnt_curves(step, course.states)
    last = slice(-min(len(dataset.x), 300), None)
    for index, curve in enumerate(curves):
        for output in range(curve.shape[1]):
            right.plot(x[index], curve[:, output], label=f"y{output} over x{index}")
    if x.shape[0] == 1 and dataset.y is not None:
        targets = np.asarray(dataset.y, dtype=np.float64).reshape(len(dataset.x), -1)
        right.plot(dataset.x[last, 0], targets[last], ".", color="grey", markersize=3)
    right.set_xlabel("input")
    right.set_title("learnt")
    right.legend()
    stream = BytesIO()
    try:
        figure.savefig(stream, format=path.suffix[1:] or "png")
    except ValueError as error:
        raise KanError(f"cannot write {path}: {error}") from None
    write_atomically(path, stream.getvalue())
