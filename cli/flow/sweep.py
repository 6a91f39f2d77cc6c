"""`kan-flow sweep`: one model with many options, to choose from."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kan_dialect.cli.flow.reading import read_model
from kan_dialect.cli.flow.workers import (
    add_workers,
    require_tools,
    shared_limits,
    watched_runner,
)
from kan_dialect.cli.import_options import add_compiled_model
from kan_dialect.cli.pass_options import PassOptions
from kan_dialect.cli.tool_limits import add_limits
from kan_dialect.errors import KanError
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.folder_owners import SWEEP
from kan_dialect.flows.measure import SEEDS
from kan_dialect.flows.sweep.page import page
from kan_dialect.flows.sweep.pictures import sweep_pictures
from kan_dialect.flows.sweep.study import make_study
from kan_dialect.flows.sweep.sweep import Question, Sweep, constant_caution, summary, sweep
from kan_dialect.flows.terminal import column_table, results_console, tell
from kan_dialect.flows.tools.place_and_route import placed_families, placement_on
from kan_dialect.flows.trials.columns import COLUMNS, Row, error_column, has, label
from kan_dialect.flows.trials.kinds import Measure
from kan_dialect.flows.trials.pipeline import (
    DEFAULT,
    PARTS_OF_BITS,
    SCHEDULE_OPTIONS,
    Pipeline,
)
from kan_dialect.flows.trials.points import Axis, grid, parse_axis, spell
from kan_dialect.flows.trials.study import Study, Trial
from kan_dialect.flows.trials.tables import write_tables
from kan_dialect.passbase.option_bounds import SHARE, Bounds, bounded
from kan_dialect.passes.schedule import SchedulePass
from kan_dialect.search.precision.budgets import parse_loss

MOST_ROWS = 40
"""Largest number of rows in the terminal; of more points, only the front is printed."""


@dataclass(frozen=True)
class SweepOptions:
    """Options that are flags and numbers."""

    schedule: bool = False
    """All useful schedules, from combinational to the most stages."""
    synth: bool = False
    """Also synthesise, with Yosys for the point's target."""
    seeds: int = bounded(1, SEEDS)
    """Runs of nextpnr a point."""
    validation: float = bounded(0.25, SHARE)
    """Share of the calibration samples that is held out for the comparison."""
    splits: int = bounded(1, Bounds(1, 1000))
    """Random splits into calibration and validation samples; scores are means over them, with
    standard errors, and the choice says whether it is within noise."""


def add_sweep(parser: argparse.ArgumentParser) -> None:
    """Options of `kan-flow sweep`."""
    parser.description = (
        "Compile a model with many options, measure accuracy and size of each design, and show the "
        "Pareto front as tables, pictures and an interactive page. A second run computes only "
        "missing results."
    )
    add_compiled_model(
        parser,
        "samples x or x_train with labels y or y_train, for calibration and comparison; "
        "figures of x_test, y_test get columns of their own",
    )
    _add_points(parser)
    _add_tools(parser)
    _add_criteria(parser)
    add_workers(parser)


def _add_points(parser: argparse.ArgumentParser) -> None:
    """Options for the points of the grid."""
    parser.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="OPTION=VALUES",
        help="values of an option of kan-compile, as levels=1,2,4 or bits=2..10, of input-bits or "
        "activation-bits, or of any pass, as kan-split-tables.parts=1..3; repeat it for the "
        "combinations with other options",
    )
    parser.add_argument(
        "-p",
        "--passes",
        default=DEFAULT.text,
        metavar="PIPELINE",
        help="the pipeline of all points (default: kan-compile); its passes get the calibration "
        "samples as their data",
    )


def _add_tools(parser: argparse.ArgumentParser) -> None:
    """Options for the tools that measure points."""
    parser.add_argument(
        "--pnr",
        nargs="?",
        const="ecp5",
        metavar="T",
        help=f"also place and route, with nextpnr for {', '.join(placed_families())}, or a part of "
        "one such as ecp5-25; ecp5 by default",
    )
    add_limits(parser)


