"""`kan-flow tune`: the pipeline that makes the smallest or fastest hardware of one model."""

from __future__ import annotations

import argparse
import re
import shlex

from rich.console import Console

from kan_dialect.cli.flow.build import COMPILE, PIPELINE_ONLY, WITH_PASSES, refuse_given
from kan_dialect.cli.flow.reading import read_model
from kan_dialect.cli.flow.workers import (
    add_limited_workers,
    jobs_of,
    require_tools,
    runner_of,
    shared_limits,
)
from kan_dialect.cli.import_options import add_compiled_model
from kan_dialect.cli.number_options import add_number
from kan_dialect.cli.tool_limits import status_line
from kan_dialect.devices.device import XCUP
from kan_dialect.devices.device import device as device_of
from kan_dialect.errors import KanError
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.folder_owners import TUNE
from kan_dialect.flows.terminal import column_table, results_console, tell
from kan_dialect.flows.tools.place_and_route import placement_on
from kan_dialect.flows.tools.synthesis import yosys_of
from kan_dialect.flows.trials.columns import Row, label
from kan_dialect.flows.trials.pipeline import Pipeline
from kan_dialect.flows.trials.points import spell
from kan_dialect.flows.tune.base import make_base
from kan_dialect.flows.tune.objectives import OBJECTIVES
from kan_dialect.flows.tune.results import BEST, FIGURES, prove_best, write_results
from kan_dialect.flows.tune.tune import Effort, Judged, State, Tuning, tune
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.passbase.kan_pass import pass_text
from kan_dialect.passbase.option_bounds import Bounds

BUDGET = "10m"
TRIALS = Bounds(1, 100_000)
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def add_tune(parser: argparse.ArgumentParser) -> None:
    """Options of `kan-flow tune`."""
    parser.description = (
        "Search the passes and options that make the smallest or fastest hardware of a model, with "
        "Yosys and nextpnr in the loop. All designs compute the same integers. The best one is "
        "proven, and its pipeline is written for kan-flow build. Run again, the search goes on."
    )
    add_compiled_model(
        parser,
        "samples x or x_train to calibrate with, as of kan-flow build",
    )
    parser.add_argument(
        "--objective",
        choices=list(OBJECTIVES),
        default="cells",
        help="; ".join(f"{each.name}: {each.meaning}" for each in OBJECTIVES.values())
        + " (default: cells)",
    )
    parser.add_argument(
        "--budget",
        default=None,
        metavar="TIME",
        help=f"time to search, as 90s, 10m, 2h or inf (default: {BUDGET}; with --trials: inf)",
    )
    add_number(
        parser,
        "--trials",
        TRIALS,
        metavar="N",
        help="number of designs to measure, those of earlier runs included",
    )
    parser.add_argument(
        "--no-proof", action="store_true", help="do not prove the best design at the end"
    )
    COMPILE.add_to(parser.add_argument_group("the default pipeline, kan-compile"))
    parser.add_argument(
        "-p", "--passes", metavar="PIPELINE", help="begin with this pipeline, not with kan-compile"
    )
    add_limited_workers(parser)


def run_tune(options: argparse.Namespace) -> int:
    """Run `kan-flow tune`."""
    folder = GrowingFolder(options.output, TUNE, force=options.force)
    objective = OBJECTIVES[options.objective]
    pipeline, device = _pipeline(options)
    effort = _effort(options)
    objective.require(device)
    yosys_of(device_of(device))
    routing = [placement_on(device).nextpnr.tool] if objective.routes else []
    require_tools(options, "yosys", *routing)
    with status_line("loading the model") as say:
        module, dataset = read_model(options)
        say("compiling up to the integers")
        base = make_base(module, pipeline, device, dataset)
    console = results_console()
    with runner_of(options) as runner, status_line("compiling the default") as say:
        result = tune(base, objective, effort, folder, runner, lambda state: say(_line(state)))
    write_results(result, folder)
    _print(result, console)
    if not options.no_proof:
        with status_line("proving the best design") as say:
            proof = prove_best(
                result,
                options.output,
                jobs_of(options),
                lambda done, of: say(f"proving the best design: {done} of {of} nodes"),
            )
        if not proof.proven:
            raise KanError(
                "the best design is not proven equal to the integer model",
                remedy="build its pipeline, and see kan-flow prove",
            )
        tell(console, "proven: the best design computes the integers of the model")
    tell(console, f"\nits pipeline is in {options.output / BEST}; to build it:")
    tell(console, f"  {_command(options)}")
    return 0


