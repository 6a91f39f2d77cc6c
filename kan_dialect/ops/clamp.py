"""Wire level: saturation, with its costs and its hardware."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from xdsl.interfaces import HasFolderInterface
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, result_def

from kan_dialect.ir.constants import Array, IntArray
from kan_dialect.ir.exact_arithmetic import ExactArithmetic, ExactMeaning, NumberT
from kan_dialect.ir.operation import Named
from kan_dialect.ir.types import IntType, int_type, range_of
from kan_dialect.ir.wire_interface import WireInterface
from kan_dialect.ir.wire_operation import WireOp
from kan_dialect.ops.logic_costs import MUX_INPUTS, comparison_delay, luts_of_test
from kan_dialect.ops.shift import rounded_port
from kan_dialect.ops.wire import DelayOp, MarkOp, SumOp, TableOp

if TYPE_CHECKING:
    from kan_dialect.devices.device import DeviceFamily
    from kan_dialect.lowering.hw_builder import HwBuilder

SATURATE_INPUTS = 4
"""Inputs of a choice between a bit and two constants: two tests, the bit, and one more."""


@irdl_op_definition
class ClampOp(WireOp, Named, WireInterface, ExactMeaning, HasFolderInterface):
    """Saturation: the input, but at least lo and at most hi of the result's range.

    Example:

        %same = kan.clamp %x : !kan.int<0:3> -> !kan.int<0:3>
    """

    name = "kan.clamp"
    KIND: ClassVar[str] = "clamp"
    MERGES: ClassVar[bool] = True

    input = operand_def(IntType)
    result = result_def(IntType)

    assembly_format = "$input (`as` $name^)? attr-dict `:` type($input) `->` type($result)"

    def __init__(
        self, input: SSAValue | Operation, low: int, high: int, *, name: str | None = None
    ) -> None:
        self.set_up([input], [int_type(low, high)], name=name)

    def fold(self) -> Sequence[SSAValue | Attribute] | None:
        return (self.input,) if self.input.type == self.result.type else None

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        target = range_of(self.result)
        return (np.clip(operands[0], target.low, target.high),)

    def meaning(
        self, math: ExactArithmetic[NumberT], operands: Sequence[NumberT]
    ) -> Sequence[NumberT]:
        target = range_of(self.result)
        return [math.clamped(operands[0], target.low, target.high)]

    def result_ranges(self, operands: Sequence[IntType]) -> Sequence[IntType]:
        target = range_of(self.result)
        low, high = np.clip([operands[0].low, operands[0].high], target.low, target.high).tolist()
        return [int_type(low, high)]

    def c_expression(self, operands: Sequence[str]) -> str:
        source, target, text = range_of(self.input), range_of(self.result), operands[0]
        if source.high > target.high:
            text = f"{operands[0]} > {target.high} ? {target.high} : {text}"
        if source.low < target.low:
            text = f"{operands[0]} < {target.low} ? {target.low} : {text}"
        return text

    # Costs

    def luts_on(self, device: DeviceFamily) -> Mapping[int, int]:
        if device.adders.carry_chains and rounded_port(self.input) is not None:
            return self._rounded_luts(device)
        if self._is_reset(device):
            # The test of the upper bits drives the set or reset of the registers behind.
            tested = range_of(self.input).bits - range_of(self.result).bits + 1
            return {min(tested, device.lut_inputs): 1}
        return self._luts(device)

    def levels_on(self, device: DeviceFamily) -> int:
        return 1

    def delay_on(self, device: DeviceFamily) -> float:
        """Tests of upper bits, or comparisons, and choices."""
        source, target = range_of(self.input), range_of(self.result)
        if source == target:
            return 0.0
        delay = device.timing.clamp or 2 * device.timing.lut
        low = source.low >= target.low or upper_bits_tell(target.low, is_low=True)
        high = source.high <= target.high or upper_bits_tell(target.high, is_low=False)
        if not (low and high) and device.adders.whole_bits:
            delay += comparison_delay(source.bits, device)  # It takes a chain.
        return delay

    def merged_codes(self, lut_inputs: int) -> IntArray | None:
        source, target = range_of(self.input), range_of(self.result)
        if source.bits > lut_inputs or not self._only_tables_read():
            return None
        return np.clip(source.bit_patterns, target.low, target.high)

    def _only_tables_read(self) -> bool:
        users = [use.operation for use in self.result.uses]
        readers = [user for user in users if not isinstance(user, MarkOp)]
        return bool(readers) and all(
            isinstance(reader, TableOp) and len(reader.inputs) == 1 for reader in readers
        )

    def _is_reset(self, device: DeviceFamily) -> bool:
        """Whether the set or reset of the registers behind a clamp makes it."""
        source, target = range_of(self.input), range_of(self.result)
        users = [use.operation for use in self.result.uses]
        return (
            device.clamps_by_reset
            and any(isinstance(user, DelayOp) for user in users)
            and all(isinstance(user, DelayOp | MarkOp) for user in users)
            and (source.low < target.low) != (source.high > target.high)
        )

    def _rounded_luts(self, device: DeviceFamily) -> Mapping[int, int]:
        """A clamp of a rounded value, which often holds the last bits of the sum as well."""
        source, target = range_of(self.input), range_of(self.result)
        bits, moved = target.bits, isinstance(self.input.owner, SumOp)
        if not device.adders.whole_bits:
            if moved and source.low >= 0 and source.bits - bits == 1:
                return {3: bits - 1}
            return self._luts(device)
        if source == target:
            return {}
        if device.adders.constant_luts:
            return {device.lut_inputs: bits}
        if source.low < 0:
            return {device.lut_inputs: 5 * bits // 2}
        # Where a test of the upper bits does not fit with the sum's, sum and clamp are apart.
        apart = (source.bits - bits == 1) == moved
        return {device.lut_inputs: 2 * bits + 1 if apart else bits + moved}

    def _luts(self, device: DeviceFamily) -> Mapping[int, int]:
        """Tests of the upper bits where the ends are powers of two; otherwise comparisons."""
        source, target = range_of(self.input), range_of(self.result)
        low, high = source.low < target.low, source.high > target.high
        if (not low and not high) or self.merged_codes(device.lut_inputs) is not None:
            return {}
        span = 1 << (target.bits - target.is_signed)
        aligned = (not low or target.low in (0, -span)) and (not high or target.high == span - 1)
        if not aligned:
            tests = luts_of_test(source.bits, device) * (low + high)
            return {SATURATE_INPUTS: target.bits, device.lut_inputs: tests}
        if device.adders.whole_bits and device.adders.carry_chains:
            return {device.lut_inputs: source.bits + target.bits}
        upper = source.bits - target.bits + target.is_signed
        chosen = target.bits - target.is_signed
        if upper < device.lut_inputs:
            return {upper + 1: chosen}
        return {device.lut_inputs: luts_of_test(upper, device), MUX_INPUTS: chosen}

    # Hardware

    def lower(self, build: HwBuilder, wires: Sequence[SSAValue]) -> Sequence[SSAValue]:
        source, target = range_of(self.input), range_of(self.result)
        return [clamped(build, wires[0], source, target, self.given_name)]


def upper_bits_tell(bound: int, *, is_low: bool) -> bool:
    """Whether the upper bits of a number alone say that it is beyond an end of a clamp."""
    power = -bound if is_low else bound + 1
    return (is_low and bound == 0) or (power > 0 and power & (power - 1) == 0)


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


CLAMP_OPS: list[type[Operation]] = [ClampOp]
