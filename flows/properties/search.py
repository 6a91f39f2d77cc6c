"""Codes of inputs at which objectives are positive together, by branch and bound; or that none are.

The boxes with the greatest bounds are split first: at a node whose sum the bound takes otherwise
than its inputs give it, or else at an input. Every answer is exact: codes are evaluated, and where
there are none, no box is left.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from kan_dialect.flows.properties.bounds import ONE, Bounds
from kan_dialect.flows.prove.second_opinion.codes import Code
from kan_dialect.ir.constants import FloatArray, IntArray

_BATCH = 32
"""Boxes that are bounded at once."""
_STEPS, _FIRST_STEPS = 6, 60
"""Subgradient steps for a box, and for the first ones."""
_LISTED = 64
"""Boxes of no more points are listed."""


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
    finished: bool
    """False where time ran out: there may be others."""


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
    _floor: int = 0
    _point: IntArray | None = None
    _rows: dict[int, FloatArray] = field(default_factory=dict[int, FloatArray])

    def find(self, cases: Sequence[Case], *, greatest: bool = False) -> Found:
        """Codes at which all objectives of a case are at least 1.

        Parameters
        ----------
        greatest : go on to the greatest value of the first objective.
        """
        self._floor, self._point = 0, None
        order = count()
        heap = [(-(1 << 62), next(order), self._whole(case)) for case in cases]
        while heap and (greatest or self._point is None):
            if time.monotonic() > self.deadline:
                return Found(self._point, self._floor, False)
            case = heap[0][2].case
            batch: list[_Box] = []
            while heap and len(batch) < _BATCH and heap[0][2].case is case:
                batch.append(heapq.heappop(heap)[2])
            self.boxes += len(batch)
            for bound, box in self._split(case, batch):
                heapq.heappush(heap, (-bound, next(order), box))
        return Found(self._point, self._floor, True)

    def _whole(self, case: Case) -> _Box:
        nodes = len(self.bounds.networks.nodes)
        low = np.concatenate([case.low, np.zeros(nodes, dtype=np.int64)])
        high = np.concatenate([case.high, self.bounds.sizes[self.bounds.inputs :] - 1])
        weights = np.full(len(case.objectives), float(ONE))
        return _Box(case, low, high, weights, np.zeros(nodes), _FIRST_STEPS)

    def _try(self, case: Case, points: IntArray) -> None:
        """Keep the best of points."""
        indices = self.bounds.at(points)
        first, *rest = [self.bounds.values(code, indices) for code in case.objectives]
        for values in rest:
            first = np.where(values > 0, first, 0)
        if first.size and first.max() > self._floor:
            self._floor, self._point = int(first.max()), points[int(first.argmax())]

    def _split(self, case: Case, boxes: Sequence[_Box]) -> list[tuple[int, _Box]]:
        """Parts of boxes that may hold a better point, with a bound each."""
        inputs = self.bounds.inputs
        open_boxes: list[_Box] = []
        for box in boxes:
            sizes = (box.high - box.low + 1)[:inputs]
            if np.prod(sizes.astype(np.float64)) > _LISTED:
                open_boxes.append(box)
                continue
            self._try(case, np.indices(sizes.tolist()).reshape(inputs, -1).T + box.low[:inputs])
        if not open_boxes:
            return []
        low, high = (np.array([getattr(b, name) for b in open_boxes]) for name in ("low", "high"))
        empty = self.bounds.narrowed(low, high)
        return self._bounded(
            case,
            [box for box, gone in zip(open_boxes, empty.tolist(), strict=True) if not gone],
            low[~empty],
            high[~empty],
        )

    def _bounded(
        self, case: Case, boxes: Sequence[_Box], low: IntArray, high: IntArray
    ) -> list[tuple[int, _Box]]:
        if not boxes:
            return []
        bounds, inputs = self.bounds, self.bounds.inputs
        rows = np.array([bounds.row(code) for code in case.objectives])
        weights = np.array([box.weights for box in boxes])
        multipliers = np.array([box.multipliers for box in boxes])
        best = np.full(len(boxes), 1 << 62)
        kept = [weights, multipliers]
        shown = [np.zeros_like(low), np.zeros_like(low)]
        for step in range(max(box.steps for box in boxes)):
            # The first objective counts from the best value on.
            constants = np.array([code.constant for code in case.objectives])
            constants[0] -= self._floor
            dual = bounds.dual(weights @ rows, multipliers, low, high)
            # Each objective is at least 1.
            slack = dual.bound + (weights @ (constants - 1)).astype(np.int64)
            indices = bounds.at(dual.point)
            before = self._floor
            self._try(case, dual.point)
            if self._floor > before:
                slack -= ((self._floor - before) * weights[:, 0]).astype(np.int64)
                best -= ((self._floor - before) * kept[0][:, 0]).astype(np.int64)
            better = slack < best
            best = np.where(better, slack, best)
            kept = [np.where(better[:, np.newaxis], a, b) for a, b in ((weights, kept[0]), (multipliers, kept[1]))]
            taken = np.concatenate([dual.point, dual.wanted], axis=1)
            shown = [np.where(better[:, np.newaxis], a, b) for a, b in ((taken, shown[0]), (indices, shown[1]))]
            live = best >= 0
            if not live.any():
                return []
            off = np.stack([bounds.values(code, taken) for code in bounds.networks.nodes.values()], axis=1) - dual.wanted - bounds.lows[inputs:] if bounds.networks.nodes else np.zeros((len(boxes), 0))
            size = (off.astype(np.float64) ** 2).sum(axis=1)
            length = (slack + ONE) / np.maximum(size, 1.0) * 0.7
            multipliers = np.rint(multipliers - length[:, np.newaxis] * off).clip(-bounds.limit, bounds.limit)
            if len(case.objectives) > 1:
                values = np.stack([bounds.values(code, taken) for code in case.objectives], axis=1)
                values = values - values.mean(axis=1, keepdims=True)
                push = values / np.maximum(np.abs(values).max(axis=1, keepdims=True), 1.0)
                weights = np.rint(weights - push * ONE / (4 + step)).clip(0, 4 * ONE)
                weights[weights.sum(axis=1) == 0] = ONE
        parts: list[tuple[int, _Box]] = []
        for number in np.flatnonzero(best >= 0).tolist():
            box = boxes[number]
            for half_low, half_high in _halves(low[number], high[number], shown[0][number], shown[1][number], inputs, kept[1][number]):
                parts.append((int(best[number]), _Box(case, half_low, half_high, kept[0][number], kept[1][number])))
        return parts


def _halves(low, high, taken, given, inputs, multipliers):
    """Parts of a box: at a sum that differs from what inputs give, or at an input."""
    apart = np.abs(taken - given)[inputs:] * np.abs(multipliers)
    apart[low[inputs:] == high[inputs:]] = 0
    if apart.any():
        place = inputs + int(apart.argmax())
        at = min(max((int(taken[place]) + int(given[place])) // 2, int(low[place])), int(high[place]) - 1)
    else:
        place = int((high - low)[:inputs].argmax())
        at = int(low[place] + high[place]) // 2
    lower, upper = high.copy(), low.copy()
    lower[place], upper[place] = at, at + 1
    return (low, lower), (upper, high)
