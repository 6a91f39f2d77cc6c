"""A comparison: all trials, resumed from a folder, checked against the baseline and summed up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import Any, cast

from kan_dialect.errors import KanError
from kan_dialect.files.folder_ownership import Owner
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.compare.pipelines import Pipeline
from kan_dialect.flows.compare.statistics import METRICS, Ratio, ratio_of
from kan_dialect.flows.compare.trials import (
    Comparison,
    Task,
    Trial,
    has_foreign_passes,
    must_agree,
    perform,
    row_of,
)
from kan_dialect.flows.workers.outcomes import Progress, Runner, run_tasks

OWNER = Owner("kan-flow compare")

FIRST = ("network", "bits", "pipeline")
LAST = ("synthesis_tool", "design", "target", "wrong", "error")


@dataclass
class Result:
    """What a comparison found."""

    comparison: Comparison
    trials: list[Trial]
    rows: list[dict[str, Any]]
    """Parallel to `trials`: networks, then widths, then pipelines."""
    found: int
    """Number of trials that earlier runs had compiled."""
    ratios: dict[str, list[Ratio]] = field(default_factory=dict[str, list[Ratio]])
    """By pipeline, the baseline left out."""

    @property
    def columns(self) -> list[str]:
        """Columns of the table that some row has."""
        names = dict.fromkeys(name for row in self.rows for name in row)
        middle = [name for name in names if name not in (*FIRST, *LAST)]
        return [name for name in (*FIRST, *middle, *LAST) if name in names]

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Rows without figures, or with an error of a tool."""
        return [row for row in self.rows if "error" in row]

    @property
    def wrong(self) -> list[dict[str, Any]]:
        """Rows whose pipeline does not compute what its passes claim."""
        return [row for row in self.rows if "wrong" in row]

    @property
    def refused(self) -> list[str]:
        """Pipelines that are not ranked, since one of their passes is wrong."""
        return list(dict.fromkeys(row["pipeline"] for row in self.wrong))

    def of(self, pipeline: str) -> list[dict[str, Any]]:
        """The rows of a pipeline."""
        return [row for row in self.rows if row["pipeline"] == pipeline]

    def summary(self, title: str) -> str:
        """What `compare.json` holds."""
        whole = {
            "set": title,
            "networks": {each.name: each.digest for each in self.comparison.networks},
            "pipelines": {each.name: _spelt(each) for each in self.comparison.pipelines},
            "target": self.comparison.target,
            "synthesis": self.comparison.synthesis,
            "sample": self.comparison.sample,
            "compiler": self.comparison.compiler,
            "ratios": {
                name: {ratio.metric: ratio.as_dict() for ratio in ratios}
                for name, ratios in self.ratios.items()
            },
            "wrong": self.wrong,
            "failed": self.failed,
        }
        return json.dumps(whole, indent=2) + "\n"


def _spelt(pipeline: Pipeline) -> str:
    change = pipeline.change
    if change is None:
        return pipeline.text
    if change.place == "without":
        return f"{pipeline.text} without {change.anchor}"
    return f"{pipeline.text} with {change.passes} {change.place} {change.anchor}"


def trials_of(comparison: Comparison, widths: Sequence[int]) -> list[Trial]:
    """All trials: networks, then widths, then pipelines.

    Raises
    ------
    KanError : a pipeline cannot be read.
    """
    found: list[Trial] = []
    for number, network in enumerate(comparison.networks):
        bits: Sequence[int | None] = widths if network.has_floats and widths else [None]
        found += [Trial(number, *pair) for pair in product(bits, range(len(comparison.pipelines)))]
    for trial in found:
        trial.passes(comparison)
    return found


def compare(
    comparison: Comparison,
    widths: Sequence[int],
    folder: GrowingFolder,
    runner: Runner,
    progress: Progress = lambda _what, _done, _of: None,
) -> Result:
    """Do all trials that `folder` does not know, check them against the baseline, and sum up.

    Raises
    ------
    KanError : a pipeline cannot be read, or the folder cannot be written.
    """
    trials = trials_of(comparison, widths)
    folder.create()
    work = _Work(comparison, folder, runner, progress)
    found = work.do("compiling", "figures", trials)
    if comparison.synthesis is not None:
        work.do("synthesising", "synthesis", _measured(comparison, trials, work))
    work.do("checking", "check", [trial for trial in trials if work.is_suspect(trial)])
    rows = [row_of(comparison, trial, work.of(trial)) for trial in trials]
    result = Result(comparison, trials, rows, found)
    base = comparison.pipelines[0].name
    for pipeline in comparison.pipelines[1:]:
        if pipeline.name not in result.refused:
            pairs = result.of(pipeline.name), result.of(base)
            ratios = [ratio_of(metric, *pairs) for metric in METRICS]
            result.ratios[pipeline.name] = [ratio for ratio in ratios if ratio is not None]
    return result


