"""MLIR's `quant` types, which xDSL does not have: `!quant.uniform` per tensor and per axis.

Spelling and verification follow upstream's Quant dialect (mlir/lib/Dialect/Quant/IR/TypeParser.cpp
and QuantTypes.cpp). Scales are printed in full; upstream prints six digits.

    !quant.uniform<u6:f32, 0.0538:32>                 a scale and a zero point for all elements
    !quant.uniform<i8<-8:7>:f32, 0.998>               storage bounds narrower than the storage
    !quant.uniform<u6:f32:0, {0.1:32,0.25:17}>        one scale and zero point per index of axis 0
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import overload

import numpy as np
from xdsl.dialects.builtin import (
    AnyFloat,
    ArrayAttr,
    BFloat16Type,
    Float16Type,
    Float32Type,
    Float64Type,
    FloatAttr,
    IntAttr,
    NoneAttr,
    f32,
    f64,
)
from xdsl.ir import Attribute, Dialect, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from kan_dialect.ir.constants import FloatArray, IntArray, float_literal

MAX_STORAGE_BITS = 32
"""Upstream's limit for the storage of a quantised type."""
MAX_ZERO_POINT = 1 << 62
"""Largest magnitude of a zero point: a code minus a zero point is a 64-bit integer."""

_LARGEST: dict[type[Attribute], float] = {
    Float16Type: 65504.0,
    BFloat16Type: 3.3895313892515355e38,
    Float32Type: 3.4028234663852886e38,
    Float64Type: 1.7976931348623157e308,
}


def largest_value(expressed: AnyFloat) -> float:
    """The largest finite number of an expressed type."""
    return _LARGEST.get(type(expressed), _LARGEST[Float64Type])


def default_bounds(bits: int, signed: bool) -> tuple[int, int]:
    """Smallest and largest code of `bits` bits, two's complement if signed."""
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)


def storage_for(low: int, high: int) -> tuple[int, bool]:
    """Bits and signedness of the narrowest storage that holds every code of low..high."""
    if low >= 0:
        return max(1, high.bit_length()), False
    return max((-low - 1).bit_length(), max(high, 0).bit_length()) + 1, True


def verified(
    kind: type[ParametrizedAttribute],
    parameters: Sequence[Attribute],
    parser: AttrParser,
    start: int,
) -> Sequence[Attribute]:
    """The parameters, if they verify.

    Raises
    ------
    ParseError : they do not verify. It names the place in the text, which `VerifyException` cannot.
    """
    try:
        kind.new(parameters)
    except VerifyException as error:
        parser.raise_error(str(error), start, parser.pos)
    return parameters


