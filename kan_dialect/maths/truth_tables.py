"""Truth tables of Boolean functions: the bits of a table's entries, and the inputs they depend on.

A plane is one bit of all entries: a Boolean function of the bits of the code. It is a Python
integer whose bit x is the value for code x.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kan_dialect.ir.constants import IntArray

_Scalar = TypeVar("_Scalar", bound=np.generic)


def planes(patterns: IntArray, bits: int) -> list[int]:
    """The planes of a table, lowest bit first.

    Parameters
    ----------
    patterns : entries by code, int64, or Python's integers of more bits. Of a number that is no
        power of two, the planes are 0 for the codes behind them.
    """
    places = np.arange(bits, dtype=patterns.dtype)
    values = ((patterns.reshape(-1, 1) >> places) & 1).astype(np.uint8)
    return [
        int.from_bytes(np.packbits(plane, bitorder="little").tobytes(), "little")
        for plane in values.T
    ]


@cache
def all_codes(inputs: int) -> int:
    """The plane that is 1 for every code."""
    return (1 << (1 << inputs)) - 1


@cache
def low_half(inputs: int, variable: int) -> int:
    """The plane that is 1 for the codes in which one input bit is 0."""
    step = 1 << variable
    return all_codes(inputs) // ((1 << (2 * step)) - 1) * ((1 << step) - 1)


@cache
def bits_of_code(inputs: int) -> dict[int, tuple[int, bool]]:
    """Place of a bit of the code, and True for its complement, by the plane that equals it."""
    zeros = [low_half(inputs, place) for place in range(inputs)]
    bits = {zero ^ all_codes(inputs): (place, False) for place, zero in enumerate(zeros)}
    return bits | {zero: (place, True) for place, zero in enumerate(zeros)}


def support(plane: int, inputs: int) -> int:
    """Number of input bits that a plane depends on."""
    return sum([((plane ^ (plane >> step)) & low) != 0 for step, low in _low_halves(inputs)])


@cache
def _low_halves(inputs: int) -> tuple[tuple[int, int], ...]:
    """For each input bit, its place value, and its `low_half`."""
    return tuple((1 << variable, low_half(inputs, variable)) for variable in range(inputs))


def by_size(tables: Sequence[NDArray[_Scalar]]) -> Iterator[tuple[IntArray, NDArray[_Scalar]]]:
    """Tables grouped by size: their indices, int64, and their entries (tables, entries)."""
    lengths = [len(table) for table in tables]
    if len(set(lengths)) == 1:  # as mostly
        yield np.arange(len(tables)), np.concatenate(tables).reshape(-1, lengths[0])
        return
    sizes = np.array(lengths)
    for size in set(sizes.tolist()):
        (which,) = (sizes == size).nonzero()
        chosen: list[NDArray[_Scalar]] = [tables[index] for index in which.tolist()]
        yield which, np.concatenate(chosen).reshape(-1, size)


def supports(entries: IntArray, bits: int) -> IntArray:
    """Number of input bits that each plane of each table depends on: (tables, planes).

    Parameters
    ----------
    entries : (tables, entries by code), int64.
    """
    tables, size = entries.shape
    inputs = (size - 1).bit_length()
    if 0 < tables * size * inputs <= _AT_ONCE:
        # All inputs together: for one small table, calls of NumPy take longer than their work.
        below, above = _neighbours(inputs)
        different = (entries.take(below, axis=1) ^ entries.take(above, axis=1)).reshape(
            tables, inputs, -1
        )
        differ = np.bitwise_or.reduce(different, axis=2)
    else:
        differ = np.zeros((tables, inputs), dtype=np.int64)
        for variable in range(inputs):
            halves = entries.reshape(tables, -1, 2, 1 << variable)
            different = (halves[:, :, 0] ^ halves[:, :, 1]).reshape(tables, -1)
            np.bitwise_or.reduce(different, axis=1, out=differ[:, variable])
    return np.add.reduce((differ[:, :, np.newaxis] >> _places(bits)) & 1, axis=1)


_AT_ONCE = 1 << 12
"""Entries times inputs up to which `supports` compares along all inputs at once."""


@cache
def _neighbours(inputs: int) -> tuple[IntArray, IntArray]:
    """For each input bit, the codes in which it is 0, and the same codes with the bit 1."""
    codes = np.arange(1 << inputs)
    below = [codes[codes >> variable & 1 == 0] for variable in range(inputs)]
    flat = np.concatenate(below)
    steps = np.repeat(1 << np.arange(inputs), (1 << inputs) // 2)
    return flat, flat + steps


@cache
def _places(bits: int) -> IntArray:
    return np.arange(bits)
