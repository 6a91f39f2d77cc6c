"""Output folders that appear whole or not at all, and that keep the files of others.

A folder keeps a manifest: the files that a tool wrote into it (`manifest.py`). Unchanged files of
the manifest are replaced and removed; all others stay. The tool refuses where a file of others is
in the way, or where a folder is not empty and has no manifest, unless it is forced.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, cast

from kan_dialect.errors import KanError
from kan_dialect.files.atomic import write_atomically
from kan_dialect.files.interruption import undisturbed
from kan_dialect.files.locks import lock, locked
from kan_dialect.files.manifest import (
    NAME,
    Listing,
    UnreadableListing,
    digest,
    is_inside,
    line,
    obstacle,
)

_LOG = logging.getLogger(__name__)

_TEMPORARY = ".kan-new-"
"""Begins the name of the temporary folder in a folder that is being replaced."""

_NEW, _OLD, _JOURNAL = "new", "old", "swap.json"
"""What a temporary folder holds: the new files, those that they replace, what is to be done."""

_LAST = ("report.json", NAME)
"""Files that are removed first and come last: a folder without them is not whole."""


@dataclass(frozen=True)
class Owner:
    """Who writes a folder."""

    tool: str
    """As the list and messages name it: `kan-flow build`."""
    former: Callable[[Path], Sequence[str]] = lambda _: ()
    """The files, by path in the folder, that versions without a list wrote there."""
    forced: str | None = "--force"
    """The option that replaces files of others; None where there is none."""


def require_ours(
    folder: Path, owner: Owner, *, force: bool = False, spared: Sequence[str] = ()
) -> None:
    """Refuse a folder in which files of others would be lost; says why, and what to do.

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
    settle(folder)
    try:
        with locked(place):
            listing = _listing(place, owner)
            there = [path for path in place.iterdir() if not _is_temporary(path)]
            changed = [] if listing is None else listing.changed(place)
    except OSError as error:
        raise KanError(f"cannot write into {folder}: {error.strerror or error}") from None
    if force:
        return
    if listing is None and there:
        raise _foreign(folder, place, owner)
    changed = [name for name in changed if name not in spared]
    if changed:
        raise _in_the_way(folder, owner, changed)


def _require_folder(folder: Path) -> None:
    try:
        mode = folder.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise KanError(f"cannot write into {folder}: {error.strerror}") from None
    if not stat.S_ISDIR(mode):
        raise KanError(f"cannot write into {folder}: it is a file", remedy="name a folder")


def _listing(place: Path, owner: Owner) -> Listing | None:
    """The list that the owner wrote; None where there is none, or another tool's."""
    with suppress(UnreadableListing):
        listing = Listing.read(place)
        if listing is not None and listing.tool == owner.tool:
            return listing
    return None


def _foreign(folder: Path, place: Path, owner: Owner) -> KanError:
    remedy = "name another folder"
    try:
        listing = Listing.read(place)
    except UnreadableListing:
        reason = f"holds a file {NAME} that is no list of files"
    else:
        reason = f"is not empty, and {owner.tool} did not write it"
        if listing is not None:
            reason = f"is a folder of {listing.tool}"
        elif owner.former(place):
            reason = f"was written by a version of {owner.tool} that kept no list of its files"
            remedy = "remove it"
    if owner.forced is not None:
        remedy += f", or add {owner.forced}, which replaces the files that are in the way"
    return KanError(f"{folder} {reason}", remedy=remedy)


def _in_the_way(folder: Path, owner: Owner, names: Sequence[str]) -> KanError:
    one = len(names) == 1
    remedy = f"move {'it' if one else 'them'} elsewhere"
    if owner.forced is not None:
        remedy += f", or add {owner.forced}, which replaces {'it' if one else 'them'}"
    return KanError(
        f"{', '.join(names)} in {folder} {'is' if one else 'are'} not as {owner.tool} wrote "
        f"{'it' if one else 'them'}",
        remedy=remedy,
    )


@contextmanager
def replacing_folder(
    folder: Path, owner: Owner, *, force: bool = False, spared: Sequence[str] = ()
) -> Generator[Path]:
    """A new folder to write files into, which replace the owner's in `folder` once all went well.

    The owner's former files go, and what else `folder` holds stays. Others that replace the same
    folder wait for each other, so its files always come from one of them; Ctrl-C and SIGTERM wait
    until all files are there. Where an error comes first, or when the last file cannot be put in
    place, `folder` is as it was. What a process that is killed while files change places leaves,
    `settle` finishes.

    Parameters
    ----------
    force : replace files that are in the way, and name them in a note.
    spared : files of `folder` that are left as they are.

    Raises
    ------
    KanError : `folder` cannot be made or written, is not the owner's, or a file is in the way.
    """
    require_ours(folder, owner, force=force, spared=spared)
    place = Path(os.path.realpath(folder))
    made: list[Path] = []
    work: _Work | None = None
    try:
        # Inside a folder that is there: it may be a mount, or the one above not ours to write.
        inside = place.is_dir()
        home = place if inside else place.parent
        missing = home
        while not missing.exists():
            made.append(missing)
            missing = missing.parent
        home.mkdir(parents=True, exist_ok=True)
        work = _Work(home, _TEMPORARY if inside else f".{place.name}.kan-")
        yield work.new
        with undisturbed():
            names = _ordered(_files(work.new))
            (work.new / NAME).write_text(Listing.of(owner.tool, work.new, names).text())
            if not work.becomes(place):
                with locked(place):
                    work.move_into(place)
                    plan = _plan(folder, place, work.new, owner, force=force, spared=spared)
                    work.swap(plan)
        made.clear()
    except OSError as error:
        raise KanError(f"cannot write into {folder}: {error.strerror or error}") from None
    finally:
        if work is not None:
            work.close()
        for empty in made:
            with suppress(OSError):  # not empty: of use to others by now
                empty.rmdir()


