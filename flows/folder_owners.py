"""Who writes the folders of builds, sweeps and tuning, and which files are theirs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from kan_dialect.files.folder_ownership import Owner, listing_of, not_as_written
from kan_dialect.files.manifest import NAME, Listing
from kan_dialect.flows import readme

BUILD = Owner("kan-flow build")
BUILT = replace(BUILD, forced=None)
"""The owner of a build's files for commands that add to it."""
SWEEP = Owner("kan-flow sweep")
TUNE = Owner("kan-flow tune")


def spared_files(folder: Path) -> Sequence[str]:
    """Files of a folder that a build leaves as they are: a README.md that is not as it wrote it."""
    if not os.path.lexists(folder / readme.NAME):
        return ()
    listing = Listing.read(folder)
    ours = listing is not None and listing.is_unchanged(folder, readme.NAME)
    return () if ours else (readme.NAME,)


def changed_files(folder: Path, *patterns: str) -> list[str]:
    """Files of a build that are not as the build wrote them, by path in the folder.

    The list that tells is in the folder itself: it shows mistakes, and stops no forger.

    Parameters
    ----------
    patterns : which files: paths, or patterns such as `ir/*`.

    Returns
    -------
    Listed files that have changed or are missing, and paths that are not listed. Without a list of
    `kan-flow build`: the list itself.
    """
    listing = listing_of(folder, BUILD)
    if listing is None:
        return [NAME]
    listed = [name for name in listing.digests if any(fnmatchcase(name, at) for at in patterns)]
    paths = [path for path in patterns if "*" not in path and path not in listed]
    return [*(name for name in listed if not listing.is_unchanged(folder, name)), *paths]


def require_as_built(folder: Path, *patterns: str, remedy: str) -> None:
    """Refuse files of a build that have changed since.

    Raises
    ------
    KanError : see `changed_files`.
    """
    changed = changed_files(folder, *patterns)
    if changed:
        raise not_as_written(folder, BUILD, changed, remedy)
