"""From many bits to few: the search behind `kan-refine-precision`.

A LUT is given a worth in loss, little at first, and more and more. At each worth every edge gets
the table of least loss and LUTs together, given all others, again and again (coordinate descent on
the Lagrangian). That leaves a network for every worth; of those that keep the budget, also on
samples that the descent never saw, the cheapest is taken. There are several starts: with codes of
hidden nodes of several widths, and with what all results have in common taken out or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kan_dialect.constants import Array, FloatArray, IntArray
from kan_dialect.errors import KanError
from kan_dialect.fpga import Estimate
from kan_dialect.precision.descent import Descent, coarsened
from kan_dialect.precision.network import TableChain
from kan_dialect.precision.objective import (
    Classes,
    Objective,
    Targets,
    one_hot,
    softmax,
    temperature,
)
from kan_dialect.precision.score import (
    is_classification,
    loss_error,
    score,
    squared_changes,
)

HIDDEN_BITS = (3, 4, 5, 6)
"""Of the codes of hidden nodes: a start for each."""
LARGE = 1 << 20
"""Edges times samples: for more, there are fewer starts and folds."""
LARGE_BITS = (5, 6)
WORTHS = tuple(np.geomspace(1e-4, 2e-2, 14).tolist())
"""Of a LUT, in loss of a sample."""
SWEEPS = 2
"""Over all edges, at each worth."""
FIRST_SWEEPS = 3
"""At the first worth: the start is rounded anyhow."""
PRIOR = 2e-5
"""Share of the samples that the given tables count as, at each entry."""
LABELS = 0.5
"""Share of the labels in what is wanted of their samples; the rest is what was given."""
SHARPNESS = 0.7
"""Of the temperature: less than 1 counts samples near the border for more, as accuracy does."""
STEP = 0.3
"""Of results, in temperatures: at most."""
HOPELESS = 4.0
"""A path ends where it loses so many times what it may, and a fiftieth more."""
MANY_SAMPLES = 8192
"""For the descent; of more, some are taken."""
FOLDS = 4
"""Splits of the samples, by turns; the first one's networks are those to choose from."""
LARGE_FOLDS = 2
SCREENED = 2
"""Starts that are followed in the other folds too: those that are cheapest in the first."""
FEW_AROUND, MANY_AROUND = 2000, 8192
"""Samples are made near those that there are: as many, within these limits."""
NEIGHBOURS = 5
"""They lie on the lines through a sample and one of so many that are nearest, ..."""
REACH = 0.3
"""... so far at most to either side, in distances between the two."""
_TOGETHER = 1024
"""Samples whose neighbours are looked for at once."""
MEASURED = 8
"""So many networks within the budget are compared, the cheapest by the search's own count."""

Progress = Callable[[int, int], None]
"""Told how many of how many steps are done."""


@dataclass(frozen=True)
class Budget:
    """What the search may give up, or must reach.

    Parameters
    ----------
    max_loss : of the score on validation samples; of accuracy, 0.01 is a point.
    max_luts, max_levels : of the design; levels of logic from inputs to outputs.
    """

    max_loss: float | None = None
    max_luts: int | None = None
    max_levels: int | None = None


@dataclass(frozen=True)
class Scores:
    """Before and after."""

    before: float
    after: float

    @property
    def loss(self) -> float:
        return self.before - self.after


@dataclass(frozen=True)
class Problem:
    """A network as it was given, with samples.

    Parameters
    ----------
    chain : its layers.
    x : real inputs (samples, in).
    labels : classes or targets (samples, ...), or None.
    given : real results (samples, out) of these inputs, as they were given.
    encode : bit patterns (in, samples) of real inputs.
    outputs : real results (samples, out) of other real inputs (samples, in).
    measure : what a chain takes on the device.
    prices : LUTs of a table's bit that depends on 0, 1, ... inputs, adding included.
    """

    chain: TableChain
    x: FloatArray
    labels: Array | None
    given: FloatArray
    encode: Callable[[FloatArray], IntArray]
    outputs: Callable[[FloatArray], FloatArray]
    measure: Callable[[TableChain], Estimate]
    prices: FloatArray

    def real(self, chain: TableChain, x: FloatArray) -> FloatArray:
        """Results (samples, out) of a chain."""
        return chain.outputs(self.encode(x)).T * chain.layers[-1].scales

    def scores(self, outputs: FloatArray, index: IntArray | slice) -> Scores:
        """Before, and with these outputs (samples, out), on the samples of some indices."""
        labels = None if self.labels is None else self.labels[index]
        given = self.given[index]
        return Scores(score(given, labels, given), score(outputs[index], labels, given))

    def changes(self, outputs: FloatArray, index: IntArray) -> float:
        """What these outputs (samples, out) change on the samples of some indices."""
        labels = None if self.labels is None else self.labels[index]
        return squared_changes(outputs[index], labels, self.given[index])


