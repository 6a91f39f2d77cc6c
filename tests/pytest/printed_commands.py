"""The commands of a page, run as printed, in a folder that is made for the page.

The folder has `examples/`, as a clone has it, and the files that the page tells to write. Entry
points that the page prints are found there, as if the package were installed. The environment's
commands are on the PATH.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONG = re.compile(r"kan-flow sweep|--precision auto")
"""Commands that take minutes: only for CI."""
ELSEWHERE = re.compile(r"^(make|pip|pipx|uv|git) ")
"""Commands that set up environments: `.ci/run` runs make, and the `wheel` session installs."""


@dataclass(frozen=True)
class Command:
    """One command of a page, and the lines that the page prints after it."""

    page: str
    line: int
    text: str
    printed: tuple[str, ...] | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def commands(page: str) -> list[Command]:
    """The commands of the `sh` and `console` blocks of a page, in order.

    In a `console` block a command begins with `$ ` and its output follows. An `sh` block holds
    commands alone.
    """
    text = (ROOT / page).read_text()
    found: list[Command] = []
    for block in re.finditer(r"^```(sh|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, block.start()) + 2
        if block[1] == "sh":
            found.append(Command(page, line, block[2], None))
            continue
        for part in re.split(r"^\$ ", block[2], flags=re.MULTILINE)[1:]:
            command, *printed = part.splitlines()
            found.append(Command(page, line, command, tuple(printed)))
    return [each for each in found if not ELSEWHERE.match(each.text)]


def parameters(*pages: str, ci: bool = False) -> list[object]:
    """The commands of pages for `parametrize`; long ones are marked `ci`, or all of them."""
    return [
        pytest.param(c, id=str(c), marks=[pytest.mark.ci] if ci or LONG.search(c.text) else [])
        for page in pages
        for c in commands(page)
    ]


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


class Pages:
    """A folder for each page whose commands run."""

    def __init__(self, parent: Path) -> None:
        self.parent = parent

    def folder(self, page: str) -> Path:
        """The folder of a page, made when it is first asked for."""
        here = self.parent / page.replace("/", "-")
        if not here.exists():
            here.mkdir()
            shutil.copytree(ROOT / "examples", here / "examples")
            _write_files((ROOT / page).read_text(), here)
        return here

    def check(self, command: Command) -> None:
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


def _write_files(page: str, folder: Path) -> None:
    """Write the files of a page: blocks behind a line that ends in ``Write `NAME`:``."""
    for name, text in re.findall(
        r"Write `([\w.]+)`:\n\n```\w+\n(.*?)^```", page, re.MULTILINE | re.DOTALL
    ):
        (folder / name).write_text(text)
    groups = re.findall(
        r'^\[project\.entry-points\."(.*)"\]\n((?:\w+ = .*\n)+)', page, re.MULTILINE
    )
    if groups:
        about = folder / "printed-0.1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: printed\nVersion: 0.1\n")
        entries = "".join(f"[{group}]\n{lines}" for group, lines in groups)
        (about / "entry_points.txt").write_text(entries.replace('"', ""))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """Folders of the pages of one test file."""
    return Pages(tmp_path_factory.mktemp("pages"))
