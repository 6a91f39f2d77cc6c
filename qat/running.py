"""Does a training: its runs in one process or several, then the front, then the choice."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch

from kan_dialect.api.loading import from_ir
from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.files.sample_parts import repeated_samples
from kan_dialect.flows.trials.runners import Outcome
from kan_dialect.ir.constants import FloatArray
from kan_dialect.passbase.progress import tell
from kan_dialect.qat.folder import Checkpoints, digest_of, write_results
from kan_dialect.qat.goals import read_goals
from kan_dialect.qat.judge import Judge
from kan_dialect.qat.metrics import false_alarms, recalls
from kan_dialect.qat.objective import Objective
from kan_dialect.qat.options import TrainingOptions
from kan_dialect.qat.results import Point, State, Trained, choose, front_of
from kan_dialect.qat.runs import CompileWork, RunWork, Task
from kan_dialect.qat.start import Given
from kan_dialect.qat.steps import watched
from kan_dialect.qat.table import Table
from kan_dialect.qat.training import Training
from kan_dialect.qat.workers import Workers


def train_networks(
    table: Table,
    options: TrainingOptions,
    where: str,
    folder: GrowingFolder | None,
    progress: Callable[[State], None],
    workers: Workers,
    origin: str | None,
    teacher: FloatArray | None,
    *,
    force: bool = False,
) -> Trained:
    """Train, compile the front and choose; goes on from checkpoints where there are any.

    Parameters
    ----------
    table : the samples.
    where : the data's path, for messages.
    folder : for checkpoints and results; None: nothing is written.
    origin : IR of the network to start from.
    teacher : (samples, results), float64: what a teacher gives for the samples.

    Raises
    ------
    KanError : see `kan_dialect.qat.api.train`.
    """
    start, given = time.monotonic(), Given(origin, teacher)
    seeds = range(options.seed, options.seed + options.seeds)
    trainings = {seed: Training(table, options.of_seed(seed), where, given) for seed in seeds}
    dataset, first = table.dataset, trainings[options.seed]
    judge = judge_of(options, dataset, first.objective)
    if folder is not None:
        folder.create()
    checkpoints = None if folder is None else Checkpoints(folder, force)
    _train(trainings, table, options, where, given, checkpoints, progress, workers)
    points = _points(trainings, table, options, given, judge, workers)
    front = front_of(points, options)
    chosen = choose(front, options, judge)
    if chosen is None:
        raise no_network(points, options, judge, dataset.schema.classes)
    test = None
    if dataset.x_test is not None and dataset.y_test is not None:
        test = first.measure(chosen.network, dataset.x_test, dataset.y_test, judge)
    own = [front_of([point for point in points if point.seed == seed], options) for seed in seeds]
    alone = [choose(each, options, judge) for each in own]
    trained = Trained(
        tuple(front),
        chosen,
        test,
        judge,
        dataset.schema,
        time.monotonic() - start,
        tuple(point for point in alone if point is not None),
        repeated_samples(dataset.x),
        first.variance,
        trainings[chosen.seed].curve,
    )
    if folder is not None:
        write_results(trained, options, table, folder)
    return trained


def _train(
    trainings: dict[int, Training],
    table: Table,
    options: TrainingOptions,
    where: str,
    given: Given,
    checkpoints: Checkpoints | None,
    progress: Callable[[State], None],
    workers: Workers,
) -> None:
    """Do all runs of all seeds."""
    steps = options.schedule.steps
    digests = {seed: digest_of(table, options.of_seed(seed), given) for seed in trainings}
    every = [Task(seed, i) for seed, training in trainings.items() for i in range(training.count)]
    tasks: list[Task] = []
    for task in every:
        found = None
        if checkpoints is not None:
            found = checkpoints.read(*task, digests[task.seed])
        if found is not None and found["done"]:
            trainings[task.seed].run(task.part).restore(found["state"])
        else:
            tasks.append(task)
    if not tasks:
        return
    known, total = (len(every) - len(tasks)) * steps, len(every) * steps
    done = 0

    def here(_name: str, state: State) -> None:
        progress(State(known + done * steps + state.step, total, state.luts, state.loss))

    with nullcontext(None) if workers.is_here else watched(progress, total, known) as files:
        near = None if workers.is_far else checkpoints
        told = here if workers.is_here else None if workers.is_far else files
        work = RunWork(table, options, where, given, digests, near, told)
        for number, outcome in workers.runner(work, tasks):
            task, state = tasks[number], _figures(outcome)["state"]
            if checkpoints is not None:
                checkpoints.write(*task, state)
            run = trainings[task.seed].run(task.part)
            run.restore(torch.load(io.BytesIO(state), weights_only=True)["state"])
            done += 1
            if workers.is_far:
                progress(State(known + done * steps, total, run.luts, run.loss))


def _points(
    trainings: dict[int, Training],
    table: Table,
    options: TrainingOptions,
    given: Given,
    judge: Judge,
    workers: Workers,
) -> list[Point]:
    """The compiled networks of all seeds."""
    found = [
        (seed, *each)
        for seed, training in trainings.items()
        for each in training.candidates(judge, digest_of(table, options.of_seed(seed), given))
    ]
    texts = [str(module) for _, _, module in found]
    figures: list[dict[str, Any]] = [{} for _ in texts]
    outcomes = workers.runner(CompileWork(options.target), texts)
    for done, (number, outcome) in enumerate(outcomes, 1):
        figures[number] = _figures(outcome)
        tell("compiling the front", done, len(texts))
    return [
        Point(from_ir(text, data=table.dataset), each.price, each.held_out, **known, seed=seed)
        for (seed, each, _), text, known in zip(found, texts, figures, strict=True)
    ]


def _figures(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, str):
        raise KanError(f"the training failed: {outcome}")
    return outcome


def judge_of(options: TrainingOptions, dataset: Dataset, objective: Objective) -> Judge:
    """How networks are compared on held-out samples.

    Raises
    ------
    KanError : the metric is of other labels; a class of a goal is unknown.
    """
    classes, metric = objective.classes, options.metric
    if metric is not None and (metric in ("rmse", "mae")) == objective.is_classes:
        raise KanError(
            f"--metric {metric} is of {'numbers' if classes else 'classes'}, and labels are "
            f"{'classes' if classes else 'numbers'}",
            remedy="give another metric, or say what labels are (--task)",
        )
    names = dataset.schema.classes
    goals = read_goals(options.max_false_alarms, options.min_recall, names, classes)
    return Judge(classes, metric, goals)


def no_network(
    points: Sequence[Point], options: TrainingOptions, judge: Judge, classes: Sequence[str]
) -> KanError:
    """The budget or goal that no network keeps.

    Parameters
    ----------
    classes : names of the classes; empty where they have only numbers.
    """
    if options.max_levels is not None:
        least = min(point.levels for point in points)
        if least > options.max_levels:
            return KanError(
                f"no network has at most {options.max_levels} levels of logic; the flattest has "
                f"{least}",
                remedy="allow more levels, or train with fewer hidden layers",
            )
    within = [p for p in points if options.max_levels is None or p.levels <= options.max_levels]
    smallest = min(p.luts for p in within)
    if options.max_luts is not None and smallest > options.max_luts:
        return KanError(
            f"no network has at most {options.max_luts} LUTs; the smallest has {smallest}",
            remedy="allow more LUTs, or "
            + ("give fewer nodes (--hidden)" if options.group_sum else "raise the last price"),
        )
    best = min(within, key=lambda point: point.risk)
    matrix = best.held_out.confusion
    assert matrix is not None
    found, alarms = recalls(matrix), false_alarms(matrix)
    names = classes or range(judge.classes)
    lacks = [
        f"class {names[each]} has a recall of {found[each]:.4f}" for each in judge.goals.recall
    ]
    lacks += [
        f"{alarms[each]:.4f} of other classes are decided as class {names[each]}"
        for each in judge.goals.false_alarms
    ]
    return KanError(
        f"no network keeps the goals on held-out samples; of the nearest, {', '.join(lacks)}",
        remedy="ask for less, train with --class-weights balanced, or allow larger networks "
        "(--hidden, --input-bits)",
    )
