"""A study in one process: compiles trials, and keeps modules that later trials share.

Pipelines of neighbouring trials begin with the same passes. The module after these passes is kept
for the next trials. So calibration runs once, and all schedules of a network share its compilation.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from kan_dialect.checking import verify_after
from kan_dialect.errors import KanError
from kan_dialect.files.atomic import write_arrays
from kan_dialect.flows.trials.compiler_digest import current_compiler
from kan_dialect.flows.trials.pipeline import Resolved
from kan_dialect.flows.trials.runners import Outcome
from kan_dialect.flows.trials.study import CALIBRATION, Study, Trial
from kan_dialect.frontends.loading import make_context
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.passbase.garbage_collector import collector_paused


class Bench:
    """A study in this process. It must not be used by several threads at once."""

    def __init__(self, study: Study) -> None:
        """Load the study.

        Raises
        ------
        KanError : the compiler in this process is not the one that made the study.
        """
        if study.compiler != current_compiler():
            raise KanError(
                "a worker has another kan-dialect or other extension packages",
                remedy="install the same version on all workers",
            )
        self.study = study
        self.context = make_context()
        self._folder = tempfile.TemporaryDirectory(prefix="kan-trials-")
        self._kept: dict[tuple[str, ...], ModuleOp] = {}
        self._imported = cache(self._parse)

    def close(self) -> None:
        """Remove the temporary files."""
        self._folder.cleanup()

    def imported(self, trial: Trial) -> ModuleOp:
        """The network of a trial, as it was imported."""
        return self._imported(trial.network).clone()

    def _parse(self, number: int) -> ModuleOp:
        """A network as IR; its data is written beside it."""
        network = self.study.networks[number]
        if network.calibration is not None:
            place = Path(self._folder.name) / str(number)
            place.mkdir()
            write_arrays(place / CALIBRATION, network.calibration_data)
        return Parser(self.context, network.ir, network.name).parse_module()

    def resolved(self, trial: Trial) -> Resolved:
        """The passes of a trial, which read its data in this process's files."""
        data = Path(self._folder.name) / str(trial.network) / CALIBRATION
        return self.study.resolved(trial, str(data))

    def before_lowering(self, task: Task) -> tuple[ModuleOp, float]:
        """The module before the lowering to hardware, and the processor's seconds for it."""
        return self.after(task, lowering_of(self.resolved(task.trial)))

    def after(self, task: Task, count: int) -> tuple[ModuleOp, float]:
        """The module after `count` passes of a trial, and the processor's seconds for them.

        Starts from a kept module, and keeps those that the task names.

        Raises
        ------
        KanError : a pass refuses the network.
        """
        resolved, module = self.resolved(task.trial), self.imported(task.trial)
        names = (str(task.trial.network), *resolved.texts[:count])
        self._kept = {key: kept for key, kept in self._kept.items() if names[: len(key)] == key}
        done = max(self._kept, key=len, default=names[:1])
        module = self._kept[done].clone() if done in self._kept else module
        seconds = 0.0
        with collector_paused():
            for index in range(len(done) - 1, count):
                started = time.process_time()
                resolved.passes[index].apply(self.context, module)
                seconds += time.process_time() - started
                verify_after(resolved.passes[index], module)
                if index + 1 in task.keep:
                    self._kept[names[: index + 2]] = module.clone()
        return module, seconds


def lowering_of(resolved: Resolved) -> int:
    """Number of passes before the lowering to hardware."""
    names = [stage.name for stage in resolved.passes]
    lowering = LowerKanToHwPass.name
    return names.index(lowering) if lowering in names else len(names)


class Task(NamedTuple):
    """A trial to do something with."""

    trial: Trial
    keep: frozenset[int] = frozenset()
    """Numbers of passes after which the module is kept, because later trials share it."""


class Kind(Protocol):
    """What is done with trials."""

    def section(self, study: Study, trial: Trial) -> str:
        """The name of the results among those of a trial. It names all that they depend on."""
        ...

    def perform(self, bench: Bench, task: Task) -> dict[str, Any]:
        """Do it with one trial.

        Raises
        ------
        KanError : a pass or a tool refuses the network.
        """
        ...


def make_tasks(study: Study, trials: Sequence[Trial]) -> list[Task]:
    """Make tasks, ordered so that neighbours share most passes.

    Raises
    ------
    KanError : an option does not take its value.
    """
    if study.is_timed:
        return [Task(trial) for trial in trials]
    named = [(each.network, study.resolved(each).texts, n) for n, each in enumerate(trials)]
    named.sort()
    shared = [
        _common(first[1], second[1]) if first[0] == second[0] else 0
        for first, second in pairwise(named)
    ]
    # Two trials share the minimum of what all neighbours between them share.
    keep = [frozenset(accumulate(shared[at:], min)) - {0} for at in range(len(named))]
    return [Task(trials[n], kept) for (_, _, n), kept in zip(named, keep, strict=True)]


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the common prefix of two lists of passes."""
    pairs = zip(first, second, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


_BENCHES = threading.local()
"""The bench of each thread; a Dask worker runs several threads."""


@dataclass(frozen=True)
class Perform:
    """Does tasks of a kind in this process. A refusal by a pass or a tool is their outcome."""

    study: Study
    kind: Kind

    def __call__(self, task: Task) -> Outcome:
        try:
            bench: Bench | None = getattr(_BENCHES, "bench", None)
            if bench is None or bench.study is not self.study:
                if bench is not None:
                    bench.close()
                bench = _BENCHES.bench = Bench(self.study)
            return self.kind.perform(bench, task)
        except KanError as error:
            return str(error)
        except MemoryError:
            return "out of memory"
