"""Writes tables of figures as CSV and as Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.trials.columns import Row, columns_of


def write_tables(folder: GrowingFolder, name: str, rows: Sequence[Row]) -> None:
    """Write `NAME.csv` and, where pyarrow is installed, `NAME.parquet`.

    Raises
    ------
    KanError : a file cannot be written.
    """
    folder.write(f"{name}.csv", csv_text(rows))
    if find_spec("pyarrow") is not None:
        folder.write(f"{name}.parquet", parquet(rows))


def csv_text(rows: Sequence[Row]) -> str:
    """The table as CSV; unknown figures are empty."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns_of(rows), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _text(value) for name, value in row.items()})
    return stream.getvalue()


def _text(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def parquet(rows: Sequence[Row]) -> bytes:
    """The table as Parquet, by pyarrow. A column of mixed types becomes text."""
    arrow: Any = import_module("pyarrow")
    writer: Any = import_module("pyarrow.parquet")
    arrays = {name: _column([row.get(name) for row in rows]) for name in columns_of(rows)}
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
