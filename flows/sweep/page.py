"""Writes a sweep as one interactive HTML page, which needs no network and no library.

The page contains the table as JSON. Plain JavaScript draws it as SVG over the axes that the reader
chooses; a plotting library would add megabytes to every page.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from kan_dialect.flows.sweep.sweep import Sweep, constant_caution
from kan_dialect.flows.trials import columns
from kan_dialect.flows.trials.columns import COLUMNS, columns_of, error_column, has, label
from kan_dialect.flows.trials.points import column_of


def page(result: Sweep) -> str:
    """The text of the page."""
    template = files("kan_dialect.flows.sweep").joinpath("page.html").read_text()
    # Escaped, so that no text in the data, such as an error, ends the script element.
    text = json.dumps(_content(result), separators=(",", ":")).replace("<", "\\u003c")
    return template.replace("@DATA@", text)


def _content(result: Sweep) -> dict[str, Any]:
    rows = result.rows
    options = {column_of(option) for point in result.points for option, _ in point.options}
    area = columns.area(rows)
    y = result.judged or columns.delay(rows)
    x = area if result.judged else "latency_cycles"
    spread = [row[x] for row in rows if x in row]
    return {
        "title": f"{result.network.name}: {len(rows)} points",
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
    found = [("front over", ", ".join(map(label, result.objectives)))]
    found += [
        (f"float model, {label(name)}", f"{figure:.4g}")
        for name, figure in result.reference.items()
        if not name.endswith("error")
    ]
    if result.choice is not None:
        found.append(("choice", str(result.points[result.choice])))
    found += [("noise", text) for text in result.noise]
    constant = constant_caution(result)
    return found if constant is None else [*found, ("warning", constant)]
