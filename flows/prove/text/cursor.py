"""A place in the tokens of a file: single tokens, names, numbers, and errors at that place."""

from __future__ import annotations

import re
from functools import lru_cache

from kan_dialect.flows.prove.text.syntax import Literal
from kan_dialect.flows.prove.text.tokens import KEYWORDS, NotInSubset, Tokens

LARGEST = 1 << 24
"""Largest plain number: a bound of a range, or a count of copies."""

LONGEST_NAME = 1024
"""Most characters of a name: all tools read these (IEEE 1800-2017, 5.6)."""

LONGEST_DECIMAL = 1000
"""Decimal numbers have fewer digits than this."""

PLAIN = re.compile(r"0|[1-9][0-9]{0,7}")
"""A number without a width."""

_A_NAME = "a name"
_LITERAL = re.compile(r"([1-9][0-9]{0,6})'(s?)([bdh])([0-9A-F]+)")
_PLAIN_DIGITS = re.compile(r"0|[1-9][0-9]*")


@lru_cache(1 << 14)
def _literal(text: str) -> tuple[int, int, bool] | str:
    """Width, bit pattern and signedness of a sized number; a string names what is wrong with it."""
    match = _LITERAL.fullmatch(text)
    if match is None:
        return f"the number {text}" if "'" in text else f"the number {text} without a width"
    width, base, digits = int(match[1]), match[3], match[4]
    if base == "b":
        fits = width == 1 and digits in ("0", "1")
    elif base == "d":
        fits = _PLAIN_DIGITS.fullmatch(digits) is not None and len(digits) <= width
        fits = fits and len(digits) < LONGEST_DECIMAL
    else:
        fits = len(digits) <= -(-width // 4)
    pattern = int(digits, {"b": 2, "d": 10, "h": 16}[base]) if fits else 0
    if not fits or pattern >> width:
        return f"the number {text}"
    return width, pattern, bool(match[2])


class Cursor:
    """Reads tokens from left to right; `place` is the index of the next one."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.texts = tokens.texts
        self.place: int = 0

    # Errors

    def refuse(self, construct: str, place: int | None = None) -> NotInSubset:
        return self.tokens.refuse(self.place if place is None else place, construct)

    def unexpected(self, expected: str) -> NotInSubset:
        """The error for the next token where `expected` should be."""
        text = self.texts[self.place]
        known = None if expected == _A_NAME and text in KEYWORDS else _known(text)
        return self.refuse(known or f"{_shown(text)}, where {expected} should be")

    # Single tokens

    def expect(self, text: str) -> None:
        if self.texts[self.place] != text:
            raise self.unexpected(text)
        self.place += 1

    def sequence(self, *texts: str) -> None:
        for text in texts:
            self.expect(text)

    def accept(self, text: str) -> bool:
        if self.texts[self.place] != text:
            return False
        self.place += 1
        return True

    def name(self) -> str:
        text = self.texts[self.place]
        if not text.isidentifier() or text in KEYWORDS:
            raise self.unexpected(_A_NAME)
        if len(text) > LONGEST_NAME:
            raise self.refuse(f"a name of more than {LONGEST_NAME} characters")
        self.place += 1
        return text

    def number(self) -> int:
        text = self.texts[self.place]
        if not PLAIN.fullmatch(text) or (value := int(text)) > LARGEST:
            raise self.unexpected("a plain number")
        self.place += 1
        return value

    def literal(self) -> Literal:
        """A sized number, with a minus sign or without."""
        at = self.place
        negative = self.accept("-")
        found = _literal(self.texts[self.place])
        if isinstance(found, str):
            if self.texts[self.place][:1].isdigit():
                raise self.refuse(found)
            raise self.unexpected("a number")
        self.place += 1
        width, pattern, signed = found
        return Literal(at, width, -pattern % (1 << width) if negative else pattern, signed)


_KNOWN = {
    "": "the end of the file",
    "#": "a delay",
    "##": "a delay",
    "(*": "an attribute",
    "/*": "a block comment",
    "'": "a number without a width",
    "'{": "an assignment pattern",
    "initial": "an initial block",
    "final": "a final block",
    "always": "an always block of the kind `always`",
    "always_comb": "an always_comb block",
    "always_latch": "an always_latch block",
    "negedge": "a falling edge",
    "generate": "a generate block",
    "genvar": "a generate block",
    "parameter": "a parameter",
    "defparam": "a parameter",
    "reg": "a variable of type reg",
    "integer": "a variable of type integer",
    "int": "a variable of type int",
    "signed": "a signed type",
    "case": "a case statement",
    "casez": "a case statement",
    "casex": "a case statement",
    "for": "a loop",
    "task": "a task",
    "import": "an import",
    "force": "a force statement",
    "assert": "an assertion",
    "specify": "a specify block",
    "package": "a package",
    "+:": "an indexed part",
    "-:": "an indexed part",
    ".": "a hierarchical name or a named port",
    "::": "a name of a package",
    "++": "an increment",
    "--": "a decrement",
}


def _known(text: str) -> str | None:
    """The SystemVerilog name of the construct that a misplaced token begins; None where unknown."""
    if text.startswith("`"):
        return f"a compiler directive {text}"
    if text.startswith("\\"):
        return "an escaped name"
    if text.startswith('"'):
        return "a string"
    if text.startswith("$"):
        return f"the system function {text}"
    if text[:1].isdigit() and isinstance(found := _literal(text), str) and "'" in text:
        return found
    if (text[:1].isalpha() or text[:1] == "_") and "$" in text:
        return f"a name with a $, {text}"
    return _KNOWN.get(text)


def _shown(text: str) -> str:
    return f"the keyword {text}" if text in KEYWORDS else text
