"""The front of a training: which networks are worth having, and which one is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kan_dialect.api.network import Network
from kan_dialect.ir.constants import FloatArray
from kan_dialect.qat.descent import Kept, Record, Run

NEIGHBOURS = 3
"""Records before and after one that its held-out score is averaged with."""


@dataclass(frozen=True)
class Point:
    """A network of the front."""

    network: Network
    """At table level."""
    price: float
    """Loss that a LUT was worth."""
    score: float
    """Mean score of held-out samples at this price."""
    error: float
    """Standard error of `score`."""
    luts: int
    registers: int
    levels: int
    """Figures by the target's estimate, after `kan-compile`."""


@dataclass(frozen=True)
class Candidate:
    """A network that may be on the front, before it is compiled."""

    kept: Kept
    price: float
    score: float
    error: float


def held_out_scores(runs: Sequence[Sequence[Record]]) -> tuple[FloatArray, FloatArray]:
    """Mean score and its standard error at each record, over the held-out samples of all runs.

    Each is a mean over `NEIGHBOURS` records on both sides: a network changes from step to step,
    and the score of a few samples with it.
    """
    scores = np.stack(
        [np.concatenate([r.held_out for r in each]) for each in zip(*runs, strict=True)]
    )
    means = _smoothed(scores.mean(axis=1))
    errors = _smoothed(scores.std(axis=1)) / np.sqrt(scores.shape[1])
    return means, errors


def _smoothed(values: FloatArray) -> FloatArray:
    padded = np.pad(values, NEIGHBOURS, mode="edge")
    return np.convolve(padded, np.full(2 * NEIGHBOURS + 1, 1.0 / (2 * NEIGHBOURS + 1)), "valid")


def candidates(run: Run, scores: FloatArray, errors: FloatArray) -> list[Candidate]:
    """Networks worth compiling, the largest first: no smaller one has as good a score."""
    found: list[Candidate] = []
    best = -np.inf
    for size in sorted(run.kept):
        kept = run.kept[size]
        if scores[kept.record] > best:
            best = float(scores[kept.record])
            price = run.records[kept.record].price
            found.append(Candidate(kept, price, best, float(errors[kept.record])))
    return found[::-1]


def choose(points: Sequence[Point], most_luts: int | None) -> Point | None:
    """The cheapest network whose score is within a standard error of the best one's.

    That is the rule of one standard error (Breiman et al., Classification and Regression Trees,
    1984, section 3.4.3). Only networks of at most `most_luts` take part; None if there is none.
    """
    possible = [point for point in points if most_luts is None or point.luts <= most_luts]
    if not possible:
        return None
    best = max(possible, key=lambda point: point.score)
    good = [point for point in possible if point.score >= best.score - best.error]
    return min(good, key=lambda point: (point.luts, -point.score))


def is_dominated(point: Point, others: Sequence[Point]) -> bool:
    """Whether another network has at least the score with fewer LUTs, or more with as many."""
    return any(
        (other.luts < point.luts and other.score >= point.score)
        or (other.luts == point.luts and other.score > point.score)
        for other in others
    )
