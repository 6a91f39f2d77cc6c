"""Pieces of work of a sweep: they travel to other processes and machines, and figures come back."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, TypeAlias

from kan_dialect.errors import KanError
from kan_dialect.flows.sweep.grid import Point
from kan_dialect.flows.sweep.study import Study
from kan_dialect.flows.sweep.workbench import Measures, Workbench


@dataclass(frozen=True)
class Task:
    """A point to compile; where `measures` is given, to measure instead."""

    point: Point
    keep: frozenset[int] = frozenset()
    """After how many passes points that come later are the same still."""
    measures: Measures | None = None


Outcome: TypeAlias = dict[str, Any] | str
"""Figures of a task, or why there are none."""

Outcomes: TypeAlias = Generator[tuple[int, Outcome]]
"""Outcomes as they come, with the number of the task; closed early, work ends."""


def make_tasks(
    study: Study, points: Sequence[Point], measures: Measures | None = None
) -> list[Task]:
    """Tasks in an order in which neighbours share most passes.

    Raises
    ------
    KanError : an option of a point has no such value.
    """
    named = [
        ([stage.recorded() for stage in study.passes(point)], number)
        for number, point in enumerate(points)
    ]
    named.sort()
    shared = [_common(first, second) for (first, _), (second, _) in pairwise(named)]
    # With a later point, one has in common what each has with its neighbour in between.
    keep = [frozenset(accumulate(shared[at:], min)) - {0} for at in range(len(named))]
    return [
        Task(points[number], kept, measures) for (_, number), kept in zip(named, keep, strict=True)
    ]


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """How many passes both begin with."""
    pairs = zip(first, second, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


_BENCHES = threading.local()
"""Each thread's workbench: the threads of a Dask worker are at work side by side."""


def perform(study: Study, task: Task) -> Outcome:
    """Do a task in this process; what a pass or a tool refuses is its outcome."""
    bench: Workbench | None = getattr(_BENCHES, "bench", None)
    try:
        if bench is None or bench.study.digest != study.digest:
            if bench is not None:
                bench.close()
            bench = _BENCHES.bench = Workbench(study)
        if task.measures is None:
            return bench.compile(task.point, task.keep)
        return bench.measure(task.point, task.keep, task.measures)
    except KanError as error:
        return str(error)
    except MemoryError:
        return "out of memory"
