"""Scales and zero points from the values that calibration saw of each element.

A scale and a zero point map a real range onto 2^bits unsigned codes. The range is that of the seen
values, or narrower: codes then saturate on rare values and resolve the others better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from xdsl.dialects.builtin import AnyFloat

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ir.quant import largest_value

ScaleMethod: TypeAlias = Literal["minmax", "percentile", "mse", "pow2"]
SCALE_METHODS: tuple[str, ...] = get_args(ScaleMethod)

CLIPPED_SHARES = np.array([0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3])
"""Shares of the range that the search for the least squared error cuts off at either end."""


@dataclass(frozen=True)
class Observed:
    """Values that calibration saw of n elements.

    Parameters
    ----------
    seen : ranges, (n, 2).
    histogram : counts, (n, bins), over these ranges.
    """

    seen: FloatArray
    histogram: IntArray

    def merged(self) -> Observed:
        """All elements as one, re-binned over the common range."""
        low, high = float(self.seen[:, 0].min()), float(self.seen[:, 1].max())
        bins = self.histogram.shape[1]
        centres = self.centres()
        width = high - low if high > low else 1.0
        cells = np.clip(((centres - low) / width * bins).astype(np.int64), 0, bins - 1)
        counts = np.bincount(
            cells.ravel(), weights=self.histogram.ravel().astype(np.float64), minlength=bins
        )
        return Observed(np.array([[low, high]]), counts.astype(np.int64)[np.newaxis])

    def centres(self) -> FloatArray:
        """Centres of the histogram bins, (n, bins)."""
        bins = self.histogram.shape[1]
        low, high = self.seen[:, :1], self.seen[:, 1:]
        return low + (high - low) * (np.arange(bins, dtype=np.float64) + 0.5) / bins


def require_scalable(seen: FloatArray, expressed: AnyFloat, what: str) -> None:
    """Refuse ranges (n, 2) that are wider than the codes' float type can express.

    Raises
    ------
    KanError : names the first element of `what`.
    """
    limit = largest_value(expressed) / 2
    bad = np.flatnonzero((np.abs(seen) > limit).any(axis=1))
    if bad.size:
        low, high = seen[bad[0]].tolist()
        raise KanError(
            f"{what}: element {bad[0]} has values from {low:g} to {high:g}, codes can stand for "
            f"numbers up to {limit:g}",
            remedy="scale the data and the model to smaller numbers",
        )


def choose_ranges(observed: Observed, bits: int, method: str, percentile: float) -> FloatArray:
    """The real range that the codes of each element span, (n, 2).

    Parameters
    ----------
    method : `minmax`, `percentile` or `mse`.
    percentile : for `percentile`, share of the samples in percent that must not saturate.
    """
    match method:
        case "percentile":
            return _percentile_ranges(observed, percentile)
        case "mse":
            return np.stack([_best_range(observed, n, bits) for n in range(len(observed.seen))])
        case _:
            return observed.seen.copy()


def _percentile_ranges(observed: Observed, percentile: float) -> FloatArray:
    counts = observed.histogram
    bins = counts.shape[1]
    share = np.cumsum(counts, axis=1) / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    tail = (1.0 - percentile / 100.0) / 2.0
    first = (share <= tail).sum(axis=1)
    last = bins - (share >= 1.0 - tail).sum(axis=1)
    low, high = observed.seen[:, 0], observed.seen[:, 1]
    step = (high - low) / bins
    return np.stack([low + step * first, low + step * np.minimum(last + 1, bins)], axis=1)


def _best_range(observed: Observed, element: int, bits: int) -> FloatArray:
    """The range of least mean squared error over the histogram, of 49 candidates."""
    low, high = observed.seen[element]
    counts = observed.histogram[element]
    kept = counts > 0
    values, weights = observed.centres()[element][kept], counts[kept].astype(np.float64)
    if high <= low or not kept.any():
        return observed.seen[element]
    cut_low, cut_high = np.meshgrid(CLIPPED_SHARES, CLIPPED_SHARES, indexing="ij")
    width = high - low
    ranges = np.stack([low + width * cut_low.ravel(), high - width * cut_high.ravel()], axis=1)
    # Zero points are integers, which moves the ends of the ranges.
    scales, zero_points = scales_and_zero_points(ranges, bits)
    scale, zero_point = scales[:, np.newaxis], zero_points[:, np.newaxis]
    codes = np.clip(np.rint(values / scale) + zero_point, 0, (1 << bits) - 1)
    with np.errstate(over="ignore"):
        error = (((codes - zero_point) * scale - values) ** 2 * weights).sum(axis=1)
    return ranges[int(error.argmin())]


def scales_and_zero_points(ranges: FloatArray, bits: int) -> tuple[FloatArray, IntArray]:
    """Scales (n) and zero points (n) that map `ranges` (n, 2) onto codes 0 .. 2^bits - 1."""
    low, high = ranges[:, 0], ranges[:, 1]
    steps = (1 << bits) - 1
    # A constant needs a scale too, one that does not vanish beside it.
    constant = np.maximum(np.abs(low), 1.0)
    # What differs by less than the finest scale is one: float64 rounds sums of edges by as much.
    finest = finest_scales(ranges)
    width = np.where(high - low > finest, high - low, constant)
    scale = np.maximum(width / steps, finest)
    zero_point = np.rint(-low / scale)
    return scale, zero_point.astype(np.int64)


def finest_scales(ranges: FloatArray) -> FloatArray:
    """The finest scales (n) that values of `ranges` (n, 2) may have.

    Float64 then resolves the values to 1/64 of a step, zero points have at most 46 bits, and
    arithmetic with scales does not underflow.
    """
    return np.maximum(np.abs(ranges).max(axis=1) * 2.0**-46, 2.0**-1000)
