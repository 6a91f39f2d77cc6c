"""A sweep: compiles points, measures them on request, compares them and chooses one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.files.atomic import packed
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.files.sample_parts import repeated_samples
from kan_dialect.flows.budget_options import budget_remedy
from kan_dialect.flows.sweep.noise import Splits, mark_noise, over_splits, statements
from kan_dialect.flows.sweep.pareto import cheapest, costs_of, pareto_front
from kan_dialect.flows.sweep.schedules import schedules
from kan_dialect.flows.trials import columns
from kan_dialect.flows.trials.columns import COLUMNS, Row, row_of
from kan_dialect.flows.trials.kinds import Measure
from kan_dialect.flows.trials.networks import Network
from kan_dialect.flows.trials.pipeline import up_to_trades
from kan_dialect.flows.trials.points import Axis, Point
from kan_dialect.flows.trials.runners import Progress, Runner
from kan_dialect.flows.trials.study import CALIBRATION, Study, Trial
from kan_dialect.flows.trials.work import TrialWork
from kan_dialect.passbase.kan_pass import EXACT, claim_of


@dataclass(frozen=True)
class Question:
    """The question of a sweep: points, measurements and criteria."""

    points: Sequence[Point]
    schedule: bool = False
    """Whether each point is compiled in all its schedules."""
    measures: Sequence[Measure] = ()
    objectives: tuple[str, ...] = ()
    """Columns of the front; if empty, columns are chosen for the question."""
    loss: float = 0.01
    """Loss that the choice may cause: of accuracy absolute, of errors relative."""


@dataclass
class Sweep:
    """The result of a sweep."""

    study: Study
    points: list[Point]
    rows: list[Row]
    """A row for each point, in the order of the grid; column `front` marks the front."""
    loss: float
    found: int
    """Number of points that earlier runs had compiled, including useless schedules."""
    splits: Splits | None = None
    """Scores on all splits, or None of a single one."""
    quality: str | None = None
    """The column of the outputs' quality; None where points do not differ in it."""
    objectives: tuple[str, ...] = ()
    choice: int | None = None
    """Index of the cheapest row that is good enough, or None."""
    noise: Sequence[str] = field(default_factory=list[str])
    """What the splits say about the choice, the best point and the front."""

    @property
    def network(self) -> Network:
        """The network with the samples of the first split."""
        return self.study.networks[0]

    @property
    def front(self) -> list[int]:
        """Indices of the rows on the front."""
        return [number for number, row in enumerate(self.rows) if row["front"]]

    @property
    def judged(self) -> str | None:
        """The column of quality, if it is an objective."""
        return self.quality if self.quality in self.objectives else None

    @property
    def reference(self) -> Mapping[str, float]:
        """The score of the float model on validation and test samples, means over the splits."""
        found: dict[str, list[float]] = {}
        for network in self.study.networks:
            for where, samples in network.scored.items():
                for name, figure in samples.reference.items():
                    found.setdefault(f"{where}_{name}", []).append(figure)
        return {name: fmean(figures) for name, figures in found.items()}

    def pipeline(self, number: int) -> str:
        """The pipeline for `kan-flow build -p` that builds the design of a row with its data."""
        return self.study.resolved(Trial(self.points[number])).text


def require_data(study: Study, points: Sequence[Point]) -> bool:
    """Whether points may differ in accuracy.

    Raises
    ------
    KanError : they may, and the study has no data to measure accuracy.
    """
    pipelines = [study.resolved(Trial(point)).passes for point in points]
    differ = len({tuple(up_to_trades(passes)) for passes in pipelines}) > 1
    if differ and not study.networks[0].scored:
        trade = {stage.name for passes in pipelines for stage in passes if claim_of(stage) != EXACT}
        raise KanError(
            f"the points differ in accuracy ({', '.join(sorted(trade))}), and no data is given to "
            "measure it",
            remedy="give samples with labels: --calibration DATA.npz",
        )
    return differ


def sweep(
    study: Study,
    question: Question,
    folder: GrowingFolder,
    runner: Runner,
    progress: Progress = lambda _what, _done, _of: None,
) -> Sweep:
    """Compile, measure and compare all points of a question. Results in `folder` are reused.

    Parameters
    ----------
    study : the calibration samples of its first network are those of the designs whose size counts;
        the other networks are further splits of the data, which add to the scores.

    Raises
    ------
    KanError : an option does not take its value, points differ in accuracy without data, the folder
        cannot be written or holds files of others, or all points failed (with the reason of the
        first one).
    """
    differ = require_data(study, question.points)
    folder.create()
    work = TrialWork(study, folder, runner, progress)
    if study.networks[0].calibration is not None:
        # With this file, `kan-flow build` makes exactly the measured design of a point.
        folder.write(CALIBRATION, packed(_build_data(study.networks[0])))
    points = list(question.points)
    if question.schedule:
        points = schedules(work, points)
    trials = [Trial(point) for point in points]
    work.compile("compiling", trials)
    for measure in question.measures:
        work.measure("measuring", measure, trials)
    rows = [_row(work, trial, question.measures) for trial in trials]
    splits = None
    further = [
        _further_rows(work, points, number, schedule=question.schedule)
        for number in range(1, len(study.networks))
    ]
    if further:
        calibration, validation = study.networks[0].calibration, study.networks[0].scored
        assert calibration is not None
        ratio = len(validation["validation"].x) / len(calibration.x)
        rows, splits = over_splits([rows, *further], ratio)
    if rows and all("error" in row for row in rows):
        raise KanError(f"every point failed; {points[0]}: {rows[0]['error']}")
    result = Sweep(study, points, rows, question.loss, work.found, splits)
    _judge(result, question, differ=differ)
    return result


