"""Scores of points on repeated validation splits: standard errors, and differences within noise.

The splits draw from the same samples, so their scores are not independent. The variance of a mean
over J splits is S² (1/J + n₂/n₁) with n₁ calibration and n₂ validation samples, the correction of
Nadeau and Bengio (Inference for the Generalization Error, Machine Learning 52, 2003, equation 9).
Two points are compared by the differences on equal splits, with Student's t of J - 1 degrees of
freedom.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

import numpy as np

from kan_dialect.flows.sweep.pareto import costs_of
from kan_dialect.flows.trials.columns import COLUMNS, SCORES, Row, error_column, label
from kan_dialect.ir.constants import FloatArray

CONFIDENCE = 0.95
_STEPS = 100_000
"""Steps of the integral of a density."""
NAMED = 4
"""Largest number of points that a statement names."""


@dataclass(frozen=True)
class Difference:
    """The mean difference of two scores."""

    mean: float
    margin: float
    """Half the width of its confidence interval."""

    @property
    def is_noise(self) -> bool:
        """Whether 0 is in the confidence interval."""
        return abs(self.mean) <= self.margin

    def __str__(self) -> str:
        return f"{abs(self.mean):.3g} ± {self.margin:.2g}"


@dataclass(frozen=True)
class Splits:
    """Scores of the points of a sweep on repeated splits."""

    scores: Mapping[str, FloatArray]
    """By column: (points, splits), float64; NaN where a point failed."""
    ratio: float
    """Validation samples over calibration samples."""

    @property
    def count(self) -> int:
        """Number of splits."""
        return next(iter(self.scores.values())).shape[1]

    def difference(self, column: str, one: int, other: int) -> Difference:
        """The score of one point minus that of another, on equal splits."""
        paired = self.scores[column][one] - self.scores[column][other]
        error = float(standard_error(paired, self.ratio))
        return Difference(float(paired.mean()), t_quantile(len(paired) - 1) * error)


def over_splits(tables: Sequence[Sequence[Row]], ratio: float) -> tuple[list[Row], Splits]:
    """The rows of the first split with means and standard errors over all splits.

    A point that fails in one split has no score. Its `error` names the split.

    Parameters
    ----------
    tables : the rows of each split; rows at one place are of one point.
    ratio : validation samples over calibration samples.
    """
    points = list(zip(*tables, strict=True))
    names = [name for name in SCORES if any(name in row for rows in tables for row in rows)]
    scores = {
        name: np.array([[row.get(name, np.nan) for row in each] for each in points])
        for name in names
    }
    found: list[Row] = []
    for point, each in enumerate(points):
        row = {name: value for name, value in each[0].items() if name not in SCORES}
        for name, whole in scores.items():
            if not np.isnan(whole[point]).any():
                row[name] = float(whole[point].mean())
                row[error_column(name)] = float(standard_error(whole[point], ratio))
        for number, other in enumerate(each[1:], 2):
            if "error" in other:
                row.setdefault("error", f"split {number}: {other['error']}")
        found.append(row)
    return found, Splits(scores, ratio)


def standard_error(scores: FloatArray, ratio: float) -> FloatArray:
    """Standard error of the mean of scores over splits.

    Parameters
    ----------
    scores : (..., splits), float64, at least two splits.
    ratio : validation samples over calibration samples.

    Returns
    -------
    (...), float64.
    """
    spread = scores.std(axis=-1, ddof=1)
    return spread * math.sqrt(1 / scores.shape[-1] + ratio)


@cache
def t_quantile(freedom: int) -> float:
    """The t that Student's distribution exceeds in absolute value with probability 1 - CONFIDENCE.

    For t = sqrt(freedom) tan(angle), the density of the angle is cos(angle) ** (freedom - 1).

    Parameters
    ----------
    freedom : degrees of freedom, at least 1.
    """
    angles = (np.arange(_STEPS) + 0.5) * (math.pi / 2 / _STEPS)
    within = np.cumsum(np.cos(angles) ** (freedom - 1))
    # A sum ends where the step of its last angle ends.
    ends = angles + math.pi / 4 / _STEPS
    angle = cast(float, np.interp(CONFIDENCE * within[-1], within, ends))
    return math.sqrt(freedom) * math.tan(angle)


def cheaper_within_noise(
    splits: Splits, rows: Sequence[Row], quality: str, area: str, number: int, of: Sequence[int]
) -> int | None:
    """The row of least area whose quality is within noise of that of a row, or None.

    Parameters
    ----------
    quality, area : columns.
    number : index of the row.
    of : indices of the rows to choose from; those that are not cheaper do not count.
    """
    costs = costs_of(rows, [area])[:, 0]
    cheaper = sorted((n for n in of if costs[n] < costs[number]), key=costs.__getitem__)
    close = (n for n in cheaper if splits.difference(quality, number, n).is_noise)
    return next(close, None)


def mark_noise(
    splits: Splits, rows: Sequence[Row], names: Sequence[str], quality: str, area: str
) -> list[Row]:
    """The rows, those on the front with the cheapest one within noise as `within_noise_of`.

    Parameters
    ----------
    rows : with `front`.
    names : of the rows.
    quality, area : columns.
    """
    front = [number for number, row in enumerate(rows) if row["front"]]
    marked = list(rows)
    for number in front:
        other = cheaper_within_noise(splits, rows, quality, area, number, front)
        if other is not None:
            marked[number] = {**rows[number], "within_noise_of": names[other]}
    return marked


def statements(
    splits: Splits,
    rows: Sequence[Row],
    names: Sequence[str],
    quality: str,
    area: str,
    choice: int | None,
) -> list[str]:
    """What the splits say about the choice, the best point and the front, in sentences.

    Parameters
    ----------
    rows : of `mark_noise`.
    names, quality, area : as there.
    choice : index of the chosen row, or None.
    """
    good, size = costs_of(rows, [quality, area]).T
    known = np.flatnonzero(~np.isnan(good + size)).tolist()
    if not known:
        return []
    best = min(known, key=lambda number: (good[number], size[number]))
    what = "most accurate point" if COLUMNS[quality].better > 0 else "point of least error"

    def verdict(what: str, number: int) -> str:
        here = f"the {what}, {names[number]} ({size[number]:.0f} LUTs),"
        other = cheaper_within_noise(splits, rows, quality, area, number, known)
        if other is not None:
            return (
                f"{here} is within noise of a cheaper one, {names[other]} ({size[other]:.0f} "
                f"LUTs): {label(quality)} differs by {splits.difference(quality, number, other)}"
            )
        if size[number] > min(size[known]):
            return f"{here} is better than all cheaper ones, beyond noise"
        return f"{here} is the cheapest"

    found = [] if choice is None else [verdict("choice", choice)]
    found += [] if best == choice else [verdict(what, best)]
    front = [number for number in known if rows[number]["front"]]
    noisy = [names[number] for number in front if "within_noise_of" in rows[number]]
    if noisy:
        more = f" and {len(noisy) - NAMED} more" if len(noisy) > NAMED else ""
        found.append(
            f"{len(noisy)} of {len(front)} points on the front are within noise of a cheaper one: "
            f"{', '.join(noisy[:NAMED])}{more}"
        )
    return [f"{text} ({CONFIDENCE:.0%} confidence, {splits.count} splits)" for text in found]
