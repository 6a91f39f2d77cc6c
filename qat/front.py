"""The front of a training: which networks are worth compiling, by their held-out scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kan_dialect.ir.constants import FloatArray
from kan_dialect.qat.descent import Kept, Record, Run

NEIGHBOURS = 3
"""Records before and after one that its held-out score is averaged with."""


@dataclass(frozen=True)
class Candidate:
    """A network that may be on the front, before it is compiled."""

    kept: Kept
    price: float
    score: float
    error: float


def held_out_scores(runs: Sequence[Sequence[Record]], count: int) -> tuple[FloatArray, FloatArray]:
    """Mean score and its standard error at each record, over the held-out samples of all runs.

    Each is a mean over `NEIGHBOURS` records on both sides: a network changes from step to step,
    and the score of a few samples with it. A run that ended early is at its last record from then
    on.

    Parameters
    ----------
    runs : records of each run, at the same steps.
    count : number of records to give, at least as many as each run has.
    """
    padded = [[*records, *[records[-1]] * (count - len(records))] for records in runs]
    scores = np.stack(
        [np.concatenate([r.held_out for r in each]) for each in zip(*padded, strict=True)]
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
