"""The list of the files that a tool wrote into a folder, which the folder keeps in `.kan-files`.

A tool replaces and removes files that are in the list and have not changed since, and no others.
The format is that of `sha256sum`: `sha256sum --check .kan-files` says which files have changed.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

NAME = ".kan-files"

_TITLE = re.compile(r"# Files that (.+) wrote into this folder\. .*")
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def digest(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal.

    Raises
    ------
    OSError : the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_inside(name: str) -> bool:
    """Whether a path, as a list has it, is relative and stays in the folder."""
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and "\0" not in name


def obstacle(folder: Path, name: str) -> str | None:
    """The first part of a path that exists and is no folder of its own, such as a link.

    Paths beneath a link lead elsewhere: a file there is not in `folder`.
    """
    for above in reversed(PurePosixPath(name).parents[:-1]):
        place = folder / above
        if os.path.lexists(place) and (place.is_symlink() or not place.is_dir()):
            return str(above)
    return None


@dataclass
class Listing:
    """Files of a folder by their path in it, with digests of the contents that a tool gave them."""

    tool: str
    """Who wrote them: `kan-flow build`."""
    digests: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """A file may have several: a new one is noted before the file is replaced."""

    @classmethod
    def of(cls, tool: str, folder: Path, names: Iterable[str]) -> Listing:
        """The list of files that are in a folder."""
        return cls(tool, {name: {digest(folder / name)} for name in names})

    @classmethod
    def read(cls, folder: Path) -> Listing | None:
        """The list in a folder; None without one, or where a file of its name is not a list."""
        path = folder / NAME
        try:
            lines = path.read_text().splitlines()
        except (OSError, UnicodeDecodeError):
            return None
        title = _TITLE.fullmatch(lines[0]) if lines and not path.is_symlink() else None
        if title is None:
            return None
        found = cls(title[1])
        for line in lines[1:]:
            entry = _LINE.fullmatch(line)
            # The last line may be cut: the tool was killed while it wrote it.
            if entry is not None and is_inside(entry[2]):
                found.digests.setdefault(entry[2], set()).add(entry[1])
        return found

    def text(self) -> str:
        """The file's content."""
        lines = [
            f"# Files that {self.tool} wrote into this folder. It replaces and removes these, if "
            "they have not changed, and no others."
        ]
        lines += [
            line(name, found) for name, each in self.digests.items() for found in sorted(each)
        ]
        return "".join(f"{line}\n" for line in lines)

    def is_unchanged(self, folder: Path, name: str) -> bool:
        """Whether a file is in the list and has a content that the list has for it."""
        return is_file_with(folder, name, *self.digests.get(name, ()))

    def changed(self, folder: Path) -> list[str]:
        """The files of the list that are there with another content."""
        return [
            name
            for name in self.digests
            if os.path.lexists(folder / name) and not self.is_unchanged(folder, name)
        ]


def line(name: str, found: str) -> str:
    """A file's line in the list."""
    return f"{found}  {name}"


def written_stages(folder: Path) -> list[Path]:
    """The stages `ir/*.mlir` of a build, in order: of the list where there is one.

    Files that others put beside them are left out.
    """
    paths = sorted((folder / "ir").glob("*.mlir"))
    listing = Listing.read(folder)
    return [path for path in paths if listing is None or f"ir/{path.name}" in listing.digests]


def is_file_with(folder: Path, name: str, *digests: str) -> bool:
    """Whether a folder holds a file of that name and one of these digests, and no link to it."""
    path = folder / name
    if not digests or obstacle(folder, name) is not None or path.is_symlink():
        return False
    try:
        return path.is_file() and digest(path) in digests
    except OSError:
        return False
