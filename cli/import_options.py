"""Options of the commands that read models and write folders."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kan_dialect.deferred import DeferredModule
from kan_dialect.frontends.frontend import KEEP, TABLE_OVERFLOWS, ImportOptions

if TYPE_CHECKING:
    from kan_dialect.files import data_sets
else:
    data_sets = DeferredModule("kan_dialect.files.data_sets")


def add_strip_head(parser: argparse.ArgumentParser) -> None:
    """Add the option that leaves out a head, such as a softmax."""
    parser.add_argument(
        "--strip-head",
        action="store_true",
        help="import a model up to the softmax, argmax, sigmoid, ... that follows its last layer",
    )


def add_name(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the design."""
    parser.add_argument(
        "--name",
        metavar="NAME",
        help="name of the top module and of its files (default: the model's)",
    )


def add_output_folder(parser: argparse.ArgumentParser) -> None:
    """Add the options for the output folder."""
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace files in DIR that are in the way, and name them; without this option, a "
        "folder of another program and files that have changed are refused",
    )


def add_table_overflow(parser: argparse.ArgumentParser) -> None:
    """Add the option for the entries of published tables that exceed their bits."""
    parser.add_argument(
        "--table-overflow",
        choices=TABLE_OVERFLOWS,
        default=KEEP,
        help="entries of KANELÉ's truth tables beyond their layer's bits: as they stand, saturated "
        "(what the checkpoint computes), or cut to their lowest bits (what the published VHDL "
        "computes) (default: keep)",
    )


def add_compiled_model(parser: argparse.ArgumentParser, calibration: str) -> None:
    """Add the model that a command compiles into a folder, and how it is imported.

    Parameters
    ----------
    calibration : what the help says of the file of samples.
    """
    parser.add_argument("model", type=Path, help="a model file (.onnx, ...) or IR (.mlir)")
    add_output_folder(parser)
    add_name(parser)
    parser.add_argument("--calibration", type=Path, metavar="DATA.npz", help=calibration)
    add_strip_head(parser)
    add_table_overflow(parser)


def add_import_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that all commands with a model file share."""
    add_strip_head(parser)
    add_table_overflow(parser)
    parser.add_argument(
        "--samples",
        type=Path,
        metavar="DATA.npz",
        help="real inputs (x or x_train) at which functions of unknown form are probed",
    )


def import_options(arguments: argparse.Namespace) -> ImportOptions:
    """The import options on the command line, see `add_import_options`.

    Raises
    ------
    KanError : the data file cannot be read.
    """
    path: Path | None = arguments.samples
    dataset = None if path is None else data_sets.load_dataset(path)
    return ImportOptions(
        arguments.strip_head,
        None if dataset is None else dataset.x,
        arguments.table_overflow,
        None if dataset is None else dataset.x_test,
    )
