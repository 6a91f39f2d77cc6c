"""What other samples will show of a network: the rule behind every budget of accuracy.

Of classes, what counts is how many decisions change. A network that was trained on the samples is
right on them more often than on others, so that the difference of two accuracies there says little;
but how often two networks decide differently needs no labels, can be counted on as many samples as
one likes to make near those that are held out, and is hardly ever small by luck. How many of the
changed decisions are lost, more than are won, is taken from labels; by how much that may differ on
a set of others follows from how many change.
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
"""So many standard deviations more than is expected are still within the budget: 19 times in 20."""
FEW_AROUND, MANY_AROUND = 6000, 8192
"""Samples are made near those that there are: as many, within these limits."""
LEAST_LOSS = 1e-9
"""A budget of 0 is taken for this."""
NEIGHBOURS = 5
"""They lie on the lines through a sample and one of so many that are nearest, ..."""
REACH = 0.3
"""... so far at most to either side, in distances between the two."""
_TOGETHER = 1024
"""Samples whose neighbours are looked for at once."""


@dataclass(frozen=True)
class Shown:
    """What held-out samples show of a network; of several splits, the sum.

    Parameters
    ----------
    samples : how many.
    near : how many were made near them.
    lost : by how much the score falls, times samples; of classes, those lost less those won.
    changed : of classes, samples whose decision changes; else the squares of what each sample's
        part in the score changes by, see `squared_changes`.
    near_changed : samples near them whose decision changes.
    decisions : whether scores are those of classes.
    """

    samples: int
    near: int
    lost: float
    changed: float
    near_changed: int
    decisions: bool

    def __add__(self, other: Shown) -> Shown:
        return Shown(
            self.samples + other.samples,
            self.near + other.near,
            self.lost + other.lost,
            self.changed + other.changed,
            self.near_changed + other.near_changed,
            self.decisions,
        )

    @property
    def share_changed(self) -> float:
        """Of decisions; one more is counted, since that none were seen need not mean none."""
        return (self.changed + self.near_changed + 1) / (self.samples + self.near)

    @property
    def share_lost(self) -> float:
        """Of the decisions that change, those lost less those won; of few, nearer to all."""
        return float(np.clip((self.lost + 1) / (self.changed + 1), 0.0, 1.0))

    def loss_of(self, others: int, share_lost: float | None = None) -> float:
        """The score that so many other samples will lose at most, 19 times in 20.

        Parameters
        ----------
        share_lost : see the property; of more networks, which luck has less to do with.
        """
        if not self.decisions:
            variance = self.changed / self.samples * (1 / self.samples + 1 / others)
            return self.lost / self.samples + DEVIATIONS * variance**0.5
        share = self.share_lost if share_lost is None else share_lost
        changed = self.share_changed
        # Samples are lost one by one: half a sample less is what a normal distribution says.
        return share * changed + DEVIATIONS * (changed / others) ** 0.5 - 0.5 / others


def together(shown: Sequence[Shown]) -> Shown:
    """The sum of what several splits or networks show."""
    return reduce(Shown.__add__, shown)


def others_for(held: int, max_loss: float | None) -> int:
    """For how many other samples a budget is to hold.

    As many as are held out, but so many that the budget is a sample of them: less cannot be lost.
    """
    if max_loss is None:
        return held
    return max(held, int(np.ceil(1 / max(max_loss, LEAST_LOSS) - 1e-9)))


class Judge:
    """Compares networks with a given one, on samples that were held out from making them."""

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
        x : inputs (samples, in), all of them.
        labels : classes or targets (samples, ...), or None.
        given : results (samples, out) of the given network, which losses count from.
        outputs : its results (samples, out) for other inputs (samples, in).
        held : indices of the samples that were held out.
        seed : of the samples made near them.
        decided : results (samples, out) of the network that `outputs` runs, if that is another one:
            near the samples, it is taken to decide as often otherwise as on them.
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
        """Samples near held-out ones that the network of `outputs` decides otherwise."""
        if decided is not None and len(self.near):
            share = float((classes(decided) != classes(given)).mean())
            self._otherwise = round(share * len(self.near))

    def loss(
        self, outputs: FloatArray, run: Callable[[FloatArray], FloatArray], others: int
    ) -> float:
        """The largest of what a network loses: on all samples, on those held out, and on others.

        Parameters
        ----------
        outputs : its results (samples, out) for all samples.
        run : its results (samples, out) for inputs (samples, in).
        others : how many others, see `others_for`.
        """
        both = self.whole(outputs), self.shown(outputs, run)
        return max(max(each.lost / each.samples, each.loss_of(others)) for each in both)

    def shown(self, outputs: FloatArray, run: Callable[[FloatArray], FloatArray]) -> Shown:
        """What the held-out samples show of a network.

        Parameters
        ----------
        outputs : its results (samples, out) for all samples.
        run : its results (samples, out) for other inputs (samples, in).
        """
        changed = 0
        if len(self.near):
            changed = int((classes(run(self.near)) != self._decided).sum())
            changed = min(changed + self._otherwise, len(self.near))
        return self._shown(outputs, self.held, len(self.near), changed)

    def whole(self, outputs: FloatArray) -> Shown:
        """What all samples show, also those that were not held out."""
        return self._shown(outputs, slice(None), 0, 0)

    def _shown(
        self, outputs: FloatArray, index: IntArray | slice, near: int, near_changed: int
    ) -> Shown:
        labels = None if self.labels is None else self.labels[index]
        given, now = self.given[index], outputs[index]
        lost = score(given, labels, given) - score(now, labels, given)
        changed = squared_changes(now, labels, given)
        if self.classes:
            changed = float((classes(now) != classes(given)).sum())
        return Shown(len(now), near, lost * len(now), changed, near_changed, self.classes)


def around(x: FloatArray, least: int, rng: np.random.Generator) -> FloatArray:
    """Samples near each of some (samples, in), as many of each as make `least` of them."""
    copies = -(-least // len(x))
    return np.concatenate([_between(x, rng) for _ in range(copies)])[:MANY_AROUND]


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
