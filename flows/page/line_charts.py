"""Charts of figures over an axis of numbers: the front of a training, and its curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kan_dialect.flows.page.charts import chart
from kan_dialect.flows.pictures.edge import ticks
from kan_dialect.flows.pictures.markup import Child, Markup, box, label, line, path, tag
from kan_dialect.ir.constants import FloatArray

FAR = 8.0
"""Ratio of the largest to the smallest figure from which on an axis is logarithmic."""
_LEFT, _TOP, _RIGHT, _BOTTOM = 58.0, 12.0, 16.0, 40.0
"""Room around the figures, for ticks and names of axes."""
_LEAST = 560.0
"""Width of large charts in narrow windows."""
_TICKS = 4
"""Number of intervals between ticks that is aimed at."""


@dataclass(frozen=True)
class _Axis:
    """Places of figures along an axis, in pixels."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool

    @classmethod
    def of(cls, values: Sequence[float], start: float, end: float, margin: float = 0.0) -> _Axis:
        """An axis for figures, logarithmic where they are far apart.

        Parameters
        ----------
        start, end : place of the least and of the greatest figure.
        margin : room at both ends, in parts of the axis.
        """
        least, most = min(values), max(values)
        is_log = least > 0 and most > FAR * least
        low, high = (math.log(least), math.log(most)) if is_log else (least, most)
        room = margin * (high - low) if high > low else 0.1 * abs(high) or 1.0
        return cls(low - room, high + room, start, end, is_log)

    def at(self, value: float) -> float:
        place = math.log(value) if self.is_log else value
        return self.start + (place - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round figures within the axis."""
        if self.is_log:
            least, most = (math.floor(each / math.log(10)) for each in (self.low, self.high))
            near = most - least < _TICKS
            each = (
                factor * 10.0**power
                for power in range(least, most + 1)
                for factor in ((1, 2, 5) if near else (1,))
            )
            return [tick for tick in each if self.low <= math.log(tick) <= self.high]
        return ticks(self.low, self.high, _TICKS)


def _frame(x: _Axis, y: _Axis, below: str) -> list[Child]:
    """Grid and ticks of two axes, and the name of the lower one."""
    parts: list[Child] = []
    for tick in y.ticks():
        place = y.at(tick)
        parts.append(line(x.start, place, x.end, place, "grid"))
        parts.append(label(x.start - 6, place + 4, f"{tick:.4g}", "soft", "end"))
    for tick in x.ticks():
        place = x.at(tick)
        parts.append(line(place, y.start, place, y.start + 4, "axis"))
        parts.append(label(place, y.start + 17, f"{tick:.6g}", "soft", "middle"))
    parts.append(line(x.start, y.start, x.end, y.start, "axis"))
    parts.append(label(x.end, y.start + 33, below, "soft", "end"))
    return parts


def front(
    points: Sequence[tuple[int, float, float]], chosen: int, test: float | None, score: str
) -> Markup | None:
    """Held-out scores of networks over their LUTs, with standard errors; None without any.

    Parameters
    ----------
    points : LUTs, score and standard error of each network; NaN where it is not known.
    chosen : index of the network that has a ring.
    test : its score on the test set, a cross; None without one.
    score : what scores are.
    """
    width, height = 720.0, 320.0
    known = [(index, *point) for index, point in enumerate(points) if math.isfinite(point[1])]
    if not known:
        return None
    scores = [value for _, _, mean, error in known for value in (mean - error, mean + error)]
    shown = [value for value in (*scores, test) if value is not None and math.isfinite(value)]
    x = _Axis.of([luts for _, luts, *_ in known], _LEFT, width - _RIGHT, 0.04)
    y = _Axis.of(shown, height - _BOTTOM, _TOP, 0.05)
    places = np.array([(x.at(luts), y.at(mean)) for _, luts, mean, _ in known])
    parts = [*_frame(x, y, "LUTs by estimate"), tag("path", d=path(places), class_="series")]
    for index, luts, mean, error in known:
        across, up = x.at(luts), y.at(mean)
        told = f"front/{index}.mlir: {luts} LUTs, {score} {mean:.4g} ± {error:.2g}"
        parts.append(line(across, y.at(mean - error), across, y.at(mean + error), "same"))
        parts.append(tag("circle", tag("title", told), cx=across, cy=up, r=4, class_="integer"))
        if index == chosen:
            parts.append(tag("circle", cx=across, cy=up, r=9, class_="ring"))
    if test is not None and math.isfinite(test):
        across, up = x.at(points[chosen][0]), y.at(test)
        cross = f"M{across - 5:.1f} {up - 5:.1f}l10 10m0 -10l-10 10"
        parts.append(tag("path", tag("title", f"test {score} {test:.4g}"), d=cross, class_="cross"))
    return chart(f"Held-out {score} over LUTs", width, height, parts, _LEAST)


def curve(steps: FloatArray, values: FloatArray, name: str) -> Markup:
    """A figure over the steps of a training; a logarithmic axis begins with the first above 0.

    Parameters
    ----------
    steps, values : (records).
    """
    width, height = 352.0, 210.0
    shown = values > 0.0 if (values > 0.0).any() else np.ones(len(values), dtype=np.bool_)
    x = _Axis(0.0, float(steps[-1]), _LEFT, width - _RIGHT, False)
    y = _Axis.of(values[shown].tolist(), height - _BOTTOM, _TOP, 0.03)
    known = zip(steps[shown].tolist(), values[shown].tolist(), strict=True)
    places = np.array([(x.at(step), y.at(value)) for step, value in known])
    drawn = tag("path", tag("title", name), d=path(places), class_="series")
    return chart(f"{name} over steps", width, height, [*_frame(x, y, "step"), drawn])


def bars(rows: Sequence[tuple[str, float, str]], name: str) -> Markup:
    """A bar for each row.

    Parameters
    ----------
    rows : name, figure, and what is said beside the bar.
    """
    width, left, right, row, letters = 720.0, 168.0, 200.0, 22.0, 23
    scale = (width - left - right) / (max(figure for _, figure, _ in rows) or 1.0)
    parts: list[Child] = []
    for index, (whole, figure, told) in enumerate(rows):
        y = index * row + 4
        short = whole if len(whole) <= letters else f"{whole[: letters - 1]}…"
        parts.append(label(left - 10, y + 13, [tag("title", whole), short], None, "end"))
        parts.append(box(left, y + 1, figure * scale, 15, "whole", f"{whole}: {told}"))
        parts.append(label(left + figure * scale + 7, y + 13, told, "figure"))
    return chart(name, width, len(rows) * row + 8, parts, _LEAST)
