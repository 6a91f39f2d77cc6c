"""Runs of electronic design tools, within limits of time and memory.

Every process of a tool is started here: native tools, those of wheels, and compiled simulations.
Each process leads a session of its own, has a time limit and a memory limit, and ends together with
all its children.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kan_dialect.errors import KanError
from kan_dialect.files.interruption import undisturbed
from kan_dialect.flows.tools.run_limits import limits_in_force
from kan_dialect.passbase.progress import say


@dataclass(frozen=True)
class Executable:
    """A program that can be run."""

    name: str
    """Its name in messages."""

    path: Path
    """The file."""


def run(
    tool: Executable,
    arguments: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    timeout: float | None = None,
    phase: str = "",
) -> str:
    """Run a tool to its end and give what it printed; see `run_all`."""
    return run_all(tool, [arguments], cwd=cwd, timeout=timeout, phase=phase)[0]


def run_all(
    tool: Executable,
    calls: Iterable[Sequence[str | Path]],
    *,
    cwd: Path | None = None,
    timeout: float | None = None,
    phase: str = "",
    progress: Callable[[int, int], None] = lambda _done, _count: None,
) -> list[str]:
    """Run a tool several times, as many at once as there are cores.

    Whatever goes wrong, and where this process is interrupted, all processes that were started
    are ended, with all that they started themselves. What runs, for how long, is told to whoever
    listens (`kan_dialect.passbase.progress`).

    Parameters
    ----------
    calls : the arguments of each run.
    cwd : the folder to run in.
    timeout : seconds for all runs together; None takes the limit in force (`limited`).
    phase : what the tool does, for messages: `synthesising for xcup`.
    progress : told how many runs have ended, of how many, whenever some have.

    Returns
    -------
    What each run printed, standard output and error as one.

    Raises
    ------
    KanError : the tool failed, did not start, took too long or too much memory; names tool, phase,
        limit, command and the first line that tells of an error.
    """
    waiting = [
        _Run(tool, [str(tool.path), *map(str, arguments)], cwd, phase) for arguments in calls
    ]
    runs = list(waiting)
    running: list[_Run] = []
    watch = _Watch(timeout)
    try:
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                running.append(waiting.pop(0))
                running[-1].start()
            watch.look(running, len(runs) - len(waiting) - len(running), len(runs))
            time.sleep(_POLLING_SECONDS)
            before = len(running)
            running = [run for run in running if not run.has_ended()]
            if len(running) < before:
                progress(len(runs) - len(waiting) - len(running), len(runs))
        return [run.output() for run in runs]
    finally:
        with undisturbed():
            for run in runs:
                run.close()


class Conversation:
    """A tool that stays, and is written to and read from, within the same limits."""

    def __init__(self, tool: Executable, phase: str) -> None:
        """Start it, without arguments."""
        self._run = _Run(tool, [str(tool.path)], None, phase)
        self._error: KanError | None = None
        self.stdin, self.stdout = self._run.start_conversation()

    @contextmanager
    def question(self) -> Generator[None]:
        """Within the `with` statement, the tool may take as long as one run, and is then ended.

        Raises
        ------
        KanError : the tool took too long or too much memory, or it has ended.
        """
        done = threading.Event()
        watcher = threading.Thread(target=copy_context().run, args=(self._watch, done), daemon=True)
        watcher.start()
        try:
            yield
        except (BrokenPipeError, EOFError):
            done.set()
            watcher.join()
            complaint = first_error(self._run.output())
            raise self._error or self._run.failed("ended", f": {complaint}") from None
        finally:
            done.set()
            watcher.join()

    def _watch(self, done: threading.Event) -> None:
        watch = _Watch(None)
        while not done.wait(_LOOK_SECONDS):
            try:
                watch.look([self._run], 0, 1)
            except KanError as error:
                self._error = error
                self._run.end()
                return

    def close(self) -> None:
        """End the tool, in the middle of what it does if need be."""
        with undisturbed():
            self._run.end()
            for stream in (self.stdin, self.stdout):
                with suppress(BrokenPipeError):
                    stream.close()
            self._run.close()


_LOG = logging.getLogger(__name__)

_POLLING_SECONDS = 0.005

_LOOK_SECONDS = 0.25
"""Between two looks at memory."""

_GRACE_SECONDS = 1.0
"""For a tool to remove its temporary files when it is ended."""


class _Watch:
    """Holds runs to their limits, and tells how long they have taken."""

    def __init__(self, timeout: float | None) -> None:
        limits = limits_in_force()
        self._seconds = limits.seconds if timeout is None else timeout
        self._bytes = limits.bytes
        self._start = time.monotonic()
        self._next = self._start + _LOOK_SECONDS
        self._noted = False

    def look(self, running: Sequence[_Run], done: int, count: int) -> None:
        """
        Raises
        ------
        KanError : the runs have taken too long, or take too much memory.
        """
        now = time.monotonic()
        if now > self._start + self._seconds:
            raise running[0].exceeded(f"did not end within {self._seconds:g} s", "--timeout")
        if now < self._next:
            return
        self._next = now + _LOOK_SECONDS
        memory = resident_bytes([run.session for run in running])
        if memory > self._bytes:
            what = f"took more than {self._bytes / _GIB:.3g} GiB of memory"
            raise running[0].exceeded(what, "--memory")
        if running[0].is_compiled and not self._noted:
            self._noted = True
            _LOG.warning("%s, which takes a minute", running[0].phase)
        runs = f", {done} of {count} runs" if count > 1 else ""
        say(f"{running[0].phase}{runs}: {now - self._start:.0f} s, {memory / _GIB:.1f} GiB")


_GIB = 1 << 30


def resident_bytes(sessions: Collection[int]) -> int:
    """Memory of all processes of some sessions; 0 where the system does not say (no `/proc`)."""
    pages = 0
    proc = Path("/proc")
    for process in proc.iterdir() if proc.is_dir() else ():
        if not process.name.isdigit():
            continue
        # Processes end while one looks.
        with suppress(OSError):
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) in sessions:
                pages += int(fields[21])
    return pages * os.sysconf("SC_PAGE_SIZE")


class _Run:
    """One run of a tool, which prints into a temporary file."""

    def __init__(self, tool: Executable, command: list[str], cwd: Path | None, phase: str) -> None:
        self._tool = tool
        self._command = command
        self._cwd = cwd
        self._phase = phase
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 (`close` closes it)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def phase(self) -> str:
        """What is being done, in which tool."""
        if self.is_compiled:
            return f"compiling {self._tool.path.name} for this machine, once"
        return f"{self._phase or 'running'} in {self._tool.path.name}"

    @property
    def is_compiled(self) -> bool:
        """Whether the tool is WebAssembly that its wheel compiles on the first run, and says so.

        Source: `run_wasm` of the package yowasp_runtime.
        """
        # Not `read`, which would move the place where the tool writes.
        printed = os.pread(self._printed.fileno(), 1000, 0)
        return re.fullmatch(rb"Preparing to run .*\n", printed) is not None

    @property
    def session(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self._start(subprocess.DEVNULL, self._printed)

    def start_conversation(self) -> tuple[IO[bytes], IO[bytes]]:
        """Start with pipes; gives the tool's standard input and output."""
        process = self._start(subprocess.PIPE, subprocess.PIPE)
        assert process.stdin is not None and process.stdout is not None
        return process.stdin, process.stdout

    def _start(self, stdin: int, stdout: int | IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            with undisturbed():
                self._process = subprocess.Popen(
                    self._command,
                    cwd=self._cwd,
                    # Messages in English, for `first_error` to know them.
                    env=os.environ | {"LC_ALL": "C"},
                    stdin=stdin,
                    stdout=stdout,
                    stderr=self._printed,
                    # A group of their own, so that `close` reaches the tool's children.
                    start_new_session=True,
                )
        except OSError as error:
            raise self.failed("does not start", f": {error.strerror}") from error
        return self._process

    def has_ended(self) -> bool:
        """Whether it has ended well; what it leaves behind is ended.

        Raises
        ------
        KanError : it has ended, but not well.
        """
        assert self._process is not None
        with undisturbed():
            self._end_orphans()
            status = self._process.poll()
        if status:
            raise self.failed("failed", f" ({_status(status)}): {first_error(self.output())}")
        return status == 0

    def _end_orphans(self) -> None:
        """Where the tool has ended, end its children; its number is still its own meanwhile."""
        assert self._process is not None
        if self._process.returncode is None and hasattr(os, "waitid"):
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            if os.waitid(os.P_PID, self._process.pid, flags) is not None:
                self._signal(signal.SIGKILL)

    def output(self) -> str:
        self._printed.seek(0)
        return self._printed.read().decode("utf-8", errors="replace")

    def failed(self, what: str, reason: str = "", remedy: str = "") -> KanError:
        """What went wrong, in which phase, why, and what to do."""
        command = shlex.join([self._tool.path.name, *self._command[1:]])
        during = f" while {self._phase}" if self._phase else ""
        return KanError(
            f"{self._tool.name} {what}{during}{reason}",
            remedy=f"{remedy}the command was: {command}",
        )

    def exceeded(self, what: str, option: str) -> KanError:
        """It broke a limit, which an option of `kan-flow` sets."""
        remedy = f"allow more with {option}, or make the design smaller (fewer bits or edges); "
        return self.failed(what, remedy=remedy)

    def close(self) -> None:
        """End the tool where it still runs, with all that it started, and forget its output."""
        if self._process is not None:
            self.end()
        self._printed.close()

    def end(self) -> None:
        """End the tool where it still runs, with all that it started: kindly, then by force."""
        assert self._process is not None
        if self._process.returncode is None:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE_SECONDS)
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        # Its group may be gone already.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def _status(returncode: int) -> str:
    if returncode >= 0:
        return f"exit code {returncode}"
    name = signal.Signals(-returncode).name
    return f"{name}: out of memory?" if name == "SIGKILL" else name


def first_error(output: str) -> str:
    """The first line of a tool's output that tells of an error, or its last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for line in lines:
        if re.search(r"\berror\b|\bfatal\b|\bassert|not found", line, re.IGNORECASE):
            return line
    return lines[-1] if lines else "it printed nothing"
