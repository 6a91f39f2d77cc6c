"""Stages of the fewest registers, against a search over all stages of small graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import TypeAlias

import numpy as np
import pytest
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue

from kan_dialect.analysis.wires import cycles_of, latency_of
from kan_dialect.devices.delay import Delay
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.wire import ConstantOp, DelayOp, ExtractOp, SumOp, TableOp
from kan_dialect.passes.schedule import insert_registers
from kan_dialect.search.retiming.closure import heaviest_closure
from kan_dialect.search.retiming.graph import Graph
from kan_dialect.search.retiming.stages import (
    CLOSE,
    LONGER,
    MORE_BITS,
    Place,
    earliest,
    fewest_registers,
    latest,
    stages_of_cycles,
)
from kan_dialect.search.stages import StageLimit

Costs: TypeAlias = Callable[[Operation], float | Delay]

COSTS: Mapping[type[Operation], float] = {TableOp: 1.5, SumOp: 2.0, ClampOp: 1.0}


def cost(op: Operation) -> float:
    return COSTS.get(type(op), 0.0)


@pytest.mark.parametrize("seed", range(40))
def test_heaviest_closure(seed: int) -> None:
    """Against all sets of up to nine nodes."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 10))
    weights = rng.integers(-6, 7, count).tolist()
    successors = [np.flatnonzero(rng.random(count) < 0.2).tolist() for _ in range(count)]
    best = 0, ()
    for chosen in product((False, True), repeat=count):
        nodes = [node for node in range(count) if chosen[node]]
        if all(chosen[after] for node in nodes for after in successors[node]):
            weight = sum(weights[node] for node in nodes)
            best = max(best, (weight, tuple(nodes)), key=lambda each: (each[0], -len(each[1])))
    found = heaviest_closure(weights, successors)
    assert all(after in found for node in found for after in successors[node])
    assert sum(weights[node] for node in found) == best[0]
    assert len(found) == len(best[1])


