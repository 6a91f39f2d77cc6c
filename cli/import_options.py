"""Options of the commands that read models and write folders."""

from __future__ import annotations

import argparse
from pathlib import Path

from kan_dialect.files.data_sets import Dataset, load_dataset
from kan_dialect.frontends.frontend import KEEP, TABLE_OVERFLOWS, ImportOptions
from kan_dialect.frontends.loading import options_for


def add_strip_head(parser: argparse.ArgumentParser) -> None:
    """The option that leaves a softmax or the like out."""
    parser.add_argument(
        "--strip-head",
        action="store_true",
        help="import a model up to the softmax, argmax, sigmoid, ... that follows its last layer",
    )


def add_name(parser: argparse.ArgumentParser) -> None:
    """The option that gives the design another name than the model's file has."""
    parser.add_argument(
        "--name",
        metavar="NAME",
        help="of the top module and of what is written for it (default: the model's)",
    )


def add_output_folder(parser: argparse.ArgumentParser) -> None:
    """The options that say where a folder of files goes."""
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace files in DIR that are in the way, and name them: without it, a folder of "
        "others and files that have changed are refused",
    )


def add_table_overflow(parser: argparse.ArgumentParser) -> None:
    """The option that says how entries of published tables beyond their bits are read."""
    parser.add_argument(
        "--table-overflow",
        choices=TABLE_OVERFLOWS,
        default=KEEP,
        help="entries of KANELÉ's truth tables beyond their layer's bits: as they stand, saturated "
        "(what the checkpoint computes), or cut to their lowest bits (what the published VHDL "
        "computes) (default: keep)",
    )


def add_import_options(parser: argparse.ArgumentParser) -> None:
    """The options of the commands that read models."""
    add_strip_head(parser)
    add_table_overflow(parser)
    parser.add_argument(
        "--samples",
        type=Path,
        metavar="DATA.npz",
        help="real inputs (x or x_train): where functions are probed, if the model's form is "
        "unknown",
    )


def import_options(arguments: argparse.Namespace) -> ImportOptions:
    """What `add_import_options` was given.

    Raises
    ------
    KanError : the data file cannot be read.
    """
    path: Path | None = arguments.samples
    dataset = None if path is None else load_dataset(path)
    return ImportOptions(
        arguments.strip_head,
        None if dataset is None else dataset.x,
        arguments.table_overflow,
        None if dataset is None else dataset.x_test,
    )


def build_import_options(
    arguments: argparse.Namespace, path: Path, dataset: Dataset | None
) -> ImportOptions:
    """How a build reads a model: with its calibration samples, where the import can use them.

    Raises
    ------
    KanError : there is no such file, or no frontend for it.
    """
    wanted = dataset is not None and "samples" in options_for(path)
    known = dataset if wanted else None
    return ImportOptions(
        arguments.strip_head,
        None if known is None else known.x,
        arguments.table_overflow,
        None if known is None else known.x_test,
    )
