"""Reads files that `torch.save` wrote, as data: nothing in a file is executed.

PyTorch is an optional dependency. Its untyped calls stay in this file. Callers get dicts, lists,
numbers, and tensors, which `tensor_array` converts.
"""

from __future__ import annotations

import warnings
import zipfile
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import Array

MAX_BYTES = 1 << 30
"""Limit in bytes of a file and of a tensor."""


def require_torch(what: str) -> ModuleType:
    """Import PyTorch.

    Parameters
    ----------
    what : task that needs it, for the message.

    Raises
    ------
    KanError : PyTorch is not installed.
    """
    try:
        return import_module("torch")
    except ImportError:
        raise KanError(
            f"{what} needs PyTorch, which is not installed",
            remedy="pip install 'kan-dialect[torch]'",
        ) from None


def has_torch() -> bool:
    """Whether PyTorch is installed."""
    try:
        require_torch("")
    except KanError:
        return False
    return True


def read_torch_file(path: Path) -> object:
    """Read what `torch.save` stored: dicts, lists, numbers, strings and tensors, on the CPU.

    NumPy scalars, which training scripts often store beside the weights, are read too.

    Raises
    ------
    KanError : PyTorch is not installed; the file is damaged, too large, or holds other Python
        objects.
    """
    torch = require_torch(f"reading {path.name}")
    _check_size(path)
    try:
        with torch.serialization.safe_globals(_numpy_scalars()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Our errors are clearer.
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # Garbage makes the unpickler raise anything.
        raise _refusal(path, error) from None


def tensor_array(value: object, what: str) -> Array | None:
    """A tensor as an array, float64 for floating-point types; None if `value` is no tensor.

    Parameters
    ----------
    what : name of the tensor, for messages.

    Raises
    ------
    KanError : the tensor is too large, sparse, quantised, complex, or without data.
    """
    torch = require_torch("reading tensors")
    if not isinstance(value, torch.Tensor):
        return None
    tensor: Any = value
    # A view of one element may claim any shape; the array's size counts.
    if tensor.numel() * 8 > MAX_BYTES:
        raise KanError(f"{what} has shape {tuple(tensor.shape)}, more than {MAX_BYTES} bytes")
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_complex():
        raise KanError(f"{what} is no dense tensor of real numbers", remedy="save it as float32")
    if tensor.device.type != "cpu":
        raise KanError(f"{what} holds no data ({tensor.device})", remedy="save the trained weights")
    detached = tensor.detach()
    array: Array = (detached.double() if tensor.is_floating_point() else detached).numpy()
    return array


def _check_size(path: Path) -> None:
    """Check the unpacked size: an archive may unpack to far more than its own size."""
    try:
        size = path.stat().st_size
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                size = max(size, sum(entry.file_size for entry in archive.infolist()))
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise _refusal(path, error) from None
    if size > MAX_BYTES:
        raise KanError(
            f"{path.name} holds {size} bytes, more than {MAX_BYTES}",
            remedy="save the model's state dict alone",
        )


def _refusal(path: Path, error: Exception) -> KanError:
    if isinstance(error, OSError) and error.filename is not None:
        return KanError(f"cannot read {path}: {error.strerror}")
    _, marker, rest = str(error).partition("GLOBAL ")
    if marker:
        return KanError(
            f"{path.name} holds a Python object of type {rest.split()[0]}: only tensors, numbers, "
            "strings, lists and dicts are read, and nothing is executed",
            remedy="save the model's state dict (torch.save(model.state_dict(), ...))",
        )
    return KanError(
        f"{path.name} cannot be read as a PyTorch file: it is damaged, incomplete, or holds more "
        "than data",
        remedy="save it again with torch.save; a TorchScript archive will not do",
    )


class _DType:
    """Stand-in for `numpy.dtype` in checkpoints: holds the type's code only, such as `f8`."""

    def __init__(self, code: object, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        """Ignore the byte order: PyTorch's files are little-endian."""


def _scalar(dtype: object, data: object) -> float | int | bool:
    """Stand-in for NumPy's `scalar` in checkpoints: a number from its bytes."""
    code = dtype.code if isinstance(dtype, _DType) else None
    if code not in _NUMBER_CODES or not isinstance(data, bytes):
        raise ValueError("no number")
    number: float | int | bool = np.frombuffer(data, dtype=np.dtype(code).newbyteorder("<"))[
        0
    ].item()
    return number


_NUMBER_CODES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")


def _numpy_scalars() -> list[tuple[object, str]]:
    """Stand-ins, with the names under which NumPy 1 and 2 pickle scalars."""
    return [
        (_DType, "numpy.dtype"),
        (_scalar, "numpy.core.multiarray.scalar"),
        (_scalar, "numpy._core.multiarray.scalar"),
    ]
