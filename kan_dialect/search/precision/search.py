"""From many bits to few: the search behind `kan-refine-precision`.

A LUT gets a worth in loss, which rises step by step. At each worth every edge gets the table of
least loss plus worth times LUTs, given all other edges (coordinate descent on the Lagrangian). That
leaves a network for each worth. The search takes the cheapest one that keeps the budget, also on
held-out samples (`judge`). It starts from the given network, and from codes of hidden nodes of
several widths. An edge keeps its table unless another one is strictly better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile, zip_longest

import numpy as np

from kan_dialect.devices.estimate import Estimate
from kan_dialect.errors import KanError
from kan_dialect.search.precision.judge import Evidence, combined, others_for
from kan_dialect.search.precision.limits import SearchLimits
from kan_dialect.search.precision.paths import PathPoint, folds, orders, path, starts
from kan_dialect.search.precision.problem import Budget, Candidate, Problem, Refined, Scores

LIMITS = SearchLimits()
"""Limits of the search."""

Progress = Callable[[int, int], None]
"""Called with the number of steps done and of all steps."""


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
    validation : share of the samples that are held out.
    seed : of the splits and of the order of edges.

    Raises
    ------
    KanError : there are too few samples, no network keeps the budget, or the given one exceeds it.
    """
    limits = LIMITS
    same = problem.scores(problem.given, slice(None))
    within = budget.limits.problem(problem.given) is None
    if not within or (budget.max_loss is not None and same.loss > budget.max_loss + 1e-12):
        raise _none_within(problem, budget, same)
    splits = list(folds(problem, validation, seed, limits))
    held = len(splits[0].judge.held)
    others = others_for(held, budget.max_loss)
    every = range(orders(problem, limits))
    tried = [(bits, order) for bits in starts(problem, limits) for order in every]
    steps = len(tried) * len(splits) * len(limits.worths) + 1
    done = 0

    def follow(start: int | None, order: int, number: int) -> list[PathPoint]:
        """A path on one split, until it is hopeless."""
        nonlocal done
        rng = np.random.default_rng([seed, start or 0, number, order])
        points: list[PathPoint] = []
        for point in path(problem, splits[number], start, rng, budget.limits, limits):
            points.append(point)
            progress(done + len(points), steps)
            if _is_hopeless(point.held_out, budget, others, limits):
                break
        done += len(limits.worths)
        return points

    paths = [[follow(*start, number) for number in range(len(splits))] for start in tried]
    candidates = _candidates(paths, others, limits)
    given = Candidate(
        problem.chain, np.inf, same, problem.scores(problem.given, splits[0].judge.held), 0.0
    )
    # Constant outputs are rejected, unless the given network has constant outputs.
    some = [each for each in candidates if not each.chain.is_constant]
    chosen, estimate = _choose(problem, budget, [*some, given], limits.measured)
    progress(steps, steps)
    return Refined(chosen, estimate, held, len(candidates))


def _is_hopeless(evidence: Evidence, budget: Budget, others: int, limits: SearchLimits) -> bool:
    """Whether a path ends: its network, and cheaper ones, lose far more than the budget."""
    most = limits.hopeless_loss if budget.max_loss is None else budget.max_loss
    if evidence.loss_of(others) <= limits.hopeless * most + limits.hopeless_more:
        return False
    return not evidence.decisions or evidence.share_changed > limits.changed_share


def _candidates(
    paths: Sequence[Sequence[Sequence[PathPoint]]], others: int, limits: SearchLimits
) -> list[Candidate]:
    """The networks of all splits; those of the same start and worth are judged together.

    Parameters
    ----------
    paths : of each start and order, on each split.
    others : see `Evidence.loss_of`.
    """
    every = [points for splits in paths for points in splits]
    few = [
        point.held_out
        for points in every
        for point in takewhile(
            lambda point: point.held_out.share_changed <= limits.changed_share, points
        )
    ]
    # The share of changes that is lost is that of all networks, which depends little on luck.
    lost = combined(few).share_lost if few else 1.0
    found: list[Candidate] = []
    for splits in paths:
        few = splits[0][0].held_out.samples < limits.held_samples
        for points in zip_longest(*splits):
            there = [point for point in points if point is not None]
            if few and len(there) < len(splits):
                # If the network of one split is hopeless, those of the others are lucky.
                break
            crossed = combined([point.held_out for point in there])
            for point in there:
                # Few samples are learnt by heart; of many, seen samples count too.
                evidence = point.held_out, crossed if few else point.on_all
                at_most = max(each.loss_of(others, lost) for each in evidence)
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
    problem: Problem, budget: Budget, candidates: Sequence[Candidate], measured: int
) -> tuple[Candidate, Estimate]:
    """The chosen network and its resources.

    Parameters
    ----------
    candidates : the given network last.
    measured : networks within the budget that are estimated, the cheapest ones.

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
    enough = 1 if best_first else measured
    found: list[tuple[Candidate, Estimate]] = []
    estimates: list[Estimate] = []
    for each in kept:
        # The given network is always estimated, as the others may cost more.
        if len(found) >= enough and (best_first or np.isfinite(each.luts)):
            continue
        estimate = problem.measure(each.chain)
        estimates.append(estimate)
        if budget.max_luts is not None and estimate.luts > budget.max_luts:
            continue
        if budget.max_levels is not None and estimate.levels > budget.max_levels:
            continue
        found.append((each, estimate))
    if not found:
        fewest = min(each.luts for each in estimates), min(each.levels for each in estimates)
        raise KanError(
            f"no network keeps the budget: of {len(estimates)} that lose no more than they may, "
            f"the fewest LUTs are {fewest[0]}, the fewest levels {fewest[1]}",
            remedy="allow more loss, LUTs or levels",
        )
    # Of equally cheap ones, the given network.
    return min(found, key=lambda each: (each[1].luts, np.isfinite(each[0].luts)))


def _none_within(problem: Problem, budget: Budget, lost: Scores) -> KanError:
    """The error that the given network, of these scores, exceeds the budget."""
    remedy = "start from more bits (--bits auto, or bits of kan-quantize), or allow more"
    reason = budget.limits.problem(problem.given)
    if reason is not None:
        return KanError(f"the network that bits are taken from has {reason}", remedy=remedy)
    assert budget.max_loss is not None
    return KanError(
        f"the network that bits are taken from loses {100 * lost.loss:.2f} % of the float "
        f"model's score already, {lost.before:.4f} to {lost.after:.4f}; "
        f"{100 * budget.max_loss:.2f} % may be lost",
        remedy=remedy,
    )
