"""Codes of inputs at which objectives are positive together, by branch and bound; or that none are.

The boxes with the greatest bounds are split first: at a node whose sum the bound takes otherwise
than its inputs give it, or else at an input. Every answer is exact: codes are evaluated, and where
there are none, no box is left.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from kan_dialect.flows.properties.bounds import ONE, Bounds
from kan_dialect.flows.prove.second_opinion.codes import Code
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray

_BATCH = 32
"""Boxes that are bounded at once."""
_STEPS, _FIRST_STEPS = 25, 100
"""Subgradient steps for a box, and for a whole case."""
_HALVED = 10
"""Steps behind which the length of steps is half."""
_LISTED = 64
"""Boxes of no more points are listed."""
_UNKNOWN = 1 << 62


@dataclass(frozen=True, eq=False)
class Case:
    """Objectives that must be at least 1 together, over intervals of the inputs' indices."""

    objectives: Sequence[Code]
    low: IntArray
    high: IntArray
    """(inputs,)"""


@dataclass(frozen=True, eq=False)
class Found:
    """The result of a search."""

    point: IntArray | None
    """Indices of codes, (inputs,); None: none were found."""
    value: int
    """Of the first objective there; 0 where none were found."""
    bound: int
    """No first objective is greater."""
    finished: bool
    """False where time ran out: the bound may not be reached."""


@dataclass(frozen=True, eq=False)
class _Box:
    case: Case
    low: IntArray
    high: IntArray
    """(variables,)"""
    weights: FloatArray
    """(objectives,)"""
    multipliers: FloatArray
    """(nodes,)"""
    steps: int = _STEPS


@dataclass
class Search:
    """A search over boxes."""

    bounds: Bounds
    deadline: float
    """In seconds of `time.monotonic`."""
    boxes: int = 0
    """Boxes that were looked at."""
    _value: int = 0
    _point: IntArray | None = None

    def find(self, cases: Sequence[Case], *, greatest: bool = False) -> Found:
        """Codes at which all objectives of a case are at least 1.

        Parameters
        ----------
        greatest : go on to the greatest value of the first objective.
        """
        self._value, self._point = 0, None
        order = count()
        heap = [(-_UNKNOWN, next(order), self._whole(case)) for case in cases]
        while heap and (greatest or self._point is None):
            if time.monotonic() > self.deadline:
                return Found(self._point, self._value, -heap[0][0], False)
            case = heap[0][2].case
            batch: list[_Box] = []
            while heap and len(batch) < _BATCH and heap[0][2].case is case:
                batch.append(heapq.heappop(heap)[2])
            self.boxes += len(batch)
            for bound, box in self._split(case, batch):
                heapq.heappush(heap, (-bound, next(order), box))
        return Found(self._point, self._value, self._value, True)

    def _whole(self, case: Case) -> _Box:
        sums = self.bounds.sizes[self.bounds.inputs :]
        low = np.concatenate([case.low, np.zeros_like(sums)])
        high = np.concatenate([case.high, sums - 1])
        weights = np.full(len(case.objectives), float(ONE))
        return _Box(case, low, high, weights, np.zeros(len(sums)), _FIRST_STEPS)

    def _split(self, case: Case, boxes: Sequence[_Box]) -> list[tuple[int, _Box]]:
        """Parts of boxes that may hold a better point, with a bound of each."""
        inputs = self.bounds.inputs
        left: list[_Box] = []
        for box in boxes:
            sizes = (box.high - box.low + 1)[:inputs]
            if np.prod(sizes.astype(np.float64)) <= _LISTED:
                self._try(case, _grid(sizes) + box.low[:inputs])
            else:
                left.append(box)
        low = np.array([box.low for box in left]).reshape(-1, len(self.bounds.sizes))
        high = np.array([box.high for box in left]).reshape(low.shape)
        holds = ~self.bounds.narrowed(low, high)
        left = [box for box, held in zip(left, holds.tolist(), strict=True) if held]
        return self._bounded(case, left, low[holds], high[holds]) if left else []

    def _bounded(
        self, case: Case, boxes: Sequence[_Box], low: IntArray, high: IntArray
    ) -> list[tuple[int, _Box]]:
        """As `_split`, of boxes that are not empty."""
        bounds = self.bounds
        rows = np.array([bounds.row(code) for code in case.objectives])
        constants = np.array([code.constant for code in case.objectives])
        weights = np.array([box.weights for box in boxes])
        multipliers = np.array([box.multipliers for box in boxes])
        best = _Best.none(len(boxes), weights, multipliers, low)
        for step in range(max(box.steps for box in boxes)):
            dual = bounds.dual(weights @ rows, multipliers, low, high)
            # In multiples of the weights: how much the objectives may be above 0 together.
            bound = dual.bound + (weights @ constants).astype(np.int64)
            best.keep(bound, weights, multipliers, dual.chosen, bounds.at(dual.point))
            self._try(case, dual.point)
            if not best.may_hold(self._value).any():
                return []
            off = np.zeros_like(multipliers)
            for node, code in enumerate(bounds.networks.nodes.values()):
                place = bounds.inputs + node
                taken = dual.chosen[:, place] + bounds.lows[place]
                off[:, node] = bounds.values(code, dual.chosen) - taken
            over = bound - (weights[:, 0] * self._value) + ONE
            length = over / np.maximum((off**2).sum(axis=1), 1.0) / (1 + step / _HALVED)
            moved = np.rint(multipliers - length[:, np.newaxis] * off)
            multipliers = moved.clip(-bounds.limit, bounds.limit)
            weights = _moved_weights(
                weights,
                np.stack([bounds.values(code, dual.chosen) for code in case.objectives], axis=1),
                step,
            )
        parts: list[tuple[int, _Box]] = []
        for box in np.flatnonzero(best.may_hold(self._value)).tolist():
            lows, highs = _halves(low[box], high[box], best, box, bounds.inputs)
            for half in zip(lows, highs, strict=True):
                known = _Box(case, *half, best.weights[box], best.multipliers[box])
                parts.append((best.first(box), known))
        return parts

    def _try(self, case: Case, points: IntArray) -> None:
        """Keep the best point; move on to better ones that differ by one input."""
        while len(points):
            indices = self.bounds.at(points)
            values = self.bounds.values(case.objectives[0], indices)
            for code in case.objectives[1:]:
                values = np.where(self.bounds.values(code, indices) > 0, values, 0)
            place = int(values.argmax())
            if values[place] <= self._value:
                return
            self._value, self._point = int(values[place]), points[place]
            points = _neighbours(points[place], case)


