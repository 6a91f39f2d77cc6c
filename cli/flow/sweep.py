"""`kan-flow sweep`: one model with many options, to choose from."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kan_dialect.cli.flow.workers import (
    add_workers,
    note_missing,
    progress_bar,
    runner_of,
    shared_limits,
)
from kan_dialect.cli.import_options import (
    add_compiled_model,
    build_import_options,
)
from kan_dialect.cli.number_options import add_number
from kan_dialect.cli.tool_limits import add_limits
from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import load_dataset
from kan_dialect.files.folder_ownership import require_ours
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.build import require_name
from kan_dialect.flows.folder_owners import SWEEP
from kan_dialect.flows.measure import SEEDS
from kan_dialect.flows.pipelines.varied import DEFAULT, PARTS_OF_BITS, Pipeline
from kan_dialect.flows.sweep import columns
from kan_dialect.flows.sweep.columns import COLUMNS, Row
from kan_dialect.flows.sweep.grid import Axis, grid, parse_axis, spell
from kan_dialect.flows.sweep.presentation.page import page
from kan_dialect.flows.sweep.presentation.pictures import (
    front_picture,
    heat_map_picture,
    schedule_picture,
    varied,
)
from kan_dialect.flows.sweep.presentation.tables import csv_text, parquet
from kan_dialect.flows.sweep.study import Study, make_study
from kan_dialect.flows.sweep.sweep import (
    Question,
    Sweep,
    constant_caution,
    pipeline_of,
    refuse_schedule_options,
    summary,
    sweep,
)
from kan_dialect.flows.sweep.workers.workbench import Measures
from kan_dialect.flows.terminal import column_table, results_console, tell
from kan_dialect.flows.tools.place_and_route import placed_families, placement_on
from kan_dialect.flows.tools.toolchain import find
from kan_dialect.flows.workers.cluster import require_address
from kan_dialect.frontends.loading import load_model, make_context, rename
from kan_dialect.model.model import Model
from kan_dialect.passbase.option_bounds import SHARE, Bounds
from kan_dialect.search.precision.budgets import parse_loss

MOST_ROWS = 40
"""Largest number of rows in the terminal; of more points, only the front is printed."""

SPLITS = Bounds(1, 1000)


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
    _add_splits(parser)
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
    parser.add_argument(
        "--schedule",
        action="store_true",
        help="all useful schedules, from combinational to the most stages",
    )


def _add_tools(parser: argparse.ArgumentParser) -> None:
    """Options for the tools that measure points."""
    parser.add_argument(
        "--synth", action="store_true", help="also synthesise, with Yosys for the point's target"
    )
    parser.add_argument(
        "--pnr",
        nargs="?",
        const="ecp5",
        metavar="T",
        help=f"also place and route, with nextpnr for {', '.join(placed_families())}, or a part of "
        "one such as ecp5-25; ecp5 by default",
    )
    add_number(
        parser,
        "--seeds",
        SEEDS,
        default=1,
        metavar="N",
        help="runs of nextpnr a point (default: 1)",
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
    add_number(
        parser,
        "--validation",
        SHARE,
        kind=float,
        default=0.25,
        metavar="P",
        help="share of the calibration samples that is held out for the comparison (default: 0.25)",
    )


def _add_splits(parser: argparse.ArgumentParser) -> None:
    """The option for repeated splits."""
    add_number(
        parser,
        "--splits",
        SPLITS,
        default=1,
        metavar="N",
        help="random splits into calibration and validation samples; scores are means over them, "
        "with standard errors, and the choice says whether it is within noise (default: 1)",
    )


def run_sweep(options: argparse.Namespace) -> int:
    """Run `kan-flow sweep`."""
    require_ours(options.output, SWEEP, force=options.force)
    pipeline = Pipeline(options.passes)
    _require_data_of(pipeline, options.calibration)
    axes = [parse_axis(text, pipeline) for text in options.vary]
    objectives = _objectives(options.front)
    if not axes and not options.schedule:
        raise KanError(
            "no option varies: the grid is empty",
            remedy="give --vary OPTION=VALUES, as --vary bits=2..10, or --schedule",
        )
    if options.schedule:
        pipeline.schedule_options()
        refuse_schedule_options(axes)
    if options.scheduler is not None:
        require_address(options.scheduler)
    measures = _measures(options)
    loss = parse_loss(options.loss, "--loss")
    if loss < 0:
        raise KanError(f"--loss must be at least 0, got {loss:g}")
    points = grid(axes)
    study, *others = _studies(options, pipeline)
    _require_float(study, axes)
    for point in points:
        study.resolved(point)
    note_missing()
    question = Question(points, options.schedule, measures, objectives, loss)
    with runner_of(options) as runner, progress_bar() as tell:
        folder = GrowingFolder(options.output, SWEEP, force=options.force)
        result = sweep(study, question, folder, runner, tell, others)
    _write(folder, result, axes, schedule=options.schedule)
    _print(result, options.output, results_console())
    return 0


def _measures(options: argparse.Namespace) -> Measures:
    placement = placement_on(options.pnr) if options.pnr else None
    if options.scheduler is None:
        if options.synth or options.pnr:
            find("yosys")
        if placement is not None:
            find(placement.nextpnr.tool)
    return Measures(options.synth, options.pnr, options.seeds, shared_limits(options))


def _objectives(text: str | None) -> tuple[str, ...]:
    known = [name for name, column in COLUMNS.items() if column.better]
    names = tuple(name.strip().replace("-", "_") for name in (text or "").split(",") if name)
    for name in names:
        if name not in known or name.startswith("test_"):
            told = ", a figure of the test set" if name.startswith("test_") else ""
            listed = ", ".join(name for name in known if not name.startswith("test_"))
            raise KanError(f"--front cannot take {name!r}{told}", remedy=f"columns are {listed}")
    return names


def _require_data_of(pipeline: Pipeline, calibration: Path | None) -> None:
    """Refuse data of the pipeline's own: validation samples must not calibrate."""
    for name in pipeline.data_files():
        if calibration is None or Path(name).resolve() != calibration.resolve():
            raise KanError(
                f"the pipeline calibrates with {name}, which is not the file of --calibration",
                remedy=f"give --calibration {name}; the passes get the part that is not held out",
            )


