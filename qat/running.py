"""Does a training: its runs in one process or several, then the front, then the choice."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
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
from kan_dialect.qat.options import TrainingOptions
from kan_dialect.qat.results import Point, State, Trained, choose, front_of
from kan_dialect.qat.runs import CompileWork, RunWork, Task
from kan_dialect.qat.start import Given
from kan_dialect.qat.steps import watched
from kan_dialect.qat.training import Training
from kan_dialect.qat.workers import Workers

_LOG = logging.getLogger(__name__)


def train_networks(
    dataset: Dataset,
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
    trainings = {seed: Training(dataset, options.of_seed(seed), where, given) for seed in seeds}
    constant = trainings[options.seed].constant
    if constant:
        _LOG.warning(
            "%s: %d constant features (the first is feature %d) tell nothing, and are not read",
            *(where, len(constant), constant[0]),
        )
    if folder is not None:
        folder.create()
    checkpoints = None if folder is None else Checkpoints(folder, force)
    _train(trainings, dataset, options, where, given, checkpoints, progress, workers)
    points = _points(trainings, dataset, options, given, workers)
    front = front_of(points, options)
    chosen = choose(front, options)
    if chosen is None:
        raise _no_network(points, options)
    test = None
    if dataset.x_test is not None and dataset.y_test is not None:
        test = trainings[options.seed].score(chosen.network, dataset.x_test, dataset.y_test)
    own = [front_of([point for point in points if point.seed == seed], options) for seed in seeds]
    alone = [choose(each, options) for each in own]
    trained = Trained(
        tuple(front),
        chosen,
        test,
        trainings[options.seed].objective.is_classes,
        time.monotonic() - start,
        tuple(point for point in alone if point is not None),
        repeated_samples(dataset.x),
    )
    if folder is not None:
        write_results(trained, options, folder)
    return trained


def _train(
    trainings: dict[int, Training],
    dataset: Dataset,
    options: TrainingOptions,
    where: str,
    given: Given,
    checkpoints: Checkpoints | None,
    progress: Callable[[State], None],
    workers: Workers,
) -> None:
    """Do all runs of all seeds."""
    steps = options.schedule.steps
    digests = {seed: digest_of(dataset, options.of_seed(seed), given) for seed in trainings}
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
        work = RunWork(dataset, options, where, given, digests, near, told)
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
    dataset: Dataset,
    options: TrainingOptions,
    given: Given,
    workers: Workers,
) -> list[Point]:
    """The compiled networks of all seeds."""
    found = [
        (seed, *each)
        for seed, training in trainings.items()
        for each in training.candidates(digest_of(dataset, options.of_seed(seed), given))
    ]
    texts = [str(module) for _, _, module in found]
    figures: list[dict[str, Any]] = [{} for _ in texts]
    outcomes = workers.runner(CompileWork(options.target), texts)
    for done, (number, outcome) in enumerate(outcomes, 1):
        figures[number] = _figures(outcome)
        tell("compiling the front", done, len(texts))
    return [
        Point(from_ir(text, data=dataset), each.price, **asdict(each.held_out), **known, seed=seed)
        for (seed, each, _), text, known in zip(found, texts, figures, strict=True)
    ]


def _figures(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, str):
        raise KanError(f"the training failed: {outcome}")
    return outcome


def _no_network(points: Sequence[Point], options: TrainingOptions) -> KanError:
    """The budget that no network keeps."""
    if options.max_levels is not None:
        least = min(point.levels for point in points)
        if least > options.max_levels:
            return KanError(
                f"no network has at most {options.max_levels} levels of logic; the flattest has "
                f"{least}",
                remedy="allow more levels, or train with fewer hidden layers",
            )
    within = [
        p.luts for p in points if options.max_levels is None or p.levels <= options.max_levels
    ]
    return KanError(
        f"no network has at most {options.max_luts} LUTs; the smallest has {min(within)}",
        remedy="allow more LUTs, or raise the last price",
    )
