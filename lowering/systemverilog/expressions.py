"""SystemVerilog expressions as text, with the precedence that nesting them safely takes.

Every expression has the width of its value, so no operator widens an operand, and sums are modulo
2^width in any context. Every expression is unsigned. An operator is signed only if all its operands
are, so operands of signed operators are cast to signed, and their result is cast back at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple


class Level(IntEnum):
    """Precedence of an expression's outermost operator, tightest first."""

    PRIMARY = 0
    UNARY = 1
    PRODUCT = 2
    SUM = 3
    SHIFT = 4
    ORDER = 5
    EQUALITY = 6
    AND = 7
    XOR = 8
    OR = 9
    CHOICE = 10


class Expression(NamedTuple):
    text: str
    level: Level = Level.PRIMARY

    def within(self, loosest: Level) -> str:
        """The text, in parentheses if it binds less tightly than `loosest`."""
        return self.text if self.level <= loosest else f"({self.text})"


@lru_cache(maxsize=1 << 14)  # tables repeat few entries often
def literal(pattern: int, width: int, *, negative: bool = False) -> Expression:
    """A sized constant. If `negative`, a pattern with its highest bit set is printed negated."""
    if width == 1:
        return Expression(f"1'b{pattern}")
    if negative and pattern >> (width - 1):
        return Expression(f"-{_sized((1 << width) - pattern, width)}", Level.UNARY)
    return Expression(_sized(pattern, width))


def _sized(magnitude: int, width: int) -> str:
    return f"{width}'d{magnitude}" if width <= 32 else f"{width}'h{magnitude:X}"


def signed_literal(pattern: int, width: int) -> Expression:
    """A constant of a signed type."""
    sign = 1 << (width - 1)
    if width == 1:
        return Expression(f"1'sb{pattern}")
    if pattern == sign:  # its magnitude is no positive number of this width
        return Expression(f"{width}'sh{pattern:X}")
    if pattern < sign:
        return Expression(f"{width}'sd{pattern}")
    return Expression(f"-{width}'sd{2 * sign - pattern}", Level.UNARY)


def infix(operator: str, level: Level, operands: Sequence[Expression]) -> Expression:
    """Operands joined by an operator that associates to the left.

    Mixtures of shifts, comparisons and bitwise operators get parentheses for readers, although the
    language does not need them.
    """
    first = level if level in (Level.PRODUCT, Level.SUM) else Level.UNARY
    if level in (Level.ORDER, Level.EQUALITY):
        first = Level.SUM
    rest = min(first, Level(level - 1))
    head, *tail = operands
    text = f" {operator} ".join([head.within(first), *(term.within(rest) for term in tail)])
    return Expression(text, level)


def prefix(operator: str, operand: Expression) -> Expression:
    return Expression(f"{operator}{operand.within(Level.PRIMARY)}", Level.UNARY)


def choice(condition: Expression, if_true: Expression, if_false: Expression) -> Expression:
    text = (
        f"{condition.within(Level.PRIMARY)} ? "
        f"{if_true.within(Level.OR)} : {if_false.within(Level.CHOICE)}"
    )
    return Expression(text, Level.CHOICE)


def as_signed(operand: Expression) -> Expression:
    return Expression(f"$signed({operand.text})")


def as_unsigned(operand: Expression) -> Expression:
    """A signed expression as unsigned; the call keeps its operands signed in any context."""
    return Expression(f"$unsigned({operand.text})")


def part(name: str, width: int, low: int, size: int) -> Expression:
    """`size` bits of a signal of `width` bits, from bit `low`."""
    if size == width:
        return Expression(name)
    return Expression(f"{name}[{low}]" if size == 1 else f"{name}[{low + size - 1}:{low}]")


def sign_extended(name: str, source: int, target: int) -> Expression:
    """The signal `name` of `source` bits, its highest bit repeated up to `target` bits."""
    highest = part(name, source, source - 1, 1)
    return concatenation([replication(highest, target - source), Expression(name)])


def concatenation(operands: Sequence[Expression]) -> Expression:
    return operands[0] if len(operands) == 1 else _braces(operands)


def array(elements: Sequence[Expression]) -> Expression:
    """A packed array of elements, element 0 first, in braces even for a single element."""
    return _braces(elements[::-1])


def _braces(operands: Sequence[Expression]) -> Expression:
    return Expression("{" + ", ".join(operand.text for operand in operands) + "}")


def replication(operand: Expression, count: int) -> Expression:
    return operand if count == 1 else Expression(f"{{{count}{{{operand.text}}}}}")
