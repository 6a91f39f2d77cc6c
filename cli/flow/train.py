"""`kan-flow train`: from labelled samples to networks that are small in hardware."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from kan_dialect.cli.flow.workers import add_workers, jobs_of, runner_of
from kan_dialect.cli.import_options import add_output_folder
from kan_dialect.cli.pass_options import PassOptions
from kan_dialect.cli.tool_limits import status_line
from kan_dialect.devices.device import XCUP
from kan_dialect.extras import require_torch
from kan_dialect.files.folder_ownership import require_ours
from kan_dialect.flows.terminal import column_table, tell
from kan_dialect.frontends.naming import identifier
from kan_dialect.passbase.progress import TimeLeft
from kan_dialect.qat.api import TRAIN, train_by
from kan_dialect.qat.options import NETWORK, Schedule, TrainingOptions
from kan_dialect.qat.results import State, Trained
from kan_dialect.qat.workers import Workers
from kan_dialect.quantity import quantity

TRAINING = PassOptions(TrainingOptions, without=("name", "target", "schedule"))
SCHEDULE = PassOptions(Schedule, without=("warm", "last-rate", "interval"))


def add_train(parser: argparse.ArgumentParser) -> None:
    """Options of `kan-flow train`."""
    parser.description = (
        "Train networks whose bits are learned together with their functions, while the price of "
        "a LUT rises: one training gives a front of networks, from accurate to small. Needs "
        "PyTorch (kan-dialect[torch]). Run again, a training that was stopped goes on."
    )
    parser.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help=".npz with x and y, or x_train and y_train: integer labels are classes, others are "
        "numbers; x_test and y_test are evaluated once, for the chosen network. Or .csv with a "
        "column label, class, target or y, and where given split (train, test)",
    )
    add_output_folder(parser)
    parser.add_argument(
        "--start",
        type=Path,
        metavar="MODEL",
        help="a trained Kolmogorov-Arnold network to start from (.onnx, .mlir, ...); sizes of "
        "hidden layers are its own",
    )
    parser.add_argument(
        "--teacher",
        type=Path,
        metavar="MODEL",
        help="a trained model whose results are learned beside the labels; .onnx may be of any "
        "kind",
    )
    parser.add_argument(
        "--name", metavar="NAME", help="name of the design (default: the data file's)"
    )
    parser.add_argument(
        "--target",
        default=XCUP.name,
        metavar="DEVICE",
        help=f"device whose LUTs are counted (default: {XCUP.name})",
    )
    TRAINING.add_to(parser)
    SCHEDULE.add_to(parser)
    add_workers(parser)


def run_train(options: argparse.Namespace) -> int:
    """Run `kan-flow train`."""
    require_torch("training")
    require_ours(options.output, TRAIN, force=options.force)
    chosen = TrainingOptions(
        **TRAINING.values(options),
        target=options.target,
        name=options.name or identifier(options.data.stem),
        schedule=Schedule(**SCHEDULE.values(options)),
    )
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    timed = TimeLeft()

    def line(state: State) -> str:
        text = timed("training", state.step, state.steps)
        return f"{text}; {state.luts:.0f} LUTs, loss {state.loss:.4f}"

    here, far = options.scheduler is None and jobs_of(options) == 1, options.scheduler is not None
    with runner_of(options) as runner, status_line("training") as say:
        trained = train_by(
            Workers(runner, here, far),
            options.data,
            chosen,
            start=options.start,
            teacher=options.teacher,
            folder=options.output,
            force=options.force,
            progress=lambda state: say(line(state)),
        )
    _print(trained, chosen, console)
    path = options.output / NETWORK
    tell(console, f"\nthe chosen network is {path}; to build it:")
    target = "" if chosen.target == TrainingOptions.target else f" --target {chosen.target}"
    tell(console, f"  kan-flow build {path} --calibration {options.data}{target} -o DIR")
    return 0


def _print(trained: Trained, options: TrainingOptions, console: Console) -> None:
    tell(
        console,
        f"\n{options.name} on {options.target}: {quantity(len(trained.front), 'network')}, "
        f"{trained.seconds:.0f} s\n",
    )
    head, *rows = trained.rows()
    table = column_table(head, left=0)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if trained.test_score is not None:
        tell(
            console,
            f"\ntest {trained.score_name} of the chosen network (*): {trained.test_score:.4f}",
        )
