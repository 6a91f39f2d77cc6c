"""Output files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kan_dialect.deferred import DeferredModule
from kan_dialect.errors import KanError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = DeferredModule("numpy")


def check_writable(path: Path, reads: Iterable[Path | None] = ()) -> None:
    """Refuse early a file that could not be written at the end.

    Parameters
    ----------
    reads : files that are read, and that the output may not replace.

    Raises
    ------
    KanError : the folder does not exist or does not take files, or the path is a folder, leads
        nowhere, or is a file that is read.
    """
    folder = path.parent
    try:
        found = path.stat()
    except FileNotFoundError:
        found = None
    except OSError as error:
        raise KanError(f"cannot write {path}: {error.strerror}") from None
    if path.is_dir():
        raise KanError(f"cannot write {path}: it is a folder", remedy="name a file")
    if not folder.is_dir():
        raise KanError(
            f"cannot write {path}: there is no folder {folder}", remedy="create it first"
        )
    for read in reads:
        if found is not None and read is not None and read.exists() and path.samefile(read):
            raise KanError(f"{path} is read: the output would replace it", remedy="name another")
    target = path if found is not None else folder
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
    write_atomically(path, packed(arrays))


def packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays by name as an `.npz` file, the same bytes for any version of NumPy and of Python."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            content = BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())
    return stream.getvalue()
