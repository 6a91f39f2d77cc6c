"""Whether two forms are the same function, and if not, where they differ: exactly, not by samples.

Sums are compared in normal form. Functions of the same sum are compared at every sum that can come;
functions of different sums at every pair of sums that can come together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from kan_dialect.flows.prove.forms import (
    MAX_POINTS,
    Assignment,
    Choice,
    Form,
    Image,
    Over,
    TooHard,
    Total,
    apply_to_sums,
    as_image,
    as_total,
    common_factor,
    connected,
    evaluate,
    listed,
    subtract,
    variables,
)
from kan_dialect.ir.constants import Array, IntArray

MAX_PAIRS = 20_000_000
"""Pairs of sums that are looked at; each takes a byte for each group of variables."""
MAX_STEPS = 10_000_000_000
"""Bytes that are touched in all to find out which pairs come."""

_SAMPLES = 4096


def difference(got: Form, expected: Form, *, listing: int = MAX_POINTS // 16) -> Assignment | None:
    """Where the two differ; None where they are the same function.

    Parameters
    ----------
    listing : largest number of points at which functions are compared point by point.

    Raises
    ------
    TooHard : it could not be decided.
    """
    over = tuple(sorted({*variables(got), *variables(expected)}))
    if prod(v.size for v in over) <= listing:
        return _first(over, listed(got, over) != listed(expected, over))
    found = _difference(got, expected, over)
    # Where only some variables are said, the difference is with the others at their lowest.
    return None if found is None else {v: v.low for v in over} | found


def _difference(got: Form, expected: Form, over: Over) -> Assignment | None:
    if isinstance(got, Choice) or isinstance(expected, Choice):
        return _of_choices(got, expected, over)
    if not isinstance(got, Image) and not isinstance(expected, Image):
        return _of_totals(subtract(got, expected))
    left, right = _in_steps(as_image(got)), _in_steps(as_image(expected))
    if left.of.key == right.of.key:
        sums = np.flatnonzero((left.values != right.values) & left.of.reached)
        return left.of.assignment(int(sums[0]) + left.of.low) if sums.size else None
    sampled = _by_samples(left, right, over)
    if sampled is not None:
        return sampled
    try:
        return difference_by_pairs(left, right)
    except TooHard:
        apart = apply_to_sums(lambda columns: columns[0] != columns[1], [left, right])
        if apart is None:
            raise
    if isinstance(apart, Image):
        sums = np.flatnonzero((apart.values != 0) & apart.of.reached)
        return apart.of.assignment(int(sums[0]) + apart.of.low) if sums.size else None
    return {} if evaluate(apart, {}).any() else None


def _of_choices(got: Form, expected: Form, over: Over) -> Assignment | None:
    """Choices are the same function if condition and forms are, each; else samples may differ."""
    if isinstance(got, Choice) and isinstance(expected, Choice):
        pairs = [
            (got.condition, expected.condition),
            (got.one, expected.one),
            (got.other, expected.other),
        ]
        if all(difference(*pair) is None for pair in pairs):
            return None
    sampled = _by_samples(got, expected, over)
    if sampled is None:
        raise TooHard("a choice between nodes")
    return sampled


def _in_steps(image: Image) -> Image:
    """The same function, of a sum without a common factor: left shifts are seen through."""
    parts = image.of.parts
    step = common_factor(image.of)
    if step <= 1:
        return image
    of = Total(0, {over: part // step for over, part in parts.items()})
    return Image(of, image.values[::step])


def _first(over: Over, differs: Array) -> Assignment | None:
    points = np.argwhere(differs)
    # A point of no variables has no coordinates: count points, not numbers.
    if not len(points):
        return None
    return {v: v.low + int(i) for v, i in zip(over, points[0], strict=True)}


def _of_totals(rest: Form) -> Assignment | None:
    """Where a sum is not 0: in normal form, its smallest part decides."""
    if isinstance(rest, Image | Choice):
        raise TooHard("a nested sum")
    total = as_total(rest)
    if total.constant:
        return {}
    if not total.parts:
        return None
    over = min(total.parts, key=len)
    return _first(over, total.parts[over] != 0)


def _by_samples(left: Form, right: Form, over: Over) -> Assignment | None:
    rng = np.random.default_rng(0)
    values = {v: rng.integers(v.low, v.high, _SAMPLES, endpoint=True) for v in over}
    found = np.flatnonzero(evaluate(left, values) != evaluate(right, values))
    if not found.size:
        return None
    return {v: int(column[found[0]]) for v, column in values.items()}


@dataclass(frozen=True)
class _Pairs:
    """The share of a group of variables in both sums: offsets from the minimum, and where."""

    over: Over
    first: IntArray
    second: IntArray


def difference_by_pairs(left: Image, right: Image) -> Assignment | None:
    """`difference` of two functions of sums: which pairs of sums come together, group by group.

    A group is of variables that meet in a part of either sum; groups vary independently.
    """
    groups = list(_groups(left.of, right.of))
    shape = (
        1 + sum(int(group.first.max()) for group in groups),
        1 + sum(int(group.second.max()) for group in groups),
    )
    steps = [np.unique(np.stack([g.first.ravel(), g.second.ravel()], 1), axis=0) for g in groups]
    if prod(shape) > MAX_PAIRS or prod(shape) * sum(map(len, steps)) > MAX_STEPS:
        raise TooHard("two functions of different sums, which can come in too many pairs")
    stages = [np.zeros(shape, dtype=np.bool_)]
    stages[0][0, 0] = True
    for pairs in steps:
        stages.append(np.zeros(shape, dtype=np.bool_))
        for a, b in pairs.tolist():
            stages[-1][a:, b:] |= stages[-2][: shape[0] - a, : shape[1] - b]
    # Row a is the left sum from its lowest on; column b the right sum likewise.
    differs = left.values[:, np.newaxis] != right.values[np.newaxis, :]
    found = np.argwhere(stages[-1] & differs)
    if not found.size:
        return None
    row, column = found[0].tolist()
    assignment: Assignment = {}
    stages.pop()
    for group, pairs in zip(reversed(groups), reversed(steps), strict=True):
        before = stages.pop()
        a, b = next(
            (a, b)
            for a, b in pairs.tolist()
            if a <= row and b <= column and before[row - a, column - b]
        )
        here = _first(group.over, (group.first == a) & (group.second == b))
        assignment |= here or {}
        row, column = row - a, column - b
    return assignment


def _groups(left: Total, right: Total) -> Iterator[_Pairs]:
    for over, overs in connected(dict.fromkeys([*left.parts, *right.parts])):
        columns = [
            listed(Total(0, {o: total.parts[o] for o in overs if o in total.parts}), over)
            for total in (left, right)
        ]
        yield _Pairs(over, *(column - column.min() for column in columns))