def random_function(rng: np.random.Generator, count: int) -> func.FuncOp:
    """A wire-level function of `count` ops that take time, and some slices."""
    kinds = [IntType(0, (1 << int(bits)) - 1) for bits in rng.integers(1, 5, 2)]
    block = Block(arg_types=kinds)
    values: list[SSAValue] = list(block.args)
    unread = set[SSAValue]()

    def some() -> SSAValue:
        value = values[int(rng.integers(max(0, len(values) - 4), len(values)))]
        bits = range_of(value).bits
        if bits > 2 and rng.random() < 0.3:
            low = int(rng.integers(0, bits - 1))
            part = ExtractOp(value, low, int(rng.integers(1, bits - low + 1)))
            block.add_op(part)
            unread.discard(value)
            return part.result
        return value

    for _ in range(count):
        first, second = some(), some()
        kind = range_of(first)
        match int(rng.integers(0, 3)):
            case 0 if kind.bits < 6:
                op: Operation = TableOp([first], rng.permutation(kind.size))
            case 1 if kind.high > 1:
                op = ClampOp(first, 0, max(kind.high // 2, 1))
            case _:
                op = SumOp([first, second])
        block.add_op(op)
        unread.difference_update(op.operands)
        values += op.results
        unread.update(op.results)
    results = sorted(unread, key=values.index)
    block.add_op(func.ReturnOp(*results))
    types = kinds, [range_of(value) for value in results]
    return func.FuncOp("f", types, Region(block))


def register_bits(graph: Graph, stages: Mapping[SSAValue, int], last: int) -> int:
    """Bits of registers, one bit of a value after the other, from the function itself."""
    readers: dict[tuple[SSAValue, int], list[int]] = {}

    def read(value: SSAValue, bit: int, stage: int) -> None:
        if isinstance(value.owner, ExtractOp):
            read(value.owner.input, bit + value.owner.low.value.data, stage)
        elif not isinstance(value.owner, ConstantOp) and bit < range_of(value).bits:
            readers.setdefault((value, bit), []).append(stage)

    terminator = graph.ops[0].parent_block().last_op  # type: ignore[union-attr]
    assert isinstance(terminator, func.ReturnOp)
    for op in graph.ops:
        for operand in op.operands:
            for bit in range(range_of(operand).bits):
                read(operand, bit, stages[op.results[0]])
    for operand in terminator.operands:
        for bit in range(range_of(operand).bits):
            read(operand, bit, last)
    return sum(max(at) - stages[value] for (value, _), at in readers.items())


def rippling(op: Operation) -> Delay:
    """Half of what a sum takes is the ripple of its carry chain; readers of clamps take longer."""
    whole = cost(op)
    onward = 0.5 if isinstance(op, ClampOp) else 0.0
    return Delay(whole / 2, whole / 2) if isinstance(op, SumOp) else Delay(whole, onward=onward)


def merging(op: Operation) -> Delay:
    """As `rippling`, but readers of clamps are one with them, and take less."""
    delay = rippling(op)
    return delay._replace(onward=-0.5) if isinstance(op, ClampOp) else delay


def path_cost(path: Sequence[Operation], costs: Costs) -> float:
    """All delays, but of sums in a row the longest ripple only."""
    total = ripple = 0.0
    for op in path:
        delay = costs(op)
        delay = delay if isinstance(delay, Delay) else Delay(delay)
        if not delay.ripple:
            total, ripple = total + ripple, 0.0
        total, ripple = total + delay.first, max(ripple, delay.ripple)
        if op is not path[-1]:
            total += delay.onward
    return total + ripple


def paths_to(
    op: Operation, is_before: Callable[[Operation, Operation], bool]
) -> Iterator[list[Operation]]:
    """All paths that end at an op, as lists of ops."""
    yield [op]
    for operand in op.operands:
        while isinstance(operand.owner, ExtractOp):
            operand = operand.owner.input
        before = operand.owner
        if isinstance(before, Operation) and is_before(before, op):
            yield from ([*path, op] for path in paths_to(before, is_before))


def longest(function: func.FuncOp, costs: Costs) -> float:
    """The costliest path between registers."""
    ops = [op for op in function.body.block.ops if op.results and not isinstance(op, DelayOp)]
    paths = (path for op in ops for path in paths_to(op, lambda each, _: each in ops))
    return max((path_cost(path, costs) for path in paths), default=0.0)


@pytest.mark.parametrize("costs", [cost, rippling, merging])
@pytest.mark.parametrize("limit", [2.0, 3.0, 4.0])
@pytest.mark.parametrize("seed", range(25))
def test_fewest_registers(seed: int, limit: float, costs: Costs) -> None:
    """As few stages as the greedy assignment; in them, as few bits as any stages have."""
    function = random_function(np.random.default_rng(seed), 6)
    graph = Graph(function, costs, limit)
    found = fewest_registers(function, costs, limit)
    last = found.result_stage + 1
    greedy = StageLimit(lambda op: _most(costs(op)), limit).fewest(function)
    assert found.result_stage <= greedy.result_stage

    values = [op.results[0] for op in graph.ops]
    fewest = None
    for choice in product(range(last), repeat=len(values)):
        stages = {**dict.fromkeys(function.args, 0), **dict(zip(values, choice, strict=True))}
        if _possible(graph, stages, limit, costs):
            bits = register_bits(graph, stages, last)
            fewest = bits if fewest is None else min(fewest, bits)
    assert fewest == register_bits(graph, found.of, last)

    ModuleOp([function])
    insert_registers(function, found, last)
    function.verify()
    assert latency_of(function, cycles_of(function)) == last
    assert longest(function, costs) <= limit + 1e-6


@pytest.mark.parametrize("costs", [cost, rippling, merging])
@pytest.mark.parametrize("cycles", [1, 2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_stages_of_cycles(seed: int, cycles: int, costs: Costs) -> None:
    """Against all stages of small graphs: hardly longer than the shortest, with few bits."""
    function = random_function(np.random.default_rng(seed), 6)
    graph = Graph(function, costs, np.inf)
    found = stages_of_cycles(function, costs, cycles)
    assert found.result_stage == cycles - 1

    values = [op.results[0] for op in graph.ops]
    possible: list[tuple[float, int]] = []
    for choice in product(range(cycles), repeat=len(values)):
        stages = {**dict.fromkeys(function.args, 0), **dict(zip(values, choice, strict=True))}
        if _possible(graph, stages, np.inf, costs):
            possible.append(
                (_longest_of(graph, stages, costs), register_bits(graph, stages, cycles))
            )
    shortest = min(length for length, _ in possible)
    length, bits = _longest_of(graph, found.of, costs), register_bits(graph, found.of, cycles)
    assert _possible(graph, found.of, np.inf, costs)
    assert length <= LONGER * shortest * (1 + 2 * CLOSE)
    assert bits <= MORE_BITS * min(bits for length, bits in possible if length <= LONGER * shortest)


def _most(delay: float | Delay) -> float:
    return delay.whole + max(delay.onward, 0.0) if isinstance(delay, Delay) else delay


def _possible(graph: Graph, stages: Mapping[SSAValue, int], limit: float, costs: Costs) -> bool:
    """Whether stages keep the order of ops, and no path in a stage costs more than the limit."""

    def stage(op: Operation) -> int:
        return stages[op.results[0]]

    for op in graph.ops:
        for operand in op.operands:
            while isinstance(operand.owner, ExtractOp):
                operand = operand.owner.input
            if stages.get(operand, 0) > stage(op):
                return False

    return _longest_of(graph, stages, costs) <= limit + 1e-6


def _longest_of(graph: Graph, stages: Mapping[SSAValue, int], costs: Costs) -> float:
    """What the costliest path within a stage costs."""

    def together(first: Operation, second: Operation) -> bool:
        return first in graph.ops and stages[first.results[0]] == stages[second.results[0]]

    paths = (path for op in graph.ops for path in paths_to(op, together))
    return max((path_cost(path, costs) for path in paths), default=0.0)


@pytest.mark.parametrize("costs", [cost, rippling, merging])
@pytest.mark.parametrize("seed", range(10))
def test_latest_ends_keep_the_cycles(seed: int, costs: Costs) -> None:
    """No node ends later than it may, and the last ones of a critical path end just in time."""
    function = random_function(np.random.default_rng(seed), 12)
    graph = Graph(function, costs, 3.0)
    early = earliest(graph, 3.0)
    late = latest(graph, 3.0, early[graph.results].stage)
    assert not any(first.is_after(last) for first, last in zip(early, late, strict=True))
    sooner = latest(graph, 3.0, early[graph.results].stage - 1)
    assert any(first.is_after(last) for first, last in zip(early, sooner, strict=True))
    assert Place(1, 0.5).is_after(Place(0, 3.0))
