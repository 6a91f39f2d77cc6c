"""A comparison: all trials, checked against the baseline and summed up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kan_dialect.files.folder_ownership import Owner
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.compare.check import Check, baseline_of, has_foreign_passes, must_agree
from kan_dialect.flows.compare.networks import SCORED
from kan_dialect.flows.compare.pipelines import spelt
from kan_dialect.flows.compare.statistics import METRICS, Ratio, ratio_of
from kan_dialect.flows.tools.run_limits import DEFAULT_LIMITS, Limits
from kan_dialect.flows.trials.columns import Row, row_of
from kan_dialect.flows.trials.kinds import Measure
from kan_dialect.flows.trials.networks import Network
from kan_dialect.flows.trials.pipeline import Pipeline
from kan_dialect.flows.trials.runners import Progress, Runner
from kan_dialect.flows.trials.study import Study, Trial
from kan_dialect.flows.trials.work import TrialWork

OWNER = Owner("kan-flow compare")


@dataclass(frozen=True, eq=False)
class Comparison:
    """What is compared."""

    networks: tuple[Network, ...]
    pipelines: tuple[Pipeline, ...]
    """The baseline first."""
    target: str
    """The device that costs and the estimate are for."""
    widths: Sequence[int] = ()
    """Bits of networks of floats; empty: the pipelines' own."""
    synthesis: str | None = None
    """The device to synthesise for with Yosys; None: estimates only."""
    sample: int | None = None
    """Number of pairs of network and width to synthesise for each pipeline; None: all."""
    limits: Limits = DEFAULT_LIMITS
    study: Study = field(init=False)
    """Its pipelines are those of no width, then those of each width."""

    def __post_init__(self) -> None:
        target = ("target", self.target)
        fills = [(target,), *((("bits", width), target) for width in self.widths)]
        filled = tuple(replace(each, fill=fill) for fill in fills for each in self.pipelines)
        study = Study(self.networks, filled, self.target, is_timed=True)
        object.__setattr__(self, "study", study)

    def trials(self) -> list[Trial]:
        """All trials: networks, then widths, then pipelines.

        Raises
        ------
        KanError : a pipeline cannot be read.
        """
        step = len(self.pipelines)
        found: list[Trial] = []
        for number, network in enumerate(self.networks):
            blocks = [0] if network.has_codes or not self.widths else range(1, len(self.widths) + 1)
            places = (block * step + place for block in blocks for place in range(step))
            found += [Trial(network=number, pipeline=place) for place in places]
        for trial in found:
            self.study.resolved(trial)
        return found

    def baseline(self, trial: Trial) -> Trial:
        """The trial of the same network and width with the baseline."""
        return baseline_of(trial, len(self.pipelines))

    def width(self, trial: Trial) -> int | None:
        """The bits of a trial; None for those of the network or of the pipeline."""
        block = trial.pipeline // len(self.pipelines)
        return self.widths[block - 1] if block else None


@dataclass
class Result:
    """What a comparison found."""

    comparison: Comparison
    rows: list[Row]
    """A row a trial: networks, then widths, then pipelines."""
    found: int
    """Number of trials that earlier runs had compiled."""
    ratios: dict[str, list[Ratio]] = field(default_factory=dict[str, list[Ratio]])
    """By pipeline, the baseline and wrong ones left out."""

    @property
    def failed(self) -> list[Row]:
        """Rows without figures, or with an error of a tool."""
        return [row for row in self.rows if "error" in row]

    @property
    def wrong(self) -> list[Row]:
        """Rows whose pipeline does not compute what its passes claim."""
        return [row for row in self.rows if "wrong" in row]

    @property
    def refused(self) -> list[str]:
        """Pipelines that are not ranked, since one of their passes is wrong."""
        return list(dict.fromkeys(row["pipeline"] for row in self.wrong))

    def ratio(self, pipeline: str, metric: str) -> Ratio | None:
        """The ratio of a pipeline by a key of `METRICS`; None where no row has the figure."""
        return next((ratio for ratio in self.ratios[pipeline] if ratio.metric == metric), None)

    def summary(self, title: str) -> str:
        """What `compare.json` holds."""
        compared = self.comparison
        whole = {
            "set": title,
            "networks": {each.name: each.digest for each in compared.networks},
            "pipelines": {each.name: spelt(each) for each in compared.pipelines},
            "target": compared.target,
            "synthesis": compared.synthesis,
            "sample": compared.sample,
            "compiler": compared.study.compiler,
            "ratios": {
                name: {ratio.metric: ratio.as_dict() for ratio in ratios}
                for name, ratios in self.ratios.items()
            },
            "wrong": self.wrong,
            "failed": self.failed,
        }
        return json.dumps(whole, indent=2) + "\n"


