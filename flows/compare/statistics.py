"""Ratios of figures to the baseline: geometric means over networks, with confidence intervals.

Widths of one network are alike, so a network counts once: by the geometric mean of its ratios at
all widths. The interval is the percentile bootstrap over networks (Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, chapter 13).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

RESAMPLES = 10_000
CONFIDENCE = 0.95
LEAST_NETWORKS = 5
"""Of fewer networks, the bootstrap's interval is far too narrow, so there is none."""

METRICS: Mapping[str, str] = {
    "estimate_luts": "LUTs",
    "synthesis_luts": "LUTs (Yosys)",
    "estimate_registers": "registers",
    "synthesis_registers": "registers (Yosys)",
    "estimate_levels": "levels of logic",
    "estimate_latency_ns": "latency in ns",
    "table_bits": "bits of tables",
    "output_error": "output error",
    "compile_seconds": "compile time",
}
"""Figures that are compared, less being better, by column: what they are called."""


@dataclass(frozen=True)
class Ratio:
    """A figure of a pipeline over that of the baseline."""

    metric: str
    by_network: Mapping[str, float]
    """Geometric mean over the widths of each network."""
    left_out: int
    """Number of trials without a ratio: the figure is 0 in one of the two pipelines only."""
    mean: float
    """Geometric mean over the networks."""
    interval: tuple[float, float] | None
    """Of the mean; None of fewer than `LEAST_NETWORKS` networks."""

    @property
    def verdict(self) -> str:
        """`same`, `less` or `more`, `within noise` (the interval has 1), `too few networks`."""
        if all(ratio == 1.0 for ratio in self.by_network.values()):
            return "same"
        if self.interval is None:
            return "too few networks"
        low, high = self.interval
        return "within noise" if low <= 1.0 <= high else "less" if high < 1.0 else "more"

    def as_dict(self) -> dict[str, Any]:
        return {
            "ratio": self.mean,
            "interval": None if self.interval is None else list(self.interval),
            "verdict": self.verdict,
            "networks": dict(self.by_network),
            "left_out": self.left_out,
        }


def ratio_of(
    metric: str,
    rows: Sequence[Mapping[str, Any]],
    baseline: Sequence[Mapping[str, Any]],
) -> Ratio | None:
    """A metric of a pipeline's rows against those of the baseline; None where no row has it.

    Parameters
    ----------
    rows, baseline : rows of the table, parallel: the same network and width at one place.
    """
    logarithms: dict[str, list[float]] = {}
    left_out = 0
    for row, base in zip(rows, baseline, strict=True):
        one, other = row.get(metric), base.get(metric)
        if one is None or other is None:
            continue
        if one == other:
            logarithms.setdefault(row["network"], []).append(0.0)
        elif one > 0 and other > 0:
            logarithms.setdefault(row["network"], []).append(math.log(one / other))
        else:
            left_out += 1
    if not logarithms:
        return None
    means = np.array([math.fsum(each) / len(each) for each in logarithms.values()])
    by_network = dict(zip(logarithms, np.exp(means).tolist(), strict=True))
    mean = math.exp(math.fsum(means) / len(means))
    interval = None
    if len(means) >= LEAST_NETWORKS:
        rng = np.random.default_rng(0)
        drawn = means[rng.integers(0, len(means), (RESAMPLES, len(means)))].mean(axis=1)
        tail = (1 - CONFIDENCE) / 2
        low, high = np.exp(np.quantile(drawn, [tail, 1 - tail])).tolist()
        interval = low, high
    return Ratio(metric, by_network, left_out, mean, interval)
