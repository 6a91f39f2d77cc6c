"""Random numbers that are the same on every Python, NumPy and processor.

NumPy guarantees the raw words of a bit generator, but not what a `Generator` makes of them. All
numbers here come from raw words by integer arithmetic, and floats are integers over a power of two.
"""

from __future__ import annotations

import hashlib

import numpy as np

from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray

VERSION = 1
"""Of the benchmark set, which never changes: another network, seed or size is another version."""

UNIT = 1 << 10
"""Floats are multiples of 1 / UNIT."""


class Draws:
    """A stream of random numbers with a name as its seed."""

    def __init__(self, name: str) -> None:
        digest = hashlib.sha256(f"benchmark set {VERSION}: {name}".encode()).digest()
        seed = int.from_bytes(digest, "little")
        self._words = np.random.PCG64(seed)

    def integers(self, low: int, high: int, shape: tuple[int, ...]) -> IntArray:
        """Integers from `low` to `high`, both included, int64."""
        count = int(np.prod(shape))
        words = np.asarray(self._words.random_raw(count), dtype=np.uint64) >> np.uint64(11)
        return low + (words % np.uint64(high - low + 1)).astype(np.int64).reshape(shape)

    def chance(self, share: float, shape: tuple[int, ...]) -> BoolArray:
        """True for about this share of the elements."""
        return self.integers(0, UNIT - 1, shape) < round(share * UNIT)

    def uniform(self, low: float, high: float, shape: tuple[int, ...]) -> FloatArray:
        """Floats from `low` to `high`, float64."""
        whole = self.integers(round(low * UNIT), round(high * UNIT), shape)
        return whole.astype(np.float64) / UNIT

    def bell(self, scale: float, shape: tuple[int, ...]) -> FloatArray:
        """Floats around 0 with a standard deviation of about `scale`, bounded, float64.

        The sum of three uniform numbers.
        """
        end = round(scale * UNIT)
        first, second, third = (self.integers(-end, end, shape) for _ in range(3))
        return (first + second + third).astype(np.float64) / UNIT
