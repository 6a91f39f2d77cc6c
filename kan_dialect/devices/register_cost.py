"""What the registers of a wire-level function take on a device: its flip-flops, bit by bit.

Synthesis merges flip-flops that hold the same bit, and removes those of constant bits. So every
registered bit is traced to what it is: a constant, a bit of an input, a function of bits that a
table computes, or a bit of an adder or a clamp. Bits of `kan.bits`, of terms side by side, below
the zeros of an adder's other terms, and equal bits of tables are found to be the same. Devices that
make shift registers of lookup tables take longer chains of registers there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from xdsl.ir import Operation, SSAValue

from kan_dialect.devices.carry_chains import inverts_top, joined_of
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.ops.wire import BitsOp, ConstantOp, DelayOp, MarkOp, SumOp, TableOp, low_zeros


class RegisterCost(NamedTuple):
    """What registers take."""

    flip_flops: int
    shift_registers: int
    """Chains of one bit each that lookup tables hold instead of flip-flops."""


class _Delayed(NamedTuple):
    """A bit, delayed by a number of cycles."""

    bit: Hashable
    cycles: int


Bit: TypeAlias = Hashable
"""What a bit is: 0, 1, or something that is equal for bits that are the same."""


def register_cost(ops: Iterable[Operation], shortest_shift: int = 0) -> RegisterCost:
    """Flip-flops and shift registers of the `kan.delay`s among the ops of one block.

    Parameters
    ----------
    shortest_shift : registers of the shortest chain, read at its end only, that the device makes a
        shift register of; 0: it makes none.
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
    """The lengths of the chains that end at a bit that is read, and are long enough."""
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
    """Traces bits, those of each value once."""

    def __init__(self) -> None:
        self._known: dict[SSAValue, list[Bit]] = {}
        self._zeros: dict[SSAValue, int] = {}

    def bits(self, value: SSAValue) -> list[Bit]:
        """The bits of a value, lowest first, as many as its type has."""
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
            case BitsOp():
                low = op.low.value.data
                return self._extended(op.input, low + count)[low:]
            case DelayOp():
                return [_delayed(bit, op.cycles.value.data) for bit in self.bits(op.input)]
            case TableOp():
                return self._table(op)
            case SumOp():
                return self._sum(op)
            case _:
                return [(value, place) for place in range(count)]

    def _extended(self, value: SSAValue, count: int) -> list[Bit]:
        """The `count` lowest bits of a value; the sign, or zeros, above those of its type."""
        bits = self.bits(value)
        above: Bit = bits[-1] if range_of(value).is_signed else 0
        return [*bits, *[above] * (count - len(bits))][:count]

    def _table(self, op: TableOp) -> list[Bit]:
        # Of several inputs, the first one is the upper part of the index.
        index = [bit for value in reversed(op.inputs) for bit in self.bits(value)]
        return functions(op.by_bit_pattern, range_of(op.result), index)

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
        # Below the zeros of all other terms, the sum's bits are those of one term.
        zeros = [low_zeros(value, self._zeros) for value in op.inputs]
        least, passed = sorted(zeros)[:2]
        first = op.inputs[zeros.index(least)]
        bits = self._extended(first, min(passed, count))
        return [*bits, *((result, place) for place in range(len(bits), count))]


def functions(patterns: IntArray, kind: IntType, index: Sequence[Bit]) -> list[Bit]:
    """The bits of a table by the bits of its index.

    Parameters
    ----------
    patterns : an entry for every index, int64.
    kind : of the entries.
    index : the index's bits, lowest first.
    """
    cube = ((patterns[:, np.newaxis] >> np.arange(kind.bits)) & 1).astype(np.uint8)
    found: list[Bit] = []
    for plane in cube.T:
        used: list[Bit] = []
        rest = plane.reshape((2,) * len(index))
        for bit in reversed(index):
            # An axis that does not matter goes.
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