@dataclass(frozen=True)
class Candidate:
    """A network that was found, with its scores.

    Parameters
    ----------
    chain : the network.
    luts : what it costs by the search's own count; of the given network, infinite.
    calibration, validation : on all samples, and on those that the descent did not see.
    crossed : the validation score over all folds, of networks that were found in the same way.
    error : the standard error by which as many other samples as are held out may lose more.
    """

    chain: TableChain
    luts: float
    calibration: Scores
    validation: Scores
    crossed: Scores
    error: float

    @property
    def loss(self) -> float:
        """The largest of all: over all folds, a standard error more than what was seen.

        (As the rule of one standard error, Breiman et al., Classification and Regression Trees,
        1984, but of what other samples will show, not of the mean.)
        """
        crossed = self.crossed.loss + self.error
        return max(self.calibration.loss, self.validation.loss, crossed)


@dataclass(frozen=True)
class Refined:
    """What the search chose.

    Parameters
    ----------
    chosen : the network.
    estimate : what it takes.
    validation_samples : how many the descent did not see.
    networks : how many were compared.
    """

    chosen: Candidate
    estimate: Estimate
    validation_samples: int
    networks: int


@dataclass(frozen=True)
class _Fold:
    """Samples for the descent, and others."""

    codes: IntArray
    objective: Callable[[float], Objective]
    """For what one unit of the results stands for."""
    step: float
    """Of results, real."""
    rest: IntArray
    """Indices of the validation samples."""


@dataclass
class _Point:
    """A network on a path."""

    chain: TableChain
    luts: float
    calibration: Scores
    validation: Scores
    changes: float
    """Of the validation samples, see `squared_changes`."""


def refine(
    problem: Problem,
    budget: Budget,
    *,
    validation: float = 0.25,
    seed: int = 0,
    progress: Progress = lambda _, __: None,
) -> Refined:
    """The cheapest network within the budget; with `max_luts`, the best one.

    Parameters
    ----------
    validation : share of the samples that the descent does not see.
    seed : of the split and of the order of edges.

    Raises
    ------
    KanError : there are too few samples, or no network was found that keeps the budget.
    """
    folds = list(_folds(problem, validation, seed))
    starts = _starts(problem)
    further = 1 if _is_large(problem) else min(SCREENED, len(starts))
    steps = (len(starts) + further * (len(folds) - 1)) * len(WORTHS)
    done = 0

    def follow(start: tuple[int, bool], number: int) -> list[_Point]:
        """A path in one fold, as far as it is worth it."""
        nonlocal done
        rng = np.random.default_rng([seed, *start, number])
        points: list[_Point] = []
        for point in _path(problem, folds[number], *start, rng):
            points.append(point)
            progress(done + len(points), steps + 1)
            if (
                point.validation.loss
                > HOPELESS * (0.05 if budget.max_loss is None else budget.max_loss) + 0.02
            ):
                break
        done += len(WORTHS)
        return points

    paths = {start: [follow(start, 0)] for start in starts}
    starts.sort(key=lambda start: _cheapest(paths[start][0], budget))
    for start in starts[:further]:
        paths[start] += [follow(start, number) for number in range(1, len(folds))]
    weights = [len(fold.rest) for fold in folds]
    candidates = [
        _candidate(points, weights)
        for start in starts[:further]
        for points in zip(*paths[start], strict=False)
    ]
    every = slice(None)
    same, held = problem.scores(problem.given, every), problem.scores(problem.given, folds[0].rest)
    given = Candidate(problem.chain, np.inf, same, held, held, 0.0)
    chosen, estimate = _choose(problem, budget, [*candidates, given])
    progress(steps + 1, steps + 1)
    return Refined(chosen, estimate, len(folds[0].rest), len(candidates))


