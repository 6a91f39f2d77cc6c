"""The choice of pairs in C (`c/pairing.c`) where there is a compiler: the same pairs, faster."""

from __future__ import annotations

import ctypes
import weakref
from functools import cache
from pathlib import Path

import numpy as np

from kan_dialect.files.c_library import load_c_library
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import IntType
from kan_dialect.search.adder_trees.pairing import Pairing, Summands, depth_of


@cache
def _library() -> ctypes.CDLL | None:
    library = load_c_library("adder-trees", [Path(__file__).parent / "c" / "pairing.c"])
    if library is not None:
        handle, number, numbers = ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p
        library.kan_new_pairing.restype = handle
        library.kan_new_pairing.argtypes = [number, number]
        library.kan_free_pairing.argtypes = [handle]
        library.kan_extend_pairing.argtypes = [handle, numbers, number]
        library.kan_best_pair.argtypes = [handle, number, number, numbers]
        library.kan_take_pair.argtypes = [handle, number, number, numbers]
    return library


def pairing_of(
    summands: Summands, further: int, *, whole_bits: bool = False
) -> Pairing | CompiledPairing:
    """The summands of a sum, compiled where that is possible; see `Pairing`."""
    library = _library()
    if library is None:
        return Pairing(summands, further, whole_bits=whole_bits)
    return CompiledPairing(library, summands, further, whole_bits=whole_bits)


class CompiledPairing:
    """See `Pairing`. Numbers that need more than 64 bits, the sums of 2^arrival, are kept here."""

    def __init__(
        self, library: ctypes.CDLL, summands: Summands, further: int, *, whole_bits: bool
    ) -> None:
        self._library = library
        depth = depth_of(summands.kraft_sum) + further
        self._limit = 1 << depth
        self._kraft_sum = 0
        self._pairing = library.kan_new_pairing(depth, whole_bits)
        if not self._pairing:
            raise MemoryError
        weakref.finalize(self, library.kan_free_pairing, self._pairing)
        self._found = np.zeros(3, dtype=np.int64)
        self._pointer = self._found.ctypes.data
        self._most_zeros = 0
        self.extend(summands)

    def best(self) -> tuple[int, int]:
        """See `Pairing.best`."""
        left = self._limit - self._kraft_sum
        bits = left.bit_length()
        missing = ((1 << bits) - left - 1).bit_length()
        self._library.kan_best_pair(self._pairing, bits, missing, self._pointer)
        one, other, self._most_zeros = self._found.tolist()
        return one, other

    def most_zeros(self, left: int, right: int) -> int:
        """See `Pairing.most_zeros`, for the pair that `best` has told."""
        return self._most_zeros

    def add(self, left: int, right: int, kind: IntType, zeros: int) -> None:
        """See `Pairing.add`."""
        self._library.kan_take_pair(self._pairing, left, right, self._pointer)
        one, other, _ = self._found.tolist()
        self._kraft_sum -= (1 << one) + (1 << other)
        arrival = max(one, other) + 1
        rows = np.array([kind.low, kind.high, zeros, arrival, 0], dtype=np.int64)
        self._extend(rows, 1, 1 << arrival)

    def extend(self, more: Summands) -> None:
        """See `Pairing.extend`."""
        if len(more):
            self._extend(np.ascontiguousarray(more.given), len(more), more.kraft_sum)

    def _extend(self, rows: IntArray, count: int, kraft_sum: int) -> None:
        self._kraft_sum += kraft_sum
        self._limit = max(self._limit, 1 << depth_of(self._kraft_sum))
        if self._library.kan_extend_pairing(self._pairing, rows.ctypes.data, count):
            raise MemoryError