def _add_criteria(parser: argparse.ArgumentParser) -> None:
    """Options for the comparison of points and the choice of one."""
    parser.add_argument(
        "--front",
        metavar="COLUMN,...",
        help="columns of the front (default: validation accuracy and LUTs; with --schedule: delay, "
        "latency, LUTs and registers)",
    )
    parser.add_argument(
        "--loss",
        default="1%",
        metavar="P",
        help="loss that the choice may have against the float model on the validation samples, as "
        "1%% or 0.01: a difference of accuracies, or a relative increase of errors (default: 1%%)",
    )
    PassOptions(SweepOptions).add_to(parser)


def run_sweep(options: argparse.Namespace) -> int:
    """Run `kan-flow sweep`."""
    folder = GrowingFolder(options.output, SWEEP, force=options.force)
    pipeline = Pipeline(options.passes)
    _require_data(pipeline, options)
    axes = [parse_axis(text, pipeline) for text in options.vary]
    objectives = _objectives(options.front)
    _require_axes(axes, pipeline, schedule=options.schedule)
    measures = _measures(options)
    loss = parse_loss(options.loss, "--loss")
    if loss < 0:
        raise KanError(f"--loss must be at least 0, got {loss:g}")
    points = grid(axes)
    with Console(stderr=True).status("loading the model"):
        module, dataset = read_model(options)
        study = make_study(
            *(module, dataset),
            pipeline=pipeline,
            share=options.validation,
            splits=options.splits,
        )
    _require_float(study, axes)
    for point in points:
        study.resolved(Trial(point))
    question = Question(points, options.schedule, measures, objectives, loss)
    with watched_runner(options) as workers:
        result = sweep(study, question, folder, *workers)
    write_tables(folder, "sweep", result.rows)
    folder.write("sweep.json", summary(result, axes))
    folder.write("sweep.html", page(result))
    if find_spec("matplotlib") is not None:
        for name, picture in sweep_pictures(result, schedule=options.schedule).items():
            folder.write(name, picture)
    _print(result, options.output, results_console())
    return 0


def _measures(options: argparse.Namespace) -> list[Measure]:
    """What tools measure; on a cluster, its workers have the tools."""
    limits = shared_limits(options)
    measures = [Measure("synthesis", limits=limits)] if options.synth else []
    tools = ["yosys"] if options.synth or options.pnr else []
    if options.pnr:
        measures.append(Measure("pnr", options.pnr, options.seeds, limits))
        tools.append(placement_on(options.pnr).nextpnr.tool)
    require_tools(options, *tools)
    return measures


def _objectives(text: str | None) -> tuple[str, ...]:
    """The columns of `--front`."""
    known = [name for name, column in COLUMNS.items() if column.better]
    names = tuple(name.strip().replace("-", "_") for name in (text or "").split(",") if name)
    for name in names:
        if name not in known or name.startswith("test_"):
            told = ", a figure of the test set" if name.startswith("test_") else ""
            listed = ", ".join(name for name in known if not name.startswith("test_"))
            raise KanError(f"--front cannot take {name!r}{told}", remedy=f"columns are {listed}")
    return names


def _require_data(pipeline: Pipeline, options: argparse.Namespace) -> None:
    """Refuse data of the pipeline's own, as validation samples must not calibrate; and no data."""
    data: Path | None = options.calibration
    for name in pipeline.data_files():
        if data is None or Path(name).resolve() != data.resolve():
            raise KanError(
                f"the pipeline calibrates with {name}, which is not the file of --calibration",
                remedy=f"give --calibration {name}; the passes get the part that is not held out",
            )
    if options.splits > 1 and data is None:
        raise KanError(
            "--splits repeats the split of the data, and no data is given",
            remedy="give samples with labels: --calibration DATA.npz",
        )


