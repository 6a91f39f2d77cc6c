"""Tensors in a file of `torch.save`, as NumPy views of its storages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.lib.stride_tricks import as_strided

from kan_dialect.ir.constants import Array
from kan_dialect.quoting import quoted

MAX_BYTES = 1 << 30
"""Limit in bytes of a file, and of a tensor in float64."""

_MAX_DIMENSIONS = 64
"""NumPy's limit."""

_BFLOAT16 = "bfloat16"
"""The upper half of a float32; NumPy has no type for it."""

ELEMENTS: Mapping[str, str] = {
    "torch.FloatStorage": "f4",
    "torch.DoubleStorage": "f8",
    "torch.HalfStorage": "f2",
    "torch.BFloat16Storage": _BFLOAT16,
    "torch.LongStorage": "i8",
    "torch.IntStorage": "i4",
    "torch.ShortStorage": "i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "?",
    "torch.storage.UntypedStorage": "u1",
    "torch.uint16": "u2",
    "torch.uint32": "u4",
    "torch.uint64": "u8",
}
"""Class of a storage, or type of a tensor whose storage is untyped -> NumPy's type code."""

OTHER_ELEMENTS = frozenset(
    {f"torch.{name}Storage" for name in ("ComplexFloat", "ComplexDouble", "QInt8", "QUInt8")}
    | {f"torch.{name}Storage" for name in ("QInt32", "QUInt4x2", "QUInt2x4")}
    | {f"torch.{name}" for name in ("complex32", "bits8", "bits16", "bits1x8", "bits2x4")}
    | {f"torch.{name}" for name in ("bits4x2", "float4_e2m1fn_x2", "float8_e8m0fnu")}
    | {f"torch.float8_{name}" for name in ("e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz")}
)
"""The same for elements that are not read."""


@dataclass(frozen=True)
class Other:
    """Data that is not read: `what` it is, in words."""

    what: str


@dataclass(frozen=True)
class Storage:
    """Reference to a storage: its class, its key in the file, and its number of elements."""

    elements: str
    key: str
    count: int


class Storages:
    """The storages of a file.

    Attributes
    ----------
    read : gives the bytes of a storage by its key; raises ValueError if they are missing.
    byte_order : of the elements, `<` or `>`.
    """

    def __init__(self, read: Callable[[str], bytes], byte_order: str) -> None:
        self._read = read
        self._byte_order = byte_order
        self._arrays: dict[tuple[str, str], Array] = {}

    def tensor(
        self, storage: object, elements: str, offset: object, shape: object, strides: object
    ) -> Array | Other:
        """A tensor as a view of its storage; `Other` if it is not of real numbers, or too large.

        Parameters
        ----------
        storage : a `Storage`.
        elements : a key of `ELEMENTS`, or one of `OTHER_ELEMENTS`.
        offset, strides : in elements, at least 0.

        Raises
        ------
        ValueError : an argument is of another type, the storage is missing or has another size, or
            the tensor leaves it.
        """
        extents, steps, (start,) = _sizes(shape), _sizes(strides), _sizes((offset,))
        if not isinstance(storage, Storage) or len(extents) != len(steps):
            raise ValueError("the storage, shape and strides of a tensor do not fit")
        # A view of one element may claim any shape; the array's size counts.
        if math.prod(max(extent, 1) for extent in extents) * 8 > MAX_BYTES:
            return Other(f"a tensor of shape {quoted(tuple(extents))}")
        if elements in OTHER_ELEMENTS:
            name = elements.removeprefix("torch.").removesuffix("Storage")
            return Other(f"a tensor of {name} elements")
        array = self._array(storage, elements)
        if 0 in extents:
            return np.zeros(extents, array.dtype)
        last = start + sum((n - 1) * step for n, step in zip(extents, steps, strict=True))
        if last >= len(array):
            raise ValueError(f"a tensor leaves its storage {quoted(storage.key)}")
        # The stride of an axis of one element has no meaning, and may be of any size.
        steps = [step * array.itemsize * (n > 1) for n, step in zip(extents, steps, strict=True)]
        return as_strided(array[start:], extents, steps, writeable=False)

    def _array(self, storage: Storage, elements: str) -> Array:
        """All elements of a storage."""
        key = (storage.key, elements)
        if key not in self._arrays:
            data = self._read(storage.key)
            if len(data) != storage.count * self._dtype(storage.elements).itemsize:
                raise ValueError(
                    f"storage {quoted(storage.key)} has {len(data)} bytes, which are not "
                    f"{storage.count} elements"
                )
            stored = self._dtype(elements)
            array: Array = np.frombuffer(data, stored).astype(stored.newbyteorder("="), copy=False)
            if ELEMENTS[elements] == _BFLOAT16:
                array = (array.astype("u4") << 16).view("f4")
            self._arrays[key] = array
        return self._arrays[key]

    def _dtype(self, elements: str) -> np.dtype[Any]:
        code = ELEMENTS[elements]
        return np.dtype(self._byte_order + ("u2" if code == _BFLOAT16 else code))


def _sizes(numbers: object) -> list[int]:
    """The numbers of a shape, of strides, or an offset.

    Raises
    ------
    ValueError : they are not integers of at least 0, or too many.
    """
    found = cast("tuple[object, ...]", numbers) if isinstance(numbers, tuple) else (None,)
    sizes = [number for number in found if isinstance(number, int) and number >= 0]
    if len(sizes) != len(found) or len(found) > _MAX_DIMENSIONS:
        raise ValueError("the shape, strides or offset of a tensor are not valid")
    return sizes
