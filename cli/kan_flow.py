"""`kan-flow`: what happens around the RTL. `build`, the main job, then `simulate`, `prove`, ..."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, cast

import numpy as np
from rich.console import Console
from rich.progress import Progress
from xdsl.passes import ModulePass
from xdsl.universe import Universe

from kan_dialect import __version__
from kan_dialect.analysis.certificate import MAX_ENTRIES
from kan_dialect.cli.limits import ABOVE_ZERO, JOBS, add_limits, limits_of, status_line
from kan_dialect.cli.loading import (
    add_name,
    add_output_folder,
    add_strip_head,
    add_table_overflow,
    build_import_options,
    load_model,
    load_original,
    make_context,
    rename,
)
from kan_dialect.cli.measure import add_pnr, add_synth, pnr, synth, synth_after_build
from kan_dialect.cli.messages import ArgumentParser, run_tool
from kan_dialect.cli.options import add_number
from kan_dialect.cli.sweep import add_sweep, run_sweep
from kan_dialect.cli.training import (
    TRAINING_ONLY,
    add_train_sim,
    add_training_options,
    build_trainable,
    is_trainable_build,
    origin_of,
    prove_trainable,
    train_sim,
)
from kan_dialect.devices.device import DEVICES, XCUP, device
from kan_dialect.errors import KanError
from kan_dialect.evaluate.edge_tables import has_real_edges
from kan_dialect.files.data_sets import Dataset, load_dataset
from kan_dialect.files.manifest import written_stages
from kan_dialect.files.output_folders import require_ours, settle
from kan_dialect.flows.build import BuildOptions, build, require_name
from kan_dialect.flows.folder_owners import BUILD, spared_files
from kan_dialect.flows.prove.prove import Outcome, prove
from kan_dialect.flows.prove.second.opinion import (
    Opinion,
    Verdict,
    print_opinion,
    require_solver,
    second_opinion,
)
from kan_dialect.flows.prove.show import merge_proof, print_proof
from kan_dialect.flows.report import print_report
from kan_dialect.flows.simulate.plan import BUBBLES, RESETS
from kan_dialect.flows.simulate.simulation import SimulatorName, compare, simulate
from kan_dialect.flows.simulate.stimuli import stimuli
from kan_dialect.flows.tools.toolchain import find, limited
from kan_dialect.frontends.frontend import KEEP, ImportOptions
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.model.model import Model, encode
from kan_dialect.model.saturation import count_saturations
from kan_dialect.passbase.kan_pass import EXACT
from kan_dialect.passbase.option_bounds import SEED, bounds_of
from kan_dialect.passbase.options import option_of
from kan_dialect.passbase.pipeline import build_pipeline
from kan_dialect.passbase.progress import speaking
from kan_dialect.passbase.record import recorded_names, recorded_pipeline
from kan_dialect.passes.schedule import DEFAULT_LEVELS
from kan_dialect.search.precision.budgets import parse_loss


def _parser() -> argparse.ArgumentParser:
    parser = ArgumentParser(prog="kan-flow", description="From a model to verified RTL.")
    parser.add_argument("--version", action="version", version=f"kan-flow {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_build(commands.add_parser("build", help="a model to verified RTL and a report"))
    _add_simulate(
        commands.add_parser("simulate", help="simulate the RTL of a build on vectors of yours")
    )
    _add_prove(commands.add_parser("prove", help="prove the RTL of a build, for all input codes"))
    add_synth(commands.add_parser("synth", help="what the RTL of a build takes, by Yosys"))
    add_pnr(commands.add_parser("pnr", help="how fast the RTL of a build is, by nextpnr"))
    add_sweep(commands.add_parser("sweep", help="many builds of a model, to choose from"))
    add_train_sim(commands.add_parser("train-sim", help="how the RTL of a trainable build learns"))
    return parser


def _add_build(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Compile a model, simulate the RTL against the integer model, and write RTL, IR after each "
        "pass, a testbench, the host's codecs, report.json and a README.md into a folder."
    )
    parser.add_argument("model", type=Path, help="a model file (.onnx, ...) or IR (.mlir)")
    add_output_folder(parser)
    add_name(parser)
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="DATA.npz",
        help="samples: x or x_train to calibrate with; y, x_test, y_test to report accuracy",
    )
    add_strip_head(parser)
    add_table_overflow(parser)
    parser.add_argument(
        "--bits",
        metavar="N[,N...]",
        help="bits of the codes: one number, or the input's and each layer's; or auto: the "
        "fewest, the same for all, that keep the budget below (default: 8; 6 to start from with "
        "--precision auto)",
    )
    _add_precision(parser)
    parser.add_argument(
        "--scale", default="mse", metavar="HOW", help="minmax, percentile or mse (default: mse)"
    )
    _add_pass_number(
        parser,
        "--percentile",
        kind=float,
        default=99.9,
        help="for --scale percentile (default: 99.9)",
    )
    parser.add_argument(
        "--per-tensor", action="store_true", help="one scale for all inputs, one for each layer"
    )
    parser.add_argument(
        "--per-layer", action="store_true", help="one scale for each layer, but one for each input"
    )
    _add_pass_number(
        parser, "--guard-bits", default=0, metavar="N", help="more precise edges (default: 0)"
    )
    parser.add_argument(
        "--quantizers",
        type=Path,
        metavar="FILE.json",
        help="scales and bits that a network was trained with, in place of the options above",
    )
    _add_pass_number(
        parser,
        "--levels",
        metavar="N",
        help=f"levels of logic a stage (default: {DEFAULT_LEVELS}); or one of the next three",
    )
    _add_pass_number(parser, "--cycles", metavar="N", help="exactly so many cycles of latency")
    _add_pass_number(
        parser,
        "--mhz",
        kind=float,
        metavar="F",
        help="stages for this clock, by delays typical of TARGET",
    )
    parser.add_argument("--combinational", action="store_true", help="no registers at all")
    parser.add_argument(
        "--target",
        default=XCUP.name,
        metavar="TARGET",
        help=f"the device whose costs decide: {', '.join(DEVICES)} (default: {XCUP.name})",
    )
    parser.add_argument(
        "--fast", action="store_true", help="leave out what searches long: larger designs, sooner"
    )
    _add_pass_number(
        parser,
        "--parts",
        default=CompilePass.parts,
        metavar="N",
        help="most parts that a table is split into (default: %(default)s)",
    )
    parser.add_argument(
        "--further-levels",
        metavar="N[,N...]",
        help="levels of logic that a sum may have beyond the fewest: one number, or one for each "
        f"layer (default: {CompilePass.further_levels})",
    )
    parser.add_argument(
        "-p", "--passes", metavar="PIPELINE", help="this pipeline instead of the default one"
    )
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
    _add_simulator(parser, with_none=True)
    add_limits(parser)
    add_training_options(parser)


def _add_pass_number(parser: argparse.ArgumentParser, option: str, **options: Any) -> None:
    """A number that is an option of `kan-compile`, too, with the bounds that it has there."""
    bounds = bounds_of(CompilePass, option[2:].replace("-", "_"))
    add_number(parser, option, bounds, **options)


def _add_precision(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--precision",
        choices=option_of(CompilePass, "precision").choices,
        default="given",
        help="auto: as few bits of every input, edge and node as the budget allows, chosen on the "
        "calibration samples (default: as given)",
    )
    parser.add_argument(
        "--max-accuracy-loss",
        metavar="P",
        help="for --precision auto and --bits auto: the loss allowed, as 0.5%% or 0.005. It is "
        "absolute, in points of accuracy, or of explained variance (R²) where y holds targets, and "
        "counts from the float model to the integer model on the calibration samples (from the "
        "model as given, if that has codes). Default: 0.5%%, unless there is another limit",
    )
    parser.add_argument(
        "--max-rmse",
        metavar="E",
        help="for --precision auto and --bits auto: the largest root mean squared error of the "
        "integer model on the calibration samples, against the targets y (without targets: "
        "against the float model): absolute, as 0.3, in the outputs' unit, or relative, as 10%%: "
        "so much more than the float model's",
    )
    parser.add_argument(
        "--max-error",
        metavar="E",
        help="for --precision auto and --bits auto: the largest absolute error of an output on any "
        "calibration sample, given as for --max-rmse",
    )
    _add_pass_number(parser, "--max-luts", metavar="N", help="for --precision auto: the most LUTs")
    _add_pass_number(
        parser,
        "--max-levels",
        metavar="N",
        help="for --precision auto: the most levels of logic from inputs to results",
    )


def _add_simulator(parser: argparse.ArgumentParser, *, with_none: bool) -> None:
    choices = ["verilator", "icarus", *(["none"] if with_none else [])]
    parser.add_argument("--simulator", choices=choices, default="verilator")
    vectors = bounds_of(BuildOptions, "vectors")
    add_number(
        parser,
        "--vectors",
        vectors,
        default=10_000,
        metavar="N",
        help="random vectors (default: 10000)",
    )
    add_number(
        parser, "--seed", SEED, default=0, metavar="N", help="of what is random (default: 0)"
    )


def _add_simulate(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Simulate rtl/NAME.sv of a build on samples, corners and random vectors, and compare with "
        "the integer model of the build."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="what kan-flow build wrote")
    parser.add_argument(
        "--inputs", type=Path, metavar="DATA.npz", help="samples, as for --calibration"
    )
    add_number(
        parser,
        "--bubbles",
        BUBBLES,
        kind=float,
        default=0.0,
        metavar="P",
        help="chance of a cycle without a sample",
    )
    add_number(parser, "--resets", RESETS, default=0, metavar="N", help="resets in mid-stream")
    _add_simulator(parser, with_none=False)
    add_limits(parser)


def _add_prove(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Prove rtl/NAME.sv of a build equal to the integer model of the build, node by node, for "
        "all input codes and every cycle; of a build that trains, equal to the training step for "
        "all inputs, memory contents and histories. Needs Yosys, and for training bitwuzla."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="what kan-flow build wrote")
    parser.add_argument(
        "--rtl", type=Path, metavar="FILE", help="this SystemVerilog instead of the build's"
    )
    parser.add_argument(
        "--against", type=Path, metavar="MODEL", help="this model of codes instead of the build's"
    )
    add_table_overflow(parser)
    add_number(
        parser,
        "--timeout",
        ABOVE_ZERO,
        kind=float,
        metavar="S",
        help="give up after so many seconds",
    )
    add_limits(parser, timeout=False)
    add_number(
        parser,
        "--jobs",
        JOBS,
        default=1,
        metavar="N",
        help="processes to prove with, at most one a node and a processor (default: 1)",
    )
    parser.add_argument("--report", action="store_true", help="note the proof in DIR/report.json")
    parser.add_argument(
        "--second",
        action="store_true",
        help="compare with a second opinion: a solver, and a reader and a model of its own "
        "(needs Bitwuzla: kan-dialect[proof])",
    )


def _numbers(option: str, text: str, also: str = "") -> tuple[int, ...] | int:
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise KanError(f"{option} takes whole numbers, as 8 or 6,8,8{also}, got {text!r}") from None
    return numbers[0] if len(numbers) == 1 else numbers


def _bits(text: str | None) -> tuple[int, ...] | int | Literal["auto"] | None:
    return text if text is None or text == "auto" else _numbers("--bits", text, ", or auto")


def _pipeline(options: argparse.Namespace) -> list[ModulePass]:
    if options.passes is not None:
        return build_pipeline(Universe.get_multiverse().all_passes, options.passes)
    compile_pass = CompilePass(
        data=None if options.calibration is None else str(options.calibration),
        bits=_bits(options.bits),
        scale=options.scale,
        percentile=options.percentile,
        per_tensor=options.per_tensor,
        per_layer=options.per_layer,
        guard_bits=options.guard_bits,
        quantizers=None if options.quantizers is None else str(options.quantizers),
        precision=options.precision,
        max_accuracy_loss=None
        if options.max_accuracy_loss is None
        else parse_loss(options.max_accuracy_loss, "--max-accuracy-loss"),
        max_rmse=options.max_rmse,
        max_error=options.max_error,
        max_luts=options.max_luts,
        max_levels=options.max_levels,
        seed=options.seed,
        levels=options.levels,
        cycles=options.cycles,
        mhz=options.mhz,
        combinational=options.combinational,
        target=options.target,
        parts=options.parts,
        further_levels=CompilePass.further_levels
        if options.further_levels is None
        else _numbers("--further-levels", options.further_levels),
        fast=options.fast,
    )
    return list(compile_pass.expand())


PIPELINE_ONLY = (
    "bits",
    "scale",
    "percentile",
    "per_tensor",
    "per_layer",
    "guard_bits",
    "quantizers",
    "precision",
    "max_accuracy_loss",
    "max_rmse",
    "max_error",
    "max_luts",
    "max_levels",
    "levels",
    "cycles",
    "mhz",
    "combinational",
    "parts",
    "further_levels",
    "fast",
)
"""Options of `kan-flow build` that say nothing to another pipeline than the default one."""

FIXED_ONLY = (*PIPELINE_ONLY, "passes", "strip_head", "table_overflow", "certificate")
"""Options of `kan-flow build` that say nothing to a network that trains itself."""


def _refuse_unread(options: argparse.Namespace) -> None:
    """Refuse options that would be ignored, where they are not what they are by default."""
    parser = argparse.ArgumentParser()
    _add_build(parser)
    unread: list[tuple[tuple[str, ...], str]] = [(TRAINING_ONLY, "without --trainable")]
    if options.trainable:
        unread = [(FIXED_ONLY, "with --trainable")]
        if not options.synth:
            unread.append((("target",), "with --trainable but without --synth"))
    elif options.passes is not None:
        unread.append((PIPELINE_ONLY, "with --passes, whose passes have options of their own"))
    elif options.fast:
        unread.append((("parts",), "with --fast, which splits no tables"))
    for name, when in ((name, when) for names, when in unread for name in names):
        if getattr(options, name) != parser.get_default(name):
            raise KanError(
                f"--{name.replace('_', '-')} has no meaning {when}", remedy="leave it out"
            )


def _build(options: argparse.Namespace) -> int:
    _refuse_unread(options)
    device(options.target)
    require_ours(options.output, BUILD, force=options.force, spared=spared_files(options.output))
    if options.name is not None:
        require_name(options.name)
    if options.trainable:
        built = build_trainable(options)
        return synth_after_build(options.output, options.target) if options.synth else built
    console = Console(highlight=False)
    if options.synth:
        find("yosys")
    passes = _pipeline(options)
    dataset = None if options.calibration is None else load_dataset(options.calibration)
    context = make_context()
    simulator = None if options.simulator == "none" else cast(SimulatorName, options.simulator)
    reading = build_import_options(options, options.model, dataset)
    with status_line("loading the model") as tell:
        module = load_model(context, options.model, reading)
        rename(module, options.name)
        report = build(
            context,
            module,
            options.output,
            BuildOptions(
                passes,
                dataset,
                simulator,
                options.vectors,
                options.seed,
                check_passes=not options.no_check_passes,
                check_dir=options.check_passes_dir,
                target=options.target,
                origin=origin_of(options),
                force=options.force,
                original=None if dataset is None else load_original(options.model, reading),
                certificate=options.certificate,
            ),
            tell,
        )
    print_report(report, console, str(options.output))
    return synth_after_build(options.output, options.target) if options.synth else 0


def built_models(folder: Path) -> tuple[Model, Model]:
    """The integer model of a build and its hardware.

    The integer model is the first stage of codes only behind the last pass that trades accuracy.

    Raises
    ------
    KanError : it is no folder of a build, or its stages are not what a build writes.
    """
    context = make_context()
    settle(folder)
    paths = written_stages(folder)
    if not paths:
        raise KanError(f"{folder} is no folder of a build", remedy="run kan-flow build first")
    hardware = load_model(context, paths[-1])
    passed = recorded_names(recorded_pipeline(hardware))
    for path in paths[_last_trade(paths, passed) :]:
        module = load_model(context, path)
        if Model.of(module).has_codes and not has_real_edges(module):
            circuit = Model.of(hardware)
            if circuit.level != "hardware":
                raise KanError(f"{paths[-1]} is no hardware", remedy="run kan-flow build again")
            require_name(circuit.name)
            return Model.of(module), circuit
    raise KanError(f"{folder} holds no integer model", remedy="run kan-flow build again")


def _last_trade(paths: Sequence[Path], passed: Container[str]) -> int:
    """Which of the stages NN-PASS.mlir is of the last pass that traded accuracy; 0 of none.

    `passed` names the passes that had something to do.
    """
    passes = Universe.get_multiverse().all_passes
    last = 0
    for index, path in enumerate(paths):
        name = path.stem.partition("-")[2]
        acted = name in passed and name in passes
        if acted and getattr(passes[name](), "preserves", EXACT) != EXACT:
            last = index
    return last


def _samples(options: argparse.Namespace) -> Dataset | None:
    return None if options.inputs is None else load_dataset(options.inputs)


def _parts(dataset: Dataset) -> list[FloatArray]:
    return [dataset.x, *([] if dataset.x_test is None else [dataset.x_test])]


def _simulate(options: argparse.Namespace) -> int:
    folder: Path = options.folder
    integer, circuit = built_models(folder)
    interface = circuit.interface()
    rtl = folder / "rtl" / f"{circuit.name}.sv"
    if not rtl.is_file():
        raise KanError(f"there is no {rtl}", remedy="run kan-flow build first")
    dataset = _samples(options)
    samples: IntArray | None = None
    if dataset is not None:
        samples = encode(interface.inputs, np.concatenate(_parts(dataset)))
    codes = stimuli(interface, samples, random=options.vectors, seed=options.seed)
    simulator = cast(SimulatorName, options.simulator)
    with status_line("simulating"):
        got = simulate(
            rtl,
            interface,
            codes,
            simulator=simulator,
            bubbles=options.bubbles,
            resets=options.resets,
            seed=options.seed,
        )
    verdict = compare(integer.run_codes(codes), got, codes)
    print(f"{circuit.name} in {simulator}: {verdict.describe(interface)}")
    if dataset is not None:
        saturation = count_saturations(integer, np.concatenate(_parts(dataset)))
        print(f"saturation: {saturation.told('samples')}")
    return 0 if verdict.passed else 1


def _prove(options: argparse.Namespace) -> int:
    folder: Path = options.folder
    if options.against is None and options.table_overflow != KEEP:
        raise KanError("--table-overflow has no meaning without --against", remedy="leave it out")
    if is_trainable_build(folder):
        if options.second:
            raise KanError(
                "there is no second opinion on hardware that trains itself",
                remedy="leave --second out",
            )
        return prove_trainable(options)
    integer, circuit = built_models(folder)
    if options.against is not None:
        reading = ImportOptions(table_overflow=options.table_overflow)
        against = load_model(make_context(), options.against, reading)
        integer = Model.of(against)
        if not integer.has_codes or has_real_edges(against):
            raise KanError(f"{options.against} has no codes yet", remedy="quantise it first")
    rtl: Path = options.rtl or folder / "rtl" / f"{circuit.name}.sv"
    if options.second:
        require_solver()
    end = None if options.timeout is None else time.monotonic() + options.timeout
    opinion: Opinion | None = None
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading the RTL", total=None)

        def say(what: str) -> None:
            progress.update(task, description=what)

        def tell(outcome: Outcome | Verdict, number: int, count: int) -> None:
            progress.update(task, description=outcome.name, completed=number, total=count)

        with speaking(say):
            proof = prove(
                rtl,
                integer,
                circuit,
                timeout=options.timeout,
                jobs=options.jobs,
                progress=tell,
            )
        if options.second:
            task = progress.add_task("second opinion", total=None)
            with speaking(say):
                opinion = second_opinion(
                    rtl,
                    integer,
                    circuit,
                    timeout=None if end is None else max(0.001, end - time.monotonic()),
                    jobs=options.jobs,
                    progress=tell,
                )
    print_proof(proof, rtl, Console(highlight=False))
    proven = proof.proven
    if opinion is not None:
        print_opinion(opinion, proof.proven, Console(highlight=False))
        proven &= opinion.shown
    if options.report:
        second = {} if opinion is None else {"second": opinion.summary()}
        merge_proof(folder / "report.json", proof.summary() | second if proven else None)
    return 0 if proven else 1


_COMMANDS = {
    "build": _build,
    "simulate": _simulate,
    "prove": _prove,
    "synth": synth,
    "pnr": pnr,
    "sweep": run_sweep,
    "train-sim": train_sim,
}


def _main(arguments: Sequence[str] | None) -> int:
    typed = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(typed)
    options.typed = shlex.join(["kan-flow", *typed])
    with limited(limits_of(options)):
        return _COMMANDS[options.command](options)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point of `kan-flow`."""
    sys.exit(run_tool("kan-flow", lambda: _main(arguments)))


if __name__ == "__main__":
    main()