def compare(
    compared: Comparison,
    folder: GrowingFolder,
    runner: Runner,
    progress: Progress = lambda _what, _done, _of: None,
) -> Result:
    """Do all trials that `folder` does not know, check them against the baseline, and sum up.

    Raises
    ------
    KanError : a pipeline cannot be read, or the folder cannot be written.
    """
    trials = compared.trials()
    folder.create()
    work = TrialWork(compared.study, folder, runner, progress, "trials")
    work.compile("compiling", trials)
    synthesis = Measure("synthesis", compared.synthesis, limits=compared.limits)
    if compared.synthesis is not None:
        work.measure("synthesising", synthesis, _measured(compared, trials, work))
    check = Check(len(compared.pipelines))
    suspects = [trial for trial in trials if _is_suspect(compared, trial, work)]
    work.do("checking", check, [[trial] for trial in suspects])
    rows = [_row(compared, trial, work, synthesis, check) for trial in trials]
    result = Result(compared, rows, work.found)
    step = len(compared.pipelines)
    for place, pipeline in enumerate(compared.pipelines[1:], 1):
        if pipeline.name not in result.refused:
            ratios = [ratio_of(metric, rows[place::step], rows[::step]) for metric in METRICS]
            result.ratios[pipeline.name] = [ratio for ratio in ratios if ratio is not None]
    return result


def _measured(compared: Comparison, trials: Sequence[Trial], work: TrialWork) -> list[Trial]:
    """The trials to synthesise: all, or a sample of each pipeline, with those of the baseline.

    The sample is stratified by size: of the pairs of network and width whose design differs from
    the baseline's, in the order of the LUTs of the baseline, it takes the middle of each of
    `sample` parts that have the same number of pairs.
    """
    if compared.sample is None:
        return list(trials)
    chosen: set[Trial] = set()
    step = len(compared.pipelines)
    for place in range(1, step):
        changed: list[tuple[int, int, Trial, Trial]] = []
        for number, pair in enumerate(zip(trials[::step], trials[place::step], strict=True)):
            base, other = map(work.figures, pair)
            if base and other and base["design"] != other["design"]:
                changed.append((base["estimate_luts"], number, *pair))
        changed.sort(key=lambda each: each[:2])
        size = min(compared.sample, len(changed))
        for part in range(size):
            chosen.update(changed[(2 * part + 1) * len(changed) // (2 * size)][2:])
    return [trial for trial in trials if trial in chosen]


def _is_suspect(compared: Comparison, trial: Trial, work: TrialWork) -> bool:
    """Whether passes have to be checked one by one."""
    base = compared.baseline(trial)
    known, expected = work.figures(trial), work.figures(base)
    if trial == base or known is None:
        return False
    if must_agree(compared.study, trial, base):
        return expected is not None and expected["outputs"] != known["outputs"]
    return has_foreign_passes(compared.study, trial)


_NAMES = {
    f"{SCORED}_accuracy": "accuracy",
    f"{SCORED}_mse": "mse",
    f"{SCORED}_error": "output_error",
}
"""Columns of the scores of the outputs."""


def _row(
    compared: Comparison, trial: Trial, work: TrialWork, synthesis: Measure, check: Check
) -> Row:
    network = compared.study.network(trial)
    known = work.figures(trial) or {}
    figures: dict[str, Any] = {_NAMES.get(name, name): value for name, value in known.items()}
    for samples in network.scored.values():
        scores = samples.reference.items()
        figures |= {f"float_{name}": figure for name, figure in scores if name in figures}
    options = {
        "network": network.name,
        "bits": compared.width(trial),
        "pipeline": compared.study.pipelines[trial.pipeline].name,
    }
    wrong = (work.result(trial, check) or {}).get("wrong")
    last = {"wrong": wrong, "error": work.errors.get(trial)}
    mapped = None if compared.synthesis is None else work.result(trial, synthesis)
    return row_of(options, figures, mapped, None, last)
