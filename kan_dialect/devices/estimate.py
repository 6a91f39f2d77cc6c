"""The estimate of a wire-level function on a device: LUTs, registers, levels of logic and delay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue

from kan_dialect.analysis.wires import latency_of
from kan_dialect.devices.carry_chains import addends_of, is_wires
from kan_dialect.devices.costed import stated_delay, stated_levels
from kan_dialect.devices.delay import Arrival, Delay
from kan_dialect.devices.device import XCUP, DeviceFamily
from kan_dialect.devices.lut_count import (
    count_luts,
    map_table,
)
from kan_dialect.devices.register_cost import register_cost
from kan_dialect.ir.operation import ops_of
from kan_dialect.ir.types import range_of
from kan_dialect.ir.wire_interface import Costed
from kan_dialect.ops.wire import (
    ConstantOp,
    DelayOp,
    MarkOp,
    SumOp,
    TableOp,
    low_zeros,
)
from kan_dialect.shown import Shown


@dataclass(frozen=True, repr=False)
class Estimate(Shown):
    """Resources and delay that a design is expected to take."""

    target: str
    luts: int
    registers: int
    """Flip-flops, those of the valid bits included."""
    levels: int
    """Most levels of logic between two registers, or from input to output."""
    delay_ns: float = 0.0
    """Typical delay of the longest path between two registers, or from input to output, in a design
    of 1000 LUTs."""
    fmax_mhz: float | None = None
    """Typical clock of a design of this size, which the device's clock network can do; None without
    registers, or without delays."""
    shift_registers: int = 0
    """Chains of registers, one bit wide, that lookup tables hold. `luts` leaves them out, as
    Yosys's count of logic cells does."""
    block_rams: int = 0
    """Block RAMs of memories, of the size that the device's parts count."""

    def figures(self) -> dict[str, object]:
        """All fields, and block RAMs where there are some."""
        return {key: value for key, value in vars(self).items() if value or key != "block_rams"}

    def of_size(
        self,
        luts: int,
        registers: int,
        shift_registers: int,
        block_rams: int,
        device: DeviceFamily,
    ) -> Estimate:
        """The same paths in a design of another size."""
        clock = None if self.fmax_mhz is None else 1000 / device.period_of(self.delay_ns, luts)
        return replace(
            self,
            fmax_mhz=clock,
            luts=luts,
            registers=registers,
            shift_registers=shift_registers,
            block_rams=block_rams,
        )

    @property
    def period_ns(self) -> float:
        """Period of `fmax_mhz`; without registers the delay from input to output."""
        return self.delay_ns if self.fmax_mhz is None else 1000 / self.fmax_mhz


def estimate(function: func.FuncOp, target: DeviceFamily = XCUP) -> Estimate:
    """Resources and delay of a wire-level function, before any tool has run.

    Raises
    ------
    KanError : the function's paths have different numbers of cycles, or an op of another package
        does not say its costs.
    """
    ops = ops_of(function.body.block)
    latency = latency_of(function)
    registers = register_cost(ops, target.shortest_shift)
    levels = _longest(ops, lambda op: levels_of(op, target))
    delay = longest_delay(ops, target) + (target.timing.register if latency else 0.0)
    luts = target.pack(count_luts(ops, target))
    return Estimate(
        target.name,
        luts,
        registers.flip_flops + latency,
        int(levels),
        delay,
        1000 / target.period_of(delay, luts) if latency and delay else None,
        registers.shift_registers,
    )


def levels_of(op: Operation, device: DeviceFamily) -> int:
    """Levels of logic between an op's operands and its result.

    A table of at most `lut_inputs` input bits is one level, and one more for every two bits beyond
    (a four-to-one multiplexer fits one 6-input LUT). An adder is one level with its carry chain.
    Every other op says its own (`Costed`).

    Raises
    ------
    KanError : an op does not say its costs.
    """
    # The most frequent kinds come first, and by identity, which is faster than `match`.
    if type(op) is TableOp:
        bits = sum([range_of(value).bits for value in op.inputs])
        return levels_of_function(bits, device)
    if type(op) is SumOp:
        return _adders_in_a_row(op)
    return stated_levels(op, device)


def levels_of_function(inputs: int, device: DeviceFamily) -> int:
    return 1 + max(0, inputs - device.lut_inputs + 1) // 2


def delay_of(op: Operation, device: DeviceFamily) -> float:
    """Typical delay of an op in ns, the way to it included.

    Raises
    ------
    KanError : an op of another package does not say its costs.
    """
    return delays_of(op, device).whole


