"""Tasks for other processes and machines, and their outcomes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

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
