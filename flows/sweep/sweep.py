"""A sweep: points compiled, measured where asked for, compared, and written as tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeAlias

from kan_dialect.errors import KanError
from kan_dialect.files.atomic import packed
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.sweep import columns
from kan_dialect.flows.sweep.columns import COLUMNS, Row
from kan_dialect.flows.sweep.grid import Axis, Point
from kan_dialect.flows.sweep.pareto import cheapest, costs_of, pareto_front
from kan_dialect.flows.sweep.results import Store, is_from, row_of
from kan_dialect.flows.sweep.schedules import (
    SCHEDULE_OPTIONS,
    all_schedules,
    first_schedules,
    useful,
)
from kan_dialect.flows.sweep.study import CALIBRATION, Study
from kan_dialect.flows.sweep.tasks import Outcomes, Task, make_tasks
from kan_dialect.flows.sweep.workbench import NO_MEASURES, Measures
from kan_dialect.passbase.kan_pass import EXACT, KanPass, claim_of

Runner: TypeAlias = Callable[[Study, Sequence[Task]], Outcomes]
"""Does tasks: in this process, in others, or on a cluster."""

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told what is being done, how many are done, of how many."""


@dataclass(frozen=True)
class Question:
    """What a sweep is asked."""

    points: Sequence[Point]
    schedule: bool = False
    """Each point in all its schedules."""
    measures: Measures = NO_MEASURES
    objectives: tuple[str, ...] = ()
    """Columns of the front; where empty, those that fit the question."""
    loss: float = 0.01
    """Of accuracy, as a share of the samples, that the choice may cost; of errors, relative."""


@dataclass
class Sweep:
    """What came of it."""

    study: Study
    rows: list[Row]
    """A row for each point, in the order of the grid; `front` says which are on the front."""
    points: list[Point]
    objectives: tuple[str, ...]
    choice: int | None
    """The cheapest row that is good enough."""
    loss: float
    found: int
    """How many points former runs had compiled, those of the schedule that are no use too."""

    @property
    def front(self) -> list[int]:
        return [number for number, row in enumerate(self.rows) if row["front"]]

    @property
    def reference(self) -> Mapping[str, float]:
        """The float model's score on validation and test samples, by column."""
        found: dict[str, float] = {}
        for where, samples in (("validation", self.study.validation), ("test", self.study.test)):
            if samples is not None:
                score = samples.reference
                found |= {f"{where}_{name}": figure for name, figure in score.items()}
        return found


def require_data(study: Study, points: Sequence[Point]) -> bool:
    """Whether points may differ in how good they are.

    Raises
    ------
    KanError : they may, and there is no data to tell it by.
    """
    trades = {_up_to_trades(study.passes(point)) for point in points}
    if len(trades) > 1 and study.validation is None:
        varied = sorted(
            {
                stage.name
                for point in points
                for stage in study.passes(point)
                if claim_of(stage) != EXACT
            }
        )
        raise KanError(
            f"the points differ in accuracy ({', '.join(varied)}), and there is no data to tell it "
            "by",
            remedy="give samples with labels: --calibration DATA.npz",
        )
    return len(trades) > 1


def _up_to_trades(passes: Sequence[KanPass]) -> tuple[str, ...]:
    """The passes up to the last one that trades accuracy, for an exact one may choose its bits."""
    last = max((n for n, stage in enumerate(passes) if claim_of(stage) != EXACT), default=-1)
    return tuple(stage.recorded() for stage in passes[: last + 1])


def sweep(
    study: Study,
    question: Question,
    folder: GrowingFolder,
    runner: Runner,
    progress: Progress = lambda _what, _done, _of: None,
) -> Sweep:
    """Find out about all points of a question; what `folder` knows already is not done again.

    Raises
    ------
    KanError : a point has an option of no such value, accuracy is asked for without data, the
        folder cannot be written or holds files of others, or all points failed (with the first
        one's reason).
    """
    differ = require_data(study, question.points)
    folder.create()
    work = _Work(study, Store(folder, study), runner, progress)
    if study.calibration is not None:
        # So that others can build a point just as it was measured.
        folder.write(CALIBRATION, packed(_build_data(study)))
    points = list(question.points)
    if question.schedule:
        points = work.schedules(points)
    work.compile(points, "compiling")
    work.measure(points, question.measures)
    rows = [row_of(point, work.known[point], work.errors.get(point)) for point in points]
    if rows and all("error" in row for row in rows):
        raise KanError(f"every point failed; {points[0]}: {rows[0]['error']}")
    return _judged(study, question, points, rows, differ, work.found)


def _build_data(study: Study) -> dict[str, Any]:
    """What `kan-flow build --calibration` takes: calibration without validation samples."""
    arrays = study.calibration_data
    if study.test is not None:
        arrays["x_test"] = study.test.x
        if study.test.y is not None:
            arrays["y_test"] = study.test.y
    return arrays


