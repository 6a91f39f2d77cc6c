"""What consoles and notebooks show of results: figures on a few lines, or as a table."""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from reprlib import Repr

WIDTH = 100
"""Characters a line."""


class _ShortRepr(Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = 8
        self.maxstring = self.maxother = 80

    def repr_float(self, value: float, _level: int) -> str:
        return f"{value:.6g}"


_SHORT = _ShortRepr()


def shown_figures(owner: object, figures: Mapping[str, object]) -> str:
    """`Estimate(luts=12, levels=3)`, on lines of `WIDTH` characters; long values are cut."""
    named = ", ".join(f"{name}={_SHORT.repr(value)}" for name, value in figures.items())
    whole = f"{type(owner).__name__}({named})"
    return "\n".join(textwrap.wrap(whole, WIDTH, subsequent_indent="  "))


def html_table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """A table with a title: a name and a value a row."""
    body = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in rows
    )
    return f"<table><caption>{escape(title)}</caption><tbody>{body}</tbody></table>"


def html_columns(title: str, rows: Iterable[Sequence[str]]) -> str:
    """A table with a title; the first row has the names of the columns."""
    head, *body = ([escape(cell) for cell in row] for row in rows)
    lines = [f"<th>{'</th><th>'.join(head)}</th>"]
    lines += [f"<td>{'</td><td>'.join(row)}</td>" for row in body]
    return f"<table><caption>{escape(title)}</caption><tr>{'</tr><tr>'.join(lines)}</tr></table>"


class Shown(ABC):
    """A result that consoles and notebooks show by its figures.

    Dataclasses say `repr=False`, since theirs would show every field.
    """

    @abstractmethod
    def figures(self) -> Mapping[str, object]:
        """Figures by name."""

    def __repr__(self) -> str:
        return shown_figures(self, self.figures())

    def _repr_html_(self) -> str:
        rows = [(name.replace("_", " "), _SHORT.repr(v)) for name, v in self.figures().items()]
        return html_table(type(self).__name__, rows)
