"""The work of a study in tasks: trainings, which see no test set, and then the tests.

A task is done in this process, in another one, or on another machine. What it takes is pickled.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kan_dialect.api.loading import from_ir
from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import classes
from kan_dialect.flows.trials.runners import Outcome
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.qat.api import train
from kan_dialect.qat.judge import HeldOut
from kan_dialect.qat.options import TrainingOptions
from kan_dialect.qat.results import Trained, choose
from kan_dialect.qat.running import no_network
from kan_dialect.qat.study.plan import Task
from kan_dialect.qat.table import Table, TableOptions, read_table
from kan_dialect.qat.training import Training

PILOT = 50
"""Steps whose processor time says how many steps fit."""
LEAST_STEPS = 100


@dataclass(frozen=True)
class TrainWork:
    """Trains networks."""

    data: Mapping[str, Mapping[str, Array]]
    """Arrays by data set, without test sets."""
    seconds: float | None
    """See `Plan.seconds`."""

    def __call__(self, tasks: Sequence[Task]) -> Outcome:
        """Train once, and choose a network of the front for each task.

        Parameters
        ----------
        tasks : tasks that differ in `max-luts` only, which decides nothing but the choice.

        Returns
        -------
        dict with `results`, one a task: a dict with `seconds` (processor time, an equal part of the
        training's for each task), `steps`, `front` (figures of its networks), `chosen` (the index
        in it), and `ir` of the chosen one; or why no network was chosen. Or why training failed.
        """
        samples, options = self.data[tasks[0].data], _unlimited(tasks[0])
        start = time.process_time()
        try:
            if self.seconds is not None:
                options = within(self.seconds, read_table(samples, options.table), options)
            trained = train(samples, options)
        except KanError as error:
            return str(error)
        seconds = (time.process_time() - start) / len(tasks)
        shared = {
            "seconds": round(seconds, 2),
            "steps": options.schedule.steps,
            "front": [
                {
                    "price": point.price,
                    "held_out_score": _score(point.held_out),
                    "held_out_loss": point.loss,
                    "estimate_luts": point.luts,
                    "estimate_registers": point.registers,
                    "estimate_levels": point.levels,
                }
                for point in trained.front
            ],
        }
        choices = [_chosen(trained, task.options) for task in tasks]
        return {"results": [each if isinstance(each, str) else shared | each for each in choices]}


def same_training(task: Task) -> tuple[str, TrainingOptions]:
    """Equal for tasks that one training is enough for."""
    return task.data, _unlimited(task)


def _unlimited(task: Task) -> TrainingOptions:
    return replace(task.options, max_luts=None)


def _chosen(trained: Trained, options: TrainingOptions) -> Outcome:
    """The number of the chosen network on the front, and its IR; or why no network was chosen."""
    front = trained.front
    point = choose(front, options, trained.judge)
    if point is None:
        return str(no_network(front, options, trained.judge, trained.schema.classes))
    return {"chosen": front.index(point), "ir": point.network.text()}


def within(seconds: float, table: Table, options: TrainingOptions) -> TrainingOptions:
    """The options with as many steps as fit into a processor time, by the first `PILOT` steps."""
    training = Training(table, options, table.dataset.where)
    run = training.run(0)
    start = time.process_time()
    for _ in range(PILOT):
        run.advance()
    step = (time.process_time() - start) / PILOT * training.count
    steps = max(LEAST_STEPS, int(seconds / step))
    return replace(options, schedule=replace(options.schedule, steps=steps))


def _score(figures: HeldOut) -> float:
    """Accuracy, or R²: losses of numbers are in units of the targets' variance."""
    if figures.confusion is None:
        return 1.0 - figures.loss
    return float(np.trace(figures.confusion) / figures.confusion.sum())


@dataclass(frozen=True)
class TestWork:
    """Reads test sets, for networks that are chosen."""

    data: Mapping[str, Mapping[str, Array]]
    """Arrays by data set."""

    def __call__(self, task: tuple[str, TableOptions, str]) -> Outcome:
        """A dict with `scores` of the test samples, see `Cell.scores`, as the one entry of
        `results`; or why they cannot be read.

        Parameters
        ----------
        task : name of the data set, how it is read, and IR of the network.
        """
        name, options, text = task
        try:
            dataset = read_table(self.data[name], options).dataset
        except KanError as error:
            return str(error)
        assert dataset.x_test is not None and dataset.y_test is not None
        y: FloatArray = dataset.y_test.reshape(len(dataset.y_test), -1)
        results = from_ir(text).run(dataset.x_test)
        if dataset.y_test.dtype.kind != "f":
            scores = (classes(results) == y[:, 0]).astype(int)
        else:
            variance = float(((y - y.mean(axis=0)) ** 2).mean())
            scores = 1.0 - ((results - y) ** 2).mean(axis=1) / variance
        return {"results": [{"scores": scores.tolist()}]}
