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
    add_limited_workers,
    require_tools,
    shared_limits,
    watched_runner,
)
from kan_dialect.cli.import_options import add_output_folder
from kan_dialect.devices.device import XCUP, device
from kan_dialect.errors import KanError
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.benchmark_set.networks import TITLE, chosen
from kan_dialect.flows.compare.comparison import OWNER, Comparison, Result, compare
from kan_dialect.flows.compare.networks import load_network, load_set, models_in
from kan_dialect.flows.compare.picture import ratio_pictures
from kan_dialect.flows.compare.pipelines import (
    BASELINE,
    parse_change,
    parse_named,
    require_distinct,
    without,
)
from kan_dialect.flows.compare.statistics import METRICS
from kan_dialect.flows.terminal import column_table, results_console, tell
from kan_dialect.flows.tools.synthesis import yosys_of
from kan_dialect.flows.tools.toolchain import look_for
from kan_dialect.flows.trials.columns import Row
from kan_dialect.flows.trials.networks import Network
from kan_dialect.flows.trials.pipeline import Pipeline
from kan_dialect.flows.trials.points import parse_axis
from kan_dialect.flows.trials.tables import write_tables
from kan_dialect.frontends.loading import read_bytes

SAME_NAME = (
    "rename the file of one (IR: its function), or leave one out; a file truth_tables.json or "
    "checkpoint.pt has the name of its folder"
)
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
    add_limited_workers(parser)


def run_compare(options: argparse.Namespace) -> int:
    """Run `kan-flow compare`."""
    folder = GrowingFolder(options.output, OWNER, force=options.force)
    require_tools(options)
    pipelines = _pipelines(options)
    target = options.target or options.synthesize or XCUP.name
    device(target)
    widths = _widths(options.bits)
    limits = shared_limits(options)
    synthesis = _synthesis(options, target)
    with Console(stderr=True).status("loading the networks"):
        networks = _networks(options)
    compared = Comparison(
        tuple(networks),
        tuple(pipelines),
        target,
        widths,
        synthesis,
        None if options.synthesize else SAMPLE,
        limits,
    )
    compared.trials()
    with watched_runner(options) as workers:
        result = compare(compared, folder, *workers)
    title = TITLE if options.benchmark_set else "networks of the user"
    write_tables(folder, "compare", result.rows)
    folder.write("compare.json", result.summary(title))
    if find_spec("matplotlib") is not None:
        for name, picture in ratio_pictures(result).items():
            folder.write(name, picture)
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
        require_tools(options, "yosys")
        return options.synthesize
    if options.by_estimate:
        return None
    if device(target).yosys is None:
        reason = f"Yosys does not map to {target}"
    elif options.scheduler is None and look_for("yosys") is None:
        reason = "Yosys is not installed"
    else:
        return target
    print(f"kan-flow: note: {reason}, so sizes are by estimate", file=sys.stderr)
    return None


def _pipelines(options: argparse.Namespace) -> list[Pipeline]:
    given = [_read(parse_named(text)) for text in options.pipeline]
    named = [pipeline for pipeline in given if pipeline.name == BASELINE]
    baseline = named[0] if named else Pipeline(name=BASELINE)
    found = [baseline, *named[1:], *(each for each in given if each.name != BASELINE)]
    found += [parse_change(text, baseline) for text in options.changes]
    found += [without(name, baseline) for name in options.without]
    if len(found) < 2:
        raise KanError(
            "there is nothing to compare the baseline with",
            remedy="give --pipeline NAME=PASSES, --with 'PASSES before PASS' or --without PASS",
        )
    remedy = "give one as --pipeline NAME=PASSES with another name, or leave it out"
    require_distinct("pipelines", [pipeline.name for pipeline in found], remedy)
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
    if not names:
        raise KanError(
            "there is no network to compare on", remedy="give models, or --benchmark-set"
        )
    require_distinct("networks", names, SAME_NAME)
    for name in only:
        if name not in names:
            raise KanError(f"there is no network {name!r}", remedy=f"there are {', '.join(names)}")
    return [network for network in found if not only or network.name in only]


def _print(result: Result, folder: Path, console: Console) -> None:
    comparison = result.comparison
    known = f" ({result.found} compiled by earlier runs)" if result.found else ""
    tell(
        console,
        f"\n{len(comparison.networks)} networks, {len(comparison.pipelines)} pipelines, "
        f"{len(result.rows)} trials{known}\n",
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


def _place(row: Row) -> str:
    bits = f" at {row['bits']} bits" if "bits" in row else ""
    return f"{row['network']}{bits}, {row['pipeline']}"


def _figures(result: Result) -> Table:
    """A row for each network and width: figures of the baseline, and LUTs of the others."""
    compared = result.comparison
    is_measured = compared.synthesis is not None and compared.sample is None
    source = "synthesis" if is_measured else "estimate"
    headings = {
        "network": "network",
        "bits": "bits",
        f"{source}_luts": "LUTs",
        f"{source}_registers": "registers",
        "estimate_levels": "levels",
        "estimate_latency_ns": "ns",
        "accuracy": "accuracy",
        "compile_seconds": "seconds",
    }
    others = [f"LUTs, {pipeline.name}" for pipeline in compared.pipelines[1:]]
    table = column_table((*headings.values(), *others))
    step = len(compared.pipelines)
    for first in range(0, len(result.rows), step):
        row, *rest = result.rows[first : first + step]
        cells = [_cell(row.get(column)) for column in headings]
        table.add_row(*cells, *(_beside(row, each, f"{source}_luts") for each in rest))
    return table


def _beside(base: Row, row: Row, name: str) -> str:
    if "wrong" in row:
        return "wrong"
    if name not in row:
        return "failed"
    ratio = f" ({row[name] / base[name]:.3f})" if base.get(name) else ""
    return f"{row[name]}{ratio}"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if value < 1 else f"{value:.4g}"
    return "" if value is None else str(value)


def _ratios(result: Result) -> Table:
    """A row for each figure: geometric mean over networks, interval and verdict by pipeline."""
    columns = ("ratio to the baseline", *result.ratios)
    table = column_table(columns, left=len(columns))
    for name, metric in METRICS.items():
        found = [result.ratio(pipeline, name) for pipeline in result.ratios]
        if any(found):
            table.add_row(metric.label, *(str(ratio or "") for ratio in found))
    return table
