"""`lower-training-to-hw`: a training step becomes hardware that trains itself, sample by sample.

A sample moves through the pipeline one stage a cycle, and never stalls in it. A training sample
keeps `in_ready` low until the next samples read the coefficients that it writes, so the results are
those of the steps one after another. docs/reference/training.md shows the pipeline.

This file makes ports and control. `step_ops` lowers the ops, `datapath` has their arithmetic,
`schedule` their cycles and `banks` the memories of coefficients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import IntegerType, ModuleOp, i1
from xdsl.ir import SSAValue
from xdsl.rewriter import Rewriter

from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.data_schema import DataSchema
from kan_dialect.ir.attributes.module_attributes import (
    declare_interval,
    declare_latency,
    list_encodings,
)
from kan_dialect.ir.fixed_point import FixedType, fixed_type
from kan_dialect.ir.functions import functions_of
from kan_dialect.ir.types import tensor_shape
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.lowering.on_chip.banks import CoefficientBanks, MemoryPort
from kan_dialect.lowering.on_chip.datapath import Datapath, Number
from kan_dialect.lowering.on_chip.schedule import Schedule, Timed, number_array
from kan_dialect.lowering.on_chip.step_ops import StepOps
from kan_dialect.model.on_chip.coefficient_memory import MemoryMap, memory_map
from kan_dialect.model.on_chip.training_step import Step, as_step, is_trainable
from kan_dialect.passbase.kan_pass import KanPass


@dataclass(frozen=True)
class LowerTrainingToHwPass(KanPass):
    """Lowers training steps to hardware."""

    name = "lower-training-to-hw"
    works_at = ("training",)

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = [function for function in functions_of(module) if is_trainable(function)]
        for function in functions:
            Rewriter.replace_op(function, TrainingLowering(as_step(function)).run())
        return bool(functions)


@dataclass
class TrainingLowering:
    """Builds the hardware module of one step: ports, control, then the step itself."""

    step: Step

    def __post_init__(self) -> None:
        number = self.step.number
        if number is None:
            raise KanError(
                f"@{self.step.name} is real-valued: hardware needs fixed-point numbers",
                remedy="make it trainable with fixed-point numbers",
            )
        self.number: FixedType = number
        self.map: MemoryMap = memory_map(self.step)
        self.build = HwBuilder()

    def run(self) -> hw.HWModuleOp:
        step, build = self.step, self.build
        clock = build.clock = build.input("clk", seq.clock)
        time = Schedule(build, build.input("rst", i1))
        in_valid = build.input("in_valid", i1)
        train = build.input("train", i1)
        time.values[step.input] = self._input(step.input, "x")
        time.values[step.target] = self._input(step.target, "e" if step.fed_error else "t")
        mem_valid = build.input("mem_valid", i1)
        mem_write = build.input("mem_write", i1)
        mem_address = build.input("mem_address", IntegerType(self.map.address_bits))
        mem_data = build.input("mem_data", IntegerType(self.number.bits))

        # Both depend on the samples in flight, which are known once all ops are scheduled.
        training, occupied = hw.ConstantOp(0, i1), hw.ConstantOp(0, i1)
        may_enter = build.inverted(build.any_of([build.add(training), mem_valid]), 1)
        accepted = build.all_of([in_valid, may_enter], "accepted")
        trained = build.all_of([accepted, train], "trained")
        mem_ready = build.inverted(build.add(occupied), 1)
        access = build.all_of([mem_valid, mem_ready], "mem_access")

        port, math = MemoryPort(access, mem_write, mem_address, mem_data), Datapath(build)
        banks = CoefficientBanks(step, self.map, self.number, clock, port, build, math, time)
        ops = StepOps(step, self.number, trained, build, math, time, banks)
        for op in step.function.body.block.ops:
            ops.lower(op)
        output = time.ready(step.output)

        interval = max(banks.write_cycles[s] + 1 - banks.read_cycles[s] for s in step.states)
        last = max([*banks.write_cycles.values(), *banks.read_cycles.values()])
        self._replace(training, [time.after(trained, k, clear=True) for k in range(1, interval)])
        self._replace(occupied, [time.after(accepted, k, clear=True) for k in range(1, last + 1)])
        out_valid = time.after(accepted, output.cycle, clear=True)
        results = [math.extended(number, self.number.bits) for number in output.numbers]
        mem_read = build.all_of([access, build.inverted(mem_write, 1)], "mem_read")
        module = build.finish(
            step.function.sym_name,
            {
                "in_ready": may_enter,
                "out_valid": out_valid,
                **{f"y{index}": wire for index, wire in enumerate(results)},
                "mem_ready": mem_ready,
                "mem_read_valid": time.after(mem_read, 2, clear=True),
                "mem_read_data": banks.read_word(),
            },
        )
        declare_latency(module, output.cycle)
        declare_interval(module, interval)
        list_encodings(module, self._encodings())
        DataSchema.of(step.function).declare(module)
        return module

    def _input(self, argument: SSAValue, letter: str) -> Timed:
        kind = fixed_type(argument)
        assert kind is not None
        count = tensor_shape(argument)[0]
        wires = [self.build.input(f"{letter}{i}", IntegerType(kind.bits)) for i in range(count)]
        numbers = [Number(wire, kind.low, kind.high) for wire in wires]
        return Timed(number_array(numbers, (count,)), 0)

    def _replace(self, placeholder: hw.ConstantOp, wires: Sequence[SSAValue]) -> None:
        """Put whether one of the wires is 1 in the place of a constant that stood for it."""
        if wires:
            placeholder.result.replace_all_uses_with(self.build.any_of(wires))
            Rewriter.erase_op(placeholder)

    def _encodings(self) -> Iterator[str]:
        """Lines about the ports, for readers of the RTL."""

        def kind_of(value: SSAValue) -> str:
            kind = fixed_type(value)
            assert kind is not None
            return f"{kind.bits} bits, value = code / 2^{kind.fraction}"

        step, rows, banks = self.step, self.map.row_bits, self.map.bank_bits
        letter, what = ("e", "error") if step.fed_error else ("t", "target")
        yield "in_valid, in_ready: a sample is taken where both are 1; train: it trains"
        yield f"x*: {kind_of(step.input)}"
        yield f"{letter}*: {what}, {kind_of(step.target)}"
        yield f"y*: {kind_of(step.output)}"
        yield "mem_valid, mem_ready: an access to the coefficients takes place where both are 1"
        yield f"mem_address: edge, bank ({banks} bits), row ({rows} bits)"
        yield "mem_read_data: with mem_read_valid, 2 cycles after the access"
