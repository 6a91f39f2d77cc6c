"""A sweep: compiles points, measures them on request, compares them and chooses one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from kan_dialect.errors import KanError
from kan_dialect.files.atomic import packed
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.budget_options import budget_remedy
from kan_dialect.flows.pipelines.stages import up_to_trades
from kan_dialect.flows.pipelines.varied import SCHEDULE_OPTIONS
from kan_dialect.flows.sweep import columns
from kan_dialect.flows.sweep.columns import COLUMNS, Row
from kan_dialect.flows.sweep.grid import Axis, Point
from kan_dialect.flows.sweep.noise import Splits, cheaper_within_noise, over_splits, statements
from kan_dialect.flows.sweep.pareto import cheapest, costs_of, pareto_front
from kan_dialect.flows.sweep.point_work import PointWork
from kan_dialect.flows.sweep.results import Store, row_of
from kan_dialect.flows.sweep.study import CALIBRATION, Study
from kan_dialect.flows.sweep.workers.workbench import NO_MEASURES, Measures
from kan_dialect.flows.workers.outcomes import Progress, Runner
from kan_dialect.passbase.kan_pass import EXACT, claim_of
from kan_dialect.passes.schedule import SchedulePass


@dataclass(frozen=True)
class Question:
    """The question of a sweep: points, measurements and criteria."""

    points: Sequence[Point]
    schedule: bool = False
    """Whether each point is compiled in all its schedules."""
    measures: Measures = NO_MEASURES
    objectives: tuple[str, ...] = ()
    """Columns of the front; if empty, columns are chosen for the question."""
    loss: float = 0.01
    """Loss that the choice may cause: of accuracy absolute, of errors relative."""


@dataclass
class Sweep:
    """The result of a sweep."""

    study: Study
    rows: list[Row]
    """A row for each point, in the order of the grid; column `front` marks the front."""
    points: list[Point]
    objectives: tuple[str, ...]
    choice: int | None
    """Index of the cheapest row that is good enough, or None."""
    loss: float
    found: int
    """Number of points that earlier runs had compiled, including useless schedules."""
    others: Sequence[Study] = ()
    """The studies of the further splits."""
    splits: Splits | None = None
    """Scores on all splits, or None of a single one."""
    noise: Sequence[str] = ()
    """What the splits say about the choice, the best point and the front."""

    @property
    def front(self) -> list[int]:
        """Indices of the rows on the front."""
        return [number for number, row in enumerate(self.rows) if row["front"]]

    @property
    def reference(self) -> Mapping[str, float]:
        """The score of the float model on validation and test samples, by column.

        Of several splits, it is the mean over them.
        """
        found: dict[str, float] = {}
        for where, samples in (("validation", self.study.validation), ("test", self.study.test)):
            if samples is not None:
                score = samples.reference
                found |= {f"{where}_{name}": figure for name, figure in score.items()}
        validations = [study.validation for study in (self.study, *self.others)]
        for name in found.keys() & set(columns.SCORES):
            figure = name.removeprefix("validation_")
            found[name] = fmean(each.reference[figure] for each in validations if each is not None)
        return found


def require_data(study: Study, points: Sequence[Point]) -> bool:
    """Whether points may differ in accuracy.

    Raises
    ------
    KanError : they may, and the study has no data to measure accuracy.
    """
    trades = {tuple(up_to_trades(study.resolved(point).passes)) for point in points}
    if len(trades) > 1 and study.validation is None:
        varied = sorted(
            {
                stage.name
                for point in points
                for stage in study.resolved(point).passes
                if claim_of(stage) != EXACT
            }
        )
        raise KanError(
            f"the points differ in accuracy ({', '.join(varied)}), and no data is given to measure "
            "it",
            remedy="give samples with labels: --calibration DATA.npz",
        )
    return len(trades) > 1


def sweep(
    study: Study,
    question: Question,
    folder: GrowingFolder,
    runner: Runner,
    progress: Progress = lambda _what, _done, _of: None,
    others: Sequence[Study] = (),
) -> Sweep:
    """Compile, measure and compare all points of a question. Results in `folder` are reused.

    Parameters
    ----------
    study : its calibration samples are those of the designs whose size counts.
    others : studies of further splits of the data, which add to the scores.

    Raises
    ------
    KanError : an option does not take its value, points differ in accuracy without data, the folder
        cannot be written or holds files of others, or all points failed (with the reason of the
        first one).
    """
    differ = require_data(study, question.points)
    folder.create()
    work = PointWork(study, Store(folder, study), runner, progress)
    if study.calibration is not None:
        # With this file, `kan-flow build` makes exactly the measured design of a point.
        folder.write(CALIBRATION, packed(_build_data(study)))
    points = list(question.points)
    if question.schedule:
        points = work.schedules(points)
    work.compile(points, "compiling")
    work.measure(points, question.measures)
    rows = [row_of(point, work.known[point], work.errors.get(point)) for point in points]
    found = work.found
    splits = None
    if others:
        further: list[list[Row]] = []
        bases = [Point(point.options[:-1]) if question.schedule else point for point in points]
        for number, other in enumerate(others, 2):
            again = PointWork(other, Store(folder, other), runner, progress)
            again.compile(list(dict.fromkeys(bases)), f"split {number} of {len(others) + 1}")
            further.append([row_of(b, again.known[b], again.errors.get(b)) for b in bases])
            found += again.found
        rows, splits = over_splits([rows, *further], study.split_ratio)
    if rows and all("error" in row for row in rows):
        raise KanError(f"every point failed; {points[0]}: {rows[0]['error']}")
    result = _judged(study, question, points, rows, differ, found, others)
    return result if splits is None else _with_noise(result, splits)


def _build_data(study: Study) -> dict[str, Any]:
    """Arrays for `kan-flow build --calibration`: without the validation samples."""
    arrays = study.calibration_data
    if study.test is not None:
        arrays["x_test"] = study.test.x
        if study.test.y is not None:
            arrays["y_test"] = study.test.y
    return arrays


def _judged(
    study: Study,
    question: Question,
    points: list[Point],
    rows: list[Row],
    differ: bool,
    found: int,
    others: Sequence[Study],
) -> Sweep:
    # A pass of another package may claim nothing, and yet change the outputs.
    good = columns.quality(rows) if differ or _differ(rows) else None
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
    whole = Sweep(study, marked, points, objectives, None, question.loss, found, others)
    if good is not None:
        known = [row[good] for row in rows if good in row]
        best = max(known) if COLUMNS[good].better > 0 else min(known)
        # The float model has error 0, which no point can reach: the least error is the reference.
        reference = best if good == "validation_error" else whole.reference.get(good, best)
        whole.choice = cheapest(rows, good, area, reference, question.loss)
    return whole


def _with_noise(result: Sweep, splits: Splits) -> Sweep:
    """The result with sentences about noise, and `within_noise_of` in the rows of the front."""
    good, area = columns.quality(result.rows), columns.area(result.rows)
    if good is None or good not in result.objectives:
        return replace(result, splits=splits)
    rows = [dict(row) for row in result.rows]
    names = [str(point) for point in result.points]
    for number in result.front:
        other = cheaper_within_noise(splits, rows, good, area, number, result.front)
        if other is not None:
            rows[number]["within_noise_of"] = names[other]
    said = statements(splits, rows, names, good, area, result.choice)
    return replace(result, rows=list[Row](rows), splits=splits, noise=said)


def constant_caution(result: Sweep) -> str | None:
    """Says that points are constant networks, with the options to change; None without any."""
    constant = [number for number, row in enumerate(result.rows) if row.get("constant")]
    if not constant:
        return None
    first = result.points[constant[0]]
    remedy = budget_remedy(result.study.resolved(first).passes)
    choice = ", the choice among them" if result.choice in constant else ""
    many = f"{len(constant)} of {len(result.rows)} points are constant networks{choice}"
    return f"{many}: all outputs are the same for all samples. The first one is {first}; {remedy}"


def _differ(rows: Sequence[Row]) -> bool:
    """Whether rows have different scores on the validation samples."""
    return any(len({row[name] for row in rows if name in row}) > 1 for name in columns.SCORES)


def summary(result: Sweep, axes: Sequence[Axis]) -> str:
    """The text of `sweep.json`: options, score of the float model, front and choice."""
    choice = None if result.choice is None else result.rows[result.choice]
    whole = {
        "model": result.study.name,
        "passes": result.study.pipeline.text,
        "options": {axis.option: list(axis.values) for axis in axes},
        "points": len(result.rows),
        "samples": {
            "repeated": result.study.repeated,
            "calibration": None
            if result.study.calibration is None
            else len(result.study.calibration),
            "validation": None
            if result.study.validation is None
            else len(result.study.validation.x),
            "test": None if result.study.test is None else len(result.study.test.x),
        },
        "splits": None if result.splits is None else result.splits.count,
        "noise": list(result.noise) or None,
        "float": dict(result.reference),
        "objectives": list(result.objectives),
        "front": [result.rows[number] for number in result.front],
        "loss": result.loss,
        "choice": choice,
        "pipeline": None if result.choice is None else pipeline_of(result, result.choice),
    }
    return json.dumps({k: v for k, v in whole.items() if v is not None}, indent=2) + "\n"


def pipeline_of(result: Sweep, number: int) -> str:
    """The pipeline for `kan-flow build -p` that builds the design of a row with its data."""
    return result.study.resolved(result.points[number]).text


def refuse_schedule_options(axes: Sequence[Axis]) -> None:
    """Refuse to vary the options that `--schedule` varies itself.

    Raises
    ------
    KanError : an axis has such an option.
    """
    for axis in axes:
        owner, _, option = axis.option.rpartition(".")
        if owner in ("", SchedulePass.name) and option in SCHEDULE_OPTIONS:
            raise KanError(
                f"{axis.option} cannot vary beside --schedule, which tries all schedules"
            )
