"""Tasks on the cores of this machine: processes, of which each does one task after the other."""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import cast

from kan_dialect.flows.sweep.study import Study
from kan_dialect.flows.sweep.tasks import Outcome, Outcomes, Task, perform

ATTEMPTS = 3
"""A task whose process was killed so many times is given up."""

_GRACE_SECONDS = 3.0
"""For a process to end the tools that it has started."""


def run_here(study: Study, tasks: Sequence[Task]) -> Outcomes:
    """One task after the other, in this process."""
    for number, task in enumerate(tasks):
        yield number, perform(study, task)


def run_in_processes(study: Study, tasks: Sequence[Task], jobs: int) -> Outcomes:
    """Tasks in `jobs` processes, in order as these become free.

    A process that is killed is replaced, and its task done again; killed for the third time, the
    task has that as its outcome. Closed early, or interrupted, all processes are ended.
    """
    waiting = list(reversed(range(len(tasks))))
    attempts = [0] * len(tasks)
    workers: list[_Worker] = []
    try:
        while waiting or any(worker.task is not None for worker in workers):
            while waiting and len(workers) < jobs:
                workers.append(_Worker(study))
            for worker in workers:
                if worker.task is None and waiting:
                    worker.give(waiting.pop(), tasks)
            ready = wait([worker.connection for worker in workers if worker.task is not None])
            for worker in [worker for worker in workers if worker.connection in ready]:
                number = cast(int, worker.task)
                outcome = worker.take()
                if outcome is None:
                    workers.remove(worker)
                    worker.close()
                    attempts[number] += 1
                    if attempts[number] < ATTEMPTS:
                        waiting.append(number)
                        continue
                    outcome = f"its process was killed {ATTEMPTS} times: out of memory?"
                yield number, outcome
    finally:
        for worker in workers:
            worker.dismiss()
        for worker in workers:
            worker.close()


class _Worker:
    """A process and the way to it."""

    def __init__(self, study: Study) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(
            target=_serve, args=(study, theirs), daemon=True
        )
        self._process.start()
        theirs.close()
        self.task: int | None = None
        """The number of the task that it is at."""

    def give(self, number: int, tasks: Sequence[Task]) -> None:
        self.task = number
        # Where it is gone already, the next `take` finds out.
        with suppress(BrokenPipeError):
            self.connection.send(tasks[number])

    def take(self) -> Outcome | None:
        """What came of its task; None where the process is gone.

        Raises
        ------
        RuntimeError : the task failed in a way that it should not.
        """
        self.task = None
        try:
            outcome: Outcome | Exception = self.connection.recv()
        except (EOFError, ConnectionResetError):
            return None
        if isinstance(outcome, Exception):
            raise RuntimeError(f"{type(outcome).__name__} in a process: {outcome}") from outcome
        return outcome

    def dismiss(self) -> None:
        """Let the process end: it does when it waits for a task, else it is told to."""
        self.connection.close()
        if self.task is not None:
            self._process.terminate()

    def close(self) -> None:
        """Wait for the end of the process, and end it by force where it does not come."""
        self.connection.close()
        self._process.join(_GRACE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


def _serve(study: Study, connection: Connection) -> None:
    """What a process does: tasks, until there are no more."""
    # Ctrl-C reaches all processes of a terminal; the parent decides what becomes of this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    try:
        for task in _received(connection):
            try:
                outcome: Outcome | Exception = perform(study, task)
            except Exception as error:
                outcome = RuntimeError(f"{type(error).__name__}: {error}")
            with suppress(BrokenPipeError):
                connection.send(outcome)
    finally:
        # On its way out, with files to remove.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _received(connection: Connection) -> Generator[Task]:
    while True:
        try:
            yield connection.recv()
        except EOFError:
            return
