"""VHDL expressions as text, with the precedence that nesting them safely takes.

A value of one bit is `std_logic`, a longer one `unsigned(n - 1 downto 0)`. Arrays are the bits of
their elements, element 0 lowest. Operators on signed numbers convert their operands to `signed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

LARGEST_NATURAL = (1 << 31) - 1
"""Integers of VHDL have 32 bits at least (IEEE 1076-2008, 5.2.3.1)."""

WORD = "unsigned"
"""Type of values of several bits."""


class Level(IntEnum):
    """Kind of an expression, by what an operator needs around it."""

    PRIMARY = 0
    """Nothing."""
    OPERATION = 1
    """Parentheses: VHDL has few levels of precedence, and readers know fewer."""
    BITS = 2
    """A qualification with the type: literals of bits, and concatenations."""
    CHOICE = 3
    """A statement of its own: a conditional assignment."""


class Expression(NamedTuple):
    text: str
    level: Level = Level.PRIMARY

    @property
    def operand(self) -> str:
        """The text as an operand or argument."""
        match self.level:
            case Level.PRIMARY:
                return self.text
            case Level.OPERATION:
                return f"({self.text})"
            case Level.BITS:
                return f"{WORD}'({self.text})"
            case Level.CHOICE:
                raise AssertionError("a choice is a statement")

    @property
    def argument(self) -> str:
        """The text as the only argument of a call or conversion."""
        return self.text if self.level == Level.OPERATION else self.operand


@lru_cache(maxsize=1 << 14)  # tables repeat few entries often
def literal(pattern: int, width: int, *, negative: bool = False) -> Expression:
    """A constant. If `negative`, a pattern with its highest bit set is printed as a number < 0."""
    if width == 1:
        return Expression(f"'{pattern}'")
    if negative and pattern >> (width - 1) and width <= 32:
        return Expression(f"unsigned(to_signed({pattern - (1 << width)}, {width}))")
    if pattern <= LARGEST_NATURAL:
        return Expression(f"to_unsigned({pattern}, {width})")
    return Expression(bit_string(pattern, width), Level.BITS)


def bits_type(width: int) -> str:
    """Type of a port of `width` bits."""
    return "std_logic" if width == 1 else f"std_logic_vector({width - 1} downto 0)"


def bit_string(pattern: int, width: int) -> str:
    """A literal of bits: binary if short, else hexadecimal with its length."""
    if width <= 8:
        return f'"{pattern:0{width}b}"'
    return f'{width}x"{pattern:0{-(-width // 4)}X}"'


def infix(operator: str, operands: Sequence[str]) -> Expression:
    """Operands joined by an operator that associates to the left."""
    return Expression(f" {operator} ".join(operands), Level.OPERATION)


def prefix(operator: str, operand: Expression) -> Expression:
    return Expression(f"{operator} {operand.operand}", Level.OPERATION)


def call(function: str, *arguments: str) -> Expression:
    """A call of a function, or a conversion to a type."""
    return Expression(f"{function}({', '.join(arguments)})")


def as_signed(value: Expression) -> Expression:
    """A value of several bits as `signed`."""
    inner = value.text.removeprefix("unsigned(")
    if inner != value.text and value.level == Level.PRIMARY and _closes_at_the_end(inner):
        # A conversion to unsigned is undone: signed(x0), not signed(unsigned(x0)).
        return Expression(inner[:-1] if inner.startswith("to_signed(") else f"signed({inner}")
    return call("signed", value.argument)


def _closes_at_the_end(text: str) -> bool:
    """Whether the first bracket that `text` closes without opening it is its last character."""
    depth = 1
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return place == len(text) - 1
    return False


def repeated(bit: str, count: int) -> Expression:
    """A vector of copies of a bit."""
    return Expression(f"{WORD}'({count - 1} downto 0 => {bit})")


def part(name: str, width: int, low: int, size: int) -> str:
    """`size` bits of the signal `name` of `width` bits, from bit `low`."""
    if size == width:
        return name
    return f"{name}({low})" if size == 1 else f"{name}({low + size - 1} downto {low})"
