"""Figures of merit of results on held-out samples, and their standard errors.

This file imports no PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kan_dialect.ir.constants import Array, FloatArray, IntArray

MetricName = Literal["accuracy", "balanced", "f1", "auc", "rmse", "mae"]

BLOCKS = 20
"""Parts of the samples that are left out in turn for a standard error."""

NORMAL_95 = 1.959963984540054
"""Quantile of the standard normal distribution, of intervals of 95 %."""


@dataclass(frozen=True)
class Metric:
    """A figure of merit."""

    of: Callable[[FloatArray, Array], FloatArray]
    """Its value, or that of each sample (samples), whose mean it is, for results (samples, outputs)
    and targets: classes (samples), or numbers (samples, outputs). Results of classes are logits:
    one of two classes, which is above 0 for class 1, or one for each class."""
    sign: int
    """1 where more is better, -1 where less is."""

    def measured(self, results: FloatArray, targets: Array) -> tuple[float, float]:
        """Value and standard error: of a mean, or by the jackknife that leaves out a group at a
        time (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 11.5)."""
        value = self.of(results, targets)
        if value.ndim:
            return float(value.mean()), mean_error(value)
        block = np.arange(len(targets)) % BLOCKS
        left = [block != number for number in range(min(BLOCKS, len(targets)))]
        parts = np.array([self.of(results[each], targets[each]) for each in left])
        return float(value), math.sqrt((len(parts) - 1) * float(np.nanvar(parts)))


def mean_error(values: FloatArray) -> float:
    """Standard error of a mean."""
    return float(values.std() / np.sqrt(len(values)))


def decisions(results: FloatArray) -> IntArray:
    """The class of each sample as hardware decides: the first largest; of one result, 1 above 0."""
    if results.shape[1] == 1:
        return (results[:, 0] > 0.0).astype(np.int64)
    return results.argmax(axis=1)


def confusion(decided: IntArray, targets: IntArray, classes: int) -> IntArray:
    """(classes, classes): the number of samples of a class, by row, that are decided as another."""
    found = np.bincount(targets * classes + decided, minlength=classes * classes)
    return found.reshape(classes, classes)


def recalls(matrix: IntArray) -> FloatArray:
    """The part of each class's samples that are decided as it, (classes); NaN without samples."""
    with np.errstate(invalid="ignore"):
        return np.diag(matrix) / matrix.sum(axis=1)


def precisions(matrix: IntArray) -> FloatArray:
    """The part of what is decided as each class that is of it, (classes); NaN where nothing is."""
    with np.errstate(invalid="ignore"):
        return np.diag(matrix) / matrix.sum(axis=0)


def false_alarms(matrix: IntArray) -> FloatArray:
    """The part of the samples of all other classes that are decided as each class, (classes)."""
    others = matrix.sum() - matrix.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return (matrix.sum(axis=0) - np.diag(matrix)) / others


def wilson(count: int, samples: int) -> tuple[float, float]:
    """An interval of 95 % for a probability (Wilson, J. Am. Stat. Assoc. 22, 1927)."""
    if samples == 0:
        return 0.0, 1.0
    square = NORMAL_95**2
    share = count / samples
    centre = (share + square / (2 * samples)) / (1 + square / samples)
    spread = share * (1 - share) / samples + square / (4 * samples**2)
    half = NORMAL_95 * math.sqrt(spread) / (1 + square / samples)
    return max(0.0, centre - half), min(1.0, centre + half)


def _matrix(results: FloatArray, targets: Array) -> IntArray:
    return confusion(decisions(results), targets, max(2, results.shape[1]))


def _accuracy(results: FloatArray, targets: Array) -> FloatArray:
    return (decisions(results) == targets).astype(np.float64)


def _balanced(results: FloatArray, targets: Array) -> FloatArray:
    return np.asarray(np.nanmean(recalls(_matrix(results, targets))), np.float64)


def _f1(results: FloatArray, targets: Array) -> FloatArray:
    """Of class 1 of two classes; of more the mean over classes."""
    matrix = _matrix(results, targets)
    both = matrix.sum(axis=0) + matrix.sum(axis=1)
    each = 2.0 * np.diag(matrix) / np.maximum(both, 1)
    return np.asarray(each[1] if len(each) == 2 else each[both > 0].mean())


def _auc(results: FloatArray, targets: Array) -> FloatArray:
    """Area under the curve of recall over false alarms; of more than two classes the mean over
    them, each against all others by its result less the largest other one."""
    if results.shape[1] == 1:
        return np.asarray(_rank(results[:, 0], targets == 1))
    areas: list[float] = []
    for number in range(results.shape[1]):
        others = np.delete(results, number, axis=1).max(axis=1)
        areas.append(_rank(results[:, number] - others, targets == number))
    return np.asarray(np.nanmean(areas), np.float64)


def _rank(scores: FloatArray, positive: Array) -> float:
    """The part of pairs of a positive and a negative whose scores are in order; ties count half."""
    above, below = int(positive.sum()), int((~positive).sum())
    if not above or not below:
        return float("nan")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2.0)[place]
    return float((ranks[positive].sum() - above * (above + 1) / 2.0) / (above * below))


def _rmse(results: FloatArray, targets: Array) -> FloatArray:
    return np.asarray(math.sqrt(float(((results - targets) ** 2).mean())))


def _mae(results: FloatArray, targets: Array) -> FloatArray:
    return np.abs(results - targets).mean(axis=1)


METRICS: Mapping[MetricName, Metric] = {
    "accuracy": Metric(_accuracy, 1),
    "balanced": Metric(_balanced, 1),
    "f1": Metric(_f1, 1),
    "auc": Metric(_auc, 1),
    "rmse": Metric(_rmse, -1),
    "mae": Metric(_mae, -1),
}
