"""The order in which a search tries pipelines. It measures nothing, and depends on costs only.

1. Each change alone, beginning at the default.
2. Rounds of combinations: the best pipelines with each change that helped alone, with each other,
   and with one change less. Each round adds pipelines with a few random changes, which leave local
   optima.

The same costs give the same order.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import combinations

from kan_dialect.flows.trials.points import Point
from kan_dialect.flows.tune.space import Move, Space

DEFAULT = Point()
"""The pipeline without a change."""

BEAM = 4
"""Number of the best pipelines that are changed further."""
RANDOM = 16
"""Number of pipelines with random changes in a round."""
RANDOM_CHANGES = 4
"""Largest number of random changes."""
_TRIES = 500


class Search:
    """Proposes points, round by round; points without a change are the default."""

    def __init__(self, space: Space, seed: int = 0) -> None:
        self._space = space
        self._moves = space.moves()
        self._random = random.Random(seed)
        self._proposed: set[Point] = {DEFAULT}
        self._is_first = True

    def propose(self, costs: Mapping[Point, float]) -> list[Point]:
        """The points of the next round, each for the first time; none where none are left.

        Parameters
        ----------
        costs : of the points that were measured, less being better. It has the default's.
        """
        if self._is_first:
            self._is_first = False
            found = self._new(self._space.moved(DEFAULT, move) for move in self._moves)
            if found:
                return found
        return self._new([*self._combined(costs), *self._at_random(costs)])

    def _new(self, points: Iterator[Point] | list[Point]) -> list[Point]:
        found = [point for point in dict.fromkeys(points) if point not in self._proposed]
        self._proposed.update(found)
        return found

    def _combined(self, costs: Mapping[Point, float]) -> Iterator[Point]:
        best = best_points(costs)[:BEAM]
        helpful = self._helpful(costs)
        for point in best:
            for move in helpful:
                yield self._space.moved(point, move)
        for one, other in combinations(best, 2):
            yield self._space.moved(one, other.options)
            yield self._space.moved(other, one.options)
        for point in best:
            for name, _ in point.options:
                yield self._space.without(point, name)

    def _helpful(self, costs: Mapping[Point, float]) -> list[Move]:
        """The changes that cost less alone than the default, cheapest first."""
        alone = [(costs.get(self._space.moved(DEFAULT, move)), move) for move in self._moves]
        ranked = [
            (cost, number, move)
            for number, (cost, move) in enumerate(alone)
            if cost is not None and cost < costs[DEFAULT]
        ]
        return [move for _, _, move in sorted(ranked, key=lambda each: each[:2])]

    def _at_random(self, costs: Mapping[Point, float]) -> Iterator[Point]:
        if not self._moves:
            return
        best = best_points(costs)[:BEAM]
        found: set[Point] = set()
        for _ in range(_TRIES):
            point = self._random.choice(best)
            for _ in range(self._random.randint(1, RANDOM_CHANGES)):
                point = self._space.moved(point, self._random.choice(self._moves))
            if point not in self._proposed and point not in found:
                found.add(point)
                yield point
            if len(found) == RANDOM:
                return


def best_points(costs: Mapping[Point, float]) -> list[Point]:
    """Points by cost; of equal ones, the one with the fewest changes, then the first one."""
    return sorted(costs, key=lambda point: (costs[point], len(point.options)))
