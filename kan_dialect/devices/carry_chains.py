"""Sums that one carry chain computes, and sums that are wires.

The carry into a chain's lowest bit takes no lookup table. So a sum of three terms is one adder if
one of them is a single bit of the place where the addition of the other two starts. A sum of two
terms whose bits do not meet takes no adder: their wires stand side by side.

Arguments `known` hold the lowest zero bits of values (`low_zeros`) that have been found; they grow.
"""

from __future__ import annotations

from xdsl.ir import SSAValue

from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import ConstantOp, SumOp, low_zeros


def is_single_bit(value: SSAValue, known: dict[SSAValue, int]) -> bool:
    """Whether a value is 0 or one power of two."""
    kind = range_of(value)
    return (
        kind.low == 0
        and kind.high & (kind.high - 1) == 0
        and kind.high > 0
        and low_zeros(value, known) == kind.bits - 1
    )


def carry_of(op: SumOp, known: dict[SSAValue, int]) -> SSAValue | None:
    """The term of a sum of three that enters at the carry input of the other two's adder."""
    if len(op.inputs) != 3:
        return None
    for index in (2, 1, 0):
        value = op.inputs[index]
        others = [other for place, other in enumerate(op.inputs) if place != index]
        if isinstance(value.owner, ConstantOp) or not is_single_bit(value, known):
            continue
        # Below the lowest zeros of one term, the sum has the bits of the other.
        if low_zeros(value, known) <= max(low_zeros(other, known) for other in others):
            return value
    return None


def joined_of(op: SumOp, known: dict[SSAValue, int]) -> tuple[SSAValue, SSAValue] | None:
    """The upper and the lower term of a sum of two whose bits do not meet; None for other sums.

    None too where constants cancel, so that the sum ends below the upper one: -4 + 3 is one bit.
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
    """The value of n bits to which a sum of n bits adds 2^(n-1), which inverts the highest bit."""
    if len(op.inputs) != 2:
        return None
    bits = range_of(op.result).bits
    for value, other in (op.inputs, reversed(op.inputs)):
        added = range_of(other).low % (1 << bits) if isinstance(other.owner, ConstantOp) else 0
        if added == 1 << (bits - 1) and range_of(value).bits == bits:
            return value
    return None


def is_wires(op: SumOp) -> bool:
    """Whether a sum takes no adder: its bits do not meet, or it inverts the highest bit."""
    return joined_of(op, {}) is not None or inverts_top(op) is not None


def pieces_of(value: SSAValue) -> list[SSAValue]:
    """The values that stand side by side in a term which nothing else reads, upper ones first."""
    if isinstance(value.owner, SumOp) and value.has_one_use():
        joined = joined_of(value.owner, {})
        if joined is not None:
            return [piece for part in joined for piece in pieces_of(part)]
    return [value]


def addends_of(op: SumOp) -> list[SSAValue]:
    """The terms of a sum, without the bit at its carry input."""
    carry = carry_of(op, {})
    if carry is None:
        return list(op.inputs)
    place = list(op.inputs).index(carry)
    return [value for index, value in enumerate(op.inputs) if index != place]
