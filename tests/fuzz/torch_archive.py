"""Writes files as `torch.save` does, without PyTorch; also files that it would not write.

`frontends/torch/test_files.py` compares them with PyTorch's reader.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

STORAGES: dict[str, str] = {
    "f4": "FloatStorage",
    "f8": "DoubleStorage",
    "f2": "HalfStorage",
    "i8": "LongStorage",
    "i4": "IntStorage",
    "i2": "ShortStorage",
    "i1": "CharStorage",
    "u1": "ByteStorage",
    "b1": "BoolStorage",
    "c8": "ComplexFloatStorage",
}


@dataclass(frozen=True)
class Name:
    """A name of a module, such as `torch bits8`."""

    module: str
    name: str


@dataclass(frozen=True)
class Call:
    """A call of a function, as `__reduce__` gives it."""

    module: str
    name: str
    arguments: tuple[object, ...]


@dataclass(frozen=True)
class Stored:
    """A storage of given bytes."""

    data: bytes
    kind: Name
    count: int


@dataclass(frozen=True)
class Raw:
    """Instructions as they are."""

    code: bytes


def tensor(
    array: NDArray[Any],
    shape: tuple[int, ...] | None = None,
    strides: tuple[int, ...] | None = None,
    offset: int = 0,
    **changes: Any,
) -> Call:
    """A tensor; shape, strides and offset (in elements) may be other than those of the array.

    Parameters
    ----------
    changes : `kind` of the storage and its `count` of elements, and `metadata`.
    """
    array = np.array(array, order="C")
    kind = changes.get("kind", STORAGES[array.dtype.str[1:]])
    stored = Stored(array.tobytes(), Name("torch", kind), changes.get("count", array.size))
    own = tuple(step // array.itemsize for step in array.strides)
    shape, strides = shape or array.shape, own if strides is None else strides
    hooks = Call("collections", "OrderedDict", ())
    metadata = (changes["metadata"],) if "metadata" in changes else ()
    arguments = (stored, offset, shape, strides, False, hooks, *metadata)
    return Call("torch._utils", "_rebuild_tensor_v2", arguments)


def typed_tensor(data: bytes, element: str, shape: tuple[int, ...]) -> Call:
    """A tensor of an untyped storage, as PyTorch writes newer element types."""
    stored = Stored(data, Name("torch.storage", "UntypedStorage"), len(data))
    strides = tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))
    hooks = Call("collections", "OrderedDict", ())
    arguments = (stored, 0, shape, strides, False, hooks, Name("torch", element))
    return Call("torch._utils", "_rebuild_tensor_v3", arguments)


class _Writer:
    def __init__(self) -> None:
        self.storages: list[bytes] = []

    def code(self, value: object) -> bytes:
        match value:
            case Raw(code):
                return code
            case None:
                return b"N"
            case bool() | np.bool_():
                return b"\x88" if value else b"\x89"
            case int() | np.integer():
                value = int(value)
                if -(1 << 31) <= value < 1 << 31:
                    return b"J" + struct.pack("<i", value)
                data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
                return b"\x8a" + bytes([len(data)]) + data
            case float() | np.floating():
                return b"G" + struct.pack(">d", value)
            case str():
                data = value.encode()
                return b"X" + struct.pack("<I", len(data)) + data
            case tuple():
                return b"(" + self.codes(*value) + b"t"
            case list():
                return b"](" + self.codes(*value) + b"e"
            case Name(module, name):
                return f"c{module}\n{name}\n".encode()
            case Call(module, name, arguments):
                return self.codes(Name(module, name), arguments) + b"R"
            case Stored(data, kind, count):
                self.storages.append(data)
                key = str(len(self.storages) - 1)
                return self.code(("storage", kind, key, "cpu", count)) + b"Q"
            case np.ndarray():
                return self.code(tensor(value))
            case Mapping():
                items = b"".join(self.codes(key, each) for key, each in value.items())
                return b"}(" + items + b"u"
            case _:
                raise TypeError(type(value))

    def codes(self, *values: object) -> bytes:
        return b"".join(self.code(value) for value in values)


def members(content: object) -> dict[str, bytes]:
    """The members of the archive by name."""
    writer = _Writer()
    pickle = b"\x80\x02" + writer.code(content) + b"."
    found = {"archive/data.pkl": pickle, "archive/byteorder": b"little"}
    found |= {f"archive/data/{key}": data for key, data in enumerate(writer.storages)}
    return found | {"archive/version": b"3\n"}


def packed(files: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """The archive of members."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def save(content: object, path: Path) -> None:
    """`torch.save` of plain data; arrays are tensors."""
    path.write_bytes(packed(members(content)))