def _pipeline(options: argparse.Namespace) -> tuple[Pipeline, str]:
    """The pipeline to begin with, and the device to measure on."""
    if options.passes is None:
        data = None if options.calibration is None else str(options.calibration)
        compiled = CompilePass(data, **COMPILE.values(options))
        return Pipeline(pass_text(compiled.spec())), options.target
    refuse_given(options, add_tune, PIPELINE_ONLY, WITH_PASSES)
    pipeline = Pipeline(options.passes)
    of_passes = pipeline.resolved().target
    return pipeline, of_passes if options.target == XCUP.name else options.target


def _effort(options: argparse.Namespace) -> Effort:
    text = options.budget
    if text is None:
        text = BUDGET if options.trials is None else "inf"
    return Effort(seconds_of(text), options.trials, shared_limits(options))


def seconds_of(text: str) -> float | None:
    """A time as `90s`, `10m` or `1.5h`, in seconds; None for `inf`.

    Raises
    ------
    KanError : the text is no time, or no time is left.
    """
    if text == "inf":
        return None
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smh])", text)
    seconds = 0.0 if found is None else float(found[1]) * _SECONDS[found[2]]
    if seconds <= 0:
        raise KanError(f"--budget takes a time, as 90s, 10m, 2h or inf, got {text!r}")
    return seconds


def _line(state: State) -> str:
    return (
        f"{state.what} {state.done} of {state.of}; {state.measured} designs measured, "
        f"best {state.ratio:.3f} × the default"
    )


def _print(result: Tuning, console: Console) -> None:
    base, best = result.base, result.best
    known = f" ({result.found} by earlier runs)" if result.found else ""
    tell(
        console,
        f"\n{base.network.name} on {base.device}, for {result.objective.name}: "
        f"{len(result.rows)} designs measured{known}\n",
    )
    table = column_table(("", "default", "best", "ratio"))
    for column in FIGURES:
        if column in result.default.row and column in best.row:
            table.add_row(label(column), *_pair(result.default.row, best.row, column))
    console.print(table)
    if not best.point.options:
        tell(console, "\nno design is better than the default")
        return
    if len(best.costs) > 1:
        noise = "; they overlap: it may be luck" if result.is_within_noise else ""
        tell(
            console,
            f"\n{result.objective.name} of {len(best.costs)} measurements with signals renamed: "
            f"default {_spread(result.default)}, best {_spread(best)}, {result.ratio:.3f} ×{noise}",
        )
    tell(console, "the best design differs from the default in:")
    for name, value in best.point.options:
        told = "left out" if value is False and "." not in name else spell(value)
        tell(console, f"  {name}: {told}")


def _spread(judged: Judged) -> str:
    return f"{judged.cost:.4g} ({min(judged.costs):.4g} to {max(judged.costs):.4g})"


def _pair(default: Row, best: Row, column: str) -> list[str]:
    one, other = default[column], best[column]
    return [f"{one:g}", f"{other:g}", f"{other / one:.3f}" if one else ""]


def _command(options: argparse.Namespace) -> str:
    """The command that builds the best design."""
    words = ["kan-flow", "build", str(options.model)]
    if options.calibration is not None:
        words += ["--calibration", str(options.calibration)]
    if options.name is not None:
        words += ["--name", options.name]
    if options.strip_head:
        words.append("--strip-head")
    if options.table_overflow != "keep":
        words += ["--table-overflow", options.table_overflow]
    _, device = _pipeline(options)
    if device != XCUP.name:
        words += ["--target", device]
    best = shlex.quote(str(options.output / BEST))
    return f'{shlex.join(words)} -p "$(cat {best})" -o DIR'
