"""Runs tasks in processes on this machine. A process does one task at a time."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, cast

from kan_dialect.flows.trials.runners import Outcome, Outcomes, Runner, T, Work

ATTEMPTS = 3
"""Number of killed processes after which their task is given up."""

_GRACE_SECONDS = 3.0
"""Time that a process has to end the tools it has started."""


def local_runner(jobs: int) -> Runner:
    """Does tasks in this process, or in several."""
    return run_here if jobs == 1 else partial(run_in_processes, jobs=jobs)


def run_here(work: Work[T], tasks: Sequence[T]) -> Outcomes:
    """Do one task after another in this process."""
    for number, task in enumerate(tasks):
        yield number, work(task)


def run_in_processes(work: Work[T], tasks: Sequence[T], jobs: int) -> Outcomes:
    """Do tasks in `jobs` processes; the next task goes to the first free process.

    A killed process is replaced, and its task repeated. After ATTEMPTS killed processes the outcome
    of the task is an error. Closing the generator early, or an interrupt, ends all processes.
    """
    waiting = list(reversed(range(len(tasks))))
    attempts = [0] * len(tasks)
    workers: list[_Worker[T]] = []
    try:
        while waiting or any(worker.task is not None for worker in workers):
            while waiting and len(workers) < min(jobs, len(tasks)):
                workers.append(_Worker(work))
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


class _Worker(Generic[T]):
    """A process and the connection to it."""

    def __init__(self, work: Work[T]) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(
            target=_serve, args=(work, theirs), daemon=True
        )
        self._process.start()
        theirs.close()
        self.task: int | None = None
        """Number of the current task, or None."""

    def give(self, number: int, tasks: Sequence[T]) -> None:
        """Send a task to the process."""
        self.task = number
        # If the process is gone already, the next `take` notices.
        with suppress(BrokenPipeError):
            self.connection.send(tasks[number])

    def take(self) -> Outcome | None:
        """The outcome of the task; None if the process is gone.

        Raises
        ------
        RuntimeError : the task raised an unexpected exception.
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
        """Let the process end. An idle process ends by itself; a busy one is terminated."""
        self.connection.close()
        if self.task is not None:
            self._process.terminate()

    def close(self) -> None:
        """Wait until the process ends, and kill it after the time limit."""
        self.connection.close()
        self._process.join(_GRACE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


def _serve(work: Work[Any], connection: Connection) -> None:
    """Main function of a process: do tasks until the connection closes, or the parent is killed."""
    # Ctrl-C reaches all processes of a terminal; the parent decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    try:
        while True:
            try:
                task: Any = connection.recv()
            except EOFError:
                return
            try:
                outcome: Outcome | Exception = work(task)
            except Exception as error:
                outcome = RuntimeError(f"{type(error).__name__}: {error}")
            with suppress(BrokenPipeError):
                connection.send(outcome)
    finally:
        # A second signal must not interrupt the removal of temporary files.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
