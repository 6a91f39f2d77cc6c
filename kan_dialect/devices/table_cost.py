"""Lookup tables of a device that the bits of a `kan.table` take, from its entries.

A table's result bits are planes: Boolean functions of its input bits. A plane that is constant, an
input bit, or equal to another plane (or to its complement) takes nothing. A plane that depends on
no more inputs than a lookup table has takes one, of that size. A few more inputs take wide
multiplexers, where the device has them. Other planes are decomposed like a multiplexer tree in
synthesis: into cofactors by the upper input bits, equal ones once, and the choice among them.

Planes are Python integers: bit x is the value for input code x.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kan_dialect.ir.constants import IntArray

MUX_INPUTS = 3
"""Inputs of a choice between two bits."""

_Scalar = TypeVar("_Scalar", bound=np.generic)


def planes(patterns: IntArray, bits: int) -> list[int]:
    """The planes of a table, lowest bit first.

    Parameters
    ----------
    patterns : entries by bit pattern of the input, int64; their number is a power of two.
    """
    values = ((patterns.reshape(-1, 1) >> np.arange(bits)) & 1).astype(np.uint8)
    return [
        int.from_bytes(np.packbits(plane, bitorder="little").tobytes(), "little")
        for plane in values.T
    ]


@cache
def _whole(inputs: int) -> int:
    return (1 << (1 << inputs)) - 1


@cache
def low_half(inputs: int, variable: int) -> int:
    """The codes in which one input bit is 0."""
    step = 1 << variable
    return _whole(inputs) // ((1 << (2 * step)) - 1) * ((1 << step) - 1)


def support(plane: int, inputs: int) -> int:
    """Number of input bits that a plane depends on."""
    return sum(
        bool((plane ^ (plane >> (1 << variable))) & low_half(inputs, variable))
        for variable in range(inputs)
    )


def by_size(tables: Sequence[NDArray[_Scalar]]) -> Iterator[tuple[IntArray, NDArray[_Scalar]]]:
    """Tables grouped by size: their indices, int64, and their entries (tables, entries)."""
    sizes = np.array([len(table) for table in tables])
    for size in set(sizes.tolist()):
        (which,) = (sizes == size).nonzero()
        chosen: list[NDArray[_Scalar]] = [tables[index] for index in which.tolist()]
        yield which, np.concatenate(chosen).reshape(-1, size)


def supports(entries: IntArray, bits: int) -> IntArray:
    """Number of input bits that each plane of each table depends on: (tables, planes).

    Parameters
    ----------
    entries : (tables, entries by bit pattern), int64.
    """
    tables, size = entries.shape
    inputs = (size - 1).bit_length()
    differ = np.zeros((tables, inputs), dtype=np.int64)
    for variable in range(inputs):
        halves = entries.reshape(tables, -1, 2, 1 << variable)
        different = (halves[:, :, 0] ^ halves[:, :, 1]).reshape(tables, -1)
        np.bitwise_or.reduce(different, axis=1, out=differ[:, variable])
    return ((differ[:, :, np.newaxis] >> np.arange(bits)) & 1).sum(axis=1)


@dataclass
class Mapper:
    """Counts lookup tables of the planes of tables that read the same inputs."""

    lut_inputs: int
    wide_inputs: int
    """Inputs of the largest function that lookup tables and the multiplexers beside them make."""

    wide_factor: float = 1.0
    """LUTs of a wide function, as a multiple of the lookup tables that its multiplexers join, if
    these all differ."""

    luts: Counter[int] = field(default_factory=Counter[int])
    """Number of lookup tables so far, by number of inputs."""

    made: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    """Functions counted so far, each with its number of inputs."""

    def add(self, plane: int, inputs: int) -> int:
        """Count the lookup tables that a plane still needs; its levels of lookup tables."""
        plane, inputs = _reduced(plane, inputs)
        used = support(plane, inputs)
        if used <= 1:
            return 0
        known = (plane, inputs) in self.made
        self.made.add((plane, inputs))
        if used <= self.lut_inputs:
            self.luts[used] += not known
            return 1
        if known:
            return 1 + (used - self.lut_inputs + 1) // 2
        return self._decompose(plane, inputs, used)

    def _decompose(self, plane: int, inputs: int, used: int) -> int:
        if used <= self.wide_inputs:
            # Synthesis prefers the fast multiplexers even where shared parts would be smaller.
            joined = 1 << (used - self.lut_inputs)
            parts, _ = self._split(plane, inputs, self.lut_inputs)
            if len(parts) == 1 << (inputs - self.lut_inputs):
                joined = round(self.wide_factor * joined)
            self.luts[self.lut_inputs] += joined
            return 1
        best: tuple[int, int, list[int], int] | None = None
        for low in range(min(self.lut_inputs, inputs - 1), 1, -1):
            if inputs - low >= self.lut_inputs:
                # The choice alone would have too many inputs.
                break
            parts, top = self._split(plane, inputs, low)
            if top <= self.lut_inputs:
                missing = sum((part, low) not in self.made for part in parts)
                if best is None or missing < best[0]:
                    best = missing, low, parts, top
        if best is not None:
            _, low, parts, top = best
            self.luts[top] += 1
            return 1 + max((self.add(part, low) for part in parts), default=0)
        half = 1 << (inputs - 1)
        below, above = plane & ((1 << half) - 1), plane >> half
        levels = max(self.add(below, inputs - 1), self.add(above, inputs - 1))
        self.luts[MUX_INPUTS] += 1
        return levels + 1

    def _split(self, plane: int, inputs: int, low: int) -> tuple[list[int], int]:
        """The different functions of the lower bits, and the inputs of the choice among them."""
        mask, rest = _whole(low), plane
        parts: set[int] = set()
        wires: set[int] = set()
        for _ in range(1 << (inputs - low)):
            part = rest & mask
            rest >>= 1 << low
            part ^= mask if part & 1 else 0
            if part:
                (wires if support(part, low) == 1 else parts).add(part)
        return sorted(parts), len(parts) + len(wires) + inputs - low


def _reduced(plane: int, inputs: int) -> tuple[int, int]:
    """The plane or its complement, without upper inputs that it does not depend on."""
    plane ^= _whole(inputs) if plane & 1 else 0
    while inputs and plane >> (1 << (inputs - 1)) == plane & _whole(inputs - 1):
        inputs -= 1
        plane &= _whole(inputs)
    return plane, inputs
