"""Losses of a network's outputs, sample by sample, that the search minimises.

For classes, the cross entropy with the given network's outputs (distillation: Hinton et al., arXiv
1503.02531), since a changed decision may be a lost one. For numbers, the squared error. Either is
known for every sample as a function of one output, so the best table of an edge is found entry by
entry.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from kan_dialect.ir.constants import FloatArray, IntArray

Floats32 = NDArray[np.float32]

LEAST_TEMPERATURE = 0.2
"""Least temperature in standard deviations of the outputs: bounds it if all samples are right."""


class Objective(ABC):
    """The loss of outputs on one set of samples."""

    def __init__(self, targets: FloatArray, unit: float) -> None:
        """
        Parameters
        ----------
        targets : (outputs, samples)
        unit : factor of the last layer's sums before they are compared with targets.
        """
        self.targets: Floats32 = targets.astype(np.float32)
        self.unit = unit

    @abstractmethod
    def loss(self, sums: IntArray) -> Floats32:
        """Loss of each sample (samples) for the sums of the last layer (outputs, samples)."""

    @abstractmethod
    def along(self, sums: IntArray, output: int, steps: IntArray) -> Floats32:
        """Losses (samples, steps) with steps added to one output's sum, up to a constant."""

    def scaled(self, sums: IntArray) -> Floats32:
        return (sums * self.unit).astype(np.float32)


class Classes(Objective):
    """Cross entropy of classes; with one output, of its being above 0."""

    def loss(self, sums: IntArray) -> Floats32:
        logits = self.scaled(sums)
        if len(logits) == 1:
            return np.logaddexp(np.float32(0), logits[0]) - self.targets[0] * logits[0]
        most = logits.max(axis=0)
        total = np.log(np.exp(logits - most).sum(axis=0))
        return most + total - np.einsum("os,os->s", self.targets, logits)

    def along(self, sums: IntArray, output: int, steps: IntArray) -> Floats32:
        logits = self.scaled(sums)
        others = np.zeros(logits.shape[1], dtype=np.float32)
        if len(logits) > 1:
            rest = np.delete(logits, output, axis=0)
            most = rest.max(axis=0)
            others = most + np.log(np.exp(rest - most).sum(axis=0))
        value = logits[output][:, np.newaxis] + (steps * self.unit).astype(np.float32)
        value_or_others = np.maximum(value, others[:, np.newaxis])
        apart = np.abs(value - others[:, np.newaxis])
        return value_or_others + np.log1p(np.exp(-apart)) - self.targets[output][:, None] * value


class Targets(Objective):
    """Half the squared error, summed over outputs."""

    def loss(self, sums: IntArray) -> Floats32:
        return ((self.scaled(sums) - self.targets) ** 2).sum(axis=0) / np.float32(2)

    def along(self, sums: IntArray, output: int, steps: IntArray) -> Floats32:
        apart = self.scaled(sums)[output] - self.targets[output]
        value = apart[:, np.newaxis] + (steps * self.unit).astype(np.float32)
        return value**2 / np.float32(2)


def one_hot(labels: IntArray, outputs: int) -> FloatArray:
    """Targets (outputs, samples) of classes; with one output, 1 for class 1."""
    if outputs == 1:
        return (labels == 1).astype(np.float64)[np.newaxis]
    return (np.arange(outputs)[:, np.newaxis] == labels).astype(np.float64)


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities (outputs, samples) of classes; with one output, that of class 1."""
    if len(logits) == 1:
        return np.exp(-np.logaddexp(0.0, -logits))
    shares = np.exp(logits - logits.max(axis=0))
    return shares / shares.sum(axis=0)


def temperature(outputs: FloatArray, labels: IntArray | None) -> float:
    """The divisor that makes logits of least cross entropy of outputs (outputs, samples).

    Parameters
    ----------
    labels : (samples); without them, outputs are assumed to separate classes well.
    """
    spread = float(outputs.std()) or 1.0
    choices = spread * np.geomspace(LEAST_TEMPERATURE, 4.0, 32)
    if labels is None:
        return float(choices[0])
    targets = one_hot(labels, len(outputs))
    # Steps that are fine beside all temperatures.
    fine = np.rint(outputs / spread * 4096).astype(np.int64)
    losses = [
        float(Classes(targets, spread / 4096 / choice).loss(fine).mean()) for choice in choices
    ]
    return float(choices[int(np.argmin(losses))])
