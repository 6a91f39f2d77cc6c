"""A sum of two numbers as an adder that synthesis maps to one carry chain: its ops, and their use.

The sum of `left` and `right`, of N bits, is bits N..1 of a sum of N + 1 bits whose lowest bits are
`below`: 0, or a carry that comes in on both sides.

    %l = comb.concat %left, %below       %r = comb.concat %right, %below
    %s = comb.add %l, %r                 %sum = comb.extract %s from 1

An adder that absorbs a table's entry is a difference: left + right = left - ~right - 1.

    %l = comb.concat %left, %below       %r = comb.concat ~%right, ~%below
    %s = comb.sub %l, %r                 %sum = comb.extract %s from 1

`kan-form-carry-chains` makes these ops, and has the reasons. The writers of SystemVerilog and VHDL
print them as a call of a function.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from xdsl.dialects import comb
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.evaluate.hardware import bit_width, low_bit_of
from kan_dialect.ir.constants import Array
from kan_dialect.ir.operation import operands_of, result_of
from kan_dialect.lowering.hw_builder import HwBuilder


class ChainAdder(NamedTuple):
    """The operands of an adder on a carry chain."""

    left: SSAValue
    right: SSAValue
    """The table's entry if the adder absorbs one."""
    carry: SSAValue | None
    """The bit that comes in below."""
    absorbs: bool

    @property
    def operands(self) -> list[SSAValue]:
        """What the adder adds, the carry last."""
        carries = [] if self.carry is None else [self.carry]
        return [self.left, self.right, *carries]

    def build(self, builder: HwBuilder, name: str | None) -> SSAValue:
        """Append the ops of the adder. Returns the sum, which gets the name."""
        width = bit_width(self.left.type)
        below = builder.constant(0, 1) if self.carry is None else self.carry
        left = builder.joined([self.left, below], width + 1)
        if self.absorbs:
            right = builder.inverted(self.right, width)
            carry = builder.constant(1, 1) if self.carry is None else builder.inverted(below, 1)
            whole = builder.subtracted(left, builder.joined([right, carry], width + 1))
        else:
            whole = builder.added([left, builder.joined([self.right, below], width + 1)])
        return builder.part(whole, 1, width, name)


def chain_adder_of(op: Operation, constants: Mapping[SSAValue, Array]) -> ChainAdder | None:
    """The adder whose sum an op gives; None if it gives no adder's.

    Parameters
    ----------
    constants : the constants of the module (`fold_constant`).
    """
    if type(op) is not comb.ExtractOp or low_bit_of(op) != 1:
        return None
    (source,) = operands_of(op)
    whole = source.owner
    absorbs = type(whole) is comb.SubOp
    if not absorbs and type(whole) is not comb.AddOp:
        return None
    operands = operands_of(whole)
    if len(operands) != 2:
        return None
    width = bit_width(result_of(op).type)
    left, right = map(_over_bit, operands)
    if left is None or right is None or width in (1, bit_width(source.type)):
        return None
    (number, below), (other, bit) = left, right
    zero = _is_constant(below, 0, constants)
    carry = None if zero else below
    if absorbs:
        inverted = inverted_value(other.owner, constants)
        no_carry = zero and _is_constant(bit, 1, constants)
        if inverted is None or not (no_carry or inverted_value(bit.owner, constants) is below):
            return None
        return ChainAdder(number, inverted, carry, absorbs)
    if bit is below or (zero and _is_constant(bit, 0, constants)):
        return ChainAdder(number, other, carry, absorbs)
    return None


def inverted_value(op: Operation | Block, constants: Mapping[SSAValue, Array]) -> SSAValue | None:
    """The value whose bits an exclusive or inverts; None of another op."""
    if type(op) is comb.XorOp and len(inputs := operands_of(op)) == 2:
        ones = (1 << bit_width(result_of(op).type)) - 1
        for value, mask in (inputs, inputs[::-1]):
            if _is_constant(mask, ones, constants):
                return value
    return None


def _over_bit(value: SSAValue) -> tuple[SSAValue, SSAValue] | None:
    """The number and the bit below it that a value consists of."""
    op = value.owner
    if type(op) is not comb.ConcatOp or len(operands := operands_of(op)) != 2:
        return None
    number, below = operands
    return (number, below) if bit_width(below.type) == 1 else None


def _is_constant(value: SSAValue, number: int, constants: Mapping[SSAValue, Array]) -> bool:
    found = constants.get(value)
    return found is not None and int(found[0]) == number
