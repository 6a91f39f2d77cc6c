"""What a decision must keep: the recall of classes, and false alarms of two classes.

This file imports no PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.passbase.option_bounds import Bounds
from kan_dialect.qat.metrics import false_alarms, recalls


@dataclass(frozen=True)
class Goals:
    """Bounds on held-out samples."""

    recall: Mapping[int, float] = field(default_factory=dict[int, float])
    """Least part of the samples of a class that are decided as it, by class."""
    false_alarms: Mapping[int, float] = field(default_factory=dict[int, float])
    """Most part of the samples of all other classes that are decided as a class, by class."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for."""
        return not self.recall and not self.false_alarms

    def least_recall(self) -> FloatArray:
        """The least recall of both of two classes; 0 where nothing is asked for."""
        least = np.zeros(2)
        for number, share in self.recall.items():
            least[number] = share
        for number, share in self.false_alarms.items():
            least[1 - number] = max(least[1 - number], 1.0 - share)
        return least

    def threshold(self, logits: FloatArray, targets: IntArray) -> float:
        """The threshold that keeps the goals on samples of two classes; class 1 is above it.

        One that keeps class 0's goal is as low as it may be, one that keeps class 1's as high.
        Where both have one, it is in the middle, whether or not both can be kept.

        Parameters
        ----------
        logits : (samples).
        """
        least = self.least_recall()
        low = high = None
        if least[0] > 0.0:
            low = _low(np.sort(logits[targets == 0]), logits, least[0])
        if least[1] > 0.0:
            high = -_low(np.sort(-logits[targets == 1]), -logits, least[1])
        if low is None or high is None:
            return next(each for each in (low, high, 0.0) if each is not None)
        return (low + high) / 2.0

    def missed(self, matrix: IntArray) -> float:
        """By how much the goal that is missed most is missed; below 0 where all are kept.

        Parameters
        ----------
        matrix : see `confusion`.
        """
        found, alarms = recalls(matrix), false_alarms(matrix)
        apart = [share - found[number] for number, share in self.recall.items()]
        apart += [alarms[number] - share for number, share in self.false_alarms.items()]
        return float(np.nanmax(apart))


def _low(values: FloatArray, every: FloatArray, share: float) -> float:
    """A threshold with a share of the values below it, half way to the next value, or 1 beyond all.

    Parameters
    ----------
    values : (samples), of a class, rising.
    every : (samples), of all classes.
    """
    at = float(values[max(0, math.ceil(share * len(values) - 1e-9) - 1)])
    above = every[every > at]
    return at + 1.0 if not len(above) else (at + float(above.min())) / 2.0


def read_goals(
    alarms: Sequence[str], recall: Sequence[str], classes: Sequence[str], count: int
) -> Goals:
    """Goals from options.

    Parameters
    ----------
    alarms, recall : texts `CLASS=SHARE`, the class by name or number. Of alarms `SHARE` alone is of
        class 1 of two classes without names.
    classes : their names; empty without names.
    count : number of classes; 0 of numbers.

    Raises
    ------
    KanError : a class or share is unknown, or the labels are no classes.
    """
    if count == 0 and (recall or alarms):
        raise KanError(
            "--min-recall and --max-false-alarms are goals of classes, and labels are numbers",
            remedy="leave them out, or give --task classes",
        )
    is_plain = count == 2 and not classes
    known = [f"1={text}" if is_plain and "=" not in text else text for text in alarms]
    return Goals(
        _goals("--min-recall", recall, classes, count, Bounds(0, 1, above=True)),
        _goals("--max-false-alarms", known, classes, count, Bounds(0, 1, below=True)),
    )


def _goals(
    flag: str, texts: Sequence[str], classes: Sequence[str], count: int, bounds: Bounds
) -> dict[int, float]:
    found: dict[int, float] = {}
    for text in texts:
        name, _, share = text.rpartition("=")
        if not name:
            raise KanError(
                f"{flag} {text} names no class",
                remedy=f"give CLASS=SHARE, such as {classes[0] if classes else 0}={text}",
            )
        number = _class_of(name, classes, count)
        try:
            found[number] = float(share)
        except ValueError:
            raise KanError(f"{flag} {text}: {share!r} is no share") from None
        bounds.require(f"{flag} {text}: the share", found[number])
    return found


def class_weights(
    given: str, rows: Sequence[tuple[str, float]] | None, counts: Array, classes: Sequence[str]
) -> FloatArray:
    """The weight of each class, (classes), float64; their mean over samples is 1.

    Parameters
    ----------
    given : `balanced`, or the path of a file, for messages.
    rows : class and weight of each line of the file; None of `balanced`.
    counts : (classes), number of samples.

    Raises
    ------
    KanError : a class is unknown or has no weight.
    """
    if rows is None:
        weights = counts.sum() / (len(counts) * np.maximum(counts, 1))
    else:
        weights = np.full(len(counts), np.nan)
        for name, weight in rows:
            weights[_class_of(name, classes, len(counts))] = weight
        if np.isnan(weights).any():
            number = int(np.flatnonzero(np.isnan(weights))[0])
            raise KanError(
                f"{given} has no weight of class {classes[number] if classes else number}",
                remedy="give a line `class,weight` for each class",
            )
    return weights / ((weights * counts).sum() / counts.sum())


def _class_of(name: str, classes: Sequence[str], count: int) -> int:
    if name in classes:
        return list(classes).index(name)
    if name.isdecimal() and int(name) < count and not classes:
        return int(name)
    known = ", ".join(classes) if classes else f"0 to {count - 1}"
    raise KanError(f"there is no class {name!r}", remedy=f"the classes are {known}")
