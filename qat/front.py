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
class HeldOut:
    """What held-out samples say of a network: means, and their standard errors."""

    score: float
    error: float
    loss: float
    loss_error: float


@dataclass(frozen=True)
class Candidate:
    """A network that may be on the front, before it is compiled."""

    kept: Kept
    price: float
    held_out: HeldOut


def held_out_means(runs: Sequence[Sequence[Record]], count: int) -> list[HeldOut]:
    """Means and standard errors at each record, over the held-out samples of all runs.

    Each is a mean over `NEIGHBOURS` records on both sides: a network changes from step to step,
    and the score of a few samples with it. A run that ended early is at its last record from then
    on.

    Parameters
    ----------
    runs : records of each run, at the same steps.
    count : number of records to give, at least as many as each run has.
    """
    padded = [[*records, *[records[-1]] * (count - len(records))] for records in runs]
    found = np.stack(
        [np.concatenate([r.held_out for r in each], axis=1) for each in zip(*padded, strict=True)]
    )
    errors = found.std(axis=2) / np.sqrt(found.shape[2])
    figures = [_smoothed(each) for each in (*found.mean(axis=2).T, *errors.T)]
    return [
        HeldOut(score, error, loss, loss_error)
        for score, loss, error, loss_error in np.stack(figures, axis=1).tolist()
    ]


def _smoothed(values: FloatArray) -> FloatArray:
    padded = np.pad(values, NEIGHBOURS, mode="edge")
    return np.convolve(padded, np.full(2 * NEIGHBOURS + 1, 1.0 / (2 * NEIGHBOURS + 1)), "valid")


def candidates(run: Run, held_out: Sequence[HeldOut]) -> list[Candidate]:
    """Networks worth compiling, the largest first: no smaller one has as low a loss.

    Losses of held-out samples tell networks apart that have the same number of samples right.
    """
    found: list[Candidate] = []
    for _, kept in sorted(run.kept.items()):
        known = held_out[kept.record]
        if not found or known.loss < found[-1].held_out.loss:
            found.append(Candidate(kept, run.records[kept.record].price, known))
    return found[::-1]
