"""Temporary folders: those of a process that was killed are removed by the next one."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from kan_dialect.locks import lock

_MARK = ".kan-temporary"
"""A file in each folder. Only folders that have it are removed, and it is removed last."""

_NAME = re.compile(r"kan-[a-z-]+-\w{8}", re.ASCII)

_BEGINNING = ".kan-temporary-"
"""Begins the name of a folder until it is locked."""

_BEGINS_SECONDS = 3600
"""After so long, one that is not locked was left by a process that was killed."""


class TemporaryFolder:
    """A folder for files of tools, removed at the end of a `with` statement or of the process.

    It is locked while its process lives, so that others know it from one that a killed process
    left.

    Raises
    ------
    OSError : it cannot be made.
    """

    def __init__(self, purpose: str) -> None:
        """
        Parameters
        ----------
        purpose : a part of its name, lower-case letters and hyphens: `proof`.
        """
        home = Path(tempfile.gettempdir())
        remove_abandoned(home)
        began = Path(tempfile.mkdtemp(prefix=_BEGINNING, dir=home))
        held = lock(began)
        (began / _MARK).touch()
        self.path = home / f"kan-{purpose}-{began.name[len(_BEGINNING) :]}"
        began.rename(self.path)
        self._end = weakref.finalize(self, _end, self.path, held, os.getpid())

    def cleanup(self) -> None:
        """Remove the folder."""
        self._end()

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cleanup()


def _end(path: Path, held: int | None, process: int) -> None:
    if os.getpid() == process:  # else it is a copy of the one that made the folder
        _remove(path)
    if held is not None:
        os.close(held)


def _remove(folder: Path) -> None:
    with suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != _MARK:
                path.unlink(missing_ok=True)
        (folder / _MARK).unlink(missing_ok=True)
        folder.rmdir()


def remove_abandoned(home: Path) -> None:
    """Remove the folders in `home` that processes of this user left when they were killed."""
    with suppress(OSError):
        for entry in list(os.scandir(home)):
            begun = entry.name.startswith(_BEGINNING)
            if not begun and _NAME.fullmatch(entry.name) is None:
                continue
            with suppress(OSError):
                _remove_one(Path(entry.path), entry.stat(follow_symlinks=False), begun=begun)


def _remove_one(folder: Path, state: os.stat_result, *, begun: bool) -> None:
    """Remove a folder that nobody locks.

    Raises
    ------
    OSError : it is no folder, or not there any more.
    """
    if state.st_uid != os.geteuid():
        return
    if begun and time.time() - state.st_mtime < _BEGINS_SECONDS:
        return
    held = lock(folder, wait=False)
    if held is None:
        return
    try:
        if begun or (folder / _MARK).is_file():
            _remove(folder)
    finally:
        os.close(held)
