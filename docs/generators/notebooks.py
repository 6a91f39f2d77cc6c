"""Notebooks of `docs/notebooks/`: run, and made into pages with their outputs.

A notebook is a Python script in percent format, which Jupyter (jupytext), VS Code, PyCharm and
Spyder open: `# %% [markdown]` begins a cell of text, `# %%` one of code. As in Jupyter, a cell
shows what it prints, then the value of its last line. A first line `# needs torch, sklearn` names
packages; where one of them is missing, the notebook's page has no outputs.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from generators.links import ROOT

NOTEBOOKS = ROOT / "docs" / "notebooks"
_LAST = ast.Name("__last__", ast.Store())
"""Name of the value of a cell's last line, while the cell runs."""


@dataclass(frozen=True)
class Cell:
    """A cell: whether it is text, its source without the marker, and its first line in the file."""

    is_text: bool
    source: str
    line: int


@dataclass(frozen=True)
class Output:
    """What a cell of code printed, and HTML of the value of its last line, if there is one."""

    printed: str
    shown: str | None


def notebooks() -> dict[str, Path]:
    """Place on the site of each notebook, and its file."""
    return {f"notebooks/{path.stem}.md": path for path in sorted(NOTEBOOKS.glob("*.py"))}


def cells(text: str) -> list[Cell]:
    """The cells of a notebook."""
    found: list[Cell] = []
    marks = list(re.finditer(r"^# %%(?P<text> \[markdown\])?\n", text, re.MULTILINE))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    for mark, end in zip(marks, ends, strict=True):
        source = text[mark.end() : end].strip("\n") + "\n"
        if mark["text"] is not None:
            source = re.sub(r"^# ?", "", source, flags=re.MULTILINE)
        found.append(Cell(mark["text"] is not None, source, text.count("\n", 0, mark.end()) + 1))
    return found


def is_runnable(path: Path) -> bool:
    """Whether the packages that a notebook needs are installed."""
    needed = re.match(r"# needs (.*)\n", path.read_text())
    return all(map(find_spec, needed[1].split(", "))) if needed else True


def run(path: Path, folder: Path) -> Iterator[tuple[Cell, Output]]:
    """Run a notebook's cells one after another in a folder that has `examples/`.

    Tracebacks name the notebook and its line.
    """
    (folder / "examples").symlink_to(ROOT / "examples")
    module = ModuleType(f"notebook_{path.stem.replace('-', '_')}")
    sys.modules[module.__name__] = module
    for cell in cells(path.read_text()):
        if cell.is_text:
            yield cell, Output("", None)
            continue
        tree = ast.parse("\n" * (cell.line - 1) + cell.source, str(path))
        if tree.body and isinstance(last := tree.body[-1], ast.Expr):
            tree.body[-1] = ast.copy_location(ast.Assign([_LAST], last.value), last)
        code = compile(ast.fix_missing_locations(tree), str(path), "exec")
        printed = io.StringIO()
        with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
            exec(code, module.__dict__)
            value = module.__dict__.pop(_LAST.id, None)
            html = None if value is None else shown(value)
        yield cell, Output(printed.getvalue(), html)


def shown(value: Any) -> str:
    """HTML of a value: of its `_repr_html_`, a figure of Matplotlib as SVG, or its `repr`."""
    page = value._repr_html_() if hasattr(value, "_repr_html_") else None
    if page is None and hasattr(value, "savefig"):
        picture = io.StringIO()
        value.savefig(picture, format="svg", bbox_inches="tight")
        page = picture.getvalue()
        page = page[page.index("<svg") :]
    return f"<pre>{escape(repr(value))}</pre>" if page is None else str(page)


def page(path: Path, executed: bool = True) -> tuple[str, list[str]]:
    """The page of a notebook as Markdown, and HTML of the values that it shows.

    `<div data-output="N"></div>` in the page stands for the N-th of these.
    """
    executed = executed and is_runnable(path)
    parts: list[str] = []
    values: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        outputs = (
            run(path, Path(folder))
            if executed
            else ((cell, Output("", None)) for cell in cells(path.read_text()))
        )
        for cell, output in outputs:
            if cell.is_text:
                parts.append(cell.source)
                continue
            parts.append(f"```python\n{cell.source}```\n")
            if output.printed:
                parts.append(f"```text\n{output.printed.rstrip()}\n```\n")
            if output.shown is not None:
                parts.append(f'<div data-output="{len(values)}"></div>\n')
                values.append(output.shown)
    heading, _, rest = "\n".join(parts).partition("\n")
    link = f'<a href="{path.name}" download><code>{path.name}</code></a>'
    run_as = "run, with what they print and show" if executed else "without their outputs"
    about = f"The cells of {link}, {run_as}."
    return f"{heading}\n\n{about}\n{rest}", values


def with_values(html: str, values: list[str]) -> str:
    """The page as HTML, with values in their places."""
    return re.sub(
        r'<div data-output="(\d+)"></div>',
        lambda mark: f'<div class="notebook-output">{values[int(mark[1])]}</div>',
        html,
    )
