"""What the training scripts of peers share: the job, the budget, candidates and the result.

A job is a file `.npz` that `training.py` writes: codes of the features, labels, the samples that
each fold holds out, and codes of the test set without its labels. A peer trains networks on all
samples, and the same ones on folds for held-out scores. It writes Verilog of those worth having,
and their integer results on the test set. Needs NumPy, and nothing of this project.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WORTH = 0.85
"""Networks of a lower part of the best accuracy are not written."""
WIDE = 256
"""Jobs with more inputs than that are wide."""
NEIGHBOURS = 3
"""Records before and after one that its held-out score is averaged with."""


@dataclass(frozen=True)
class Job:
    """A training."""

    codes: NDArray[np.int64]
    """(samples, inputs), unsigned codes of `bits`."""
    labels: NDArray[np.int64]
    """(samples), classes from 0 on."""
    held_out: NDArray[np.bool_]
    """(folds, samples)."""
    test_codes: NDArray[np.int64]
    """(test samples, inputs)."""
    bits: int
    """Of a code."""
    outputs: int
    """Number of results: that of the classes, or 1 of two classes (class 1 where it is > 0)."""
    seed: int
    seconds: float
    """Processor time for all networks of the job."""
    most: int
    """Number of networks to write."""

    @property
    def runs(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Samples to train with and to hold out. The last run makes the networks.

        Of several folds, the last run learns from all samples. A single one holds enough out, and
        makes the networks itself.
        """
        every = np.arange(len(self.labels))
        folds = [(np.flatnonzero(~held), np.flatnonzero(held)) for held in self.held_out]
        return folds if len(folds) == 1 else [*folds, (every, every[:0])]

    @property
    def wide(self) -> bool:
        """Whether peers train their larger networks, as there are many inputs."""
        return self.codes.shape[1] > WIDE

    def scores(self, results: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.float64]:
        """1 for each sample (samples) whose decision is right, else 0.

        Parameters
        ----------
        results : (samples, outputs); the first largest decides.
        """
        return (decisions(results) == labels).astype(np.float64)


def decisions(results: NDArray[Any]) -> NDArray[np.int64]:
    """Classes (samples) of results (samples, outputs)."""
    if results.shape[1] == 1:
        return (results[:, 0] > 0).astype(np.int64)
    return results.argmax(axis=1).astype(np.int64)


def read_job(file: Path) -> Job:
    """A job that `write_job` wrote."""
    with np.load(file) as arrays:
        numbers = json.loads(str(arrays["numbers"]))
        names = ("codes", "labels", "held_out", "test_codes")
        return Job(*(arrays[name] for name in names), **numbers)


def write_job(job: Job, file: Path) -> None:
    """Write a job."""
    fields = dict(vars(job))
    names = ("codes", "labels", "held_out", "test_codes")
    arrays = {name: fields.pop(name) for name in names}
    np.savez_compressed(file, numbers=json.dumps(fields), **arrays)


class Clock:
    """Processor time since it was made, that of other threads of the process included."""

    def __init__(self) -> None:
        self._start = time.process_time()

    @property
    def seconds(self) -> float:
        return time.process_time() - self._start


@dataclass(frozen=True)
class PeerNetwork:
    """A network of a peer, as hardware."""

    designs: list[str]
    """Combinational designs of the network. The smallest one counts. The top module of each is
    `peer`, with ports x0, x1 and so on in, and y0, y1 and so on out."""
    results: list[list[int]]
    """(test samples, outputs): what the peer's own integer model gives."""
    output_bits: int
    """Of each output, signed."""
    signed: bool
    """Whether inputs are codes less 2^(bits - 1), in two's complement."""
    score: float
    """Mean score of held-out samples."""
    error: float
    """Standard error of `score`."""
    what: str
    """The network in a few words."""
    threshold: float = 0.0
    """Of one result: class 1 where it is above."""
    codes: list[list[int]] | None = None
    """(test samples, inputs): what the ports read, if not the codes of the job."""
    loss: float | None = None
    """Mean loss of held-out samples, where it is known; else the share of wrong ones counts."""
    loss_error: float | None = None
    """Standard error of `loss`."""
    core: str = "peer"
    """The module without a thermometer encoder."""
    decided: list[str] = field(default_factory=list[str])
    """The designs with a decision of their own: module `whole` gives the class as y0. Without them,
    `training.py` puts one behind the smallest design."""


def write_result(
    file: Path, networks: Sequence[PeerNetwork], seconds: float, versions: dict[str, str]
) -> None:
    """Write what a peer found; `training.py` reads it."""
    whole = {"networks": [asdict(each) for each in networks], "seconds": seconds}
    file.write_text(json.dumps({**whole, "versions": versions}))


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means over `NEIGHBOURS` records on both sides: a network changes from step to step."""
    padded = np.pad(values, NEIGHBOURS, mode="edge")
    return np.convolve(padded, np.full(2 * NEIGHBOURS + 1, 1.0 / (2 * NEIGHBOURS + 1)), "valid")


def candidates(
    costs: Sequence[float],
    scores: Sequence[float],
    most: int,
    accuracies: Sequence[float] | None = None,
) -> list[int]:
    """Indices of networks worth writing, the cheapest first: no cheaper one has as good a score.

    Parameters
    ----------
    costs : by the peer's own estimate.
    scores : of held-out samples; the higher, the better.
    most : of more, those that are nearest to equal steps of the cost's logarithm stay.
    accuracies : of held-out samples; by default `scores`.
    """
    accuracies = scores if accuracies is None else accuracies
    least = WORTH * max(accuracies, default=0.0)
    found: list[int] = []
    best = -np.inf
    for index in sorted(range(len(costs)), key=lambda each: (costs[each], -scores[each])):
        if scores[index] > best and accuracies[index] >= least:
            best = scores[index]
            found.append(index)
    if len(found) <= most:
        return found
    logs = np.log(np.maximum([costs[index] for index in found], 1.0))
    wanted = np.linspace(logs[0], logs[-1], most)
    return [found[index] for index in sorted({int(abs(logs - each).argmin()) for each in wanted})]
