"""Output files and folders that appear whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kan_dialect.errors import KanError
from kan_dialect.interruptions import undisturbed


def check_writable(path: Path) -> None:
    """Refuse early a file that could not be written at the end.

    Raises
    ------
    KanError : the folder does not exist or does not take files, or the path is a folder.
    """
    folder = path.parent
    if path.is_dir():
        raise KanError(f"cannot write {path}: it is a folder", remedy="name a file")
    if not folder.is_dir():
        raise KanError(
            f"cannot write {path}: there is no folder {folder}", remedy="create it first"
        )
    target = path if path.exists() else folder
    if not os.access(target, os.W_OK):
        raise KanError(f"cannot write {path}: permission denied")


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file by way of a temporary one beside it: a reader sees the old or the new, whole.

    A symbolic link is followed, and the permissions of a file that was there are kept.

    Raises
    ------
    KanError : the file cannot be written; what was there is untouched.
    """
    if path.exists() and not path.is_file():
        # A device or a pipe: nothing to replace.
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return
    data = content.encode() if isinstance(content, str) else content
    temporary: str | None = None
    try:
        place = path.resolve()
        handle, temporary = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        mode = place.stat().st_mode & 0o777 if place.exists() else 0o666 & ~_umask()
        Path(temporary).chmod(mode)
        Path(temporary).replace(place)
    except OSError as error:
        raise KanError(f"cannot write {path}: {error.strerror}") from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _umask() -> int:
    """The permissions that this process gives to no new file."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def replacing_folder(
    folder: Path, parts: Sequence[str], optional: Sequence[str] = ()
) -> Generator[Path]:
    """A new folder to write `parts` into, which replace those of `folder` once all went well.

    A part of `optional` that is not written is none of `folder` afterwards.

    What else `folder` holds stays. Others that replace parts of the same folder wait for each
    other, so its parts always come from one of them; Ctrl-C and SIGTERM wait until all parts are
    there. Where an error comes first, or when the last part cannot be put in place, `folder` is
    as it was. The last of `parts` is removed first and comes last: where it is missing, after a
    power failure say, the folder is not whole.

    Raises
    ------
    KanError : `folder` is a file, or cannot be made or written.
    """
    if folder.exists() and not folder.is_dir():
        raise KanError(f"cannot write into {folder}: it is a file")
    place = folder.resolve()
    made: list[Path] = []
    temporary: Path | None = None
    held: int | None = None
    try:
        # Inside a folder that is there: it may be a mount, or the one above not ours to write.
        home = place if place.is_dir() else place.parent
        missing = home
        while not missing.exists():
            made.append(missing)
            missing = missing.parent
        home.mkdir(parents=True, exist_ok=True)
        prefix = f".{place.name}.kan-"
        with _locked(home):
            _remove_abandoned(home, prefix)
            temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=home))
            held = _lock(temporary)
        yield temporary
        with undisturbed():
            place.mkdir(exist_ok=True)
            with _locked(place):
                _swap(temporary, place, parts, optional)
        made.clear()
    except OSError as error:
        raise KanError(f"cannot write into {folder}: {error.strerror or error}") from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        if held is not None:
            os.close(held)
        for empty in made:
            with suppress(OSError):  # not empty: of use to others by now
                empty.rmdir()


def _swap(new: Path, folder: Path, parts: Sequence[str], optional: Sequence[str]) -> None:
    """Put parts of `new` in the place of those of `folder`, or leave all as it was."""
    aside = Path(tempfile.mkdtemp(prefix="old-", dir=new))
    moved: list[tuple[Path, Path]] = []

    def move(source: Path, target: Path) -> None:
        source.rename(target)
        moved.append((source, target))

    try:
        for part in reversed(parts):
            if os.path.lexists(folder / part):
                move(folder / part, aside / part)
        for part in parts:
            if part not in optional or os.path.lexists(new / part):
                move(new / part, folder / part)
    except OSError:
        for source, target in reversed(moved):
            target.rename(source)
        raise


def _lock(folder: Path, *, wait: bool = True) -> int | None:
    """A descriptor that holds the folder's lock until it is closed or this process ends.

    None where somebody else holds it, or the file system knows no locks.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    descriptor = _lock(folder)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _remove_abandoned(home: Path, prefix: str) -> None:
    """Remove what processes left that were killed: nobody holds the lock of theirs."""
    for left in home.glob(f"{prefix}*"):
        with suppress(OSError):
            descriptor = _lock(left, wait=False)
            if descriptor is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(descriptor)


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array as `.npy`, atomically.

    Raises
    ------
    KanError : the file cannot be written.
    """
    stream = BytesIO()
    np.save(stream, array, allow_pickle=False)
    write_atomically(path, stream.getvalue())


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays by name as `.npz`, atomically.

    Raises
    ------
    KanError : the file cannot be written.
    """
    stream = BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    write_atomically(path, stream.getvalue())
