"""Output folders that appear whole or not at all, and that keep the files of others.

A new folder is written beside the old one and takes its place by renaming. Files of the old folder
that are not in its manifest come along as hard links. Nothing in a folder is an instruction: only
the manifest is read, which says what may be replaced (`folder_ownership.py`).
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path, PurePosixPath

from kan_dialect.errors import KanError
from kan_dialect.files.folder_ownership import (
    Owner,
    in_the_way,
    listing_of,
    require_ours,
    writing_into,
)
from kan_dialect.files.interruption import undisturbed
from kan_dialect.files.locks import locked
from kan_dialect.files.manifest import NAME, Listing, digest, is_file_with

_LOG = logging.getLogger(__name__)


def require_replaceable(
    folder: Path, owner: Owner, *, force: bool = False, spared: Sequence[str] = ()
) -> None:
    """Refuse a folder in which files of others would be lost, or that cannot be renamed.

    Parameters
    ----------
    force : whether files that are in the way may be replaced.
    spared : files that will not be replaced.

    Raises
    ------
    KanError : see `require_ours`; or it is a mount point, holds the current folder, or is in a
        folder that does not take files.
    """
    place = Path(os.path.realpath(folder))
    # Between two renames of another process, the folder is gone.
    with writing_into(folder), locked(place.parent) if place.parent.is_dir() else nullcontext():
        problem = _why_not_renamed(place) if place.is_dir() else None
        if problem is not None:
            raise KanError(
                f"{folder} cannot be replaced: {problem}",
                remedy=f"name another folder, such as {folder / 'build'}",
            )
        require_ours(folder, owner, force=force, spared=spared)


def _why_not_renamed(place: Path) -> str | None:
    """Why a folder cannot be renamed; None where it can."""
    if place.is_mount():
        return "it is a mount point"
    if Path(os.path.realpath(os.curdir)).is_relative_to(place):
        return "the current folder is in it"
    if not os.access(place.parent, os.W_OK):
        return f"no folder can be made beside it, in {place.parent}"
    if not os.access(place, os.W_OK):
        return os.strerror(errno.EACCES)
    return None


@contextmanager
def replacing_folder(
    folder: Path, owner: Owner, *, force: bool = False, spared: Sequence[str] = ()
) -> Generator[Path]:
    """A new folder to write files into, which takes the place of `folder` once all went well.

    The owner's former files go, and what else `folder` holds stays. Others that replace the same
    folder wait for each other, so its files always come from one of them; Ctrl-C and SIGTERM wait
    until the new folder is in place. After an error, `folder` is as it was. A process that is
    killed leaves its new folder, `.NAME.*`, which nothing reads: beside `folder`, or in the nearest
    folder above it that exists.

    Parameters
    ----------
    force : replace files that are in the way, and name them in a note.
    spared : files of `folder` that are left as they are.

    Raises
    ------
    KanError : see `require_replaceable`; or a file is in the way of a new one, or `folder` cannot
        be made or renamed.
    """
    require_replaceable(folder, owner, force=force, spared=spared)
    place = Path(os.path.realpath(folder))
    with writing_into(folder):
        above = next(path for path in place.parents if path.exists())
        work = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=above))
        new, old = work / "new", work / "old"
        try:
            new.mkdir()
            with locked(above):  # Another process may be between two renames.
                if place.is_dir():
                    _copy_access(place, new)
            yield new
            place.parent.mkdir(parents=True, exist_ok=True)
            with undisturbed(), locked(place.parent):
                (new / NAME).write_text(Listing.of(owner.tool, new, sorted(_files(new))).text())
                if os.path.lexists(place):
                    with locked(place):
                        _carry_over(folder, place, new, owner, force=force, spared=spared)
                        _exchange(place, new, old)
                    _remove(old)
                else:
                    new.rename(place)
        finally:
            _remove(new)
            with suppress(OSError):  # the old folder is still in it
                work.rmdir()


def _exchange(place: Path, new: Path, old: Path) -> None:
    """Rename `place` to `old`, and `new` to `place`; or leave all as it was."""
    place.rename(old)
    try:
        new.rename(place)
    except OSError:
        try:
            old.rename(place)
        except OSError as error:
            raise KanError(
                f"cannot write into {place}: {error.strerror}; it is now {old}",
                remedy="move it back",
            ) from None
        raise


def _carry_over(
    folder: Path, place: Path, new: Path, owner: Owner, *, force: bool, spared: Sequence[str]
) -> None:
    """Link the files of others from the folder at `place` into the new one.

    Raises
    ------
    KanError : a file that is not the owner's would go, and nothing is forced; or a file or folder
        is on another file system.
    """
    listing = listing_of(place, owner) or Listing("")
    files = set(_files(new))
    folders = {str(path.relative_to(new)) for path in _folders(new)}
    kept: list[str] = []
    lost: list[str] = []
    for name in _entries(place):
        path = place / name
        listed = name in listing.digests and name not in spared
        if (name == NAME and listing.tool) or (listed and listing.is_unchanged(place, name)):
            continue
        if name in files and is_file_with(place, name, digest(new / name)):
            continue
        in_place_of_folder = name in folders and not _is_folder(path)
        beneath_a_file = any(str(above) in files for above in PurePosixPath(name).parents)
        goes = listed or name in files or in_place_of_folder or beneath_a_file
        (lost if goes else kept).append(name)
    lost.sort()
    if lost and not force:
        raise in_the_way(folder, owner, lost)
    if lost:
        _LOG.warning("%s replaces in %s: %s", owner.forced, folder, ", ".join(lost))
    for name in kept:
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        if _is_folder(place / name):
            (new / name).mkdir(exist_ok=True)
        else:
            _link(place / name, new / name)
    for path in _folders(new):
        former = place / path.relative_to(new)
        if _is_folder(former):
            _copy_access(former, path)


def _link(source: Path, target: Path) -> None:
    """Give a file, or a link, a second name; copy it where the file system has one name a file."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise _on_another_file_system(source) from None
        shutil.copy2(source, target, follow_symlinks=False)


def _entries(folder: Path) -> Iterator[str]:
    """Files, links and empty folders below a folder, by path in it.

    Raises
    ------
    OSError : a folder cannot be read. KanError : a folder is on another file system.
    """
    for path in _folders(folder):
        inside = list(path.iterdir())
        if path.is_mount():
            raise _on_another_file_system(path)
        if not inside and path != folder:
            yield str(path.relative_to(folder))
        yield from (str(each.relative_to(folder)) for each in inside if not _is_folder(each))


def _on_another_file_system(path: Path) -> KanError:
    return KanError(
        f"{path} is on another file system, and cannot come along", remedy="name another folder"
    )


def _folders(folder: Path) -> Iterator[Path]:
    """A folder and all folders below it; links are not followed."""
    yield folder
    for path in folder.iterdir():
        if _is_folder(path):
            yield from _folders(path)


def _files(folder: Path) -> Iterator[str]:
    """Files below a folder that is ours, by path in it."""
    return (name for name in _entries(folder) if not (folder / name).is_dir())


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _copy_access(source: Path, target: Path) -> None:
    """Give a folder the owner, group and permissions of another one, as far as this user may."""
    state = source.stat()
    for owner, group in ((state.st_uid, -1), (-1, state.st_gid)):
        with suppress(OSError):
            os.chown(target, owner, group)
    shutil.copystat(source, target)
    os.utime(target)


def _remove(folder: Path) -> None:
    """Remove a folder, also folders in it that are read-only."""
    if folder.is_dir():
        for path in _folders(folder):
            with suppress(OSError):
                path.chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)
