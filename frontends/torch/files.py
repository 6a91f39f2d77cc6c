"""Reads files that `torch.save` wrote, as data. PyTorch is not needed, and nothing is executed."""

from __future__ import annotations

import os
from pathlib import Path
from zipfile import BadZipFile

from kan_dialect.errors import KanError
from kan_dialect.frontends.torch.archive import Archive
from kan_dialect.frontends.torch.tensors import MAX_BYTES, Storages
from kan_dialect.frontends.torch.unpickle import Unpickler
from kan_dialect.quoting import reason

_ARCHIVE = b"PK\3\4"
_PICKLE = b"\x80"
"""First bytes of a zip file, and of a pickle."""

_DAMAGE = (BadZipFile, ValueError, LookupError, EOFError, NotImplementedError, RuntimeError)
"""Exceptions for files that are not as `torch.save` writes them."""


def read_torch_file(path: Path) -> object:
    """Read what `torch.save` stored.

    Returns
    -------
    Dicts, lists, tuples, strings, numbers and None; tensors as read-only arrays of their own
    element types, float32 for bfloat16; `Other` for other data, such as a sparse tensor.

    Raises
    ------
    KanError : the file is damaged, too large, older than PyTorch 1.6, or holds Python objects that
        are not data.
    """
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > MAX_BYTES:
                raise KanError(
                    f"{path.name} holds {size} bytes, more than {MAX_BYTES}",
                    remedy="save the model's state dict alone",
                )
            start = stream.read(len(_ARCHIVE))
            if start.startswith(_PICKLE):
                raise KanError(
                    f"{path.name} is a pickle without an archive, as PyTorch before 1.6 wrote it; "
                    "nothing in it is executed",
                    remedy="read it with torch.load of PyTorch 2.6 or later, and torch.save it",
                )
            if start != _ARCHIVE:
                raise ValueError("it does not start as a zip archive")
            archive = Archive(stream, size)
            storages = Storages(archive.storage, archive.byte_order)
            return Unpickler(path.name, archive.pickle, storages).load()
    except _DAMAGE as error:
        why = f" ({reason(error)})" if type(error) in (ValueError, BadZipFile) else ""
        raise KanError(
            f"{path.name} cannot be read: it is damaged, or no file of torch.save{why}",
            remedy="save the model's state dict again with torch.save",
        ) from None
    except OSError as error:
        raise KanError(f"cannot read {path}: {error.strerror or error}") from None
