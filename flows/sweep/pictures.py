"""Draws a sweep as PNG with matplotlib: front, heat maps over two options, schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kan_dialect.flows.png_chart import BLUE, GREY, INK, ORANGE, as_png, figure, plain
from kan_dialect.flows.sweep.sweep import Sweep
from kan_dialect.flows.trials import columns
from kan_dialect.flows.trials.columns import COLUMNS, Row, is_number, label
from kan_dialect.flows.trials.points import column_of, spell
from kan_dialect.ir.constants import FloatArray


def sweep_pictures(result: Sweep, *, schedule: bool) -> dict[str, bytes]:
    """The pictures that show something of a sweep, by name of the file."""
    found = {} if result.judged is None else {"front.png": front_picture(result, result.judged)}
    if schedule:
        return {**found, "schedule.png": schedule_picture(result)}
    names = [column_of(option) for option, _ in result.points[0].options]
    varied = [name for name in names if len({row.get(name) for row in result.rows}) > 1]
    if len(varied) == 2:
        found["heatmap.png"] = heat_map_picture(result, varied[0], varied[1])
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
    error = _numbers(result.rows, columns.error_column(good))
    if np.isfinite(error).any():
        axes.errorbar(x, y, error, fmt="none", ecolor=GREY, zorder=0, label="standard error")
    front = [n for n in result.front if np.isfinite(x[n] + y[n])]
    front.sort(key=lambda n: (x[n], -COLUMNS[good].better * y[n]))
    axes.plot(x[front], y[front], "o-", color=BLUE, markersize=5, linewidth=1.4, label="front")
    if good in result.reference and good != "validation_error":
        reference = result.reference[good]
        axes.axhline(reference, color=INK, linewidth=0.9, linestyle="--", label="float model")
    if result.choice is not None:
        n = result.choice
        axes.scatter(x[n], y[n], s=150, facecolors="none", edgecolors=ORANGE, linewidths=2)
        _note(axes, str(result.points[n]).replace(" ", "\n"), (x[n], y[n]))
    if np.nanmin(x) > 0 and np.nanmax(x) > 8 * np.nanmin(x):
        axes.set_xscale("log")
    axes.set_xlabel(label(area))
    axes.set_ylabel(label(good))
    title = f"{result.network.name}: {len(result.rows)} points"
    # Points of low accuracy would leave little of the axis to the others.
    floor = np.nanmax(y) - 0.3
    if good.endswith("accuracy") and np.nanmin(y) < floor:
        axes.set_ylim(floor, np.nanmax(y) + 0.02)
        title += f", {np.count_nonzero(y < floor)} of them below the axis"
    axes.set_title(title, fontsize=11, loc="left")
    axes.legend(frameon=False, fontsize=8, loc="center right")
    plain(axes)
    return as_png(picture)


def _note(axes: Any, text: str, at: tuple[float, float]) -> None:
    """A text right below a point."""
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
    where = {"xytext": (10, -12), "textcoords": "offset points", "va": "top"}
    axes.annotate(text, at, **where, fontsize=8, color=ORANGE, bbox=box)


def heat_map_picture(result: Sweep, vertical: str, horizontal: str) -> bytes:
    """Quality, LUTs and latency over two options, side by side.

    Parameters
    ----------
    vertical, horizontal : columns of the options.
    """
    rows = result.rows
    names = [columns.quality(rows), columns.area(rows), columns.latency(rows)]
    panels = [name for name in names if name is not None]
    ys, xs = _values(rows, vertical), _values(rows, horizontal)
    picture = figure(1.0 + 3.5 * len(panels), 3.9)
    all_axes = picture.subplots(1, len(panels), squeeze=False)[0]
    for axes, name in zip(all_axes, panels, strict=True):
        cells = np.full((len(ys), len(xs)), np.nan)
        for row in rows:
            cells[ys.index(row[vertical]), xs.index(row[horizontal])] = row.get(name, np.nan)
        draw_cells(axes, cells, name)
        if result.choice is not None:
            chosen = rows[result.choice]
            at = (xs.index(chosen[horizontal]), ys.index(chosen[vertical]))
            axes.plot(*at, "s", markersize=21, markerfacecolor="none", color=ORANGE, mew=2)
        axes.set_xticks(range(len(xs)), [spell(value) for value in xs])
        axes.set_yticks(range(len(ys)), [spell(value) for value in ys])
        axes.set_xlabel(label(horizontal))
        axes.set_ylabel(label(vertical))
        axes.set_title(label(name), fontsize=10)
    picture.suptitle(f"{result.network.name} (dark: worse)", fontsize=11)
    return as_png(picture)


def draw_cells(axes: Any, cells: FloatArray, name: str) -> None:
    """Colours from best (0) to worst (1), and figures in up to 200 cells.

    Accuracies reach 1 at 0.2 below the best.
    """
    is_accuracy = name.endswith("accuracy")
    if is_accuracy:
        shades = np.clip((np.nanmax(cells) - cells) / 0.2, 0.0, 1.0)
    else:
        shades = np.log(cells) if np.nanmin(cells) > 0 else cells
        spread = np.nanmax(shades) - np.nanmin(shades)
        shades = (shades - np.nanmin(shades)) / (spread or 1.0)
    axes.imshow(shades, origin="lower", aspect="auto", cmap="YlGnBu", vmin=0, vmax=1)
    for (i, j), value in np.ndenumerate(cells) if cells.size <= 200 else ():
        if np.isfinite(value):
            text = f"{100 * value:.1f}" if is_accuracy else f"{value:.0f}"
            text = text if is_accuracy or value >= 100 else f"{value:.3g}"
            colour = "white" if shades[i, j] > 0.5 else INK
            axes.text(j, i, text, ha="center", va="center", fontsize=6.5, color=colour)


def _values(rows: Sequence[Row], name: str) -> list[Any]:
    """Distinct values of an option: numbers ascending, other values in the order of the rows."""
    found = list(dict.fromkeys(row[name] for row in rows))
    return sorted(found) if all(is_number(value) for value in found) else found


def schedule_picture(result: Sweep) -> bytes:
    """LUTs, registers, delay of a stage and latency over cycles. Points on the front are filled."""
    rows = result.rows
    picture = figure(9.6, 4.2)
    left, right = picture.subplots(1, 2)
    cycles, delays = _numbers(rows, "latency_cycles"), _numbers(rows, columns.delay(rows))
    is_front = np.array([bool(row["front"]) for row in rows])
    for axes, name, colour in (
        (left, columns.area(rows), BLUE),
        (left, columns.registers(rows), ORANGE),
        (right, columns.delay(rows), BLUE),
        (right, columns.latency(rows), ORANGE),
    ):
        values = _numbers(rows, name)
        for group in _networks(result):
            first = _least(group, cycles, delays)
            axes.plot(cycles[first], values[first], "-", color=colour, linewidth=1.0, alpha=0.6)
        for shown, inside, told in ((~is_front, "white", None), (is_front, colour, label(name))):
            style = {"facecolors": inside, "edgecolors": colour, "zorder": 3, "label": told}
            axes.scatter(cycles[shown], values[shown], s=25, **style)
    for axes in (left, right):
        axes.set_xlabel("latency in cycles (0: combinational)")
        axes.set_ylim(bottom=0)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False, fontsize=8)
        plain(axes)
    picture.suptitle(f"{result.network.name}: schedules (filled: on the front)", fontsize=11)
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
