"""Finds hardware that gives the codes of a quantiser for every sum that it reads.

A quantiser of a node, with the functions in front of it, is a function of the node's integer sum.
The forms that are tried, cheapest first, are a division by a power of two, a multiplication with
an offset, and a table. Each is compared with the file's own operators at every sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ir.rounding import round_shift
from kan_dialect.ops.table import unsaturated_codes

_NUDGE = 2.0**-20
"""Moves ties to one side, in steps of the code."""

_OFFSETS = (0.0, _NUDGE, -_NUDGE, _NUDGE - 0.5, 0.5 - _NUDGE)
"""Offsets by which rounding half to even becomes half up, half down, down, and up."""

_NEAR_INTEGER = 1e-6
"""Distance up to which an offset counts as an integer."""


@dataclass(frozen=True, eq=False)
class Line:
    """A line for each of n nodes: the code before rounding is slope * sum + offset."""

    slope: FloatArray
    offset: FloatArray


@dataclass(frozen=True, eq=False)
class Division:
    """code = (factor * sum + bias) / 2^shift, rounded half to even, of each node; all int64."""

    factor: IntArray
    bias: IntArray
    shift: IntArray

    def codes(self, sums: IntArray) -> IntArray:
        """Codes (entries, n) before they saturate."""
        wide = sums * self.factor + self.bias
        columns = zip(wide.T, self.shift.tolist(), strict=True)
        return np.stack([round_shift(column, shift) for column, shift in columns], axis=1)


@dataclass(frozen=True, eq=False)
class SumCodes:
    """The codes of a quantiser at every sum of n nodes.

    Attributes
    ----------
    sums : (entries, n), int64, consecutive integers; the last sum of a node is repeated.
    codes : (entries, n), int64, less the quantiser's zero point.
    scaled : (entries, n), float64, the values whose rounding is the code; None if unknown.
    """

    sums: IntArray
    codes: IntArray
    scaled: FloatArray | None

    def division(self) -> Division | None:
        """A division by powers of two that gives the codes; None if none does."""
        for line in self._lines():
            if not bool((line.slope > 0).all()):
                return None
            shift = np.rint(-np.log2(line.slope)).astype(np.int64)
            bias = line.offset * np.exp2(shift)
            whole = (np.abs(bias - np.rint(bias)) < _NEAR_INTEGER) | (shift <= 0)
            # Odd sums of twice the resolution are never halfway between two codes.
            doubled = 2 * np.floor(bias) + 1
            found = Division(
                np.where(whole, 1, 2),
                np.where(whole, np.rint(bias), doubled).astype(np.int64),
                np.where(whole, shift, shift + 1),
            )
            if self.equals(found.codes(self.sums)):
                return found
        return None

    def affine(self, unit: FloatArray, scale: FloatArray) -> tuple[FloatArray, FloatArray] | None:
        """Gain and offset (n) of real sums whose quotient by the scale rounds to the codes.

        Parameters
        ----------
        unit, scale : (n), float64, of the sums and of the codes.

        Returns
        -------
        None if no gain and offset give the codes of `kan.requantize`.
        """
        for line in self._lines():
            gain, offset = line.slope * scale / unit, line.offset * scale
            wide = unsaturated_codes(self.sums * unit * gain + offset, scale, np.zeros(1, np.int64))
            if self.equals(wide.clip(-(2.0**53), 2.0**53).astype(np.int64)):
                return gain, offset
        return None

    def equals(self, codes: IntArray) -> bool:
        """Whether codes (entries, n) are these once they saturate at the ends of each node."""
        ends = self.codes.min(axis=0), self.codes.max(axis=0)
        return np.array_equal(codes.clip(*ends), self.codes)

    def _lines(self) -> Iterator[Line]:
        line = self._line()
        for offset in _OFFSETS:
            yield Line(line.slope, line.offset + offset)

    def _line(self) -> Line:
        """The line through the first and the last code that do not saturate."""
        sums, codes = self.sums.astype(np.float64), self.codes.astype(np.float64)
        nodes = np.arange(sums.shape[1], dtype=np.int64)
        changes = self.codes[1:] != self.codes[:-1]
        first = changes.argmax(axis=0) + 1
        last = len(changes) - changes[::-1].argmax(axis=0)
        # A change lies half a sum before its index, and half a code between its codes.
        before, after = (
            (sums[at, nodes] - 0.5, (codes[at, nodes] + codes[at - 1, nodes]) / 2)
            for at in (first, last)
        )
        jump = codes[first, nodes] - codes[first - 1, nodes]
        slope: FloatArray = np.where(first == last, jump, _slope(before, after))
        x, y = before
        if self.scaled is not None:
            known = last - 1 > first
            start, end = ((sums[at, nodes], self.scaled[at, nodes]) for at in (first, last - 1))
            slope = np.where(known, _slope(start, end), slope)
            x, y = np.where(known, start[0], x), np.where(known, start[1], y)
        # A node with a single code saturates at it, whatever the line.
        slope = np.where(changes.any(axis=0), slope, 1.0)
        offset: FloatArray = y - slope * x
        return Line(slope, offset)


def _slope(first: tuple[FloatArray, FloatArray], last: tuple[FloatArray, FloatArray]) -> FloatArray:
    return (last[1] - first[1]) / np.maximum(last[0] - first[0], 1)
