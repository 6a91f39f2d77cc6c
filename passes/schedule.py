"""`kan-schedule`: pipeline registers, so that every path has the same number of cycles.

Ops are taken as early as they can be: an op joins the current stage while the stage has no more
than `levels` levels of logic, else its operands are registered. Tables wait until what reads them
is taken: they make many bits of few, so it is their input that should be registered. A value that
is needed in a later stage than its own is delayed until then, and each register exists once.
Results are registered.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.attributes import range_of
from kan_dialect.errors import KanError
from kan_dialect.fpga import XCUP
from kan_dialect.interface import LATENCY
from kan_dialect.kan_pass import KanPass
from kan_dialect.operation import KanOperation
from kan_dialect.wire_ops import ConstantOp, DelayOp, MarkOp, TableOp
from kan_dialect.wires import wire_functions


@dataclass(frozen=True)
class SchedulePass(KanPass):
    """Inserts registers."""

    name = "kan-schedule"

    levels: int = 2
    """Largest number of levels of logic between two registers."""
    cycles: int | None = None
    """Exactly this many cycles, in stages of as few levels as that allows; 0: all combinational."""
    combinational: bool = False
    """No registers at all."""

    def __post_init__(self) -> None:
        if self.levels < 1:
            raise KanError(f"levels must be at least 1, got {self.levels}")
        if self.cycles is not None and not 0 <= self.cycles <= 1000:
            raise KanError(f"cycles must lie in 0..1000, got {self.cycles}")

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        for function in functions:
            remove_registers(function)
            latency = 0
            if not self.combinational and self.cycles != 0:
                stages = self.stages(function)
                latency = max(stages.result_stage + 1, self.cycles or 0)
                insert_registers(function, stages, latency)
            function.attributes[LATENCY] = IntegerAttr(latency, i64)
        return bool(functions)

    def stages(self, function: func.FuncOp) -> Stages:
        """Stages of at most `levels` levels, or as few levels as fit into `cycles`."""
        if self.cycles is None:
            return assign_stages(function, self.levels)
        levels = 1
        while (stages := assign_stages(function, levels)).result_stage + 1 > self.cycles:
            levels += 1
        return stages


@dataclass
class Stages:
    """The stage in which each value is computed; constants have none."""

    of: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])
    result_stage: int = 0


def remove_registers(function: func.FuncOp) -> None:
    """Take out all delays, and set marks back to cycle 0."""
    for op in list(function.body.block.ops):
        if isinstance(op, DelayOp):
            Rewriter.replace_op(op, (), [op.input])
        elif isinstance(op, MarkOp):
            op.cycle = IntegerAttr(0, i64)


def assign_stages(function: func.FuncOp, levels: int) -> Stages:
    """Stages of at most `levels` levels each (one op may have more), as early as they can be."""
    return _Assignment(function, levels).run()


class _Assignment:
    """Takes one op after the other; `arrival` is a value's level within its stage."""

    def __init__(self, function: func.FuncOp, levels: int) -> None:
        self._function = function
        self._levels = levels
        self._stages = Stages(dict.fromkeys(function.args, 0))
        self._arrival: dict[SSAValue, int] = dict.fromkeys(function.args, 0)

    def run(self) -> Stages:
        for op in self._function.body.block.ops:
            match op:
                case ConstantOp() | MarkOp() | TableOp():
                    continue
                case func.ReturnOp():
                    self._take_tables(op, None)
                case _:
                    stage, start = self._earliest(op)
                    self._take_tables(op, (stage, start))
                    stage, start = self._earliest(op)
                    self._take(op, stage, start)
        for op in self._function.body.block.ops:
            if isinstance(op, TableOp) and op.result not in self._stages.of:
                self._take(op, *self._earliest(op))  # Nothing but marks reads it.
        terminator = self._function.get_return_op()
        assert terminator is not None
        of = self._stages.of
        self._stages.result_stage = max((of.get(v, 0) for v in terminator.operands), default=0)
        return self._stages

    def _take(self, op: Operation, stage: int, start: int) -> None:
        for result in op.results:
            self._stages.of[result] = stage
            self._arrival[result] = start + XCUP.levels(op)

    def _earliest(self, op: Operation) -> tuple[int, int]:
        """The first stage in which the op fits, and the level at which it starts there.

        Tables that wait count as if they were taken as early as they can be.
        """
        places = [place for value in op.operands if (place := self._place(value)) is not None]
        stage = max((at for at, _ in places), default=0)
        start = max((arrival for at, arrival in places if at == stage), default=0)
        if start and start + XCUP.levels(op) > self._levels:
            return stage + 1, 0
        return stage, start

    def _place(self, value: SSAValue) -> tuple[int, int] | None:
        """Stage and level of a value; None of a constant."""
        if value in self._stages.of:
            return self._stages.of[value], self._arrival[value]
        if not isinstance(value.owner, TableOp):
            return None
        stage, start = self._earliest(value.owner)
        return stage, start + XCUP.levels(value.owner)

    def _take_tables(self, reader: Operation, place: tuple[int, int] | None) -> None:
        """Take the tables that the op reads: in its own stage where they fit in front of it."""
        for value in reader.operands:
            table = value.owner
            if not isinstance(table, TableOp) or value in self._stages.of:
                continue
            self._take_tables(table, None)
            stage, start = self._earliest(table)
            if place is not None and stage < place[0] and _expands(table):
                end = max(place[1], XCUP.levels(table))
                if end + XCUP.levels(reader) <= self._levels:
                    stage, start = place[0], 0
            self._take(table, stage, start)


def _expands(table: TableOp) -> bool:
    """Whether tables of the same inputs give more bits than they read."""
    read = sum(range_of(value).bits for value in table.inputs)
    tables = {use.operation for use in table.inputs[0].uses if isinstance(use.operation, TableOp)}
    return read < sum(range_of(each.result).bits for each in tables)


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
        if isinstance(op, func.ReturnOp):
            op.operands = [at(operand, latency) for operand in op.operands]
        elif isinstance(op, MarkOp):
            op.cycle = IntegerAttr(stages.of.get(op.value, 0), i64)
        elif op.results and op.results[0] in stages.of:
            stage = stages.of[op.results[0]]
            op.operands = [at(operand, stage) for operand in op.operands]


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
