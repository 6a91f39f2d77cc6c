"""Draws a sweep as PNG with matplotlib: front, heat maps over two options, schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kan_dialect.flows.png_chart import BLUE, GREY, INK, ORANGE, as_png, figure, plain
from kan_dialect.flows.sweep import columns
from kan_dialect.flows.sweep.columns import COLUMNS, Row, is_number, label
from kan_dialect.flows.sweep.grid import column_of, spell
from kan_dialect.flows.sweep.sweep import Sweep
from kan_dialect.ir.constants import FloatArray


def varied(result: Sweep) -> list[str]:
    """Columns of the options with several values, in the order of the grid."""
    names = dict.fromkeys(
        column_of(option) for point in result.points for option, _ in point.options
    )
    found: list[str] = []
    for name in names:
        if len({row.get(name) for row in result.rows}) > 1:
            found.append(name)
    return found


def _numbers(rows: Sequence[Row], name: str) -> FloatArray:
    """Figures of a column: (rows), float64; NaN where a row has none."""
    values = [row.get(name) for row in rows]
    return np.array([float(v) if v is not None and is_number(v) else np.nan for v in values])


def front_picture(result: Sweep, good: str) -> bytes:
    """Quality over LUTs: all points, the front, the choice and the float model.

    Parameters
    ----------
    good : column of the quality.
    """
    area = columns.area(result.rows)
    picture = figure(7.2, 4.4)
    axes = picture.subplots()
    x, y = _numbers(result.rows, area), _numbers(result.rows, good)
    axes.scatter(x, y, s=22, color=GREY, linewidths=0, label="points")
    if columns.has(result.rows, columns.error_column(good)):
        error = _numbers(result.rows, columns.error_column(good))
        axes.errorbar(
            *(x, y, error),
            fmt="none",
            ecolor=GREY,
            elinewidth=1,
            capsize=2,
            zorder=0,
            label="standard error",
        )
    front = [n for n in result.front if np.isfinite(x[n]) and np.isfinite(y[n])]
    front.sort(key=lambda n: (x[n], -y[n] if COLUMNS[good].better > 0 else y[n]))
    axes.plot(x[front], y[front], "o-", color=BLUE, markersize=5, linewidth=1.4, label="front")
    if good in result.reference and good != "validation_error":
        axes.axhline(result.reference[good], color=INK, linewidth=0.9, linestyle="--")
        axes.annotate(
            "float model",
            (1, result.reference[good]),
            xycoords=("axes fraction", "data"),
            xytext=(0, -4),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=8,
            color=INK,
        )
    if result.choice is not None:
        n = result.choice
        axes.scatter(x[n], y[n], s=150, facecolors="none", edgecolors=ORANGE, linewidths=2)
        axes.annotate(
            str(result.points[n]).replace(" ", "\n"),
            (x[n], y[n]),
            xytext=(10, -12),
            textcoords="offset points",
            va="top",
            fontsize=8,
            color=ORANGE,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        )
    if np.nanmin(x) > 0 and np.nanmax(x) > 8 * np.nanmin(x):
        axes.set_xscale("log")
    axes.set_xlabel(label(area))
    axes.set_ylabel(label(good))
    title = f"{result.study.name}: {len(result.rows)} points"
    # Points of low accuracy would leave little of the axis to the others.
    floor = np.nanmax(y) - 0.3
    if good.endswith("accuracy") and np.nanmin(y) < floor:
        axes.set_ylim(floor, np.nanmax(y) + 0.02)
        title += f", {np.count_nonzero(y < floor)} of them below the axis"
    axes.set_title(title, fontsize=11, loc="left")
    axes.legend(frameon=False, fontsize=8, loc="center right")
    plain(axes)
    return as_png(picture)


def heat_map_picture(result: Sweep, options: Sequence[str]) -> bytes:
    """Quality, LUTs and latency over two options, side by side.

    Parameters
    ----------
    options : columns of the two options: vertical axis, horizontal axis.
    """
    rows = result.rows
    good = columns.quality(rows)
    names = [name for name in (good, columns.area(rows), columns.latency(rows)) if name]
    vertical, horizontal = options
    ys, xs = _values(rows, vertical), _values(rows, horizontal)
    picture = figure(1.0 + 3.5 * len(names), 3.9)
    panels = picture.subplots(1, len(names), squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        cells = np.full((len(ys), len(xs)), np.nan)
        for row in rows:
            if name in row:
                cells[ys.index(row[vertical]), xs.index(row[horizontal])] = row[name]
        shades = _shades(cells, name)
        axes.imshow(shades, origin="lower", aspect="auto", cmap="YlGnBu", vmin=0, vmax=1)
        if cells.size <= 200:
            for (i, j), value in np.ndenumerate(cells):
                if np.isfinite(value):
                    axes.text(
                        *(j, i, _short(float(value), name)),
                        ha="center",
                        va="center",
                        fontsize=6.5,
                        color="white" if shades[i, j] > 0.5 else INK,
                    )
        if result.choice is not None:
            chosen = rows[result.choice]
            at = (xs.index(chosen[horizontal]), ys.index(chosen[vertical]))
            axes.plot(*at, "s", markersize=21, markerfacecolor="none", color=ORANGE, mew=2)
        axes.set_xticks(range(len(xs)), [spell(value) for value in xs])
        axes.set_yticks(range(len(ys)), [spell(value) for value in ys])
        axes.set_xlabel(label(horizontal))
        axes.set_ylabel(label(vertical))
        axes.set_title(label(name), fontsize=10)
    picture.suptitle(f"{result.study.name} (dark: worse)", fontsize=11)
    return as_png(picture)


def _values(rows: Sequence[Row], name: str) -> list[Any]:
    """Distinct values of an option: numbers ascending, other values in the order of the rows."""
    found = list(dict.fromkeys(row[name] for row in rows))
    return sorted(found) if all(is_number(value) for value in found) else found


def _shades(cells: FloatArray, name: str) -> FloatArray:
    """Figures mapped to 0 (best) to 1; accuracies reach 1 at 0.2 below the best."""
    if name.endswith("accuracy"):
        return np.clip((np.nanmax(cells) - cells) / 0.2, 0.0, 1.0)
    if np.nanmin(cells) > 0:
        cells = np.log(cells)
    spread = np.nanmax(cells) - np.nanmin(cells)
    return (cells - np.nanmin(cells)) / (spread or 1.0)


def _short(value: float, name: str) -> str:
    if name.endswith("accuracy"):
        return f"{100 * value:.1f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def schedule_picture(result: Sweep) -> bytes:
    """LUTs, registers, delay of a stage and latency over cycles. Points on the front are filled."""
    rows = result.rows
    picture = figure(9.6, 4.2)
    left, right = picture.subplots(1, 2)
    cycles = _numbers(rows, "latency_cycles")
    on_front = np.array([bool(row["front"]) for row in rows])
    pairs = (
        (left, columns.area(rows), BLUE),
        (left, columns.registers(rows), ORANGE),
        (right, columns.delay(rows), BLUE),
        (right, columns.latency(rows), ORANGE),
    )
    for axes, name, colour in pairs:
        values = _numbers(rows, name)
        for group in _networks(result):
            first = _least(group, cycles, _numbers(rows, columns.delay(rows)))
            axes.plot(cycles[first], values[first], "-", color=colour, linewidth=1.0, alpha=0.6)
        rest = ~on_front
        axes.scatter(
            cycles[rest], values[rest], s=24, facecolors="white", edgecolors=colour, zorder=3
        )
        axes.scatter(
            cycles[on_front], values[on_front], s=26, color=colour, zorder=3, label=label(name)
        )
    for axes in (left, right):
        axes.set_xlabel("latency in cycles (0: combinational)")
        axes.set_ylim(bottom=0)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False, fontsize=8)
        plain(axes)
    picture.suptitle(f"{result.study.name}: schedules (filled: on the front)", fontsize=11)
    return as_png(picture)


def _networks(result: Sweep) -> list[list[int]]:
    """Indices of rows that differ in the schedule alone, a list a network."""
    groups: dict[object, list[int]] = {}
    for number, point in enumerate(result.points):
        groups.setdefault(point.options[:-1], []).append(number)
    return list(groups.values())


def _least(group: Sequence[int], cycles: FloatArray, delays: FloatArray) -> list[int]:
    """For each number of cycles, ascending, the row with the shortest stage."""
    found: dict[float, int] = {}
    for number in sorted(group, key=lambda n: (cycles[n], delays[n])):
        if np.isfinite(cycles[number]):
            found.setdefault(float(cycles[number]), number)
    return list(found.values())
