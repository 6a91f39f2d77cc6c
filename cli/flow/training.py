"""Networks that learn on the chip: `kan-flow build --trainable` and `train-sim`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from kan_dialect.cli.flow.changed_files import add_changed, check_files
from kan_dialect.cli.number_options import add_number
from kan_dialect.cli.pass_options import PassOptions
from kan_dialect.cli.tool_limits import add_limits, status_line
from kan_dialect.deferred import DeferredModule
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import find_function
from kan_dialect.files.atomic import check_writable
from kan_dialect.files.data_sets import load_dataset
from kan_dialect.files.manifest import written_stages
from kan_dialect.flows.build_origin import Origin
from kan_dialect.flows.model_and_data import load_with_data
from kan_dialect.flows.report import print_report
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.limits import MAX_VECTORS
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.model.data_columns import dataset_for
from kan_dialect.passbase.option_bounds import Bounds
from kan_dialect.passes.fit_splines import FitSplinesPass
from kan_dialect.passes.make_trainable import MakeTrainablePass

if TYPE_CHECKING:
    from kan_dialect.flows.on_chip import build, learning_curve
    from kan_dialect.model.on_chip import training_step
else:
    # Builds of other networks do without.
    build = DeferredModule("kan_dialect.flows.on_chip.build")
    learning_curve = DeferredModule("kan_dialect.flows.on_chip.learning_curve")
    training_step = DeferredModule("kan_dialect.model.on_chip.training_step")

MAKE_TRAINABLE = PassOptions(MakeTrainablePass, without=("seed", "real"))
"""Options of the training step; `--seed` is also the simulation's."""
FIT_SPLINES = PassOptions(FitSplinesPass, renamed={"error": "fit-error"})
"""Options of the fit of edges that are not B-splines yet."""

TRAINING_ONLY = (*MAKE_TRAINABLE.names, *FIT_SPLINES.names)
"""Options of `kan-flow build` for networks that train themselves."""


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Options of `kan-flow build` that say how a network learns."""
    group = parser.add_argument_group("networks that learn on the chip")
    group.add_argument(
        "--trainable",
        action="store_true",
        help="hardware that trains itself; --calibration gives the samples (x, y) to simulate with",
    )
    MAKE_TRAINABLE.add_to(group)
    FIT_SPLINES.add_to(group)


def origin_of(options: argparse.Namespace) -> Origin:
    """The command line of a build and the files that it names, for the report."""
    files = {what: getattr(options, what) for what in ("model", "calibration", "quantizers")}
    return Origin(options.typed, {what: Path(file) for what, file in files.items() if file})


def build_trainable(options: argparse.Namespace, wrap: WrapInterfacePass) -> int:
    """`kan-flow build --trainable`.

    Parameters
    ----------
    wrap : the interface.

    Raises
    ------
    KanError : see `build_training`.
    """
    make = MakeTrainablePass(seed=options.seed, **MAKE_TRAINABLE.values(options))
    fit = FitSplinesPass(**FIT_SPLINES.values(options))
    context = make_context()
    with status_line("loading the model") as tell:
        module, dataset, _ = load_with_data(
            context, options.model, options.calibration, name=options.name
        )
        report = build.build_training(
            context,
            module,
            options.output,
            build.TrainingOptions(
                make,
                fit,
                options.calibration,
                dataset=dataset,
                simulator=None if options.simulator == "none" else options.simulator,
                samples=options.vectors,
                seed=options.seed,
                check_passes=not options.no_check_passes,
                check_dir=options.check_passes_dir,
                origin=origin_of(options),
                force=options.force,
                vhdl=options.vhdl,
                wrap=wrap,
            ),
            tell,
        )
    print_report(report, Console(highlight=False), str(options.output))
    return 0


def add_train_sim(parser: argparse.ArgumentParser) -> None:
    """Options of `kan-flow train-sim`."""
    parser.description = (
        "Train the RTL of a build on samples in their order, in Verilator, compare it with the "
        "integer model, and show its error over time."
    )
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="what kan-flow build --trainable wrote"
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="D.npz", help="samples x and targets y"
    )
    add_number(
        parser,
        "--window",
        Bounds(1, MAX_VECTORS),
        default=50,
        metavar="N",
        help="samples to average (default: 50)",
    )
    add_changed(parser)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it: .png, .svg or .pdf")
    add_limits(parser)


def built_step(folder: Path) -> training_step.Step:
    """The training step of a build.

    Raises
    ------
    KanError : it is no folder of a build of a trainable network.
    """
    context = make_context()
    for path in written_stages(folder):
        module = load_model(context, path)
        if any(True for op in module.ops if op.name == "func.func") and training_step.is_trainable(
            find_function(module)
        ):
            return training_step.step_of(module)
    raise KanError(
        f"{folder} is no folder of a trainable build", remedy="run kan-flow build --trainable first"
    )


def run_train_sim(options: argparse.Namespace) -> int:
    """`kan-flow train-sim`.

    Raises
    ------
    KanError : see `simulate_training` and `plot_training`.
    """
    if options.plot is not None:
        check_writable(options.plot, [options.data])
    given = load_dataset(options.data)
    Bounds(1, len(given.x)).require("--window", options.window)
    step = built_step(options.folder)
    dataset = dataset_for(step.function, given)
    check_files(options, "ir/*", f"rtl/{step.name}.sv")
    with status_line("simulating the training"):
        rtl = options.folder / "rtl" / f"{step.name}.sv"
        course = learning_curve.simulate_training(rtl, step, dataset)
    run = course.verdict
    print(f"{step.name} in SystemVerilog: {run.describe()}, {run.cycles} cycles")
    mean = course.mean_error(options.window)
    print(f"{'samples':>8}  mean squared error over {options.window}")
    for end in _shown(len(dataset.x), options.window):
        print(f"{end:8}  {mean[end - options.window]:.6f}")
    if options.plot is not None:
        learning_curve.plot_training(options.plot, step, course, dataset, options.window)
        print(f"drawn to {options.plot}")
    return 0


def _shown(samples: int, window: int) -> list[int]:
    """Ends of windows to print: about twenty."""
    apart = max(window, -(-samples // (20 * window)) * window)
    ends = list(range(window, samples + 1, apart))
    return ends if ends[-1] == samples else [*ends, samples]
