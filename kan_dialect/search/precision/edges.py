"""The best table of an edge at a price, given the loss of every value of every entry.

A table that reads some bits of its input and gives 2^b equally spaced values costs b lookup tables
on a device, for any entries. So for every choice of input bits, spacing, b and lowest value, each
entry is the value of least loss, and the table's loss is the sum of these. Entries that no sample
reads have no loss: they follow the given table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np

from kan_dialect.ir.constants import FloatArray, IntArray

MAX_BITS = 6
"""Most bits of a table's values."""
MAX_PLACES = 5
"""Exponent of the largest power of two that values are multiples of, up to an offset."""
FEW_INPUTS = (1, 2, 3, 5)
"""Numbers of input bits that a table reads, where it does not read all of them.

A bit of 4 inputs costs what one of 5 does.
"""
MANY_CHOICES = 64
"""Most choices of input bits of one number; with more, only the uppermost bits are tried."""


@dataclass(frozen=True)
class Candidate:
    """A table with its loss and cost.

    Parameters
    ----------
    entries : (patterns), int64.
    loss : summed over all samples.
    luts : LUTs of the device, adding included.
    """

    entries: IntArray
    loss: float
    luts: float


@cache
def input_choices(bits: int) -> tuple[tuple[int, ...], ...]:
    """Choices of the input bits that a table reads, all of them first."""
    whole = tuple(range(bits))
    choices = [whole]
    for count in FEW_INPUTS[::-1]:
        if count < bits:
            some = list(combinations(whole, count))
            choices += some if len(some) <= MANY_CHOICES else [whole[-count:]]
    return tuple(choices)


def folded(losses: FloatArray, bits: int, kept: tuple[int, ...]) -> FloatArray:
    """Losses (2^kept, values), summed over patterns with equal kept bits."""
    axes = tuple(bits - 1 - bit for bit in range(bits) if bit not in kept)
    whole = losses.reshape(*(2,) * bits, losses.shape[1])
    return whole.sum(axis=axes).reshape(1 << len(kept), losses.shape[1])


def unfolded(values: IntArray, bits: int, kept: tuple[int, ...]) -> IntArray:
    """Entries for every pattern (2^bits), from those for the bits kept."""
    patterns = np.arange(1 << bits)
    index = np.zeros(1 << bits, dtype=np.int64)
    for place, bit in enumerate(kept):
        index |= ((patterns >> bit) & 1) << place
    return values[index]


def best_table(
    losses: FloatArray, values: IntArray, prices: FloatArray, weight: float
) -> Candidate:
    """The table of least loss + weight · LUTs.

    Parameters
    ----------
    losses : (patterns, values), of every value of every entry.
    values : (values), int64, consecutive.
    prices : LUTs of a table's bit that depends on 0, 1, ... inputs, adding included.
    weight : worth of a LUT in loss.
    """
    patterns, count = losses.shape
    bits = (patterns - 1).bit_length()
    whole = losses.sum(axis=0)
    constant = int(whole.argmin())
    best = float(whole[constant])
    found: tuple[tuple[int, ...], int, int, int] | None = None
    luts = 0.0
    for kept in input_choices(bits):
        price = weight * float(prices[len(kept)])
        some = folded(losses, bits, kept)
        if float(some.min(axis=1).sum()) + price >= best:
            continue
        for place in range(MAX_PLACES + 1):
            least = some
            for width in range(1, MAX_BITS + 1):
                step = 1 << (place + width - 1)
                if step >= least.shape[1] or width * price >= best:
                    break
                least = np.minimum(least[:, :-step], least[:, step:])
                sums = least.sum(axis=0)
                first = int(sums.argmin())
                cost = float(sums[first]) + width * price
                if cost < best:
                    best, found = cost, (kept, place, width, first)
                    luts = width * float(prices[len(kept)])
    if found is None:
        return Candidate(np.repeat(values[constant], patterns), best, 0.0)
    kept, place, width, first = found
    steps = first + (np.arange(1 << width) << place)
    chosen = folded(losses, bits, kept)[:, steps[steps < count]].argmin(axis=1)
    entries = unfolded(values[steps[chosen]], bits, kept)
    return Candidate(entries, best - weight * luts, luts)
