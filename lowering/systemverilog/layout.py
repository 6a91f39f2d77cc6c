"""Lines of text: broken statements and comments, blocks, declarations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from xdsl.dialects import hw
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Attribute

from kan_dialect.evaluate.hardware import bit_width

LINE_LENGTH = 100


def declared(name: str, value_type: Attribute) -> str:
    """A declaration of a name with the ranges of its type: `logic [3:0][5:0] a`."""
    match value_type:
        case IntegerType():
            width = value_type.width.data
            ranges = f" [{width - 1}:0]" if width > 1 else ""
        case hw.ArrayType():
            width = bit_width(value_type.element_type)
            ranges = f" [{len(value_type) - 1}:0]" + (f"[{width - 1}:0]" if width > 1 else "")
        case _:
            ranges = ""
    return f"logic{ranges} {name}"


def block(statements: list[str], indent: str) -> Iterator[str]:
    """Statements; several are enclosed in `begin` and `end`."""
    if len(statements) == 1:
        yield from broken(f"{indent}{statements[0]}")
        return
    yield f"{indent[:-2]}begin"
    for statement in statements:
        yield from broken(f"{indent}{statement}")
    yield f"{indent[:-2]}end"


_PRAGMA_WORDS = """
    0in altera ambit cadence coverage exemplar full_case lint_off lint_on mentor parallel_case
    pragma psl quartus spyglass synopsys synplify synthesis tessent translate_off translate_on vcs
    verilator vivado xilinx
"""
"""Words that mark a comment as a pragma of a tool."""

_SPOILED = re.compile(
    "|".join([r"[^ -~]", r"[`\\]", r"(?<=/)\*", r"(?<=\*)/", *_PRAGMA_WORDS.split()]),
    re.IGNORECASE | re.ASCII,  # in Unicode, three letters are those of ASCII in another case
)

_SPOILING = ("`", "\\", "/*", "*/", *_PRAGMA_WORDS.split())
"""Printable ASCII without any of these, in lower case, has nothing to replace."""


def commented(text: str) -> str:
    """Text that is safe in a comment: `?` replaces characters that a tool could interpret.

    These are ends of lines, characters outside ASCII, macros, ends of other comments, and the first
    letter of each word that marks a pragma.
    """
    # Ten times as fast as the search, and nearly all names are clean.
    if text.isascii() and text.isprintable():
        lower = text.lower()
        if not any([word in lower for word in _SPOILING]):
            return text
    return _SPOILED.sub(lambda found: f"?{found[0][1:]}", text)


def comment(text: str, indent: str, mark: str = "//") -> Iterator[str]:
    """A comment in lines of at most LINE_LENGTH, which break at newlines of the text only.

    Parameters
    ----------
    mark : begins a comment in the language.
    """
    return listed(map(commented, text.split("\n")), indent, mark)


def listed(parts: Iterable[str], indent: str, mark: str = "//") -> Iterator[str]:
    """A comment of parts that are safe in one, in lines that break between parts only."""
    text = "\n".join(parts)
    lead = f"{indent}{mark}"
    deeper = f"{lead}    "
    start = 0
    # Line by line, as tables have thousands of parts.
    while len(text) - start > (room := LINE_LENGTH - len(lead) - 1):
        end = text.rfind("\n", start, start + room + 1)
        if end < 0 and lead is not deeper:
            yield lead
            lead = deeper
            continue
        if end < 0:  # a part that is longer than a line
            end = text.find("\n", start)
            if end < 0:
                break
        yield f"{lead} {text[start:end]}".replace("\n", " ")
        start, lead = end + 1, deeper
    yield f"{lead} {text[start:]}".replace("\n", " ")


def broken(line: str) -> Iterator[str]:
    """A statement as one or more lines, broken at blanks, outside brackets if possible."""
    if len(line) <= LINE_LENGTH:
        yield line
        return
    body = line.lstrip()
    indent = " " * (len(line) - len(body))
    deeper = f"{indent}    "
    current = ""
    for part in _parts(body, LINE_LENGTH - len(deeper)):
        extended = f"{current} {part}" if current else f"{indent}{part}"
        if current and len(extended) > LINE_LENGTH:
            yield current
            extended = f"{deeper}{part}"
        current = extended
    yield current


_ALTERNATIVES = re.compile(r"(?<= :) ")


def _parts(text: str, longest: int) -> Iterator[str]:
    """The alternatives of a choice; one longer than `longest` is split at its blanks."""
    for alternative in _ALTERNATIVES.split(text) if " : " in text else [text]:
        if len(alternative) <= longest:
            yield alternative
        else:
            yield from _words(alternative, longest)


def _words(text: str, longest: int) -> Iterator[str]:
    """The text split at blanks; brackets of at most `longest` characters stay whole."""
    held: list[str] = []
    depth = 0
    for word, shape in zip(text.split(" "), text.translate(_ROUND).split(" "), strict=True):
        opened, closed = shape.count("("), shape.count(")")
        if depth == 0 and opened == closed:
            yield word
            continue
        held.append(word)
        depth += opened - closed
        if depth == 0:
            joined = " ".join(held)
            yield from [joined] if len(joined) <= longest else held
            held = []
    yield from held


_ROUND = str.maketrans("[{}]", "(())")