@irdl_attr_definition
class UniformQuantizedType(ParametrizedAttribute, TypeAttribute):
    """Codes `q` that stand for `(q - zero_point) * scale`.

    Per tensor (`axis` is None), one scale and one zero point hold for all elements. Per axis, each
    index of that axis of the tensor has its own. Upstream has a class for each of the two.
    """

    name = "quant.uniform"

    storage_bits: IntAttr
    signed: IntAttr
    storage_min: IntAttr
    storage_max: IntAttr
    expressed_type: AnyFloat
    scale_attrs: ArrayAttr[FloatAttr]
    zero_point_attrs: ArrayAttr[IntAttr]
    axis_attr: IntAttr | NoneAttr

    def __init__(
        self,
        bits: int,
        signed: bool,
        scale: float | Sequence[float] | FloatArray,
        zero_point: int | Sequence[int] | IntArray = 0,
        *,
        axis: int | None = None,
        bounds: tuple[int, int] | None = None,
        expressed: AnyFloat = f32,
    ) -> None:
        """
        Parameters
        ----------
        bits, signed : the storage, 1 to 32 bits, two's complement if signed.
        scale, zero_point : one each, or one for each index of `axis`.
        axis : the quantised dimension, or None for the whole tensor.
        bounds : smallest and largest code; those of the storage by default.
        expressed : the float type that the codes stand for.
        """
        low, high = bounds if bounds is not None else default_bounds(max(bits, 1), signed)
        scales = [float(value) for value in np.atleast_1d(np.asarray(scale, dtype=np.float64))]
        points = [int(value) for value in np.atleast_1d(np.asarray(zero_point, dtype=np.int64))]
        if axis is not None and len(points) == 1:
            points *= len(scales)
        super().__init__(
            IntAttr(bits),
            IntAttr(int(signed)),
            IntAttr(low),
            IntAttr(high),
            expressed,
            ArrayAttr(FloatAttr(value, f64) for value in scales),
            ArrayAttr(IntAttr(value) for value in points),
            NoneAttr() if axis is None else IntAttr(axis),
        )

    @property
    def bits(self) -> int:
        """Width of the storage in bits."""
        return self.storage_bits.data

    @property
    def is_signed(self) -> bool:
        return bool(self.signed.data)

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest code."""
        return self.storage_min.data, self.storage_max.data

    @property
    def axis(self) -> int | None:
        """The quantised dimension, or None for per-tensor quantisation."""
        return self.axis_attr.data if isinstance(self.axis_attr, IntAttr) else None

    @property
    def scales(self) -> FloatArray:
        """The scales, float64: (1), or (extent of the axis)."""
        return np.array([scale.value.data for scale in self.scale_attrs.data], dtype=np.float64)

    @property
    def zero_points(self) -> IntArray:
        """The zero points, int64, shaped as the scales."""
        return np.array([point.data for point in self.zero_point_attrs.data], dtype=np.int64)

    def scale_for(self, rank: int) -> FloatArray:
        """The scales, in a shape that broadcasts over a tensor of `rank` dimensions."""
        return self._broadcastable(self.scales, rank)

    def zero_point_for(self, rank: int) -> IntArray:
        """The zero points, in a shape that broadcasts over a tensor of `rank` dimensions."""
        return self._broadcastable(self.zero_points, rank)

    @overload
    def _broadcastable(self, values: FloatArray, rank: int) -> FloatArray: ...
    @overload
    def _broadcastable(self, values: IntArray, rank: int) -> IntArray: ...
    def _broadcastable(self, values: FloatArray | IntArray, rank: int) -> FloatArray | IntArray:
        if self.axis is None:
            return values[0]
        return values.reshape([-1 if dimension == self.axis else 1 for dimension in range(rank)])

    def element(self, index: Sequence[int]) -> UniformQuantizedType:
        """The per-tensor type of the element at `index` of a tensor of this type."""
        if self.axis is None:
            return self
        position = index[self.axis]
        return UniformQuantizedType(
            self.bits,
            self.is_signed,
            float(self.scales[position]),
            int(self.zero_points[position]),
            bounds=self.bounds,
            expressed=self.expressed_type,
        )

    def verify(self) -> None:
        if not 1 <= self.bits <= MAX_STORAGE_BITS:
            raise VerifyException(
                f"illegal storage type size: {self.bits} (a quantised type holds 1 to "
                f"{MAX_STORAGE_BITS} bits)"
            )
        low, high = self.bounds
        smallest, largest = default_bounds(self.bits, self.is_signed)
        if not smallest <= low < high <= largest:
            raise VerifyException(f"illegal storage min and storage max: ({low}:{high})")
        if type(self.expressed_type) not in _LARGEST:
            raise VerifyException(f"illegal expressed type: {self.expressed_type}")
        count = len(self.scale_attrs)
        if count != len(self.zero_point_attrs) or (self.axis is None and count != 1) or count == 0:
            raise VerifyException(
                f"illegal number of scales and zeroPoints: {count}, {len(self.zero_point_attrs)}"
            )
        if self.axis is not None and self.axis < 0:
            raise VerifyException(f"illegal quantized dimension: {self.axis}")
        for point in self.zero_point_attrs.data:
            if abs(point.data) > MAX_ZERO_POINT:
                raise VerifyException(f"zero point {point.data} has more than 62 bits")
        for attribute in self.scale_attrs.data:
            scale = attribute.value.data
            if not (math.isfinite(scale) and scale > 0):
                raise VerifyException(f"illegal scale: {scale}")
            if scale > _LARGEST[type(self.expressed_type)]:
                raise VerifyException(f"scale {scale} out of expressed type range")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        start = parser.pos
        with parser.in_angle_brackets():
            bits, signed = _parse_storage(parser)
            bounds = default_bounds(max(bits, 1), signed)
            if parser.parse_optional_punctuation("<"):
                low = parser.parse_integer()
                parser.parse_punctuation(":")
                bounds = (low, parser.parse_integer())
                parser.parse_punctuation(">")
            parser.parse_punctuation(":")
            expressed = parser.parse_type()
            axis = (
                IntAttr(parser.parse_integer(allow_boolean=False))
                if parser.parse_optional_punctuation(":")
                else NoneAttr()
            )
            parser.parse_punctuation(",")
            if isinstance(axis, IntAttr):
                pairs = parser.parse_comma_separated_list(
                    parser.Delimiter.BRACES, lambda: _parse_scale(parser)
                )
            else:
                pairs = [_parse_scale(parser)]
        parameters = [
            IntAttr(bits),
            IntAttr(int(signed)),
            IntAttr(bounds[0]),
            IntAttr(bounds[1]),
            expressed,
            ArrayAttr(FloatAttr(scale, f64) for scale, _ in pairs),
            ArrayAttr(IntAttr(zero_point) for _, zero_point in pairs),
            axis,
        ]
        return verified(cls, parameters, parser, start)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(f"{'i' if self.is_signed else 'u'}{self.bits}")
            if self.bounds != default_bounds(self.bits, self.is_signed):
                printer.print_string(f"<{self.bounds[0]}:{self.bounds[1]}>")
            printer.print_string(":")
            printer.print_attribute(self.expressed_type)
            if self.axis is not None:
                printer.print_string(f":{self.axis}")
            pairs = zip(self.scale_attrs.data, self.zero_point_attrs.data, strict=True)
            text = ",".join(
                float_literal(scale.value.data) + (f":{point.data}" if point.data else "")
                for scale, point in pairs
            )
            printer.print_string(f", {text}" if self.axis is None else f", {{{text}}}")


def _parse_storage(parser: AttrParser) -> tuple[int, bool]:
    keyword = parser.parse_optional_identifier() or ""
    match = re.fullmatch(r"([iu])(\d+)", keyword)
    if match is None:
        parser.raise_error(f"illegal storage type prefix {keyword!r}: expected iN or uN")
    return int(match[2]), match[1] == "i"


def _parse_scale(parser: AttrParser) -> tuple[float, int]:
    scale = float(parser.parse_number())
    zero_point = parser.parse_integer() if parser.parse_optional_punctuation(":") else 0
    return scale, zero_point


Quant = Dialect("quant", [], [UniformQuantizedType])
