"""Draws a study as PNG with matplotlib: scores over LUTs, and over two options."""

from __future__ import annotations

from typing import Any

import numpy as np

from kan_dialect.flows.compare.bootstrap import Interval
from kan_dialect.flows.png_chart import BLUE, ORANGE, as_png, figure, plain
from kan_dialect.flows.study.results import Cell, Studied
from kan_dialect.flows.sweep.pictures import draw_cells
from kan_dialect.flows.trials.points import spell
from kan_dialect.ir.constants import FloatArray


def study_picture(studied: Studied) -> bytes:
    """A column of panels for each data set: test scores over LUTs, and of two axes a heat map."""
    has_map = len(studied.axes) == 2
    picture = figure(3.1 * len(studied.data), 6.0 if has_map else 3.2)
    panels = picture.subplots(1 + has_map, len(studied.data), squeeze=False)
    for axes, data in zip(panels[-1], studied.data, strict=True):
        _draw_front(axes, studied, data)
    for axes, data in zip(panels[0] if has_map else (), studied.data, strict=has_map):
        _draw_map(axes, studied, data)
    for axes, data in zip(panels[0], studied.data, strict=True):
        axes.set_title(data, fontsize=10)
    return as_png(picture)


def _draw_front(axes: Any, studied: Studied, data: str) -> None:
    """Points with their intervals, in a shade for each value of the first axis; the choice in a
    ring. Of one axis, points have their values beside them."""
    series: dict[str, list[Cell]] = {}
    for cell in studied.of(data):
        first = spell(cell.point.options[0][1]) if len(studied.axes) > 1 else ""
        series.setdefault(first, []).append(cell)
    for number, (name, cells) in enumerate(series.items(), 1):
        x = [cell.luts.mean for cell in cells]
        y = [cell.test.mean for cell in cells]
        axes.errorbar(
            *(x, y, _arms([cell.test for cell in cells]), _arms([cell.luts for cell in cells])),
            fmt="o",
            color=BLUE,
            alpha=number / len(series),
            markersize=4,
            elinewidth=0.7,
            label=name,
        )
    choice = studied.choice(data)
    axes.plot(
        *(choice.luts.mean, choice.test.mean, "o"),
        markersize=9,
        markerfacecolor="none",
        color=ORANGE,
    )
    if len(studied.axes) == 1:
        for cell in studied.of(data):
            at = (cell.luts.mean, cell.test.mean)
            axes.annotate(
                *(spell(cell.point.options[0][1]), at, (4, 4)),
                textcoords="offset points",
                fontsize=8,
            )
    elif len(series) > 1 and data == studied.data[0]:
        axes.legend(title=studied.axes[0].option, fontsize=8)
    axes.set_xscale("log")
    # Three labels fit, and none of a power of ten may be in the range.
    axes.minorticks_off()
    low, high = axes.get_xlim()
    ticks = [float(low * (high / low) ** (part / 6)) for part in (1, 3, 5)]
    axes.set_xticks(ticks, [f"{tick:.2g}" if tick < 100 else f"{tick:.0f}" for tick in ticks])
    axes.set_xlabel("LUTs")
    axes.set_ylabel("test score")
    plain(axes)


def _arms(intervals: list[Interval]) -> FloatArray:
    """Lengths of error bars below and above the means, (2, points), float64."""
    bounds = [interval.bounds or (interval.mean, interval.mean) for interval in intervals]
    means = np.array([interval.mean for interval in intervals])
    return np.maximum(np.abs(np.array(bounds, np.float64).T - means), 0.0)


def _draw_map(axes: Any, studied: Studied, data: str) -> None:
    """Test scores over two options, in percent."""
    rows, across = studied.axes
    cells = np.full((len(rows.values), len(across.values)), np.nan)
    for cell in studied.of(data):
        (_, first), (_, second) = cell.point.options
        at = rows.values.index(first), across.values.index(second)
        cells[at] = cell.test.mean
        if cell is studied.choice(data):
            axes.plot(*at[::-1], "s", markersize=21, markerfacecolor="none", color=ORANGE, mew=2)
    draw_cells(axes, cells, "test_accuracy")
    axes.set_xticks(range(len(across.values)), [spell(value) for value in across.values])
    axes.set_yticks(range(len(rows.values)), [spell(value) for value in rows.values])
    axes.set_xlabel(across.option)
    axes.set_ylabel(rows.option)
