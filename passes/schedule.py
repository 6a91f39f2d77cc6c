"""`kan-schedule`: pipeline registers, so that every path has the same number of cycles.

Each op gets a stage: `kan_dialect.search.retiming` for a clock and for given cycles, else
`kan_dialect.search.stages`. A value that a later stage reads is delayed, one register a stage,
which all its readers share. Results leave from registers. Marks say in which cycle their node is
there. Registers of an earlier schedule are removed first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.devices.estimate import delay_of, delays_of, levels_of
from kan_dialect.devices.lut_count import count_luts
from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.module_attributes import declare_latency, declared_interval
from kan_dialect.ir.operation import KanOperation, ops_of
from kan_dialect.ir.wire_operation import cycles_through
from kan_dialect.ops.wire import DelayOp, MarkOp
from kan_dialect.passbase.dead_ops import remove_dead
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.search.retiming.stages import fewest_registers, stages_of_cycles
from kan_dialect.search.stages import StageLimit, Stages

DEFAULT_LEVELS = 4
"""Levels of logic in a stage, if no option says otherwise."""

MARGIN = 1.15
"""A clock that stages reach beyond the one asked for, where that takes no more cycles."""


def remove_registers(function: func.FuncOp) -> None:
    """Remove all delays, and set the marks back to cycle 0."""
    for op in ops_of(function.body.block):
        if type(op) is DelayOp:
            Rewriter.replace_op(op, (), [op.input])
        elif type(op) is MarkOp:
            op.cycle = IntegerAttr(0, i64)


def insert_registers(function: func.FuncOp, stages: Stages, latency: int) -> None:
    """Delay every value to the stages that read it, and results to cycle `latency`."""
    delayed: dict[tuple[SSAValue, int], SSAValue] = {}

    def at(value: SSAValue, stage: int) -> SSAValue:
        """The value in a stage, behind one register for each stage since its own."""
        source = value
        for following in range(stages.of.get(value, stage) + 1, stage + 1):
            key = (value, following)
            if key not in delayed:
                register = DelayOp(source, 1, name=_register_name(value, following))
                Rewriter.insert_op(register, _after(source, function))
                delayed[key] = register.result
            source = delayed[key]
        return source

    for op in ops_of(function.body.block):
        if type(op) is func.ReturnOp:
            op.operands = [at(operand, latency) for operand in op.operands]
        elif type(op) is MarkOp:
            op.cycle = IntegerAttr(stages.of.get(op.value, 0), i64)
        elif op.results and op.results[0] in stages.of:
            stage = stages.of[op.results[0]] - cycles_through(op)
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


@dataclass(frozen=True)
class SchedulePass(FunctionPass, TargetPass):
    """Inserts pipeline registers.

    Raises
    ------
    KanError : an option is out of range; two of levels, cycles, mhz and combinational are given; or
        one op alone takes longer than a period of the clock; or the clock is above the
        limit of the device.
    """

    name = "kan-schedule"
    works_at = ("wire",)

    levels: int | None = bounded(None, Bounds(1, 1_000_000))
    """The most levels of logic between two registers; 4 where no other limit is given."""
    cycles: int | None = bounded(None, Bounds(0, 1000), tried=(0, 1, 2, 3, 4, 5, 6, 8))
    """The latency, in stages of nearly the least delay; 0: all combinational."""
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

    @property
    def latency(self) -> int | None:
        """Cycles, if the options say them whatever the network is."""
        return 0 if self.combinational else self.cycles

    def require_possible(self, module: ModuleOp, before: Sequence[ModulePass]) -> None:
        """Refuse a clock that no network reaches on the device."""
        timing, highest = self.device.timing, self.device.highest_mhz
        if self.mhz is None:
            return
        if highest is not None and self.mhz > highest:
            raise KanError(
                f"a clock of {self.mhz:g} MHz is more than the clock network of {self.target} can "
                "do",
                remedy=f"take at most mhz={int(highest)}",
            )
        if timing.logic_ns(self.mhz, luts=0) < 0:
            fastest = 1000 / timing.register / timing.spread_of(0)
            raise KanError(
                f"registers alone take {timing.register:.2f} ns, by the delays of {self.target}: "
                f"a period of {1000 / self.mhz:.2f} ns leaves no time for logic",
                remedy=f"take less than mhz={int(fastest)}",
            )

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        self.require_possible(module, ())
        return super().run(ctx, module)

    def rewrite(self, function: func.FuncOp) -> None:
        remove_registers(function)
        remove_dead(function)
        latency, interval = 0, declared_interval(function)
        if self.latency == 0 and interval is not None:
            raise KanError(
                f"@{function.sym_name.data}: layers that take {interval} cycles a sample cannot be "
                "combinational",
                remedy="leave combinational or cycles=0 out, or fold no layer (interval=1)",
            )
        if self.latency != 0:
            stages = self._stages(function)
            latency = max(stages.result_stage + 1, self.cycles or 0)
            if interval is not None and self.cycles is not None and latency > self.cycles:
                raise KanError(
                    f"@{function.sym_name.data}: with layers that take {interval} cycles a sample, "
                    f"results come after {latency} cycles or more",
                    remedy=f"take at least cycles={latency}, or fold no layer (interval=1)",
                )
            insert_registers(function, stages, latency)
        declare_latency(function, latency)

    def _stages(self, function: func.FuncOp) -> Stages:
        delays = cache(partial(delays_of, device=self.device))
        if self.cycles is not None:
            return stages_of_cycles(function, delays, self.cycles)
        if self.mhz is not None:
            luts = self.device.pack(count_luts(function.body.block.ops, self.device))
            limit = self._limit_of_clock(function, self.mhz, luts)
            tightest = self.device.timing.logic_ns(MARGIN * self.mhz, luts)
            return fewest_registers(function, delays, limit.limit, tightest)
        levels = cache(partial(levels_of, device=self.device))
        return StageLimit(levels, self.levels or DEFAULT_LEVELS).fewest(function)

    def _limit_of_clock(self, function: func.FuncOp, mhz: float, luts: int) -> StageLimit:
        timing = self.device.timing
        period = timing.logic_ns(mhz, luts)
        limit = StageLimit(cache(partial(delay_of, device=self.device)), period)
        slowest = max(ops_of(function.body.block), key=limit.cost)
        if (delay := limit.cost(slowest)) > period:
            name = slowest.given_name if isinstance(slowest, KanOperation) else None
            fastest = 1000 / (delay + timing.register) / timing.spread_of(luts)
            raise KanError(
                f"{name or slowest.name} alone takes {delay:.2f} ns, by the delays of "
                f"{self.target}; of a period of {1000 / mhz:.2f} ns, registers and the margin for "
                f"routing leave {max(period, 0.0):.2f} ns",
                remedy=f"take at most mhz={int(min(fastest, self.device.highest_mhz or fastest))}; "
                "sums and tables that are built for that clock may reach a little more",
            )
        return limit
