"""Standard streams of a process that was started without some of them (`>&-`)."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO, cast

from kan_dialect.errors import KanError


def open_streams() -> None:
    """Open descriptors 0, 1 and 2 where they are closed, so that no file gets their numbers.

    Python has None for a closed stream. Standard output is a stream then that cannot be written: a
    command that prints ends in an error, one that writes files only works. Standard error goes
    nowhere. Standard input stays None. Names of files that are no UTF-8 are printed as they are.
    """
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] (where it is closed)
        _open(os.O_RDONLY)
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stdout = os.fdopen(_open(os.O_RDONLY), "w")
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stderr = os.fdopen(_open(os.O_WRONLY), "w")
    output: TextIO = sys.stdout
    if output.errors == "strict" and hasattr(output, "reconfigure"):
        cast(io.TextIOWrapper, output).reconfigure(errors="surrogateescape")


def read_standard_input() -> bytes:
    """All of standard input.

    Raises
    ------
    KanError : it is closed.
    """
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] (where it is closed)
        raise KanError("cannot read the input: standard input is closed", remedy="name a file")
    return sys.stdin.buffer.read()


def _open(flags: int) -> int:
    """A descriptor of no file, inherited by tools: the lowest number that is free."""
    handle = os.open(os.devnull, flags)
    os.set_inheritable(handle, True)
    return handle
