"""Paths of networks from many LUTs to few, each from one start on one split of the samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.files.sample_parts import held_parts
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.search.precision.budgets import Allowed
from kan_dialect.search.precision.descent import Descent, coarsened
from kan_dialect.search.precision.judge import Evidence, Judge, around
from kan_dialect.search.precision.limits import SearchLimits
from kan_dialect.search.precision.network import TableChain
from kan_dialect.search.precision.objective import (
    Classes,
    Objective,
    Targets,
    softmax,
    temperature,
)
from kan_dialect.search.precision.problem import Problem, Scores
from kan_dialect.search.precision.score import is_classification


@dataclass(frozen=True)
class Fold:
    """A split of the samples: those that the descent sees, and a judge with the others."""

    codes: IntArray
    objective: Callable[[float], Objective]
    """Objective of the seen samples, for the size of a unit of the results."""
    step: float
    """Step of the real results."""
    judge: Judge


@dataclass
class PathPoint:
    """A network on a path."""

    chain: TableChain
    luts: float
    calibration: Scores
    validation: Scores
    held_out: Evidence
    """Evidence of the held-out samples."""
    on_all: Evidence
    """Evidence of all samples."""
    within: bool
    """It keeps the limits of errors on all samples."""


def _is_large(problem: Problem, limits: SearchLimits) -> bool:
    return problem.chain.edges * min(len(problem.x), limits.seen_samples) > limits.large


def orders(problem: Problem, limits: SearchLimits) -> int:
    """Number of paths from each start."""
    samples = max(limits.made_samples, min(len(problem.x), limits.seen_samples))
    return limits.orders if problem.chain.edges * samples <= limits.small else 1


def starts(problem: Problem, limits: SearchLimits) -> list[int | None]:
    """Most bits of hidden codes at each start; None is the given network."""
    layers = problem.chain.layers
    sizes = [int(layer.sizes.max()) for layer in layers if layer.sizes is not None]
    if not sizes:
        return [limits.hidden_bits[0], None]
    widest = (max(sizes) - 1).bit_length()
    large = _is_large(problem, limits)
    widths = limits.hidden_bits_large if large else limits.hidden_bits
    fewer = [bits for bits in widths if bits <= widest]
    return [*(fewer or [widest]), None]


def folds(problem: Problem, validation: float, seed: int, limits: SearchLimits) -> Iterator[Fold]:
    """Splits of the samples, whose held-out parts do not overlap.

    Raises
    ------
    KanError : there are too few samples.
    """
    x, labels = problem.x, problem.labels
    count = len(x)
    held = max(round(count * validation), 1)
    parts = held_parts(x, held, seed)
    if min(len(parts[0]), count - len(parts[0])) < 2:
        raise KanError(
            f"{count} samples are too few to choose by and to validate with",
            remedy="give more calibration samples, with labels",
        )
    most = limits.splits_large if _is_large(problem, limits) else limits.splits
    for number, part in enumerate(parts[: max(1, min(most, count // held))]):
        rest = np.sort(part)
        seen = np.setdiff1d(np.arange(count), rest)
        rng = np.random.default_rng([seed, number])
        if len(seen) > limits.seen_samples:
            seen = np.sort(rng.permutation(seen)[: limits.seen_samples])
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
        yield _fold(problem, x[seen], some, judge, rng, limits)


def _fold(
    problem: Problem,
    x: FloatArray,
    labels: Array | None,
    judge: Judge,
    rng: np.random.Generator,
    limits: SearchLimits,
) -> Fold:
    """A split whose seen samples are `x` and samples made near them."""
    given = problem.outputs(x).T
    more = around(x, limits.made_samples, rng)
    near = problem.outputs(more).T
    codes = problem.encode(np.concatenate([x, more]))
    outputs = len(given)
    if is_classification(labels, outputs) or (labels is None and outputs > 1):
        flat = None if labels is None else labels.reshape(-1).astype(np.int64)
        heat = limits.sharpness * temperature(given, flat)
        whole = softmax(np.concatenate([given, near], axis=1) / heat)
        return Fold(
            codes, lambda unit: Classes(whole, unit / heat), limits.result_step * heat, judge
        )
    wanted = given if labels is None else labels.reshape(len(labels), -1).T.astype(np.float64)
    heat = (float(wanted.std()) or 1.0) / 4
    whole = np.concatenate([wanted, near], axis=1) / heat
    step = limits.result_step * heat
    return Fold(codes, lambda unit: Targets(whole, unit / heat), step, judge)


def path(
    problem: Problem,
    fold: Fold,
    start: int | None,
    rng: np.random.Generator,
    allowed: Allowed,
    limits: SearchLimits,
) -> Iterator[PathPoint]:
    """Networks from a start, those of most LUTs first.

    Parameters
    ----------
    start : see `starts`.
    rng : of the order of edges.
    allowed : limits of errors.
    """
    last = problem.chain.layers[-1]
    chain = problem.chain.copy()
    if start is not None:
        chain = coarsened(chain, start, fold.step / float(last.scales[0]), fold.codes)
    unit = float(chain.layers[-1].scales[0])
    descent = Descent(chain, fold.codes, fold.objective(unit), problem.prices)
    judge = fold.judge
    for worth in limits.worths:
        descent.sweep(worth, limits.prior, rng)
        luts = float(sum(each.sum() for each in descent.luts))
        outputs = problem.real(chain, problem.x)
        every = problem.scores(outputs, slice(None))
        held = problem.scores(outputs, judge.held)
        held_out = judge.held_out(outputs, lambda x: problem.real(chain, x))
        within = allowed.problem(outputs) is None
        yield PathPoint(chain.copy(), luts, every, held, held_out, judge.on_all(outputs), within)
