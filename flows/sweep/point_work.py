"""Compiles and measures points where a folder does not know their figures yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

from kan_dialect.flows.sweep.grid import Point
from kan_dialect.flows.sweep.results import Store, is_from
from kan_dialect.flows.sweep.schedules import all_schedules, first_schedules, useful
from kan_dialect.flows.sweep.study import Study
from kan_dialect.flows.sweep.workers.tasks import Task, make_tasks, perform
from kan_dialect.flows.sweep.workers.workbench import Measures
from kan_dialect.flows.workers.outcomes import Progress, Runner, run_tasks


class PointWork:
    """Known figures of points, and the steps that add figures."""

    def __init__(
        self,
        study: Study,
        store: Store,
        runner: Runner,
        progress: Progress,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """
        Parameters
        ----------
        is_over : whether the time is over; asked after each task. Tasks that are left are not done.
        """
        self._study = study
        self._store = store
        self._runner = runner
        self._progress = progress
        self._is_over = is_over
        self.known: dict[Point, dict[str, dict[str, Any]]] = {}
        self.errors: dict[Point, str] = {}
        self.found = 0

    def compile(self, points: Sequence[Point], what: str) -> None:
        """Read or compute the figures of all points."""
        new = [point for point in points if point not in self.known]
        self.known |= {point: self._store.read(point) for point in new}
        missing = [point for point in new if "figures" not in self.known[point]]
        self.found += len(new) - len(missing)
        self._perform(what, make_tasks(self._study, missing), len(new))

    def schedules(self, points: Sequence[Point]) -> list[Point]:
        """The useful schedules of all points, each design once."""
        names = self._study.pipeline.schedule_options()
        ends = [schedule for point in points for schedule in first_schedules(point, names)]
        self.compile(ends, "compiling the ends of the curve")
        whole: list[list[Point]] = []
        for point in points:
            first = first_schedules(point, names)
            flat, finest = (self.known[end].get("figures") for end in first)
            whole.append(
                list(first)
                if flat is None or finest is None
                else all_schedules(point, names, flat, finest)
            )
        self.compile([point for each in whole for point in each], "compiling schedules")
        figures = {point: known.get("figures") for point, known in self.known.items()}
        return [point for each in whole for point in useful(each, figures)]

    def measure(self, points: Sequence[Point], measures: Measures) -> None:
        """Measure all points with tools; equal designs are measured once."""
        waiting: list[Point] = []
        alike: dict[tuple[str, str], list[Point]] = {}
        for point in points:
            figures = self.known[point].get("figures")
            if figures is not None and measures.names(figures["target"]):
                alike.setdefault((figures["design"], figures["target"]), []).append(point)
        for (_, target), group in alike.items():
            names = measures.names(target)
            for point in group:
                known = self.known[point]
                if all(is_from(known.get(section), name) for section, name in names.items()):
                    self._share(point, group, {section: known[section] for section in names})
                    break
            else:
                waiting.append(group[0])
        groups = {group[0]: group for group in alike.values()}
        tasks = make_tasks(self._study, waiting, measures)
        self._perform("measuring", tasks, len(groups), groups)

    def _perform(
        self,
        what: str,
        tasks: Sequence[Task],
        count: int,
        groups: Mapping[Point, Sequence[Point]] | None = None,
    ) -> None:
        work, known = partial(perform, self._study), count - len(tasks)
        with closing(run_tasks(self._runner, work, tasks, what, known, self._progress)) as outcomes:
            for task, outcome in outcomes:
                alike = [task.point] if groups is None else groups[task.point]
                if isinstance(outcome, str):
                    self.errors |= dict.fromkeys(alike, outcome)
                else:
                    sections = {"figures": outcome} if groups is None else outcome
                    self._share(task.point, alike, sections)
                if self._is_over():
                    break

    def _share(
        self, source: Point, points: Sequence[Point], sections: dict[str, dict[str, Any]]
    ) -> None:
        for point in points:
            known = self.known[point]
            if point == source or any(known.get(key) != sections[key] for key in sections):
                self._store.add(point, sections)
                known.update(sections)
