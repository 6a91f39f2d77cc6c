"""`kan-flow train`: from labelled samples to networks that are small in hardware."""

from __future__ import annotations

import argparse
import re
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
from kan_dialect.passbase.progress import TimeLeft
from kan_dialect.qat.api import TRAIN, read_samples, train_by
from kan_dialect.qat.options import MONOTONE, NETWORK, Schedule, TrainingOptions
from kan_dialect.qat.results import State, Trained
from kan_dialect.qat.table import TableOptions
from kan_dialect.qat.workers import Workers
from kan_dialect.quantity import quantity

TABLE = PassOptions(
    TableOptions,
    metavars={
        **dict.fromkeys(("label", "without"), "COLUMN[,COLUMN...]"),
        **dict.fromkeys(("group", "time"), "COLUMN"),
        "class-weights": "balanced|FILE",
    },
)
TRAINING = PassOptions(
    TrainingOptions,
    without=("name", "target", "schedule", "table"),
    metavars={
        **dict.fromkeys(("min-recall", "max-false-alarms"), "CLASS=SHARE[,CLASS=SHARE...]"),
        "monotone": "FEATURE=+|-[,FEATURE=+|-...]",
    },
)
MOST_CLASSES = 12
"""Of a confusion that is printed."""
SCHEDULE = PassOptions(Schedule, without=("warm", "last-rate", "interval"))


class FirstClauses(argparse.HelpFormatter):
    """Help with the first clause of each text, so that all options are seen at once."""

    def _expand_help(self, action: argparse.Action) -> str:
        text = super()._expand_help(action)
        end = re.search(r"( \[[^\]]*\])?( \(default: [^)]*\))?$", text)
        assert end is not None
        return re.split(r"[:;.] | \(", text[: end.start()], maxsplit=1)[0] + end[0]


def add_train(parser: argparse.ArgumentParser) -> None:
    """Options of `kan-flow train`."""
    parser.description = (
        "Train networks whose bits are learned together with their functions, while the price of "
        "a LUT rises: one training gives a front of networks, from accurate to small. Needs "
        "PyTorch (kan-dialect[torch]). Run again, a training that was stopped goes on."
    )
    parser.usage = "kan-flow train DATA -o DIR [option ...]"
    parser.epilog = "docs/reference/commands.md says more of each option."
    parser.formatter_class = FirstClauses
    parser.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help=".csv with a column of labels, and where given split (train, test); or .npz with x "
        "and y, or x_train and y_train, and where given x_test and y_test, which are evaluated "
        "once, for the chosen network",
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
    TABLE.add_to(parser.add_argument_group("the table"))
    TRAINING.add_to(parser.add_argument_group("networks, and which is chosen"))
    SCHEDULE.add_to(parser.add_argument_group("steps and prices"))
    add_workers(parser)


def run_train(options: argparse.Namespace) -> int:
    """Run `kan-flow train`."""
    require_torch("training")
    require_ours(options.output, TRAIN, force=options.force)
    chosen = TrainingOptions(
        **TRAINING.values(options),
        target=options.target,
        name=options.name,
        schedule=Schedule(**SCHEDULE.values(options)),
        table=TableOptions(**TABLE.values(options)),
    )
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    table = read_samples(options.data, chosen)
    tell(console, f"{options.data}: {table.summary()}")
    for note in table.notes:
        tell(console, note)
    timed = TimeLeft()

    def line(state: State) -> str:
        text = timed("training", state.step, state.steps)
        return f"{text}; {state.luts:.0f} LUTs, loss {state.loss:.4f}"

    here, far = options.scheduler is None and jobs_of(options) == 1, options.scheduler is not None
    with runner_of(options) as runner, status_line("training") as say:
        trained = train_by(
            Workers(runner, here, far),
            table,
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
    if chosen.monotone:
        tell(console, f"  kan-flow prove DIR --property {options.output / MONOTONE}")
    return 0


def _print(trained: Trained, options: TrainingOptions, console: Console) -> None:
    tell(
        console,
        f"\n{trained.network.name} on {options.target}: {quantity(len(trained.front), 'network')}, "
        f"{trained.seconds:.0f} s\n",
    )
    _print_table(trained.rows(), console)
    chosen = trained.chosen
    tell(console, "\nthe chosen network (*):")
    for name, figures in (("held-out", chosen.held_out), ("test", trained.test)):
        if figures is None:
            continue
        r2 = trained.r2(figures)
        explained = "" if r2 is None else f", R² {r2:.4f}"
        tell(
            console,
            f"{name} {trained.score_name} {figures.score:.4g} ± {figures.error:.2g}{explained}",
        )
    if not trained.judge.classes:
        return
    if trained.judge.is_threshold:
        names = trained.class_names
        tell(
            console,
            f"a threshold of {chosen.held_out.threshold:.4g} on the log odds of {names[1]} is in "
            "its last sum",
        )
    tell(console, "shares of each class, with intervals of 95 %:\n")
    _print_table(trained.class_rows(), console)
    if trained.judge.classes <= MOST_CLASSES:
        for name, figures in (("held-out", chosen.held_out), ("test", trained.test)):
            if figures is not None:
                tell(console, f"\n{name} samples, and what they are decided as:\n")
                _print_table(trained.confusion_rows(figures), console)


def _print_table(rows: list[tuple[str, ...]], console: Console) -> None:
    head, *body = rows
    table = column_table(head, left=0)
    for row in body:
        table.add_row(*row)
    console.print(table)
