"""`study`: data sets, points and seeds in one run, from Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kan_dialect import __version__
from kan_dialect.api.messages import as_kan_errors
from kan_dialect.extras import require_torch
from kan_dialect.files.folder_ownership import Owner
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.study.page import study_page
from kan_dialect.flows.study.picture import study_picture
from kan_dialect.flows.study.results import Studied
from kan_dialect.flows.tools.run_limits import DEFAULT_LIMITS, Limits
from kan_dialect.flows.trials.processes import local_runner
from kan_dialect.flows.trials.runners import Progress, Runner
from kan_dialect.flows.trials.tables import write_tables
from kan_dialect.ir.constants import Array
from kan_dialect.qat.api import JOBS
from kan_dialect.qat.study.plan import Plan, read_plan
from kan_dialect.qat.study.run import StudyRun

STUDY = Owner("kan-flow study")


def study(
    plan: str | Path | Mapping[str, Any],
    folder: str | Path,
    *,
    jobs: int = 1,
    synth: bool = False,
    force: bool = False,
) -> Studied:
    """Train at all points of a study, choose by held-out samples, then read the test sets.

    A study that was stopped goes on where it was. Needs PyTorch.

    Parameters
    ----------
    plan : path of a STUDY.toml, or its content as a mapping.
    folder : where results go.
    jobs : number of processes. With more than one, a script needs `if __name__ == "__main__"`.
    synth : whether Yosys counts the LUTs of the chosen networks.
    force : replace files of others in the folder.

    Raises
    ------
    KanError : PyTorch is not installed; the plan cannot be read, or has an unknown option or value;
        a data set cannot be read; all trainings fail; the folder is not that of a study.
    """
    JOBS.require("jobs", jobs)
    with as_kan_errors():
        asked = read_plan(plan)
        return study_by(
            local_runner(jobs),
            asked,
            asked.read(),
            GrowingFolder(Path(folder), STUDY, force=force),
            DEFAULT_LIMITS if synth else None,
        )


def study_by(
    runner: Runner,
    plan: Plan,
    data: Mapping[str, Mapping[str, Array]],
    folder: GrowingFolder,
    synthesis: Limits | None,
    progress: Progress = lambda _what, _done, _of: None,
) -> Studied:
    """Do a study by a given runner, and write tables, picture and page; see `study`.

    Parameters
    ----------
    data : of `Plan.read`.
    synthesis : limits of Yosys; None: LUTs are estimates.
    """
    torch: Any = require_torch("training")
    run = StudyRun(plan, data, folder, runner, progress)
    folder.create()
    run.train()
    run.choose()
    run.test()
    if synthesis is not None:
        run.synthesise(synthesis)
    rows = run.rows()
    cells, fronts = run.filled_cells(rows), run.fronts()
    studied = Studied(plan.title, plan.axes, plan.loss, cells, rows, fronts)
    write_tables(folder, "study", rows)
    write_tables(folder, "fronts", fronts)
    minutes = sum(row.get("seconds", 0.0) for row in rows) / 60
    about = {
        "trainings": f"{len(rows)}, {plan.seeds} seeds a point",
        "processor time": f"{minutes:.1f} minutes of one core",
        "versions": f"kan-dialect {__version__}, PyTorch {torch.__version__}",
        "LUTs": "by estimate" if synthesis is None else "by Yosys",
    }
    folder.write("study.md", study_page(studied, about))
    if find_spec("matplotlib") is not None:
        picture = study_picture(studied)
        folder.write("study.png", picture)
        studied = replace(studied, picture=picture)
    return studied
