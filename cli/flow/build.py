"""`kan-flow build`: a model to verified RTL and a report."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

from rich.console import Console
from xdsl.passes import ModulePass

from kan_dialect.analysis.certificate import MAX_ENTRIES
from kan_dialect.cli.flow.simulate import add_simulator
from kan_dialect.cli.flow.synthesis import synth_after_build
from kan_dialect.cli.flow.training import (
    TRAINING_ONLY,
    add_training_options,
    build_trainable,
    origin_of,
)
from kan_dialect.cli.import_options import (
    add_compiled_model,
)
from kan_dialect.cli.pass_options import PassOptions
from kan_dialect.cli.tool_limits import add_limits, status_line
from kan_dialect.devices.device import device
from kan_dialect.errors import KanError
from kan_dialect.files.output_folders import require_replaceable
from kan_dialect.flows.build import build, require_name
from kan_dialect.flows.build_options import BuildOptions
from kan_dialect.flows.fit import FEWEST_TURNS, Trial, fit, print_trials
from kan_dialect.flows.folder_owners import BUILD, spared_files
from kan_dialect.flows.interfaces.pipeline import with_interface
from kan_dialect.flows.model_and_data import load_with_data
from kan_dialect.flows.report import print_report
from kan_dialect.flows.simulate.simulation import SimulatorName
from kan_dialect.flows.tools.toolchain import find
from kan_dialect.frontends.loading import load_original, make_context
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.multiverse import installed_universe
from kan_dialect.passbase.pipeline import build_pipeline

COMPILE = PassOptions(
    CompilePass,
    without=("data", "seed"),
    metavars={
        "quantizers": "FILE.json",
        "input_format": "FORMATS",
        "output_format": "FORMATS",
    },
)
"""Options of the default pipeline; `--calibration` is its data, `--seed` also the simulation's."""

INTERFACE = PassOptions(WrapInterfacePass)
"""Options of the wrapper around the network."""

PIPELINE_ONLY = tuple(name for name in COMPILE.names if name != "target")
"""Options of `kan-flow build` that say nothing to another pipeline than the default one."""

FIXED_ONLY = (
    *PIPELINE_ONLY,
    "fit",
    "passes",
    "strip_head",
    "table_overflow",
    "certificate",
    "pictures",
)
"""Options of `kan-flow build` that say nothing to a network that trains itself."""


WITH_PASSES = "with --passes, whose passes have options of their own"
"""When options of the default pipeline have no meaning."""


def add_build(parser: argparse.ArgumentParser) -> None:
    """Options of `kan-flow build`."""
    parser.description = (
        "Compile a model, simulate the RTL against the integer model, and write RTL, IR after each "
        "pass, a testbench, the host's codecs, report.html, report.json and a README.md into a "
        "folder."
    )
    add_compiled_model(
        parser,
        "samples: x or x_train to calibrate with; y, x_test, y_test to report accuracy",
    )
    COMPILE.add_to(parser.add_argument_group("the default pipeline, kan-compile"))
    parser.add_argument(
        "-p", "--passes", metavar="PIPELINE", help="this pipeline instead of the default one"
    )
    parser.add_argument(
        "--fit",
        metavar="PART",
        help="the smallest interval at which the network fits this part, by estimate, in place of "
        "--target and --interval: ecp5-25, ice40-up5k, ... (kan-flow --list-devices)",
    )
    INTERFACE.add_to(parser.add_argument_group("the interface, kan-wrap-interface"))
    parser.add_argument(
        "--no-check-passes", action="store_true", help="do not compare the IR around each pass"
    )
    parser.add_argument(
        "--certificate",
        choices=("auto", "always", "never"),
        default="auto",
        help="bound the error of the integers; auto: unless the tables have more than "
        f"{MAX_ENTRIES} entries (default: %(default)s)",
    )
    parser.add_argument(
        "--check-passes-dir",
        type=Path,
        default=Path("check-passes-failure"),
        metavar="DIR",
        help="where the IR around a pass that fails its check goes (default: %(default)s)",
    )
    parser.add_argument(
        "--synth",
        action="store_true",
        help="synthesise too, and show the estimate beside what Yosys counts",
    )
    parser.add_argument(
        "--pictures",
        action="store_true",
        help="draw the network at each level and the schedule, and show them in README.md",
    )
    parser.add_argument(
        "--vhdl",
        action="store_true",
        help="write the network as VHDL-2008 too, and simulate that in GHDL where it is installed",
    )
    add_simulator(parser, with_none=True)
    add_limits(parser)
    add_training_options(parser)


