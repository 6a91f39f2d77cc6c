"""Lines and tables of results on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table


def results_console() -> Console:
    """The console of results. Lines in a file need no wrapping at the width of a terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


def tell(console: Console, text: str, style: str | None = None) -> None:
    """Print a line as it is."""
    console.print(text, style=style, markup=False, soft_wrap=True)


def column_table(columns: Sequence[str], *, left: int = 1) -> Table:
    """A table with a heading; columns behind the first `left` ones end at the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, name in enumerate(columns):
        table.add_column(name, justify="left" if index < left else "right")
    return table


def figure_table(rows: Iterable[tuple[str, str]] = ()) -> Table:
    """A table of figures: label and text."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column()
    for label, text in rows:
        table.add_row(label, text)
    return table
