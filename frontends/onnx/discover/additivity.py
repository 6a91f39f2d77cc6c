"""Tests whether part of a graph is a sum of functions of one input each, by exchanging inputs.

F is such a sum exactly if F(p) + F(q) = F(p on S, q off S) + F(q on S, p off S) for all points p, q
and all sets S of inputs. Points are drawn near the inputs, and evaluated in float64. An interaction
that shows at none of them is missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kan_dialect.frontends.onnx.operators.subgraphs import SubgraphRun
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray

TOLERANCE = 1e-9
"""Largest residual of a sum, relative to the range of its values."""

_FLOAT64_NOISE = 64 * np.finfo(np.float64).eps
"""Rounding error of a value, relative to the largest one, times the root of the number of inputs.
"""

_MIN_FINITE_SHARE = 0.25
"""Share of finite trials that a group needs to be conclusive."""


@dataclass(frozen=True, eq=False)
class Exchanges:
    """Exchange trials: points p and q (trials, in), and a mask (trials, in) of exchanged inputs."""

    p: FloatArray
    q: FloatArray
    chosen: BoolArray

    @property
    def rows(self) -> FloatArray:
        """(4 * trials, in), float64: p, q, and both exchanges."""
        first = np.where(self.chosen, self.p, self.q)
        second = np.where(self.chosen, self.q, self.p)
        return np.concatenate([self.p, self.q, first, second])

    def first(self, trials: int) -> Exchanges:
        return Exchanges(self.p[:trials], self.q[:trials], self.chosen[:trials])


def make_exchanges(points: FloatArray, rng: np.random.Generator) -> Exchanges:
    """Make trials from points (2 * trials, in).

    Each input is exchanged with probability 1/2. Every eighth trial exchanges a single input.
    """
    trials, inputs = len(points) // 2, points.shape[1]
    chosen = rng.random((trials, inputs)) < 0.5
    single = np.arange(trials) % 8 == 7
    chosen[single] = np.arange(inputs) == rng.integers(0, inputs, (int(single.sum()), 1))
    return Exchanges(points[:trials], points[trials : 2 * trials], chosen)


def points_near(values: FloatArray, trials: int, rng: np.random.Generator) -> list[FloatArray]:
    """Groups of points (at most 2 * trials, in) near values (rows, in).

    Uniform in the box of the values; the values with each input shuffled; uniform in a box twice as
    wide; and corners of the box.
    """
    low, high = values.min(axis=0), values.max(axis=0)
    # The box of a constant value has no width; values around it are tried.
    same = high <= low
    margin = np.where(same, np.maximum(np.abs(low), 1.0), 0.0)
    low, high = low - margin, high + margin
    size = (2 * trials, values.shape[1])
    few = (trials, values.shape[1])
    drawn = rng.integers(0, len(values), size)
    shuffled: FloatArray = np.take_along_axis(values, drawn, axis=0)
    return [
        rng.uniform(low, high, size),
        shuffled,
        rng.uniform(low - (high - low) / 2, high + (high - low) / 2, few),
        low + (high - low) * (rng.random(few) < 0.5),
    ]


def residuals(
    run: SubgraphRun, groups: Sequence[Exchanges], *, enough: float = np.inf
) -> FloatArray:
    """Residual of each target from a sum of one-input functions, relative to its range.

    Residuals within `TOLERANCE` or the rounding error count as 0. A target that is hardly ever
    finite has an infinite residual. Stops when all residuals exceed `enough`.

    Returns
    -------
    (targets), float64.
    """
    targets = len(run.columns) - 1
    worst = np.zeros(targets)
    noise = _FLOAT64_NOISE * float(np.sqrt(groups[0].p.shape[1]))
    seen = np.zeros(targets, dtype=np.bool_)
    for group in groups:
        shares, conclusive = _residuals(run(group.rows), run.columns, noise)
        worst = np.maximum(worst, shares)
        seen |= conclusive
        if bool((worst > enough).all()):
            break
    worst[~seen & (worst == 0.0)] = np.inf
    return worst


def _residuals(values: FloatArray, columns: IntArray, noise: float) -> tuple[FloatArray, BoolArray]:
    """Residuals of the targets in one group, and whether the group is conclusive for each.

    Parameters
    ----------
    values : (4 * trials, elements), for the rows of `Exchanges.rows`.
    columns : (targets + 1), the ends of the targets' elements.

    Returns
    -------
    (targets), float64, and (targets), bool.
    """
    parts = values.reshape(4, -1, values.shape[1])
    with np.errstate(all="ignore"):
        missed = np.abs(parts[0] + parts[1] - parts[2] - parts[3])
        beyond = missed > noise * np.abs(parts).max(axis=0)
    finite = np.isfinite(missed)
    beyond &= finite
    count = finite.sum(axis=0)
    share = np.add.reduceat(count, columns[:-1]) / (len(finite) * np.diff(columns))
    conclusive = (share >= _MIN_FINITE_SHARE) & (np.minimum.reduceat(count, columns[:-1]) > 0)

    doubtful = np.flatnonzero(beyond.any(axis=0))
    target = np.searchsorted(columns, doubtful, side="right") - 1
    # The targets with doubtful elements, the first element of each, and the place of each element.
    targets, first, place = np.unique(target, return_index=True, return_inverse=True)
    found = np.zeros(len(columns) - 1)
    if not targets.size:
        return found, conclusive
    missed = np.where(beyond[:, doubtful], missed[:, doubtful], 0.0)
    parts, finite = parts[:, :, doubtful], finite[:, doubtful]
    low, middle, high = _percentiles(parts, finite)
    widths: FloatArray = high - low
    spread = np.maximum(widths, 1e-4 * np.maximum.reduceat(widths, first)[place])
    with np.errstate(all="ignore"):
        furthest: FloatArray = np.where(finite, np.abs(parts - middle), 0.0).max(axis=0)
        shares = np.nan_to_num(missed / np.maximum(furthest, spread), nan=0.0, posinf=np.inf)
    shares = np.maximum.reduceat(shares.max(axis=0), first)
    found[targets] = np.where(shares > TOLERANCE, shares, 0.0)
    return found, conclusive


def _percentiles(parts: FloatArray, finite: BoolArray) -> FloatArray:
    """10 %, median and 90 % of the finite values of each element: (3, elements).

    Parameters
    ----------
    parts : (4, trials, elements).
    finite : (trials, elements); at least one of each element.
    """
    ordered = np.sort(np.where(finite, parts, np.nan).reshape(-1, parts.shape[2]), axis=0)
    last = 4 * finite.sum(axis=0) - 1
    ranks: IntArray = np.array([[10], [50], [90]]) * last // 100
    return np.take_along_axis(ordered, ranks, axis=0)
