"""Tasks for other processes and machines, and their outcomes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any, Protocol, TypeAlias, TypeVar

from kan_dialect.errors import KanError

T = TypeVar("T")

Outcome: TypeAlias = dict[str, Any] | str
"""Figures of a task, or the reason of its failure."""

Outcomes: TypeAlias = Generator[tuple[int, Outcome]]
"""Number and outcome of each task as it ends. Closing the generator ends the work."""

Work: TypeAlias = Callable[[T], Outcome]
"""Does a task. It is pickled with all that tasks share, such as the networks and their data."""

Progress: TypeAlias = Callable[[str, int, int], None]
"""Receives the name of the current work, the number of finished tasks and that of all tasks."""


class Runner(Protocol):
    """Does tasks: in this process, in others, or on a cluster."""

    def __call__(self, work: Work[T], tasks: Sequence[T]) -> Outcomes: ...


def run_tasks(
    runner: Runner,
    work: Work[T],
    tasks: Sequence[T],
    what: str,
    known: int,
    progress: Progress,
) -> Generator[tuple[T, Outcome]]:
    """Each task with its outcome, as it ends; progress is told. Closing early ends the work.

    Parameters
    ----------
    what : name of the work.
    known : number of tasks that are done already.
    """
    count = known + len(tasks)
    progress(what, known, count)
    if not tasks:
        return
    with closing(runner(work, tasks)) as outcomes:
        for done, (number, outcome) in enumerate(outcomes, known + 1):
            yield tasks[number], outcome
            progress(what, done, count)


def outcome_of(work: Callable[[], dict[str, Any]]) -> Outcome:
    """The figures of a task, or the reason why a pass or a tool refuses it."""
    try:
        return work()
    except KanError as error:
        return str(error)
    except MemoryError:
        return "out of memory"
