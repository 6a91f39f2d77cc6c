"""The two summands of a sum that are best added next.

A pair costs the bits of its adder where both have some, and the bits that later adders take because
of it. On devices whose carry chains take whole bits, it costs all bits of its adder. Two summands
may be added if all can still be added within a number of levels, that is while the sum of 2^arrival
is at most 2^levels (Kraft's inequality). `c/pairing.c` computes the costs, each once.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from kan_dialect.ir.types import IntType
from kan_dialect.search.library import search_library


class Summand(NamedTuple):
    """A value to add.

    Attributes
    ----------
    low, high : range.
    zeros : number of lowest bits that are always 0.
    arrival : levels of adders before it.
    absorbed : number of bits that the LUTs of an adder absorb.
    """

    low: int
    high: int
    zeros: int
    arrival: int
    absorbed: int


class Pair(NamedTuple):
    """The numbers of two summands, and the larger number of their lowest bits that are always 0."""

    left: int
    right: int
    zeros: int


class Pairing:
    """The summands left to add, numbered in the order in which they came.

    Parameters
    ----------
    summands : the first summands.
    further : levels that the tree may have beyond the fewest.
    whole_bits : every bit of an adder takes a LUT (`Adders.whole_bits`).
    """

    def __init__(
        self, summands: Sequence[Summand], further: int, *, whole_bits: bool = False
    ) -> None:
        self._library = search_library()
        depth = _depth_of(_kraft_sum(summands)) + further
        # Sums of 2^arrival need more than 64 bits, so C is told of their bits only.
        self._limit = 1 << depth
        self._kraft_sum = 0
        self._pairing = self._library.kan_new_pairing(depth, whole_bits)
        if not self._pairing:
            raise MemoryError
        weakref.finalize(self, self._library.kan_free_pairing, self._pairing)
        self._answer = np.zeros(3, dtype=np.int64)
        self._answer_address = self._answer.ctypes.data
        self.extend(summands)

    def best(self) -> Pair:
        """The cheapest pair that may be added; the first of equal ones."""
        # The sum grows by 2^later - 2^earlier, which must be at most `left`.
        left = self._limit - self._kraft_sum
        bits = left.bit_length()
        missing = ((1 << bits) - left - 1).bit_length()
        self._library.kan_best_pair(self._pairing, bits, missing, self._answer_address)
        return Pair(*self._answer.tolist())

    def add(self, left: int, right: int, kind: IntType, zeros: int) -> None:
        """Replace two summands by their sum, which gets the next number.

        Parameters
        ----------
        kind : range of the sum.
        zeros : number of its lowest bits that are always 0.
        """
        self._library.kan_take_pair(self._pairing, left, right, self._answer_address)
        one, other, _ = self._answer.tolist()
        self._kraft_sum -= (1 << one) + (1 << other)
        self.extend([Summand(kind.low, kind.high, zeros, max(one, other) + 1, 0)])

    def extend(self, more: Sequence[Summand]) -> None:
        """Add summands, which get the next numbers; the tree gets deeper where it must."""
        self._kraft_sum += _kraft_sum(more)
        self._limit = max(self._limit, 1 << _depth_of(self._kraft_sum))
        rows = np.array(more, dtype=np.int64)
        if self._library.kan_extend_pairing(self._pairing, rows.ctypes.data, len(more)):
            raise MemoryError


def _kraft_sum(summands: Iterable[Summand]) -> int:
    """The sum of 2^arrival."""
    return sum(1 << summand.arrival for summand in summands)


def _depth_of(kraft_sum: int) -> int:
    """Levels of a tree that adds summands with this sum of 2^arrival."""
    return max(kraft_sum - 1, 0).bit_length()
