"""What a training gives: the networks of its front, and the one that is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Protocol, TypeVar

from kan_dialect.api.network import Network
from kan_dialect.qat.options import TrainingOptions
from kan_dialect.quantity import quantity


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
    score: float
    """Mean score of held-out samples."""
    error: float
    """Standard error of `score`."""
    loss: float
    """Mean loss of held-out samples, which decides what is on the front: cross entropy of classes,
    mean squared error of numbers."""
    loss_error: float
    """Standard error of `loss`."""
    luts: int
    registers: int
    levels: int
    """Figures by the target's estimate, after `kan-compile`."""
    seed: int = 0
    """Of the training that it comes from."""


@dataclass(frozen=True)
class Trained:
    """The networks that a training found."""

    front: tuple[Point, ...]
    """The largest first: each has fewer LUTs, and a higher loss, than the one before."""
    chosen: Point
    test_score: float | None
    """Of the chosen network on the test set, which decided nothing; None without one."""
    is_classes: bool
    """Whether scores are accuracies; otherwise they are minus the mean squared error in units of
    the targets' variance."""
    seconds: float
    """Time of training, that of earlier parts of a resumed run left out."""
    seeds: tuple[Point, ...]
    """The network that is chosen from each seed's training alone, by the same rule."""
    repeated: int = 0
    """Number of samples whose inputs are those of others; all of them are held out, or none."""

    @property
    def network(self) -> Network:
        """The chosen network, at table level."""
        return self.chosen.network

    @property
    def score_name(self) -> str:
        """What scores are: `accuracy` of classes, else `score`."""
        return "accuracy" if self.is_classes else "score"

    def rows(self) -> list[tuple[str, ...]]:
        """The front as text, a row for each network after the names of the columns."""
        head = ("", "LUTs", "registers", "levels", "held-out loss", f"held-out {self.score_name}")
        rows = [head] + [
            (
                "*" if point is self.chosen else "",
                str(point.luts),
                str(point.registers),
                str(point.levels),
                f"{point.loss:.4f} ± {point.loss_error:.4f}",
                f"{point.score:.4f} ± {point.error:.4f}",
            )
            for point in self.front
        ]
        if len(self.seeds) == 1:
            return rows
        seeds = ["seed", *(str(point.seed) for point in self.front)]
        return [(*row, seed) for row, seed in zip(rows, seeds, strict=True)]

    def __repr__(self) -> str:
        chosen = self.chosen
        test = "" if self.test_score is None else f", test {self.test_score:.4f}"
        return (
            f"Trained({quantity(len(self.front), 'network')} of {self.front[-1].luts} to "
            f"{self.front[0].luts} LUTs; chosen: {chosen.luts} LUTs, held-out {self.score_name} "
            f"{chosen.score:.4f} ± {chosen.error:.4f}{test})"
        )

    def _repr_html_(self) -> str:
        head, *rows = self.rows()
        cells = "".join(f"<th>{escape(name)}</th>" for name in head)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
        )
        return f"<table><caption>{escape(repr(self))}</caption><tr>{cells}</tr>{body}</table>"


class Rated(Protocol):
    """What a network is chosen by."""

    @property
    def luts(self) -> int: ...

    @property
    def loss(self) -> float: ...

    @property
    def loss_error(self) -> float: ...


R = TypeVar("R", bound=Rated)


def choose(points: Sequence[Point], options: TrainingOptions) -> Point | None:
    """The network of a front that the options ask for.

    Only networks within the budgets take part; None without one. Without a price, `chosen_by`
    has the rule.
    """
    possible = [point for point in points if is_within(point, options)]
    price = options.price
    if possible and price is not None:
        return max(possible, key=lambda point: (point.score - price * point.luts, -point.luts))
    return chosen_by(possible, options.max_luts)


def chosen_by(points: Sequence[R], max_luts: int | None) -> R | None:
    """The network that losses of held-out samples choose; None without one.

    With a budget it is the one with the least loss of all within it. LUTs that are granted are
    worth their use: on samples that chose nothing, the cheapest within a standard error has more
    of them wrong (`benchmarks/results/training-trials.md`).

    Without one, it is the cheapest whose loss is within a standard error of the least. That is the
    rule of one standard error (Breiman et al., Classification and Regression Trees, 1984, section
    3.4.3).

    Parameters
    ----------
    max_luts : the budget; None: no budget.
    """
    if max_luts is not None:
        within = [point for point in points if point.luts <= max_luts]
        return min(within, key=lambda point: (point.loss, point.luts), default=None)
    best = min(points, key=lambda point: point.loss, default=None)
    if best is None:
        return None
    good = [point for point in points if point.loss <= best.loss + best.loss_error]
    return min(good, key=lambda point: (point.luts, point.loss))


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
        if index == 0 or (point.luts, point.loss) != (kept[index - 1].luts, kept[index - 1].loss)
    ]


def is_dominated(point: Point, others: Sequence[Point]) -> bool:
    """Whether another network has no higher loss with fewer LUTs, or a lower one with as many."""
    return any(
        (other.luts < point.luts and other.loss <= point.loss)
        or (other.luts == point.luts and other.loss < point.loss)
        for other in others
    )
