"""Rounding of integers."""

from __future__ import annotations

from kan_dialect.ir.constants import IntArray


def round_shift(values: IntArray, shift: int) -> IntArray:
    """`values / 2^shift` rounded half to even; a negative shift multiplies, exactly."""
    if shift <= 0:
        return values << -shift
    half = 1 << (shift - 1)
    quotient = values >> shift
    rest = values - (quotient << shift)
    return quotient + ((rest > half) | ((rest == half) & ((quotient & 1) == 1)))
