"""Converts codes to words of a port's width, and words to hexadecimal text.

A line of text holds the words of one sample, first port first. A word has as many digits as its
width needs. Simulators write `x` or `z` for unknown digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kan_dialect.ir.constants import IntArray
from kan_dialect.model.interface import Port

Words: TypeAlias = NDArray[np.uint64]

_DIGITS = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_VALUES = np.full(256, 255, dtype=np.uint8)
_VALUES[_DIGITS] = np.arange(16)
_VALUES[np.frombuffer(b"ABCDEF", dtype=np.uint8)] = np.arange(10, 16)


def to_words(codes: IntArray, ports: Sequence[Port]) -> Words:
    """The bits of each code, cut to its port's width: (samples, ports), uint64."""
    return codes.astype(np.int64).view(np.uint64) & masks([port.width for port in ports])


def from_words(words: Words, ports: Sequence[Port]) -> IntArray:
    """The codes that words represent: (samples, ports), int64."""
    # A shift to the top of 64 bits and an arithmetic shift back extend the sign.
    unused = np.array([64 - port.width if port.signed else 0 for port in ports], dtype=np.uint64)
    return (words << unused).view(np.int64) >> unused.astype(np.int64)


def masks(widths: Sequence[int]) -> Words:
    """Words with all bits of a width set: (ports), uint64."""
    return np.array([(1 << width) - 1 for width in widths], dtype=np.uint64)


def word_bytes(ports: Sequence[Port]) -> int:
    """Bytes of an integer that holds a word of any of the ports."""
    widest = max(port.width for port in ports)
    return next(size for size in (1, 2, 4, 8) if 8 * size >= widest)


def digits(width: int) -> int:
    """Number of hexadecimal digits of a word of `width` bits."""
    return -(-width // 4)


@dataclass(frozen=True)
class PlacedPort:
    """A port, and where its word stands in a line that is one vector of bits."""

    port: Port
    low: int

    @property
    def high(self) -> int:
        return self.low + self.port.width - 1

    @property
    def padding(self) -> int:
        """Bits that fill the highest digit of the word."""
        return 4 * digits(self.port.width) - self.port.width

    @property
    def select(self) -> str:
        """Part-select of SystemVerilog: `[7:4]`."""
        return f"[{self.high}:{self.low}]"

    @property
    def vhdl_select(self) -> str:
        """The same in VHDL: `(7 downto 4)`, and `(3)` of a word of one bit."""
        return f"({self.low})" if self.high == self.low else f"({self.high} downto {self.low})"


@dataclass(frozen=True)
class VectorLine:
    """The line of a file of vectors: a word a port, the first port first."""

    ports: tuple[Port, ...]

    @property
    def bits(self) -> int:
        """Bits of the line as one vector."""
        return 4 * sum(digits(port.width) for port in self.ports)

    def __iter__(self) -> Iterator[PlacedPort]:
        start = self.bits
        for port in self.ports:
            start -= 4 * digits(port.width)
            yield PlacedPort(port, start)

    @property
    def concatenation(self) -> str:
        """The ports as the bits of a line, in SystemVerilog."""
        parts = (
            (f"{placed.padding}'d0" if placed.padding else "", placed.port.name) for placed in self
        )
        return "{" + ", ".join(part for pair in parts for part in pair if part) + "}"

    def text(self, codes: IntArray) -> bytes:
        """A line for each row of codes, (samples, ports), int64."""
        return self.words_text(to_words(codes, self.ports))

    def words_text(self, words: Words, separator: str = "_") -> bytes:
        """A line for each row of words, (samples, ports), uint64."""
        return to_hex(words, [port.width for port in self.ports], separator)


def to_hex(words: Words, widths: Sequence[int], separator: str = "_") -> bytes:
    """Text with a line for each row of words.

    Parameters
    ----------
    words : (samples, ports), uint64.
    separator : a character between the words of a line, or empty; `$readmemh` skips `_`.
    """
    columns: list[NDArray[np.uint8]] = []
    for port, width in enumerate(widths):
        shifts = np.arange(4 * digits(width) - 4, -1, -4, dtype=np.uint64)
        values = (words[:, port, np.newaxis] >> shifts) & np.uint64(15)
        columns.append(_DIGITS[values.astype(np.intp)])
        ending = separator if port < len(widths) - 1 else "\n"
        if ending:
            columns.append(np.full((len(words), 1), ord(ending), dtype=np.uint8))
    return np.concatenate(columns, axis=1).tobytes()


def from_hex(text: bytes, widths: Sequence[int]) -> tuple[Words, NDArray[np.bool_]]:
    """Read words from lines without separators.

    Parameters
    ----------
    text : lines of equal length.

    Returns
    -------
    words : (lines, ports), uint64; arbitrary where not known.
    known : (lines, ports), bool; whether all bits of a word are known.

    Raises
    ------
    ValueError : a line is missing or of the wrong length.
    """
    length = sum(digits(width) for width in widths) + 1
    lines = np.frombuffer(text, dtype=np.uint8).reshape(-1, length)
    if (lines[:, -1] != ord("\n")).any():
        raise ValueError(f"expected {length - 1} digits in each line")
    values = _VALUES[lines[:, :-1]]
    words = np.zeros((len(lines), len(widths)), dtype=np.uint64)
    known = np.empty(words.shape, dtype=np.bool_)
    start = 0
    for port, width in enumerate(widths):
        part = values[:, start : start + digits(width)]
        known[:, port] = (part < 16).all(axis=1)
        for digit in part.T:
            words[:, port] = (words[:, port] << np.uint64(4)) | digit
        start += digits(width)
    return words, known
