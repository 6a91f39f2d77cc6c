"""Reads the `config.json` beside a KANELÉ model: widths, bits and spline settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import cast

from kan_dialect.errors import KanError
from kan_dialect.files.strict_json import parse_json
from kan_dialect.ops.spline import MAX_DEGREE
from kan_dialect.quoting import quoted, reason

MAX_BITS = 16
"""Widest codes in bits: a table has one entry for each code."""
MAX_BYTES = 1 << 30
"""Limit in bytes of a layer's coefficients, and of its tables in float64."""

ACTIVATIONS: Mapping[str, str] = {
    "SiLU": "silu",
    "GELU": "gelu",
    "ReLU": "relu",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "Identity": "identity",
}
"""PyTorch's name of a base function -> the dialect's name."""


@dataclass(frozen=True)
class Architecture:
    """Widths and bits of a KANELÉ network."""

    path: Path
    widths: tuple[int, ...]
    """Inputs, then nodes of each layer."""
    bits: tuple[int, ...]
    """Bits of the input codes, then of each layer's codes."""

    @property
    def layers(self) -> int:
        return len(self.widths) - 1

    @property
    def input_zero_point(self) -> int:
        """Zero point of the input codes: the hardware sees signed codes shifted to start at 0."""
        return 1 << (self.bits[0] - 1)

    def check_memory(self, per_edge: int) -> None:
        """Refuse layers of more than `MAX_BYTES`.

        Parameters
        ----------
        per_edge : float64 numbers stored for each edge.

        Raises
        ------
        KanError : a layer is too large; names it.
        """
        for layer, (inputs, outputs) in enumerate(pairwise(self.widths)):
            numbers = max(per_edge, 1 << self.bits[layer])
            if inputs * outputs * numbers * 8 > MAX_BYTES:
                raise KanError(
                    f"{self.path.name}: layer {layer} with {inputs} x {outputs} edges and "
                    f"{self.bits[layer]} bits is too large",
                    remedy="a layer may take 1 GiB in float64; use fewer bits or narrower layers",
                )


@dataclass(frozen=True)
class SplineSettings:
    """Degree, grid and base function of the edge functions in a checkpoint."""

    degree: int
    grid_size: int
    activation: str
    """A key of `functions.FUNCTIONS`."""

    @property
    def functions(self) -> int:
        """Number of basis functions of an edge."""
        return self.grid_size + self.degree

    @property
    def knots(self) -> int:
        """Number of knots of an input: the grid, extended by the degree on both sides."""
        return self.grid_size + 1 + 2 * self.degree


def read_json(path: Path, what: str) -> Mapping[str, object]:
    """Read the JSON object in a file.

    Parameters
    ----------
    what : name of the file's content, for messages.

    Raises
    ------
    KanError : the file is missing or unreadable, or holds no JSON object, or a key twice.
    """
    try:
        content = parse_json(path.read_bytes())
    except FileNotFoundError:
        raise KanError(f"{path} is missing, {what}", remedy=f"put {path.name} there") from None
    except OSError as error:
        raise KanError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise KanError(f"{path.name} is no valid JSON: {reason(error)}") from None
    if not isinstance(content, dict):
        raise KanError(f"{path.name} holds no JSON object", remedy=f"{what} is one")
    return cast("dict[str, object]", content)


def read_config(folder: Path) -> Config:
    """Read the `config.json` of a folder.

    Raises
    ------
    KanError : as `read_json`.
    """
    path = folder / "config.json"
    return Config(path, read_json(path, "the model's configuration"))


@dataclass(frozen=True)
class Config:
    """Entries of a `config.json`. Keys of the training are ignored."""

    path: Path
    entries: Mapping[str, object]

    def architecture(self) -> Architecture:
        """
        Raises
        ------
        KanError : names the key that is missing or wrong.
        """
        widths = self._integers("layers", 1, 1 << 24)
        bits = self._integers("layers_bitwidth", 1, MAX_BITS)
        if len(widths) < 2:
            raise self._wrong("layers", "at least two widths: the inputs and one layer's nodes")
        if len(bits) != len(widths):
            raise self._wrong(
                "layers_bitwidth",
                f"as many numbers as `layers` has, {len(widths)}: the input's and each layer's",
            )
        return Architecture(self.path, widths, bits)

    def splines(self) -> SplineSettings:
        """
        Raises
        ------
        KanError : names the key that is missing or wrong.
        """
        name = self._get("base_activation")
        match = (
            re.fullmatch(r"(?:torch\.)?(?:nn\.)?(\w+)(?:\(\))?", name)
            if isinstance(name, str)
            else None
        )
        activation = ACTIVATIONS.get(match[1]) if match else None
        if activation is None:
            known = ", ".join(f"nn.{known}" for known in ACTIVATIONS)
            raise self._wrong("base_activation", f"one of {known}")
        return SplineSettings(
            degree=self._integer("spline_order", 0, MAX_DEGREE),
            grid_size=self._integer("grid_size", 1, 1 << 24),
            activation=activation,
        )

    def _get(self, key: str) -> object:
        if key not in self.entries:
            raise KanError(
                f"{self.path.name} has no key `{key}`",
                remedy="it is the configuration that the model was trained with",
            )
        return self.entries[key]

    def _integer(self, key: str, low: int, high: int) -> int:
        value = self._get(key)
        if not _is_integer(value, low, high):
            raise self._wrong(key, f"an integer of {low}..{high}")
        return cast(int, value)

    def _integers(self, key: str, low: int, high: int) -> tuple[int, ...]:
        value = self._get(key)
        if not isinstance(value, list):
            raise self._wrong(key, f"a list of integers of {low}..{high}")
        items = cast("list[object]", value)
        if not all(_is_integer(item, low, high) for item in items):
            raise self._wrong(key, f"a list of integers of {low}..{high}")
        return tuple(cast("list[int]", items))

    def _wrong(self, key: str, expected: str) -> KanError:
        return KanError(
            f"{self.path.name}: `{key}` is {quoted(self.entries[key])}",
            remedy=f"it must be {expected}",
        )


def _is_integer(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
