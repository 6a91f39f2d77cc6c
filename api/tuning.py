"""`Tuned`: the result of `Network.tune`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.api.data import Data, data_for
from kan_dialect.errors import KanError
from kan_dialect.files.atomic import packed
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.folder_owners import TUNE
from kan_dialect.flows.trials.pipeline import Pipeline
from kan_dialect.flows.trials.processes import local_runner
from kan_dialect.flows.trials.study import CALIBRATION
from kan_dialect.flows.tune.base import make_base
from kan_dialect.flows.tune.objectives import OBJECTIVES
from kan_dialect.flows.tune.results import prove_best, write_results
from kan_dialect.flows.tune.tune import Effort, State, Tuning, tune
from kan_dialect.shown import shown_figures


@dataclass(frozen=True, repr=False)
class Tuned:
    """The best pipeline that a search found for a network, beside the default one."""

    folder: Path
    """Where everything is: `best.txt`, `best.sv`, `tune.csv`, `tune.json`."""
    pipeline: str
    """The best pipeline, for `apply` and for `passes` of `build`."""
    changes: Mapping[str, Any]
    """Options in which it differs from the default; `{"kan-merge-tables": False}` of a pass that is
    left out. Empty where nothing is better."""
    ratio: float
    """The objective of the best design over the default's, by means of measurements with signals
    renamed."""
    is_within_noise: bool
    """Whether the ranges of these measurements overlap."""
    default: Mapping[str, Any]
    """Figures of the default design by the columns of `tune.csv`."""
    best: Mapping[str, Any]
    """Figures of the best design."""
    designs: tuple[Mapping[str, Any], ...]
    """Figures of every measured design, the best first."""

    def __repr__(self) -> str:
        figures = {
            "folder": str(self.folder),
            "ratio": self.ratio,
            "is_within_noise": self.is_within_noise,
            "changes": dict(self.changes),
            "designs": len(self.designs),
        }
        return shown_figures(self, figures)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{name}</td><td>{self.default[name]}</td><td>{self.best[name]}</td></tr>"
            for name in self.default
            if name in self.best
        )
        return f"<table><tr><th></th><th>default</th><th>best</th></tr>{rows}</table>"


@dataclass(frozen=True)
class TuneChoice:
    """What `Network.tune` was asked for."""

    objective: str
    seconds: float | None
    trials: int | None
    jobs: int
    proof: bool
    force: bool


def tune_network(
    module: ModuleOp,
    folder: Path,
    data: Data | None,
    pipeline: Callable[[str | None], tuple[str, str | None]],
    choice: TuneChoice,
    progress: Callable[[State], None],
) -> Tuned:
    """Search, write the results and prove the best design; see `Network.tune`.

    Parameters
    ----------
    module : it takes the names of the data where it has none.
    pipeline : for a path of data, the text of the pipeline to begin with, and the device to measure
        on, or None for that of the passes.
    """
    if choice.objective not in OBJECTIVES:
        raise KanError(
            f"there is no objective {choice.objective!r}",
            remedy=f"take one of {', '.join(OBJECTIVES)}",
        )
    objective = OBJECTIVES[choice.objective]
    written = GrowingFolder(folder, TUNE, force=choice.force)
    dataset = data_for(module, data)
    path = None
    if isinstance(data, str | Path):
        path = str(data)
    elif dataset is not None:
        # The pipeline names a file that is still there when it is built.
        written.create()
        written.write(CALIBRATION, packed(dataset.arrays))
        path = str(folder / CALIBRATION)
    text, device = pipeline(path)
    base = make_base(module, Pipeline(text), device, dataset)
    effort = Effort(choice.seconds, choice.trials)

    result = tune(base, objective, effort, written, local_runner(choice.jobs), progress)
    write_results(result, written)
    if choice.proof and not prove_best(result, folder, choice.jobs, lambda _d, _c: None).proven:
        raise KanError(
            "the best design is not proven equal to the integer model",
            remedy="build its pipeline, and prove the build",
        )
    return _tuned(folder, result)


def _tuned(folder: Path, result: Tuning) -> Tuned:
    return Tuned(
        folder,
        result.pipeline,
        dict(result.best.point.options),
        result.ratio,
        result.is_within_noise,
        result.default.row,
        result.best.row,
        tuple(result.rows),
    )
