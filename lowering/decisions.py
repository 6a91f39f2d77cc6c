"""Comparisons of candidates and with constants, as `comb` ops."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from kan_dialect.ir.types import IntType, range_of
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.ops.decision import ComparesCandidates, ExchangeOp, GreaterOp


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


def ordered(
    build: HwBuilder, op: ComparesCandidates, wires: Sequence[SSAValue]
) -> Sequence[SSAValue]:
    """The results of a comparison of candidates. A result that nothing reads is any wire."""
    kinds = [range_of(value) for value in op.operands]
    left, left_index, right, right_index = wires
    name = op.given_name
    first = _is_first(build, kinds, wires, None if name is None else f"{name}_left")
    pairs = [
        ((left, kinds[0]), (right, kinds[2])),
        ((left_index, kinds[1]), (right_index, kinds[3])),
    ]
    if isinstance(op, ExchangeOp):
        pairs += [(other, one) for one, other in pairs]
    labels = ["value", "index", "second_value", "second_index"]
    found: list[SSAValue] = []
    for label, result, (one, other) in zip(labels, op.results, pairs, strict=False):
        if result.first_use is None:
            found.append(one[0])
            continue
        target = range_of(result)
        own_name = None if name is None else f"{name}_{label}"
        chosen = _as(build, *one, target), _as(build, *other, target)
        found.append(build.chosen(first, *chosen, own_name))
    return found


def _sign(kind: IntType) -> str:
    return "s" if kind.is_signed else "u"


def _as(build: HwBuilder, wire: SSAValue, kind: IntType, target: IntType) -> SSAValue:
    """A number in the bits of another range, which holds it wherever it is chosen."""
    return build.resized(wire, kind.bits, target.bits, kind.is_signed)


def _is_first(
    build: HwBuilder, kinds: Sequence[IntType], wires: Sequence[SSAValue], name: str | None
) -> SSAValue:
    """Whether the left candidate comes first, one bit."""
    left, left_index, right, right_index = kinds
    signed = left.is_signed or right.is_signed
    bits = max(_bits(left, signed), _bits(right, signed))
    one = build.resized(wires[0], left.bits, bits, left.is_signed)
    other = build.resized(wires[2], right.bits, bits, right.is_signed)
    sign = "s" if signed else "u"
    if left_index.high < right_index.low:
        return build.compared(one, other, f"{sign}ge", name)
    if right_index.high < left_index.low:
        return build.compared(one, other, f"{sign}gt", name)
    # Below the values stand the indices with all bits inverted: the smaller one is greater.
    width = max(left_index.bits, right_index.bits)
    keys: list[SSAValue] = []
    for value, index, kind in ((one, wires[1], left_index), (other, wires[3], right_index)):
        inverted = build.inverted(build.resized(index, kind.bits, width, False), width)
        keys.append(build.joined([value, inverted], bits + width))
    return build.compared(keys[0], keys[1], f"{sign}gt", name)


def _bits(kind: IntType, signed: bool) -> int:
    """Bits of a range beside a signed one."""
    return kind.bits + (signed and not kind.is_signed)
