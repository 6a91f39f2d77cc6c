"""Verification of ops on numbers: tensors of floats, or of `!kan.fixed` fixed-point numbers."""

from __future__ import annotations

from xdsl.dialects.builtin import AnyFloat
from xdsl.ir import Attribute, SSAValue

from kan_dialect.ir import verifier
from kan_dialect.ir.fixed_point import FixedType, fixed_type
from kan_dialect.ir.types import MAX_RANGE_BITS
from kan_dialect.ir.verifier import require


def numbers(value: SSAValue, rank: int, what: str) -> tuple[tuple[int, ...], Attribute]:
    """Shape and element type of a tensor of floats or fixed-point numbers.

    Raises
    ------
    VerifyException : the value is not a tensor of numbers; the message calls it `what`.
    """
    shape, element = verifier.tensor(value, rank, what)
    require(
        isinstance(element, AnyFloat | FixedType),
        f"{what} must hold floats or !kan.fixed numbers, got {element}",
    )
    return shape, element


def fixed_types(*values: SSAValue) -> list[FixedType]:
    """The types of an op's fixed-point numbers; none if its numbers are floats.

    Raises
    ------
    VerifyException : they are mixed.
    """
    kinds = [kind for value in values if (kind := fixed_type(value)) is not None]
    require(len(kinds) in (0, len(values)), "floats and !kan.fixed numbers do not mix")
    return kinds


def require_sum(bits: int, what: str) -> None:
    """Require sums to fit the int64 in which they are evaluated."""
    require(
        bits <= MAX_RANGE_BITS,
        f"{what} need {bits} bits, more than {MAX_RANGE_BITS}: take narrower numbers",
    )


def sum_bits(left: FixedType, right: FixedType, terms: int, result: FixedType) -> int:
    """Bits that hold a sum of `terms` products, also when aligned with the result's fraction."""
    aligned = max(0, result.fraction - left.fraction - right.fraction)
    return left.bits + right.bits + (terms - 1).bit_length() + 1 + aligned
