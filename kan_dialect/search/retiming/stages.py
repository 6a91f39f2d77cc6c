"""As few stages as possible, and then as few bits of registers as possible.

The stages of the ops are integers with bounds on their differences (Leiserson and Saxe 1991): an op
has no earlier stage than those that it reads, and a later one where the path between the two takes
longer than a stage. Bits of registers are a linear function of the stages and of the last stage in
which each bit is read. Ops start as early as possible. As long as that saves bits, the best set of
ops moves to the next stage together. Such functions have no local minima (L-natural convexity,
Murota 2003), and each op moves as often as it has stages to go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from xdsl.dialects import func
from xdsl.ir import Operation

from kan_dialect.ops.wire import BitsOp
from kan_dialect.search.retiming.closure import heaviest_closure
from kan_dialect.search.retiming.graph import INPUTS, Graph, Wires
from kan_dialect.search.stages import Stages

TOLERANCE = 1e-9
"""What sums of costs may exceed a limit by, as they are rounded."""

STEPS = 4
"""Limits that are tried between two."""
MORE_BITS = 1.05
"""Bits of registers for a smaller limit, as a multiple of the fewest."""


class Place(NamedTuple):
    """A point in time: a stage, and the cost of the logic before it in this stage."""

    stage: int
    end: float

    def is_after(self, other: Place) -> bool:
        """Whether it is later, by more than what rounding makes."""
        return self > Place(other.stage, other.end + TOLERANCE)


@dataclass(frozen=True)
class Bound:
    """`stage[later] - stage[earlier]` is at least `distance`."""

    earlier: int
    later: int
    distance: int


def fewest_registers(
    function: func.FuncOp,
    cost: Callable[[Operation], float],
    limit: float,
    tightest: float | None = None,
) -> Stages:
    """The fewest stages, and in them the fewest bits of registers.

    Parameters
    ----------
    cost : levels of logic, or ns, between the operands of an op and its result.
    limit : the most that ops which follow each other in a stage cost together. An op that costs
        more has a stage of its own.
    tightest : a smaller limit that stages keep if they take no more cycles for it and hardly more
        registers, or one between the two. Default: `limit`.
    """
    graph = Graph(function, cost, limit)
    wires, slowest = graph.wires(), max(graph.costs)
    stages = retimed(graph, limit)
    allowed = MORE_BITS * bits_of_registers(stages, wires)
    for tight in _between(limit if tightest is None else tightest, limit):
        if slowest > tight or earliest(graph, tight)[-1].stage >= stages[-1]:
            continue
        found = retimed(graph, tight)
        if bits_of_registers(found, wires) <= allowed:
            stages = found
            break
    return _as_stages(function, graph, stages)


def _between(tightest: float, limit: float) -> Iterator[float]:
    """Limits from the tightest one on, below `limit`."""
    if tightest < limit:
        for step in range(STEPS):
            yield tightest + (limit - tightest) * step / STEPS


def retimed(graph: Graph, limit: float) -> list[int]:
    """The stage of each node, with the fewest bits of registers; the latency is that of the last.

    Results leave from registers.
    """
    stages = [place.stage for place in earliest(graph, limit)]
    stages[graph.results] += 1
    return with_fewest_bits(stages, bounds_of(graph, limit), graph.wires(), {INPUTS, graph.results})


def earliest(graph: Graph, limit: float) -> list[Place]:
    """The earliest end of each node."""
    places = [Place(0, 0.0)]
    for before, cost in zip(graph.predecessors[1:], graph.costs[1:], strict=True):
        stage, end = max((places[node] for node in before), default=(0, 0.0))
        if end + cost > limit + TOLERANCE:
            stage, end = stage + 1, 0.0
        places.append(Place(stage, end + cost))
    return places


def latest(graph: Graph, limit: float, last: int) -> list[Place]:
    """The latest end of each node with which all results are there in the stage `last`."""
    places = [Place(last, limit)] * len(graph.costs)
    for node in range(len(places) - 1, -1, -1):
        starts = (
            _latest_start(places[after], graph.costs[after]) for after in graph.successors[node]
        )
        place = min(starts, default=places[node])
        if place.end + TOLERANCE < graph.costs[node]:
            place = Place(place.stage - 1, limit)
        places[node] = place
    return places


def _latest_start(end: Place, cost: float) -> Place:
    return Place(end.stage, end.end - cost)


def bounds_of(graph: Graph, limit: float) -> list[Bound]:
    """Bounds that hold exactly for stages in which no path costs more than the limit.

    Results are read a stage later than they are computed.
    """
    found: list[Bound] = []
    for node in range(len(graph.costs)):
        found += (
            Bound(node, after, int(after == graph.results)) for after in graph.successors[node]
        )
        if node != INPUTS:
            found += (Bound(node, after, 1) for after in _beyond(graph, node, limit))
    return found


def _beyond(graph: Graph, start: int, limit: float) -> list[int]:
    """The first nodes on the paths from a node which end after more than the limit."""
    found: list[int] = []
    ends = {start: graph.costs[start]}
    waiting = {start}
    while waiting:
        node = min(waiting)
        waiting.remove(node)
        for after in graph.successors[node]:
            if after == graph.results:
                continue
            end = ends[node] + graph.costs[after]
            if end > limit + TOLERANCE:
                if after not in found:
                    found.append(after)
            elif end > ends.get(after, -1.0):
                ends[after] = end
                waiting.add(after)
    return found


def bits_of_registers(stages: Sequence[int], wires: Sequence[Wires]) -> int:
    """Bits of registers between the stages."""
    return sum(
        each.bits * (max(stages[reader] for reader in each.readers) - stages[each.source])
        for each in wires
    )


def with_fewest_bits(
    stages: Sequence[int], bounds: Sequence[Bound], wires: Sequence[Wires], fixed: set[int]
) -> list[int]:
    """Stages with the fewest bits of registers.

    Parameters
    ----------
    stages : the earliest of each node that the bounds allow.
    fixed : nodes that stay where they are; at least the last ones.
    """
    found, every = list(stages), list(bounds)
    weights = [0] * len(stages)
    for each in wires:
        # Bits with several readers are read last by a node of their own.
        last = each.readers[0]
        if len(each.readers) > 1:
            last = len(found)
            found.append(max(found[reader] for reader in each.readers))
            weights.append(0)
            every += (Bound(reader, last, 0) for reader in each.readers)
        weights[each.source] += each.bits
        weights[last] -= each.bits
    for node in fixed:
        weights[node] = 0
    while move := _best_move(found, every, weights, fixed):
        for node in move:
            found[node] += 1
    return found[: len(stages)]


def _best_move(
    stages: Sequence[int], bounds: Sequence[Bound], weights: Sequence[int], fixed: set[int]
) -> list[int]:
    """The nodes that are best one stage later, together; none where that saves no bit."""
    tight = [each for each in bounds if stages[each.later] - stages[each.earlier] == each.distance]
    behind: list[list[int]] = [[] for _ in stages]
    for each in tight:
        behind[each.later].append(each.earlier)
    stuck, waiting = set(fixed), list(fixed)
    while waiting:
        for node in behind[waiting.pop()]:
            if node not in stuck:
                stuck.add(node)
                waiting.append(node)
    free = [node for node in range(len(stages)) if node not in stuck]
    place = {node: index for index, node in enumerate(free)}
    successors: list[list[int]] = [[] for _ in free]
    for each in tight:
        if each.earlier in place:
            successors[place[each.earlier]].append(place[each.later])
    found = heaviest_closure([weights[node] for node in free], successors)
    return [free[index] for index in found]


def _as_stages(function: func.FuncOp, graph: Graph, stages: Sequence[int]) -> Stages:
    """The stage of each value. A slice has that of its first reader."""
    found = Stages({value: stages[node] for value, node in graph.node_of.items()})
    found.result_stage = stages[graph.results] - 1
    for op in reversed(list(function.body.block.ops)):
        if isinstance(op, BitsOp):
            results = [value for use in op.result.uses for value in use.operation.results]
            readers = [found.of[value] for value in results if value in found.of]
            found.of[op.result] = min(readers, default=stages[graph.results])
    return found
