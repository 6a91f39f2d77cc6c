"""What a training gives: the networks of its front, and the one that is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np

from kan_dialect.api.network import Network
from kan_dialect.ir.attributes.data_schema import DataSchema
from kan_dialect.ir.constants import FloatArray
from kan_dialect.qat.judge import HeldOut, Judge
from kan_dialect.qat.metrics import recalls, wilson
from kan_dialect.qat.options import TrainingOptions
from kan_dialect.quantity import quantity
from kan_dialect.shown import html_columns

GOAL_MARGIN = 1e-9
"""Goals are kept but for rounding."""


@dataclass(frozen=True)
class State:
    """How far a training is, for a line on the terminal."""

    step: int
    """Steps of all networks."""
    steps: int
    luts: float
    """Of the network in training, by the surrogate."""
    loss: float


@dataclass(frozen=True)
class Point:
    """A network of the front."""

    network: Network = field(repr=False)
    """At table level."""
    price: float
    """Loss that a LUT was worth."""
    held_out: HeldOut
    """Figures on held-out samples."""
    luts: int
    registers: int
    levels: int
    """Figures by the target's estimate, after `kan-compile`."""
    seed: int = 0
    """Of the training that it comes from."""

    @property
    def score(self) -> float:
        """Score of held-out samples."""
        return self.held_out.score

    @property
    def error(self) -> float:
        """Standard error of `score`."""
        return self.held_out.error

    @property
    def loss(self) -> float:
        """Mean loss of held-out samples: cross entropy of classes, mean squared error of numbers
        in units of their variance."""
        return self.held_out.loss

    @property
    def loss_error(self) -> float:
        """Standard error of `loss`."""
        return self.held_out.loss_error

    @property
    def risk(self) -> float:
        """What decides: see `HeldOut`."""
        return self.held_out.risk

    @property
    def risk_error(self) -> float:
        """Standard error of `risk`."""
        return self.held_out.risk_error


@dataclass(frozen=True)
class Trained:
    """The networks that a training found."""

    front: tuple[Point, ...]
    """The largest first: each has fewer LUTs, and a higher risk, than the one before."""
    chosen: Point
    test: HeldOut | None
    """Figures of the chosen network on the test set, which decided nothing; None without one."""
    judge: Judge
    """How networks were compared."""
    schema: DataSchema
    """What the columns of the data mean."""
    seconds: float
    """Time of training, that of earlier parts of a resumed run left out."""
    seeds: tuple[Point, ...]
    """The network that is chosen from each seed's training alone, by the same rule."""
    repeated: int = 0
    """Number of samples whose inputs are those of others; all of them are held out, or none."""
    variance: float | None = None
    """Of targets, in their unit squared; None of classes."""
    curve: FloatArray = field(default_factory=lambda: np.zeros((0, 4)), repr=False)
    """(records, 4), of the last run of the chosen network's seed: step, price of a LUT, LUTs by the
    surrogate, and the loss on the samples that it is trained with."""

    @property
    def network(self) -> Network:
        """The chosen network, at table level."""
        return self.chosen.network

    @property
    def score_name(self) -> str:
        """What scores are."""
        return self.judge.shown

    @property
    def is_classes(self) -> bool:
        """Whether labels are classes."""
        return self.judge.classes > 0

    @property
    def test_score(self) -> float | None:
        """Score of the chosen network on the test set; None without one."""
        return None if self.test is None else self.test.score

    def rows(self) -> list[tuple[str, ...]]:
        """The front as text, a row for each network after the names of the columns."""
        head = ["", "LUTs", "registers", "levels", "held-out loss", f"held-out {self.score_name}"]
        columns = [
            ["*" if point is self.chosen else "" for point in self.front],
            [str(point.luts) for point in self.front],
            [str(point.registers) for point in self.front],
            [str(point.levels) for point in self.front],
            [f"{p.held_out.loss:.4f} ± {p.held_out.loss_error:.4f}" for p in self.front],
            [f"{p.held_out.score:.4g} ± {p.held_out.error:.2g}" for p in self.front],
        ]
        if self.judge.classes:
            head.append("least recall")
            columns.append([self._least_recall(point.held_out) for point in self.front])
        if len(self.seeds) > 1:
            head.append("seed")
            columns.append([str(point.seed) for point in self.front])
        return [tuple(head), *zip(*columns, strict=True)]

    def _least_recall(self, figures: HeldOut) -> str:
        """The recall of the class that is decided worst."""
        assert figures.confusion is not None
        found = recalls(figures.confusion)
        worst = int(np.nanargmin(found))
        return f"{found[worst]:.3f} ({self.class_names[worst]})"

    @property
    def class_names(self) -> Sequence[str]:
        """A name of each class; its number where names are not known."""
        return self.schema.classes or [str(number) for number in range(self.judge.classes)]

    def class_rows(self) -> list[tuple[str, ...]]:
        """Recall and precision of each class as text, with intervals of 95 % (Wilson), a row for
        each class after the names of the columns; held-out samples, then the test set's."""
        parts = [("held-out", self.chosen.held_out)]
        if self.test is not None:
            parts.append(("test", self.test))
        head, columns = ["class"], [list(self.class_names)]
        for name, figures in parts:
            assert figures.confusion is not None
            matrix = figures.confusion
            right, rows, sums = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
            head += [f"{name} samples", "recall", "precision"]
            columns.append([str(count) for count in rows.tolist()])
            columns += [
                [_share(*pair) for pair in zip(right.tolist(), of.tolist(), strict=True)]
                for of in (rows, sums)
            ]
        return [tuple(head), *zip(*columns, strict=True)]

    def confusion_rows(self, figures: HeldOut) -> list[tuple[str, ...]]:
        """How often a class, by row, is decided as another, as text, after names of the columns."""
        assert figures.confusion is not None
        names = self.class_names
        head = ("class", *(f"as {name}" for name in names))
        body = zip(names, figures.confusion.tolist(), strict=True)
        return [head, *((name, *map(str, counts)) for name, counts in body)]

    def r2(self, figures: HeldOut) -> float | None:
        """The part of the targets' variance that is explained; None of classes, or of another
        metric than the root mean squared error."""
        if not self.variance or self.score_name != "rmse":
            return None
        return 1.0 - figures.score**2 / self.variance

    def __repr__(self) -> str:
        chosen = self.chosen
        test = "" if self.test is None else f", test {self.test.score:.4g}"
        return (
            f"Trained({quantity(len(self.front), 'network')} of {self.front[-1].luts} to "
            f"{self.front[0].luts} LUTs; chosen: {chosen.luts} LUTs, held-out {self.score_name} "
            f"{chosen.held_out.score:.4g} ± {chosen.held_out.error:.2g}{test})"
        )

    def _repr_html_(self) -> str:
        return html_columns(repr(self), self.rows())