def _studies(options: argparse.Namespace, pipeline: Pipeline) -> list[Study]:
    """A study for each split of the data."""
    if options.splits > 1 and options.calibration is None:
        raise KanError(
            "--splits repeats the split of the data, and no data is given",
            remedy="give samples with labels: --calibration DATA.npz",
        )
    dataset = None if options.calibration is None else load_dataset(options.calibration)
    reading = build_import_options(options, options.model, dataset)
    with Console(stderr=True).status("loading the model"):
        module = load_model(make_context(), options.model, reading)
        rename(module, options.name)
        require_name(Model.of(module).name)
        return [
            make_study(module, dataset, pipeline=pipeline, share=options.validation, seed=seed)
            for seed in range(options.splits)
        ]


def _require_float(study: Study, axes: Sequence[Axis]) -> None:
    """Refuse to vary bits of a quantised model, which `kan-quantize` leaves unchanged."""
    for axis in axes:
        if study.has_codes and axis.option in ("bits", "kan-quantize.bits", *PARTS_OF_BITS):
            raise KanError(
                f"{axis.option} cannot vary: {study.name} is quantised already",
                remedy="give the float model",
            )


def _write(folder: GrowingFolder, result: Sweep, axes: Sequence[Axis], *, schedule: bool) -> None:
    folder.write("sweep.csv", csv_text(result.rows))
    folder.write("sweep.json", summary(result, axes))
    folder.write("sweep.html", page(result))
    if find_spec("pyarrow") is not None:
        folder.write("sweep.parquet", parquet(result.rows))
    if find_spec("matplotlib") is None:
        return
    good = columns.quality(result.rows)
    if good is not None and good in result.objectives:
        folder.write("front.png", front_picture(result, good))
    if schedule:
        folder.write("schedule.png", schedule_picture(result))
    over = varied(result)
    if len(over) == 2 and not schedule:
        folder.write("heatmap.png", heat_map_picture(result, over))


