"""Writes the table of a sweep as CSV and as Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, cast

from kan_dialect.flows.sweep.columns import COLUMNS, Row
from kan_dialect.flows.sweep.grid import spell


def columns_of(rows: Sequence[Row]) -> list[str]:
    """All columns: options in the order of the rows, figures in that of COLUMNS, then `_LAST`."""
    found = dict.fromkeys(name for row in rows for name in row)
    last = [name for name in _LAST if name in found]
    figures = [name for name in COLUMNS if name in found]
    options = [name for name in found if name not in figures and name not in last]
    return [*options, *figures, *last]


_LAST = ("synthesis_tool", "pnr_tool", "design", "constant", "front", "within_noise_of", "error")


def csv_text(rows: Sequence[Row]) -> str:
    """The table as CSV; unknown figures are empty."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns_of(rows), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _text(value) for name, value in row.items()})
    return stream.getvalue()


def _text(value: object) -> object:
    return spell(value) if isinstance(value, bool) else value


def parquet(rows: Sequence[Row]) -> bytes:
    """The table as Parquet, by pyarrow. A column of mixed types becomes text."""
    arrow: Any = import_module("pyarrow")
    writer: Any = import_module("pyarrow.parquet")
    columns = {name: _column([row.get(name) for row in rows]) for name in columns_of(rows)}
    stream = io.BytesIO()
    writer.write_table(arrow.table(columns), stream)
    return stream.getvalue()


def _column(values: Iterable[object]) -> list[object]:
    every = list(values)
    kinds = {type(value) for value in every if value is not None}
    if kinds == {int, float}:
        return [None if value is None else float(cast(float, value)) for value in every]
    if len(kinds) > 1:
        return [None if value is None else str(_text(value)) for value in every]
    return every
