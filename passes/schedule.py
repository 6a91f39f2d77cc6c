"""`kan-schedule`: pipeline registers, so that every path has the same number of cycles.

Ops are taken as early as they can be: an op joins the current stage while the stage has no more
than `levels` levels of logic, or takes no longer than a period of the clock by the delays of the
target, else its operands are registered. Tables wait until what reads them
is taken: they make many bits of few, so it is their input that should be registered. A value that
is needed in a later stage than its own is delayed until then, and each register exists once.
Results are registered.

Between two layers nothing but the codes of nodes is there, fewer bits than anywhere else. So the
stages of a layer start after those of the layers before, where that takes no more cycles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.analysis.wires import layers_of, remove_dead, wire_functions
from kan_dialect.devices.estimate import delay_of, levels_of
from kan_dialect.errors import KanError
from kan_dialect.ir.attribute_names import LATENCY
from kan_dialect.ir.operation import KanOperation
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import BitsOp, ConstantOp, DeadOp, DelayOp, MarkOp, TableOp
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.passbase.target_pass import TargetPass

DEFAULT_LEVELS = 4
"""Levels of logic in a stage, where nothing is said of the schedule."""
MOST_UNEVEN = 1.5
"""For a number of cycles, stages may have so many times the levels if layers do not share them."""


@dataclass(frozen=True)
class SchedulePass(TargetPass):
    """Inserts registers.

    Raises
    ------
    KanError : an option is out of range, or two of levels, cycles, mhz and combinational are given;
        or one op alone takes longer than a period of the clock.
    """

    name = "kan-schedule"

    levels: int | None = bounded(None, Bounds(1, 1_000_000))
    """The most levels of logic between two registers; 4 where no other limit is given."""
    cycles: int | None = bounded(None, Bounds(0, 1000))
    """The latency, in stages of as few levels as it allows; 0: all combinational."""
    mhz: float | None = bounded(None, Bounds(0, 1e6, above=True))
    """The clock that every stage reaches, by the typical delays of the target."""
    combinational: bool = False
    """No registers at all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        ways = {
            "mhz": self.mhz is not None,
            f"levels={self.levels}": self.levels is not None,
            f"cycles={self.cycles}": self.cycles is not None,
            "combinational": self.combinational,
        }
        given = [way for way, is_given in ways.items() if is_given]
        if len(given) > 1:
            raise KanError(f"{' and '.join(given)} exclude each other", remedy="keep one of them")

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        for function in functions:
            remove_registers(function)
            remove_dead(function)
            latency = 0
            if not self.combinational and self.cycles != 0:
                stages = self.stages(function)
                latency = max(stages.result_stage + 1, self.cycles or 0)
                insert_registers(function, stages, latency)
            function.attributes[LATENCY] = IntegerAttr(latency, i64)
        return bool(functions)

    def stages(self, function: func.FuncOp) -> Stages:
        """Stages that are as short as is asked for, or as short as `cycles` allows."""
        if self.cycles is None:
            limit = self._limit(function)
            anywhere = limit.assign(function)
            at_nodes = limit.assign(function, at_nodes=True)
            return at_nodes if at_nodes.result_stage <= anywhere.result_stage else anywhere
        cost = cache(
            partial(levels_of, device=self.device)
        )  # the same ops, for any number of levels
        levels, stages = _fitting(function, self.cycles, cost, at_nodes=False)
        layers = max(layers_of(function).values(), default=0) + 1
        if layers <= self.cycles:
            more, at_nodes = _fitting(function, self.cycles, cost, at_nodes=True)
            if more <= levels * MOST_UNEVEN:
                return at_nodes
        return stages

    def _limit(self, function: func.FuncOp) -> StageLimit:
        if self.mhz is None:
            return StageLimit(
                cache(partial(levels_of, device=self.device)), self.levels or DEFAULT_LEVELS
            )
        period = 1000 / self.mhz - self.device.timing.register
        limit = StageLimit(cache(partial(delay_of, device=self.device)), period)
        slowest = max(function.body.block.ops, key=limit.cost)
        if (delay := limit.cost(slowest)) > period:
            name = slowest.given_name if isinstance(slowest, KanOperation) else None
            fastest = 1000 / (delay + self.device.timing.register)
            raise KanError(
                f"{name or slowest.name} alone takes {delay:.2f} ns of a period of "
                f"{1000 / self.mhz:.2f} ns, by the delays of {self.target}",
                remedy=f"take at most mhz={int(fastest)}",
            )
        return limit


def _fitting(
    function: func.FuncOp, cycles: int, cost: Callable[[Operation], int], *, at_nodes: bool
) -> tuple[int, Stages]:
    """The fewest levels with which there are at most so many stages, and the stages."""
    levels = 1
    while True:
        stages = StageLimit(cost, levels).assign(function, at_nodes=at_nodes)
        if stages.result_stage + 1 <= cycles:
            return levels, stages
        levels += 1


