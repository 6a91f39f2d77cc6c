"""Output files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kan_dialect.errors import KanError


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
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except OSError as error:
        raise KanError(f"cannot write {path}: {error.strerror}") from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


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
