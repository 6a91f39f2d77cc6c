"""Where a command does its tasks: options, processes or a cluster, and the progress bar."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec

from rich import progress
from rich.console import Console

from kan_dialect.cli.number_options import add_number
from kan_dialect.cli.tool_limits import JOBS, add_limits, limits_of
from kan_dialect.extras import install_command
from kan_dialect.flows.tools.run_limits import Limits
from kan_dialect.flows.tools.toolchain import find
from kan_dialect.flows.trials.cluster import connected, require_address, run_on_cluster
from kan_dialect.flows.trials.processes import local_runner
from kan_dialect.flows.trials.runners import Progress, Runner


def add_workers(parser: argparse.ArgumentParser) -> None:
    """`--jobs` and `--scheduler`."""
    add_number(
        parser,
        "--jobs",
        JOBS,
        metavar="N",
        help="processes (default: as many as there are cores)",
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="run on this Dask cluster, as tcp://host:8786"
    )


def add_limited_workers(parser: argparse.ArgumentParser) -> None:
    """Options of commands whose workers run tools: `--timeout` and `--memory` as well."""
    add_limits(parser)
    add_workers(parser)


def require_tools(options: argparse.Namespace, *tools: str) -> None:
    """Refuse a malformed address of a cluster, and tools that are missing on this machine.

    Raises
    ------
    KanError : names the address or the tool.
    """
    if options.scheduler is not None:
        require_address(options.scheduler)
    else:
        for tool in tools:
            find(tool)


def jobs_of(options: argparse.Namespace) -> int:
    """Number of processes."""
    return (os.cpu_count() or 1) if options.jobs is None else options.jobs


def shared_limits(options: argparse.Namespace) -> Limits:
    """The limits of each run of a tool; runs at the same time share the memory."""
    limits = limits_of(options)
    if options.scheduler is not None or options.memory is not None:
        return limits
    return replace(limits, memory=limits.bytes / jobs_of(options))


@contextmanager
def runner_of(options: argparse.Namespace) -> Generator[Runner]:
    """What does the tasks of a command: this process, processes, or a cluster."""
    if options.scheduler is not None:
        with connected(options.scheduler) as client:
            yield lambda work, tasks: run_on_cluster(work, tasks, client)
    else:
        yield local_runner(jobs_of(options))


@contextmanager
def watched_runner(options: argparse.Namespace) -> Generator[tuple[Runner, Progress]]:
    """What does the tasks, with a bar; a note says first which results are left out."""
    _note_missing()
    with runner_of(options) as runner, _progress_bar() as progress:
        yield runner, progress


@contextmanager
def _progress_bar() -> Generator[Progress]:
    """A bar for each kind of work on the terminal's standard error; elsewhere nothing is shown."""
    console = Console(stderr=True)
    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        # The bar counts new points only; points of earlier runs would distort the time left.
        started: dict[str, tuple[progress.TaskID, int]] = {}

        def tell(what: str, done: int, of: int) -> None:
            if done < of and what not in started:
                started[what] = bar.add_task(what, total=of - done), done
            if what in started:
                task, before = started[what]
                bar.update(task, completed=done - before)

        yield tell


def _note_missing() -> None:
    """Say which results are left out because their library is not installed."""
    libraries = {"pictures": "matplotlib", "Parquet": "pyarrow"}
    missing = [what for what, module in libraries.items() if find_spec(module) is None]
    if missing:
        print(
            f"kan-flow: note: {' and '.join(missing)} left out; to get them: "
            f"{install_command('sweep')}",
            file=sys.stderr,
        )