@dataclass(frozen=True)
class StageLimit:
    """How long a stage may be: the costs of ops that follow each other sum up to the limit."""

    cost: Callable[[Operation], float]
    """Levels of logic or ns between the operands of an op and its result."""
    limit: float

    def assign(self, function: func.FuncOp, *, at_nodes: bool = False) -> Stages:
        """Stages as early as they can be; an op that costs more than the limit has one of its own.

        `at_nodes`: each layer in stages of its own.
        """
        layers = layers_of(function) if at_nodes else {}
        return _Assignment(function, self, layers).run()


@dataclass
class Stages:
    """The stage in which each value is computed; constants have none."""

    of: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])
    result_stage: int = 0


def remove_registers(function: func.FuncOp) -> None:
    """Take out all delays, and set marks back to cycle 0."""
    for op in list(function.body.block.ops):
        if type(op) is DelayOp:
            Rewriter.replace_op(op, (), [op.input])
        elif type(op) is MarkOp:
            op.cycle = IntegerAttr(0, i64)


_LATER = {ConstantOp, DeadOp, MarkOp, TableOp, BitsOp, func.ReturnOp}
"""Ops that are not taken in their turn: what reads tables takes them, others have no stage."""


class _Assignment:
    """Takes one op after the other; `arrival` is what leads to a value in its stage.

    Kinds of ops are compared by identity: of thousands, `isinstance` takes long to say no.
    """

    def __init__(
        self, function: func.FuncOp, limit: StageLimit, layers: Mapping[Operation, int]
    ) -> None:
        self._function = function
        self._limit = limit
        self._layers = layers
        self._first = 0
        """The stage in which the ops of this layer may start."""
        self._bits_of_tables: dict[SSAValue, int] = {}
        """How many bits all tables of a value give."""
        self._stages = Stages(dict.fromkeys(function.args, 0))
        self._arrival: dict[SSAValue, float] = dict.fromkeys(function.args, 0.0)

    def run(self) -> Stages:
        ops = sorted(self._function.body.block.ops, key=lambda op: self._layers.get(op, 0))
        layer = 0
        for op in ops:
            if self._layers.get(op, 0) > layer:
                layer = self._layers[op]
                self._first = max(self._stages.of.values(), default=-1) + 1
            if type(op) in _LATER:
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
        """The first stage in which the op fits, and how much of that is before it.

        Tables that wait count as if they were taken as early as they can be.
        """
        places = [place for value in op.operands if (place := self._place(value)) is not None]
        stage, start = max(places, default=(0, 0.0))
        if stage < self._first:
            return self._first, 0.0
        if start and start + self._limit.cost(op) > self._limit.limit:
            return stage + 1, 0.0
        return stage, start

    def _place(self, value: SSAValue) -> tuple[int, float] | None:
        """Stage of a value and what leads to it there; None of a constant."""
        if (taken := self._stages.of.get(value)) is not None:
            return taken, self._arrival[value]
        owner = value.owner
        if not (type(owner) is TableOp or type(owner) is BitsOp):
            return None
        stage, start = self._earliest(owner)
        return stage, start + self._limit.cost(owner)

    def _take_tables(self, reader: Operation, place: tuple[int, float] | None) -> None:
        """Take the tables that the op reads: in its own stage where they fit in front of it."""
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
        """Whether tables of the same inputs give more bits than they read."""
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
    """The tables that read a value or bits of it."""
    for use in value.uses:
        op = use.operation
        if type(op) is TableOp:
            yield op
        elif type(op) is BitsOp:
            yield from _tables_of(op.result)


def insert_registers(function: func.FuncOp, stages: Stages, latency: int) -> None:
    """Delay every value to the stages in which it is read; results until cycle `latency`."""
    delayed: dict[tuple[SSAValue, int], SSAValue] = {}

    def at(value: SSAValue, stage: int) -> SSAValue:
        """The value as it stands in `stage`, by way of as many shared registers as that takes."""
        source = value
        for following in range(stages.of.get(value, stage) + 1, stage + 1):
            key = (value, following)
            if key not in delayed:
                register = DelayOp(source, 1, name=_register_name(value, following))
                Rewriter.insert_op(register, _after(source, function))
                delayed[key] = register.result
            source = delayed[key]
        return source

    for op in list(function.body.block.ops):
        if type(op) is func.ReturnOp:
            op.operands = [at(operand, latency) for operand in op.operands]
        elif type(op) is MarkOp:
            op.cycle = IntegerAttr(stages.of.get(op.value, 0), i64)
        elif op.results and op.results[0] in stages.of:
            stage = stages.of[op.results[0]]
            delayed_operands = [at(operand, stage) for operand in op.operands]
            if any(new is not old for new, old in zip(delayed_operands, op.operands, strict=True)):
                op.operands = delayed_operands


def _register_name(value: SSAValue, stage: int) -> str | None:
    if isinstance(value, BlockArgument):
        return f"x{value.index}_s{stage}"
    owner = value.owner
    name = owner.given_name if isinstance(owner, KanOperation) else None
    return None if name is None else f"{name}_s{stage}"


def _after(value: SSAValue, function: func.FuncOp) -> InsertPoint:
    owner = value.owner
    if isinstance(owner, Operation):
        return InsertPoint.after(owner)
    return InsertPoint.at_start(function.body.block)
