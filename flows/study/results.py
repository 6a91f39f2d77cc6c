"""What a study finds: a cell for each data set and point, and differences between cells."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np

from kan_dialect.flows.compare.bootstrap import Interval, mean_interval
from kan_dialect.flows.trials import columns
from kan_dialect.flows.trials.columns import Row
from kan_dialect.flows.trials.points import Axis, Point
from kan_dialect.ir.constants import FloatArray
from kan_dialect.passbase.option_text import OptionValue
from kan_dialect.shown import html_columns


@dataclass(frozen=True, eq=False)
class Cell:
    """A data set at a point: the chosen network of each seed."""

    data: str
    point: Point
    rows: Sequence[Row]
    """A row a seed."""
    scores: FloatArray
    """(seeds, test samples), float64. Their mean is the accuracy: 1 for a right class, else 0; or
    R²: 1 less the squared error over the variance of the test targets."""

    @property
    def held_out(self) -> float:
        """Mean accuracy, or R², on held-out samples."""
        return float(np.mean([row["held_out_score"] for row in self.rows]))

    @cached_property
    def test(self) -> Interval:
        """Accuracy, or R², on the test set, over seeds and samples."""
        return mean_interval(self.scores)

    @cached_property
    def luts(self) -> Interval:
        """LUTs over seeds: by Yosys where it counted them, else by estimate."""
        area = columns.area(self.rows)
        return mean_interval(np.array([[row[area]] for row in self.rows], np.float64))

    @property
    def seconds(self) -> float:
        """Mean processor time of a training, in s."""
        return float(np.mean([row["seconds"] for row in self.rows]))

    def less(self, other: Cell) -> Interval:
        """Test score less that of another cell of the same data set, paired by seed and sample."""
        return mean_interval(self.scores - other.scores)


@dataclass(frozen=True)
class Effect:
    """What a value of an option is worth against another one."""

    score: Interval
    """Difference of test scores."""
    luts: float
    """Geometric mean of the ratios of LUTs."""

    def __str__(self) -> str:
        return f"{self.score.shown('+.3f')}, × {self.luts:.2f}"


@dataclass(frozen=True, eq=False)
class Studied:
    """The result of a study."""

    title: str
    axes: Sequence[Axis]
    loss: float
    """Held-out score that a choice may lose against the best point."""
    cells: Sequence[Cell]
    """Data sets, then points in the order of the grid; those with a failed seed are left out."""
    rows: Sequence[Row]
    """A row for each training: data set, options, seed, figures of the chosen network."""
    fronts: Sequence[Row]
    """A row for each network on the front of each training."""
    picture: bytes | None = field(default=None, repr=False)
    """`study.png`; None without matplotlib."""

    @property
    def data(self) -> list[str]:
        """Names of the data sets."""
        return list(dict.fromkeys(cell.data for cell in self.cells))

    @property
    def failed(self) -> list[str]:
        """Errors of trainings."""
        return [str(row["error"]) for row in self.rows if "error" in row]

    def of(self, data: str) -> list[Cell]:
        """The cells of a data set."""
        return [cell for cell in self.cells if cell.data == data]

    def reference(self, data: str) -> Cell:
        """The cell that the others are compared with: the last value of each axis."""
        return self.of(data)[-1]

    def choice(self, data: str) -> Cell:
        """The cell of fewest LUTs whose held-out score is within `loss` of the highest one."""
        cells = self.of(data)
        least = max(cell.held_out for cell in cells) - self.loss - 1e-9  # rounding
        return min((c for c in cells if c.held_out >= least), key=lambda cell: cell.luts.mean)

    def effects(self, data: str) -> dict[tuple[str, OptionValue, OptionValue], Effect]:
        """What each value of an option is worth against the value before it, by option and values.

        Means over the points that differ in this option alone, paired by seed and sample.
        """
        cells = {cell.point.options: cell for cell in self.of(data)}
        found: dict[tuple[str, OptionValue, OptionValue], Effect] = {}
        for axis in self.axes:
            for before, after in pairwise(axis.values):
                swap = {(axis.option, after): (axis.option, before)}
                others = {
                    options: cells.get(tuple(swap.get(each, each) for each in options))
                    for options in cells
                    if (axis.option, after) in options
                }
                pairs = [(cells[options], other) for options, other in others.items() if other]
                if pairs:
                    scores = np.mean([one.scores - other.scores for one, other in pairs], axis=0)
                    ratio = np.mean([np.log(a.luts.mean / b.luts.mean) for a, b in pairs])
                    effect = Effect(mean_interval(scores), float(np.exp(ratio)))
                    found[axis.option, before, after] = effect
        return found

    def summary(self) -> list[tuple[str, ...]]:
        """Choice and reference of each data set as text, after the names of the columns."""
        head = ("data set", "choice", "LUTs", "test", "reference", "LUTs", "test", "difference")
        found: list[tuple[str, ...]] = [head]
        for data in self.data:
            choice, reference = self.choice(data), self.reference(data)
            pair = [
                text
                for cell in (choice, reference)
                for text in (str(cell.point), cell.luts.shown(".0f"), cell.test.shown(".3f"))
            ]
            found.append((data, *pair, choice.less(reference).shown("+.3f")))
        return found

    def _repr_html_(self) -> str:
        table = html_columns(self.title, self.summary())
        if self.picture is None:
            return table
        source = f"data:image/png;base64,{b64encode(self.picture).decode()}"
        return f"{table}<img alt='score and LUTs of all points' src='{source}'>"
