"""Tests whether part of a graph is a sum of functions of one input each, by exchanging inputs.

F is such a sum exactly if F(p) + F(q) = F(p on S, q off S) + F(q on S, p off S) for all points p, q
and all sets S of inputs. Points are drawn near the inputs, and evaluated in float64. An interaction
that shows at none of them is missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from onnx.reference import ReferenceEvaluator

from kan_dialect.evaluate.onnx_subgraph import fails_by_rows, open_runner, run_rows, widened
from kan_dialect.frontends.onnx.operators.static_graph import (
    StaticGraph,
    needed_steps,
)
from kan_dialect.frontends.onnx.operators.subgraph_extraction import extract_subgraph
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray

TOLERANCE = 1e-9
"""Largest residual of a sum, relative to the range of its values."""

_FLOAT64_NOISE = 64 * np.finfo(np.float64).eps
"""Rounding error of a value, relative to the largest one, times the root of the number of inputs.
"""

_CHUNK_ELEMENTS = 1 << 22
"""Most elements of a group of values that are evaluated together."""

_MIN_FINITE_SHARE = 0.25
"""Share of finite trials that a group needs to be conclusive."""


class PartialRun:
    """Runs the subgraph between values, in float64. Rows with an index out of bounds give NaN.

    Raises
    ------
    Exception : of any type, if the runtimes cannot load the subgraph.
    """

    def __init__(self, static: StaticGraph, sources: Sequence[str], targets: Sequence[str]) -> None:
        self.batch = static.batch
        widths = [static.width(name) for name in targets]
        self.columns = np.cumsum([0, *widths])
        self._runner = open_runner(widened(extract_subgraph(static, sources, targets)))
        self._effort = static.effort
        slow = isinstance(self._runner, ReferenceEvaluator)
        self._effort_per_batch = static.effort_of(needed_steps(static, sources, targets), slow=slow)

    def __call__(self, x: FloatArray) -> FloatArray:
        """Compute the targets (rows, elements), side by side, from the sources (rows, in), side
        by side.

        Raises
        ------
        KanError : the effort for discovering layers is spent.
        Exception : of any type, if the runtimes cannot run the subgraph.
        """
        self._effort.spend(self._effort_per_batch * -(-len(x) // self.batch))
        try:
            return run_rows(self._runner, x, self.batch)
        except Exception as error:
            if not fails_by_rows(error):
                raise
            return np.full((len(x), self.columns[-1]), np.nan)  # Other rows may run.


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
    run: PartialRun, groups: Sequence[Exchanges], *, enough: float = np.inf
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
    for values in _run_together(run, groups):
        shares, conclusive = _residuals(values, run.columns, noise)
        worst = np.maximum(worst, shares)
        seen |= conclusive
        if bool((worst > enough).all()):
            break
    worst[~seen & (worst == 0.0)] = np.inf
    return worst


def _run_together(run: PartialRun, groups: Sequence[Exchanges]) -> Iterator[FloatArray]:
    """The values of each group. Groups that together fit into one batch are run together."""
    first = 0
    while first < len(groups):
        rows = [groups[first].rows]
        while first + len(rows) < len(groups) and sum(map(len, rows)) < run.batch:
            rows.append(groups[first + len(rows)].rows)
        ends = np.cumsum([len(each) for each in rows])[:-1]
        yield from np.split(run(np.concatenate(rows)), ends)
        first += len(rows)


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
    found = np.zeros(len(columns) - 1)
    target = np.searchsorted(columns, doubtful, side="right") - 1
    missed = np.where(beyond[:, doubtful], missed[:, doubtful], 0.0)
    parts, finite = parts[:, :, doubtful], finite[:, doubtful]
    with np.errstate(all="ignore"):
        # The scale below is at least half of the range of a trial's values.
        allowed = 0.25 * TOLERANCE * np.ptp(parts, axis=0)
        small = (missed <= allowed) & np.isfinite(allowed)
        large = ~(small | (missed == 0.0)).all(axis=0)
    chosen = np.isin(target, target[large])
    if not bool(chosen.any()):
        return found, conclusive
    parts, finite, missed = parts[:, :, chosen], finite[:, chosen], missed[:, chosen]
    # The first element of each target, and the number of the target among those left.
    _, first, place = np.unique(target[chosen], return_index=True, return_inverse=True)
    # Range of the finite values: median and percentiles.
    low, middle, high = _percentiles(parts, finite)
    widths: FloatArray = high - low
    spread = np.maximum(widths, 1e-4 * np.maximum.reduceat(widths, first)[place])
    with np.errstate(all="ignore"):
        furthest: FloatArray = np.where(finite, np.abs(parts - middle), 0.0).max(axis=0)
        shares = np.nan_to_num(missed / np.maximum(furthest, spread), nan=0.0, posinf=np.inf)
    shares = np.maximum.reduceat(shares.max(axis=0), first)
    found[target[chosen][first]] = np.where(shares > TOLERANCE, shares, 0.0)
    return found, conclusive


def _percentiles(parts: FloatArray, finite: BoolArray) -> FloatArray:
    """10 %, median and 90 % of the finite values of each element: (3, elements).

    Parameters
    ----------
    parts : (4, trials, elements).
    finite : (trials, elements).
    """
    found = np.empty((3, parts.shape[2]))
    every = finite.all(axis=0)
    percent = (10, 50, 90)
    if bool(every.any()):
        found[:, every] = np.percentile(parts[:, :, every], percent, axis=(0, 1))
    if not bool(every.all()):
        some = np.where(finite[:, ~every], parts[:, :, ~every], np.nan)
        found[:, ~every] = np.nanpercentile(some, percent, axis=(0, 1))
    return found


def grouped(names: Sequence[str], static: StaticGraph, rows: int) -> list[list[str]]:
    """Group names so that the values of a group fit into memory for this number of rows."""
    groups: list[list[str]] = []
    room = 0
    for name in names:
        size = static.width(name) * rows
        if not groups or size > room:
            groups.append([])
            room = _CHUNK_ELEMENTS
        groups[-1].append(name)
        room -= size
    return groups
