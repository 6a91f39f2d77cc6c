"""Target devices: what wire-level ops cost in lookup tables and registers, and levels of logic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue

from kan_dialect.attributes import range_of
from kan_dialect.constants import IntArray
from kan_dialect.wire_ops import ClampOp, DelayOp, MarkOp, ShiftOp, SumOp, TableOp
from kan_dialect.wires import latency_of


@dataclass(frozen=True)
class Fpga:
    """A family of devices: lookup tables of `lut_inputs` inputs, and adders on carry chains."""

    name: str
    lut_inputs: int

    def levels(self, op: Operation) -> int:
        """Levels of logic between the op's operands and its result.

        A table of at most `lut_inputs` input bits is one level, and one more for every two bits
        beyond (a four-to-one multiplexer fits one 6-input table). An adder is one level with its
        carry chain, a clamp one for comparison and choice together, rounding an adder and more.
        """
        match op:
            case TableOp():
                bits = sum(range_of(value).bits for value in op.inputs)
                return 1 + max(0, bits - self.lut_inputs + 1) // 2
            case SumOp():
                return max(1, (len(op.inputs) - 1).bit_length())
            case ClampOp():
                return 1
            case ShiftOp():
                return 2 if op.amount.value.data > 0 else 0
            case _:
                return 0

    def luts(self, op: Operation) -> int:
        """Lookup tables of one op, other ops not considered."""
        match op:
            case TableOp():
                return self._table_luts(op)
            case SumOp():
                return range_of(op.result).bits * (len(op.inputs) - 1)
            case ClampOp():
                source, target = range_of(op.input), range_of(op.result)
                ends = (source.low < target.low) + (source.high > target.high)
                # A comparison with a constant looks at the bits above the result's and a few more.
                return 0 if not ends else target.bits + ends * ((source.bits + 4) // 5)
            case ShiftOp() if op.amount.value.data > 0:
                return range_of(op.result).bits + 1
            case _:
                return 0

    def _table_luts(self, op: TableOp) -> int:
        """Distinct bits that are not constant, each of as many lookup tables as its inputs need."""
        bits = sum(range_of(value).bits for value in op.inputs)
        planes = _bit_planes(op.entries_array, range_of(op.result).bits)
        each = 1 << max(0, bits - self.lut_inputs)
        if bits < self.lut_inputs:
            # Two outputs of the same few inputs share one lookup table.
            return (planes * each + 1) // 2
        return planes * each

    def registers(self, op: Operation) -> int:
        """Flip-flops of one op."""
        if isinstance(op, DelayOp):
            return range_of(op.result).bits * op.cycles.value.data
        return 0


def _bit_planes(entries: IntArray, bits: int) -> int:
    """How many different, not constant output bits a table has; complements count once."""
    planes = ((entries.reshape(-1, 1) >> np.arange(bits)) & 1).astype(np.uint8).T
    planes = planes ^ planes[:, :1]
    kinds = {plane.tobytes() for plane in planes if plane.any()}
    return len(kinds)


XCUP = Fpga("xcup", 6)
"""AMD UltraScale+ (and 7-series): 6-input lookup tables."""


@dataclass(frozen=True)
class Estimate:
    """What a design is expected to take."""

    target: str
    luts: int
    registers: int
    levels: int
    """Most levels of logic between two registers, or from input to output."""


def estimate(function: func.FuncOp, target: Fpga = XCUP) -> Estimate:
    """Resources of a wire-level function, before any tool has run.

    Raises
    ------
    KanError : the function's paths have different numbers of cycles.
    """
    ops = list(function.body.block.ops)
    registers = sum(target.registers(op) for op in ops) + latency_of(function)
    return Estimate(
        target.name, sum(target.luts(op) for op in ops), registers, _levels(ops, target)
    )


def _levels(ops: Iterable[Operation], target: Fpga) -> int:
    depth: dict[SSAValue, int] = {}
    deepest = 0
    for op in ops:
        if isinstance(op, MarkOp) or not op.results:
            continue
        start = max((depth.get(operand, 0) for operand in op.operands), default=0)
        level = 0 if isinstance(op, DelayOp) else start + target.levels(op)
        for result in op.results:
            depth[result] = level
        deepest = max(deepest, level)
    return deepest
