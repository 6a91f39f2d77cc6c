"""The text as tokens: comments checked and taken out, every other character accounted for."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from kan_dialect.errors import KanError

REMEDY = "prove RTL that kan-flow build wrote"


class NotInSubset(KanError):
    """The text is not in the language that `docs/reference/rtl-subset.md` defines."""

    def __init__(self, line: int, column: int, construct: str) -> None:
        super().__init__(
            f"not in the subset that prove reads: line {line}, column {column}: {construct}",
            remedy=REMEDY,
        )
        self.line, self.column, self.construct = line, column, construct


_KEYWORDS = """
    accept_on alias always always_comb always_ff always_latch and assert assign assume automatic
    before begin bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle
    checker class clocking cmos config const constraint context continue cover covergroup
    coverpoint cross deassign default defparam design disable dist do edge else end endcase
    endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface
    endmodule endpackage endprimitive endprogram endproperty endsequence endspecify endtable
    endtask enum event eventually expect export extends extern final first_match for force
    foreach forever fork forkjoin function generate genvar global highz0 highz1 if iff ifnone
    ignore_bins illegal_bins implements implies import incdir include initial inout input inside
    instance int integer interconnect interface intersect join join_any join_none large let
    liblist library local localparam logic longint macromodule matches medium modport module
    nand negedge nettype new nexttime nmos nor noshowcancelled not notif0 notif1 null or output
    package packed parameter pmos posedge primitive priority program property protected pull0
    pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase
    randsequence rcmos real realtime ref reg reject_on release repeat restrict return rnmos
    rpmos rtran rtranif0 rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared
    sequence shortint shortreal showcancelled signed small soft solve specify specparam static
    string strong strong0 strong1 struct super supply0 supply1 sync_accept_on sync_reject_on
    table tagged task this throughout time timeprecision timeunit tran tranif0 tranif1 tri tri0
    tri1 triand trior trireg type typedef union unique unique0 unsigned until until_with untyped
    use uwire var vectored virtual void wait wait_order wand weak weak0 weak1 while wildcard
    wire with within wor xnor xor
"""

KEYWORDS = frozenset(_KEYWORDS.split())
"""IEEE 1800-2017, annex B: no names."""

TABLES_ARE_LOGIC = '(* rom_style = "distributed", romstyle = "logic" *)'
MEMORY_IS_LOGIC = '(* ram_style = "distributed", ramstyle = "MLAB" *)'
MODULE_IS_KEPT = '(* keep_hierarchy = "yes", syn_hier = "hard" *)'
NO_IMPLICIT_NETS = "`default_nettype none"
IMPLICIT_NETS = "`default_nettype wire"

PRAGMAS = (
    "0in",
    "altera",
    "ambit",
    "cadence",
    "coverage",
    "exemplar",
    "full_case",
    "lint_off",
    "lint_on",
    "mentor",
    "parallel_case",
    "pragma",
    "psl",
    "quartus",
    "spyglass",
    "synopsys",
    "synplify",
    "synthesis",
    "tessent",
    "translate_off",
    "translate_on",
    "vcs",
    "verilator",
    "vivado",
    "xilinx",
)
"""Words by which tools know comments that are meant for them, in small letters."""

_STRANGE = re.compile(r"[^\n -~]")
_COMMENT = re.compile(r"//[^\n]*")
_OWN_LINE = re.compile(r"^ *//(?: [^\n]*)?$", re.MULTILINE)
_PRAGMA = re.compile("|".join(map(re.escape, PRAGMAS)), re.IGNORECASE)
_ESCAPE = re.compile(r"[`\\]|/\*|\*/")

_TOKEN = re.compile(
    "|".join(
        [
            re.escape(TABLES_ARE_LOGIC),
            re.escape(MEMORY_IS_LOGIC),
            re.escape(MODULE_IS_KEPT),
            r"`default_nettype (?:none|wire)\b",
            r"[`\\][^\s]*",  # other directives and macros; escaped names
            r"[A-Za-z_][A-Za-z0-9_$]*",
            r"\$[A-Za-z0-9_$]*",
            r'"[^"\n]*"?',
            # Numbers, with all that other numbers may have behind them.
            r"[0-9][0-9_]*(?:[ ]*'[A-Za-z]*[ ]*[0-9A-Za-z_?]*|\.[0-9]+)?[A-Za-z0-9_]*",
            r"/\*",
            # Operators: the longest first, those of the whole language.
            r"<<<=|>>>=|\(\*|\*\)",
            r"===|!==|==\?|!=\?|<->|>>>|<<<|<<=|>>=|&&&|\|->|\|=>|->>",
            r"==|!=|<=|>=|<<|>>|&&|\|\||\*\*|~&|~\||~\^|\^~|->|=>|\*>|\+\+|--|::|\+:|-:|:=|:/",
            r"\+=|-=|\*=|/=|%=|&=|\|=|\^=|##|'\{|\.\*",
            r"[^\s]",
        ]
    )
)


@dataclass(frozen=True)
class Tokens:
    """The tokens of a text, as strings; an empty one stands at the end."""

    code: str
    """The text without its comments, every other character at its place in its line."""

    texts: list[str]

    @cached_property
    def offsets(self) -> list[int]:
        """Where each token begins in `code`."""
        return [match.start() for match in _TOKEN.finditer(self.code)] + [len(self.code)]

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.code))]

    def line(self, index: int) -> int:
        """The line of a token, from 1 on."""
        return bisect_right(self._lines, self.offsets[index])

    def refuse(self, index: int, construct: str) -> NotInSubset:
        """The error that a construct, from this token on, is."""
        line = self.line(index)
        return NotInSubset(line, self.offsets[index] - self._lines[line - 1] + 1, construct)


def tokens(text: str) -> Tokens:
    """
    Raises
    ------
    NotInSubset : the language lacks a character or a comment.
    """
    if (strange := _STRANGE.search(text)) is not None:
        raise _refused(text, strange.start(), f"the character {strange[0]!r}")
    code = _without_comments(text)
    return Tokens(code, [*_TOKEN.findall(code), ""])


def _without_comments(text: str) -> str:
    own = {comment.end() for comment in _OWN_LINE.finditer(text)}
    for comment in _COMMENT.finditer(text):
        start, words = comment.start(), comment[0]
        if (pragma := _PRAGMA.search(words)) is not None:
            place = start + pragma.start()
            raise _refused(text, place, f"a comment with a word of pragmas, {pragma[0]!r}")
        if (escape := _ESCAPE.search(words)) is not None:
            raise _refused(text, start + escape.start(), f"a comment with {escape[0]}")
        if comment.end() not in own:
            behind = bool(text[:start].rpartition("\n")[2].strip())
            what = "a comment behind code" if behind else "a comment that is not // and a blank"
            raise _refused(text, start, what)
    return _COMMENT.sub("", text)


def _refused(text: str, offset: int, construct: str) -> NotInSubset:
    before = text[:offset]
    return NotInSubset(before.count("\n") + 1, offset - before.rfind("\n"), construct)
