"""In which pipeline stage each value of a function is computed: the search of `kan-schedule`.

Ops are assigned as early as possible. An op joins the stage of its operands while the costs along
every path through the stage stay within the limit; else its operands are registered and the op
starts the next stage. A table waits until the op that reads it is assigned: tables make many bits
out of few, so their inputs are the cheaper values to register.

The codes of nodes have fewer bits than anything else between two layers. So layers may get stages
of their own (`at_nodes`), with registers at the nodes only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue

from kan_dialect.analysis.wires import layers_of
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import BitsOp, ConstantOp, DeadOp, MarkOp, TableOp

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
        layers = layers_of(function) if at_nodes else {}
        return _Assignment(function, self, layers).run()

    def fewest(self, function: func.FuncOp) -> Stages:
        """As few stages as possible, with registers at the nodes if that takes no more."""
        anywhere = self.assign(function)
        at_nodes = self.assign(function, at_nodes=True)
        return at_nodes if at_nodes.result_stage <= anywhere.result_stage else anywhere


def stages_of_cycles(
    function: func.FuncOp, cycles: int, levels_of: Callable[[Operation], int]
) -> Stages:
    """At most `cycles` stages of as few levels of logic as possible.

    Registers are at the nodes if stages then have at most `MOST_UNEVEN` times the levels.
    """
    levels, stages = _fewest_levels(function, cycles, levels_of, at_nodes=False)
    layers = max(layers_of(function).values(), default=0) + 1
    if layers <= cycles:
        more, at_nodes = _fewest_levels(function, cycles, levels_of, at_nodes=True)
        if more <= levels * MOST_UNEVEN:
            return at_nodes
    return stages


def _fewest_levels(
    function: func.FuncOp, cycles: int, levels_of: Callable[[Operation], int], *, at_nodes: bool
) -> tuple[int, Stages]:
    """The fewest levels of logic in a stage for at most `cycles` stages, and the stages."""
    levels = 1
    while True:
        stages = StageLimit(levels_of, levels).assign(function, at_nodes=at_nodes)
        if stages.result_stage + 1 <= cycles:
            return levels, stages
        levels += 1


_NOT_IN_TURN = {ConstantOp, DeadOp, MarkOp, TableOp, BitsOp, func.ReturnOp}
"""Ops without a stage, and tables and bits, which their readers assign."""


class _Assignment:
    """Assigns one op after the other.

    Kinds of ops are compared by identity, which is faster than `isinstance`.
    """

    def __init__(
        self, function: func.FuncOp, limit: StageLimit, layers: Mapping[Operation, int]
    ) -> None:
        self._function = function
        self._limit = limit
        self._layers = layers
        self._first = 0
        """The first stage of the ops of the current layer."""
        self._bits_of_tables: dict[SSAValue, int] = {}
        """Bits that all tables of a value have together."""
        self._stages = Stages(dict.fromkeys(function.args, 0))
        self._arrival: dict[SSAValue, float] = dict.fromkeys(function.args, 0.0)
        """The cost along the longest path to each value within its stage."""

    def run(self) -> Stages:
        ops = sorted(self._function.body.block.ops, key=lambda op: self._layers.get(op, 0))
        layer = 0
        for op in ops:
            if self._layers.get(op, 0) > layer:
                layer = self._layers[op]
                self._first = max(self._stages.of.values(), default=-1) + 1
            if type(op) in _NOT_IN_TURN:
                continue
            self._take_tables(op, self._earliest(op))
            self._take(op, *self._earliest(op))
        terminator = self._function.get_return_op()
        assert terminator is not None
        self._take_tables(terminator, None)
        of = self._stages.of
        self._stages.result_stage = max((of.get(v, 0) for v in terminator.operands), default=0)
        return self._stages

    def _take(self, op: Operation, stage: int, start: float) -> None:
        for result in op.results:
            self._stages.of[result] = stage
            self._arrival[result] = start + self._limit.cost(op)

    def _earliest(self, op: Operation) -> tuple[int, float]:
        """The first stage with room for the op, and the cost before the op in this stage.

        Tables that wait count as if they were assigned as early as possible.
        """
        places = [place for value in op.operands if (place := self._place(value)) is not None]
        stage, start = max(places, default=(0, 0.0))
        if stage < self._first:
            return self._first, 0.0
        if start and start + self._limit.cost(op) > self._limit.limit:
            return stage + 1, 0.0
        return stage, start

    def _place(self, value: SSAValue) -> tuple[int, float] | None:
        """The stage of a value and the cost along the path to it there; None for a constant."""
        if (taken := self._stages.of.get(value)) is not None:
            return taken, self._arrival[value]
        owner = value.owner
        if not (type(owner) is TableOp or type(owner) is BitsOp):
            return None
        stage, start = self._earliest(owner)
        return stage, start + self._limit.cost(owner)

    def _take_tables(self, reader: Operation, place: tuple[int, float] | None) -> None:
        """Assign the tables that an op reads: to its own stage, if they fit in front of it."""
        for value in reader.operands:
            table = value.owner
            if not (type(table) is TableOp or type(table) is BitsOp) or value in self._stages.of:
                continue
            self._take_tables(table, None)
            stage, start = self._earliest(table)
            if place is not None and stage < place[0] and self._expands(table):
                end = max(place[1], self._limit.cost(table))
                if end + self._limit.cost(reader) <= self._limit.limit:
                    stage, start = place[0], 0.0
            self._take(table, stage, start)

    def _expands(self, table: TableOp | BitsOp) -> bool:
        """Whether the tables of the same inputs have more bits than these inputs."""
        roots = {_root(value) for value in table.operands}
        for root in roots:
            if root not in self._bits_of_tables:
                tables = dict.fromkeys(_tables_of(root))
                self._bits_of_tables[root] = sum(range_of(each.result).bits for each in tables)
        read = sum(range_of(root).bits for root in roots)
        return read < sum(self._bits_of_tables[root] for root in roots)


def _root(value: SSAValue) -> SSAValue:
    return value.owner.input if isinstance(value.owner, BitsOp) else value


def _tables_of(value: SSAValue) -> Iterator[TableOp]:
    """The tables that read a value, or bits of it."""
    for use in value.uses:
        op = use.operation
        if type(op) is TableOp:
            yield op
        elif type(op) is BitsOp:
            yield from _tables_of(op.result)
