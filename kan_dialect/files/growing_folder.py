"""Output folders that grow file by file, over several runs, and single files of output folders."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.files.atomic import write_atomically
from kan_dialect.files.folder_ownership import (
    Owner,
    in_the_way,
    listing_of,
    not_ours,
    require_ours,
    writing_into,
)
from kan_dialect.files.locks import locked
from kan_dialect.files.manifest import NAME, Listing, is_file_with, line, obstacle

_LOG = logging.getLogger(__name__)


class GrowingFolder:
    """A folder that its owner fills file by file, over several runs; `create` comes first."""

    def __init__(self, folder: Path, owner: Owner, *, force: bool = False) -> None:
        """
        Raises
        ------
        KanError : the folder is not the owner's.
        """
        require_ours(folder, owner, force=force)
        self.path, self._owner, self._force = folder, owner, force

    def create(self) -> None:
        """Make the folder and its list, where they are missing.

        Raises
        ------
        KanError : they cannot be made.
        """
        place = Path(os.path.realpath(self.path))
        with writing_into(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            with locked(place):
                if listing_of(place, self._owner) is None:
                    if os.path.lexists(place / NAME):
                        _replace(self.path, self._owner, NAME)
                    write_atomically(place / NAME, Listing(self._owner.tool).text())

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file, atomically.

        Raises
        ------
        KanError : see `write_listed`.
        """
        write_listed(self.path, self._owner, name, content, force=self._force)


def write_listed(
    folder: Path, owner: Owner, name: str, content: str | bytes, *, force: bool = False
) -> None:
    """Write a file of an output folder, atomically, and list it.

    Parameters
    ----------
    force : replace a file that is in the way, and name it in a note.

    Raises
    ------
    KanError : the folder is not the owner's, the file cannot be written, or a file or link that is
        not the owner's is in the way.
    """
    data = content.encode() if isinstance(content, str) else content
    place, content_digest = Path(os.path.realpath(folder)), hashlib.sha256(data).hexdigest()
    path = place / name
    try:
        with locked(place):
            listing = listing_of(place, owner)
            if listing is None:
                raise not_ours(folder, place, owner)
            there = obstacle(place, name) or name
            if os.path.lexists(place / there) and not (
                listing.is_unchanged(place, name) or is_file_with(place, name, content_digest)
            ):
                if not force or there != name or (path.is_dir() and not path.is_symlink()):
                    raise in_the_way(folder, owner, [there])
                _replace(folder, owner, name)
            former = listing.digests.get(name, set())
            if content_digest not in former:
                # First the list: who is killed in between leaves no file that nobody knows.
                _append(place, line(name, content_digest))
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data)
            if former - {content_digest}:
                listing.digests[name] = {content_digest}
                write_atomically(place / NAME, listing.text())
    except OSError as error:
        raise KanError(f"cannot write {folder / name}: {error.strerror}") from None


def _replace(folder: Path, owner: Owner, name: str) -> None:
    """Remove a file or link that is in the way, with a note. A link's target stays."""
    _LOG.warning("%s replaces in %s: %s", owner.forced, folder, name)
    (folder / name).unlink()


def _append(place: Path, entry: str) -> None:
    """Add a line to the list of a folder, which is locked."""
    with (place / NAME).open("a+b") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # cut: its process was killed
                file.write(b"\n")
        file.write(f"{entry}\n".encode())
