"""How hardware rounds the codes of a port with gain and offset."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ir.types import quantized_type
from kan_dialect.ops.table import RequantizeOp, dequantize, quantize


@dataclass(frozen=True)
class CodeKind:
    """Codes of one element: code q of low..high stands for (q - zero_point) * scale."""

    low: int
    high: int
    scale: float
    zero_point: int


@dataclass(frozen=True)
class Blocks:
    """A monotone function of codes that changes by one, at most, within each block of 2^bits codes.

    Parameters
    ----------
    first : (blocks), the function at the first code of each block, int64.
    step : (blocks), the place in the block from which on it is one more or less; 2^bits where it
        does not change.
    """

    bits: int
    first: IntArray
    step: IntArray


@dataclass(frozen=True)
class Rescaling:
    """Codes of one element to codes of another kind, for their value times `gain` plus `offset`."""

    source: CodeKind
    target: CodeKind
    gain: float
    offset: float

    def codes(self, codes: IntArray) -> IntArray:
        """Codes of the target, int64, as the host would compute them from values, in float64."""
        source, target = self.source, self.target
        real = dequantize(codes, np.array(source.scale), np.array(source.zero_point))
        return quantize(
            real * self.gain + self.offset,
            np.array(target.scale),
            np.array(target.zero_point),
            np.array(target.low),
            np.array(target.high),
        )

    @property
    def entries(self) -> IntArray:
        """The code of the target for each code of the source, from the least one on."""
        return self.codes(np.arange(self.source.low, self.source.high + 1))

    @property
    def ends(self) -> tuple[int, int]:
        """Codes of the target for the least and the greatest code of the source."""
        first, last = self.codes(np.array([self.source.low, self.source.high])).tolist()
        return first, last

    @property
    def unsaturated(self) -> tuple[int, int]:
        """The codes of the source from the last with the first result to the first with the last.

        Codes beyond them have the same results as these two.
        """
        first, last = self.ends

        def least(reached: Callable[[int], bool]) -> int:
            below, above = self.source.low - 1, self.source.high
            while above - below > 1:
                middle = (below + above) >> 1
                below, above = (below, middle) if reached(middle) else (middle, above)
            return above

        def code(at: int) -> int:
            return int(self.codes(np.array([at]))[0])

        start = least(lambda at: code(at) != first) - 1
        return max(self.source.low, start), least(lambda at: code(at) == last)

    def between(self, low: int, high: int) -> Rescaling:
        """The same for codes of the source from `low` to `high` only."""
        return replace(self, source=replace(self.source, low=low, high=high))

    def within(self, low: int, high: int) -> Rescaling:
        """The same for codes of the source from `low` to `high`, counted from 0."""
        source = self.source
        moved = CodeKind(0, high - low, source.scale, source.zero_point - low)
        return replace(self, source=moved)

    def blocks(self) -> Blocks:
        """The largest blocks of the source, from a multiple of their size on."""
        low, high = self.source.low, self.source.high
        slope = abs(self.source.scale * self.gain / self.target.scale)
        bits = int(
            np.clip(math.ceil(-math.log2(max(slope, 2.0**-60))), 0, (high - low).bit_length())
        )
        while True:
            size = 1 << bits
            start = np.arange(low >> bits, (high >> bits) + 1) << bits
            end = (start + size - 1).clip(low, high)
            start = start.clip(low, high)
            first, last = self.codes(start), self.codes(end)
            if not bits or int(np.abs(last - first).max()) <= 1:
                break
            bits -= 1
        below, reached = start, end
        while bool((reached - below > 1).any()):
            middle = (below + reached) >> 1
            later = self.codes(middle) != first
            reached, below = np.where(later, middle, reached), np.where(later, below, middle)
        step = np.where(first == last, size, reached & (size - 1))
        return Blocks(bits, first, step)


def rescalings_of(op: RequantizeOp) -> list[Rescaling]:
    """How an op with gain and offset rescales each element."""
    affine = op.affine
    assert affine is not None
    kinds: list[list[CodeKind]] = []
    for value in (op.input, op.result):
        element, (lower, upper) = quantized_type(value), bounds_of(value)
        count = len(lower)
        columns: tuple[IntArray | FloatArray, ...] = (
            lower,
            upper,
            np.broadcast_to(element.scale_for(1), count),
            np.broadcast_to(element.zero_point_for(1), count),
        )
        kinds.append([CodeKind(*each) for each in zip(*(c.tolist() for c in columns), strict=True)])
    rows = zip(*kinds, affine[0].tolist(), affine[1].tolist(), strict=True)
    return [Rescaling(*row) for row in rows]
