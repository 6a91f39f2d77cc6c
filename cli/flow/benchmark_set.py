"""`kan-flow benchmark-set`: the networks that pipelines are compared on, as files."""

from __future__ import annotations

import argparse

from kan_dialect.cli.import_options import add_output_folder
from kan_dialect.errors import KanError
from kan_dialect.flows.benchmark_set.folder import write
from kan_dialect.flows.benchmark_set.networks import TITLE, chosen


def add_benchmark_set(parser: argparse.ArgumentParser) -> None:
    """Options of `kan-flow benchmark-set`."""
    parser.description = (
        "Write the benchmark set into a folder: 20 small networks of all kinds, with data. The "
        "same release writes the same bytes everywhere."
    )
    add_output_folder(parser)
    parser.add_argument("--only", metavar="NAME,...", help="these networks only")


def run_benchmark_set(options: argparse.Namespace) -> int:
    """Run `kan-flow benchmark-set`."""
    networks = chosen(names_of(options.only))
    write(networks, options.output, force=options.force)
    print(f"{TITLE}: {len(networks)} networks written to {options.output}")
    return 0


def names_of(text: str | None) -> list[str]:
    """Names with commas between; none where the option is not given.

    Raises
    ------
    KanError : the option is given without a name.
    """
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    if text is not None and not names:
        raise KanError("--only names no network", remedy="leave it out, or give names")
    return names
