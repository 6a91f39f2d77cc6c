"""`kan-flow train`: from labelled samples to networks that are small in hardware."""

from __future__ import annotations

import argparse
from pathlib import Path

from kan_dialect.cli.import_options import add_output_folder
from kan_dialect.cli.number_options import add_number
from kan_dialect.deferred import deferred
from kan_dialect.devices.device import XCUP, device_names
from kan_dialect.frontends.torch.files import require_torch
from kan_dialect.passbase.option_bounds import Bounds

_run = deferred("kan_dialect.cli.flow.train_networks", "train_networks")
"""Its module imports PyTorch, which takes seconds and may be missing."""

BITS, CELLS = Bounds(1, 10), Bounds(1, 64)
STEPS, FOLDS, SEEDS = Bounds(100, 1_000_000), Bounds(1, 20), Bounds(0, 1_000_000)
LUTS = Bounds(1)
PRICES = Bounds(0, above=True)


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
        "numbers; x_test and y_test are evaluated once, for the chosen network",
    )
    parser.add_argument(
        "--hidden",
        default="",
        metavar="N[,N...]",
        help="number of nodes of each hidden layer (default: no hidden layer)",
    )
    parser.add_argument(
        "--target",
        default=XCUP.name,
        choices=device_names(),
        help=f"device whose LUTs are counted (default: {XCUP.name})",
    )
    add_number(
        parser, "--max-luts", LUTS, metavar="N", help="most LUTs of the chosen network, by estimate"
    )
    for option, what in (("--input-bits", "an input's code"), ("--hidden-bits", "a hidden node")):
        add_number(
            parser,
            option,
            BITS,
            metavar="N",
            default=5,
            help=f"bits of {what}; edges read as many as they need (default: 5)",
        )
    parser.add_argument(
        "--functions",
        choices=("spline", "table"),
        default="spline",
        help="edges are trained as B-splines, or as tables with an entry a code (default: spline)",
    )
    add_number(
        parser, "--cells", CELLS, metavar="N", default=6, help="cells of the grids (default: 6)"
    )
    add_number(
        parser,
        "--folds",
        FOLDS,
        metavar="N",
        help="networks that hold out a part of the samples each; 1: a quarter is held out "
        "(default: 4 for fewer than 2000 samples, else 1)",
    )
    add_number(
        parser, "--steps", STEPS, metavar="N", default=2000, help="gradient steps (default: 2000)"
    )
    for option, field, default in (
        ("--first-price", "after a quarter of the steps", 1e-5),
        ("--last-price", "at the end", 1e-2),
    ):
        add_number(
            parser,
            option,
            PRICES,
            kind=float,
            metavar="X",
            default=default,
            help=f"loss that a LUT is worth {field} (default: {default:g})",
        )
    add_number(parser, "--seed", SEEDS, metavar="N", default=0, help="of everything random")
    parser.add_argument(
        "--name", metavar="NAME", help="name of the design (default: the data file's)"
    )
    add_output_folder(parser)


def run_train(options: argparse.Namespace) -> int:
    """Run `kan-flow train`."""
    require_torch("training")
    _run(options)
    return 0
