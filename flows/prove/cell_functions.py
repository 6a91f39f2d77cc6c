"""What Yosys's cells compute, as functions of forms: the part of a circuit without its signals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from kan_dialect.flows.prove.forms import (
    Form,
    Image,
    TooHard,
    UndefinedAt,
    add,
    as_quotient,
    bounds,
    combined,
    constant,
    is_positive,
    mapped,
    plain,
    scale,
    subtract,
)
from kan_dialect.ir.constants import Array, IntArray

BITWISE: dict[str, Callable[[IntArray, IntArray], Array]] = {
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "xnor": lambda a, b: ~(a ^ b),
}
LOGICAL: dict[str, Callable[[IntArray, IntArray], Array]] = {
    "logic_and": lambda a, b: (a != 0) & (b != 0),
    "logic_or": lambda a, b: (a != 0) | (b != 0),
}
COMPARISONS: dict[str, Callable[[IntArray, IntArray], Array]] = {
    "eq": lambda a, b: a == b,
    "eqx": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "nex": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


def sum_of(parts: Iterable[Form]) -> Form:
    """The sum of forms; 0 without any."""
    whole: Form = constant(0)
    for part in parts:
        whole = add(whole, part)
    return whole


def joined_downwards(parts: Sequence[Form], modulus: int) -> Form | None:
    """Parts of one word as a sum, or as its upper bits; None where they are neither.

    Each is added to those above it, as the lower bits of a sum are next to its upper ones.

    Parameters
    ----------
    parts : lowest first.
    modulus : two to the power of the word's width.
    """
    whole: Form | None = constant(0)
    for part in reversed(parts):
        try:
            whole = plain(add(part, whole), modulus)
        except TooHard:
            return None
        if isinstance(whole, Image):
            whole = as_quotient(whole)
        if whole is None:
            return None
    return whole


def entry_at(entries: Sequence[int | None], address: Form) -> Form:
    """The table entry at an address, counted from 0; undefined beyond the table and where None."""
    defined = np.array([entry is not None for entry in entries])
    values = np.array([entry or 0 for entry in entries], dtype=np.int64)

    def look_up(index: IntArray) -> IntArray:
        bad = (index < 0) | (index >= len(values))
        bad |= ~defined[np.where(bad, 0, index)]
        if bool(bad.any()):
            raise UndefinedAt(int(np.flatnonzero(bad)[0]))
        return values[index]

    return mapped(look_up, address)


def comparison(kind: str, left: Form, right: Form) -> Form:
    """A comparison, such as `gt`, of two forms: of two words of many values by their difference."""
    try:
        return combined(COMPARISONS[kind], left, right)
    except TooHard:
        if kind not in ("lt", "le", "gt", "ge"):
            raise
    apart = subtract(left, right) if kind in ("gt", "ge") else subtract(right, left)
    return is_positive(apart, or_zero=kind in ("le", "ge"))


def reduction(kind: str, word: Form, width: int) -> Form:
    """A reduction operator, such as `reduce_or`, of a word of `width` bits."""
    if kind in ("reduce_or", "reduce_bool"):
        return mapped(lambda v: v != 0, word)
    if kind == "reduce_and":
        return mapped(lambda v: v == (1 << width) - 1, word)
    odd = int(kind == "reduce_xnor")

    def parity(v: IntArray) -> Array:
        return (odd + np.sum([(v >> bit) & 1 for bit in range(width)], axis=0)) & 1

    return mapped(parity, word)


def product(left: Form, right: Form) -> Form:
    """The product of two forms; a constant factor scales the other one."""
    for factor, form in ((left, right), (right, left)):
        low, high = bounds(factor)
        if low == high:
            return scale(form, low)
    return combined(lambda a, b: a * b, left, right)


def shift(kind: str, value: Form, amount: Form, width: int) -> Form:
    """A shift cell, such as `shl`, of a value by an amount; left shifts keep `width` bits."""
    if kind in ("shl", "sshl"):
        mask = (1 << width) - 1
        return combined(lambda v, s: (v << s) & mask, value, amount)
    return combined(lambda v, s: v >> np.minimum(s, 63), value, amount)
