"""Owners of output folders: which files of a folder a tool may replace, and when it refuses.

A folder keeps a manifest: the files that a tool wrote into it (`manifest.py`). The tool refuses
where a file of others is in the way, or where a folder is not empty and has no manifest, unless it
is forced.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.files.locks import locked
from kan_dialect.files.manifest import NAME, Listing


@dataclass(frozen=True)
class Owner:
    """The tool that writes a folder."""

    tool: str
    """Its name in the manifest and in messages: `kan-flow build`."""
    forced: str | None = "--force"
    """The option that replaces files of others; None without one."""


def require_ours(
    folder: Path, owner: Owner, *, force: bool = False, spared: Sequence[str] = ()
) -> None:
    """Refuse a folder in which files of others would be lost.

    Parameters
    ----------
    force : whether files that are in the way may be replaced.
    spared : files that will not be replaced.

    Raises
    ------
    KanError : it is no folder, another one's, or files in it have changed.
    """
    _require_folder(folder)
    place = Path(os.path.realpath(folder))
    if not place.is_dir():
        return
    with writing_into(folder), locked(place):
        listing = listing_of(place, owner)
        there = any(place.iterdir())
        changed = [] if listing is None else listing.changed(place)
    if force:
        return
    if listing is None and there:
        raise not_ours(folder, place, owner)
    changed = [name for name in changed if name not in spared]
    if changed:
        raise in_the_way(folder, owner, changed)


def _require_folder(folder: Path) -> None:
    with writing_into(folder), suppress(FileNotFoundError):
        if not stat.S_ISDIR(folder.stat().st_mode):
            raise KanError(f"cannot write into {folder}: it is a file", remedy="name a folder")


@contextmanager
def writing_into(folder: Path) -> Generator[None]:
    """Errors of the operating system become messages that name the folder.

    Raises
    ------
    KanError : in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise KanError(f"cannot write into {folder}: {error.strerror or error}") from None


def listing_of(place: Path, owner: Owner) -> Listing | None:
    """The manifest that the owner wrote; None if it is missing, or another tool's."""
    listing = Listing.read(place)
    return listing if listing is not None and listing.tool == owner.tool else None


def not_ours(folder: Path, place: Path, owner: Owner) -> KanError:
    """The error for a folder that another tool, or nobody known, has written."""
    listing = Listing.read(place)
    if listing is not None:
        reason = f"is a folder of {listing.tool}"
    elif os.path.lexists(place / NAME):
        reason = f"holds a file {NAME} that is no list of files"
    else:
        reason = f"is not empty, and {owner.tool} did not write it"
    remedy = "name another folder"
    if owner.forced is not None:
        remedy += f", or add {owner.forced}, which replaces the files that are in the way"
    return KanError(f"{folder} {reason}", remedy=remedy)


def in_the_way(folder: Path, owner: Owner, names: Sequence[str]) -> KanError:
    """The error for files that are not as the owner wrote them."""
    them = "it" if len(names) == 1 else "them"
    remedy = f"move {them} elsewhere"
    if owner.forced is not None:
        remedy += f", or add {owner.forced}, which replaces {them}"
    return not_as_written(folder, owner, names, remedy)


def not_as_written(folder: Path, owner: Owner, names: Sequence[str], remedy: str) -> KanError:
    """The error for files that have changed since the owner wrote them."""
    one = len(names) == 1
    return KanError(
        f"{', '.join(names)} in {folder} {'is' if one else 'are'} not as {owner.tool} wrote "
        f"{'it' if one else 'them'}",
        remedy=remedy,
    )
