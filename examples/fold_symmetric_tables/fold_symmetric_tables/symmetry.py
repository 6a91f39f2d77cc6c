"""Symmetry of tables: pure NumPy, no IR.

Codes low..high are mirrored at `axis / 2`: code x and code `axis - x` are partners. A table is even
if partners have the same entry, and odd if the entries of partners add up to the same constant.
Codes without a partner in low..high are free.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kan_dialect.ir.constants import IntArray


@dataclass(frozen=True)
class Half:
    """One half of a symmetric table.

    Attributes
    ----------
    entries : (distances), int64: the entry of each distance from the axis, on the upper side.
    constant : None of an even table; of an odd one, what the entries of partners add up to.
    """

    entries: IntArray
    constant: int | None


def distances(low: int, high: int, axis: int) -> IntArray:
    """Distance of each code low..high from the axis, (high - low + 1), int64.

    It counts from 0, in codes, so that partners have the same distance.
    """
    codes = np.arange(low, high + 1)
    return np.abs(2 * codes - axis) // 2


def below_axis(low: int, high: int, axis: int) -> IntArray:
    """1 of each code low..high that is below the axis, 0 of the others."""
    return (2 * np.arange(low, high + 1) < axis).astype(np.int64)


def axes(low: int, high: int) -> tuple[int, ...]:
    """The middle of the codes low..high, and the codes beside it: zero of a signed code is one."""
    middle = low + high
    return middle, middle - 1, middle + 1


def half_of(entries: IntArray, low: int, axis: int) -> Half | None:
    """The half of a table; None if the table is neither even nor odd.

    Parameters
    ----------
    entries : (codes), int64, of the codes from `low` on.
    axis : twice the place of the axis.
    """
    high = low + len(entries) - 1
    codes = np.arange(max(low, axis - high), min(high, axis - low) + 1)
    paired, partners = entries[codes - low], entries[axis - codes - low]
    if (paired == partners).all():
        constant = None
    elif len({*(paired + partners).tolist()}) == 1:
        constant = int(paired[0] + partners[0])
    else:
        return None
    below = below_axis(low, high, axis) == 1
    upper = entries if constant is None else np.where(below, constant - entries, entries)
    distance = distances(low, high, axis)
    half = np.zeros(distance.max() + 1, dtype=np.int64)
    half[distance] = upper
    return Half(half, constant)
