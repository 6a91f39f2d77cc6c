"""Confidence intervals by the percentile bootstrap.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kan_dialect.ir.constants import FloatArray

RESAMPLES = 10_000
PARTS = 100
"""Resamples are drawn in parts, which bounds memory: 8 MB for 10,000 samples."""
CONFIDENCE = 0.95
LEAST_UNITS = 5
"""The bootstrap's interval of fewer units is far too narrow and is not given."""


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval."""

    mean: float
    bounds: tuple[float, float] | None
    """None of fewer than `LEAST_UNITS` units."""

    def shown(self, digits: str) -> str:
        """Mean and bounds as text; `digits` is a format such as `.3f`."""
        low, high = self.bounds or (self.mean, self.mean)
        text = f"{self.mean:{digits}}"
        return text if low == high else f"{text} [{low:{digits}}, {high:{digits}}]"


def percentiles(resamples: FloatArray) -> tuple[float, float]:
    """The confidence interval of a statistic, from its values on resamples, (resamples,)."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resamples, [tail, 1 - tail]).tolist()
    return low, high


def mean_interval(values: FloatArray) -> Interval:
    """The mean over seeds and samples; seeds and samples are drawn again independently.

    Two results of the same seeds and samples are compared by the interval of their difference.
    Source of the crossed bootstrap: Owen, The pigeonhole bootstrap, Ann. Appl. Stat. 1, 2007.

    Parameters
    ----------
    values : (seeds, samples), float64; one column of what is known of a seed alone.
    """
    mean = float(values.mean())
    if len(values) < LEAST_UNITS:
        return Interval(mean, None)
    rng = np.random.default_rng(0)
    seeds, samples = values.shape
    sums: list[FloatArray] = []
    for drawn in np.split(rng.multinomial(seeds, np.full(seeds, 1 / seeds), RESAMPLES), PARTS):
        counts = rng.multinomial(samples, np.full(samples, 1 / samples), len(drawn))
        sums.append(((drawn @ values) * counts).sum(axis=1))
    return Interval(mean, percentiles(np.concatenate(sums) / values.size))