def _require_axes(axes: Sequence[Axis], pipeline: Pipeline, *, schedule: bool) -> None:
    """Refuse an empty grid, and options that `--schedule` varies itself."""
    if not axes and not schedule:
        raise KanError(
            "no option varies: the grid is empty",
            remedy="give --vary OPTION=VALUES, as --vary bits=2..10, or --schedule",
        )
    if schedule:
        pipeline.schedule_options()
    for axis in axes if schedule else ():
        owner, _, option = axis.option.rpartition(".")
        if owner in ("", SchedulePass.name) and option in SCHEDULE_OPTIONS:
            raise KanError(
                f"{axis.option} cannot vary beside --schedule, which tries all schedules"
            )


def _require_float(study: Study, axes: Sequence[Axis]) -> None:
    """Refuse to vary bits of a quantised model, which `kan-quantize` leaves unchanged."""
    network = study.networks[0]
    for axis in axes:
        if network.has_codes and axis.option in ("bits", "kan-quantize.bits", *PARTS_OF_BITS):
            raise KanError(
                f"{axis.option} cannot vary: {network.name} is quantised already",
                remedy="give the float model",
            )


def _print(result: Sweep, folder: Path, console: Console) -> None:
    rows = result.rows
    shown = list(range(len(rows))) if len(rows) <= MOST_ROWS else result.front
    known = f" ({result.found} compiled by earlier runs)" if result.found else ""
    tell(console, f"\n{result.network.name}: {len(rows)} points{known}")
    for name, figure in result.reference.items():
        if not name.endswith("error"):
            tell(console, f"float model, {label(name)}: {figure:.4f}")
    if len(shown) < len(rows):
        tell(console, f"the {len(shown)} points on the front:")
    console.print(_table(result, shown))
    failed = [row["error"] for row in rows if "error" in row]
    if failed:
        text = f"{len(failed)} points lack figures. The first one: {failed[0]}"
        tell(console, text, "yellow")
    constant = constant_caution(result)
    if constant is not None:
        tell(console, f"warning: {constant}", "yellow")
    tell(console, f"* on the front of {', '.join(map(label, result.objectives))}")
    if result.judged is not None:
        tell(console, _choice(result, result.judged))
    for text in result.noise:
        tell(console, f"{text[0].upper()}{text[1:]}.")
    tell(console, f"\nwritten to {folder}")


def _choice(result: Sweep, good: str) -> str:
    within = f"within {result.loss:g} of the float model's {label(good)}"
    if good == "validation_error":
        within = f"within a factor {1 + result.loss:g} of the least {label(good)}"
    number = result.choice
    if number is None:
        return f"no point is {within}"
    return f"fewest LUTs {within}: {result.points[number]}\nas {result.pipeline(number)}"


def _table(result: Sweep, shown: Sequence[int]) -> Table:
    rows = [result.rows[number] for number in shown]
    options = dict.fromkeys(name for n in shown for name, _ in result.points[n].options)
    figures = [each for each in COLUMNS.values() if each.heading and has(rows, each.name)]
    table = column_table(("", *options, *(column.heading for column in figures)))
    for number, row in zip(shown, rows, strict=True):
        mark = "*" if row["front"] else ""
        style = "bold green" if number == result.choice else None
        chosen = dict(result.points[number].options)
        values = [spell(chosen[name]) if name in chosen else "" for name in options]
        table.add_row(mark, *values, *(_cell(row, each.name) for each in figures), style=style)
    return table


def _cell(row: Row, name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    margin = row.get(error_column(name))
    if name.endswith("accuracy"):
        return f"{value:.4f}" + ("" if margin is None else f" ± {margin:.4f}")
    if margin is not None:
        return f"{value:.3g} ± {margin:.2g}"
    return f"{value:.3g}" if isinstance(value, float) and value < 100 else f"{value:.0f}"
