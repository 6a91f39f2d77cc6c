"""A lit format in which the tools of this Python are forked from a process that has imported them.

Start-up and imports of `kan-opt` and `filecheck` take longer than most of the tests. Each command
is still a process of its own, with its own streams, folder, environment and exit code.
"""

from __future__ import annotations

import os

# Before NumPy is imported: processes with threads are not to be forked.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import atexit
import gc
import runpy
import subprocess
import sys
import traceback
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import lit.formats
import lit.TestRunner

_SCRIPTS = Path(sys.executable).parent

_IMPORTED_FIRST = ("kan-opt", "kan-run", "kan-flow", "filecheck", "xdsl-opt")

_POPEN = subprocess.Popen


@cache
def _tools() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group="console_scripts")}


@cache
def _import_tools() -> None:
    for name in _IMPORTED_FIRST:
        _tools()[name].load()
    # What the tools import once they are started, or when they need it.
    for name in ("kan_flow", "kan_opt", "kan_run"):
        import_module(f"kan_dialect.cli.{name}")
    from kan_dialect.universe import UNIVERSE

    for load in [*UNIVERSE.all_dialects.values(), *UNIVERSE.all_passes.values()]:
        load()
    # Shared with the children as it is: none of them writes to it to collect it.
    gc.freeze()


def _run(command: Sequence[str]) -> object:
    """Do what the command would in a process of its own."""
    name = Path(command[0]).name
    if name in _tools():
        sys.argv = list(command)
        return _tools()[name].load()()
    if command[1] == "-c":
        sys.path.insert(0, "")
        sys.argv = ["-c", *command[3:]]
        exec(command[2], {"__name__": "__main__"})
    else:
        sys.path.insert(0, str(Path(command[1]).parent))
        sys.argv = list(command[1:])
        runpy.run_path(command[1], run_name="__main__")
    return None


def _child(command: Sequence[str], environment: dict[str, str]) -> NoReturn:
    """Run the command in a process that was just forked, and end it."""
    # Among them the pipe by which the parent waits for a program to replace this one.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    status = 1
    # Tools start programs as they do without lit.
    subprocess.Popen = _POPEN
    try:
        os.environ.clear()
        os.environ.update(environment)
        # lit's own commands, such as `diff`, are found by it.
        sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
        sys.exit(_run(command))
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        else:
            status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _popen(args: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    """As `subprocess.Popen`, where a tool of this Python is forked instead of executed."""
    program = Path(options["executable"])
    if program.parent == _SCRIPTS and (program.name == "python" or program.name in _tools()):
        environment = options["env"]
        options["preexec_fn"] = lambda: _child([str(program), *args[1:]], environment)
    return _POPEN(args, **options)


class ForkedTools(lit.formats.ShTest):
    """`ShTest` that forks the tools of this Python."""

    def __init__(self) -> None:
        super().__init__(execute_external=False)
        # In the process that starts the workers, so that they have the tools, too.
        _import_tools()

    def execute(self, test: Any, litConfig: Any) -> Any:
        _import_tools()
        with mock.patch.object(lit.TestRunner.subprocess, "Popen", _popen):
            return super().execute(test, litConfig)
