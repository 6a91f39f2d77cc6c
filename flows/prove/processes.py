"""Proofs of several claims at once, in processes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from kan_dialect.files.interruption import end_on_signals, holding_signals

ResultT = TypeVar("ResultT")


class _Forked:
    """The task of a process: a fork inherits it, since forms and terms are large."""

    task: Callable[[int], Any]


def in_processes(task: Callable[[int], ResultT], count: int, jobs: int) -> Iterator[ResultT]:
    """`task(0)`, `task(1)`, ... in order, in at most one process a processor."""
    jobs = min(jobs, count, os.cpu_count() or 1)
    if jobs <= 1 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(task, range(count))
        return
    _Forked.task = task
    with holding_signals():
        pool = multiprocessing.get_context("fork").Pool(jobs, end_on_signals)
    with pool:
        yield from pool.imap(_run, range(count), chunksize=1)


def _run(index: int) -> Any:
    return _Forked.task(index)
