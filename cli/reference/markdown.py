"""Pieces of Markdown."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias


def cell(text: str) -> str:
    """Text for a table's cell: one line, with bars that do not end the cell."""
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; empty where it has no rows."""
    lines = [f"| {' | '.join(cell(each) for each in row)} |" for row in rows]
    if not lines:
        return ""
    head = [f"| {' | '.join(header)} |", f"| {' | '.join('---' for _ in header)} |"]
    return "\n".join([*head, *lines])


def bullets(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as a list, for narrow terminals; empty where it has no rows."""
    items: list[str] = []
    for first, *between, last in rows:
        named = zip(header[1:-1], between, strict=True)
        told = "; ".join(f"{label} {each}" for label, each in named if each)
        items.append(" ".join(f"- {first}: {told}. {last}".split()))
    return "\n".join(items)


Layout: TypeAlias = Callable[[Sequence[str], Iterable[Sequence[str]]], str]
"""`table` or `bullets`."""


def prose(docstring: str | None) -> str:
    """A docstring as paragraphs.

    Indented blocks are fenced, as `mlir` below `Example:`, and `*` and `_` of formulas
    are escaped. Sections in NumPy's style (a title over dashes) are left out.
    """
    if not docstring:
        return ""
    text = re.split(r"\n\n\w+\n-{3,}\n", inspect.cleandoc(docstring))[0]
    blocks: list[str] = []
    for block in re.split(r"\n\s*\n", text):
        if all(line.startswith("    ") for line in block.splitlines()):
            language = "mlir" if blocks[-1:] == ["Example:"] else "text"
            blocks.append(f"```{language}\n{textwrap.dedent(block)}\n```")
        else:
            blocks.append(_escaped(block))
    return "\n\n".join(blocks)


def _escaped(block: str) -> str:
    """Markdown's own marks outside code, as the characters that they are in a formula."""
    marks = re.compile(r"(?<!^)([*<\[\]]|(?<!\w)_|_(?!\w))")
    parts = re.split(r"(`[^`]*`)", block)
    return "".join(part if part.startswith("`") else marks.sub(r"\\\1", part) for part in parts)
