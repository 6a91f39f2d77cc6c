"""Sums that one carry chain computes: of two numbers, and of a bit that comes in below them.

The carry into a chain's lowest bit takes no lookup table. So a sum of three is one adder where one
of the three is a bit that counts as much as the lowest bit at which the other two are added.
"""

from __future__ import annotations

from xdsl.ir import SSAValue

from kan_dialect.attributes import range_of
from kan_dialect.wire_ops import ConstantOp, SumOp, low_zeros


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


def addends_of(op: SumOp) -> list[SSAValue]:
    """The terms of a sum, but for the bit that comes in below them."""
    carry = carry_of(op, {})
    if carry is None:
        return list(op.inputs)
    place = list(op.inputs).index(carry)
    return [value for index, value in enumerate(op.inputs) if index != place]
