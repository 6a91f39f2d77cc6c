"""The fenced code of the documentation's pages, and a folder for each page that it runs in.

The folder has `examples/`, as a clone has it, and the files that the page tells to write. Entry
points that the page prints are found there, as if the package were installed, and so are example
packages that the page installs with pip. The environment's commands are on the PATH. Python blocks
of a page share their names.

A comment directly above a block, `<!-- not run: REASON -->`, keeps it from running, and
`<!-- needs: TOOL, ... -->` skips it where a tool or a Python package is not installed.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from kan_dialect.flows.tools.toolchain import look_for
from repository import EXAMPLES, ROOT

PAGES = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "benchmarks/**/*.md")
    for path in ROOT.glob(pattern)
)
PROSE = {"", "text", "ebnf"}
"""Languages of fences that hold no code."""
LONG = re.compile(r"kan-flow sweep|\.tune\(|--precision auto")
"""Commands that take minutes: only for CI."""
FENCE = re.compile(
    r"(?:^ *<!-- (?P<note>[^>]*) -->\n)?(?:Write `(?P<file>[\w.]+)`:\n\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, or one command of it with the lines that the page prints after it.

    `file` is the name under which the page tells to write the block, and `reason` why the block
    does not run.
    """

    page: str
    line: int
    language: str
    text: str
    printed: tuple[str, ...] | None = None
    file: str | None = None
    reason: str | None = None
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """The tools and packages that the block needs, and that are not installed."""
        return [name for name in self.needs if not _is_installed(name)]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = (ROOT / page).read_text()
    for found in FENCE.finditer(text):
        note = found["note"] or ""
        needs = note.removeprefix("needs: ") if note.startswith("needs: ") else ""
        yield Block(
            page,
            text.count("\n", 0, found.start("text")) + 1,
            found["language"],
            textwrap.dedent(found["text"]),
            file=found["file"],
            reason=None if needs else note.removeprefix("not run: ") or None,
            needs=tuple(needs.split(", ")) if needs else (),
        )


def _is_installed(name: str) -> bool:
    """Whether a tool of `toolchain`, or else a package of Python, is there."""
    try:
        return look_for(name) is not None
    except KeyError:
        return importlib.util.find_spec(name) is not None


def commands(block: Block) -> Iterator[Block]:
    """The commands of a `console` block: each begins with `$ `, and its output follows it."""
    line = block.line
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE):
        if (part and line != block.line) or block.text.startswith("$ "):
            command, *printed = part.splitlines() or [""]
            if command:
                yield replace(block, line=line, text=command, printed=tuple(printed))
        line += part.count("\n")


def runnable(*languages: str) -> list[Any]:
    """Blocks of languages that run, for `parametrize`; how-to pages and long commands are `ci`."""
    found: list[Any] = []
    for page in PAGES:
        for block in blocks(page):
            if block.language not in languages or block.reason is not None:
                continue
            for each in commands(block) if block.language == "console" else [block]:
                long = page.startswith("docs/howto/") or LONG.search(each.text)
                found.append(
                    pytest.param(
                        each, id=f"{each}-{each.language}", marks=[pytest.mark.ci] * bool(long)
                    )
                )
    return found


def pattern(printed: tuple[str, ...]) -> re.Pattern[str]:
    """The output that a page prints: `...` alone on a line, or in it, stands for anything.

    Versions of tools and speeds are those of any machine.
    """
    lines: list[str] = []
    for line in printed:
        part = re.escape(line.rstrip())
        part = part.replace(r"\.\.\.", r".*")
        part = re.sub(r"verilator\\ [^)]*\\\)", r"verilator [^)]*\\)", part)
        part = re.sub(r"[^ ]*\\ samples/s", r"[^ ]* samples/s", part)
        lines.append(part)
    return re.compile(r"\n".join(lines).strip("\n"), re.DOTALL)


@dataclass
class Pages:
    """A folder, and a module in Python, for each page whose blocks run."""

    parent: Path
    modules: dict[str, ModuleType] = field(default_factory=dict[str, ModuleType])

    def folder(self, page: str) -> Path:
        """The folder of a page, made when it is first asked for."""
        here = self.parent / page.replace("/", "-")
        if not here.exists():
            here.mkdir()
            shutil.copytree(EXAMPLES, here / "examples")
            _write_files(page, here)
        return here

    def run(self, command: Block) -> None:
        """Run a command; it has to succeed, and to print what the page prints."""
        here = self.folder(command.page)
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command.text],
            cwd=here,
            env={**os.environ, "PATH": path, "COLUMNS": "200", "PYTHONPATH": str(here)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        if command.printed is not None:
            output = "\n".join(line.rstrip() for line in done.stdout.splitlines())
            assert pattern(command.printed).search(output), output + done.stderr

    def execute(self, block: Block) -> None:
        """Execute Python in the page's folder; lines in tracebacks are those of the page."""
        code = compile("\n" * (block.line - 1) + block.text, str(ROOT / block.page), "exec")
        before = Path.cwd()
        os.chdir(self.folder(block.page))
        self._forget_imports()
        try:
            exec(code, self._module(block.page).__dict__)
        finally:
            os.chdir(before)

    def _forget_imports(self) -> None:
        """Pages have builds of one name in their folders, and paths to them that are relative."""
        sys.path_importer_cache.clear()
        for name, module in list(sys.modules.items()):
            if Path(getattr(module, "__file__", None) or "").is_relative_to(self.parent):
                del sys.modules[name]

    def _module(self, page: str) -> ModuleType:
        """The names of a page; dataclasses look their module up."""
        if page not in self.modules:
            name = re.sub(r"\W", "_", page)
            self.modules[page] = sys.modules[name] = ModuleType(name)
        return self.modules[page]


def _write_files(page: str, folder: Path) -> None:
    """Write the files of a page: blocks behind a line that ends in ``Write `NAME`:``."""
    for block in blocks(page):
        if block.file is not None:
            (folder / block.file).write_text(block.text)
    groups = re.findall(
        r'^\[project\.entry-points\."(.*)"\]\n((?:\w+ = .*\n)+)',
        (ROOT / page).read_text(),
        re.MULTILINE,
    )
    if groups:
        entries = "".join(f"[{group}]\n{lines}" for group, lines in groups)
        _declare(folder, "printed", entries.replace('"', ""))
    for block in blocks(page):
        for name in re.findall(r"^pip install \./examples/(\w+)$", block.text, re.MULTILINE):
            _install(folder, name)


def _install(folder: Path, name: str) -> None:
    """Make an example package importable, with its entry points."""
    source = folder / "examples" / name
    shutil.copytree(source / name, folder / name)
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    entries = ""
    for group, found in project["entry-points"].items():
        entries += f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in found.items())
    _declare(folder, name, entries)


def _declare(folder: Path, name: str, entry_points: str) -> None:
    """Entry points of a package in a folder, as its installation has them."""
    about = folder / f"{name}-0.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
    (about / "entry_points.txt").write_text(entry_points)
