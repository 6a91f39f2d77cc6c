"""Wire level: rounded division by powers of two, with its costs and its hardware."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from xdsl.dialects.builtin import I64, IntegerAttr
from xdsl.ir import Block, Operation, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, result_def

from kan_dialect.ir.constants import Array
from kan_dialect.ir.exact_arithmetic import ExactArithmetic, ExactMeaning, NumberT
from kan_dialect.ir.operation import Named
from kan_dialect.ir.rounding import round_shift
from kan_dialect.ir.types import IntType, int_type, range_of
from kan_dialect.ir.verifier import require
from kan_dialect.ir.wire_interface import WireInterface
from kan_dialect.ir.wire_operation import WireOp
from kan_dialect.ops.logic_costs import comparison_delay
from kan_dialect.ops.wire import ConstantOp, SumOp, hold

if TYPE_CHECKING:
    from kan_dialect.devices.device import DeviceFamily
    from kan_dialect.lowering.hw_builder import HwBuilder


@irdl_op_definition
class ShiftOp(WireOp, Named, WireInterface, ExactMeaning):
    """Division by 2^amount, rounded half to even; a negative amount multiplies.

    Example:

        %h = kan.shift %s by 1 as "half" : !kan.int<-4:18> -> !kan.int<-2:9>
    """

    name = "kan.shift"
    KIND: ClassVar[str] = "shift"

    input = operand_def(IntType)
    amount = prop_def(IntegerAttr[I64])
    result = result_def(IntType)

    assembly_format = (
        "$input `by` $amount (`as` $name^)? attr-dict `:` type($input) `->` type($result)"
    )

    def __init__(
        self, input: SSAValue | Operation, amount: int, *, name: str | None = None
    ) -> None:
        value = SSAValue.get(input)
        self.set_up(
            [value], [int_type(*shift_range(range_of(value), amount))], amount=amount, name=name
        )

    def check(self) -> None:
        amount = self.amount.value.data
        require(-31 <= amount <= 31, f"shift amount must lie in -31..31, got {amount}")
        hold(self.result, *shift_range(range_of(self.input), amount), "the shifted value")

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return (round_shift(operands[0], self.amount.value.data),)

    def meaning(
        self, math: ExactArithmetic[NumberT], operands: Sequence[NumberT]
    ) -> Sequence[NumberT]:
        return [math.divided(operands[0], self.amount.value.data)]

    def result_ranges(self, operands: Sequence[IntType]) -> Sequence[IntType]:
        return [int_type(*shift_range(operands[0], self.amount.value.data))]

    def c_expression(self, operands: Sequence[str]) -> str:
        amount = self.amount.value.data
        if amount > 0:
            return f"rounded({operands[0]}, {amount})"
        return f"(int64_t){operands[0]} * ((int64_t)1 << {-amount})"

    def luts_on(self, device: DeviceFamily) -> Mapping[int, int]:
        """The chain that rounds: it adds a constant, and has a bit at each end for the carry."""
        if self.amount.value.data <= 0:
            return {}
        if not device.adders.carry_chains or rounded_port(self.result) is None:
            return {device.adders.bit_inputs: range_of(self.result).bits + 1}
        bits = range_of(self.input).bits + 2
        return {device.adders.bit_inputs: (bits + bits % 2) * device.adders.constant_luts}

    def levels_on(self, device: DeviceFamily) -> int:
        return 2 if self.amount.value.data > 0 else 0

    def delay_on(self, device: DeviceFamily) -> float:
        if self.amount.value.data <= 0:
            return 0.0
        return device.timing.lut + comparison_delay(range_of(self.input).bits, device)

    def lower(self, build: HwBuilder, wires: Sequence[SSAValue]) -> Sequence[SSAValue]:
        source, target = range_of(self.input), range_of(self.result)
        amount = self.amount.value.data
        return [shifted(build, wires[0], source, amount, target, self.given_name)]


def shift_range(value: IntType, amount: int) -> tuple[int, int]:
    """Smallest and largest result of a shift: it is monotone."""
    if amount <= 0:
        # In Python's integers: the product may leave int64.
        return value.low << -amount, value.high << -amount
    low, high = round_shift(np.array([value.low, value.high], dtype=np.int64), amount).tolist()
    return low, high


def rounded_port(value: SSAValue) -> ShiftOp | None:
    """The rounding of a port that a value is, a constant added or not; None of other values."""
    op = value.owner
    if isinstance(op, SumOp) and len(op.inputs) == 2 and isinstance(op.inputs[1].owner, ConstantOp):
        op = op.inputs[0].owner
    if isinstance(op, ShiftOp) and op.amount.value.data > 0 and isinstance(op.input.owner, Block):
        return op
    return None


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


SHIFT_OPS: list[type[Operation]] = [ShiftOp]
