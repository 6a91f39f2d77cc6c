"""Output folders that grow file by file, over several runs, and single files of output folders."""

from __future__ import annotations

import hashlib
import logging
import os
from contextlib import suppress
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.files.atomic import write_atomically
from kan_dialect.files.folder_ownership import (
    Owner,
    in_the_way,
    listing_of,
    not_ours,
    require_ours,
)
from kan_dialect.files.locks import locked
from kan_dialect.files.manifest import (
    NAME,
    Listing,
    UnreadableListing,
    digest,
    is_file_in,
    line,
    obstacle,
)

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
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with locked(self._place):
                if listing_of(self._place, self._owner) is None:
                    if os.path.lexists(self._place / NAME):
                        self._replace(NAME)
                        _unlink_link(self._place / NAME)
                    write_atomically(self._place / NAME, Listing(self._owner.tool).text())
        except OSError as error:
            raise KanError(f"cannot write into {self.path}: {error.strerror or error}") from None

    @property
    def _place(self) -> Path:
        return Path(os.path.realpath(self.path))

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file, atomically.

        Raises
        ------
        KanError : the file cannot be written, or one that is not the owner's is in the way.
        """
        data = content.encode() if isinstance(content, str) else content
        path, content_digest = self._place / name, hashlib.sha256(data).hexdigest()
        try:
            with locked(self._place):
                listing = listing_of(self._place, self._owner)
                if listing is None:
                    raise not_ours(self.path, self._place, self._owner)
                self._require_free(listing, name, content_digest)
                if content_digest not in listing.digests.get(name, ()):
                    # First the list: who is killed in between leaves no file that nobody knows.
                    _append(self._place, line(name, content_digest))
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, data)
        except OSError as error:
            raise KanError(f"cannot write {self.path / name}: {error.strerror}") from None

    def _require_free(self, listing: Listing, name: str, content_digest: str) -> None:
        there = obstacle(self._place, name) or name
        path = self._place / there
        if not os.path.lexists(path) or listing.is_unchanged(self._place, name):
            return
        if there == name and is_file_in(self._place, name):
            if not path.is_symlink() and digest(path) == content_digest:
                return
            if self._force:
                self._replace(name)
                _unlink_link(path)
                return
        raise in_the_way(self.path, self._owner, [there])

    def _replace(self, name: str) -> None:
        _LOG.warning("%s replaces in %s: %s", self._owner.forced, self.path, name)


def write_listed(path: Path, content: str) -> None:
    """Replace a file in an output folder, atomically; if it is in the folder's list, anew.

    Raises
    ------
    KanError : the file cannot be written; what was there is untouched.
    """
    place = path.parent
    try:
        with locked(Path(os.path.realpath(place))):
            with suppress(UnreadableListing):
                listing = Listing.read(place)
                if listing is not None and listing.is_unchanged(place, path.name):
                    found = hashlib.sha256(content.encode()).hexdigest()
                    if found not in listing.digests[path.name]:
                        _append(place, line(path.name, found))
            write_atomically(path, content)
    except OSError as error:
        raise KanError(f"cannot write {path}: {error.strerror}") from None


def _append(place: Path, entry: str) -> None:
    """Add a line to the list of a folder, which is locked; a link in its place goes first."""
    _unlink_link(place / NAME)
    with (place / NAME).open("a+b") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # cut: its process was killed
                file.write(b"\n")
        file.write(f"{entry}\n".encode())


def _unlink_link(path: Path) -> None:
    """Remove a link, so that writing leaves the file that it leads to alone."""
    if path.is_symlink():
        path.unlink()
