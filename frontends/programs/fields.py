"""Checked parts of JSON: lists, objects, numbers, ranges. `where` begins each message."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

from kan_dialect.errors import KanError
from kan_dialect.frontends.programs.program import Codes
from kan_dialect.quoting import quoted

MAX_BITS = 52
"""The most bits of a value: float64 holds it exactly."""
MAX_EXPONENT = 64
"""The largest exponent of a step or a shift; the least is its negative."""


def as_list(content: object, where: str, count: int | None = None) -> list[object]:
    """A list, of `count` entries."""
    if not isinstance(content, list):
        raise KanError(f"{where} has {quoted(content)} in place of a list")
    found = cast("list[object]", content)
    if count is not None and len(found) != count:
        raise KanError(f"{where} has {len(found)} entries in place of {count}")
    return found


def as_object(content: object, where: str) -> Mapping[str, object]:
    if not isinstance(content, dict):
        raise KanError(f"{where} has {quoted(content)} in place of an object")
    return cast("dict[str, object]", content)


def as_integer(content: object, where: str) -> int:
    """An integer of 64 bits."""
    if type(content) is not int or abs(content) >= 1 << 63:
        raise KanError(f"{where} has {quoted(content)} in place of an integer")
    return content


def as_word(content: object, where: str) -> int:
    """An integer of 64 bits, which a file may also hold without a sign."""
    if type(content) is int and 1 << 63 <= content < 1 << 64:
        return content - (1 << 64)
    return as_integer(content, where)


def as_integers(content: object, where: str, count: int | None = None) -> list[int]:
    return [as_integer(each, where) for each in as_list(content, where, count)]


def as_number(content: object, where: str) -> float:
    if not isinstance(content, int | float) or not math.isfinite(content):
        raise KanError(f"{where} has {quoted(content)} in place of a number")
    return float(content)


def as_exponent(value: int, where: str) -> int:
    if abs(value) > MAX_EXPONENT:
        raise KanError(f"{where} has 2^{value}, beyond 2^±{MAX_EXPONENT}", remedy="use fewer bits")
    return value


def as_codes(content: object, where: str) -> tuple[Codes, int]:
    """The narrowest codes of a range `[min, max, step]`, and the code of `min`."""
    low, high, step = (as_number(each, where) for each in as_list(content, where, 3))
    mantissa, exponent = math.frexp(step)
    if mantissa != 0.5 or low > high:
        raise KanError(
            f"{where} has the range {low}..{high} and the step {step}, not a power of two"
        )
    first, last = low / step, high / step
    if not (first.is_integer() and last.is_integer()):
        raise KanError(f"{where} has a range of {low}..{high} in steps of {step}")
    ends = max(-1 - int(first), 0), max(int(last), 0)
    bits = max(end.bit_length() for end in ends) + (first < 0)
    if bits > MAX_BITS:
        raise KanError(f"{where} needs {bits} bits, more than {MAX_BITS}", remedy="use fewer bits")
    return Codes(first < 0, bits, as_exponent(exponent - 1, where)), int(first)
