"""The work of a training in tasks: runs, and the compilation of the networks that they give.

A task is done in this process, in another one, or on another machine. What it takes is pickled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from kan_dialect.api.loading import from_ir
from kan_dialect.errors import KanError
from kan_dialect.flows.trials.runners import Outcome
from kan_dialect.qat.folder import Checkpoints, packed_run
from kan_dialect.qat.options import TrainingOptions
from kan_dialect.qat.results import State
from kan_dialect.qat.start import Given
from kan_dialect.qat.steps import Every, StepFile
from kan_dialect.qat.table import Table
from kan_dialect.qat.training import Training

SAVE_SECONDS = 20.0
"""Time from one checkpoint of a run to the next."""


class Task(NamedTuple):
    """A run of a seed's training."""

    seed: int
    part: int
    """Index of the run."""


@dataclass(frozen=True)
class RunWork:
    """Trains runs."""

    table: Table
    options: TrainingOptions
    where: str
    """The data's path, for messages."""
    given: Given
    digests: dict[int, str]
    """By seed."""
    checkpoints: Checkpoints | None
    """Where states are; None without any, or they are on another machine."""
    told: StepFile | Callable[[str, State], None] | None
    """What is told after each step, with a name of the run."""

    def __call__(self, task: Task) -> Outcome:
        """Train a run to its end, from its checkpoint where there is one.

        Returns
        -------
        dict with `state`, the bytes of `packed_run`; or why it failed, such as a full disk.
        """
        try:
            return {"state": self._trained(task)}
        except KanError as error:
            return str(error)

    def _trained(self, task: Task) -> bytes:
        training = Training(self.table, self.options.of_seed(task.seed), self.where, self.given)
        run, digest = training.run(task.part), self.digests[task.seed]
        name = f"{task.seed}-{task.part}"
        tell = self.told.write if isinstance(self.told, StepFile) else self.told
        found = None if self.checkpoints is None else self.checkpoints.read(*task, digest)
        if found is not None:
            run.restore(found["state"])
        save, show = Every(SAVE_SECONDS), Every(0.2 if isinstance(self.told, StepFile) else 0.0)
        threads = torch.get_num_threads()
        # The same sums in the same order, whatever the number of processes and processors.
        torch.set_num_threads(1)
        try:
            while not run.is_done:
                run.advance()
                if tell is not None and show.is_due():
                    tell(name, State(run.step, run.schedule.steps, run.luts, run.loss))
                if self.checkpoints is not None and save.is_due():
                    self.checkpoints.write(*task, packed_run(run, digest))
        finally:
            torch.set_num_threads(threads)
        steps = run.schedule.steps
        if tell is not None and (run.step < steps or isinstance(self.told, StepFile)):
            # Steps that a run leaves out are done, too.
            tell(name, State(steps, steps, run.luts, run.loss))
        return packed_run(run, digest)


@dataclass(frozen=True)
class CompileWork:
    """Compiles networks for the figures of their hardware."""

    target: str

    def __call__(self, text: str) -> Outcome:
        """`luts`, `registers`, `levels` of a network by the target's estimate; or an error.

        Parameters
        ----------
        text : its IR.
        """
        try:
            found = from_ir(text).compile(target=self.target).estimate(self.target)
        except KanError as error:
            return str(error)
        return {"luts": found.luts, "registers": found.registers, "levels": found.levels}
