"""Upper bounds of sums of tables over boxes, without a solver: the Lagrangian dual.

A node's sum s is a variable of its own, tied to the tables that it adds by s = sum of entries. With
a multiplier for each of these equations, the greatest value of an objective is at most the sum of
one maximum for each variable: of all that tables of it contribute, over its interval. That holds
for any multipliers (weak duality; Boyd and Vandenberghe, Convex Optimization, section 5.1.3). Good
ones are found by subgradients. Multipliers are integers over 2^12, and every number stays below
2^53, so that float64 holds it exactly: bounds are exact integers, and sound.

Several objectives that must be positive together have a multiplier each, at least 0: a sum of
positive numbers is positive.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.flows.properties.network import Networks
from kan_dialect.flows.prove.second_opinion.codes import Code
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray

ONE = 1 << 12
"""The multiplier 1."""
_EXACT = 1 << 52
"""No number that float64 holds here is larger."""
_LARGEST = 1 << 34
"""Largest entry of a table: 64 objectives of them, times ONE, are exact."""


@dataclass(frozen=True, eq=False)
class Dual:
    """What multipliers say of boxes."""

    bound: IntArray
    """(boxes,): no weighted sum of objectives is greater, in 1/ONE."""
    chosen: IntArray
    """(boxes, variables): the indices that it takes; a sum need not be that of its inputs."""
    point: IntArray
    """(boxes, inputs): those of inputs."""


@dataclass
class Bounds:
    """Bounds over boxes of variables: inputs, then sums of nodes, by index from the lowest on."""

    networks: Networks
    lows: IntArray = field(init=False)
    """Lowest value of each variable."""

    def __post_init__(self) -> None:
        nodes = self.networks.nodes
        self.variables = [*self.networks.inputs, *nodes]
        self.inputs = len(self.networks.inputs)
        self.lows = np.array([of.low for of in self.variables])
        self.sizes = np.array([of.high - of.low + 1 for of in self.variables])
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)])
        self.place = {of: place for place, of in enumerate(self.variables)}
        ranges: list[IntArray] = [np.arange(size) for size in self.sizes.tolist()]
        self.columns = np.concatenate(ranges)
        self.tables = np.zeros((len(nodes), self.starts[-1]))
        for row, code in zip(self.tables, nodes.values(), strict=True):
            row[:] = self.row(code)
        own = self.tables.copy()
        for node in range(len(nodes)):
            part = self._part(self.inputs + node)
            own[node, part] -= self.columns[part] + self.lows[self.inputs + node]
        self.ties = own
        """(nodes, columns): what adds up to 0 for values that belong together."""
        self.limit = _EXACT // (4 * max(int(np.abs(own).sum(axis=0).max(initial=0)), 1))

    def _part(self, place: int) -> slice:
        return slice(int(self.starts[place]), int(self.starts[place + 1]))

    def row(self, code: Code) -> FloatArray:
        """A sum of tables as a row of columns; the constant is left out.

        Raises
        ------
        KanError : its numbers are too large for exact bounds.
        """
        row = np.zeros(self.starts[-1])
        for of, table in code.tables.items():
            row[self._part(self.place[of])] = table
        if np.abs(row).max(initial=0) > _LARGEST:
            raise KanError(
                "a property adds numbers of more than 34 bits",
                remedy="take smaller factors, or codes of fewer bits",
            )
        return row

    def narrowed(self, low: IntArray, high: IntArray) -> BoolArray:
        """Narrow the intervals of sums to what their tables allow, in place.

        Parameters
        ----------
        low, high : (boxes, variables), the least and greatest index.

        Returns
        -------
        (boxes,), whether an interval is empty.
        """
        for node, code in enumerate(self.networks.nodes.values()):
            place = self.inputs + node
            least, most = (np.full(len(low), -self.lows[place]) for _ in range(2))
            for of, table in code.tables.items():
                read = self.place[of]
                inside = self._inside(read, low, high)
                least += np.where(inside, table, _EXACT).min(axis=1)
                most += np.where(inside, table, -_EXACT).max(axis=1)
            np.maximum(low[:, place], least, out=low[:, place])
            np.minimum(high[:, place], most, out=high[:, place])
            high[:, place] = np.maximum(high[:, place], low[:, place] - 1)
        empty: BoolArray = np.any(low > high, axis=1)
        return empty

    def _inside(self, place: int, low: IntArray, high: IntArray) -> BoolArray:
        columns = self.columns[self._part(place)]
        return (columns >= low[:, [place]]) & (columns <= high[:, [place]])

    def dual(
        self, objectives: FloatArray, multipliers: FloatArray, low: IntArray, high: IntArray
    ) -> Dual:
        """Bounds for multipliers.

        Parameters
        ----------
        objectives : (boxes, columns), rows of objectives, weighted and summed.
        multipliers : (boxes, nodes), integers.
        low, high : (boxes, variables).
        """
        rows = objectives + multipliers @ self.ties
        chosen = np.empty(low.shape, dtype=np.int64)
        bound = np.zeros(len(low), dtype=np.int64)
        boxes = np.arange(len(low))
        for place in range(len(self.variables)):
            part = rows[:, self._part(place)]
            allowed = np.where(self._inside(place, low, high), part, -np.inf)
            chosen[:, place] = allowed.argmax(axis=1)
            bound += allowed[boxes, chosen[:, place]].astype(np.int64)
        return Dual(bound, chosen, chosen[:, : self.inputs])

    def at(self, points: IntArray) -> IntArray:
        """Indices of all variables (points, variables) at points (points, inputs)."""
        indices = np.empty((len(points), len(self.variables)), dtype=np.int64)
        indices[:, : self.inputs] = points
        for node, code in enumerate(self.networks.nodes.values()):
            sums = self.values(code, indices)
            indices[:, self.inputs + node] = sums - self.lows[self.inputs + node]
        return indices

    def values(self, code: Code, indices: IntArray) -> IntArray:
        """Values (points,) of a sum of tables at indices of variables (points, variables)."""
        values = np.full(len(indices), code.constant, dtype=np.int64)
        for of, table in code.tables.items():
            values += table[indices[:, self.place[of]]]
        return values
