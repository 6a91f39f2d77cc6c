"""Clamps and rounding shifts as `comb` ops."""

from __future__ import annotations

from xdsl.ir import SSAValue

from kan_dialect.devices.lut_count import upper_bits_tell
from kan_dialect.ir.types import IntType
from kan_dialect.lowering.hw_builder import HwBuilder


def clamped(
    build: HwBuilder, wire: SSAValue, source: IntType, target: IntType, name: str | None
) -> SSAValue:
    """A number of `source` saturated to the ends of `target`."""
    # The clamp may leave one end of the target only.
    if source.low >= target.high:
        return build.constant(target.high, target.bits)
    if source.high <= target.low:
        return build.constant(target.low, target.bits)
    checks = [
        ("lt", target.low, source.low < target.low),
        ("gt", target.high, source.high > target.high),
    ]
    sign = "s" if source.is_signed else "u"
    if all(needed for *_, needed in checks) and _is_whole(target):
        return _masked(build, wire, source, target, name)
    result = build.resized(wire, source.bits, target.bits, source.is_signed)
    is_clamped = False
    for comparison, bound, needed in checks:
        if needed:
            beyond = _tested(build, wire, source, bound, is_low=comparison == "lt")
            saturated = build.constant(bound, target.bits)
            if beyond is None:
                limit = build.constant(bound, source.bits)
                beyond = build.compared(wire, limit, f"{sign}{comparison}")
            result = build.chosen(beyond, saturated, result)
            is_clamped = True
    return build.named(result, name) if is_clamped else result


def _tested(
    build: HwBuilder, wire: SSAValue, source: IntType, bound: int, *, is_low: bool
) -> SSAValue | None:
    """Whether a number is beyond an end of a clamp, by its upper bits; None where they do not say.

    A comparison would take a carry chain on ECP5 and iCE40, and the delay of one.
    """
    if not upper_bits_tell(bound, is_low=is_low):
        return None
    negative = build.part(wire, source.bits - 1, 1) if source.is_signed else None
    width = (-bound - 1 if is_low else bound).bit_length()
    above = source.bits - source.is_signed - width
    if is_low and bound == 0:
        return negative
    filled = build.constant((1 << above) - 1 if is_low else 0, above)
    differs = build.compared(build.part(wire, width, above), filled, "ne")
    if negative is None:
        return differs
    sign = negative if is_low else build.inverted(negative, 1)
    return build.all_of([sign, differs])


def _is_whole(kind: IntType) -> bool:
    """Whether the range is all that its bits hold, and more than a sign."""
    span = 1 << (kind.bits - kind.is_signed)
    return kind.high > 0 and (kind.low, kind.high) == (-span if kind.is_signed else 0, span - 1)


def _masked(
    build: HwBuilder, wire: SSAValue, source: IntType, target: IntType, name: str | None
) -> SSAValue:
    """A clamp at both ends to all numbers that the target's bits hold, as masks of the low bits.

    Masks take fewer LUTs than choices: one test an end for all bits, and one LUT of few inputs a
    bit. Beyond the upper end the bits below the sign become ones, beyond the lower end zeros.
    """
    width = target.bits - target.is_signed
    above = source.bits - source.is_signed - width
    body = build.part(wire, 0, width)
    upper = build.part(wire, width, above) if above else None
    negative = build.part(wire, source.bits - 1, 1) if source.is_signed else None
    for is_low in (False, True):
        beyond = negative
        if not is_low and negative is not None:
            beyond = build.inverted(negative, 1)
        if upper is not None and not (is_low and not target.is_signed):
            filled = build.constant((1 << above) - 1 if is_low else 0, above)
            differs = build.compared(upper, filled, "ne")
            beyond = differs if beyond is None else build.all_of([beyond, differs])
        assert beyond is not None, "a value beyond an end has a bit that says so"
        mask = beyond if width == 1 else build.repeated(beyond, width)
        if is_low:
            body = build.all_of([body, build.inverted(mask, width)])
        else:
            body = build.any_of([body, mask])
    if target.is_signed and negative is not None:
        body = build.joined([negative, body], target.bits)
    return build.named(body, name)


def shifted(
    build: HwBuilder,
    wire: SSAValue,
    source: IntType,
    amount: int,
    target: IntType,
    name: str | None,
) -> SSAValue:
    """A number of `source` over 2^amount, rounded half to even.

    Adds half less one and the last bit that stays; then cuts off the low bits.
    """
    if target.bits + amount <= 0:
        # Zero, times a power of two that is beyond the result.
        return build.constant(0, target.bits)
    if amount <= 0:
        kept = build.resized(wire, source.bits, target.bits + amount, source.is_signed)
        if amount == 0:
            return kept
        return build.joined([kept, build.constant(0, -amount)], target.bits, name)
    # Wide enough that adding cannot overflow, and that the quotient's bits are there.
    bits = max(source.bits, amount) + 1
    wide = build.resized(wire, source.bits, bits, source.is_signed)
    odd = build.part(wide, amount, 1)
    odd = build.joined([build.constant(0, bits - 1), odd], bits)
    half = build.constant((1 << (amount - 1)) - 1, bits)
    rounded = build.added([wide, half, odd])
    kept_bits = min(bits - amount, target.bits)
    quotient = build.part(rounded, amount, kept_bits, name)
    return build.resized(quotient, kept_bits, target.bits, source.is_signed)
