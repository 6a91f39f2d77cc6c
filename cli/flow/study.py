"""`kan-flow study`: trainings of several data sets, options and seeds, with intervals."""

from __future__ import annotations

import argparse
from pathlib import Path

from kan_dialect.cli.flow.workers import (
    add_limited_workers,
    require_tools,
    shared_limits,
    watched_runner,
)
from kan_dialect.cli.import_options import add_output_folder
from kan_dialect.extras import require_torch
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.study.results import Studied
from kan_dialect.flows.terminal import column_table, results_console, tell
from kan_dialect.qat.study.api import STUDY, study_by
from kan_dialect.qat.study.plan import read_plan
from kan_dialect.quantity import quantity


def add_study(parser: argparse.ArgumentParser) -> None:
    """Options of `kan-flow study`."""
    parser.description = (
        "Train networks of several data sets with several options and seeds, choose by held-out "
        "samples, then read the test sets, and show scores and LUTs with intervals. Needs PyTorch "
        "(kan-dialect[torch]). Run again, a study that was stopped goes on."
    )
    parser.add_argument(
        "plan", type=Path, metavar="STUDY.toml", help="data sets, options, axes and seeds"
    )
    add_output_folder(parser)
    parser.add_argument(
        "--synth", action="store_true", help="also count the LUTs of chosen networks, with Yosys"
    )
    add_limited_workers(parser)


def run_study(options: argparse.Namespace) -> int:
    """Run `kan-flow study`."""
    require_torch("training")
    folder = GrowingFolder(options.output, STUDY, force=options.force)
    plan = read_plan(options.plan)
    require_tools(options, *(["yosys"] if options.synth else []))
    data = plan.read()
    limits = shared_limits(options) if options.synth else None
    with watched_runner(options) as (runner, progress):
        _print(study_by(runner, plan, data, folder, limits, progress), options.output)
    return 0


def _print(studied: Studied, folder: Path) -> None:
    console = results_console()
    tell(console, f"{studied.title}: {quantity(len(studied.rows), 'training')}\n")
    head, *rows = studied.summary()
    table = column_table(head, left=2)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if studied.failed:
        text = f"{quantity(len(studied.failed), 'training')} failed. The first: {studied.failed[0]}"
        tell(console, text, "yellow")
    tell(console, f"\nwritten to {folder}")
