"""Runs the commands on files, in this process or as processes, and judges how they end."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from kan_dialect import multiverse
from kan_dialect.cli import kan_flow, kan_opt, kan_run
from kan_dialect.files.manifest import NAME as LISTING
from kan_dialect.files.manifest import Listing
from kan_dialect.frontends import frontend

LIMIT = 20
"""Seconds of processor time that a command may take on the small files here."""
WAITING = 10
"""Seconds that it may take for each of these: other work may go on, and tools that it calls."""
MAINS: Mapping[str, Callable[[Sequence[str]], object]] = {
    "kan-opt": kan_opt.main,
    "kan-run": kan_run.main,
    "kan-flow": kan_flow.main,
}
SENTINEL = "what was there before"
OUTPUTS = ("out.txt", "out.npy")


@dataclass(frozen=True)
class Case:
    """Files in a folder and a command on them. `main` is the broken file."""

    files: Mapping[str, bytes]
    main: str
    command: tuple[str, ...]

    def shown(self) -> Mapping[str, bytes]:
        """The files, with the command as a script."""
        script = f"{shlex.join(self.command)}\n".encode(errors="surrogateescape")
        return {**self.files, "reproduce.sh": script}

    def write(self, folder: Path) -> None:
        """Write the files."""
        for name, data in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str
    timed_out: bool = False


class _TooSlow(BaseException):
    pass


def _too_slow(_number: int, _frame: object) -> None:
    raise _TooSlow


def quicken() -> None:
    """Look up the installed tools once. Each command would spend half of its time on it."""
    multiverse.entry_points = cache(entry_points)
    frontend.entry_points = cache(entry_points)


def run_inside(command: Sequence[str], folder: Path) -> Ended:
    """Run a command in this process, in a folder."""
    out, err = io.StringIO(), io.StringIO()
    code, timed_out = 0, False
    before = Path.cwd()
    os.chdir(folder)
    numbers = (signal.SIGALRM, signal.SIGPROF, signal.SIGTERM)
    handlers = {number: signal.getsignal(number) for number in numbers}
    signal.signal(signal.SIGALRM, _too_slow)
    signal.signal(signal.SIGPROF, _too_slow)
    signal.setitimer(signal.ITIMER_REAL, WAITING * LIMIT)
    signal.setitimer(signal.ITIMER_PROF, LIMIT)
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            warnings.catch_warnings(),
        ):
            # As in a process, but for warnings that were shown before.
            warnings.simplefilter("always")
            for hidden in (DeprecationWarning, PendingDeprecationWarning, ResourceWarning):
                warnings.simplefilter("ignore", hidden)
            MAINS[command[0]](command[1:])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 2
    except _TooSlow:
        timed_out = True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.chdir(before)
    # The tools turn everything into a message, our alarm too.
    timed_out = timed_out or "_TooSlow" in err.getvalue()
    return Ended(code, out.getvalue(), err.getvalue(), timed_out)


def run_process(command: Sequence[str], folder: Path) -> Ended:
    """Run a command as a process of its own, in a folder."""
    module = f"kan_dialect.cli.{command[0].replace('-', '_')}"
    try:
        ended = subprocess.run(
            [sys.executable, "-m", module, *command[1:]],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=WAITING * LIMIT,
        )
    except subprocess.TimeoutExpired:
        return Ended(1, "", "", timed_out=True)
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def place_outputs(folder: Path) -> set[str]:
    """Write the files that a failing command must not touch. Returns the folder's contents."""
    for name in OUTPUTS:
        (folder / name).write_text(SENTINEL)
    built = folder / "built"
    built.mkdir(exist_ok=True)
    (built / "report.json").write_text(SENTINEL)
    listing = Listing.of("kan-flow build", built, ["report.json"])
    (built / LISTING).write_text(listing.text())
    return _listing(folder)


def _listing(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if not str(path.relative_to(folder)).startswith("check-passes-failure")
    }


def problem(command: Sequence[str], ended: Ended, folder: Path, before: set[str]) -> str | None:
    """What is wrong with the end of a command, in words; None if nothing."""
    err = ended.err
    if ended.timed_out:
        return f"no end after {LIMIT} s of processor time, or {WAITING * LIMIT} s"
    if ended.code not in (0, 1):
        return f"exit code {ended.code}: {err[-300:]}"
    for sign in ("Traceback", "This is a bug", "Warning:", "leaves IR that does not verify"):
        if sign in err:
            return f"'{sign}': {_around(err, sign)}"
    changed = re.search(r"error: (\S+) does not keep the function.*", err)
    # Near the largest number of float64, regrouped terms may overflow.
    if changed is not None and changed[1] not in ("kan-fold-affine", "kan-quantize"):
        return changed[0]
    told = sum(line.startswith(f"{command[0]}: error: ") for line in err.splitlines())
    if ended.code == 0 and told:
        return f"exit code 0 with an error: {err[-300:]}"
    if ended.code == 1 and told != 1 and not (told == 0 and _is_verdict(command, ended)):
        return f"{told} messages, not 1: {err[-300:]}"
    if ended.code == 1 and told:
        return _untouched(folder, before)
    if any(path.name.startswith(".") for path in folder.iterdir()):
        return "a temporary file is left behind"
    return None


def _is_verdict(command: Sequence[str], ended: Ended) -> bool:
    """Whether the command worked and its answer is no."""
    return command[0] != "kan-opt" and any(
        sign in ended.out for sign in ("differ", "NOT proven", "not proven", "undecided")
    )


def _untouched(folder: Path, before: set[str]) -> str | None:
    for name in (*OUTPUTS, "built/report.json"):
        if (folder / name).read_text() != SENTINEL:
            return f"{name} was touched by a command that failed"
    new = _listing(folder) - before
    return f"a command that failed left {sorted(new)[0]}" if new else None


def _around(text: str, sign: str) -> str:
    place = text.index(sign)
    return text[max(0, place - 100) : place + 400]
