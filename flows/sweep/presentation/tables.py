"""Writes the table of a sweep as CSV and as Parquet."""

from __future__ import annotations

from collections.abc import Sequence

from kan_dialect.flows.sweep.columns import COLUMNS, Row
from kan_dialect.flows.workers import tables


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
    return tables.csv_text(rows, columns_of(rows))


def parquet(rows: Sequence[Row]) -> bytes:
    """The table as Parquet, by pyarrow. A column of mixed types becomes text."""
    return tables.parquet(rows, columns_of(rows))
