"""Ratios of figures to the baseline: geometric means over networks, with confidence intervals.

Widths of one network are alike, so a network counts once: by the geometric mean of its ratios at
all widths. The interval is the percentile bootstrap over networks.

Synthesis may have measured a part of the pairs of a network and a width. The other pairs then get
the ratio by estimate times an error drawn from those of the measured pairs, by the approximate
Bayesian bootstrap (Rubin and Schenker, Multiple imputation for interval estimation from simple
random samples with ignorable nonresponse, JASA 81, 1986).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kan_dialect.flows.compare.bootstrap import LEAST_UNITS, RESAMPLES, percentiles
from kan_dialect.ir.constants import BoolArray, FloatArray

LEAST_ERRORS = 5
"""Of fewer measured pairs, the errors of the estimate are not known well enough to draw from."""


@dataclass(frozen=True)
class Metric:
    """A figure that is compared, less being better."""

    label: str
    column: str
    """Its column in the table: exact, or by estimate."""
    measured: str | None = None
    """The column of the same figure by synthesis."""
    known_error: float = 0.0
    """Largest known mean error of ratios by estimate, over the pairs whose designs differ, as a
    difference of logarithms; 0 of figures that are not estimated. Sources:
    benchmarks/results/estimate.md for LUTs and registers, benchmarks/results/clocks.md else."""


METRICS: Mapping[str, Metric] = {
    "luts": Metric("LUTs", "estimate_luts", "synthesis_luts", 0.1),
    "registers": Metric("registers", "estimate_registers", "synthesis_registers", 0.02),
    "levels": Metric("levels of logic", "estimate_levels", known_error=0.03),
    "latency_ns": Metric("latency in ns", "estimate_latency_ns", known_error=0.03),
    "table_bits": Metric("bits of tables", "table_bits"),
    "output_error": Metric("output error", "output_error"),
    "compile_seconds": Metric("compile time", "compile_seconds"),
}


@dataclass(frozen=True)
class Ratio:
    """A figure of a pipeline over that of the baseline."""

    metric: str
    """A key of `METRICS`."""
    by_network: Mapping[str, float]
    """Geometric mean over the widths of each network."""
    left_out: int
    """Number of trials without a ratio: the figure is 0 in one of the two pipelines only."""
    mean: float
    """Geometric mean over the networks."""
    interval: tuple[float, float] | None
    """Of the mean; None of fewer than `LEAST_UNITS` networks."""
    basis: str = ""
    """`by synthesis`, `by synthesis of 12 of 34`, `by estimate`; empty of exact figures, and where
    the pipelines make the same designs."""

    @property
    def verdict(self) -> str:
        """`same`, `less` or `more`, `within noise` (the interval has 1), `too few networks`."""
        if all(ratio == 1.0 for ratio in self.by_network.values()):
            return "same"
        if self.interval is None:
            return "too few networks"
        low, high = self.interval
        return "within noise" if low <= 1.0 <= high else "less" if high < 1.0 else "more"

    def __str__(self) -> str:
        """Mean, interval, verdict and what the verdict rests on."""
        interval = ""
        if self.interval is not None and self.verdict != "same":
            interval = f" [{self.interval[0]:.3f}, {self.interval[1]:.3f}]"
        basis = f", {self.basis}" if self.basis else ""
        left = f", {self.left_out} trials left out" if self.left_out else ""
        return f"{self.mean:.3f}{interval} {self.verdict}{basis}{left}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "ratio": self.mean,
            "interval": None if self.interval is None else list(self.interval),
            "verdict": self.verdict,
            "basis": self.basis or None,
            "networks": dict(self.by_network),
            "left_out": self.left_out,
        }


@dataclass(frozen=True)
class _Pairs:
    """Logarithms of the ratios of a figure, a pair of network and width at a place."""

    networks: Sequence[str]
    ratios: FloatArray
    """(pairs,): measured where `is_estimate` is false."""
    is_estimate: BoolArray
    """(pairs,): the ratio is by estimate, and the designs differ."""
    errors: FloatArray
    """(measured,): the ratio by synthesis less that by estimate, of pairs whose designs differ."""
    left_out: int


def ratio_of(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    baseline: Sequence[Mapping[str, Any]],
) -> Ratio | None:
    """A figure of a pipeline's rows against those of the baseline; None where no row has it.

    Parameters
    ----------
    name : a key of `METRICS`.
    rows, baseline : rows of the table, parallel: the same network and width at one place.
    """
    metric = METRICS[name]
    pairs = _pairs(metric, rows, baseline)
    if not pairs.networks:
        return None
    names = list(dict.fromkeys(pairs.networks))
    # (networks, pairs): the mean over the widths of each network.
    weights = np.array([[float(each == network) for each in pairs.networks] for network in names])
    weights /= weights.sum(axis=1, keepdims=True)
    estimated, measured = int(pairs.is_estimate.sum()), len(pairs.errors)
    is_corrected = bool(estimated) and measured >= LEAST_ERRORS
    # The error of the mean: pairs by estimate may all be off to the same side.
    share = float((weights @ pairs.is_estimate).mean())
    error = 0.0 if is_corrected else metric.known_error * share
    ratios = pairs.ratios.copy()
    if is_corrected:
        ratios[pairs.is_estimate] += pairs.errors.mean()
    means = weights @ ratios
    interval = None
    if len(names) >= LEAST_UNITS:
        rng = np.random.default_rng(0)
        drawn = rng.integers(0, len(names), (RESAMPLES, len(names)))
        resamples = np.tile(pairs.ratios, (RESAMPLES, 1))
        if is_corrected:
            resamples[:, pairs.is_estimate] += _drawn_errors(pairs.errors, estimated, rng)
        found = np.take_along_axis(resamples @ weights.T, drawn, axis=1).mean(axis=1)
        low, high = percentiles(found)
        interval = math.exp(low - error), math.exp(high + error)
    return Ratio(
        name,
        dict(zip(names, np.exp(means).tolist(), strict=True)),
        pairs.left_out,
        math.exp(math.fsum(means) / len(means)),
        interval,
        _basis(metric, estimated, measured),
    )


def _basis(metric: Metric, estimated: int, measured: int) -> str:
    """What a verdict on pairs whose designs differ rests on."""
    if not metric.known_error or not estimated + measured:
        return ""
    if not estimated:
        return "by synthesis"
    if measured < LEAST_ERRORS:
        return "by estimate"
    return f"by synthesis of {measured} of {measured + estimated}"


def _drawn_errors(errors: FloatArray, estimated: int, rng: np.random.Generator) -> FloatArray:
    """(RESAMPLES, estimated): of each resample of the errors, one for each estimated pair."""
    first = rng.integers(0, len(errors), (RESAMPLES, len(errors)))
    second = rng.integers(0, len(errors), (RESAMPLES, estimated))
    return errors[np.take_along_axis(first, second, axis=1)]


def _pairs(
    metric: Metric, rows: Sequence[Mapping[str, Any]], baseline: Sequence[Mapping[str, Any]]
) -> _Pairs:
    networks: list[str] = []
    ratios: list[float] = []
    is_estimate: list[bool] = []
    errors: list[float] = []
    left_out = 0
    for row, base in zip(rows, baseline, strict=True):
        found = _logarithm(metric.column, row, base)
        if found is None:
            continue
        # Where the designs are the same, so are the measured figures.
        differ = metric.known_error > 0 and row.get("design") != base.get("design")
        measured = None
        if differ and metric.measured and row.get("synthesis_tool") == base.get("synthesis_tool"):
            measured = _logarithm(metric.measured, row, base)
        chosen = found if measured is None else measured
        if math.isnan(chosen):
            left_out += 1
            continue
        networks.append(row["network"])
        ratios.append(chosen)
        is_estimate.append(differ and measured is None)
        if measured is not None and not math.isnan(found):
            errors.append(measured - found)
    estimates = np.array(is_estimate, bool)
    return _Pairs(networks, np.array(ratios), estimates, np.array(errors), left_out)


def _logarithm(column: str, row: Mapping[str, Any], base: Mapping[str, Any]) -> float | None:
    """Of the ratio; None where a figure is missing, NaN where one of the two is 0."""
    one, other = row.get(column), base.get(column)
    if one is None or other is None:
        return None
    if one == other:
        return 0.0
    return math.log(one / other) if one > 0 and other > 0 else math.nan
