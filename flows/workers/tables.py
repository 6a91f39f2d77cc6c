"""Writes tables of figures as CSV and as Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, cast


def csv_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """The table as CSV; unknown figures are empty."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _text(value) for name, value in row.items()})
    return stream.getvalue()


def _text(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def parquet(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    """The table as Parquet, by pyarrow. A column of mixed types becomes text."""
    arrow: Any = import_module("pyarrow")
    writer: Any = import_module("pyarrow.parquet")
    arrays = {name: _column([row.get(name) for row in rows]) for name in columns}
    stream = io.BytesIO()
    writer.write_table(arrow.table(arrays), stream)
    return stream.getvalue()


def _column(values: Iterable[object]) -> list[object]:
    every = list(values)
    kinds = {type(value) for value in every if value is not None}
    if kinds == {int, float}:
        return [None if value is None else float(cast(float, value)) for value in every]
    if len(kinds) > 1:
        return [None if value is None else str(_text(value)) for value in every]
    return every
