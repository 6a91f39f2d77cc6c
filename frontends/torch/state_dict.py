"""Checked access to a PyTorch state dict: each tensor is present, finite, and of the right shape.

A key that nothing reads is an error: the network may compute something else than the IR.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.frontends.torch.tensors import MAX_BYTES, Other
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.quoting import quoted


class StateDict:
    """The tensors of one file, with a record of the keys that were read."""

    def __init__(
        self, file: str, entries: Mapping[object, object], library: str, config: str
    ) -> None:
        """----------
        file : name of the file.
        library : name of the library that wrote it, for messages.
        config : name of the file that gives the shapes of the tensors.

        Raises
        ------
        KanError : a key is no string.
        """
        self.file = file
        self.entries: dict[str, object] = {}
        for key, value in entries.items():
            if not isinstance(key, str):
                raise KanError(f"{file}: key {quoted(key)} of the state dict is not a string")
            self.entries[key] = value
        self._library = library
        self._config = config
        self._read: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def array(self, key: str, shape: tuple[int, ...]) -> FloatArray:
        """The tensor under a key, as float64. A scalar may have shape () or (1).

        Raises
        ------
        KanError : the key is missing, its value is not a dense tensor of real numbers, the shape
            differs, or a value is not finite.
        """
        if key not in self.entries:
            raise KanError(
                f"{self.file}: the state dict has no key `{key}`",
                remedy=f"is it {self._library}'s, of the network that {self._config} describes?",
            )
        self._read.add(key)
        value = self.entries[key]
        if not isinstance(value, np.ndarray):
            what = value.what if isinstance(value, Other) else f"of type {type(value).__name__}"
            raise KanError(
                f"{self.file}: `{key}` is {what}, not a dense tensor of real numbers of at most "
                f"{MAX_BYTES} bytes in float64",
                remedy="save it as a dense tensor of float32",
            )
        array = cast("Array", value)
        if array.shape != shape and not (shape == () and array.shape == (1,)):
            raise KanError(
                f"{self.file}: `{key}` has shape {array.shape}, {self._config} asks for {shape}",
                remedy="the two must belong to the same model",
            )
        floats = array.astype(np.float64)
        bad = np.argwhere(~np.isfinite(floats))
        if len(bad):
            raise KanError(
                f"{self.file}: `{key}`{bad[0].tolist()} is {floats[tuple(bad[0])]}",
                remedy="parameters must be finite: did the training diverge?",
            )
        return floats.reshape(shape)

    def optional(self, key: str, shape: tuple[int, ...], default: float) -> FloatArray:
        """The tensor under a key, or an array full of `default` if the key is missing."""
        return self.array(key, shape) if key in self else np.full(shape, default)

    def knots(self, key: str, shape: tuple[int, ...]) -> FloatArray:
        """The tensor under a key, whose rows must be non-decreasing.

        Raises
        ------
        KanError : as `array`, or a row decreases.
        """
        knots = self.array(key, shape)
        if (np.diff(knots, axis=-1) < 0.0).any():
            raise KanError(
                f"{self.file}: `{key}` is not in ascending order", remedy="a grid must not decrease"
            )
        return knots

    def ignore(self, key: str) -> None:
        """Mark a key as read that has no meaning for inference."""
        self._read.add(key)

    def require_all_read(self) -> None:
        """Refuse a state dict with keys that were never read.

        Raises
        ------
        KanError : names the first such key.
        """
        unknown = next((key for key in self.entries if key not in self._read), None)
        if unknown is not None:
            raise KanError(
                f"{self.file}: key `{unknown}` of the state dict is not understood",
                remedy=f"only {self._library}'s own layers that {self._config} describes are read",
            )
