"""`--changed` of commands that read a build: whether they go on with files that were changed."""

from __future__ import annotations

import argparse
import logging
import os

from kan_dialect.errors import KanError
from kan_dialect.files.folder_ownership import not_as_written
from kan_dialect.flows.folder_owners import BUILD, changed_files
from kan_dialect.flows.prove.interfaces.of_build import BuiltWrapper

_LOG = logging.getLogger(__name__)


def add_changed(parser: argparse.ArgumentParser) -> None:
    """Add `--changed`."""
    parser.add_argument(
        "--changed",
        action="store_true",
        help="go on with files of DIR that were changed after the build",
    )


def check_files(options: argparse.Namespace, *patterns: str) -> None:
    """Refuse files of a build that have changed since; with `--changed`, name them in a note.

    Parameters
    ----------
    patterns : the files that the command reads, by path in the folder.

    Raises
    ------
    KanError : a file is not as the build wrote it, or the build's list of files is missing.
    """
    changed = changed_files(options.folder, *patterns)
    if not changed:
        return
    remedy = "run kan-flow build again, or add --changed to go on with what is there"
    error = not_as_written(options.folder, BUILD, changed, remedy)
    if not options.changed:
        raise error
    _LOG.warning("--changed: %s", error.message)


def check_proven_files(
    options: argparse.Namespace, name: str, wrapper: BuiltWrapper | None
) -> None:
    """Check the files that `kan-flow prove` reads and that no option names.

    Parameters
    ----------
    name : of the design.

    Raises
    ------
    KanError : see `check_files`; or other files would be proven, and the proof noted in the report.
    """
    if options.report and (options.changed or options.rtl or options.wrapper or options.against):
        raise KanError(
            "--report notes proofs of what kan-flow build wrote",
            remedy="leave it out where other files or a model are proven",
        )
    patterns = ["ir/*", "report.json"]
    if options.rtl is None:
        patterns.append(f"rtl/{name}.sv")
    if options.wrapper is None and wrapper is not None:
        patterns.append(os.path.relpath(wrapper.rtl, options.folder))
    check_files(options, *patterns)
