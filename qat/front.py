"""The front of a training: what held-out samples say of its networks, and which to compile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.qat.descent import Kept, Record, Run
from kan_dialect.qat.judge import HeldOut, Judge

NEIGHBOURS = 3
"""Records before and after one that its held-out figures are averaged with."""


@dataclass(frozen=True)
class Candidate:
    """A network that may be on the front, before it is compiled."""

    kept: Kept
    price: float
    held_out: HeldOut


def judged(
    runs: Sequence[Sequence[Record]], targets: Array, count: int, judge: Judge
) -> list[HeldOut]:
    """Figures at each record, over the held-out samples of all runs.

    Means and errors are over `NEIGHBOURS` records on both sides: a network changes from step to
    step, and the score of a few samples with it. A run that ended early is at its last record from
    then on.

    Parameters
    ----------
    runs : records of each run, at the same steps.
    targets : of the samples that the runs hold out, one run after another.
    count : number of records to give, at least as many as each run has.
    """
    each: list[HeldOut] = []
    for index in range(count):
        records = _records(runs, index)
        losses = np.concatenate([record.losses for record in records])
        each.append(judge.measure(held_results(runs, index), targets, losses))
    names = ("score", "error", "loss", "loss_error", "risk", "risk_error")
    means = {name: _smoothed(np.array([getattr(one, name) for one in each])) for name in names}
    return [
        replace(one, **{name: float(values[index]) for name, values in means.items()})
        for index, one in enumerate(each)
    ]


def held_results(runs: Sequence[Sequence[Record]], index: int) -> FloatArray:
    """Results of held-out samples at a record, (samples, outputs), one run after another."""
    return np.concatenate([record.results for record in _records(runs, index)]).astype(np.float64)


def _records(runs: Sequence[Sequence[Record]], index: int) -> list[Record]:
    """A record of each run: the last one of a run that ended before."""
    return [records[min(index, len(records) - 1)] for records in runs]


def _smoothed(values: FloatArray) -> FloatArray:
    padded = np.pad(values, NEIGHBOURS, mode="edge")
    return np.convolve(padded, np.full(2 * NEIGHBOURS + 1, 1.0 / (2 * NEIGHBOURS + 1)), "valid")


def candidates(run: Run, held_out: Sequence[HeldOut]) -> list[Candidate]:
    """Networks worth compiling, the largest first: no smaller one has as low a risk."""
    found: list[Candidate] = []
    for _, kept in sorted(run.kept.items()):
        known = held_out[kept.record]
        if not found or known.risk < found[-1].held_out.risk:
            found.append(Candidate(kept, run.records[kept.record].price, known))
    return found[::-1]
