"""Comparisons of candidates and with constants, as `comb` ops."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from kan_dialect.ir.types import IntType, range_of
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.ops.decision import GreaterOp, PrecedesOp, SelectOp


def greater(build: HwBuilder, op: GreaterOp, wire: SSAValue) -> SSAValue:
    """Whether a number is greater than a constant: where that is -1, its sign."""
    source, bound = range_of(op.input), op.bound.value.data
    if not source.low <= bound < source.high:
        return build.constant(int(source.low > bound), 1)
    if bound == -1:
        sign = wire if source.bits == 1 else build.part(wire, source.bits - 1, 1)
        return build.inverted(sign, 1, op.given_name)
    limit = build.constant(bound, source.bits)
    return build.compared(wire, limit, f"{_sign(source)}gt", op.given_name)


def precedes(build: HwBuilder, op: PrecedesOp, wires: Sequence[SSAValue]) -> SSAValue:
    """Whether the left candidate comes first, one bit.

    Parameters
    ----------
    wires : of value and index of the left candidate, then of the right one.
    """
    left, left_index, right, right_index = (range_of(value) for value in op.operands)
    signed = left.is_signed or right.is_signed
    bits = max(_bits(left, signed), _bits(right, signed))
    one = build.resized(wires[0], left.bits, bits, left.is_signed)
    other = build.resized(wires[2], right.bits, bits, right.is_signed)
    sign = "s" if signed else "u"
    if left_index.high < right_index.low:
        return build.compared(one, other, f"{sign}ge", op.given_name)
    if right_index.high < left_index.low:
        return build.compared(one, other, f"{sign}gt", op.given_name)
    # Below the values stand the indices with all bits inverted: the smaller one is greater.
    width = max(left_index.bits, right_index.bits)
    keys: list[SSAValue] = []
    for value, index, kind in ((one, wires[1], left_index), (other, wires[3], right_index)):
        inverted = build.inverted(build.resized(index, kind.bits, width, False), width)
        keys.append(build.joined([value, inverted], bits + width))
    return build.compared(keys[0], keys[1], f"{sign}gt", op.given_name)


def chosen(build: HwBuilder, op: SelectOp, wires: Sequence[SSAValue]) -> SSAValue:
    """One of two numbers, in the bits of a range that holds it wherever it is chosen.

    Parameters
    ----------
    wires : of the condition and of both numbers.
    """
    bits = range_of(op.result).bits
    one, other = (
        build.resized(wire, range_of(value).bits, bits, range_of(value).is_signed)
        for wire, value in zip(wires[1:], (op.one, op.other), strict=True)
    )
    return build.chosen(wires[0], one, other, op.given_name)


def _sign(kind: IntType) -> str:
    return "s" if kind.is_signed else "u"


def _bits(kind: IntType, signed: bool) -> int:
    """Bits of a range beside a signed one."""
    return kind.bits + (signed and not kind.is_signed)
