"""`kan-flow compare`: pipelines over a set of networks and widths."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kan_dialect.cli.flow.benchmark_set import names_of
from kan_dialect.cli.flow.workers import (
    add_workers,
    note_missing,
    progress_bar,
    runner_of,
    shared_limits,
)
from kan_dialect.cli.import_options import add_output_folder
from kan_dialect.cli.tool_limits import add_limits
from kan_dialect.devices.device import XCUP, device
from kan_dialect.errors import KanError
from kan_dialect.files.folder_ownership import require_ours
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.benchmark_set.networks import TITLE, chosen
from kan_dialect.flows.compare.comparison import (
    OWNER,
    Result,
    compare,
    require_networks,
    trials_of,
)
from kan_dialect.flows.compare.networks import Network, load_network, load_set, models_in
from kan_dialect.flows.compare.picture import ratio_picture
from kan_dialect.flows.compare.pipelines import (
    BASELINE,
    DEFAULT,
    Pipeline,
    parse_change,
    parse_named,
    require_different,
    without,
)
from kan_dialect.flows.compare.statistics import METRICS
from kan_dialect.flows.compare.trials import Comparison
from kan_dialect.flows.sweep.grid import parse_axis
from kan_dialect.flows.terminal import column_table, results_console, tell
from kan_dialect.flows.tools.synthesis import yosys_of
from kan_dialect.flows.tools.toolchain import find, look_for
from kan_dialect.flows.workers.cluster import require_address
from kan_dialect.flows.workers.compiler_digest import compiler_digest, extensions
from kan_dialect.flows.workers.tables import csv_text, parquet
from kan_dialect.frontends.loading import read_bytes

SAMPLE = 12
"""Pairs of network and width that are synthesised for each pipeline."""


def add_compare(parser: argparse.ArgumentParser) -> None:
    """Options of `kan-flow compare`."""
    parser.description = (
        "Compile networks with a baseline and other pipelines, and tell for each figure the ratio "
        "to the baseline, with a confidence interval. Pipelines that compute something else than "
        "they claim are named, not ranked. Run again, it does only what is missing."
    )
    parser.add_argument(
        "networks",
        nargs="*",
        metavar="NETWORK",
        help="a model's file, as wine.onnx or wine.onnx=samples.npz, or a folder of models; data "
        "is the .npz of the same name beside the model, if there is one",
    )
    parser.add_argument(
        "--benchmark-set", action="store_true", help="the networks of the benchmark set"
    )
    parser.add_argument("--only", metavar="NAME,...", help="of all networks, these only")
    add_output_folder(parser)
    parser.add_argument(
        "--pipeline",
        action="append",
        default=[],
        metavar="NAME=PASSES",
        help="a pipeline as after -p, or @FILE that holds one; again for more; baseline=PASSES is "
        "what the others are compared with (default: kan-compile)",
    )
    parser.add_argument(
        "--with",
        dest="changes",
        action="append",
        default=[],
        metavar="CHANGE",
        help="the baseline with passes added: 'PASSES before PASS' or 'PASSES after PASS'",
    )
    parser.add_argument(
        "--without", action="append", default=[], metavar="PASS", help="the baseline without a pass"
    )
    parser.add_argument(
        "--bits",
        metavar="N,...",
        help="widths for networks of floats, as 4,6,8 or 4..8 (default: the pipelines' own)",
    )
    parser.add_argument(
        "--target",
        metavar="DEVICE",
        help=f"the device of passes and estimate (default: that of --synthesize, or {XCUP.name})",
    )
    measured = parser.add_mutually_exclusive_group()
    measured.add_argument(
        "--synthesize",
        metavar="DEVICE",
        help=f"synthesise all designs for this device, with Yosys (default: those of {SAMPLE} "
        "networks and widths a pipeline, for the target)",
    )
    measured.add_argument(
        "--by-estimate", action="store_true", help="synthesise nothing: sizes are estimates"
    )
    add_limits(parser)
    add_workers(parser)


def run_compare(options: argparse.Namespace) -> int:
    """Run `kan-flow compare`."""
    require_ours(options.output, OWNER, force=options.force)
    if options.scheduler is not None:
        require_address(options.scheduler)
    pipelines = _pipelines(options)
    target = options.target or options.synthesize or XCUP.name
    device(target)
    widths = _widths(options.bits)
    limits = shared_limits(options)
    synthesis = _synthesis(options, target)
    with Console(stderr=True).status("loading the networks"):
        networks = _networks(options)
    comparison = Comparison(
        tuple(networks),
        tuple(pipelines),
        target,
        synthesis,
        None if options.synthesize else SAMPLE,
        limits,
        compiler_digest(extensions()),
    )
    require_networks(comparison)
    trials_of(comparison, widths)
    note_missing()
    with runner_of(options) as runner, progress_bar() as tell:
        folder = GrowingFolder(options.output, OWNER, force=options.force)
        result = compare(comparison, widths, folder, runner, tell)
    title = TITLE if options.benchmark_set else "networks of the user"
    _write(folder, result, title)
    _print(result, options.output, results_console())
    return 1 if result.failed or result.wrong else 0


def _synthesis(options: argparse.Namespace, target: str) -> str | None:
    """The device to synthesise for; None: sizes are by estimate.

    Raises
    ------
    KanError : all designs are to be synthesised, and Yosys is missing or lacks the device.
    """
    if options.synthesize is not None:
        yosys_of(device(options.synthesize))
        if options.scheduler is None:
            find("yosys")
        return options.synthesize
    if options.by_estimate:
        return None
    if device(target).yosys is None:
        return _by_estimate(f"Yosys does not map to {target}")
    if options.scheduler is None and look_for("yosys") is None:
        return _by_estimate("Yosys is not installed")
    return target


def _by_estimate(reason: str) -> None:
    print(f"kan-flow: note: {reason}, so sizes are by estimate", file=sys.stderr)


def _pipelines(options: argparse.Namespace) -> list[Pipeline]:
    given = [_read(parse_named(text)) for text in options.pipeline]
    named = [pipeline for pipeline in given if pipeline.name == BASELINE]
    baseline = named[0] if named else Pipeline(BASELINE, DEFAULT)
    found = [baseline, *named[1:], *(each for each in given if each.name != BASELINE)]
    found += [parse_change(text, baseline) for text in options.changes]
    found += [without(name, baseline) for name in options.without]
    require_different(found)
    return found


def _read(pipeline: Pipeline) -> Pipeline:
    if not pipeline.text.startswith("@"):
        return pipeline
    path = Path(pipeline.text[1:])
    try:
        return replace(pipeline, text=read_bytes(path).decode().strip())
    except UnicodeDecodeError:
        raise KanError(f"{path} is no text", remedy="write the passes as after -p") from None


def _widths(text: str | None) -> list[int]:
    if text is None:
        return []
    widths = parse_axis(f"bits={text}").values
    for width in widths:
        if not isinstance(width, int):
            raise KanError(f"--bits takes one width for all codes, got {text!r}")
    return [width for width in widths if isinstance(width, int)]


def _networks(options: argparse.Namespace) -> list[Network]:
    only = names_of(options.only)
    found: list[Network] = []
    for text in options.networks:
        model, _, data = text.partition("=") if text.endswith(".npz") else (text, "", "")
        for path in models_in(Path(model)):
            found.append(load_network(path, Path(data) if data else None))
    if options.benchmark_set:
        in_set = only if only and not options.networks else []
        wanted = chosen(in_set)
        found += load_set([each for each in wanted if not only or each.name in only])
    names = [network.name for network in found]
    for name in only:
        if name not in names:
            raise KanError(f"there is no network {name!r}", remedy=f"there are {', '.join(names)}")
    return [network for network in found if not only or network.name in only]


def _write(folder: GrowingFolder, result: Result, title: str) -> None:
    folder.write("compare.csv", csv_text(result.rows, result.columns))
    folder.write("compare.json", result.summary(title))
    if find_spec("pyarrow") is not None:
        folder.write("compare.parquet", parquet(result.rows, result.columns))
    if find_spec("matplotlib") is None:
        return
    for metric in METRICS:
        if any(ratio.metric == metric for each in result.ratios.values() for ratio in each):
            folder.write(f"{metric}.png", ratio_picture(result, metric))


def _print(result: Result, folder: Path, console: Console) -> None:
    comparison = result.comparison
    known = f" ({result.found} compiled by earlier runs)" if result.found else ""
    console.print(
        f"\n{len(comparison.networks)} networks, {len(comparison.pipelines)} pipelines, "
        f"{len(result.trials)} trials{known}\n",
        markup=False,
    )
    console.print(_figures(result))
    console.print()
    if result.ratios:
        console.print(_ratios(result))
    for row in result.wrong:
        tell(console, f"{_place(row)}: {row['wrong']}", "red")
    for name in result.refused:
        tell(console, f"{name} is not ranked: it does not compute what its passes claim", "red")
    for row in result.failed:
        tell(console, f"{_place(row)} has no figures, or not all: {row['error']}", "yellow")
    tell(console, f"\nwritten to {folder}")


def _place(row: dict[str, object]) -> str:
    bits = f" at {row['bits']} bits" if "bits" in row else ""
    return f"{row['network']}{bits}, {row['pipeline']}"


def _figures(result: Result) -> Table:
    """A row for each network and width: figures of the baseline, and LUTs of the others."""
    is_measured = result.comparison.synthesis is not None and result.comparison.sample is None
    luts = "synthesis_luts" if is_measured else "estimate_luts"
    others = [pipeline.name for pipeline in result.comparison.pipelines[1:]]
    table = column_table(
        (
            *("network", "bits", "LUTs", "registers", "levels", "ns", "accuracy", "seconds"),
            *(f"LUTs, {name}" for name in others),
        )
    )
    step = len(result.comparison.pipelines)
    columns = (
        "bits",
        luts,
        luts.replace("luts", "registers"),
        "estimate_levels",
        "estimate_latency_ns",
        "accuracy",
        "compile_seconds",
    )
    for first in range(0, len(result.rows), step):
        row, *rest = result.rows[first : first + step]
        cells = [_cell(row.get(column)) for column in columns]
        table.add_row(str(row["network"]), *cells, *(_beside(row, each, luts) for each in rest))
    return table


def _beside(base: dict[str, object], row: dict[str, object], name: str) -> str:
    one, other = row.get(name), base.get(name)
    if "wrong" in row:
        return "wrong"
    if not isinstance(one, int | float):
        return "failed"
    ratio = f" ({one / other:.3f})" if isinstance(other, int | float) and other else ""
    return f"{one}{ratio}"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if value < 1 else f"{value:.4g}"
    return "" if value is None else str(value)


def _ratios(result: Result) -> Table:
    """A row for each figure: geometric mean over networks, interval and verdict by pipeline."""
    columns = ("ratio to the baseline", *result.ratios)
    table = column_table(columns, left=len(columns))
    for name, metric in METRICS.items():
        found = [
            next((str(ratio) for ratio in ratios if ratio.metric == name), "")
            for ratios in result.ratios.values()
        ]
        if any(found):
            table.add_row(metric.label, *found)
    return table
