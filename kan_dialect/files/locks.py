"""Locks of folders: the operating system releases them when their process ends, killed or not."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


def lock(folder: Path, *, wait: bool = True) -> int | None:
    """A descriptor that holds the folder's lock until it is closed or this process ends.

    None where somebody else holds it, or the file system knows no locks.

    Raises
    ------
    OSError : there is no such folder, it is a link, or it cannot be read.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Others that lock the folder wait for the end of a `with` statement.

    Raises
    ------
    OSError : there is no such folder, or it cannot be read.
    """
    descriptor = lock(folder)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)
