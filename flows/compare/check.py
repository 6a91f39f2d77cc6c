"""The check of a pipeline that may be wrong: pass by pass, then against the baseline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from kan_dialect.checking import Checker
from kan_dialect.errors import KanError
from kan_dialect.flows.input_codes import comparison_codes
from kan_dialect.flows.trials.bench import Bench, Task, lowering_of
from kan_dialect.flows.trials.pipeline import up_to_trades
from kan_dialect.flows.trials.study import Study, Trial
from kan_dialect.model.model import Model
from kan_dialect.other_packages import OURS, package_of
from kan_dialect.passbase.kan_pass import unwrapped


def baseline_of(trial: Trial, pipelines: int) -> Trial:
    """The trial of the same network and width with the baseline.

    Parameters
    ----------
    pipelines : number of pipelines at each width, the baseline first.
    """
    return replace(trial, pipeline=trial.pipeline - trial.pipeline % pipelines)


def must_agree(study: Study, trial: Trial, baseline: Trial) -> bool:
    """Whether two trials have to give the same codes: they part after all accuracy is traded."""
    first, second = (up_to_trades(study.resolved(each).passes) for each in (trial, baseline))
    return first == second


def has_foreign_passes(study: Study, trial: Trial) -> bool:
    """Whether passes of other packages are in the pipeline."""
    passes = map(unwrapped, study.resolved(trial).passes)
    return any(package_of(type(stage)) != OURS for stage in passes)


@dataclass(frozen=True)
class Check:
    """Finds the pass that does not keep its claim; `wrong` says so in words."""

    pipelines: int
    """See `baseline_of`."""

    def section(self, study: Study, trial: Trial) -> str:
        return f"check against {study.digest(baseline_of(trial, self.pipelines))}"

    def perform(self, bench: Bench, task: Task) -> dict[str, Any]:
        trial, baseline = task.trial, baseline_of(task.trial, self.pipelines)
        resolved, module = bench.resolved(trial), bench.imported(trial)
        samples = bench.study.network(trial).probes
        checker = Checker(samples)
        for stage in resolved.passes[: lowering_of(resolved)]:
            failed = checker.apply(bench.context, stage, module).failed
            if failed is not None:
                return {"wrong": f"{stage.name} does not keep its claim: {failed.summary()}"}
        if not must_agree(bench.study, trial, baseline):
            return {}
        old, new = Model.of(bench.before_lowering(Task(baseline))[0]), Model.of(module)
        codes = comparison_codes(old.ports()[0], samples)
        try:
            apart = int((old.run_codes(codes) != new.run_codes(codes)).any(axis=1).sum())
        except KanError as error:
            return {"wrong": f"its codes are not those of the baseline: {error.message}"}
        if not apart:
            return {}
        return {"wrong": f"{apart} of {len(codes)} samples give other codes than the baseline"}
