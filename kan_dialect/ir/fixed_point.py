"""Fixed-point numbers: `!kan.fixed<s16:10>`, and how sums of products are rounded to them.

A code `q` stands for `q / 2^fraction`. Rounding is convergent (half to even), once for each result;
what the type does not hold saturates at its ends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from xdsl.dialects.builtin import IntAttr
from xdsl.ir import Attribute, ParametrizedAttribute, SSAValue, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.ir.quant import default_bounds, verified
from kan_dialect.ir.rounding import round_shift
from kan_dialect.ir.types import element_type

MAX_FIXED_BITS = 32
"""Products of two such numbers, and sums of them, are 64-bit integers."""
MAX_FRACTION_BITS = 62


@irdl_attr_definition
class FixedType(ParametrizedAttribute, TypeAttribute):
    """`!kan.fixed<s16:10>`: a fixed-point number of 16 bits, two's complement, 10 behind the point.

    The first number is the storage, `s` signed or `u` unsigned, as in `!quant.uniform`; the second
    the fraction bits. What is left are the integer bits, the sign among them: 6 here. The fraction
    may be longer than the storage (`u10:13` lies below 1/8) or negative.
    """

    name = "kan.fixed"

    storage_bits: IntAttr
    signed: IntAttr
    fraction_bits: IntAttr

    def __init__(self, bits: int, fraction: int, *, signed: bool = True) -> None:
        super().__init__(IntAttr(bits), IntAttr(int(signed)), IntAttr(fraction))

    @property
    def bits(self) -> int:
        """Width of the code."""
        return self.storage_bits.data

    @property
    def is_signed(self) -> bool:
        return bool(self.signed.data)

    @property
    def fraction(self) -> int:
        """Bits behind the point."""
        return self.fraction_bits.data

    @property
    def low(self) -> int:
        """Smallest code."""
        return default_bounds(self.bits, self.is_signed)[0]

    @property
    def high(self) -> int:
        """Largest code."""
        return default_bounds(self.bits, self.is_signed)[1]

    @property
    def step(self) -> float:
        """What a code of 1 stands for."""
        return float(Fraction(2) ** -self.fraction)

    def verify(self) -> None:
        least = 1 + self.is_signed
        if not least <= self.bits <= MAX_FIXED_BITS:
            raise VerifyException(
                f"a fixed-point number has {least} to {MAX_FIXED_BITS} bits, got {self.bits}"
            )
        if abs(self.fraction) > MAX_FRACTION_BITS:
            raise VerifyException(
                f"fraction bits must lie in -{MAX_FRACTION_BITS}..{MAX_FRACTION_BITS}, got "
                f"{self.fraction}"
            )

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        start = parser.pos
        with parser.in_angle_brackets():
            storage = re.fullmatch(r"([su])(\d{1,3})", parser.parse_optional_identifier() or "")
            if storage is None:
                parser.raise_error("expected a storage such as s16 or u6", start, parser.pos)
            parser.parse_punctuation(":")
            fraction = parser.parse_integer()
        parameters = [IntAttr(int(storage[2])), IntAttr(storage[1] == "s"), IntAttr(fraction)]
        return verified(cls, parameters, parser, start)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            letter = "s" if self.is_signed else "u"
            printer.print_string(f"{letter}{self.bits}:{self.fraction}")


def fixed_type(value: SSAValue) -> FixedType | None:
    """The element type of a tensor of fixed-point numbers; None of a tensor of floats."""
    element = element_type(value)
    return element if isinstance(element, FixedType) else None


def saturated(codes: Array, kind: FixedType) -> IntArray:
    """Codes of any size, those that the type does not hold replaced by its nearer end."""
    return np.clip(codes, kind.low, kind.high).astype(np.int64)


def rounded_to(codes: IntArray, fraction: int, kind: FixedType) -> IntArray:
    """Codes with so many fraction bits as codes of a type: rounded half to even, saturated."""
    return saturated(round_shift(codes, fraction - kind.fraction), kind)


def to_fixed(values: FloatArray, kind: FixedType) -> IntArray:
    """Real values as codes: rounded half to even, saturated; no value may be NaN."""
    return saturated(np.rint(np.ldexp(values, kind.fraction)), kind)


def to_real(codes: IntArray, kind: FixedType) -> FloatArray:
    """What codes stand for."""
    return np.ldexp(codes.astype(np.float64), -kind.fraction)
