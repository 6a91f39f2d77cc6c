"""Sums that one carry chain computes, or none.

The carry into a chain's lowest bit takes no lookup table. So a sum of three is one adder where one
of the three is a bit that counts as much as the lowest bit at which the other two are added. And a
sum of two whose bits do not meet is no adder at all: their wires stand side by side.
"""

from __future__ import annotations

from xdsl.ir import SSAValue

from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import ConstantOp, SumOp, low_zeros


def is_single_bit(value: SSAValue, known: dict[SSAValue, int]) -> bool:
    """Whether a value is 0 or one power of two.

    `known` is what has been found of the lowest bits of values (`low_zeros`), and grows.
    """
    kind = range_of(value)
    return (
        kind.low == 0
        and kind.high & (kind.high - 1) == 0
        and kind.high > 0
        and low_zeros(value, known) == kind.bits - 1
    )


def carry_of(op: SumOp, known: dict[SSAValue, int]) -> SSAValue | None:
    """The bit that comes in below the other two terms of a sum of three, if there is one."""
    if len(op.inputs) != 3:
        return None
    for index in (2, 1, 0):
        value = op.inputs[index]
        others = [other for place, other in enumerate(op.inputs) if place != index]
        if isinstance(value.owner, ConstantOp) or not is_single_bit(value, known):
            continue
        # Below the zeros of one, the bits of the other are those of the sum.
        if low_zeros(value, known) <= max(low_zeros(other, known) for other in others):
            return value
    return None


def joined_of(op: SumOp, known: dict[SSAValue, int]) -> tuple[SSAValue, SSAValue] | None:
    """Of a sum of two terms whose bits do not meet, the upper and the lower one.

    Not where constants cancel, so that the sum ends below the upper one: -4 + 3 is one bit.

    `known` is what has been found of the lowest bits of values (`low_zeros`), and grows.
    """
    if len(op.inputs) != 2:
        return None
    first, second = op.inputs
    for upper, lower in ((first, second), (second, first)):
        kind = range_of(lower)
        if not kind.is_signed and kind.bits <= low_zeros(upper, known) < range_of(op.result).bits:
            return upper, lower
    return None


def inverts_top(op: SumOp) -> SSAValue | None:
    """The value that a sum adds half of a power of two to, as many as it has bits.

    That inverts the highest bit, if nothing else is above it.
    """
    if len(op.inputs) != 2:
        return None
    bits = range_of(op.result).bits
    for value, other in (op.inputs, reversed(op.inputs)):
        added = range_of(other).low % (1 << bits) if isinstance(other.owner, ConstantOp) else 0
        if added == 1 << (bits - 1) and range_of(value).bits == bits:
            return value
    return None


def is_wires(op: SumOp) -> bool:
    """Whether a sum takes no adder: bits do not meet, or the highest one is inverted."""
    return joined_of(op, {}) is not None or inverts_top(op) is not None


def pieces_of(value: SSAValue) -> list[SSAValue]:
    """What a term of a sum is joined of, where nothing else reads it: the upper ones first."""
    if isinstance(value.owner, SumOp) and value.has_one_use():
        joined = joined_of(value.owner, {})
        if joined is not None:
            return [piece for part in joined for piece in pieces_of(part)]
    return [value]


def addends_of(op: SumOp) -> list[SSAValue]:
    """The terms of a sum, but for the bit that comes in below them."""
    carry = carry_of(op, {})
    if carry is None:
        return list(op.inputs)
    place = list(op.inputs).index(carry)
    return [value for index, value in enumerate(op.inputs) if index != place]
