"""Options that limit what tools take, and the line on the terminal that tells what they do."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console

from kan_dialect.cli.number_options import add_number
from kan_dialect.flows.tools.run_limits import DEFAULT_LIMITS, Limits
from kan_dialect.passbase.option_bounds import Bounds
from kan_dialect.passbase.progress import TimeLeft, listening, speaking

ABOVE_ZERO = Bounds(0, above=True)
"""Of limits; infinity means unlimited."""
JOBS = Bounds(1, 1024)
"""Of processes at once; no machine that this is for has more processors."""


def add_limits(parser: argparse.ArgumentParser, *, timeout: bool = True) -> None:
    """`--timeout` and `--memory`.

    Parameters
    ----------
    timeout : False where the command has a `--timeout` of another meaning.
    """
    if timeout:
        add_number(
            parser,
            "--timeout",
            ABOVE_ZERO,
            kind=float,
            metavar="S",
            help="seconds after which a tool (Yosys, nextpnr, ...) is stopped; inf: never "
            f"(default: {DEFAULT_LIMITS.seconds:g})",
        )
    add_number(
        parser,
        "--memory",
        ABOVE_ZERO,
        kind=float,
        metavar="GIB",
        help="give up where a tool takes more memory (default: three quarters of the machine's)",
    )


def limits_of(options: argparse.Namespace) -> Limits:
    """The limits that options ask for."""
    return Limits(
        DEFAULT_LIMITS.seconds if options.timeout is None else options.timeout,
        None if options.memory is None else options.memory * (1 << 30),
    )


@contextmanager
def status_line(first: str) -> Generator[Callable[[str], None]]:
    """A line on a terminal's standard error that tells what is done; elsewhere nothing is shown.

    Gives what sets its text. Passes and runs of tools set it too, with the time that they take.
    """
    timed = TimeLeft()
    with (
        Console(stderr=True).status(first) as status,
        listening(lambda what, done, total: status.update(timed(what, done, total))),
        speaking(lambda what: status.update(what)),
    ):
        yield lambda what: status.update(what)
