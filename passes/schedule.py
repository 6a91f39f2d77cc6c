"""`kan-schedule`: pipeline registers, so that every path has the same number of cycles.

Ops are taken as early as they can be: an op joins the current stage while the stage has no more
than `levels` levels of logic, else its operands are registered. A value that is needed in a later
stage than its own is delayed until then, and each register exists once. Results are registered.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.errors import KanError
from kan_dialect.fpga import XCUP
from kan_dialect.interface import LATENCY
from kan_dialect.kan_pass import KanPass
from kan_dialect.operation import KanOperation
from kan_dialect.wire_ops import ConstantOp, DelayOp, MarkOp
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
    """As-soon-as-possible stages of at most `levels` levels each (one op may have more)."""
    stages = Stages(dict.fromkeys(function.args, 0))
    arrival: dict[SSAValue, int] = dict.fromkeys(function.args, 0)
    for op in function.body.block.ops:
        if isinstance(op, ConstantOp | MarkOp | func.ReturnOp):
            continue
        operands = [operand for operand in op.operands if operand in stages.of]
        stage = max((stages.of[operand] for operand in operands), default=0)
        start = max((arrival[v] for v in operands if stages.of[v] == stage), default=0)
        cost = XCUP.levels(op)
        if start and start + cost > levels:
            stage, start = stage + 1, 0
        for result in op.results:
            stages.of[result] = stage
            arrival[result] = start + cost
    terminator = function.get_return_op()
    assert terminator is not None
    stages.result_stage = max((stages.of.get(v, 0) for v in terminator.operands), default=0)
    return stages


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
