"""As few stages as possible, and then as few bits of registers as possible.

The stages of the ops, in which their results are computed, are integers with bounds on their
differences (Leiserson and Saxe 1991): an op has no earlier stage than those that it reads, a later
one where the path between the two takes longer than a stage, and one that is later by the cycles
that it takes itself. Bits of registers are a linear function of the stages and of the last stage in
which each bit is read. Ops start as early as possible. As long as that saves bits, the best set of
ops moves to the next stage together. Such functions have no local minima (L-natural convexity,
Murota 2003), and each op moves as often as it has stages to go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from xdsl.dialects import func
from xdsl.ir import Operation

from kan_dialect.devices.delay import Arrival, Delay
from kan_dialect.ir.operation import ops_of
from kan_dialect.ops.wire import ExtractOp
from kan_dialect.search.retiming.closure import heaviest_closure
from kan_dialect.search.retiming.graph import INPUTS, Graph, Wires
from kan_dialect.search.stages import Stages

TOLERANCE = 1e-9
"""What sums of costs may exceed a limit by, as they are rounded."""

STEPS = 4
"""Limits that are tried between two."""
MORE_BITS = 1.05
"""Bits of registers for a smaller limit, as a multiple of the fewest."""
LONGER = 4 / 3
"""The largest cost of a stage for a given latency, as a multiple of the least."""
CLOSE = 0.01
"""Relative error of this least cost."""


class Place(NamedTuple):
    """A point in time: a stage, and the cost of the logic before it in this stage."""

    stage: int
    end: float

    def is_after(self, other: Place) -> bool:
        """Whether it is later, by more than what rounding makes."""
        return self > Place(other.stage, other.end + TOLERANCE)

    def before(self, cost: float) -> Place:
        """The point in the same stage that is earlier by a cost."""
        return Place(self.stage, self.end - cost)


@dataclass(frozen=True)
class Bound:
    """`stage[later] - stage[earlier]` is at least `distance`."""

    earlier: int
    later: int
    distance: int


def fewest_registers(
    function: func.FuncOp,
    cost: Callable[[Operation], float | Delay],
    limit: float,
    tightest: float | None = None,
    cycles: int = 1,
) -> Stages:
    """The fewest stages, and in them the fewest bits of registers.

    Parameters
    ----------
    cost : levels of logic, or ns, between the operands of an op and its result.
    limit : the most that ops which follow each other in a stage cost together. An op that costs
        more has a stage of its own.
    tightest : a smaller limit that stages keep if they take no more cycles for it and hardly more
        registers, or one between the two. Default: `limit`.
    cycles : the latency, where the limit allows a smaller one.
    """
    graph = Graph(function, cost, limit)
    wires, slowest = graph.wires(), max(delay.whole for delay in graph.delays)
    stages = retimed(graph, limit, cycles)
    allowed = MORE_BITS * bits_of_registers(stages, wires)
    for tight in _between(limit if tightest is None else tightest, limit):
        if slowest > tight or earliest(graph, tight)[-1].stage >= stages[-1]:
            continue
        found = retimed(graph, tight, cycles)
        if bits_of_registers(found, wires) <= allowed:
            stages = found
            break
    return _as_stages(function, graph, stages)


def stages_of_cycles(
    function: func.FuncOp, cost: Callable[[Operation], float | Delay], cycles: int
) -> Stages:
    """Stages for a given latency: few bits of registers, in stages of nearly the least cost.

    Parameters
    ----------
    cost : as for `fewest_registers`.
    cycles : at least 1.
    """
    shortest = _shortest_limit(function, cost, cycles)
    return fewest_registers(function, cost, LONGER * shortest, shortest, cycles)


def _shortest_limit(
    function: func.FuncOp, cost: Callable[[Operation], float | Delay], cycles: int
) -> float:
    """The least limit with which `cycles` stages are enough and no op costs more.

    To within `CLOSE`.
    """
    whole = Graph(function, cost, inf)
    enough = max(place.end for place in earliest(whole, inf))
    short = max(enough / cycles, *(delay.whole for delay in whole.delays))
    while enough - short > CLOSE * enough:
        limit = (short + enough) / 2
        if earliest(Graph(function, cost, limit), limit)[whole.results].stage < cycles:
            enough = limit
        else:
            short = limit
    return enough


def _between(tightest: float, limit: float) -> Iterator[float]:
    """Limits from the tightest one on, below `limit`."""
    if tightest < limit:
        for step in range(STEPS):
            yield tightest + (limit - tightest) * step / STEPS


def retimed(graph: Graph, limit: float, cycles: int = 1) -> list[int]:
    """The stage of each node, with the fewest bits of registers; the latency is that of the last.

    Results leave from registers.

    Parameters
    ----------
    cycles : the latency, where the limit allows a smaller one.
    """
    stages = [place.stage for place in earliest(graph, limit)]
    stages[graph.results] = max(stages[graph.results] + 1, cycles)
    return with_fewest_bits(stages, bounds_of(graph, limit), graph.wires(), {INPUTS, graph.results})


def earliest(graph: Graph, limit: float) -> list[Place]:
    """The earliest end of each node."""
    places, arrivals = [Place(0, 0.0)], [Arrival()]
    for before, delay, latency in zip(
        graph.predecessors[1:], graph.delays[1:], graph.latencies[1:], strict=True
    ):
        stage = max((places[node].stage for node in before), default=0) + latency
        arrival = delay.after(arrivals[node] for node in before if places[node].stage == stage)
        if delay.end(arrival) > limit + TOLERANCE:
            stage, arrival = stage + 1, delay.after(())
        places.append(Place(stage, delay.end(arrival)))
        arrivals.append(arrival)
    return places


def arrivals(graph: Graph, stages: Sequence[int]) -> list[Arrival]:
    """When each node's result is there in the stage that it has."""
    found = [Arrival()]
    for node in range(1, len(graph.delays)):
        before = [each for each in graph.predecessors[node] if stages[each] == stages[node]]
        found.append(graph.delays[node].after(found[each] for each in before))
    return found


