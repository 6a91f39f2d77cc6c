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

import numpy as np

from kan_dialect.flows.sweep.columns import COLUMNS, SCORES, Row, error_column, label
from kan_dialect.flows.sweep.pareto import costs_of
from kan_dialect.ir.constants import FloatArray

CONFIDENCE = 0.95
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

    def means(self, column: str) -> FloatArray:
        """Mean of each point: (points), float64."""
        return self.scores[column].mean(axis=1)

    def standard_errors(self, column: str) -> FloatArray:
        """Standard error of each mean: (points), float64."""
        return standard_error(self.scores[column], self.ratio)

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
    names = [name for name in SCORES if any(name in row for rows in tables for row in rows)]
    points = list(zip(*tables, strict=True))
    scores = {
        name: np.array([[row.get(name, np.nan) for row in each] for each in points])
        for name in names
    }
    splits = Splits(scores, ratio)
    found: list[Row] = []
    for point, each in enumerate(points):
        row = {name: value for name, value in each[0].items() if name not in SCORES}
        for name in names:
            if not np.isnan(scores[name][point]).any():
                row[name] = float(splits.means(name)[point])
                row[error_column(name)] = float(splits.standard_errors(name)[point])
        for number, other in enumerate(each[1:], 2):
            if "error" in other:
                row.setdefault("error", f"split {number}: {other['error']}")
        found.append(row)
    return found, splits


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

    Parameters
    ----------
    freedom : degrees of freedom, at least 1.
    """
    low, high = 0.0, math.pi / 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if _within(middle, freedom) > CONFIDENCE else (middle, high)
    return math.sqrt(freedom) * math.tan(low)


def _within(angle: float, freedom: int) -> float:
    """Probability of |t| below sqrt(freedom) tan(angle).

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, equations 26.7.3 and 26.7.4.
    """
    cosine, odd = math.cos(angle), freedom % 2
    term, total = (cosine, cosine) if odd else (1.0, 1.0)
    if freedom == 1:
        return 2 * angle / math.pi
    for number in range(3 if odd else 2, freedom - 1, 2):
        term *= cosine * cosine * (number - 1) / number
        total += term
    total *= math.sin(angle)
    return 2 / math.pi * (angle + total) if odd else total


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
    cheaper = [other for other in of if costs[other] < costs[number]]
    for other in sorted(cheaper, key=lambda other: costs[other]):
        if splits.difference(quality, number, other).is_noise:
            return other
    return None


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
    rows : with `front`, and `within_noise_of` on the front.
    names : of the rows.
    quality, area : columns.
    choice : index of the chosen row, or None.
    """
    good, size = costs_of(rows, [quality, area]).T
    known = np.flatnonzero(~np.isnan(good + size)).tolist()
    if not known:
        return []
    best = min(known, key=lambda number: (good[number], size[number]))
    word = "most accurate point" if COLUMNS[quality].better > 0 else "point of least error"
    found: list[str] = []
    for what, number in (("choice", choice), (word, best)):
        if number is None or (number == choice and what != "choice"):
            continue
        other = cheaper_within_noise(splits, rows, quality, area, number, known)
        here = f"the {what}, {names[number]} ({size[number]:.0f} LUTs),"
        if other is None:
            cheaper = any(size[each] < size[number] for each in known)
            says = "is better than all cheaper ones, beyond noise" if cheaper else "is the cheapest"
            found.append(f"{here} {says}")
        else:
            difference = splits.difference(quality, number, other)
            found.append(
                f"{here} is within noise of a cheaper one, {names[other]} ({size[other]:.0f} "
                f"LUTs): {label(quality)} differs by {difference}"
            )
    front = [number for number in known if rows[number]["front"]]
    noisy = [number for number in front if "within_noise_of" in rows[number]]
    if noisy:
        named = ", ".join(names[number] for number in noisy[:NAMED])
        more = f" and {len(noisy) - NAMED} more" if len(noisy) > NAMED else ""
        found.append(
            f"{len(noisy)} of {len(front)} points on the front are within noise of a cheaper one: "
            f"{named}{more}"
        )
    return [f"{text} ({CONFIDENCE:.0%} confidence, {splits.count} splits)" for text in found]
