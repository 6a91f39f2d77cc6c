"""Whether a part of a graph is a sum of functions of one input each: found by exchanging inputs.

F is such a sum exactly if F(p) + F(q) = F(p on S, q off S) + F(q on S, p off S) for all points p, q
and sets S of inputs. Points are drawn from where the inputs lie, evaluation is in float64; an
interaction that shows nowhere among them is not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from kan_dialect.evaluate.onnx_subgraph import fails_by_rows, open_runner, run_rows, widened
from kan_dialect.frontends.onnx.operators.static_graph import StaticGraph, cut_out, needed_steps
from kan_dialect.ir.constants import FloatArray

TOLERANCE = 1e-9
"""How far a sum may be missed, as a share of the range of the values."""

_NOISE = 64 * np.finfo(np.float64).eps
"""Of the largest value, times the root of the number of inputs: what float64 itself loses."""

_CHUNK_ELEMENTS = 1 << 22
"""So many values are looked at at once."""

_LEAST_FINITE = 0.25
"""Of the trials of a group: fewer finite ones say nothing."""


class PartialRun:
    """Runs the part of a graph between values, in float64; not a number where indices are wrong.

    Raises
    ------
    Exception : of the runtimes' choice, where they cannot load or run it.
    """

    def __init__(self, static: StaticGraph, sources: Sequence[str], targets: Sequence[str]) -> None:
        self.batch = static.batch
        widths = [static.width(name) for name in targets]
        self.columns = np.cumsum([0, *widths])
        self._runner = open_runner(widened(cut_out(static, sources, targets)))
        self._effort = static.effort
        slow = isinstance(self._runner, ReferenceEvaluator)
        self._each = static.effort_of(needed_steps(static, sources, targets), slow=slow)

    def __call__(self, x: FloatArray) -> FloatArray:
        """The targets side by side, (rows, elements), for sources side by side, (rows, in).

        Raises
        ------
        KanError : this is more work than looking for layers may take.
        """
        self._effort.spend(self._each * -(-len(x) // self.batch))
        try:
            return run_rows(self._runner, x, self.batch)
        except Exception as error:
            if not fails_by_rows(error):
                raise
            return np.full((len(x), self.columns[-1]), np.nan)  # It may run elsewhere.


@dataclass(frozen=True, eq=False)
class Exchanges:
    """Trials: points p and q (trials, in) and which inputs they exchange."""

    p: FloatArray
    q: FloatArray
    chosen: NDArray[np.bool_]

    @property
    def rows(self) -> FloatArray:
        """(4 * trials, in): p, q, and both exchanges."""
        first = np.where(self.chosen, self.p, self.q)
        second = np.where(self.chosen, self.q, self.p)
        return np.concatenate([self.p, self.q, first, second])

    def first(self, trials: int) -> Exchanges:
        return Exchanges(self.p[:trials], self.q[:trials], self.chosen[:trials])


def make_exchanges(points: FloatArray, rng: np.random.Generator) -> Exchanges:
    """Trials of points (2 * trials, in): half of the inputs are exchanged, in some trials one."""
    trials, inputs = len(points) // 2, points.shape[1]
    chosen = rng.random((trials, inputs)) < 0.5
    single = np.arange(trials) % 8 == 7
    chosen[single] = np.arange(inputs) == rng.integers(0, inputs, (int(single.sum()), 1))
    return Exchanges(points[:trials], points[trials : 2 * trials], chosen)


def points_near(values: FloatArray, trials: int, rng: np.random.Generator) -> list[FloatArray]:
    """Groups of points (2 * trials, in) where values (rows, in) lie.

    Within their box, beyond it by half, at its corners, and the values themselves, those of each
    input shuffled.
    """
    low, high = values.min(axis=0), values.max(axis=0)
    # A value that never changed is tried nearby.
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
    """How far each target is from a sum, as a share of its range.

    At most `TOLERANCE`, or what rounding explains, counts as 0; infinite where a target is hardly
    ever finite. Stops once all are beyond `enough`.

    Returns
    -------
    (targets), float64.
    """
    targets = len(run.columns) - 1
    worst = np.zeros(targets)
    noise = _NOISE * float(np.sqrt(groups[0].p.shape[1]))
    seen = np.zeros(targets, dtype=np.bool_)
    for values in _run_together(run, groups):
        for index in range(targets):
            columns = slice(run.columns[index], run.columns[index + 1])
            share, finite = _residual(values[:, columns], noise)
            worst[index] = max(worst[index], share)
            seen[index] |= finite
        if bool((worst > enough).all()):
            break
    worst[~seen & (worst == 0.0)] = np.inf
    return worst


def _run_together(run: PartialRun, groups: Sequence[Exchanges]) -> Iterator[FloatArray]:
    """The values of each group; groups that fill a batch together only are run together."""
    first = 0
    while first < len(groups):
        rows = [groups[first].rows]
        while first + len(rows) < len(groups) and sum(map(len, rows)) < run.batch:
            rows.append(groups[first + len(rows)].rows)
        ends = np.cumsum([len(each) for each in rows])[:-1]
        yield from np.split(run(np.concatenate(rows)), ends)
        first += len(rows)


def _residual(values: FloatArray, noise: float) -> tuple[float, bool]:
    """The residual of one group, and whether it says anything; values: (4 * trials, elements)."""
    parts = values.reshape(4, -1, values.shape[1])
    with np.errstate(all="ignore"):
        missed = np.abs(parts[0] + parts[1] - parts[2] - parts[3])
        beyond = missed > noise * np.abs(parts).max(axis=0)
    finite = np.isfinite(missed)
    enough = bool(finite.mean() >= _LEAST_FINITE) and bool(finite.any(axis=0).all())
    doubtful = (beyond & finite).any(axis=0)
    if not bool(doubtful.any()):
        return 0.0, enough
    parts, missed, finite = parts[:, :, doubtful], missed[:, doubtful], finite[:, doubtful]
    # The middle of the finite values, and between them.
    filled = np.where(finite, parts, np.nan)
    percentile = np.percentile if bool(finite.all()) else np.nanpercentile
    percentiles: FloatArray = percentile(filled, (10, 50, 90), axis=(0, 1))
    low, middle, high = percentiles
    widths: FloatArray = high - low
    spread = np.maximum(widths, 1e-4 * widths.max())
    furthest: FloatArray = np.where(finite, np.abs(filled - middle), 0.0).max(axis=0)
    scale = np.maximum(furthest, spread)
    with np.errstate(all="ignore"):
        shares = np.where(finite & beyond[:, doubtful], missed / scale, 0.0)
    share = float(np.nan_to_num(shares, nan=0.0, posinf=np.inf).max())
    return (share if share > TOLERANCE else 0.0), enough


def grouped(names: Sequence[str], static: StaticGraph, rows: int) -> list[list[str]]:
    """Names in groups whose values fit into memory for so many rows."""
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
