"""What `kan-flow train` does once PyTorch is there."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console
from rich.table import Table

from kan_dialect.cli.tool_limits import status_line
from kan_dialect.errors import KanError
from kan_dialect.files.folder_ownership import require_ours
from kan_dialect.frontends.naming import identifier
from kan_dialect.passbase.option_bounds import Bounds
from kan_dialect.passbase.progress import TimeLeft
from kan_dialect.qat.api import train
from kan_dialect.qat.descent import Schedule
from kan_dialect.qat.folder import NETWORK, TRAIN
from kan_dialect.qat.training import State, Trained, TrainingOptions

NODES = Bounds(1, 4096)


def train_networks(options: argparse.Namespace) -> None:
    """Train, write the folder and print the front."""
    require_ours(options.output, TRAIN, force=options.force)
    chosen = _options(options)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    timed = TimeLeft()

    def line(state: State) -> str:
        text = timed("training", state.step, state.steps)
        return f"{text}; {state.luts:.0f} LUTs, loss {state.loss:.4f}"

    with status_line("training") as say:
        trained = train(
            options.data,
            chosen,
            folder=options.output,
            force=options.force,
            progress=lambda state: say(line(state)),
        )
    _print(trained, chosen, console)
    path = options.output / NETWORK
    _tell(console, f"\nthe chosen network is {path}; to build it:")
    target = "" if chosen.target == TrainingOptions.target else f" --target {chosen.target}"
    _tell(console, f"  kan-flow build {path} --calibration {options.data}{target} -o DIR")


def _options(options: argparse.Namespace) -> TrainingOptions:
    if not options.first_price < options.last_price:
        raise KanError(
            f"--first-price is {options.first_price:g} and --last-price {options.last_price:g}",
            remedy="the price of a LUT rises: give a higher last price",
        )
    return TrainingOptions(
        hidden=_widths(options.hidden),
        target=options.target,
        input_bits=options.input_bits,
        hidden_bits=options.hidden_bits,
        functions=options.functions,
        cells=options.cells,
        max_luts=options.max_luts,
        folds=options.folds,
        schedule=Schedule(
            steps=options.steps, first_price=options.first_price, last_price=options.last_price
        ),
        seed=options.seed,
        name=options.name or identifier(options.data.stem),
    )


def _widths(text: str) -> tuple[int, ...]:
    found: list[int] = []
    for part in text.split(",") if text else []:
        if not part.strip().isdecimal():
            raise KanError(f"--hidden takes whole numbers with commas between, got {text!r}")
        NODES.require("--hidden", int(part))
        found.append(int(part))
    return tuple(found)


def _print(trained: Trained, options: TrainingOptions, console: Console) -> None:
    what = "accuracy" if trained.is_classes else "score"
    _tell(
        console,
        f"\n{options.name} on {options.target}: {len(trained.front)} networks, "
        f"{trained.seconds:.0f} s\n",
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("", "LUTs", "registers", "levels", f"held-out {what}"):
        table.add_column(name, justify="right")
    for point in trained.front:
        table.add_row(
            "*" if point is trained.chosen else "",
            str(point.luts),
            str(point.registers),
            str(point.levels),
            f"{point.score:.4f} ± {point.error:.4f}",
        )
    console.print(table)
    if trained.test_score is not None:
        _tell(console, f"\ntest {what} of the chosen network (*): {trained.test_score:.4f}")


def _tell(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)