def _print(result: Sweep, folder: Path, console: Console) -> None:
    rows = result.rows
    shown = list(range(len(rows))) if len(rows) <= MOST_ROWS else result.front
    known = f" ({result.found} compiled by earlier runs)" if result.found else ""
    console.print(f"\n{result.study.name}: {len(rows)} points{known}", markup=False)
    for name, figure in result.reference.items():
        if not name.endswith("error"):
            console.print(f"float model, {columns.label(name)}: {figure:.4f}", markup=False)
    if len(shown) < len(rows):
        console.print(f"the {len(shown)} points on the front:")
    console.print(_table(result, shown))
    failed = [row for row in rows if "error" in row]
    if failed:
        tell(
            console,
            f"{len(failed)} points lack figures. The first one: {failed[0]['error']}",
            "yellow",
        )
    constant = constant_caution(result)
    if constant is not None:
        tell(console, f"warning: {constant}", "yellow")
    front = ", ".join(columns.label(name) for name in result.objectives)
    tell(console, f"* on the front of {front}")
    _print_choice(result, console)
    _print_noise(result, console)
    tell(console, f"\nwritten to {folder}")


def _print_noise(result: Sweep, console: Console) -> None:
    for text in result.noise:
        tell(console, f"{text[0].upper()}{text[1:]}.")


def _print_choice(result: Sweep, console: Console) -> None:
    good = columns.quality(result.rows)
    if good is None or good not in result.objectives:
        return
    within = f"within {result.loss:g} of the float model's {columns.label(good)}"
    if good == "validation_error":
        within = f"within a factor {1 + result.loss:g} of the least {columns.label(good)}"
    if result.choice is None:
        tell(console, f"no point is {within}")
        return
    tell(
        console,
        f"fewest LUTs {within}: {result.points[result.choice]}\n"
        f"as {pipeline_of(result, result.choice)}",
    )


def _table(result: Sweep, shown: Sequence[int]) -> Table:
    rows = [result.rows[number] for number in shown]
    options = dict.fromkeys(name for n in shown for name, _ in result.points[n].options)
    names = [name for name in _SHOWN if columns.has(rows, name)]
    table = column_table(("", *options, *(_SHOWN[name] for name in names)))
    for number, row in zip(shown, rows, strict=True):
        mark = "*" if row["front"] else ""
        style = "bold green" if number == result.choice else None
        figures = [_cell(row, name) for name in names]
        chosen = dict(result.points[number].options)
        values = [spell(chosen[name]) if name in chosen else "" for name in options]
        table.add_row(mark, *values, *figures, style=style)
    return table


_SHOWN = {
    "validation_accuracy": "validation",
    "validation_mse": "validation mse",
    "validation_error": "error",
    "test_accuracy": "test",
    "test_mse": "test mse",
    "latency_cycles": "cycles",
    "estimate_levels": "logic levels",
    "estimate_luts": "LUTs",
    "estimate_registers": "registers",
    "estimate_delay_ns": "stage ns",
    "estimate_latency_ns": "latency ns",
    "synthesis_luts": "LUTs (Yosys)",
    "synthesis_registers": "registers (Yosys)",
    "pnr_luts": "LUTs (nextpnr)",
    "pnr_fmax_mhz": "MHz",
    "pnr_latency_ns": "latency ns (nextpnr)",
}
"""Columns of the table in the terminal and their headings; unnamed tools mean estimates."""


def _cell(row: Row, name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    margin = row.get(columns.error_column(name))
    if name.endswith("accuracy"):
        return f"{value:.4f}" + ("" if margin is None else f" ± {margin:.4f}")
    if margin is not None:
        return f"{value:.3g} ± {margin:.2g}"
    return f"{value:.3g}" if isinstance(value, float) and value < 100 else f"{value:.0f}"
