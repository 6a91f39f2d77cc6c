"""From many bits to few: the search behind `kan-refine-precision`.

A LUT is given a worth in loss, little at first, and more and more. At each worth every edge gets
the table of least loss and LUTs together, given all others, again and again (coordinate descent on
the Lagrangian). That leaves a network for every worth; of those that keep the budget, also on
samples that the descent never saw (`judge`), the cheapest is taken. There are several starts: the
network as it was given, and with codes of hidden nodes of several widths. A table stays until
another is worth more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile, zip_longest

import numpy as np

from kan_dialect.devices.estimate import Estimate
from kan_dialect.errors import KanError
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.search.precision.budgets import Allowed
from kan_dialect.search.precision.descent import Descent, coarsened
from kan_dialect.search.precision.judge import (
    FEW_AROUND,
    Judge,
    Shown,
    around,
    others_for,
    together,
)
from kan_dialect.search.precision.network import TableChain
from kan_dialect.search.precision.objective import (
    Classes,
    Objective,
    Targets,
    softmax,
    temperature,
)
from kan_dialect.search.precision.score import is_classification, score

HIDDEN_BITS = (3, 4, 5, 6)
"""Of the codes of hidden nodes: a start for each, with coarser results; one more is as given."""
LARGE = 1 << 18
"""Edges times samples: for more, there are fewer starts and splits."""
LARGE_BITS = (5, 6)
SMALL = 1 << 16
"""Edges times samples, those made near them too: for less, there are more paths from each start."""
ORDERS = 4
"""So many, which look at the edges in other orders."""
WORTHS = tuple(np.geomspace(5e-5, 1e-2, 18).tolist())
"""Of a LUT, in loss of a sample; at each, all edges are looked at once."""
PRIOR = 2e-5
"""Share of the samples that the given tables count as, at each entry."""
SHARPNESS = 0.7
"""Of the temperature: less than 1 counts samples near the border for more, as accuracy does."""
STEP = 0.3
"""Of results, in temperatures: at most."""
HOPELESS = 4.0
"""A path ends where others may lose so many times what they may, and a fiftieth more, ..."""
FEW_CHANGED = 0.05
"""... but not before it changes more of the decisions than this. Networks up to there say how many
of those are lost."""
MANY_SAMPLES = 8192
"""For the descent; of more, some are taken."""
FOLDS = 4
"""Splits of the samples, by turns, at most; each sample is held out once at most."""
ENOUGH_HELD = 1000
"""So many samples held out tell enough of a network; of fewer, those of all splits count."""
LARGE_FOLDS = 2
MEASURED = 24
"""So many networks within the budget are compared, the cheapest by the search's own count."""

Progress = Callable[[int, int], None]
"""Told how many of how many steps are done."""


@dataclass(frozen=True)
class Budget:
    """What the search may give up, or must reach.

    Parameters
    ----------
    max_loss : of the score, from the reference; of accuracy, 0.01 is a point.
    max_luts, max_levels : of the design; levels of logic from inputs to outputs.
    limits : of errors on the samples, if there are any.
    """

    max_loss: float | None = None
    max_luts: int | None = None
    max_levels: int | None = None
    limits: Allowed | None = None


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
    reference : those that losses count from, the float model's; None: `given`.
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
    reference: FloatArray | None = None

    @property
    def origin(self) -> FloatArray:
        """Real results (samples, out) that losses count from."""
        return self.given if self.reference is None else self.reference

    def real(self, chain: TableChain, x: FloatArray) -> FloatArray:
        """Results (samples, out) of a chain."""
        return chain.outputs(self.encode(x)).T * chain.layers[-1].scales

    def scores(self, outputs: FloatArray, index: IntArray | slice) -> Scores:
        """Before, and with these outputs (samples, out), on the samples of some indices."""
        labels = None if self.labels is None else self.labels[index]
        origin = self.origin[index]
        return Scores(score(origin, labels, origin), score(outputs[index], labels, origin))


