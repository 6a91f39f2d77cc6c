"""The best table of an edge at each price, when the loss of every entry is known.

A table that looks at some bits of its input and gives 2^b equally spaced values costs b lookup
tables on a device, whatever its entries are. So for every choice of input bits, spacing, b and
lowest value, each entry is the value of least loss, and the table's loss is the sum of these.
Entries that no sample reads have no loss: they follow the table that was given.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np

from kan_dialect.ir.constants import FloatArray, IntArray

MAX_BITS = 6
"""Of a table's values."""
MAX_PLACES = 5
"""Values are multiples of at most two to this, but for an offset."""
FEW_INPUTS = (1, 2, 3, 5)
"""How many of its input bits a table looks at, where it does not look at all of them.

A bit of 4 inputs costs what one of 5 does.
"""
MANY_CHOICES = 64
"""Of more ways to choose so many input bits, only the uppermost bits are looked at."""


@dataclass(frozen=True)
class Candidate:
    """A table with what it costs.

    Parameters
    ----------
    entries : (patterns), int64.
    loss : of all samples.
    luts : the device's, adding included.
    """

    entries: IntArray
    loss: float
    luts: float


@cache
def input_choices(bits: int) -> tuple[tuple[int, ...], ...]:
    """Which input bits a table may look at, all of them first."""
    every = tuple(range(bits))
    choices = [every]
    for count in FEW_INPUTS[::-1]:
        if count < bits:
            some = list(combinations(every, count))
            choices += some if len(some) <= MANY_CHOICES else [every[-count:]]
    return tuple(choices)


def folded(losses: FloatArray, bits: int, kept: tuple[int, ...]) -> FloatArray:
    """Losses (2^kept, values): the sum over patterns that are the same in the bits kept."""
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
    losses : (patterns, values), of every entry and value that it may have.
    values : (values), int64, one after the other.
    prices : LUTs of a table's bit that depends on 0, 1, ... inputs, adding included.
    weight : loss that a LUT is worth.
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
