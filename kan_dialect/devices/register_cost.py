"""Flip-flops and shift registers of a wire-level function on a device, counted bit by bit.

Synthesis merges flip-flops that hold the same bit, and removes those of constant bits. So every
registered bit is traced to its source: a constant, a bit of an input, a function of bits that a
table computes, or a bit of an adder or a clamp. Equal bits are found through `kan.extract`, through
terms side by side, below the lowest zeros of an adder's other terms, in tables, and in ops of other
packages that read few bits. On devices whose lookup tables hold shift registers, longer chains of
registers go there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple, TypeAlias, cast

import numpy as np
from xdsl.ir import Operation, OpResult, SSAValue

from kan_dialect.devices.carry_chains import inverts_top, joined_of
from kan_dialect.devices.costed import results_by_pattern
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.ir.wire_interface import Costed
from kan_dialect.ir.wire_operation import WireOp
from kan_dialect.ops.wire import ConstantOp, DelayOp, ExtractOp, MarkOp, SumOp, TableOp, low_zeros


class RegisterCost(NamedTuple):
    """Resources of registers."""

    flip_flops: int
    shift_registers: int
    """Chains of registers, one bit wide, that lookup tables hold instead of flip-flops."""


class _Delayed(NamedTuple):
    """A bit, delayed by a number of cycles."""

    bit: Hashable
    cycles: int


Bit: TypeAlias = Hashable
"""A key of a bit: 0, 1, or an object that is equal for equal bits."""


def register_cost(ops: Iterable[Operation], shortest_shift: int = 0) -> RegisterCost:
    """Flip-flops and shift registers of the `kan.delay`s among the ops of one block.

    Parameters
    ----------
    shortest_shift : registers of the shortest chain, read at its end only, that is a shift register
        on the device; 0: none is.
    """
    tracer = _Tracer()
    registers: set[_Delayed] = set()
    read: set[_Delayed] = set()
    for op in ops:
        if not isinstance(op, DelayOp):
            continue
        tapped = any(not isinstance(use.operation, DelayOp | MarkOp) for use in op.result.uses)
        for bit in tracer.bits(op.result):
            if not isinstance(bit, _Delayed):
                continue
            first = bit.cycles - op.cycles.value.data + 1
            registers.update(bit._replace(cycles=at) for at in range(first, bit.cycles + 1))
            if tapped:
                read.add(bit)
    shifts = _shift_registers(registers, read, shortest_shift) if shortest_shift else []
    return RegisterCost(len(registers) - sum(shifts), len(shifts))


def _shift_registers(registers: set[_Delayed], read: set[_Delayed], shortest: int) -> list[int]:
    """Lengths of the chains of at least `shortest` registers that are read at their end only."""
    longest = Counter[Hashable]()
    for bit, cycles in registers:
        longest[bit] = max(longest[bit], cycles)
    chains: list[int] = []
    for bit, last in longest.items():
        length = 0
        for cycles in range(1, last + 1):
            register = _Delayed(bit, cycles)
            length = length + 1 if register in registers else 0
            if register in read:
                chains.append(length)
                length = 0
    return [length for length in chains if length >= shortest]


class _Tracer:
    """Traces bits to their sources, once for each value."""

    def __init__(self) -> None:
        self._known: dict[SSAValue, list[Bit]] = {}
        self._zeros: dict[SSAValue, int] = {}

    def bits(self, value: SSAValue) -> list[Bit]:
        """Keys of all bits of a value, lowest first."""
        found = self._known.get(value)
        if found is None:
            found = self._known[value] = self._trace(value)
        return found

    def _trace(self, value: SSAValue) -> list[Bit]:
        op, count = value.owner, range_of(value).bits
        match op:
            case ConstantOp():
                number = op.value.value.data
                return [(number >> place) & 1 for place in range(count)]
            case ExtractOp():
                low = op.low.value.data
                return self._extended(op.input, low + count)[low:]
            case DelayOp():
                return [_delayed(bit, op.cycles.value.data) for bit in self.bits(op.input)]
            case TableOp():
                return self._table(op)
            case SumOp():
                return self._sum(op)
            case _ if isinstance(op, Costed) and not isinstance(op, WireOp):
                return self._other(cast("Operation", op), value)
            case _:
                return [(value, place) for place in range(count)]

    def _extended(self, value: SSAValue, count: int) -> list[Bit]:
        """The `count` lowest bits of a value, extended by its sign or by zeros."""
        bits = self.bits(value)
        above: Bit = bits[-1] if range_of(value).is_signed else 0
        return [*bits, *[above] * (count - len(bits))][:count]

    def _table(self, op: TableOp) -> list[Bit]:
        # The first of several inputs is the upper part of the index.
        index = [bit for value in reversed(op.inputs) for bit in self.bits(value)]
        return functions(op.by_bit_pattern, range_of(op.result), index)

    def _other(self, op: Operation, value: SSAValue) -> list[Bit]:
        """The bits of a result of an op of another package."""
        patterns, kind = results_by_pattern(op), range_of(value)
        if patterns is None:
            return [(value, place) for place in range(kind.bits)]
        index = [bit for operand in reversed(op.operands) for bit in self.bits(operand)]
        return functions(patterns[cast("OpResult", value).index], kind, index)

    def _sum(self, op: SumOp) -> list[Bit]:
        result, count = op.result, range_of(op.result).bits
        inverted = inverts_top(op)
        if inverted is not None:
            bits = self.bits(inverted)
            return [*bits[:-1], ("not", bits[-1])]
        together = joined_of(op, self._zeros)
        if together is not None:
            upper, lower = together
            below = low_zeros(upper, self._zeros)
            return [*self._extended(lower, below), *self._extended(upper, count)[below:]][:count]
        if len(op.inputs) == 1:
            return self._extended(op.inputs[0], count)
        # Below the lowest zeros of all other terms, the sum has the bits of one term.
        zeros = [low_zeros(value, self._zeros) for value in op.inputs]
        least, passed = sorted(zeros)[:2]
        first = op.inputs[zeros.index(least)]
        bits = self._extended(first, min(passed, count))
        return [*bits, *((result, place) for place in range(len(bits), count))]


def functions(patterns: IntArray, kind: IntType, index: Sequence[Bit]) -> list[Bit]:
    """Keys of a table's bits, by the bits of its index.

    Parameters
    ----------
    patterns : entries by index, int64.
    kind : of the entries.
    index : the index's bits, lowest first.
    """
    cube = ((patterns[:, np.newaxis] >> np.arange(kind.bits)) & 1).astype(np.uint8)
    found: list[Bit] = []
    for plane in cube.T:
        used: list[Bit] = []
        rest = plane.reshape((2,) * len(index))
        for bit in reversed(index):
            # Drop an axis that the entries do not depend on.
            below, above = (rest.take(half, axis=len(used)) for half in (0, 1))
            if np.array_equal(below, above):
                rest = below
            else:
                used.append(bit)
        if not used:
            found.append(int(rest))
        elif len(used) == 1:
            found.append(used[0] if rest[1] else ("not", used[0]))
        else:
            found.append(("function", tuple(used), rest.tobytes()))
    return found


def _delayed(bit: Bit, cycles: int) -> Bit:
    if isinstance(bit, _Delayed):
        return bit._replace(cycles=bit.cycles + cycles)
    return bit if isinstance(bit, int) else _Delayed(bit, cycles)
