"""Wire level: decisions on values, which a head makes of the outputs of a network.

A *candidate* is a value and its index. The first of two candidates is the one of the larger
value, or of the smaller index where the values are equal: a total order, so trees and networks of
these ops decide as `numpy.argmax` and a stable sort do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from xdsl.dialects.builtin import I64, IntegerAttr
from xdsl.ir import Operation, OpResult, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
)

from kan_dialect.ir.constants import Array
from kan_dialect.ir.exact_arithmetic import ExactArithmetic, ExactMeaning, NumberT
from kan_dialect.ir.operation import Named
from kan_dialect.ir.types import IntType, int_type, range_of
from kan_dialect.ir.verifier import require
from kan_dialect.ir.wire_interface import WireInterface
from kan_dialect.ir.wire_operation import WireOp
from kan_dialect.ops.logic_costs import MUX_INPUTS, comparison_delay, luts_of_test
from kan_dialect.ops.wire import before_registers

if TYPE_CHECKING:
    from kan_dialect.devices.device import DeviceFamily
    from kan_dialect.lowering.hw_builder import HwBuilder

_End: TypeAlias = Callable[[int, int], int]
"""`min` or `max`, of the ends of two ranges."""


def _require_ranges(op: WireOp, needed: Sequence[IntType]) -> None:
    """Refuse results whose types do not hold the ranges that the operands give."""
    for result, kind in zip(op.results, needed, strict=True):
        declared = range_of(result)
        require(
            declared.contains(kind.low, kind.high),
            f"result {result.index} can be {kind.low}:{kind.high}, which "
            f"!kan.int<{declared.low}:{declared.high}> does not hold",
        )


def is_first(left: Array, left_index: Array, right: Array, right_index: Array) -> Array:
    """Whether the left candidate comes before the right one, bool: (samples)."""
    return (left > right) | ((left == right) & (left_index < right_index))


def _surely_first(one: Sequence[IntType], other: Sequence[IntType]) -> bool:
    """Whether a candidate of these ranges, value and index, always comes before the other."""
    (value, index), (against, against_index) = one, other
    return value.low > against.high or (
        value.low == against.high and index.high < against_index.low
    )


@irdl_op_definition
class PrecedesOp(WireOp, Named, WireInterface, ExactMeaning):
    """Whether the left candidate comes before the right one: 1 if its value is larger, or equal
    with a smaller index, else 0.

    Example:

        %p = kan.precedes %a at %i, %b at %j as "head0" : !kan.int<0:9> at !kan.int<0:1>,
          !kan.int<-4:3> at !kan.int<2:3> -> !kan.int<0:1>
    """

    name = "kan.precedes"

    left = operand_def(IntType)
    left_index = operand_def(IntType)
    right = operand_def(IntType)
    right_index = operand_def(IntType)
    result = result_def(IntType)

    assembly_format = (
        "$left `at` $left_index `,` $right `at` $right_index (`as` $name^)? attr-dict "
        "`:` type($left) `at` type($left_index) `,` type($right) `at` type($right_index) "
        "`->` type($result)"
    )

    def __init__(self, *candidates: SSAValue | Operation, name: str | None = None) -> None:
        """
        Parameters
        ----------
        candidates : value and index of the left one, value and index of the right one.
        """
        values = [SSAValue.get(each) for each in candidates]
        ranges = self.result_ranges([range_of(value) for value in values])
        self.set_up(values, ranges, name=name)

    def result_ranges(self, operands: Sequence[IntType]) -> Sequence[IntType]:
        left, right = operands[:2], operands[2:]
        return [int_type(int(_surely_first(left, right)), int(not _surely_first(right, left)))]

    def check(self) -> None:
        _require_ranges(self, self.result_ranges([range_of(value) for value in self.operands]))

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return (is_first(*operands).astype(np.int64),)

    def meaning(
        self, math: ExactArithmetic[NumberT], operands: Sequence[NumberT]
    ) -> Sequence[NumberT]:
        return [math.precedes(operands)]

    @property
    def compared_bits(self) -> int:
        """Bits of the numbers that decide which candidate comes first.

        The indices decide too where the values are equal, unless one is always the smaller one.
        """
        left, left_index, right, right_index = (range_of(value) for value in self.operands)
        values = max(left.bits, right.bits)
        if left_index.high < right_index.low or right_index.high < left_index.low:
            return values
        return values + max(left_index.bits, right_index.bits)

    def c_expression(self, operands: Sequence[str]) -> str:
        left, left_index, right, right_index = operands
        return f"{left} > {right} || ({left} == {right} && {left_index} < {right_index})"

    def luts_on(self, device: DeviceFamily) -> Mapping[int, int]:
        return {device.adders.bit_inputs: self.compared_bits}

    def levels_on(self, device: DeviceFamily) -> int:
        return 1

    def delay_on(self, device: DeviceFamily) -> float:
        return comparison_delay(self.compared_bits, device)

    def lower(self, build: HwBuilder, wires: Sequence[SSAValue]) -> Sequence[SSAValue]:
        left, left_index, right, right_index = (range_of(value) for value in self.operands)
        signed = left.is_signed or right.is_signed
        bits = max(_bits(left, signed), _bits(right, signed))
        one = build.resized(wires[0], left.bits, bits, left.is_signed)
        other = build.resized(wires[2], right.bits, bits, right.is_signed)
        sign = "s" if signed else "u"
        if left_index.high < right_index.low:
            return [build.compared(one, other, f"{sign}ge", self.given_name)]
        if right_index.high < left_index.low:
            return [build.compared(one, other, f"{sign}gt", self.given_name)]
        # Below the values stand the indices with all bits inverted: the smaller one is greater.
        width = max(left_index.bits, right_index.bits)
        keys: list[SSAValue] = []
        for value, index, kind in ((one, wires[1], left_index), (other, wires[3], right_index)):
            inverted = build.inverted(build.resized(index, kind.bits, width, False), width)
            keys.append(build.joined([value, inverted], bits + width))
        return [build.compared(keys[0], keys[1], f"{sign}gt", self.given_name)]


@irdl_op_definition
class SelectOp(WireOp, Named, WireInterface, ExactMeaning):
    """One of two values: `one` where the condition is 1, `other` where it is 0.

    The larger of two values, which `kan.precedes` compares, is at least the larger one of their
    lowest values. So the range of a choice depends on the condition. Registers may stand between.

    Example:

        %p = kan.precedes %a at %i, %b at %j : !kan.int<0:9> at !kan.int<0:1>,
          !kan.int<-4:3> at !kan.int<2:3> -> !kan.int<0:1>
        %v = kan.select %a if %p else %b as "head0_value" : !kan.int<0:9> if !kan.int<0:1>
          else !kan.int<-4:3> -> !kan.int<0:9>
    """

    name = "kan.select"

    condition = operand_def(IntType)
    one = operand_def(IntType)
    other = operand_def(IntType)
    result = result_def(IntType)

    assembly_format = (
        "$one `if` $condition `else` $other (`as` $name^)? attr-dict "
        "`:` type($one) `if` type($condition) `else` type($other) `->` type($result)"
    )

    def __init__(
        self,
        condition: SSAValue | Operation,
        one: SSAValue | Operation,
        other: SSAValue | Operation,
        *,
        name: str | None = None,
    ) -> None:
        values = [SSAValue.get(each) for each in (condition, one, other)]
        ends = self._ends(*values)
        (kind,) = self._ranges(ends, [range_of(value) for value in values])
        self.set_up(values, [kind], name=name)

    @property
    def ends(self) -> tuple[_End, _End]:
        """How the lowest and the highest result follow from those of both values."""
        return self._ends(self.condition, self.one, self.other)

    def result_ranges(self, operands: Sequence[IntType]) -> Sequence[IntType]:
        return self._ranges(self.ends, operands)

    @staticmethod
    def _ends(condition: SSAValue, one: SSAValue, other: SSAValue) -> tuple[_End, _End]:
        """How the ends of the range follow from those of both values."""
        source = before_registers(condition)
        if isinstance(source, OpResult) and isinstance(compared := source.op, PrecedesOp):
            values = [before_registers(value) for value in (one, other)]
            candidates = [before_registers(value) for value in (compared.left, compared.right)]
            if values == candidates:
                return max, max
            if values == candidates[::-1]:
                return min, min
        return min, max

    @staticmethod
    def _ranges(ends: tuple[_End, _End], operands: Sequence[IntType]) -> Sequence[IntType]:
        condition, one, other = operands
        if condition.size == 1:
            return [one if condition.low else other]
        lowest, highest = ends
        return [int_type(lowest(one.low, other.low), highest(one.high, other.high))]

    def check(self) -> None:
        kind = range_of(self.condition)
        require(kind.low >= 0 and kind.high <= 1, "the condition must be 0 or 1")
        _require_ranges(self, self.result_ranges([range_of(value) for value in self.operands]))

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return (np.where(operands[0] != 0, operands[1], operands[2]),)

    def meaning(
        self, math: ExactArithmetic[NumberT], operands: Sequence[NumberT]
    ) -> Sequence[NumberT]:
        return [math.chosen(operands, self.ends)]

    def c_expression(self, operands: Sequence[str]) -> str:
        condition, one, other = operands
        return f"{condition} ? {one} : {other}"

    def luts_on(self, device: DeviceFamily) -> Mapping[int, int]:
        return {MUX_INPUTS: range_of(self.result).bits}

    def levels_on(self, device: DeviceFamily) -> int:
        return 1

    def lower(self, build: HwBuilder, wires: Sequence[SSAValue]) -> Sequence[SSAValue]:
        bits = range_of(self.result).bits
        one, other = (
            build.resized(wire, range_of(value).bits, bits, range_of(value).is_signed)
            for wire, value in zip(wires[1:], (self.one, self.other), strict=True)
        )
        return [build.chosen(wires[0], one, other, self.given_name)]


@irdl_op_definition
class GreaterOp(WireOp, Named, WireInterface, ExactMeaning):
    """Whether a value is greater than a constant: 1 if input > bound, else 0.

    Example:

        %g = kan.greater %b than -2 as "above" : !kan.int<-4:3> -> !kan.int<0:1>
    """

    name = "kan.greater"

    input = operand_def(IntType)
    bound = prop_def(IntegerAttr[I64])
    result = result_def(IntType)

    assembly_format = (
        "$input `than` $bound (`as` $name^)? attr-dict `:` type($input) `->` type($result)"
    )

    def __init__(self, input: SSAValue | Operation, bound: int, *, name: str | None = None) -> None:
        value = SSAValue.get(input)
        low, high = (int(end > bound) for end in (range_of(value).low, range_of(value).high))
        self.set_up([value], [int_type(low, high)], bound=bound, name=name)

    def result_ranges(self, operands: Sequence[IntType]) -> Sequence[IntType]:
        bound = self.bound.value.data
        return [int_type(int(operands[0].low > bound), int(operands[0].high > bound))]

    def check(self) -> None:
        _require_ranges(self, self.result_ranges([range_of(self.input)]))

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return ((operands[0] > self.bound.value.data).astype(np.int64),)

    def meaning(
        self, math: ExactArithmetic[NumberT], operands: Sequence[NumberT]
    ) -> Sequence[NumberT]:
        above = math.total([operands[0], math.constant(-self.bound.value.data)])
        return [math.clamped(above, 0, 1)]

    def c_expression(self, operands: Sequence[str]) -> str:
        return f"{operands[0]} > {self.bound.value.data}"

    @property
    def _reads_sign(self) -> bool:
        return self.bound.value.data == -1

    def luts_on(self, device: DeviceFamily) -> Mapping[int, int]:
        bits = range_of(self.input).bits
        return {} if self._reads_sign else {device.lut_inputs: luts_of_test(bits, device)}

    def levels_on(self, device: DeviceFamily) -> int:
        return int(not self._reads_sign)

    def delay_on(self, device: DeviceFamily) -> float:
        return 0.0 if self._reads_sign else comparison_delay(range_of(self.input).bits, device)

    def lower(self, build: HwBuilder, wires: Sequence[SSAValue]) -> Sequence[SSAValue]:
        source, bound = range_of(self.input), self.bound.value.data
        if not source.low <= bound < source.high:
            return [build.constant(int(source.low > bound), 1)]
        if bound == -1:
            sign = wires[0] if source.bits == 1 else build.part(wires[0], source.bits - 1, 1)
            return [build.inverted(sign, 1, self.given_name)]
        limit = build.constant(bound, source.bits)
        return [build.compared(wires[0], limit, f"{_sign(source)}gt", self.given_name)]


def _sign(kind: IntType) -> str:
    return "s" if kind.is_signed else "u"


def _bits(kind: IntType, signed: bool) -> int:
    """Bits of a range beside a signed one."""
    return kind.bits + (signed and not kind.is_signed)


DECISION_OPS: list[type[Operation]] = [PrecedesOp, SelectOp, GreaterOp]