def _cheapest(points: Sequence[_Point], budget: Budget) -> tuple[float, float]:
    """How promising a path is, least first: LUTs within the budget, or loss."""
    losses = [max(point.validation.loss, point.calibration.loss) for point in points]
    if budget.max_luts is not None:
        most = budget.max_luts
        few = [loss for point, loss in zip(points, losses, strict=True) if point.luts <= most]
        return min(few, default=np.inf), 0.0
    most_loss = np.inf if budget.max_loss is None else budget.max_loss
    kept = [point.luts for point, loss in zip(points, losses, strict=True) if loss <= most_loss]
    return min(kept, default=np.inf), min(losses)


def _candidate(points: Sequence[_Point], weights: Sequence[int]) -> Candidate:
    """The network of the first fold, with what those of all folds tell about it."""
    first = points[0]
    crossed = Scores(
        float(np.average([point.validation.before for point in points], weights=weights)),
        float(np.average([point.validation.after for point in points], weights=weights)),
    )
    changes = sum(point.changes for point in points)
    error = loss_error(changes, sum(weights), weights[0])
    return Candidate(first.chain, first.luts, first.calibration, first.validation, crossed, error)


def _choose(
    problem: Problem, budget: Budget, candidates: Sequence[Candidate]
) -> tuple[Candidate, Estimate]:
    """The network to take, and what it takes.

    Raises
    ------
    KanError : none keeps the budget.
    """
    kept = [
        each
        for each in candidates
        if budget.max_loss is None or each.loss <= budget.max_loss + 1e-12
    ]
    best_first = budget.max_luts is not None
    kept.sort(key=lambda each: (each.loss, each.luts) if best_first else (each.luts, each.loss))
    enough = 1 if best_first else MEASURED
    found: list[tuple[Candidate, Estimate]] = []
    measured: list[Estimate] = []
    for each in kept:
        # The given network too: none of the others need be cheaper.
        if len(found) >= enough and (best_first or np.isfinite(each.luts)):
            continue
        estimate = problem.measure(each.chain)
        measured.append(estimate)
        if budget.max_luts is not None and estimate.luts > budget.max_luts:
            continue
        if budget.max_levels is not None and estimate.levels > budget.max_levels:
            continue
        found.append((each, estimate))
    if not found:
        fewest = min(each.luts for each in measured), min(each.levels for each in measured)
        raise KanError(
            f"no network keeps the budget: of {len(measured)} that lose no more than they may, the "
            f"fewest LUTs are {fewest[0]}, the fewest levels {fewest[1]}",
            remedy="allow more loss, LUTs or levels",
        )
    # Of equal ones the given network, if it is one of them.
    return min(found, key=lambda each: (each[1].luts, np.isfinite(each[0].luts)))


def _is_large(problem: Problem) -> bool:
    return problem.chain.edges * min(len(problem.x), MANY_SAMPLES) > LARGE


def _starts(problem: Problem) -> list[tuple[int, bool]]:
    """Bits of hidden codes; and whether what all results have in common is taken out."""
    layers = problem.chain.layers
    sizes = [int(layer.sizes.max()) for layer in layers if layer.sizes is not None]
    widest = (max(sizes) - 1).bit_length() if sizes else HIDDEN_BITS[0]
    large = _is_large(problem)
    widths = [bits for bits in (LARGE_BITS if large else HIDDEN_BITS) if bits <= widest]
    widths = widths or [widest]
    if not sizes:
        widths = widths[:1]
    classes = is_classification(problem.labels, len(layers[-1].bias))
    both = (False, True) if classes and len(layers[-1].bias) > 1 and not large else (False,)
    return [(bits, common) for bits in widths for common in both]


