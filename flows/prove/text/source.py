"""The characters of a text, checked before slang parses it: comments, directives, numbers, names.

slang takes comments, directives and attributes out before it makes a tree, and reads more forms of
numbers and names than all tools do.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from kan_dialect.errors import KanError

REMEDY = "prove RTL that kan-flow build wrote"

_PRAGMA_WORDS = """
    0in altera ambit cadence coverage exemplar full_case lint_off lint_on mentor parallel_case
    pragma psl quartus spyglass synopsys synplify synthesis tessent translate_off translate_on vcs
    verilator vivado xilinx
"""

PRAGMAS = tuple(_PRAGMA_WORDS.split())
"""Words by which tools know comments that are meant for them, in small letters."""

LONGEST_NAME = 1024
"""Most characters of a name: all tools read these (IEEE 1800-2017, 5.6)."""

MOST_OPERATORS = 5000
"""Most operators of a statement: slang's stack overflows at some ten thousand."""

_STRANGE = re.compile(r"[^\n -~]")
_COMMENT = re.compile(r"//[^\n]*")
_OWN_LINE = re.compile(r"^ *//(?: [^\n]*)?$", re.MULTILINE)
_PRAGMA = re.compile("|".join(map(re.escape, PRAGMAS)), re.IGNORECASE)
_ESCAPE = re.compile(r"[`\\]|/\*|\*/")

_ATTRIBUTE = re.compile(
    r'\(\* rom_style = "distributed", romstyle = "logic" \*\)(?=\s+module\b)'
    r'|\(\* ram_style = "distributed", ramstyle = "MLAB" \*\)(?=\s+logic\b)'
    r'|\(\* ram_style = "registers", rom_style = "distributed", romstyle = "logic" \*\)'
    r"(?=\s+logic\b)"
    r'|\(\* ram_style = "block", rom_style = "block", romstyle = "M10K" \*\)'
    r"(?=\s+(?:logic\b|\(\* no_rw_check \*\)))"
    r"|\(\* no_rw_check \*\)(?=\s+logic\b)"
    r'|\(\* keep_hierarchy = "yes", syn_hier = "hard" \*\)(?=\s+module\s+(?P<kept>\w+))'
)

NO_IMPLICIT_NETS = "`default_nettype none"
IMPLICIT_NETS = "`default_nettype wire"
_FILE = re.compile(rf"\s*{NO_IMPLICIT_NETS}\b[^`]*{IMPLICIT_NETS}\s*")
_DIRECTIVE = re.compile(r"`default_nettype (?:none|wire)\b|`\S*")

_OUTSIDE = {
    # Each begins with a letter, so that the search is fast.
    re.compile(r"'(?:(?<!\d')|(?!s?(?:b[01]+|d\d{1,999}|h[0-9A-F]+)(?![\w'?])))\w*"): (
        "a number of another form than 4'd3, 4'sd3, 1'b0 or 8'hA3"
    ),
    re.compile(r"\\\S*"): "an escaped name",
    re.compile(r"/\*.*"): "a block comment",
    re.compile(r"\$(?:(?<=\w\$)|(?!(?:un)?signed\b))\w*"): (
        "a name with a $ other than $signed and $unsigned"
    ),
    re.compile(
        r"logic(?<=\blogic)\b(?:\s*\[\d+:0\])*+(?:\s+\w+\s*\[(?!0:\d+\]\s*;)|\s*\[)[^\]]*"
    ): "a declaration whose ranges are not [NUMBER:0], or [0:NUMBER] of a memory",
    re.compile(
        rf"(?<!')\b[A-Za-z_]\w{{{LONGEST_NAME},}}"
    ): f"a name of more than {LONGEST_NAME} characters",
}
"""Text that slang reads and the language lacks."""

_OPERATOR = re.compile(r"[-+*/%&|^~<>=!?]+")


class NotInSubset(KanError):
    """The text is not in the language that `docs/reference/rtl-subset.md` defines."""

    def __init__(self, line: int, column: int, construct: str) -> None:
        super().__init__(
            f"not in the subset that prove reads: line {line}, column {column}: {construct}",
            remedy=REMEDY,
        )
        self.line, self.column, self.construct = line, column, construct


@dataclass(frozen=True)
class Source:
    """A text whose characters, comments and directives are those of the language."""

    code: str
    """The text with blanks in the place of comments and attributes."""

    kept: frozenset[str]
    """Names of the modules that synthesis keeps apart."""

    @staticmethod
    def of(text: str) -> Source:
        """
        Raises
        ------
        NotInSubset : the language lacks a character, comment, directive, number or name.
        """
        unread = Source(text, frozenset())
        if (strange := _STRANGE.search(text)) is not None:
            raise unread.refuse(strange.start(), f"the character {strange[0]!r}")
        unread.check_comments()
        code = _COMMENT.sub(_blanks, text)
        kept = frozenset(found["kept"] for found in _ATTRIBUTE.finditer(code) if found["kept"])
        source = Source(_ATTRIBUTE.sub(_blanks, code), kept)
        source.check_directives()
        source.check_tokens()
        source.check_operators()
        return source

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.code))]

    def line(self, offset: int) -> int:
        """The line of a character, from 1 on."""
        return bisect_right(self._lines, offset)

    def refuse(self, offset: int, construct: str) -> NotInSubset:
        """The error for a construct that begins at a character."""
        line = self.line(offset)
        return NotInSubset(line, offset - self._lines[line - 1] + 1, construct)

    def check_comments(self) -> None:
        """Check that no tool takes a comment for a pragma, a directive or an end of a comment."""
        own = {comment.end() for comment in _OWN_LINE.finditer(self.code)}
        small = self.code.lower()
        suspected = any(word in small for word in PRAGMAS)
        for comment in _COMMENT.finditer(self.code):
            start, words = comment.start(), comment[0]
            if suspected and (pragma := _PRAGMA.search(words)) is not None:
                what = f"a comment with a word of pragmas, {pragma[0]!r}"
                raise self.refuse(start + pragma.start(), what)
            if (escape := _ESCAPE.search(words)) is not None:
                raise self.refuse(start + escape.start(), f"a comment with {escape[0]}")
            if comment.end() not in own:
                raise self.refuse(start, "a comment that is not // and a blank on its own line")

    def check_directives(self) -> None:
        """Check that the file stands between its two directives, and has no other."""
        if _FILE.fullmatch(self.code):
            return
        for directive in _DIRECTIVE.finditer(self.code):
            if directive[0] not in (NO_IMPLICIT_NETS, IMPLICIT_NETS):
                raise self.refuse(directive.start(), f"a compiler directive, {directive[0]}")
        raise self.refuse(0, f"a text that is not between {NO_IMPLICIT_NETS} and {IMPLICIT_NETS}")

    def check_tokens(self) -> None:
        """Check the forms of numbers, names and ranges."""
        for pattern, construct in _OUTSIDE.items():
            if (found := pattern.search(self.code)) is not None:
                before = self.code[: found.start()].rpartition("\n")[2]
                text = re.split(r"[^\w$]", before)[-1] + found[0]
                raise self.refuse(found.start(), f"{construct}, {text[:40]}")

    def check_operators(self) -> None:
        """Check that no statement is as long that slang cannot read it."""
        offset = 0
        for statement in self.code.split(";"):
            is_long = len(statement) > MOST_OPERATORS
            if is_long and len(_OPERATOR.findall(statement)) > MOST_OPERATORS:
                raise self.refuse(offset, f"a statement of more than {MOST_OPERATORS} operators")
            offset += len(statement) + 1


def _blanks(match: re.Match[str]) -> str:
    return " " * len(match[0])
