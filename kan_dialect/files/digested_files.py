"""Files of a cache whose names hold the digest of their content, so that damaged ones are found."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from threading import get_ident


def find_digested(folder: Path, stem: str, suffix: str) -> Path | None:
    """The file STEM-DIGEST.SUFFIX of a folder, marked as used; None if it does not exist.

    A file whose content is not that of its digest is removed.
    """
    for path in folder.glob(f"{stem}-*{suffix}"):
        with suppress(OSError):
            if path.name == _name(path, stem, suffix):
                os.utime(path)
                return path
            path.unlink()
    return None


def keep_digested(source: Path, folder: Path, stem: str, suffix: str) -> None:
    """Copy a file into a folder as STEM-DIGEST.SUFFIX, where it appears whole.

    Raises
    ------
    OSError : it cannot be read or written, for example on a full disk.
    """
    part = folder / f"{stem}-{suffix}.{os.getpid()}.{get_ident()}"
    try:
        shutil.copy(source, part)
        part.replace(folder / _name(part, stem, suffix))
    finally:
        part.unlink(missing_ok=True)


def _name(path: Path, stem: str, suffix: str) -> str:
    return f"{stem}-{sha256(path.read_bytes()).hexdigest()[:16]}{suffix}"
