"""In which pipeline stage each value of a function is computed: the search of `kan-schedule`.

Ops are assigned as early as possible. An op joins the stage of its operands while the costs along
every path through the stage stay within the limit; else its operands are registered and the op
starts the next stage. A table waits until the op that reads it is assigned: tables make many bits
out of few, so their inputs are the cheaper values to register.

The codes of nodes have fewer bits than anything else between two layers. So layers may get stages
of their own (`at_nodes`), with registers at the nodes only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue

from kan_dialect.analysis.wires import layers_of
from kan_dialect.ir.operation import operands_of, ops_of
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import ConstantOp, DeadOp, ExtractOp, MarkOp, TableOp

_NONE = -1
"""The stage of a value that has none yet."""

MOST_UNEVEN = 1.5
"""Largest ratio of levels in a stage, with stages of layers to without, for as many cycles."""


@dataclass
class Stages:
    """The stage in which each value is computed; constants have none."""

    of: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])
    result_stage: int = 0


@dataclass(frozen=True)
class StageLimit:
    """The largest sum of the costs of ops that follow each other in a stage."""

    cost: Callable[[Operation], float]
    """Levels of logic, or ns, between the operands of an op and its result."""
    limit: float

    def assign(self, function: func.FuncOp, *, at_nodes: bool = False) -> Stages:
        """Stages as early as possible; an op that costs more than the limit has its own.

        `at_nodes`: no stage has ops of two layers.
        """
        return _Dataflow(function, self.cost).assign(self.limit, at_nodes=at_nodes)

    def fewest(self, function: func.FuncOp) -> Stages:
        """As few stages as possible, with registers at the nodes if that takes no more."""
        dataflow = _Dataflow(function, self.cost)
        anywhere = dataflow.assign(self.limit)
        at_nodes = dataflow.assign(self.limit, at_nodes=True)
        return at_nodes if at_nodes.result_stage <= anywhere.result_stage else anywhere


def stages_of_cycles(
    function: func.FuncOp, cycles: int, levels_of: Callable[[Operation], int]
) -> Stages:
    """At most `cycles` stages of as few levels of logic as possible.

    Registers are at the nodes if stages then have at most `MOST_UNEVEN` times the levels.
    """
    dataflow = _Dataflow(function, levels_of)
    levels, stages = _fewest_levels(dataflow, cycles, at_nodes=False)
    layers = max(layers_of(function).values(), default=0) + 1
    if layers <= cycles:
        more, at_nodes = _fewest_levels(dataflow, cycles, at_nodes=True)
        if more <= levels * MOST_UNEVEN:
            return at_nodes
    return stages


def _fewest_levels(dataflow: _Dataflow, cycles: int, *, at_nodes: bool) -> tuple[int, Stages]:
    """The fewest levels of logic in a stage for at most `cycles` stages, and the stages."""
    levels = 1
    while True:
        stages = dataflow.assign(levels, at_nodes=at_nodes)
        if stages.result_stage + 1 <= cycles:
            return levels, stages
        levels += 1


_WAITING = {TableOp, ExtractOp}
"""Ops that their readers assign."""

_NOT_IN_TURN = {ConstantOp, DeadOp, MarkOp, func.ReturnOp, *_WAITING}
"""Ops that get no stage, or get it from their readers."""


@dataclass(frozen=True, slots=True)
class _Step:
    """An op and the numbers of its values."""

    op: Operation
    cost: float
    operands: list[int]
    """Numbers of the operands that have a stage."""
    results: list[int]


class _Dataflow:
    """A function whose values are numbered, so that it is assigned several times quickly.

    Kinds of ops are compared by identity, which is faster than `isinstance`.
    """

    def __init__(self, function: func.FuncOp, cost: Callable[[Operation], float]) -> None:
        self._function = function
        self.values: list[SSAValue] = list(function.args)
        """The values that have a stage, arguments first."""
        self.arguments = len(self.values)
        self._steps: dict[Operation, _Step] = {}
        self.waiting: dict[int, _Step] = {}
        """The tables and bits that make a value."""
        self._bits_of_tables: dict[SSAValue, int] = {}
        """Bits that all tables of a value have together."""
        self._expanding: dict[Operation, bool] = {}
        numbers = {value: number for number, value in enumerate(self.values)}
        self._ops = ops_of(function.body.block)
        for op in self._ops:
            kind = type(op)
            waits = kind in _WAITING
            if not waits and kind in _NOT_IN_TURN:
                continue
            operands = [numbers[value] for value in operands_of(op) if value in numbers]
            results = list(range(len(numbers), len(numbers) + len(op.results)))
            numbers.update(zip(op.results, results, strict=True))
            self.values += op.results
            step = _Step(op, cost(op), operands, results)
            self._steps[op] = step
            if waits:
                self.waiting.update(dict.fromkeys(results, step))
        terminator = function.get_return_op()
        assert terminator is not None
        results = [numbers[value] for value in terminator.operands if value in numbers]
        self.end = _Step(terminator, 0.0, results, [])

    def assign(self, limit: float, *, at_nodes: bool = False) -> Stages:
        """See `StageLimit.assign`."""
        layers = layers_of(self._function) if at_nodes else {}
        assignment = _Assignment(self, limit)
        layer = 0
        ops = self._ops
        for op in sorted(ops, key=lambda op: layers.get(op, 0)) if at_nodes else ops:
            if at_nodes and layers.get(op, 0) > layer:
                layer = layers[op]
                assignment.start_layer()
            step = self._steps.get(op)
            if step is not None and type(op) not in _WAITING:
                assignment.take_with_tables(step)
        return assignment.finish()

    def expands(self, step: _Step) -> bool:
        """Whether the tables of the same inputs as a table have more bits than these inputs."""
        found = self._expanding.get(step.op)
        if found is None:
            found = self._expanding[step.op] = self._has_more_bits(step.op)
        return found

    def _has_more_bits(self, table: Operation) -> bool:
        roots = {_root(value) for value in table.operands}
        for root in roots:
            if root not in self._bits_of_tables:
                tables = dict.fromkeys(_tables_of(root))
                self._bits_of_tables[root] = sum(range_of(each.result).bits for each in tables)
        read = sum(range_of(root).bits for root in roots)
        return read < sum(self._bits_of_tables[root] for root in roots)


class _Assignment:
    """Assigns one op after the other."""

    def __init__(self, dataflow: _Dataflow, limit: float) -> None:
        self._dataflow = dataflow
        self._waiting = dataflow.waiting
        self._limit = limit
        arguments = dataflow.arguments
        self._first = 0
        """The first stage of the ops of the current layer."""
        self._highest = 0 if arguments else -1
        """The last stage of all."""
        self._stage = [0] * arguments + [_NONE] * (len(dataflow.values) - arguments)
        """The stage of each value."""
        self._arrival = [0.0] * len(dataflow.values)
        """The cost along the longest path to each value within its stage."""
        self._taken = list(range(arguments))
        """Numbers of values in the order in which they were assigned."""

    def start_layer(self) -> None:
        """Ops from here on are in stages of their own."""
        self._first = self._highest + 1

    def take_with_tables(self, step: _Step) -> None:
        """Assign an op, after the tables that it reads."""
        place = self._earliest(step)
        if self._take_tables(step, place):
            place = self._earliest(step)
        self._take(step, *place)

    def finish(self) -> Stages:
        """The stages, after the tables that the function returns."""
        self._take_tables(self._dataflow.end, None)
        values, stage = self._dataflow.values, self._stage
        returned = [stage[number] for number in self._dataflow.end.operands]
        # Values that have no stage count as those of the first one.
        last = max(returned, default=0)
        return Stages({values[number]: stage[number] for number in self._taken}, max(last, 0))

    def _take(self, step: _Step, stage: int, start: float) -> None:
        for number in step.results:
            self._stage[number] = stage
            self._arrival[number] = start + step.cost
            self._taken.append(number)
        self._highest = max(self._highest, stage)

    def _earliest(self, step: _Step) -> tuple[int, float]:
        """The first stage with room for the op, and the cost before the op in this stage.

        Tables that wait count as if they were assigned as early as possible.
        """
        stage, start = 0, 0.0
        for number in step.operands:
            each, arrival = self._stage[number], self._arrival[number]
            if each == _NONE:
                table = self._waiting.get(number)
                if table is None:
                    continue
                each, arrival = self._earliest(table)
                arrival += table.cost
            if each > stage or (each == stage and arrival > start):
                stage, start = each, arrival
        if stage < self._first:
            return self._first, 0.0
        if start and start + step.cost > self._limit:
            return stage + 1, 0.0
        return stage, start

    def _take_tables(self, reader: _Step, place: tuple[int, float] | None) -> bool:
        """Assign the tables that an op reads: to its own stage, if they fit in front of it.

        Returns whether there were any.
        """
        taken = False
        for number in reader.operands:
            table = self._waiting.get(number)
            if table is None or self._stage[number] != _NONE:
                continue
            self._take_tables(table, None)
            stage, start = self._earliest(table)
            if place is not None and stage < place[0] and self._dataflow.expands(table):
                end = max(place[1], table.cost)
                if end + reader.cost <= self._limit:
                    stage, start = place[0], 0.0
            self._take(table, stage, start)
            taken = True
        return taken


def _root(value: SSAValue) -> SSAValue:
    return value.owner.input if isinstance(value.owner, ExtractOp) else value


def _tables_of(value: SSAValue) -> Iterator[TableOp]:
    """The tables that read a value, or bits of it."""
    for use in value.uses:
        op = use.operation
        if type(op) is TableOp:
            yield op
        elif type(op) is ExtractOp:
            yield from _tables_of(op.result)
