"""The choice of scales and zero points from ranges and histograms."""

from __future__ import annotations

import numpy as np
import pytest

from kan_dialect.ir.constants import FloatArray
from kan_dialect.passes.calibrate import histograms
from kan_dialect.search.scales import (
    SCALE_METHODS,
    Observed,
    choose_ranges,
    scales_and_zero_points,
)


def observe(*columns: FloatArray, bins: int = 512) -> Observed:
    """What calibration sees of the columns, one element each."""
    return Observed(*histograms(np.stack(columns, axis=1), bins))


def rounded(x: FloatArray, ranges: FloatArray, bits: int) -> FloatArray:
    """x (samples, n) as the codes of `bits` bits that span the ranges give it back."""
    scale, zero_point = scales_and_zero_points(ranges, bits)
    codes = np.clip(np.rint(x / scale) + zero_point, 0, (1 << bits) - 1)
    return (codes - zero_point) * scale


def test_minmax_spans_everything() -> None:
    observed = observe(np.linspace(-1, 2, 50), np.linspace(5, 6, 50))
    ranges = choose_ranges(observed, 8, "minmax", 99.0)
    assert ranges.tolist() == [[-1.0, 2.0], [5.0, 6.0]]
    scale, zero_point = scales_and_zero_points(ranges, 8)
    np.testing.assert_allclose(scale, [3 / 255, 1 / 255])
    assert zero_point.tolist() == [85, -1275]


@pytest.mark.parametrize("method", SCALE_METHODS)
@pytest.mark.parametrize("bits", [1, 4, 8, 16])
def test_what_was_seen_and_does_not_saturate_is_off_by_half_a_step(method: str, bits: int) -> None:
    x = np.random.default_rng(bits).normal(size=(2000, 3)) * [1, 10, 0.1] + [0, 5, -3]
    ranges = choose_ranges(observe(*x.T), bits, method, 99.0)
    scale, _ = scales_and_zero_points(ranges, bits)
    # The zero point is an integer, so the codes' ends are off by half a step too.
    inside = (x >= ranges[:, 0] + scale / 2) & (x <= ranges[:, 1] - scale / 2)
    error = np.abs(rounded(x, ranges, bits) - x)
    assert (error <= scale / 2 * (1 + 1e-9))[inside].all()


@pytest.mark.parametrize("bits", [1, 8, 16])
@pytest.mark.parametrize(
    ("low", "size"), [(1e6, 1e-9), (-1.7e9, 1e-6), (0.0, 5e-324), (1e30, 1e15)]
)
def test_ranges_too_narrow_for_their_place_are_widened(low: float, size: float, bits: int) -> None:
    """Zero points stay exact, in float64 and in the codes of a port."""
    ranges = np.array([[low, low + size]])
    scale, zero_point = scales_and_zero_points(ranges, bits)
    assert scale[0] > 0 and abs(int(zero_point[0])) < 1 << 51
    # The integer zero point may put an end just beyond the codes.
    assert (np.abs(rounded(ranges.T, ranges, bits)[:, 0] - ranges[0]) <= scale * (1 + 1e-6)).all()


@pytest.mark.parametrize("percentile", [60.0, 90.0, 99.0, 100.0])
def test_percentile_cuts_off_as_much_as_it_says_and_no_more(percentile: float) -> None:
    rng = np.random.default_rng(0)
    x = np.stack([rng.normal(size=10000), rng.exponential(size=10000)], axis=1)
    ranges = choose_ranges(observe(*x.T, bins=4096), 8, "percentile", percentile)
    inside = ((x >= ranges[:, 0]) & (x <= ranges[:, 1])).mean(axis=0) * 100
    assert (inside >= percentile).all() and (inside <= percentile + 1.0).all()
    ends = (x < ranges[:, 0]).mean(axis=0), (x > ranges[:, 1]).mean(axis=0)
    assert max(end.max() for end in ends) <= (100 - percentile) / 200


def squared_error(x: FloatArray, method: str, bits: int) -> float:
    ranges = choose_ranges(observe(*x.T, bins=1024), bits, method, 99.0)
    return float(np.mean((rounded(x, ranges, bits) - x) ** 2))


def test_mse_cuts_off_outliers() -> None:
    x = np.concatenate([np.random.default_rng(0).normal(size=(5000, 1)), [[12.0], [-15.0]]])
    assert squared_error(x, "mse", 4) < 0.3 * squared_error(x, "minmax", 4)


@pytest.mark.parametrize("method", SCALE_METHODS)
@pytest.mark.parametrize("value", [0.0, 1.0, -3.0, 0.125, 1e6, -1e-6])
def test_a_constant_gets_a_scale_that_resolves_it(method: str, value: float) -> None:
    x = np.full((10, 1), value)
    ranges = choose_ranges(observe(*x.T), 8, method, 99.0)
    scale, _ = scales_and_zero_points(ranges, 8)
    assert np.isfinite(scale).all() and (scale > 0).all()
    assert (np.abs(rounded(x, ranges, 8) - x) <= scale / 2).all()
    assert (scale <= max(abs(value), 1.0) / 255).all()


def test_merged_is_what_one_histogram_of_all_elements_would_say() -> None:
    rng = np.random.default_rng(0)
    columns = rng.normal(size=1000), rng.normal(size=1000) * 5 + 2, np.full(1000, -1.0)
    merged = observe(*columns, bins=2048).merged()
    whole = observe(np.concatenate(columns), bins=2048)
    assert merged.seen.tolist() == whole.seen.tolist()
    assert merged.histogram.sum() == 3000
    difference = np.abs(np.cumsum(merged.histogram) - np.cumsum(whole.histogram))
    # A cell's samples are taken for its middle.
    assert difference.max() <= max(whole.histogram.max(), 20)
