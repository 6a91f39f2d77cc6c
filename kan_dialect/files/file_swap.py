"""Files of a folder that change places with new ones, all or none, even if the process is killed.

New files are written into a temporary folder. A journal in it says which files go and which come.
Commands that read a folder call `settle`, which finishes what a killed process left.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, cast

from kan_dialect.errors import KanError
from kan_dialect.files.atomic import write_atomically
from kan_dialect.files.interruption import undisturbed
from kan_dialect.files.locks import lock, locked
from kan_dialect.files.manifest import NAME, digest, is_inside, obstacle

TEMPORARY = ".kan-new-"
"""Begins the name of the temporary folder in a folder that is being replaced."""

_NEW, _OLD, _JOURNAL = "new", "old", "swap.json"
"""Names inside a temporary folder: the new files, the replaced files, the steps of the swap."""

_LAST = ("report.json", NAME)
"""Files that are removed first and come last: a folder without them is not whole."""


def files_of(folder: Path) -> list[str]:
    """All files below a folder, by path in it."""
    return [
        str(Path(above, name).relative_to(folder))
        for above, _, names in os.walk(folder)
        for name in names
    ]


def in_order(names: Iterable[str]) -> list[str]:
    """Names in alphabetical order, but for the files that come last."""
    return sorted(names, key=lambda name: (_LAST.index(name) + 1 if name in _LAST else 0, name))


@dataclass
class Swap:
    """Files that change places, by path in the folder."""

    goes: dict[str, list[str] | None] = field(default_factory=dict[str, list[str] | None])
    """Files that go, with the digests that they may have; None: any."""
    comes: list[str] = field(default_factory=list[str])

    @classmethod
    def read(cls, path: Path) -> Swap | None:
        """The journal in a temporary folder; None where there is none that is whole."""
        try:
            found: Any = json.loads(path.read_text())
            swap = cls(dict(found["goes"]), list(found["comes"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None
        names = cast("list[object]", [*swap.goes, *swap.comes])
        return swap if all(isinstance(name, str) and is_inside(name) for name in names) else None


class NewFiles:
    """A temporary folder of new files, under a lock that says that its process is alive."""

    def __init__(self, home: Path, prefix: str) -> None:
        with locked(home):
            _settle(home, prefix)
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=home))
            self._held = lock(self.path)
        self._keeps = False
        self.new.mkdir()

    @property
    def new(self) -> Path:
        """The folder to write the files into."""
        return self.path / _NEW

    def becomes(self, place: Path) -> bool:
        """Rename the new files' folder to `place`, if there is nothing yet."""
        if self.path.parent == place or os.path.lexists(place):
            return False
        try:
            self.new.rename(place)
        except OSError:
            if place.is_dir():  # by now
                return False
            raise
        return True

    def move_into(self, place: Path) -> None:
        """Move the temporary folder into `place`, where those who find it look for it."""
        if self.path.parent != place:
            inside = place / f"{TEMPORARY}{self.path.name.rpartition('-')[2]}"
            self.path.rename(inside)
            self.path = inside

    def swap(self, swap: Swap) -> None:
        """Let files change places; or leave all as it was."""
        write_atomically(self.path / _JOURNAL, json.dumps(asdict(swap)))
        try:
            _exchange(self.path, swap)
        except _Stuck:
            self._keeps = True
            raise

    def close(self) -> None:
        """Remove the temporary folder, unless it holds files that could not be moved back."""
        if not self._keeps:
            _remove(self.path)
        if self._held is not None:
            os.close(self._held)


class _Stuck(KanError):
    """Files could not be moved back: they are in the temporary folder."""


def _exchange(temporary: Path, swap: Swap) -> None:
    """Let files change places, from wherever a process that was killed left them.

    Raises
    ------
    KanError : a file is in the way; all is as it was. OSError : likewise, for another reason.
    _Stuck : files could not be moved back.
    """
    place, new, old = temporary.parent, temporary / _NEW, temporary / _OLD
    moved: list[tuple[Path, Path]] = []
    made: list[Path] = []

    def move(source: Path, target: Path) -> None:
        for above in reversed(target.parents):
            if not above.exists():
                above.mkdir()
                made.append(above)
        source.rename(target)
        moved.append((source, target))

    try:
        for name, known in swap.goes.items():
            replaced = name in swap.comes and not os.path.lexists(new / name)
            if not replaced and os.path.lexists(place / name) and not os.path.lexists(old / name):
                move(place / name, old / name)
                if known is not None and digest(old / name) not in known:
                    raise KanError(f"{place / name} has just changed", remedy="move it elsewhere")
        for name in swap.comes:
            if os.path.lexists(new / name):
                if os.path.lexists(place / name) or obstacle(place, name) is not None:
                    raise KanError(f"{place / name} is in the way", remedy="move it elsewhere")
                move(new / name, place / name)
    except (OSError, KanError):
        try:
            for source, target in reversed(moved):
                target.rename(source)
        except OSError as error:
            raise _Stuck(
                f"cannot write into {place}: {error.strerror}; files of it are in {old} now",
                remedy="move them back",
            ) from None
        for empty in reversed(made):
            with suppress(OSError):
                empty.rmdir()
        raise
    above = {parent for name in swap.goes for parent in PurePosixPath(name).parents[:-1]}
    for parent in sorted(above, key=lambda each: -len(each.parts)):
        with suppress(OSError):  # not empty
            (place / parent).rmdir()


def settle(folder: Path) -> None:
    """Finish what a process that was killed left of files changing places in a folder.

    Commands that read a folder call it first, so that they see the old files or the new ones.

    Raises
    ------
    KanError : the files cannot be moved.
    """
    place = Path(os.path.realpath(folder))
    try:
        if place.is_dir() and any(is_temporary(path) for path in place.iterdir()):
            with locked(place):
                _settle(place, TEMPORARY)
    except OSError as error:
        raise KanError(f"cannot write into {folder}: {error.strerror or error}") from None


def _settle(home: Path, prefix: str) -> None:
    """Finish or remove what killed processes left, under the lock of `home`."""
    for left in list(home.iterdir()):
        with suppress(FileNotFoundError):
            descriptor = lock(left, wait=False) if is_temporary(left, prefix) else None
            if descriptor is None:
                continue
            try:
                swap = Swap.read(left / _JOURNAL)
                if swap is not None and prefix == TEMPORARY:
                    with undisturbed():
                        _exchange(left, swap)
                _remove(left)
            finally:
                os.close(descriptor)


def is_temporary(path: Path, prefix: str = TEMPORARY) -> bool:
    """Whether a folder was made by `NewFiles`, for this user, and holds nothing else."""
    try:
        return (
            path.name.startswith(prefix)
            and not path.is_symlink()
            and path.stat().st_uid == os.geteuid()
            and all(
                inner.name in (_NEW, _OLD) or inner.name.startswith((_JOURNAL, f".{_JOURNAL}."))
                for inner in path.iterdir()
            )
        )
    except OSError:
        return False


def _remove(folder: Path) -> None:
    """Remove a temporary folder. The journal goes first: what is left is not to be finished."""
    with suppress(OSError):
        (folder / _JOURNAL).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