def _build_data(network: Network) -> dict[str, Any]:
    """Arrays for `kan-flow build --calibration`: without the validation samples."""
    arrays = network.calibration_data
    test = network.scored.get("test")
    found = {} if test is None else {"x_test": test.x, "y_test": test.y}
    return arrays | {name: array for name, array in found.items() if array is not None}


def _further_rows(
    work: TrialWork, points: Sequence[Point], number: int, *, schedule: bool
) -> list[Row]:
    """Rows of a further split. Schedules of a network have the same scores."""
    bases = [Point(point.options[:-1]) if schedule else point for point in points]
    trials = [Trial(point, number) for point in bases]
    work.compile(f"split {number + 1} of {len(work.study.networks)}", trials)
    return [_row(work, trial) for trial in trials]


def _row(work: TrialWork, trial: Trial, measures: Sequence[Measure] = ()) -> Row:
    known = {measure.tool: work.result(trial, measure) for measure in measures}
    return row_of(
        trial.point.cells(),
        work.figures(trial),
        known.get("synthesis"),
        known.get("pnr"),
        {"error": work.errors.get(trial)},
    )


def _judge(result: Sweep, question: Question, *, differ: bool) -> None:
    """Add the front, the choice, and what splits say about them."""
    rows = result.rows
    # A pass of another package may claim nothing, and yet change the outputs.
    scores = [{row[name] for row in rows if name in row} for name in columns.SCORES]
    differ = differ or any(len(score) > 1 for score in scores)
    good, area = columns.quality(rows) if differ else None, columns.area(rows)
    shape = (columns.delay(rows), columns.latency(rows), area, columns.registers(rows))
    two = good is not None and not question.schedule
    default = ((good,) if good else ()) + ((area,) if two else shape)
    result.quality, result.objectives = good, question.objectives or default
    front = pareto_front(costs_of(rows, result.objectives)).tolist()
    result.rows = [{**row, "front": is_best} for row, is_best in zip(rows, front, strict=True)]
    if good is not None:
        known = [row[good] for row in rows if good in row]
        best = max(known) if COLUMNS[good].better > 0 else min(known)
        # The float model has error 0, which no point can reach: the least error is the reference.
        reference = best if good == "validation_error" else result.reference.get(good, best)
        result.choice = cheapest(rows, good, area, reference, question.loss)
    if result.splits is not None and result.judged is not None:
        names = [str(point) for point in result.points]
        names_of = (names, result.judged, area)
        result.rows = mark_noise(result.splits, result.rows, *names_of)
        result.noise = statements(result.splits, result.rows, *names_of, result.choice)


def constant_caution(result: Sweep) -> str | None:
    """Says that points are constant networks, with the options to change; None without any."""
    constant = [number for number, row in enumerate(result.rows) if row.get("constant")]
    if not constant:
        return None
    first = result.points[constant[0]]
    remedy = budget_remedy(result.study.resolved(Trial(first)).passes)
    choice = ", the choice among them" if result.choice in constant else ""
    many = f"{len(constant)} of {len(result.rows)} points are constant networks{choice}"
    return f"{many}: all outputs are the same for all samples. The first one is {first}; {remedy}"


def summary(result: Sweep, axes: Sequence[Axis]) -> str:
    """The text of `sweep.json`: options, score of the float model, front and choice."""
    network, choice = result.network, result.choice
    calibration, scored = network.calibration, network.scored
    parts = scored if calibration is None else {"calibration": calibration, **scored}
    given = [parts[name].x for name in ("calibration", "validation") if name in parts]
    samples: dict[str, int | None] = {
        "repeated": repeated_samples(np.concatenate(given)) if given else 0,
        **dict.fromkeys(("calibration", "validation", "test")),
        **{name: len(part.x) for name, part in parts.items()},
    }
    whole = {
        "model": network.name,
        "passes": result.study.pipelines[0].text,
        "options": {axis.option: list(axis.values) for axis in axes},
        "points": len(result.rows),
        "samples": samples,
        "splits": None if result.splits is None else result.splits.count,
        "noise": list(result.noise) or None,
        "float": dict(result.reference),
        "objectives": list(result.objectives),
        "front": [result.rows[number] for number in result.front],
        "loss": result.loss,
        "choice": None if choice is None else result.rows[choice],
        "pipeline": None if choice is None else result.pipeline(choice),
    }
    return json.dumps({k: v for k, v in whole.items() if v is not None}, indent=2) + "\n"
