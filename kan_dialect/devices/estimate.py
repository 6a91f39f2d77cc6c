"""The estimate of a wire-level function on a device: LUTs, registers, levels of logic and delay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue

from kan_dialect.analysis.wires import latency_of
from kan_dialect.devices.carry_chains import addends_of, is_wires
from kan_dialect.devices.costed import stated_delay, stated_levels
from kan_dialect.devices.device import XCUP, DeviceFamily
from kan_dialect.devices.lut_count import compared_bits, count_luts, map_table
from kan_dialect.devices.register_cost import register_cost
from kan_dialect.ir.types import range_of
from kan_dialect.ops.decision import ComparesCandidates, GreaterOp
from kan_dialect.ops.wire import ClampOp, DelayOp, MarkOp, ShiftOp, SumOp, TableOp


@dataclass(frozen=True)
class Estimate:
    """Resources and delay that a design is expected to take."""

    target: str
    luts: int
    registers: int
    """Flip-flops, those of the valid bits included."""
    levels: int
    """Most levels of logic between two registers, or from input to output."""
    delay_ns: float = 0.0
    """Typical delay of the longest path between two registers, or from input to output."""
    shift_registers: int = 0
    """Chains of registers, one bit wide, that lookup tables hold. `luts` leaves them out, as
    Yosys's count of logic cells does."""


def estimate(function: func.FuncOp, target: DeviceFamily = XCUP) -> Estimate:
    """Resources and delay of a wire-level function, before any tool has run.

    Raises
    ------
    KanError : the function's paths have different numbers of cycles, or an op of another package
        does not say its costs.
    """
    ops = list(function.body.block.ops)
    latency = latency_of(function)
    registers = register_cost(ops, target.shortest_shift)
    levels = _longest(ops, lambda op: levels_of(op, target))
    delay = _longest(ops, lambda op: delay_of(op, target))
    return Estimate(
        target.name,
        target.pack(count_luts(ops, target)),
        registers.flip_flops + latency,
        int(levels),
        delay + (target.timing.register if latency else 0.0),
        registers.shift_registers,
    )


def levels_of(op: Operation, device: DeviceFamily) -> int:
    """Levels of logic between an op's operands and its result.

    A table of at most `lut_inputs` input bits is one level, and one more for every two bits beyond
    (a four-to-one multiplexer fits one 6-input LUT). An adder is one level with its carry chain, a
    clamp is one for comparison and choice together, and rounding is two. Comparing candidates and
    choosing one is two. An op of another package says its own (`Costed`).

    Raises
    ------
    KanError : such an op does not say its costs.
    """
    match op:
        case TableOp():
            bits = sum(range_of(value).bits for value in op.inputs)
            return 1 + max(0, bits - device.lut_inputs + 1) // 2
        case SumOp():
            return _adders_in_a_row(op)
        case ClampOp():
            return 1
        case ShiftOp():
            return 2 if op.amount.value.data > 0 else 0
        case ComparesCandidates():
            return 2
        case GreaterOp():
            return int(op.bound.value.data != -1)
        case _:
            return stated_levels(op, device)


def delay_of(op: Operation, device: DeviceFamily) -> float:
    """Typical delay of an op in ns, the way to it included.

    Raises
    ------
    KanError : an op of another package does not say its costs.
    """
    match op:
        case TableOp():
            return _table_delay(op, device)
        case SumOp():
            return _adders_in_a_row(op) * _adder_delay(range_of(op.result).bits, device)
        case ClampOp():
            if range_of(op.input) == range_of(op.result):
                return 0.0
            return device.timing.clamp or 2 * device.timing.lut
        case ShiftOp():
            if op.amount.value.data <= 0:
                return 0.0
            return device.timing.lut + _adder_delay(range_of(op.input).bits, device)
        case ComparesCandidates():
            return _adder_delay(compared_bits(op), device) + device.timing.lut
        case GreaterOp():
            if op.bound.value.data == -1:
                return 0.0
            return _adder_delay(range_of(op.input).bits, device)
        case _:
            return stated_delay(op, device)


def _table_delay(op: TableOp, device: DeviceFamily) -> float:
    """Delay of lookup tables in a row, or of multiplexers beside them where these are faster."""
    levels, timing = map_table(op, device.mapper), device.timing
    bits = sum(range_of(value).bits for value in op.inputs)
    beside = max(0, min(bits, device.wide_inputs) - device.lut_inputs)
    wide = timing.lut + beside * timing.wide
    if levels <= 1 or not timing.wide:
        return levels * wide
    further = bits - max(device.wide_inputs, device.lut_inputs)
    return min(levels * timing.lut, wide + max(further, 0) * timing.lut)


def _adders_in_a_row(op: SumOp) -> int:
    """Depth of a tree of two-input adders that makes the sum."""
    if is_wires(op):
        return 0
    return max(1, (len(addends_of(op)) - 1).bit_length())


def _adder_delay(bits: int, device: DeviceFamily) -> float:
    """Delay of an adder of two numbers in ns."""
    timing = device.timing
    if not device.adders.carry_chains:
        return timing.lut * (1 + bits.bit_length())
    return timing.carry + bits * timing.carry_bit


def _longest(ops: Sequence[Operation], cost: Callable[[Operation], float]) -> float:
    """The costliest path between two registers, or from input to output."""
    depth: dict[SSAValue, float] = {}
    deepest = 0.0
    for op in ops:
        if isinstance(op, MarkOp) or not op.results:
            continue
        start = max((depth.get(operand, 0.0) for operand in op.operands), default=0.0)
        reached = 0.0 if isinstance(op, DelayOp) else start + cost(op)
        for result in op.results:
            depth[result] = reached
        deepest = max(deepest, reached)
    return deepest
