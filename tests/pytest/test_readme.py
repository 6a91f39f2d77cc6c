"""The README's commands work as printed, and print what it says they print.

Blocks run in the order of the page, in a folder that has only `examples/`, with the environment's
commands on the PATH: as in a clone after `make demo` and activation.
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

ROOT = Path(__file__).parent.parent.parent
LONG = re.compile(r"kan-flow sweep|--precision auto")
"""Commands that take minutes: only for CI."""
ELSEWHERE = re.compile(r"^(make|pipx) ")
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


def pattern(printed: tuple[str, ...]) -> re.Pattern[str]:
    """What the output must match: `...` alone on a line, or in it, stands for anything.

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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples, as a clone has them."""
    here = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "examples", here / "examples")
    return here


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(c, id=str(c), marks=[pytest.mark.ci] if LONG.search(c.text) else [])
        for c in commands("README.md")
    ],
)
def test_commands_work_as_printed(command: Command, folder: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command.text],
        cwd=folder,
        env={**os.environ, "PATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    if command.printed is not None:
        output = "\n".join(line.rstrip() for line in done.stdout.splitlines())
        assert pattern(command.printed).search(output), output
