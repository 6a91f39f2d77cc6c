"""Types of the dialect's own: an integer's exact range; and how tensors of codes are bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import TypeAlias, TypeVar, cast

import numpy as np
from xdsl.dialects.builtin import AnyFloat, IntAttr, TensorType
from xdsl.ir import Attribute, ParametrizedAttribute, SSAValue, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from kan_dialect.ir.constants import DenseAttr, IntArray, dense, to_integers
from kan_dialect.ir.quant import UniformQuantizedType, storage_for, verified

MAX_RANGE_BITS = 62
"""Evaluation is in int64; a range that needs more bits is refused."""

QuantTensor: TypeAlias = TensorType[UniformQuantizedType]


_Kind = TypeVar("_Kind", bound=Attribute)


def _remembering(*names: str) -> Callable[[type[_Kind]], type[_Kind]]:
    """Of an attribute that passes ask by the million: some properties are computed once.

    Attributes do not change. xDSL takes no `cached_property` where an attribute is defined.
    """

    def changed(kind: type[_Kind]) -> type[_Kind]:
        for name in names:
            once = cached_property(vars(kind)[name].fget)
            once.__set_name__(kind, name)
            setattr(kind, name, once)
        return kind

    return changed


@_remembering("low", "high", "size", "is_signed", "bits")
@irdl_attr_definition
class IntType(ParametrizedAttribute, TypeAttribute):
    """`!kan.int<lo:hi>`: an integer that is known to lie in lo..hi, ends included.

    In hardware: two's complement where lo < 0, else unsigned, of the fewest bits that hold the
    range, but at least one.
    """

    name = "kan.int"

    lower: IntAttr
    upper: IntAttr

    def __init__(self, low: int, high: int) -> None:
        super().__init__(IntAttr(int(low)), IntAttr(int(high)))

    @property
    def low(self) -> int:
        """Smallest value."""
        return self.lower.data

    @property
    def high(self) -> int:
        """Largest value."""
        return self.upper.data

    @property
    def size(self) -> int:
        """How many values the range holds."""
        return self.high - self.low + 1

    @property
    def is_signed(self) -> bool:
        return self.low < 0

    @property
    def bits(self) -> int:
        """Width in hardware."""
        return storage_for(self.low, self.high)[0]

    @property
    def bit_patterns(self) -> IntArray:
        """The value that each bit pattern of the width stands for, 0 .. 2^bits - 1, int64."""
        patterns = np.arange(1 << self.bits, dtype=np.int64)
        if self.is_signed:
            patterns[patterns >= 1 << (self.bits - 1)] -= 1 << self.bits
        return patterns

    def contains(self, low: int, high: int) -> bool:
        return self.low <= low and high <= self.high

    def verify(self) -> None:
        if self.low > self.high:
            raise VerifyException(f"!kan.int<{self.low}:{self.high}> is an empty range")
        if self.bits > MAX_RANGE_BITS:
            raise VerifyException(
                f"!kan.int<{self.low}:{self.high}> needs {self.bits} bits, more than "
                f"{MAX_RANGE_BITS}"
            )

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        start = parser.pos
        with parser.in_angle_brackets():
            low = parser.parse_integer()
            parser.parse_punctuation(":")
            high = parser.parse_integer()
        return verified(cls, [IntAttr(low), IntAttr(high)], parser, start)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(f"{self.low}:{self.high}")


@lru_cache(1 << 14)
def int_type(low: int, high: int) -> IntType:
    """The type of a range, made once: passes ask for few ranges, thousands of times each."""
    return IntType(low, high)


def range_of(value: SSAValue) -> IntType:
    """The range of a wire-level value."""
    kind = value.type
    assert type(kind) is IntType
    return kind


def tensor_shape(value: SSAValue) -> tuple[int, ...]:
    """The shape of a tensor value."""
    return cast("TensorType[Attribute]", value.type).get_shape()


def element_type(value: SSAValue) -> Attribute | None:
    """The element type of a tensor value; None where the value is no tensor."""
    value_type: Attribute = value.type
    if not isinstance(value_type, TensorType):
        return None
    return cast("TensorType[Attribute]", value_type).get_element_type()


def quantized_type(value: SSAValue) -> UniformQuantizedType:
    """The element type of a tensor of codes."""
    element = element_type(value)
    assert isinstance(element, UniformQuantizedType)
    return element


def is_quantized(value: SSAValue) -> bool:
    """Whether the value is a tensor of codes."""
    return isinstance(element_type(value), UniformQuantizedType)


def float_type(value: SSAValue) -> AnyFloat:
    """The element type of a tensor of floats."""
    element = element_type(value)
    assert isinstance(element, AnyFloat)
    return element


def is_float_tensor(value: SSAValue) -> bool:
    """Whether the value is a tensor of floats."""
    return isinstance(element_type(value), AnyFloat)


def element_bounds(value_type: QuantTensor, bounds: DenseAttr | None) -> tuple[IntArray, IntArray]:
    """Smallest and largest code of each element: from `bounds`, else from the storage.

    Returns
    -------
    (lower, upper), each of the tensor's shape, int64.
    """
    shape = value_type.get_shape()
    if bounds is not None:
        both = to_integers(bounds)
        return both[..., 0], both[..., 1]
    low, high = value_type.get_element_type().bounds
    return np.full(shape, low, dtype=np.int64), np.full(shape, high, dtype=np.int64)


def bounds_constant(value_type: QuantTensor, lower: IntArray, upper: IntArray) -> DenseAttr | None:
    """The `bounds` that say lower..upper for each element; None where the storage says so."""
    low, high = value_type.get_element_type().bounds
    if bool((lower == low).all() and (upper == high).all()):
        return None
    return dense(np.stack([lower, upper], axis=-1))
