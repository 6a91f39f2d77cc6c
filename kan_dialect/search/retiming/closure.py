"""The closed set of the largest weight in a directed graph, by a maximum flow.

A set is closed if it holds the successors of all its nodes. Picard (1976): the best one is a
minimum cut between nodes of positive and of negative weight. The flow is Dinic's (1970).
"""

from __future__ import annotations

from collections.abc import Sequence

FOREVER = 1 << 60
"""More than any flow."""


def heaviest_closure(weights: Sequence[int], successors: Sequence[Sequence[int]]) -> list[int]:
    """The smallest of the closed sets with the largest sum of weights, ascending.

    Parameters
    ----------
    weights : of each node.
    successors : of each node; a node in the set takes them into it.
    """
    count = len(weights)
    flow = _Flow(count + 2)
    source, sink = count, count + 1
    for node, weight in enumerate(weights):
        if weight > 0:
            flow.connect(source, node, weight)
        elif weight < 0:
            flow.connect(node, sink, -weight)
        for other in successors[node]:
            flow.connect(node, other, FOREVER)
    return [node for node in flow.reached_from(source, sink) if node < count]


class _Flow:
    """A network of capacities; the reverse of an arc has its number with the last bit changed."""

    def __init__(self, count: int) -> None:
        self._arcs: list[list[int]] = [[] for _ in range(count)]
        self._heads: list[int] = []
        self._left: list[int] = []
        """What each arc can still take."""

    def connect(self, tail: int, head: int, capacity: int) -> None:
        self._arcs[tail].append(len(self._heads))
        self._arcs[head].append(len(self._heads) + 1)
        self._heads += (head, tail)
        self._left += (capacity, 0)

    def reached_from(self, source: int, sink: int) -> list[int]:
        """The nodes on the source's side of the smallest minimum cut, ascending."""
        while True:
            depths = self._depths(source, sink)
            if depths[sink] < 0:
                return [node for node, depth in enumerate(depths) if depth >= 0]
            self._saturate(source, sink, depths)

    def _depths(self, source: int, sink: int) -> list[int]:
        """Arcs between the source and each node, as far as the sink; -1 where there is no way."""
        heads, left = self._heads, self._left
        depths = [-1] * len(self._arcs)
        depths[source] = depth = 0
        front = [source]
        while front and depths[sink] < 0:
            depth += 1
            following: list[int] = []
            for node in front:
                for arc in self._arcs[node]:
                    head = heads[arc]
                    if left[arc] and depths[head] < 0:
                        depths[head] = depth
                        following.append(head)
            front = following
        return depths

    def _saturate(self, source: int, sink: int, depths: list[int]) -> None:
        """Send flow along shortest paths until each has a full arc."""
        heads, left, arcs = self._heads, self._left, self._arcs
        following = [0] * len(arcs)
        path: list[int] = []
        node = source
        while True:
            if node == sink:
                amount = min(left[arc] for arc in path)
                full = 0
                for place in range(len(path) - 1, -1, -1):
                    arc = path[place]
                    left[arc] -= amount
                    left[arc ^ 1] += amount
                    full = place if not left[arc] else full
                # Go on from the first arc that is full.
                node = heads[path[full] ^ 1]
                del path[full:]
                continue
            own = arcs[node]
            while following[node] < len(own):
                arc = own[following[node]]
                if left[arc] and depths[heads[arc]] == depths[node] + 1:
                    path.append(arc)
                    node = heads[arc]
                    break
                following[node] += 1
            else:
                if node == source:
                    return
                node = heads[path.pop() ^ 1]
                following[node] += 1
