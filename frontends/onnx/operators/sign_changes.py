"""Finds where functions of one input each change sign, to the last bit of the input's type.

The functions are *margins*: differences between a value and the value that an op compares it with.
Many margins are searched at once; each row of inputs holds one candidate for every input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray

MarginRun: TypeAlias = Callable[[FloatArray], FloatArray]
"""Inputs (rows, in) -> margins (rows, margins)."""

MAX_SIGN_CHANGES = 1 << 12
"""Most sign changes that are searched at once."""

_BISECTION_ROUNDS = 66
"""Bisection rounds: more than two neighbouring float64 numbers need."""

_MINIMUM_ROUNDS = 4
"""Rounds towards the point where a margin is nearest to 0 without a sign change."""

_MAGNITUDES = 10.0 ** np.arange(-4, 8)
"""Magnitudes at which margins are evaluated first."""

_INTEGERS: dict[int, np.dtype[np.signedinteger]] = {  # pyright: ignore[reportMissingTypeArgument]
    2: np.dtype(np.int16),
    4: np.dtype(np.int32),
    8: np.dtype(np.int64),
}


@dataclass(frozen=True, eq=False)
class SignChanges:
    """Sign changes of margins, in the order of inputs and values.

    Attributes
    ----------
    margin : (changes), int64, the margin.
    index : (changes), int64, the input on which it depends.
    below, above : (changes), float64, neighbouring floats of the input's type between which the
        sign differs. A margin that is 0 at a single value has two changes.
    """

    margin: IntArray
    index: IntArray
    below: FloatArray
    above: FloatArray

    def values_of(self, index: int) -> FloatArray:
        """Test values of an input: both sides of each change, midpoints between changes, and
        beyond.
        """
        chosen = self.index == index
        edges = np.unique(np.concatenate([self.below[chosen], self.above[chosen]]))
        if not edges.size:
            return edges
        far = max(float(np.ptp(edges)), 0.5 * float(np.abs(edges).max()), 1e-3)
        between = (edges[1:] + edges[:-1]) / 2
        return np.unique([*edges, *between, edges[0] - far, edges[-1] + far])


def find_sign_changes(
    run: MarginRun, index: IntArray, base: FloatArray, near: FloatArray, dtype: np.dtype[np.generic]
) -> SignChanges:
    """Find the sign changes of margins.

    Parameters
    ----------
    run : inputs (rows, in) -> margins (rows, margins).
    index : (margins), the input on which each depends.
    base : (in), a likely value of each input.
    near : (rows, in), typical inputs.
    dtype : type of the inputs.
    """
    search = _Search(run, index, base, dtype)
    x = _positions(near, dtype)
    first = search.between(x)
    if not first.index.size:
        return first
    # A change of one margin may separate two changes of another that the positions missed.
    points = _columns(first, base)
    return search.between(np.concatenate([x, points]))


def _columns(found: SignChanges, base: FloatArray) -> FloatArray:
    """Values of sign changes, each in the column of its input: (rows, in)."""
    values = np.concatenate([found.below, found.above])
    index = np.concatenate([found.index, found.index])
    points = np.repeat(base[np.newaxis], int(np.bincount(index).max()), axis=0)
    points[ranks(index), index] = values
    return points


def ranks(groups: IntArray) -> IntArray:
    """Rank of each element among the elements of its group."""
    order = np.argsort(groups, kind="stable")
    sorted_groups = groups[order]
    found = np.empty_like(groups)
    found[order] = np.arange(groups.size) - np.searchsorted(sorted_groups, sorted_groups)
    return found


def _positions(near: FloatArray, dtype: np.dtype[np.generic]) -> FloatArray:
    """First positions of the search (rows, in): all magnitudes, and near typical inputs."""
    scales = np.concatenate([-_MAGNITUDES[::-1], [0.0], _MAGNITUDES])
    wide = np.repeat(scales[:, np.newaxis], near.shape[1], axis=1)
    low, high = near.min(axis=0), near.max(axis=0)
    within = low + (high - low) * np.linspace(-0.25, 1.25, 13)[:, np.newaxis]
    seen = near[:: max(1, len(near) // 16)]
    return _rounded(np.concatenate([wide, within, seen]), dtype)


class _Brackets(NamedTuple):
    """Brackets of sign changes: ends as float numbers (`_to_numbers`), and the signs there."""

    margin: IntArray
    low: IntArray
    high: IntArray
    at_low: FloatArray
    at_high: FloatArray

    def where(self, chosen: BoolArray | IntArray) -> _Brackets:
        columns: list[Any] = [each[chosen] for each in self]
        return _Brackets(*columns)


def _joined(parts: Sequence[_Brackets]) -> _Brackets:
    columns: list[Any] = [np.concatenate(each) for each in zip(*parts, strict=True)]
    return _Brackets(*columns)


class _Search:
    def __init__(
        self, run: MarginRun, index: IntArray, base: FloatArray, dtype: np.dtype[np.generic]
    ) -> None:
        self._run = run
        self._index = index
        self._base = _rounded(base, dtype)
        self._dtype = dtype

    def between(self, x: FloatArray) -> SignChanges:
        """Sign changes between positions x (rows, in)."""
        x = np.sort(x, axis=0)
        with np.errstate(all="ignore"):
            values = self._run(x)
            at = x[:, self._index]
            brackets = self._changes(at, values)
            for _ in range(_MINIMUM_ROUNDS):
                more = self._nearest(at, values)
                if more is None:
                    break
                at, values = more
                brackets = _joined([brackets, self._changes(at, values)])
        return self._refined(brackets)

    def _changes(self, at: FloatArray, values: FloatArray) -> _Brackets:
        """Brackets between neighbouring positions (rows, margins), ascending, of different sign."""
        signs = np.sign(values)
        rows, margin = np.nonzero(
            (signs[1:] != signs[:-1]) & np.isfinite(values[1:]) & np.isfinite(values[:-1])
        )
        rows, margin = rows[:MAX_SIGN_CHANGES], margin[:MAX_SIGN_CHANGES].astype(np.int64)
        low, high = (_to_numbers(at[each, margin], self._dtype) for each in (rows, rows + 1))
        return _Brackets(margin, low, high, signs[rows, margin], signs[rows + 1, margin])

    def _nearest(self, at: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray] | None:
        """Positions and margins around the minima of margins without a sign change.

        A margin that only touches 0 has the same sign at both neighbouring positions. None if no
        new position is found.
        """
        size = np.where(np.isfinite(values), np.abs(values), np.inf)
        best = np.clip(size.argmin(axis=0), 1, len(size) - 2)
        every: IntArray = np.arange(size.shape[1], dtype=np.int64)
        rows: IntArray = best + np.arange(-1, 2)[:, np.newaxis]
        a, b, c = at[rows, every]
        fa, fb, fc = values[rows, every]
        left, right = b - fb * (b - a) / (fb - fa), b - fb * (c - b) / (fc - fb)
        bow = (b - a) * (fb - fc) - (b - c) * (fb - fa)
        vertex = b - 0.5 * ((b - a) ** 2 * (fb - fc) - (b - c) ** 2 * (fb - fa)) / bow
        tried = np.stack([left, right, vertex])
        # The ends are extrapolated along a straight line.
        tried = np.where(np.isfinite(tried) & (np.abs(tried) < 1e30), tried, b)
        tried = _rounded(tried, self._dtype)
        if not bool(((tried != a) & (tried != b) & (tried != c)).any()):
            return None
        found = [self._at(every, each) for each in tried]
        positions = np.concatenate([at[rows, every], tried])
        results = np.concatenate([values[rows, every], np.stack(found)])
        order = np.argsort(positions, axis=0, kind="stable")
        return np.take_along_axis(positions, order, 0), np.take_along_axis(results, order, 0)

    def _at(self, margin: IntArray, value: FloatArray) -> FloatArray:
        """Each margin at a value of its input."""
        # Equal values of an input share a row.
        pairs = np.stack([self._index[margin], value])
        (index, values), place = np.unique(pairs, axis=1, return_inverse=True)
        index = index.astype(np.int64)
        row = ranks(index)
        x = np.repeat(self._base[np.newaxis], int(row.max()) + 1, axis=0)
        x[row, index] = values
        return self._run(x)[row[place], margin]

    def _refined(self, left: _Brackets) -> SignChanges:
        """Narrow brackets until their ends are neighbours; a 0 inside splits a bracket in two."""
        done: list[_Brackets] = []
        for _ in range(_BISECTION_ROUNDS):
            ready = left.high <= left.low + 1
            done.append(left.where(ready))
            left = left.where(~ready)
            if not left.low.size:
                break
            left = self._narrowed(left)
        found = _joined(done)
        _, first = np.unique(np.stack([found.margin, found.low]), axis=1, return_index=True)
        found = found.where(first)
        below, above = (_to_values(each, self._dtype) for each in (found.low, found.high))
        index = self._index[found.margin]
        order = np.lexsort((above, index))
        return SignChanges(found.margin[order], index[order], below[order], above[order])

    def _narrowed(self, left: _Brackets) -> _Brackets:
        """Halve each bracket."""
        middle = left.low // 2 + left.high // 2 + (left.low % 2 + left.high % 2) // 2
        with np.errstate(all="ignore"):
            found = self._at(left.margin, _to_values(middle, self._dtype))
        sign = np.where(np.isfinite(found), np.sign(found), left.at_high)
        below, above = sign != left.at_low, sign != left.at_high
        lower = _Brackets(left.margin, left.low, middle, left.at_low, sign)
        upper = _Brackets(left.margin, middle, left.high, sign, left.at_high)
        return _joined([lower.where(below), upper.where(above)])


def _rounded(values: FloatArray, dtype: np.dtype[np.generic]) -> FloatArray:
    """The nearest finite values of the type, as float64."""
    assert np.issubdtype(dtype, np.floating)
    limit = float(np.finfo(dtype).max)  # pyright: ignore[reportArgumentType, reportCallIssue] (it is a float type)
    with np.errstate(all="ignore"):
        return np.clip(values, -limit, limit).astype(dtype).astype(np.float64)


def _to_numbers(values: FloatArray, dtype: np.dtype[np.generic]) -> IntArray:
    """Numbers of floats of a type, in ascending order; 0 has number 0."""
    bits = values.astype(dtype).view(_INTEGERS[dtype.itemsize]).astype(np.int64)
    lowest = -(1 << (8 * dtype.itemsize - 1))
    return np.where(bits >= 0, bits, lowest - bits)


def _to_values(numbers: IntArray, dtype: np.dtype[np.generic]) -> FloatArray:
    """Inverse of `_to_numbers`, as float64."""
    lowest = -(1 << (8 * dtype.itemsize - 1))
    bits = np.where(numbers >= 0, numbers, lowest - numbers)
    with np.errstate(all="ignore"):
        return bits.astype(_INTEGERS[dtype.itemsize]).view(dtype).astype(np.float64)