@dataclass(frozen=True)
class Candidate:
    """A network that was found, with its scores.

    Parameters
    ----------
    chain : the network.
    luts : what it costs by the search's own count; of the given network, infinite.
    calibration, validation : on all samples, and on those that the descent did not see.
    others : what other samples will lose at most, see `Shown.loss_of`, by the samples that the
        descent did not see, and by those of all splits with networks found in the same way.
    within : whether it keeps the limits of errors.
    """

    chain: TableChain
    luts: float
    calibration: Scores
    validation: Scores
    others: float
    within: bool = True

    @property
    def loss(self) -> float:
        """The largest of all."""
        return max(self.calibration.loss, self.validation.loss, self.others)


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
    judge: Judge
    """Has the validation samples."""


@dataclass
class _Point:
    """A network on a path."""

    chain: TableChain
    luts: float
    calibration: Scores
    validation: Scores
    shown: Shown
    whole: Shown
    """By all samples, those that the descent saw too."""
    within: bool
    """Whether it keeps the limits of errors on all samples."""


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
    KanError : there are too few samples, no network was found that keeps the budget, or the given
        one loses more than that from the float model.
    """
    every = slice(None)
    same = problem.scores(problem.given, every)
    within = _within(budget.limits, problem.given)
    if not within or (budget.max_loss is not None and same.loss > budget.max_loss + 1e-12):
        raise _none_within(problem, budget, same)
    folds = list(_folds(problem, validation, seed))
    held = len(folds[0].judge.held)
    others = others_for(held, budget.max_loss)
    hopeless = HOPELESS * (0.05 if budget.max_loss is None else budget.max_loss) + 0.02
    starts = [(bits, order) for bits in _starts(problem) for order in range(_orders(problem))]
    steps = len(starts) * len(folds) * len(WORTHS) + 1
    done = 0

    def follow(start: int | None, order: int, number: int) -> list[_Point]:
        """A path in one fold, as far as it is worth it."""
        nonlocal done
        rng = np.random.default_rng([seed, start or 0, number, order])
        points: list[_Point] = []
        for point in _path(problem, folds[number], start, rng, budget.limits):
            points.append(point)
            progress(done + len(points), steps)
            shown = point.shown
            if shown.loss_of(others) > hopeless and (
                not shown.decisions or shown.share_changed > FEW_CHANGED
            ):
                break
        done += len(WORTHS)
        return points

    paths = [[follow(*start, number) for number in range(len(folds))] for start in starts]
    candidates = _candidates(paths, others)
    given = Candidate(
        problem.chain, np.inf, same, problem.scores(problem.given, folds[0].judge.held), 0.0
    )
    # A network that always answers the same is none, unless it was one before.
    some = [each for each in candidates if not each.chain.is_constant]
    chosen, estimate = _choose(problem, budget, [*some, given])
    progress(steps, steps)
    return Refined(chosen, estimate, held, len(candidates))


def _candidates(paths: Sequence[Sequence[Sequence[_Point]]], others: int) -> list[Candidate]:
    """The networks of all folds, with what those of the same start and worth tell about them.

    Parameters
    ----------
    paths : of each start and order, in each fold.
    others : see `Shown.loss_of`.
    """
    every = [fold for folds in paths for fold in folds]
    few = [
        point.shown
        for points in every
        for point in takewhile(lambda point: point.shown.share_changed <= FEW_CHANGED, points)
    ]
    # How much of a change is lost: what all networks say has little to do with the luck of one.
    lost = together(few).share_lost if few else 1.0
    found: list[Candidate] = []
    for folds in paths:
        few = folds[0][0].shown.samples < ENOUGH_HELD
        for points in zip_longest(*folds):
            there = [point for point in points if point is not None]
            if few and len(there) < len(folds):
                # Where one is hopeless, the others are lucky.
                break
            crossed = together([point.shown for point in there])
            for point in there:
                # Few samples are learnt by heart; of many, those that the descent saw count, too.
                shown = point.shown, crossed if few else point.whole
                at_most = max(each.loss_of(others, lost) for each in shown)
                found.append(
                    Candidate(
                        point.chain,
                        point.luts,
                        point.calibration,
                        point.validation,
                        at_most,
                        point.within,
                    )
                )
    return found


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
        if each.within and (budget.max_loss is None or each.loss <= budget.max_loss + 1e-12)
    ]
    if not kept:
        raise _none_within(problem, budget, candidates[-1].validation)
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


def _within(limits: Allowed | None, outputs: FloatArray) -> bool:
    return limits is None or limits.problem(outputs) is None


def _none_within(problem: Problem, budget: Budget, lost: Scores) -> KanError:
    """Why nothing keeps the budget: the network as it was given does not, by these scores."""
    remedy = "start from more bits (--bits auto, or bits of kan-quantize), or allow more"
    reason = None if budget.limits is None else budget.limits.problem(problem.given)
    if reason is not None:
        return KanError(f"the network that bits are taken from has {reason}", remedy=remedy)
    assert budget.max_loss is not None
    return KanError(
        f"the network that bits are taken from loses {100 * lost.loss:.2f} % of the float "
        f"model's score already, {lost.before:.4f} to {lost.after:.4f}; "
        f"{100 * budget.max_loss:.2f} % may be lost",
        remedy=remedy,
    )


def _is_large(problem: Problem) -> bool:
    return problem.chain.edges * min(len(problem.x), MANY_SAMPLES) > LARGE


def _orders(problem: Problem) -> int:
    """How many paths are followed from each start."""
    samples = max(FEW_AROUND, min(len(problem.x), MANY_SAMPLES))
    return ORDERS if problem.chain.edges * samples <= SMALL else 1


def _starts(problem: Problem) -> list[int | None]:
    """Bits of hidden codes, at most; None is the network as it was given."""
    layers = problem.chain.layers
    sizes = [int(layer.sizes.max()) for layer in layers if layer.sizes is not None]
    if not sizes:
        return [HIDDEN_BITS[0], None]
    widest = (max(sizes) - 1).bit_length()
    widths = LARGE_BITS if _is_large(problem) else HIDDEN_BITS
    fewer = [bits for bits in widths if bits <= widest]
    return [*(fewer or [widest]), None]


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
        judge = Judge(
            x,
            labels,
            problem.origin,
            problem.outputs,
            rest,
            [seed, number, 1],
            decided=problem.given,
        )
        yield _fold(problem, x[seen], some, judge, rng)


def _fold(
    problem: Problem,
    x: FloatArray,
    labels: Array | None,
    judge: Judge,
    rng: np.random.Generator,
) -> _Fold:
    """What the descent sees: samples, and more around them."""
    given = problem.outputs(x).T
    more = around(x, FEW_AROUND, rng)
    near = problem.outputs(more).T
    codes = problem.encode(np.concatenate([x, more]))
    outputs = len(given)
    if is_classification(labels, outputs) or (labels is None and outputs > 1):
        flat = None if labels is None else labels.reshape(-1).astype(np.int64)
        heat = SHARPNESS * temperature(given, flat)
        whole = softmax(np.concatenate([given, near], axis=1) / heat)
        return _Fold(codes, lambda unit: Classes(whole, unit / heat), STEP * heat, judge)
    wanted = given if labels is None else labels.reshape(len(labels), -1).T.astype(np.float64)
    heat = (float(wanted.std()) or 1.0) / 4
    whole = np.concatenate([wanted, near], axis=1) / heat
    return _Fold(codes, lambda unit: Targets(whole, unit / heat), STEP * heat, judge)


def _path(
    problem: Problem,
    fold: _Fold,
    start: int | None,
    rng: np.random.Generator,
    limits: Allowed | None,
) -> Iterator[_Point]:
    """Networks from a start on, dear ones first."""
    last = problem.chain.layers[-1]
    chain = problem.chain.copy()
    if start is not None:
        chain = coarsened(chain, start, fold.step / float(last.scales[0]), fold.codes)
    unit = float(chain.layers[-1].scales[0])
    descent = Descent(chain, fold.codes, fold.objective(unit), problem.prices)
    judge = fold.judge
    for worth in WORTHS:
        descent.sweep(worth, PRIOR, rng)
        luts = float(sum(each.sum() for each in descent.luts))
        outputs = problem.real(chain, problem.x)
        every = problem.scores(outputs, slice(None))
        held = problem.scores(outputs, judge.held)
        shown = judge.shown(outputs, lambda x: problem.real(chain, x))
        within = _within(limits, outputs)
        yield _Point(chain.copy(), luts, every, held, shown, judge.whole(outputs), within)
