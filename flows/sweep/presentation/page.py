"""Writes a sweep as one interactive HTML page, which needs no network and no library.

The page contains the table as JSON. Plain JavaScript draws it as SVG over the axes that the reader
chooses; a plotting library would add megabytes to every page.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from kan_dialect.flows.sweep import columns
from kan_dialect.flows.sweep.columns import COLUMNS, error_column, has, label
from kan_dialect.flows.sweep.grid import column_of
from kan_dialect.flows.sweep.presentation.tables import columns_of
from kan_dialect.flows.sweep.sweep import Sweep, constant_caution


def page(result: Sweep) -> str:
    """The text of the page."""
    template = files("kan_dialect.flows.sweep.presentation").joinpath("page.html").read_text()
    # Escaped, so that no text in the data, such as an error, ends the script element.
    text = json.dumps(_content(result), separators=(",", ":")).replace("<", "\\u003c")
    return template.replace("@DATA@", text)


def _content(result: Sweep) -> dict[str, Any]:
    rows = result.rows
    options = {column_of(option) for point in result.points for option, _ in point.options}
    good = columns.quality(rows)
    area = columns.area(rows)
    y = good if good in result.objectives else columns.delay(rows)
    x = area if good in result.objectives else "latency_cycles"
    spread = [row[x] for row in rows if x in row]
    return {
        "title": f"{result.study.name}: {len(rows)} points",
        "summary": _summary(result),
        "columns": {
            name: {
                "label": label(name),
                "better": COLUMNS[name].better if name in COLUMNS else -1,
                "option": name in options,
                "error": error_column(name) if has(rows, error_column(name)) else None,
            }
            for name in columns_of(rows)
        },
        "rows": [dict(row) for row in rows],
        "choice": result.choice,
        "x": x,
        "y": y,
        "colour": columns.latency(rows) if x == area else columns.registers(rows),
        "log": bool(spread) and min(spread) > 0 and max(spread) > 8 * min(spread),
    }


def _summary(result: Sweep) -> list[tuple[str, str]]:
    found = [("front over", ", ".join(label(name) for name in result.objectives))]
    found += [
        (f"float model, {label(name)}", f"{figure:.4g}")
        for name, figure in result.reference.items()
        if not name.endswith("error")
    ]
    if result.choice is not None:
        found.append(("choice", str(result.points[result.choice])))
    found += [("noise", text) for text in result.noise]
    constant = constant_caution(result)
    if constant is not None:
        found.append(("warning", constant))
    return found
