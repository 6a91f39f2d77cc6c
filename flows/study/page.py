"""Writes a study as a page of Markdown: method, choices, and all points of each data set."""

from __future__ import annotations

from collections.abc import Mapping

from kan_dialect.files.templates import filled
from kan_dialect.flows.compare.bootstrap import CONFIDENCE, LEAST_UNITS
from kan_dialect.flows.study.results import Cell, Studied
from kan_dialect.flows.trials.points import spell


def study_page(studied: Studied, about: Mapping[str, str]) -> str:
    """The text of the page.

    Parameters
    ----------
    about : facts of the head, such as command and versions, by their names.
    """
    return filled(
        "flows/study/templates/study.md.j2",
        title=studied.title,
        about=about,
        summary=studied.summary(),
        loss=studied.loss,
        confidence=f"{CONFIDENCE:.0%}",
        least=LEAST_UNITS,
        effects=effect_table(studied),
        tables={data: point_table(studied, data) for data in studied.data},
    )


def effect_table(studied: Studied) -> list[tuple[str, ...]]:
    """What each value is worth against the one before, a row for each, a column a data set."""
    found = {data: studied.effects(data) for data in studied.data}
    steps = dict.fromkeys(step for effects in found.values() for step in effects)
    rows = [
        (
            f"{option}: {spell(before)} → {spell(after)}",
            *(str(effects.get((option, before, after), "")) for effects in found.values()),
        )
        for option, before, after in steps
    ]
    return [("step", *found), *rows]


def point_table(studied: Studied, data: str) -> list[tuple[str, ...]]:
    """The points of a data set as text, after the names of the columns.

    Of two axes, a row for each value of the first and a column for each of the second. Otherwise a
    row for each point, with its difference to the reference.
    """
    cells, choice = studied.of(data), studied.choice(data)
    if len(studied.axes) == 2:
        rows, across = studied.axes
        known = {cell.point: _short(cell, choice) for cell in cells}
        found = [(f"{rows.option} \\ {across.option}", *(spell(value) for value in across.values))]
        for value in rows.values:
            points = {cell.point for cell in cells if cell.point.options[0][1] == value}
            by_value = {spell(point.options[1][1]): known[point] for point in points}
            found.append((spell(value), *(by_value.get(name, "") for name in found[0][1:])))
        return found
    head = ("point", "held-out", "test", "LUTs", "less the reference", "s a training")
    reference = studied.reference(data)
    return [
        head,
        *(
            (
                f"**{cell.point}**" if cell is choice else str(cell.point),
                f"{cell.held_out:.3f}",
                cell.test.shown(".3f"),
                cell.luts.shown(".0f"),
                "" if cell is reference else cell.less(reference).shown("+.3f"),
                f"{cell.seconds:.1f}",
            )
            for cell in cells
        ),
    ]


def _short(cell: Cell, choice: Cell) -> str:
    text = f"{cell.test.mean:.3f}, {cell.luts.mean:.0f}"
    return f"**{text}**" if cell is choice else text
