"""Runs kan-opt on files given on standard input, each in a fork of a process that is warm.

A line in: the arguments as a JSON list. A line out: exit code (negative: the signal that ended it),
standard error, seconds of processor time, and peak memory in bytes.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

from kan_dialect.cli import kan_opt

SECONDS = 40
"""Of processor time; then a fork is ended. Other work on the machine does not count."""

WAIT = 300
"""Seconds of any time: for what waits without working."""

GROWTH = 3 << 30
"""Address space that a fork may take beyond what it starts with."""


def _address_space() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    return int(pages) * resource.getpagesize()


def _inside(arguments: list[str], out: IO[bytes], err: IO[bytes]) -> None:
    """In the fork: the command, until it exits."""
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    limit = _address_space() + GROWTH
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    signal.alarm(WAIT)
    code = 99
    try:
        kan_opt.main(arguments)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 98
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run(arguments: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            _inside(arguments, out, err)
        _, status, usage = os.wait4(pid, 0)
        err.seek(0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "stderr": err.read().decode(errors="replace"),
            "seconds": usage.ru_utime + usage.ru_stime,
            "peak": usage.ru_maxrss * 1024,
        }


def main() -> None:
    # Libraries, and whatever else the first imports take, count for no case.
    for good in sys.argv[1:]:
        try:
            kan_opt.main([good, "-o", os.devnull])
        except SystemExit as ended:
            if ended.code:
                raise
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