def _files(folder: Path) -> list[str]:
    return [
        str(Path(above, name).relative_to(folder))
        for above, _, names in os.walk(folder)
        for name in names
    ]


def _ordered(names: Iterable[str]) -> list[str]:
    """Sorted, those that come last at the end."""
    return sorted(names, key=lambda name: (_LAST.index(name) + 1 if name in _LAST else 0, name))


@dataclass
class _Swap:
    """Files that change places, by path in the folder."""

    goes: dict[str, list[str] | None] = field(default_factory=dict[str, list[str] | None])
    """Files that go, with the digests that they may have; None: whatever they are."""
    comes: list[str] = field(default_factory=list[str])

    @classmethod
    def read(cls, path: Path) -> _Swap | None:
        """The journal in a temporary folder; None where there is none that is whole."""
        try:
            found: Any = json.loads(path.read_text())
            swap = cls(dict(found["goes"]), list(found["comes"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None
        names = cast("list[object]", [*swap.goes, *swap.comes])
        return swap if all(isinstance(name, str) and is_inside(name) for name in names) else None


def _plan(
    folder: Path,
    place: Path,
    new: Path,
    owner: Owner,
    *,
    force: bool,
    spared: Sequence[str],
) -> _Swap:
    """What goes and what comes, under the lock of `place`.

    Raises
    ------
    KanError : a file that is not the owner's would go, and nothing is forced.
    """
    listing = _listing(place, owner)
    known = listing or Listing(owner.tool)
    former = known.digests if listing is not None else owner.former(place)
    swap = _Swap(comes=_ordered(_files(new)))
    ours = [name for name in former if name not in spared and _is_file(place, name)]
    foreign = [name for name in ours if not known.is_unchanged(place, name)]
    swap.goes = {name: sorted(known.accepted(name)) for name in ours}
    for name in swap.comes:
        there = obstacle(place, name) or (name if os.path.lexists(place / name) else None)
        if there is None or there in swap.goes:
            continue
        if there == NAME and listing is not None:
            swap.goes[there] = None
        elif there == name and _is_file(place, name) and _same(place / name, new / name):
            swap.goes[there] = [digest(new / name)]
        else:
            swap.goes[there] = []
            foreign.append(there)
    if foreign and not force:
        raise _in_the_way(folder, owner, foreign)
    if foreign:
        _LOG.warning("%s replaces in %s: %s", owner.forced, folder, ", ".join(sorted(foreign)))
    goes = reversed(_ordered(swap.goes))
    swap.goes = {name: None if name in foreign else swap.goes[name] for name in goes}
    return swap


def _is_file(place: Path, name: str) -> bool:
    path = place / name
    return obstacle(place, name) is None and (path.is_symlink() or path.is_file())


def _same(one: Path, other: Path) -> bool:
    return not one.is_symlink() and digest(one) == digest(other)


class _Work:
    """A temporary folder, under a lock that says that its process is alive."""

    def __init__(self, home: Path, prefix: str) -> None:
        with locked(home):
            _settle(home, prefix)
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=home))
            self._held = lock(self.path)
        self._keeps = False
        self.new.mkdir()

    @property
    def new(self) -> Path:
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
            inside = place / f"{_TEMPORARY}{self.path.name.rpartition('-')[2]}"
            self.path.rename(inside)
            self.path = inside

    def swap(self, swap: _Swap) -> None:
        """Let files change places; or leave all as it was."""
        write_atomically(self.path / _JOURNAL, json.dumps(asdict(swap)))
        try:
            _exchange(self.path, swap)
        except _Stuck:
            self._keeps = True
            raise

    def close(self) -> None:
        if not self._keeps:
            _remove(self.path)
        if self._held is not None:
            os.close(self._held)


class _Stuck(KanError):
    """Files could not be moved back: they are in the temporary folder."""


def _exchange(temporary: Path, swap: _Swap) -> None:
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
        if place.is_dir() and any(_is_temporary(path) for path in place.iterdir()):
            with locked(place):
                _settle(place, _TEMPORARY)
    except OSError as error:
        raise KanError(f"cannot write into {folder}: {error.strerror or error}") from None


def _settle(home: Path, prefix: str) -> None:
    """Finish or remove what killed processes left, under the lock of `home`."""
    for left in list(home.iterdir()):
        with suppress(FileNotFoundError):
            descriptor = lock(left, wait=False) if _is_temporary(left, prefix) else None
            if descriptor is None:
                continue
            try:
                swap = _Swap.read(left / _JOURNAL)
                if swap is not None and prefix == _TEMPORARY:
                    with undisturbed():
                        _exchange(left, swap)
                _remove(left)
            finally:
                os.close(descriptor)


def _is_temporary(path: Path, prefix: str = _TEMPORARY) -> bool:
    """Whether a folder was made by `_Work`, for this user, and holds nothing else."""
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
                if _listing(self._place, self._owner) is None:
                    if os.path.lexists(self._place / NAME):
                        self._replace(NAME)
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
                listing = _listing(self._place, self._owner)
                if listing is None:
                    raise _foreign(self.path, self._place, self._owner)
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
        if there == name and _is_file(self._place, name):
            if not path.is_symlink() and digest(path) == content_digest:
                return
            if self._force:
                self._replace(name)
                if path.is_symlink():  # what it leads to is not of this folder
                    path.unlink()
                return
        raise _in_the_way(self.path, self._owner, [there])

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
    """Add a line to the list of a folder, which is locked."""
    with (place / NAME).open("a+b") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # cut: its process was killed
                file.write(b"\n")
        file.write(f"{entry}\n".encode())
