"""Scales that are a unit times a power of two, from the values that calibration saw.

The unit is 1 for scales that are powers of two, or the scale of a port's number format: its codes
then become coarser ones by a division by 2^k, rounded half to even, without a table.
"""

from __future__ import annotations

import math

import numpy as np

from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.search.scales import Observed, choose_ranges, finest_scales

FINER = 2
"""Number of steps finer than the one that covers the range that are tried; values then saturate."""
_PLACES = 9
"""Number of places of the codes within the range that are tried for each finer step."""


def stepped_scales(
    observed: Observed,
    bits: int,
    units: FloatArray,
    method: str,
    percentile: float,
    *,
    least: int | None = None,
) -> tuple[IntArray, IntArray]:
    """Exponents and zero points of unsigned codes of `bits` bits: scales are units · 2^exponent.

    With `minmax` and `percentile`, the finest step that covers the range; otherwise the step and
    the place of the codes with the least mean squared error over the histogram, of the covering
    step and `FINER` finer ones.

    Parameters
    ----------
    units : (n), float64.
    method, percentile : as for `choose_ranges`; `pow2` is as `mse`.
    least : least exponent, of a port's format, whose values cannot be resolved further. The range
        may then end up to one step behind the last code.

    Returns
    -------
    exponents, zero points : (n) each, int64.
    """
    searched = method not in ("minmax", "percentile")
    ranges = choose_ranges(observed, bits, "minmax" if searched else method, percentile)
    found = [
        _stepped(observed, n, ranges[n], bits, float(units[n]), least, searched=searched)
        for n in range(len(ranges))
    ]
    both = np.array(found, dtype=np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _stepped(
    observed: Observed,
    element: int,
    span: FloatArray,
    bits: int,
    unit: float,
    least: int | None,
    *,
    searched: bool,
) -> tuple[int, int]:
    """Exponent and zero point of one element."""
    low, high = span.tolist()
    last = (1 << bits) - 1
    finest = float(finest_scales(span[np.newaxis])[0])
    # A constant needs a scale too, one that does not vanish beside it.
    width = high - low if high - low > finest else max(abs(low), 1.0)
    floor = math.ceil(math.log2(finest / unit))
    floor = floor if least is None else max(floor, least)
    exponent = max(floor, math.floor(math.log2(max(width / (last + 1), finest) / unit)))
    while not _covers(low, high, unit * 2.0**exponent, last, slack=least is not None):
        exponent += 1
    chosen = exponent, -int(np.rint(low / (unit * 2.0**exponent)))
    counts = observed.histogram[element]
    if not searched or high <= low or not counts.any():
        return chosen
    kept = counts > 0
    values, weights = observed.centres()[element][kept], counts[kept].astype(np.float64)
    best = np.inf
    for candidate in range(exponent, max(floor, exponent - FINER) - 1, -1):
        scale = unit * 2.0**candidate
        first, end = round(low / scale), round(high / scale) - last
        reach = max(end - first, 0)
        for place in sorted({first + reach * n // (_PLACES - 1) for n in range(_PLACES)}):
            nearest = np.clip(np.rint(values / scale), place, place + last)
            error = float(((nearest * scale - values) ** 2 * weights).sum())
            if error < best:
                best, chosen = error, (candidate, -place)
    return chosen


def _covers(low: float, high: float, scale: float, last: int, *, slack: bool) -> bool:
    """Whether codes 0 .. last, from that of `low` on, cover low .. high."""
    first = np.rint(low / scale)
    if slack:
        return high / scale - first <= last + 1
    return bool(np.rint(high / scale) - first <= last)
