"""A study in its steps: trainings, choices, tests, synthesis. Results go into a folder at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from kan_dialect import __version__
from kan_dialect.deferred import DeferredModule
from kan_dialect.errors import KanError
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.study.results import Cell
from kan_dialect.flows.tools.run_limits import Limits
from kan_dialect.flows.trials.columns import Row, row_of
from kan_dialect.flows.trials.compiler_digest import current_compiler
from kan_dialect.flows.trials.kinds import Measure
from kan_dialect.flows.trials.networks import Network
from kan_dialect.flows.trials.points import Point, spell
from kan_dialect.flows.trials.runners import Outcome, Progress, Runner, Work
from kan_dialect.flows.trials.store import FIGURES, Results, Store
from kan_dialect.flows.trials.study import Study, Trial
from kan_dialect.flows.trials.work import TrialWork
from kan_dialect.frontends.loading import make_context, parse_text, rename
from kan_dialect.frontends.naming import identifier
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.qat.study.plan import Plan

if TYPE_CHECKING:
    from kan_dialect.qat.study import work
else:
    # It imports PyTorch, which takes seconds and may be missing.
    work = DeferredModule("kan_dialect.qat.study.work")

_TEST = "test"
NETWORKS = "networks"
"""Folder of the chosen networks, a file for each."""


class StudyRun:
    """The trainings of a study, each by its number in the order of the plan."""

    def __init__(
        self,
        plan: Plan,
        data: Mapping[str, Mapping[str, Array]],
        folder: GrowingFolder,
        runner: Runner,
        progress: Progress,
    ) -> None:
        """
        Parameters
        ----------
        data : of `Plan.read`.
        """
        self.plan, self.tasks, self._data = plan, plan.tasks(), data
        self._folder, self._runner, self._progress = folder, runner, progress
        self._store = Store(folder, "trainings", ("front", "chosen", "ir"))
        self._digests = {name: _digest(arrays) for name, arrays in self._data.items()}
        self._results: list[Results] = [self._store.read(self._digest(n)) for n in self._numbers]
        self._synthesis: dict[int, Mapping[str, Any]] = {}
        self.errors: dict[int, str] = {}
        self.cells: dict[tuple[str, Point], list[int]] = {}
        """By data set and point: the trainings of all seeds with the options that are chosen."""

    @property
    def _numbers(self) -> range:
        return range(len(self.tasks))

    def train(self) -> None:
        """Train where no earlier run has; test sets are left out."""
        data = {
            name: {key: array for key, array in arrays.items() if key not in ("x_test", "y_test")}
            for name, arrays in self._data.items()
        }
        groups: dict[object, list[int]] = {}
        for number in self._unknown(FIGURES, self._numbers):
            groups.setdefault(work.same_training(self.tasks[number]), []).append(number)
        tasks = {tuple(group): [self.tasks[n] for n in group] for group in groups.values()}
        training = work.TrainWork(data, self.plan.seconds)
        self._do("training", FIGURES, training, tasks, len(self.tasks))

    def choose(self) -> None:
        """Choose the tuned options of each data set and point: the least mean held-out loss."""
        losses: dict[tuple[str, Point], list[tuple[float, list[int]]]] = {}
        seeds = self.plan.seeds
        for first in self._numbers[::seeds]:
            numbers = list(range(first, first + seeds))
            if not self.errors.keys() & numbers:
                mean = float(np.mean([self._figures(n)["held_out_loss"] for n in numbers]))
                task = self.tasks[first]
                losses.setdefault((task.data, task.point), []).append((mean, numbers))
        self.cells = {cell: min(tried)[1] for cell, tried in losses.items()}

    def test(self) -> None:
        """Read the test sets for the networks that are chosen."""
        tasks = {
            (n,): (task.data, task.options.table, self._results[n][FIGURES]["ir"])
            for n, task in ((n, self.tasks[n]) for n in self._unknown(_TEST, self._chosen))
        }
        self._do("testing", _TEST, work.TestWork(self._data), tasks, len(self._chosen))
        for number in self._chosen:
            if number not in self.errors:
                name, text = self._name(number), self._results[number][FIGURES]["ir"]
                module = parse_text(make_context(), text.encode(), name)
                rename(module, name)
                self._folder.write(f"{NETWORKS}/{name}.mlir", str(module) + "\n")

    def synthesise(self, limits: Limits) -> None:
        """Count the LUTs of the networks that are chosen with Yosys, each for its target."""
        for target in dict.fromkeys(self.tasks[n].options.target for n in self._chosen):
            own = [n for n in self._chosen if self.tasks[n].options.target == target]
            texts = [self._results[n][FIGURES]["ir"] for n in own]
            networks = tuple(Network("network", text, has_codes=True) for text in texts)
            trials = {n: Trial(network=place) for place, n in enumerate(own)}
            designs = TrialWork(
                *(Study(networks, device=target), self._folder, self._runner, self._progress),
                "designs",
            )
            designs.compile("compiling", list(trials.values()))
            measure = Measure("synthesis", limits=limits)
            designs.measure("synthesising", measure, trials.values())
            self._synthesis |= {n: designs.result(trials[n], measure) or {} for n in own}
            self.errors |= {n: designs.errors[t] for n, t in trials.items() if t in designs.errors}

    @property
    def _chosen(self) -> list[int]:
        return [number for numbers in self.cells.values() for number in numbers]

    def rows(self) -> list[Row]:
        """A row for each training: what repeats it, and figures of the chosen network."""
        chosen = set(self._chosen)
        return [self._row(number, is_chosen=number in chosen) for number in self._numbers]

    def fronts(self) -> list[Row]:
        """A row for each network of each front."""
        return [
            {**self._about(number), **network}
            for number in self._numbers
            if number not in self.errors
            for network in self._results[number][FIGURES]["front"]
        ]

    def filled_cells(self, rows: Sequence[Row]) -> list[Cell]:
        """The cells with their test scores; those with a failure are left out.

        Parameters
        ----------
        rows : of `rows`.

        Raises
        ------
        KanError : all are left out.
        """
        cells = [
            Cell(data, point, [rows[n] for n in numbers], self._scores(numbers))
            for (data, point), numbers in self.cells.items()
            if not self.errors.keys() & numbers
        ]
        if not cells:
            first = next(iter(self.errors.values()))
            raise KanError(f"a seed of every point failed; the first: {first}")
        return cells

    def _scores(self, numbers: Sequence[int]) -> FloatArray:
        """(seeds, test samples), float64."""
        scores: list[list[float]] = [self._results[n][_TEST]["scores"] for n in numbers]
        return np.array(scores, np.float64)

    def _row(self, number: int, *, is_chosen: bool) -> Row:
        task, results = self.tasks[number], self._results[number]
        figures: dict[str, Any] = {}
        if FIGURES in results:
            known = results[FIGURES]
            figures = {"steps": known["steps"], "seconds": known["seconds"]}
            figures |= self._figures(number)
        if _TEST in results and is_chosen:
            figures["test_score"] = float(self._scores([number]).mean())
        repeated = {
            "chosen": is_chosen,
            "options": json.dumps(task.given),
            "samples": self._digests[task.data],
            "compiler": current_compiler(),
            "version": __version__,
            "torch": version("torch"),
        }
        last = {"target": task.options.target, "error": self.errors.get(number)}
        synthesis = self._synthesis.get(number)
        return row_of({**self._about(number), **repeated}, figures, synthesis, None, last)

    def _about(self, number: int) -> dict[str, Any]:
        task = self.tasks[number]
        return {
            "data": task.data,
            **task.point.cells(),
            **task.tuned.cells(),
            "seed": task.options.seed,
        }

    def _name(self, number: int) -> str:
        """Data set, values of the axes and seed, as `wine_spline_400_0`."""
        task = self.tasks[number]
        values = [spell(value) for _, value in task.point.options]
        return identifier("_".join([task.data, *values, str(task.options.seed)]))

    def _figures(self, number: int) -> dict[str, Any]:
        """Figures of the network that its training chose."""
        known = self._results[number][FIGURES]
        return known["front"][known["chosen"]]

    def _unknown(self, section: str, numbers: Iterable[int]) -> list[int]:
        return [number for number in numbers if section not in self._results[number]]

    def _do(
        self,
        what: str,
        section: str,
        doing: Work[Any],
        tasks: Mapping[tuple[int, ...], Any],
        total: int,
    ) -> None:
        """Do tasks, and keep their results as soon as they are known.

        Parameters
        ----------
        section : part of the results that the work gives.
        tasks : a task for each group of trainings.
        total : number of trainings, with those that are known.
        """
        groups = list(tasks)
        done = total - sum(map(len, groups))
        self._progress(what, done, total)
        with closing(self._runner(doing, list(tasks.values()))) as outcomes:
            for place, outcome in outcomes:
                group = groups[place]
                results: list[Outcome] = (
                    [outcome] * len(group) if isinstance(outcome, str) else outcome["results"]
                )
                for number, result in zip(group, results, strict=True):
                    self._keep(number, section, result)
                done += len(group)
                self._progress(what, done, total)

    def _keep(self, number: int, section: str, result: Outcome) -> None:
        if isinstance(result, str):
            self.errors[number] = result
        else:
            self._results[number][section] = result
            self._store.write(self._digest(number), self._about(number), self._results[number])

    def _digest(self, number: int) -> str:
        """Another one where figures may be others: compiler, data, options, processor time."""
        task = self.tasks[number]
        whole = (current_compiler(), self._digests[task.data], task.options, self.plan.seconds)
        return hashlib.sha256(repr(whole).encode()).hexdigest()[:20]


def _digest(arrays: Mapping[str, Array]) -> str:
    """SHA-256 of samples and labels, shortened."""
    whole = hashlib.sha256()
    for name, array in arrays.items():
        whole.update(f"{name} {array.dtype.str} {array.shape}".encode())
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()[:16]