def latest(graph: Graph, limit: float, last: int) -> list[Place]:
    """The latest end of each node with which all results are there in the stage `last`."""
    ends = [Place(last, limit)] * len(graph.delays)
    lowest = list(ends)
    """When the lowest bit of each has to be there."""
    for node in range(len(ends) - 1, -1, -1):
        end, low = ends[node], lowest[node]
        for after in graph.successors[node]:
            delay = graph.delays[after]
            if latency := graph.latencies[after]:
                end = min(end, Place(ends[after].stage - latency, limit))
                low = min(low, Place(ends[after].stage - latency, limit))
                continue
            onward = 0.0 if after == graph.results else graph.delays[node].onward
            end = min(end, ends[after].before(delay.first + onward))
            if delay.ripple:
                low = min(low, ends[after].before(delay.whole), lowest[after].before(delay.first))
            elif delay.is_none:
                low = min(low, lowest[after])
        own = graph.delays[node]
        if not own.ripple and not own.is_none:
            end = low = min(end, low)
        stage = min(end.stage, low.stage)
        end, low = (each if each.stage == stage else Place(stage, limit) for each in (end, low))
        if end.end + TOLERANCE < own.whole or low.end + TOLERANCE < own.first:
            end = low = Place(stage - 1, limit)
        ends[node], lowest[node] = end, low
    return ends


def bounds_of(graph: Graph, limit: float) -> list[Bound]:
    """Bounds that hold exactly for stages in which no path costs more than the limit.

    Results are read a stage later than they are computed.
    """
    found: list[Bound] = []
    for node in range(len(graph.delays)):
        found += (
            Bound(node, after, int(after == graph.results) or graph.latencies[after])
            for after in graph.successors[node]
        )
        if node != INPUTS:
            found += (Bound(node, after, 1) for after in _beyond(graph, node, limit))
    return found


def _beyond(graph: Graph, start: int, limit: float) -> list[int]:
    """The first nodes on the paths from a node which end after more than the limit."""
    found: list[int] = []
    arrivals = {start: graph.delays[start].after(())}
    waiting = {start}
    while waiting:
        node = min(waiting)
        waiting.remove(node)
        for after in graph.successors[node]:
            if after == graph.results or graph.latencies[after]:
                continue
            delay = graph.delays[after]
            arrival = delay.after([arrivals[node]])
            if delay.end(arrival) > limit + TOLERANCE:
                if after not in found:
                    found.append(after)
                continue
            known = arrivals.get(after, arrival)
            arrivals[after] = arrival.or_later(known)
            if known is arrival or arrivals[after] != known:
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
    for op in reversed(ops_of(function.body.block)):
        if isinstance(op, ExtractOp):
            results = [value for use in op.result.uses for value in use.operation.results]
            readers = [found.of[value] for value in results if value in found.of]
            found.of[op.result] = min(readers, default=stages[graph.results])
    return found
