"""Ops of hw, comb and seq for lowering, which makes tens of thousands of them.

The constructors of xDSL's ops compare what they are given with the op's declaration, which takes
longer than all else that lowering does; these functions say what the declarations would. Types and
small attributes are made once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from xdsl.dialects import comb, hw, seq
from xdsl.dialects.builtin import (
    DenseArrayBase,
    IntegerAttr,
    IntegerType,
    i32,
)
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import AttrSizedOperandSegments

_SEGMENTS = AttrSizedOperandSegments.attribute_name


@lru_cache(1 << 12)
def integer(bits: int) -> IntegerType:
    """The signless integer type of so many bits."""
    return IntegerType(bits)


@lru_cache(1 << 12)
def _place(bit: int) -> Attribute:
    return IntegerAttr(bit, i32)


@lru_cache(1 << 12)
def array_type(bits: int, size: int) -> hw.ArrayType[IntegerType]:
    """The type of an array of so many integers of so many bits."""
    return hw.ArrayType(integer(bits), size)


@lru_cache(2)
def _segments(with_reset: bool) -> Attribute:
    return DenseArrayBase.from_list(i32, [1, 1, int(with_reset), int(with_reset), 0])


def constant(value: int, bits: int) -> hw.ConstantOp:
    """A number of so many bits."""
    kind = integer(bits)
    return hw.ConstantOp.create(result_types=[kind], properties={"value": IntegerAttr(value, kind)})


def bits_of(value: SSAValue, low: int, width: int) -> comb.ExtractOp:
    """The `width` bits from bit `low` on."""
    return comb.ExtractOp.create(
        operands=[value], result_types=[integer(width)], properties={"lowBit": _place(low)}
    )


def joined(values: Sequence[SSAValue], bits: int) -> comb.ConcatOp:
    """Values side by side, the highest first, which have so many bits together."""
    return comb.ConcatOp.create(operands=values, result_types=[integer(bits)])


def repeated(value: SSAValue, bits: int) -> comb.ReplicateOp:
    """Copies of a value, side by side, up to so many bits."""
    return comb.ReplicateOp.create(operands=[value], result_types=[integer(bits)])


def added(values: Sequence[SSAValue]) -> comb.AddOp:
    """The sum of values of one type."""
    return comb.AddOp.create(operands=values, result_types=[values[0].type])


def cast(value: SSAValue, kind: Attribute) -> hw.BitcastOp:
    """The bits of a value as of another type."""
    return hw.BitcastOp.create(operands=[value], result_types=[kind])


def entry(array: SSAValue, index: SSAValue, bits: int) -> hw.ArrayGetOp:
    """An entry, of so many bits, of an array."""
    return hw.ArrayGetOp.create(operands=[array, index], result_types=[integer(bits)])


def register(
    value: SSAValue, clock: SSAValue, reset: tuple[SSAValue, SSAValue] | None = None
) -> seq.CompRegOp:
    """A value one cycle later; `reset` is the signal and the value that it sets."""
    return seq.CompRegOp.create(
        operands=[value, clock, *(reset or ())],
        result_types=[value.type],
        attributes={_SEGMENTS: _segments(reset is not None)},
    )
