"""Runs the trials whose results a folder does not have yet, and reads the others."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import closing
from typing import Any

from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.trials.bench import Kind, Perform, make_tasks
from kan_dialect.flows.trials.kinds import Compile, Measure
from kan_dialect.flows.trials.runners import Progress, Runner
from kan_dialect.flows.trials.store import FIGURES, Results, Store
from kan_dialect.flows.trials.study import Study, Trial


class TrialWork:
    """Known results of trials, and the steps that add results."""

    def __init__(
        self,
        study: Study,
        folder: GrowingFolder,
        runner: Runner,
        progress: Progress,
        place: str = "points",
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """
        Parameters
        ----------
        place : name of the folder of the trials' files, in `folder`.
        is_over : whether the time is over; asked after each task. Tasks that are left are not done.
        """
        self.study = study
        self._store = Store(folder, place)
        self._runner, self._progress, self._is_over = runner, progress, is_over
        self._known: dict[str, Results] = {}
        self._digests: dict[Trial, str] = {}
        self._compiled: set[Trial] = set()
        self.errors: dict[Trial, str] = {}
        self.found = 0
        """Number of compiled trials that earlier runs knew."""

    def result(self, trial: Trial, kind: Kind) -> dict[str, Any] | None:
        """What is known of a trial; None where it is not known, or failed."""
        return self._of(trial).get(kind.section(self.study, trial))

    def figures(self, trial: Trial) -> dict[str, Any] | None:
        """The figures of a compiled trial."""
        return self._of(trial).get(FIGURES)

    def compile(self, what: str, trials: Sequence[Trial]) -> None:
        """Read or compute the figures of trials; equal trials are compiled once."""
        new = [trial for trial in dict.fromkeys(trials) if trial not in self._compiled]
        self._compiled.update(new)
        self.found += sum(self.figures(trial) is not None for trial in new)
        self.do(what, Compile(), _grouped(new, self._digest))

    def measure(self, what: str, kind: Measure, trials: Iterable[Trial]) -> None:
        """Measure trials that have figures; equal designs are measured once."""
        known = {trial: self.figures(trial) for trial in trials}
        designs = {trial: (each["design"], each["target"]) for trial, each in known.items() if each}
        self.do(what, kind, _grouped(designs, designs.__getitem__))

    def do(self, what: str, kind: Kind, groups: Sequence[Sequence[Trial]]) -> None:
        """Do a task for one trial of each group, unless its result is known, for all of them."""
        waiting: dict[Trial, Sequence[Trial]] = {}
        for group in groups:
            results = (self.result(trial, kind) for trial in group)
            known = next((result for result in results if result is not None), None)
            if known is None:
                waiting[group[0]] = group
            else:
                self._keep(group, kind, known)
        done = len(groups) - len(waiting)
        self._progress(what, done, len(groups))
        tasks = make_tasks(self.study, list(waiting))
        if not tasks:
            return
        with closing(self._runner(Perform(self.study, kind), tasks)) as outcomes:
            for number, outcome in outcomes:
                group = waiting[tasks[number].trial]
                if isinstance(outcome, str):
                    self.errors |= dict.fromkeys(group, outcome)
                else:
                    self._keep(group, kind, outcome)
                done += 1
                self._progress(what, done, len(groups))
                if self._is_over():
                    break

    def _keep(self, trials: Sequence[Trial], kind: Kind, result: dict[str, Any]) -> None:
        for trial in trials:
            known, section = self._of(trial), kind.section(self.study, trial)
            if known.get(section) != result:
                known[section] = result
                about = {
                    "model": self.study.network(trial).name,
                    "passes": self.study.resolved(trial).texts,
                }
                self._store.write(self._digest(trial), about, known)

    def _digest(self, trial: Trial) -> str:
        if trial not in self._digests:
            self._digests[trial] = self.study.digest(trial)
        return self._digests[trial]

    def _of(self, trial: Trial) -> Results:
        digest = self._digest(trial)
        if digest not in self._known:
            self._known[digest] = self._store.read(digest)
        return self._known[digest]


def _grouped(trials: Iterable[Trial], key: Callable[[Trial], Hashable]) -> list[list[Trial]]:
    """Trials of the same key together, in the order of the first ones."""
    groups: dict[Hashable, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(key(trial), []).append(trial)
    return list(groups.values())