def delays_of(op: Operation, device: DeviceFamily) -> Delay:
    """Typical delay of an op in ns, the way to it included, with its ripple.

    Raises
    ------
    KanError : an op of another package does not say its costs.
    """
    match op:
        case TableOp():
            return Delay(_table_delay(op, device))
        case SumOp():
            return _sum_delay(op, device)
        case _:
            delay = stated_delay(op, device)
            return Delay(delay, onward=_onward(op, delay, device) if device.timing.clamp else 0.0)


def _onward(op: Operation, delay: float, device: DeviceFamily) -> float:
    """What tables in the same stage take longer: each becomes one function with a clamp.

    It takes a level more than the table. But if the clamp's input has few bits, it is one wide
    function of these, which takes less than clamp and table one after the other.
    """
    if not (isinstance(op, Costed) and op.MERGES and delay):
        return 0.0
    users = [use.operation for result in op.results for use in result.uses]
    readers = [user for user in users if not isinstance(user, MarkOp | DelayOp)]
    tables = [reader for reader in readers if isinstance(reader, TableOp)]
    if not tables:
        return 0.0
    bits = sum(range_of(value).bits for value in op.operands)
    alone = len(tables) == len(readers) and all(len(table.inputs) == 1 for table in tables)
    if not alone or bits > device.wide_inputs:
        return device.timing.lut
    least = min(_table_delay(table, device) for table in tables)
    return function_delay(bits, 1, device) - delay - least


def _table_delay(op: TableOp, device: DeviceFamily) -> float:
    """Delay of lookup tables in a row, or of multiplexers beside them where these are faster."""
    bits = sum(range_of(value).bits for value in op.inputs)
    return function_delay(bits, map_table(op, device.mapper), device)


def function_delay(bits: int, levels: int, device: DeviceFamily) -> float:
    """Delay of a function of some bits that takes `levels` lookup tables in a row."""
    timing = device.timing
    beside = max(0, min(bits, device.wide_inputs) - device.lut_inputs)
    wide = timing.lut + beside * timing.wide
    if levels <= 1 or not timing.wide:
        return levels * wide
    further = bits - max(device.wide_inputs, device.lut_inputs)
    return min(levels * timing.lut, wide + max(further, 0) * timing.lut)


def _sum_delay(op: SumOp, device: DeviceFamily) -> Delay:
    """Adders in a row, or lookup tables for a sum that is too narrow for a carry chain."""
    inputs = _narrow_sum_inputs(op, device)
    if inputs:
        levels = levels_of_function(inputs, device)
        return Delay(function_delay(inputs, levels, device))
    adders, delay = _adders_in_a_row(op), adder_delay(range_of(op.result).bits, device)
    return Delay(adders * delay.first, delay.ripple if adders else 0.0)


def _narrow_sum_inputs(op: SumOp, device: DeviceFamily) -> int:
    """Bits that a sum of two terms depends on if it takes no carry chain; 0 if it takes one."""
    terms = addends_of(op)
    if len(terms) != 2 or is_wires(op):
        return 0
    # Below the lowest bits of one term, the sum has the bits of the other.
    start = max(low_zeros(term, {}) for term in terms)
    carry = len(op.inputs) - len(terms)
    if range_of(op.result).bits - start + carry >= device.adders.shortest_chain:
        return 0
    variables = [term for term in terms if not isinstance(term.owner, ConstantOp)]
    return carry + sum(max(range_of(term).bits - start, 0) for term in variables)


def _adders_in_a_row(op: SumOp) -> int:
    """Depth of a tree of two-input adders that makes the sum."""
    if is_wires(op):
        return 0
    if len(op.inputs) <= 2:
        return 1
    return max(1, (len(addends_of(op)) - 1).bit_length())


def adder_delay(bits: int, device: DeviceFamily) -> Delay:
    """Delay of an adder of two numbers."""
    timing = device.timing
    if not (device.adders.carry_chains or timing.carry_bit):
        return Delay(timing.lut * (1 + bits.bit_length()))
    return Delay(timing.carry, bits * timing.carry_bit)


def longest_delay(ops: Sequence[Operation], device: DeviceFamily) -> float:
    """Typical delay in ns of the longest path between two registers, or from input to output.

    What registers themselves take is left out.
    """
    arrivals: dict[SSAValue, Arrival] = {}
    longest = 0.0
    for op in ops:
        if isinstance(op, DelayOp | MarkOp) or not op.results:
            continue
        delay = delays_of(op, device)
        at = delay.after(arrivals.get(operand, Arrival()) for operand in op.operands)
        arrivals.update((result, at) for result in op.results)
        longest = max(longest, delay.end(at))
    return longest


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