def _measured(comparison: Comparison, trials: Sequence[Trial], work: _Work) -> list[Trial]:
    """The trials to synthesise: all, or a sample of each pipeline, with those of the baseline.

    The sample is stratified by size: of the pairs of network and width whose design differs from
    the baseline's, in the order of the LUTs of the baseline, it takes the middle of each of
    `comparison.sample` parts that have the same number of pairs.
    """
    if comparison.sample is None:
        return [trial for trial in trials if "figures" in work.of(trial)]
    chosen: set[Trial] = set()
    for pipeline in range(1, len(comparison.pipelines)):
        changed = [
            trial
            for trial in trials
            if trial.pipeline == 0 and work.differ(trial, replace(trial, pipeline=pipeline))
        ]
        changed.sort(key=lambda trial: work.of(trial)["figures"]["estimate_luts"])
        size = min(comparison.sample, len(changed))
        for part in range(size):
            base = changed[(2 * part + 1) * len(changed) // (2 * size)]
            chosen |= {base, replace(base, pipeline=pipeline)}
    return [trial for trial in trials if trial in chosen]


class _Work:
    """Known results, and the way to more."""

    def __init__(
        self, comparison: Comparison, folder: GrowingFolder, runner: Runner, progress: Progress
    ) -> None:
        self._comparison, self._folder = comparison, folder
        self._runner, self._progress = runner, progress
        self._known: dict[str, dict[str, Any]] = {}
        self._digests: dict[Trial, str] = {}

    def of(self, trial: Trial) -> dict[str, Any]:
        """What is known of a trial, by kind of task; `error` says why something is missing."""
        digest = self._digests.setdefault(trial, trial.digest(self._comparison))
        if digest not in self._known:
            self._known[digest] = self._read(digest)
        return self._known[digest]

    def differ(self, one: Trial, other: Trial) -> bool:
        """Whether two trials have figures, of different designs."""
        figures = [self.of(trial).get("figures") for trial in (one, other)]
        return all(figures) and len({each["design"] for each in figures if each}) == 2

    def is_suspect(self, trial: Trial) -> bool:
        """Whether passes have to be checked one by one."""
        if trial.pipeline == 0 or "figures" not in self.of(trial):
            return False
        base = self.of(replace(trial, pipeline=0))
        if must_agree(self._comparison, trial):
            known = base.get("figures")
            return known is not None and known["outputs"] != self.of(trial)["figures"]["outputs"]
        return has_foreign_passes(self._comparison, trial)

    def do(self, what: str, kind: str, trials: Sequence[Trial]) -> int:
        """Do tasks of a kind. Returns how many were known."""
        tasks: dict[str, Task] = {}
        for trial in trials:
            known, section = self.of(trial), self._section(trial, kind)
            if section in known:
                known[kind] = known[section]
            elif self._digests[trial] not in tasks:
                tasks[self._digests[trial]] = Task(trial, kind)
        missing = list(tasks.values())
        known = sum(self._digests[trial] not in tasks for trial in trials)
        work, done = partial(perform, self._comparison), len(trials) - len(missing)
        with closing(
            run_tasks(self._runner, work, missing, what, done, self._progress)
        ) as outcomes:
            for task, outcome in outcomes:
                self._keep(task.trial, kind, outcome)
        return known

    def _section(self, trial: Trial, kind: str) -> str:
        """The key of a result in a trial's file, which names all that is not in the digest."""
        if kind == "synthesis":
            return f"synthesis for {self._comparison.synthesis}"
        if kind == "check":
            base = replace(trial, pipeline=0)
            self.of(base)
            return f"check against {self._digests[base]}"
        return kind

    def _keep(self, trial: Trial, kind: str, outcome: dict[str, Any] | str) -> None:
        known = self.of(trial)
        if isinstance(outcome, str):
            known["error"] = outcome
            return
        known[kind] = known[self._section(trial, kind)] = outcome
        kept = {
            name: value
            for name, value in known.items()
            if name not in ("error", "synthesis", "check")
        }
        name = f"trials/{self._digests[trial]}.json"
        self._folder.write(name, json.dumps(kept, indent=1) + "\n")

    def _read(self, digest: str) -> dict[str, Any]:
        """What earlier runs wrote of a trial; empty where the file is missing or damaged."""
        try:
            text = (self._folder.path / "trials" / f"{digest}.json").read_text()
            found: object = json.loads(text)
        except (OSError, ValueError):
            return {}
        known = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        figures: Any = known.get("figures")
        whole = isinstance(figures, dict) and {"outputs", "estimate_luts"} <= figures.keys()
        return known if whole else {}


def require_networks(comparison: Comparison) -> None:
    """Refuse a comparison without networks, and two networks of one name.

    Raises
    ------
    KanError : names the network.
    """
    names = [network.name for network in comparison.networks]
    if not names:
        raise KanError(
            "there is no network to compare on", remedy="give models, or --benchmark-set"
        )
    for name in names:
        if names.count(name) > 1:
            raise KanError(
                f"there are two networks {name!r}",
                remedy="rename the file of one (IR: its function), or leave one out; a file "
                "truth_tables.json or checkpoint.pt has the name of its folder",
            )