def _share(count: int, samples: int) -> str:
    if not samples:
        return ""
    low, high = wilson(count, samples)
    return f"{count / samples:.3f} ({low:.3f} to {high:.3f})"


class Rated(Protocol):
    """What a network is chosen by."""

    @property
    def luts(self) -> int: ...

    @property
    def risk(self) -> float: ...

    @property
    def risk_error(self) -> float: ...


R = TypeVar("R", bound=Rated)


def choose(points: Sequence[Point], options: TrainingOptions, judge: Judge) -> Point | None:
    """The network of a front that the options ask for.

    Only networks within the budgets take part; None without one. Without a price, `chosen_by`
    has the rule. With goals that networks may miss it is the cheapest that keeps them.
    """
    possible = [point for point in points if is_within(point, options)]
    if judge.needs_goals:
        kept = [point for point in possible if point.risk <= GOAL_MARGIN]
        return min(kept, key=lambda point: (point.luts, point.risk), default=None)
    price = options.price
    if possible and price is not None:
        return max(
            possible, key=lambda p: (judge.sign * p.held_out.score - price * p.luts, -p.luts)
        )
    return chosen_by(possible, options.max_luts)


def chosen_by(points: Sequence[R], max_luts: int | None) -> R | None:
    """The network that risks on held-out samples choose; None without one.

    With a budget it is the one with the least risk of all within it. LUTs that are granted are
    worth their use: on samples that chose nothing, the cheapest within a standard error has more
    of them wrong (`benchmarks/results/training.md`).

    Without one, it is the cheapest whose risk is within a standard error of the least. That is the
    rule of one standard error (Breiman et al., Classification and Regression Trees, 1984, section
    3.4.3).

    Parameters
    ----------
    max_luts : the budget; None: no budget.
    """
    if max_luts is not None:
        within = [point for point in points if point.luts <= max_luts]
        return min(within, key=lambda point: (point.risk, point.luts), default=None)
    best = min(points, key=lambda point: point.risk, default=None)
    if best is None:
        return None
    good = [point for point in points if point.risk <= best.risk + best.risk_error]
    return min(good, key=lambda point: (point.luts, point.risk))


def is_within(point: Point, options: TrainingOptions) -> bool:
    """Whether a network keeps the budgets."""
    limits = ((point.luts, options.max_luts), (point.levels, options.max_levels))
    return all(most is None or figure <= most for figure, most in limits)


def front_of(points: Sequence[Point], options: TrainingOptions) -> list[Point]:
    """The networks worth having, the largest first; those with too many levels are left out."""
    most = options.max_levels
    possible = [point for point in points if most is None or point.levels <= most]
    kept = [point for point in possible if not is_dominated(point, possible)]
    kept.sort(key=lambda point: (-point.luts, point.levels, point.seed))
    # Of equal networks one is enough.
    return [
        point
        for index, point in enumerate(kept)
        if index == 0 or (point.luts, point.risk) != (kept[index - 1].luts, kept[index - 1].risk)
    ]


def is_dominated(point: Point, others: Sequence[Point]) -> bool:
    """Whether another network has no higher risk with fewer LUTs, or a lower one with as many."""
    return any(
        (other.luts < point.luts and other.risk <= point.risk)
        or (other.luts == point.luts and other.risk < point.risk)
        for other in others
    )