def run_build(options: argparse.Namespace) -> int:
    """Run `kan-flow build`."""
    _refuse_unread(options)
    if options.fit is not None:
        options.target = options.fit
        # The one that is chosen takes its place; tables that can be loaded need one of 2 or more.
        options.interval = FEWEST_TURNS
    device(options.target)
    require_replaceable(
        options.output, BUILD, force=options.force, spared=spared_files(options.output)
    )
    if options.name is not None:
        require_name(options.name)
    if options.trainable:
        built = build_trainable(options, WrapInterfacePass(**INTERFACE.values(options)))
        return _synthesized(options) if options.synth else built
    console = Console(highlight=False)
    if options.synth:
        find("yosys")
    compiled = compile_pass(options) if options.passes is None else None
    passes = _passes(options, compiled)
    context = make_context()
    simulator = None if options.simulator == "none" else cast(SimulatorName, options.simulator)
    with status_line("loading the model") as tell:
        module, dataset, reading = load_with_data(
            context,
            options.model,
            options.calibration,
            name=options.name,
            strip_head=options.strip_head,
            table_overflow=options.table_overflow,
        )
        trials: list[Trial] = []
        if compiled is not None:
            compiled.require_read(module)
            if options.fit is not None:
                wrap = WrapInterfacePass(**INTERFACE.values(options))
                compiled, trials = fit(context, module, compiled, wrap, tell)
                passes = _passes(options, compiled)
        report = build(
            context,
            module,
            options.output,
            BuildOptions(
                passes,
                dataset=dataset,
                simulator=simulator,
                vectors=options.vectors,
                seed=options.seed,
                check_passes=not options.no_check_passes,
                check_dir=options.check_passes_dir,
                target=options.target,
                origin=origin_of(options),
                force=options.force,
                original=None if dataset is None else load_original(options.model, reading),
                certificate=options.certificate,
                pictures=options.pictures,
                vhdl=options.vhdl,
                fit=[each.as_dict() for each in trials],
            ),
            tell,
        )
    if trials:
        print_trials(trials, options.target, console)
    print_report(report, console, str(options.output))
    return _synthesized(options) if options.synth else 0


def _synthesized(options: argparse.Namespace) -> int:
    return synth_after_build(options.output, options.target)


def compile_pass(options: argparse.Namespace) -> CompilePass:
    """The default pipeline with the options of the command."""
    data = None if options.calibration is None else str(options.calibration)
    return CompilePass(data, seed=options.seed, **COMPILE.values(options))


def _passes(options: argparse.Namespace, compiled: CompilePass | None) -> list[ModulePass]:
    wrap = WrapInterfacePass(**INTERFACE.values(options))
    if compiled is not None:
        passes = list(compiled.expand())
    else:
        passes = build_pipeline(installed_universe().all_passes, options.passes)
    return with_interface(passes, wrap)


def _refuse_unread(options: argparse.Namespace) -> None:
    """Refuse options that would be ignored, where they are not what they are by default."""
    unread: list[tuple[tuple[str, ...], str]] = [(TRAINING_ONLY, "without --trainable")]
    if options.fit is not None:
        when = "with --fit, which names the part and chooses the interval"
        refuse_given(options, add_build, ("target", "interval"), when)
    if options.trainable:
        unread = [(FIXED_ONLY, "with --trainable")]
        if not options.synth:
            unread.append((("target",), "with --trainable but without --synth"))
    elif options.passes is not None:
        unread.append(((*PIPELINE_ONLY, "fit"), WITH_PASSES))
    elif options.fast:
        unread.append((("parts",), "with --fast, which splits no tables"))
    for names, when in unread:
        refuse_given(options, add_build, names, when)


def refuse_given(
    options: argparse.Namespace,
    add: Callable[[argparse.ArgumentParser], None],
    names: Iterable[str],
    when: str,
) -> None:
    """Refuse options of a command that are not what they are by default.

    Raises
    ------
    KanError : names the first one, and says when it has no meaning.
    """
    parser = argparse.ArgumentParser()
    add(parser)
    for name in names:
        if getattr(options, name) != parser.get_default(name):
            raise KanError(
                f"--{name.replace('_', '-')} has no meaning {when}", remedy="leave it out"
            )
