"""`mirror_bits.fold`: a code mirrored into the lower half of its range."""

from collections.abc import Mapping, Sequence

import numpy as np
from xdsl.dialects import comb
from xdsl.dialects.builtin import I64, IntegerAttr, i64
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import IRDLOperation, irdl_op_definition, operand_def, prop_def, result_def
from xdsl.utils.exceptions import VerifyException

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.ir.constants import Array
from kan_dialect.ir.types import IntType, int_type, range_of
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.lowering.wire_interface import WireInterface


@irdl_op_definition
class FoldOp(IRDLOperation, WireInterface):
    """The lowest `bits` bits of a code, each inverted where the bit above them is 1.

    To two bits: 0 1 2 3 4 5 6 7 becomes 0 1 2 3 3 2 1 0, and -4 .. 3 becomes 3 2 1 0 0 1 2 3.
    """

    name = "mirror_bits.fold"

    input = operand_def(IntType)
    bits = prop_def(IntegerAttr[I64])
    result = result_def(IntType)

    assembly_format = "$input `to` $bits attr-dict `:` type($input) `->` type($result)"

    def __init__(self, input: SSAValue | Operation, bits: int) -> None:
        value = SSAValue.get(input)
        super().__init__(
            operands=[value],
            properties={"bits": IntegerAttr(bits, i64)},
            result_types=[_folded_range(range_of(value), bits)],
        )

    @property
    def crosses(self) -> bool:
        """Whether the input can be in the half that is inverted."""
        kind = range_of(self.input)
        return kind.is_signed or kind.high >> self.bits.value.data > 0

    def verify_(self) -> None:
        kind, bits = range_of(self.input), self.bits.value.data
        if not 1 <= bits <= 16:
            raise VerifyException(f"bits must lie in 1..16, got {bits}")
        if kind.bits > bits + 1:
            raise VerifyException(f"a code of {kind.bits} bits is not folded to {bits} bits")
        folded = _folded_range(kind, bits)
        if not range_of(self.result).contains(folded.low, folded.high):
            raise VerifyException(f"the result can be {folded.low}:{folded.high}")

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return (_folded(operands[0], self.bits.value.data),)

    def result_ranges(self, operands: Sequence[IntType]) -> Sequence[IntType]:
        return [_folded_range(operands[0], self.bits.value.data)]

    def luts_on(self, device: DeviceFamily) -> Mapping[int, int]:
        # One exclusive or of two bits for each bit.
        return {2: self.bits.value.data} if self.crosses else {}

    def levels_on(self, device: DeviceFamily) -> int:
        return int(self.crosses)

    def delay_on(self, device: DeviceFamily) -> float:
        return self.levels_on(device) * device.timing.lut

    def lower(self, build: HwBuilder, wires: Sequence[SSAValue]) -> Sequence[SSAValue]:
        kind, bits = range_of(self.input), self.bits.value.data
        code = build.resized(wires[0], kind.bits, bits + 1, kind.is_signed)
        folded = build.part(code, 0, bits)
        if self.crosses:
            upper = build.part(code, bits, 1)
            mask = upper if bits == 1 else build.repeated(upper, bits)
            folded = build.add(comb.XorOp([folded, mask]))
        return [build.resized(folded, bits, range_of(self.result).bits, signed=False)]


def _folded(codes: Array, bits: int) -> Array:
    return (codes ^ -((codes >> bits) & 1)) & ((1 << bits) - 1)


def _folded_range(kind: IntType, bits: int) -> IntType:
    values = _folded(np.arange(kind.low, kind.high + 1), bits)
    return int_type(int(values.min()), int(values.max()))
