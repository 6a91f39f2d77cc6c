"""Tasks of a sweep, which other processes and machines can do."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from kan_dialect.flows.sweep.grid import Point
from kan_dialect.flows.sweep.study import Study
from kan_dialect.flows.sweep.workers.workbench import Measures, Workbench
from kan_dialect.flows.workers.outcomes import Outcome, outcome_of


@dataclass(frozen=True)
class Task:
    """A point to compile, or, with `measures`, to measure."""

    point: Point
    keep: frozenset[int] = frozenset()
    """Numbers of passes after which the module is kept, because later points share it."""
    measures: Measures | None = None


def make_tasks(
    study: Study, points: Sequence[Point], measures: Measures | None = None
) -> list[Task]:
    """Make tasks, ordered so that neighbours share most passes.

    Raises
    ------
    KanError : an option does not take its value.
    """
    named = [(list(study.resolved(point).texts), number) for number, point in enumerate(points)]
    named.sort()
    shared = [_common(first, second) for (first, _), (second, _) in pairwise(named)]
    # Two points share the minimum of what all neighbours between them share.
    keep = [frozenset(accumulate(shared[at:], min)) - {0} for at in range(len(named))]
    return [
        Task(points[number], kept, measures) for (_, number), kept in zip(named, keep, strict=True)
    ]


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the common prefix of two lists of passes."""
    pairs = zip(first, second, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


_BENCHES = threading.local()
"""The workbench of each thread; a Dask worker runs several threads."""


def perform(study: Study, task: Task) -> Outcome:
    """Do a task in this process. A refusal by a pass or a tool is its outcome."""

    def figures() -> dict[str, Any]:
        bench: Workbench | None = getattr(_BENCHES, "bench", None)
        if bench is None or bench.study.digest != study.digest:
            if bench is not None:
                bench.close()
            bench = _BENCHES.bench = Workbench(study)
        if task.measures is None:
            return bench.compile(task.point, task.keep)
        return bench.measure(task.point, task.keep, task.measures)

    return outcome_of(figures)
