"""Bounds of a network's loss on other samples: the rule behind every budget of accuracy.

For classes, the number of changed decisions counts. A network that was trained on the samples is
right on them more often than on others, so the difference of two accuracies there says little. The
number of decisions that two networks make differently needs no labels. It can be counted on any
number of samples made near the held-out ones, and it is rarely small by luck. Labels tell which
share of the changed decisions is lost, less those won. The number of changed decisions bounds the
deviation on a set of other samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from kan_dialect.files.data_sets import classes
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.search.precision.score import is_classification, score, squared_changes

DEVIATIONS = 1.645
"""Standard deviations above the expected loss that a budget has to cover: 19 times in 20."""
MANY_AROUND = 8192
"""Most samples that are made near given ones."""
LEAST_LOSS = 1e-9
"""Loss that stands for a budget of 0."""
NEIGHBOURS = 5
"""Number of nearest samples; made samples lie on the line through a sample and one of these."""
REACH = 0.3
"""Largest distance of a made sample from its sample, as a share of the distance of the two."""
_BATCH = 1024
"""Number of samples whose neighbours are searched at once."""


@dataclass(frozen=True)
class Evidence:
    """Evidence of held-out samples about a network; of several splits, the sum.

    Parameters
    ----------
    samples : number of samples.
    near : number of samples made near them.
    lost : loss of score times samples; for classes, decisions lost less those won.
    changed : for classes, number of changed decisions; otherwise the sum of squared changes of
        each sample's part in the score, see `squared_changes`.
    near_changed : number of changed decisions on the samples near them.
    decisions : scores are those of classes.
    """

    samples: int
    near: int
    lost: float
    changed: float
    near_changed: int
    decisions: bool

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(
            self.samples + other.samples,
            self.near + other.near,
            self.lost + other.lost,
            self.changed + other.changed,
            self.near_changed + other.near_changed,
            self.decisions,
        )

    @property
    def share_changed(self) -> float:
        """Share of changed decisions. One more is counted, as none seen does not mean none."""
        return (self.changed + self.near_changed + 1) / (self.samples + self.near)

    @property
    def share_lost(self) -> float:
        """Share of changed decisions that are lost, less those won; nearer to 1 if few change."""
        return float(np.clip((self.lost + 1) / (self.changed + 1), 0.0, 1.0))

    def loss_of(self, others: int, share_lost: float | None = None) -> float:
        """Bound of the loss of score on `others` other samples, 19 times in 20.

        Parameters
        ----------
        share_lost : see the property; that of several networks depends less on luck.
        """
        if not self.decisions:
            variance = self.changed / self.samples * (1 / self.samples + 1 / others)
            return self.lost / self.samples + DEVIATIONS * variance**0.5
        share = self.share_lost if share_lost is None else share_lost
        changed = self.share_changed
        # Continuity correction: samples are lost one by one.
        return share * changed + DEVIATIONS * (changed / others) ** 0.5 - 0.5 / others


def combined(evidence: Sequence[Evidence]) -> Evidence:
    """The sum of the evidence of several splits or networks."""
    return reduce(Evidence.__add__, evidence)


def others_for(held: int, max_loss: float | None) -> int:
    """Number of other samples for which a budget has to hold.

    At least the number of held-out samples, and at least the number at which the budget is a whole
    sample.
    """
    if max_loss is None:
        return held
    return max(held, int(np.ceil(1 / max(max_loss, LEAST_LOSS) - 1e-9)))


class Judge:
    """Compares networks with a given one, on samples held out from their making."""

    def __init__(
        self,
        x: FloatArray,
        labels: Array | None,
        given: FloatArray,
        outputs: Callable[[FloatArray], FloatArray],
        held: IntArray,
        seed: Sequence[int],
        *,
        decided: FloatArray | None = None,
    ) -> None:
        """
        Parameters
        ----------
        x : inputs (samples, in) of all samples.
        labels : classes or targets (samples, ...), or None.
        given : results (samples, out) of the given network, from which losses count.
        outputs : computes its results (samples, out) for other inputs (samples, in).
        held : indices of the held-out samples.
        seed : of the samples made near them.
        decided : results (samples, out) of the network that `outputs` runs, if it is another one.
            Its share of different decisions on the samples is assumed near them too.
        """
        self.held = held
        self.labels = labels
        self.given = given
        self.near = np.empty((0, x.shape[1]))
        self._decided = np.empty(0, dtype=np.int64)
        self.classes = is_classification(labels, given.shape[1])
        if self.classes and len(held) > 1:
            self.near = around(x[held], MANY_AROUND, np.random.default_rng(seed))
            self._decided = classes(outputs(self.near))
        self._otherwise = 0
        """Number of different decisions of the network of `outputs` near held-out samples."""
        if decided is not None and len(self.near):
            share = float((classes(decided) != classes(given)).mean())
            self._otherwise = round(share * len(self.near))

    def loss(
        self, outputs: FloatArray, run: Callable[[FloatArray], FloatArray], others: int
    ) -> float:
        """The largest loss of a network: on all samples, on held-out ones, or bounded on others.

        Parameters
        ----------
        outputs : its results (samples, out) for all samples.
        run : computes its results (samples, out) for inputs (samples, in).
        others : number of other samples, see `others_for`.
        """
        both = self.on_all(outputs), self.held_out(outputs, run)
        return max(max(each.lost / each.samples, each.loss_of(others)) for each in both)

    def held_out(self, outputs: FloatArray, run: Callable[[FloatArray], FloatArray]) -> Evidence:
        """Evidence of the held-out samples about a network.

        Parameters
        ----------
        outputs : its results (samples, out) for all samples.
        run : computes its results (samples, out) for other inputs (samples, in).
        """
        changed = 0
        if len(self.near):
            changed = int((classes(run(self.near)) != self._decided).sum())
            changed = min(changed + self._otherwise, len(self.near))
        return self._evidence(outputs, self.held, len(self.near), changed)

    def on_all(self, outputs: FloatArray) -> Evidence:
        """Evidence of all samples, held out or not."""
        return self._evidence(outputs, slice(None), 0, 0)

    def _evidence(
        self, outputs: FloatArray, index: IntArray | slice, near: int, near_changed: int
    ) -> Evidence:
        labels = None if self.labels is None else self.labels[index]
        given, now = self.given[index], outputs[index]
        lost = score(given, labels, given) - score(now, labels, given)
        changed = squared_changes(now, labels, given)
        if self.classes:
            changed = float((classes(now) != classes(given)).sum())
        return Evidence(len(now), near, lost * len(now), changed, near_changed, self.classes)


def around(x: FloatArray, least: int, rng: np.random.Generator) -> FloatArray:
    """At least `least` samples near given ones (samples, in), the same number near each."""
    copies = -(-least // len(x))
    return np.concatenate([_between(x, rng) for _ in range(copies)])[:MANY_AROUND]


def _between(x: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A sample near each sample (samples, in), towards a neighbour or away from it.

    So they lie where samples lie. Chawla et al., SMOTE: synthetic minority over-sampling technique,
    JAIR 16, 2002, does the same between the two.
    """
    scale = x.std(axis=0)
    unit = (x / np.where(scale > 0, scale, 1.0)).astype(np.float32)
    lengths = (unit**2).sum(axis=1)
    others = np.empty(len(x), dtype=np.int64)
    few = min(NEIGHBOURS, len(x) - 1)
    for start in range(0, len(x), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(x)))
        distances = lengths - 2 * unit[rows] @ unit.T
        distances[np.arange(len(rows)), rows] = np.inf
        nearest = np.argpartition(distances, few - 1, axis=1)[:, :few]
        others[rows] = nearest[np.arange(len(rows)), rng.integers(few, size=len(rows))]
    share = rng.uniform(-REACH, REACH, size=(len(x), 1))
    return x + share * (x[others] - x)
