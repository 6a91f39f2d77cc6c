"""Decisions and residuals of a build's models on its samples, for the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kan_dialect.files.data_sets import classes
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.search.precision.score import is_classification

MAX_CLASSES = 64
"""Most classes of a confusion matrix."""
BINS = 31
"""Intervals of a histogram of residuals; the middle one is around 0."""
POINTS = 300
"""Most points of outputs over targets."""


def confusions(
    labels: Array | None, outputs: Mapping[str, FloatArray]
) -> dict[str, list[list[int]]] | None:
    """Confusion matrices of models by name: samples of each class (row) by decision (column).

    None if the labels are no classes, or there are more than `MAX_CLASSES`.

    Parameters
    ----------
    labels : (samples, ...)
    outputs : (samples, outputs) of each model.
    """
    found: dict[str, list[list[int]]] = {}
    for name, each in outputs.items():
        count = max(each.shape[1], 2)
        if labels is None or not is_classification(labels, each.shape[1]) or count > MAX_CLASSES:
            return None
        matrix = np.zeros((count, count), dtype=np.int64)
        np.add.at(matrix, (labels.reshape(-1).astype(np.int64), classes(each)), 1)
        found[name] = matrix.tolist()
    return found


def residual_figures(
    targets: FloatArray, integer: FloatArray, real: FloatArray | None
) -> dict[str, Any]:
    """Residuals, output less target, of the integer and the float model.

    Parameters
    ----------
    targets, integer, real : (samples, outputs); `real` is None where no float model is known.

    Returns
    -------
    `limit`: the histograms span -limit .. limit. `integer` and `float`: counts of `BINS` equal
    intervals over all samples and outputs. `points`: rows [output, target, integer, float] of at
    most `POINTS` samples and outputs, evenly chosen, in the order of the data; without float where
    it is unknown.
    """
    models = {"integer": integer} | ({} if real is None else {"float": real})
    apart = {name: each - targets for name, each in models.items()}
    limit = max(float(np.abs(each).max(initial=0.0)) for each in apart.values()) or 1.0
    found: dict[str, Any] = {"limit": limit}
    for name, each in apart.items():
        found[name] = np.histogram(each, BINS, (-limit, limit))[0].tolist()
    count = targets.size
    chosen = np.unique(np.linspace(0, count - 1, min(count, POINTS)).round().astype(np.int64))
    sample, output = np.divmod(chosen, targets.shape[1])
    columns = [each[sample, output] for each in (targets, *models.values())]
    found["points"] = [
        [int(which), *(float(f"{value:.5g}") for value in row)]
        for which, *row in zip(output.tolist(), *(each.tolist() for each in columns), strict=True)
    ]
    return found
