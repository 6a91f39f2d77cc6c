"""In which pipeline stage each value is computed: the search of `kan-schedule` by levels of logic.

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
from functools import cache

from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue

from kan_dialect.analysis.wires import layers_of
from kan_dialect.ir.operation import operands_of, ops_of
from kan_dialect.ir.types import range_of
from kan_dialect.ir.wire_operation import cycles_through
from kan_dialect.ops.wire import ConstantOp, DeadOp, ExtractOp, MarkOp, TableOp

_NOT_IN_TURN = {ConstantOp, DeadOp, MarkOp, func.ReturnOp, TableOp, ExtractOp}
"""Ops that get no stage, or get it from their readers, as tables and bits do."""


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
        layers = layers_of(function) if at_nodes else {}
        assignment = _Assignment(function, self)
        layer = 0
        for op in sorted(ops_of(function.body.block), key=lambda op: layers.get(op, 0)):
            if layers.get(op, 0) > layer:
                layer = layers[op]
                assignment.start_layer()
            if type(op) not in _NOT_IN_TURN:
                assignment.take_with_tables(op)
        return assignment.finish()

    def fewest(self, function: func.FuncOp) -> Stages:
        """As few stages as possible, with registers at the nodes if that takes no more."""
        anywhere, at_nodes = self.assign(function), self.assign(function, at_nodes=True)
        return at_nodes if at_nodes.result_stage <= anywhere.result_stage else anywhere


class _Assignment:
    """Assigns one op after the other."""

    def __init__(self, function: func.FuncOp, limit: StageLimit) -> None:
        self._cost, self._limit = limit.cost, limit.limit
        self._function = function
        self._bits_of_tables = cache(_bits_of_tables)
        self._first = 0
        """The first stage of the ops of the current layer."""
        self._stage: dict[SSAValue, int] = dict.fromkeys(function.args, 0)
        self._arrival: dict[SSAValue, float] = dict.fromkeys(function.args, 0.0)
        """The cost along the longest path to each value within its stage."""
        self._last = max(self._stage.values(), default=-1)
        """The last stage of all."""

    def start_layer(self) -> None:
        """Ops from here on are in stages of their own."""
        self._first = self._last + 1

    def take_with_tables(self, op: Operation) -> None:
        """Assign an op, after the tables that it reads."""
        place = self._earliest(op)
        if self._take_tables(op, None if cycles_through(op) else place):
            place = self._earliest(op)
        self._take(op, *place)

    def finish(self) -> Stages:
        """The stages, after the tables that the function returns."""
        terminator = self._function.get_return_op()
        assert terminator is not None
        self._take_tables(terminator, None)
        # Values that have no stage count as those of the first one.
        returned = [self._stage.get(value, 0) for value in terminator.operands]
        return Stages(self._stage, max(returned, default=0))

    def _take(self, op: Operation, stage: int, start: float) -> None:
        for value in op.results:
            self._stage[value], self._arrival[value] = stage, start + self._cost(op)
        self._last = max(self._last, stage)

    def _earliest(self, op: Operation) -> tuple[int, float]:
        """The first stage with room for the op, and the cost before the op in this stage.

        Tables that wait count as if they were assigned as early as possible.
        """
        stage, start = 0, 0.0
        for value in operands_of(op):
            if value in self._stage:
                own, arrival = self._stage[value], self._arrival[value]
            elif isinstance(value.owner, TableOp | ExtractOp):
                own, arrival = self._earliest(value.owner)
                arrival += self._cost(value.owner)
            else:
                continue
            if own > stage or (own == stage and arrival > start):
                stage, start = own, arrival
        if cycles := cycles_through(op):
            return max(stage, self._first) + cycles, 0.0
        if stage < self._first:
            return self._first, 0.0
        if start and start + self._cost(op) > self._limit:
            return stage + 1, 0.0
        return stage, start

    def _take_tables(self, reader: Operation, place: tuple[int, float] | None) -> bool:
        """Assign the tables that an op reads: to its own stage, if they fit in front of it.

        Returns whether there were any.
        """
        taken = False
        for value in operands_of(reader):
            table = value.owner
            if value in self._stage or not isinstance(table, TableOp | ExtractOp):
                continue
            self._take_tables(table, None)
            stage, start = self._earliest(table)
            if place is not None and stage < place[0] and self._expands(table):
                end = max(place[1], self._cost(table))
                if end + self._cost(reader) <= self._limit:
                    stage, start = place[0], 0.0
            self._take(table, stage, start)
            taken = True
        return taken

    def _expands(self, table: Operation) -> bool:
        """Whether the tables of the same inputs as a table have more bits than these inputs."""
        roots = {_root(value) for value in table.operands}
        return sum(range_of(root).bits for root in roots) < sum(map(self._bits_of_tables, roots))


def _bits_of_tables(root: SSAValue) -> int:
    """Bits that all tables of a value have together."""
    return sum(range_of(table.result).bits for table in dict.fromkeys(_tables_of(root)))


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