def _grid(sizes: IntArray) -> IntArray:
    """All points of a box from 0 on, (points, inputs)."""
    axes: list[IntArray] = [np.arange(size) for size in sizes.tolist()]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(sizes))


def _neighbours(point: IntArray, case: Case) -> IntArray:
    """The points of a case that differ by one input: (points, inputs)."""
    parts: list[IntArray] = []
    for place in range(len(point)):
        moved = np.arange(int(case.low[place]), int(case.high[place]) + 1)
        part = np.tile(point, (len(moved), 1))
        part[:, place] = moved
        parts.append(part)
    return np.concatenate(parts)


@dataclass
class _Best:
    """What gave the least bounds of boxes."""

    bound: IntArray
    """(boxes,)"""
    weights: FloatArray
    multipliers: FloatArray
    chosen: IntArray
    """(boxes, variables): values that the bound takes."""
    given: IntArray
    """(boxes, variables): indices of all variables at the inputs that the bound takes."""

    @staticmethod
    def none(count: int, weights: FloatArray, multipliers: FloatArray, low: IntArray) -> _Best:
        return _Best(np.full(count, _UNKNOWN), weights, multipliers, low, low)

    def keep(
        self,
        bound: IntArray,
        weights: FloatArray,
        multipliers: FloatArray,
        chosen: IntArray,
        given: IntArray,
    ) -> None:
        better = bound / weights.sum(axis=1) < self.bound / self.weights.sum(axis=1)
        self.bound = np.where(better, bound, self.bound)
        rows = better[:, np.newaxis]
        self.weights = np.where(rows, weights, self.weights)
        self.multipliers = np.where(rows, multipliers, self.multipliers)
        self.chosen = np.where(rows, chosen, self.chosen)
        self.given = np.where(rows, given, self.given)

    def first(self, box: int) -> int:
        """A bound of the first objective."""
        weight = int(self.weights[box, 0])
        return int(self.bound[box]) // weight if weight else _UNKNOWN

    def may_hold(self, value: int) -> BoolArray:
        """Whether all objectives may be at least 1, and the first above a value."""
        needed = self.weights.sum(axis=1) + self.weights[:, 0] * value
        return self.bound >= needed.astype(np.int64)


def _moved_weights(weights: FloatArray, values: IntArray, step: int) -> FloatArray:
    """Weights (boxes, objectives), less of the objectives that have large values."""
    if weights.shape[1] == 1:
        return weights
    apart = values - values.mean(axis=1, keepdims=True)
    apart /= np.maximum(np.abs(apart).max(axis=1, keepdims=True), 1.0)
    moved = np.rint(weights - apart * ONE / (4 + step)).clip(0, ONE)
    moved[~moved.any(axis=1)] = ONE
    return moved


def _halves(
    low: IntArray, high: IntArray, best: _Best, box: int, inputs: int
) -> tuple[tuple[IntArray, IntArray], tuple[IntArray, IntArray]]:
    """Least and greatest indices of both parts of a box: split at a sum, or at an input."""
    chosen, given = best.chosen[box], best.given[box]
    apart = np.abs(chosen - given)[inputs:] * np.abs(best.multipliers[box])
    apart[low[inputs:] == high[inputs:]] = 0
    if apart.any():
        place = inputs + int(apart.argmax())
        between = (int(chosen[place]) + int(given[place])) // 2
        at = min(max(between, int(low[place])), int(high[place]) - 1)
    else:
        place = int((high - low)[:inputs].argmax())
        at = int(low[place] + high[place]) // 2
    lower, upper = high.copy(), low.copy()
    lower[place], upper[place] = at, at + 1
    return (low, upper), (lower, high)
