"""How proofs are printed: a table with a row for each group of claims, and lines below it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table

Row = tuple[str, str, str]
"""A group of claims: its name, `proven of all`, and seconds."""


def print_table(rows: Iterable[Sequence[str]], console: Console, *, free: bool = True) -> None:
    """The rows of a proof; with `free`, their third column says what is free in the claims."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("", "proven", "free", "seconds") if free else ("", "proven", "seconds"):
        table.add_column(heading, justify="left" if heading in ("", "free") else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def print_line(text: str, console: Console, style: str | None = None) -> None:
    """A line as it stands; problems are red."""
    console.print(text, style=style, markup=False, soft_wrap=True)


def grouped(claims: Iterable[tuple[str, bool, float]]) -> Iterator[Row]:
    """A row for each group, in the order of their first claims: name, whether proven, seconds."""
    groups: dict[str, list[tuple[bool, float]]] = {}
    for group, proven, seconds in claims:
        groups.setdefault(group, []).append((proven, seconds))
    for group, of in groups.items():
        done = sum(proven for proven, _ in of)
        yield group, f"{done} of {len(of)}", f"{sum(spent for _, spent in of):.2f}"