def _folds(problem: Problem, validation: float, seed: int) -> Iterator[_Fold]:
    x, labels = problem.x, problem.labels
    count = len(x)
    held = round(count * validation)
    if min(held, count - held) < 2:
        raise KanError(
            f"{count} samples are too few to choose by and to validate with",
            remedy="give more calibration samples, with labels",
        )
    order = np.random.default_rng(seed).permutation(count)
    most = LARGE_FOLDS if _is_large(problem) else FOLDS
    for number in range(max(1, min(most, count // held))):
        rest = np.sort(order[number * held : (number + 1) * held])
        seen = np.setdiff1d(order, rest)
        rng = np.random.default_rng([seed, number])
        if len(seen) > MANY_SAMPLES:
            seen = np.sort(rng.permutation(seen)[:MANY_SAMPLES])
        some = None if labels is None else labels[seen]
        yield _fold(problem, x[seen], some, rest, rng)


def _between(x: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A sample near each sample (samples, in), on the way to another or the opposite one.

    So they lie where samples lie. (Chawla et al., SMOTE: synthetic minority over-sampling
    technique, JAIR 16, 2002, which stays between the two.)
    """
    scale = x.std(axis=0)
    unit = (x / np.where(scale > 0, scale, 1.0)).astype(np.float32)
    lengths = (unit**2).sum(axis=1)
    others = np.empty(len(x), dtype=np.int64)
    few = min(NEIGHBOURS, len(x) - 1)
    for start in range(0, len(x), _TOGETHER):
        rows = np.arange(start, min(start + _TOGETHER, len(x)))
        distances = lengths - 2 * unit[rows] @ unit.T
        distances[np.arange(len(rows)), rows] = np.inf
        nearest = np.argpartition(distances, few - 1, axis=1)[:, :few]
        others[rows] = nearest[np.arange(len(rows)), rng.integers(few, size=len(rows))]
    share = rng.uniform(-REACH, REACH, size=(len(x), 1))
    return x + share * (x[others] - x)


def _fold(
    problem: Problem,
    x: FloatArray,
    labels: Array | None,
    rest: IntArray,
    rng: np.random.Generator,
) -> _Fold:
    """What the descent sees: samples, and more around them."""
    given = problem.outputs(x).T
    copies = -(-FEW_AROUND // len(x))
    around = np.concatenate([_between(x, rng) for _ in range(copies)])[:MANY_AROUND]
    near = problem.outputs(around).T
    codes = problem.encode(np.concatenate([x, around]))
    outputs = len(given)
    if is_classification(labels, outputs) or (labels is None and outputs > 1):
        flat = None if labels is None else labels.reshape(-1).astype(np.int64)
        heat = SHARPNESS * temperature(given, flat)
        soft = softmax(given / heat)
        targets = soft
        if flat is not None:
            targets = LABELS * one_hot(flat, outputs) + (1 - LABELS) * soft
        whole = np.concatenate([targets, softmax(near / heat)], axis=1)
        return _Fold(codes, lambda unit: Classes(whole, unit / heat), STEP * heat, rest)
    wanted = given if labels is None else labels.reshape(len(labels), -1).T.astype(np.float64)
    heat = (float(wanted.std()) or 1.0) / 4
    whole = np.concatenate([wanted, near], axis=1) / heat
    return _Fold(codes, lambda unit: Targets(whole, unit / heat), STEP * heat, rest)


def _path(
    problem: Problem, fold: _Fold, bits: int, common: bool, rng: np.random.Generator
) -> Iterator[_Point]:
    """Networks from a start on, dear ones first."""
    last = problem.chain.layers[-1]
    chain = coarsened(problem.chain, bits, fold.step / float(last.scales[0]), fold.codes)
    if common:
        tables = chain.layers[-1].tables
        tables -= tables[:1].copy()
    unit = float(chain.layers[-1].scales[0])
    descent = Descent(chain, fold.codes, fold.objective(unit), problem.prices)
    for number, worth in enumerate(WORTHS):
        for _ in range(FIRST_SWEEPS if number == 0 else SWEEPS):
            descent.sweep(worth, PRIOR, rng)
        luts = float(sum(each.sum() for each in descent.luts))
        outputs = problem.real(chain, problem.x)
        every = problem.scores(outputs, slice(None))
        held = problem.scores(outputs, fold.rest)
        yield _Point(chain.copy(), luts, every, held, problem.changes(outputs, fold.rest))