class _Work:
    """What is known of points, and how more comes to be known."""

    def __init__(self, study: Study, store: Store, runner: Runner, progress: Progress) -> None:
        self._study = study
        self._store = store
        self._runner = runner
        self._progress = progress
        self.known: dict[Point, dict[str, dict[str, Any]]] = {}
        self.errors: dict[Point, str] = {}
        self.found = 0

    def compile(self, points: Sequence[Point], what: str) -> None:
        """Figures of all points."""
        new = [point for point in points if point not in self.known]
        self.known |= {point: self._store.read(point) for point in new}
        missing = [point for point in new if "figures" not in self.known[point]]
        self.found += len(new) - len(missing)
        self._perform(what, make_tasks(self._study, missing), len(new))

    def schedules(self, points: Sequence[Point]) -> list[Point]:
        """All points in all their schedules, each design once."""
        ends = [schedule for point in points for schedule in first_schedules(point)]
        self.compile(ends, "compiling the ends of the curve")
        whole: list[list[Point]] = []
        for point in points:
            known = [self.known[end].get("figures") for end in first_schedules(point)]
            flat, finest = known
            whole.append(
                list(first_schedules(point))
                if flat is None or finest is None
                else all_schedules(point, flat, finest)
            )
        self.compile([point for each in whole for point in each], "compiling schedules")
        figures = {point: known.get("figures") for point, known in self.known.items()}
        return [point for each in whole for point in useful(each, figures)]

    def measure(self, points: Sequence[Point], measures: Measures) -> None:
        """What tools say of all points; designs that are the same are measured once."""
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
        done = count - len(tasks)
        self._progress(what, done, count)
        if not tasks:
            return
        with closing(self._runner(self._study, tasks)) as outcomes:
            for number, outcome in outcomes:
                point = tasks[number].point
                alike = [point] if groups is None else groups[point]
                if isinstance(outcome, str):
                    self.errors |= dict.fromkeys(alike, outcome)
                else:
                    sections = {"figures": outcome} if groups is None else outcome
                    self._share(point, alike, sections)
                done += 1
                self._progress(what, done, count)

    def _share(
        self, source: Point, points: Sequence[Point], sections: dict[str, dict[str, Any]]
    ) -> None:
        for point in points:
            known = self.known[point]
            if point == source or any(known.get(key) != sections[key] for key in sections):
                self._store.add(point, sections)
                known.update(sections)


def _judged(
    study: Study,
    question: Question,
    points: list[Point],
    rows: list[Row],
    differ: bool,
    found: int,
) -> Sweep:
    good = columns.quality(rows) if differ else None
    area = columns.area(rows)
    objectives = question.objectives
    if not objectives:
        shape = (columns.delay(rows), columns.latency(rows), area, columns.registers(rows))
        if not question.schedule and good is not None:
            objectives = (good, area)
        else:
            objectives = shape if good is None else (good, *shape)
    front = pareto_front(costs_of(rows, objectives)).tolist()
    marked: list[Row] = [
        {**row, "front": on_front} for row, on_front in zip(rows, front, strict=True)
    ]
    whole = Sweep(study, marked, points, objectives, None, question.loss, found)
    if good is not None:
        known = [row[good] for row in rows if good in row]
        best = max(known) if COLUMNS[good].better > 0 else min(known)
        # An error is the difference from the float model: the best there is stands for 0.
        reference = best if good == "validation_error" else whole.reference.get(good, best)
        whole.choice = cheapest(rows, good, area, reference, question.loss)
    return whole


def summary(result: Sweep, axes: Sequence[Axis]) -> str:
    """What `sweep.json` holds: the question, the float model's score, front and choice."""
    choice = None if result.choice is None else result.rows[result.choice]
    whole = {
        "model": result.study.name,
        "options": {axis.option: list(axis.values) for axis in axes},
        "points": len(result.rows),
        "samples": {
            "calibration": None
            if result.study.calibration is None
            else len(result.study.calibration),
            "validation": None
            if result.study.validation is None
            else len(result.study.validation.x),
            "test": None if result.study.test is None else len(result.study.test.x),
        },
        "float": dict(result.reference),
        "objectives": list(result.objectives),
        "front": [result.rows[number] for number in result.front],
        "loss": result.loss,
        "choice": choice,
        "pipeline": None if result.choice is None else pipeline_of(result, result.choice),
    }
    return json.dumps({k: v for k, v in whole.items() if v is not None}, indent=2) + "\n"


def pipeline_of(result: Sweep, number: int) -> str:
    """What `kan-flow build -p` takes to build a row's design, with the data that it was made of."""
    data = None if result.study.calibration is None else CALIBRATION
    return str(result.points[number].compile_pass(result.study.layers, data).spec())


def refuse_schedule_options(axes: Sequence[Axis]) -> None:
    """Options that `--schedule` goes through by itself.

    Raises
    ------
    KanError : one of them varies.
    """
    for axis in axes:
        if axis.option in SCHEDULE_OPTIONS:
            raise KanError(
                f"{axis.option} cannot vary beside --schedule, which goes through all schedules"
            )
