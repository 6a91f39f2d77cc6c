"""Changes of emitted SystemVerilog that keep the bits and leave the proven language.

One tool may read the result as the same design while another reads a different one, or refuses it.
Each kind of change lists the places in a text where it applies. Harmless kinds are a control group,
which a reader of the text need not refuse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Change: TypeAlias = Callable[[str], Iterator[str]]
"""Every text that a change makes of a text, place by place."""


@dataclass(frozen=True)
class TextChange:
    """A kind of change."""

    name: str
    texts: Change
    harmless: bool = False


@dataclass(frozen=True)
class Mutant:
    """A text with one change."""

    kind: str
    text: str
    harmless: bool = False


def mutants(text: str, chosen: Sequence[TextChange] | None = None) -> Iterator[Mutant]:
    """Every mutant of a text, kind by kind."""
    for change in CHANGES if chosen is None else chosen:
        for changed in change.texts(text):
            if changed != text:
                yield Mutant(change.name, changed, change.harmless)


# Places.

_REGISTER = r"^( +)(\w+) <= ([^;]+);"
"""Indentation, name, value."""
_WIRE = r"^  wire logic((?: \[\d+:0\])*) (\w+) =\s+([^;]+);"
"""Ranges, name, value."""
_VARIABLE = r"^  logic((?: \[\d+:0\])*) (\w+);"
_TABLE = r"^  localparam logic \[(\d+):0\] (\w+) = ([^;]+);"
_NUMBER = r"\b(\d+)'(s?)([bdh])([0-9A-F]+)\b"
_ASSIGNMENT = r"^  assign (\w+) = ([^;]+);"
_CLOCKED = r"always_ff @\(posedge clk\)"
_MODULE = r"^module (\w+) \("
_BODY = r"^\);\n"
"""The end of the ports."""
_END = r"^endmodule\n"
_FUNCTION = r"^  function automatic ([^;]+);\n"
_RETURNED = r"^  endfunction\n"
_PORT = r"^  (input |output)( ?)wire logic((?: \[\d+:0\])?) (\w+)(,?)$"
_DATA_PORT = r"\bx0\b(?!:)"
_COMMENT = r"^  // [^\n]*\n"
_LINE = r";\n"
_FIRST = r"\A"


def _replaced(pattern: str, *replacements: str) -> Change:
    """Replace every match of a pattern outside comments, by each of some templates."""
    compiled = re.compile(pattern, re.MULTILINE)

    def texts(text: str) -> Iterator[str]:
        for match in compiled.finditer(text):
            line = text.rfind("\n", 0, match.start()) + 1
            if "//" in text[line : match.start()]:
                continue
            for replacement in replacements:
                yield text[: match.start()] + match.expand(replacement) + text[match.end() :]

    return texts


def _before(pattern: str, *lines: str) -> Change:
    return _replaced(f"(?=(?P<place>{pattern}))", *(line + r"\n" for line in lines))


def _after(pattern: str, *lines: str) -> Change:
    return _replaced(f"(?P<all>{pattern})", *(r"\g<all>" + line + r"\n" for line in lines))


def _around(pattern: str, *pairs: tuple[str, str]) -> Change:
    """Insert lines before and behind each match."""
    texts = (before + r"\n\g<all>\n" + after for before, after in pairs)
    return _replaced(f"(?P<all>{pattern})", *texts)


def _renamed(*names: str) -> Change:
    """A wire gets another name everywhere in the code."""

    def texts(text: str) -> Iterator[str]:
        marked = re.compile(r"layer\d+_(?:node|sum)\d+(?:_s\d+)?$")
        for match in re.finditer(_WIRE, text, re.MULTILINE):
            old = match[2]
            if not marked.match(old) and not old.startswith("unused"):
                for name in names:
                    new = name.replace("OLD", old)
                    yield re.sub(rf"(?<!\w){old}(?!\w)", lambda _, new=new: new, text)

    return texts


def _each(*changes: Change) -> Change:
    def texts(text: str) -> Iterator[str]:
        for change in changes:
            yield from change(text)

    return texts


def _then(first: Change, second: Callable[[str], str]) -> Change:
    def texts(text: str) -> Iterator[str]:
        yield from map(second, first(text))

    return texts


def _everywhere(pattern: str, replacement: str) -> Callable[[str], str]:
    return lambda text: re.sub(pattern, replacement, text, flags=re.MULTILINE)


def _late(text: str) -> Iterator[str]:
    """A wire that is read before it is declared."""
    end = text.index("endmodule\n")
    for match in re.finditer(_WIRE + r"\n", text, re.MULTILINE):
        if re.search(rf"\b{match[2]}\b", text[match.end() :]):
            without = text[: match.start()] + text[match.end() : end]
            yield without + match[0] + text[end:]


def _swapped(text: str) -> Iterator[str]:
    """Two tables change places."""
    pattern = rf"(?P<first>{_TABLE}\n)(?P<second>{_TABLE}\n)"
    for match in re.finditer(pattern, text, re.MULTILINE):
        yield text[: match.start()] + match["second"] + match["first"] + text[match.end() :]


TOOLS = ("synopsys", "synthesis", "pragma", "xilinx", "cadence", "mentor", "ambit", "exemplar")
"""Words that begin a pragma in a comment."""
MACROS = ("SYNTHESIS", "YOSYS", "__ICARUS__", "VERILATOR", "FORMAL", "XILINX_SIMULATOR")

_OFF = [(f"  // {tool} translate_off", f"  // {tool} translate_on") for tool in TOOLS] + [
    ("  // synthesis off", "  // synthesis on"),
    ("  //synopsys translate_off", "  //synopsys translate_on"),
    ("  // SYNOPSYS TRANSLATE_OFF", "  // SYNOPSYS TRANSLATE_ON"),
    ("  /* synthesis translate_off */", "  /* synthesis translate_on */"),
    ("  // altera translate_off", "  // altera translate_on"),
    ("  // verilator coverage_off", "  // verilator coverage_on"),
    ("  // rtl_synthesis off", "  // rtl_synthesis on"),
]
_IF = [(f"`ifdef {macro}", "`else\n\\g<1>\\g<2> <= ~\\g<2>;\n`endif") for macro in MACROS] + [
    (f"`ifndef {macro}", "`endif") for macro in MACROS
]

# The catalogue.

_LANGUAGE: dict[str, Change] = {
    "= in a clocked process": _replaced(_REGISTER, r"\1\2 = \3;"),
    "delays": _each(
        _replaced(_REGISTER, r"\1\2 <= #12 \3;", r"\1#1 \2 <= \3;"),
        _replaced(_ASSIGNMENT, r"  assign #12 \1 = \2;"),
        _replaced(_WIRE, r"  wire logic\1 #3 \2 = \3;"),
    ),
    "events in assignments": _replaced(
        _REGISTER, r"\1\2 <= @(posedge clk) \3;", r"\1\2 <= repeat (2) @(posedge clk) \3;"
    ),
    "a clock that is another signal": _each(
        _replaced(_CLOCKED, "always_ff @(posedge rst)", "always_ff @(posedge in_valid)"),
        _then(
            _after(_BODY, "  wire logic clk_1 = clk;"),
            _everywhere(_CLOCKED, "always_ff @(posedge clk_1)"),
        ),
        _then(
            _after(_BODY, "  wire #1 clk_1 = clk;"),
            _everywhere(_CLOCKED, "always_ff @(posedge clk_1)"),
        ),
        _then(
            _after(_BODY, "  wire logic gated = clk & in_valid;"),
            _everywhere(_CLOCKED, "always_ff @(posedge gated)"),
        ),
    ),
    "other edges": _replaced(
        _CLOCKED,
        "always_ff @(negedge clk)",
        "always_ff @(posedge clk or negedge clk)",
        "always_ff @(edge clk)",
        "always_ff @(clk)",
        "always_ff @(posedge clk iff in_valid)",
        "always_ff @(posedge clk, posedge rst)",
        "always_ff @(posedge clk or negedge rst)",
    ),
    "other processes": _replaced(
        _CLOCKED,
        "always @(posedge clk)",
        "always_latch",
        "always_comb",
        "always @*",
        "always",
        "initial forever @(posedge clk)",
    ),
    "combinational processes": _replaced(
        _WIRE,
        r"  logic\1 \2;\n  always_comb \2 = \3;",
        r"  logic\1 \2;\n  always @* \2 = \3;",
        r"  logic\1 \2;\n  always @(*) \2 = \3;",
        r"  logic\1 \2;\n  always_comb \2 <= \3;",
        r"  logic\1 \2;\n  always_latch \2 = \3;",
    ),
    "incomplete sensitivity": _replaced(
        _WIRE,
        r"  logic\1 \2;\n  always @(x0) \2 = \3;",
        r"  logic\1 \2;\n  always @(in_valid or x0) \2 = \3;",
        r"  logic\1 \2;\n  initial \2 = \3;",
    ),
    "initial values": _each(
        _replaced(_VARIABLE, r"  logic\1 \2 = '0;", r"  logic\1 \2 = 0;", r"  logic\1 \2 = 1'b1;"),
        _replaced(_WIRE, r"  logic\1 \2 = \3;", r"  var logic\1 \2 = \3;", r"  reg\1 \2 = \3;"),
        _after(_VARIABLE + r"\n", r"  initial \2 = '0;"),
    ),
    "a variable that is called like a process": _then(
        _replaced(_WIRE, r"  logic\1 always_x = \3; wire logic\1 \2 = always_x;"), lambda text: text
    ),
    "keywords as names": _renamed("reg", "bit", "priority", "checker", "final", "always_comb"),
    "escaped names": _renamed(r"\OLD ", r"\a+b "),
    "hierarchical names": _each(
        _replaced(_DATA_PORT + r"(?=[;\]])", r"$root.top.x0", r"top.x0"),
        _replaced(_CLOCKED, "always_ff @(posedge top.clk)"),
    ),
    "pragmas in comments": _around(_WIRE, *_OFF),
    "pragmas behind code": _replaced(
        _LINE, *(f"; // {tool} full_case parallel_case\\n" for tool in TOOLS[:4])
    ),
    "comments of other kinds": _each(
        _replaced(_LINE, r"; // a comment\n", r"; /* a comment */\n", r"; /* // */\n"),
        _before(_WIRE, r"  // a comment \\", r"  // /*", r"  //* */", "  # a comment"),
    ),
    "conditional text": _around(_REGISTER, *_IF),
    "macros": _each(
        _before(_MODULE, "`define x0 x1", "`define W wire", "`undef W", "`define F(a) a"),
        _replaced(_WIRE, r"`define E \\\n  1\n  wire logic\1 \2 = \3;"),
        _then(_before(_MODULE, "`define LOGIC logic"), _everywhere(r"^  logic", "  `LOGIC")),
    ),
    "other directives": _each(
        _before(
            _MODULE,
            '`include "other.svh"',
            "`timescale 1ns / 1ps",
            '`begin_keywords "1364-1995"',
            "`celldefine",
            "`resetall",
            '`line 1 "other.sv" 0',
            "`unconnected_drive pull1",
            "`pragma protect begin",
            "`default_nettype wire",
            "`default_nettype tri0",
        ),
        _after(_BODY, "`resetall", "`default_nettype wire", "`undefineall"),
        _replaced(
            r"^`default_nettype none\n",
            "",
            "`default_nettype wire\\n",
            " `default_nettype  none\\n",
        ),
    ),
    "literals of unknown width": _replaced(
        _NUMBER, r"'1", r"'0", r"$unsigned('1)", r"'\3\4", r"'\2\3\4"
    ),
    "literals with x and z": _each(
        _replaced(_NUMBER, r"\1'bx", r"\1'hz", r"\1'b?", r"'x", r"'z"),
        _replaced(_TABLE, r"  localparam logic [\1:0] \2 = 'x;"),
        _replaced(r"'h[0-9A-F](?=[0-9A-F]+;)", "'hx", "'hZ", "'h?", "'h_"),
    ),
    "literals in other ways": _replaced(
        _NUMBER,
        r"\1 '\2\3\4",
        r"\1'\2\3 \4",
        r"\1'\2\3\4_",
        r"\1'o0",
        r"1.0",
        r"1ns",
        r'"0"',
        r"\1'S\3\4",
    ),
    "operators of four states": _replaced(r" == ", " === ", " ==? ", " inside ", " <-> "),
    "unequal in four states": _replaced(r" != ", " !== ", " !=? "),
    "other operators": _each(
        _replaced(r" & ", " && ", " &&& "),
        _replaced(r" \+ ", " ** ", " +: "),
        _replaced(r"~(?=\w)", "!", "~&", "- "),
    ),
    "declared twice": _each(
        _replaced(f"(?P<all>{_WIRE})", r"\g<all>\n\g<all>"),
        _replaced(f"(?P<all>{_VARIABLE})", r"\g<all>\n\g<all>", r"\g<all>\n  wire logic\1 \2;"),
        _replaced(f"(?P<all>{_TABLE})", r"\g<all>\n\g<all>"),
        _replaced(f"(?P<all>{_PORT})", r"\g<all>\n\g<all>"),
        _after(_BODY, "  wire logic x0;", "  logic clk;"),
    ),
    "two drivers": _each(
        _replaced(f"(?P<all>{_WIRE})", r"\g<all>\n  assign \2 = \3;"),
        _replaced(f"(?P<all>{_ASSIGNMENT})", r"\g<all>\n\g<all>"),
        _before(_END, "  assign x0 = '0;", "  assign clk = rst;"),
        _replaced(f"(?P<all>{_REGISTER})", r"\g<all>\n\g<all>"),
        _replaced(_WIRE, r"  wire logic\1 \2;\n  assign \2 = \3;"),
    ),
    "implicit nets": _each(
        _before(_END, "  assign undeclared = x0;"),
        _then(
            _before(_END, "  assign undeclared = rst;"),
            _everywhere(r"^`default_nettype none\n", ""),
        ),
        _then(_replaced(_WIRE, r"  assign \2 = \3;"), _everywhere(r"^`default_nettype none\n", "")),
    ),
    "read before declared": _late,
    "wider and narrower": _each(
        _replaced(
            r"^  wire logic \[(\d+):0\] (?=\w+ =)", r"  wire logic [1\1:0] ", "  wire logic "
        ),
        _replaced(r"^  logic \[(\d+):0\] (?=\w+;)", r"  logic [1\1:0] "),
        _replaced(r"^  wire logic (?=\w+ =)", "  wire logic [1:0] "),
    ),
    "other ranges": _each(
        _replaced(
            r"^  (wire logic|logic) \[(\d+):0\] ",
            r"  \1 [0:\2] ",
            r"  \1 [\2-0:0] ",
            r"  \1 [\2:-1] ",
        ),
        _replaced(_VARIABLE, r"  logic \2\1;"),
    ),
    "signs": _each(
        _replaced(r"^  wire logic(?= )", "  wire logic signed"),
        _replaced(r"^  logic(?= )", "  logic signed"),
        _replaced(r"\$signed\(", "(", "$unsigned("),
        _replaced(_WIRE, r"  wire logic\1 \2 = signed'(\3);", r"  wire logic\1 \2 = $signed(\3);"),
    ),
    "selects": _each(
        _replaced(
            r"\[(\d+):(\d+)\](?=[;,\]\)} ])(?! \w+ ?[=;,\n])", r"[9\1:\2]", r"[\2:\1]", r"[\2 +: 2]"
        ),
        _replaced(r"(?<=\w)\[(\d+)\](?=[;,\)} ])", r"[9\1]", r"[-1]", r"[\1+0]", r"[1'bx]"),
    ),
    "types": _each(
        _replaced(r"^  wire logic(?= )", "  wire", "  wire reg", "  bit", "  wire bit"),
        _replaced(
            r"^  logic(?= )", "  reg", "  bit", "  var logic", "  static logic", "  const logic"
        ),
        _after(
            _BODY,
            "  typedef logic word;",
            "  enum logic {A, B} e;",
            "  struct packed {logic a;} s;",
        ),
    ),
    "nets": _replaced(
        r"^  wire logic(?= )",
        *(
            f"  {net} logic"
            for net in ("wand", "wor", "tri", "tri0", "tri1", "uwire", "trireg", "supply0")
        ),
    ),
    "strengths": _each(
        _replaced(_WIRE, r"  wire logic (weak0, weak1)\1 \2 = \3;"),
        _replaced(
            _ASSIGNMENT, r"  assign (strong1, pull0) \1 = \2;", r"  assign (highz0, weak1) \1 = \2;"
        ),
    ),
    "gates": _before(
        _END,
        "  buf (y0[0], x0[0]);",
        "  pullup (rst);",
        "  tran (clk, rst);",
        "  nmos (y0[0], x0[0], rst);",
    ),
    "procedural assignments": _replaced(
        _REGISTER,
        r"\1force \2 = \3;",
        r"\1assign \2 = \3;",
        r"\1release \2;",
        r"\1deassign \2;",
        r"\1{\2} <= \3;",
        r"\1\2 <= \3; \2 <= \3;",
        r"\1fork \2 <= \3; join",
        r"\1if (1) \2 <= \3;",
        r"\1\2 += \3;",
    ),
    "choices": _each(
        _replaced(
            r"^( +)if \(rst\)", r"\1unique if (rst)", r"\1priority if (rst)", r"\1if (rst === 1'b1)"
        ),
        _replaced(
            r"^( +)if \(rst\)",
            r"\1casez (rst) 1'b?: ;",
            r"\1casex (rst) 1'bx: ;",
            r"\1if (!rst) else",
        ),
        _before(_END, "  always_comb casez (x0) default: ; endcase", "  if (1) begin end"),
    ),
    "functions": _each(
        _replaced(
            _FUNCTION,
            r"  function \1;\n",
            r"  function static \1;\n",
            r"  function automatic signed \1;\n",
        ),
        _after(
            _FUNCTION,
            "    logic more = 1'b1;",
            "    static logic more;",
            "    automatic int more = 0;",
        ),
        _replaced(
            r"^    twice = \{left, ([^}]+)\}",
            r"    twice = {left, rst}",
            r"    twice <= {left, \1}",
        ),
        _replaced(_RETURNED, r"    return '0;\n  endfunction\n", r"  endfunction : f\n"),
        _after(_BODY, "  function void f; endfunction", "  task t; endtask"),
    ),
    "parameters": _each(
        _replaced(r"^  localparam logic", "  parameter logic", "  localparam", "  localparam bit"),
        _replaced(_MODULE, r"module \1 #(parameter W = 1) ("),
        _after(
            _BODY, "  defparam other.W = 2;", "  localparam type T = logic;", "  specparam S = 1;"
        ),
    ),
    "generated text": _after(
        _BODY,
        "  generate endgenerate",
        "  genvar g;",
        "  for (genvar g = 0; g < 1; g++) begin end",
        "  if (1) begin : b end",
    ),
    "more modules": _each(
        _after(_END, "module other; endmodule", "program p; endprogram", "package p; endpackage"),
        _before(
            _MODULE, "interface i; endinterface", "primitive u (output y, input x); endprimitive"
        ),
        _before(_END, "  other inner (.*);", "  bind other other2 o ();", "  other inner (x0);"),
        _after(_END, "bind top other o ();", "config c; endconfig", "checker c; endchecker"),
    ),
    "attributes": _each(
        _before(
            _WIRE,
            "  (* keep *)",
            "  (* full_case, parallel_case *)",
            "  (* translate_off *)",
            '  (* init = "1" *)',
            "  (* synthesis *)",
        ),
        _before(_MODULE, "(* blackbox *)", "(* top *)", "(* keep_hierarchy *)", "(* nosync *)"),
        _replaced(
            _CLOCKED,
            "always_ff (* keep *) @(posedge clk)",
            "(* full_case *) always_ff @(posedge clk)",
        ),
    ),
    "statements of simulation": _before(
        _END,
        '  initial $display("%d", x0);',
        "  initial $finish;",
        "  final $stop;",
        "  always_ff @(posedge clk) $random;",
        "  initial force rst = 1;",
        '  initial $readmemh("x", x0);',
        "  assert property (@(posedge clk) 1);",
        "  assume final (1);",
        "  event e;",
        "  initial -> e;",
        "  timeunit 1ns;",
        "  alias x0 = x1;",
        "  let f = 1;",
        "  clocking c @(posedge clk); endclocking",
    ),
    "specify": _before(_END, "  specify endspecify", "  specify (clk => y0) = 1; endspecify"),
    "text behind the module": _each(
        _replaced(
            _END, r"endmodule : top\n", r"endmodule endmodule\n", r"endmodule;\n", r"endmodule x\n"
        ),
        _replaced(
            r"^`default_nettype wire\n", '`default_nettype wire\\n`include "x"\\n', "garbage\\n"
        ),
    ),
    "headers": _each(
        _replaced(
            _MODULE,
            r"macromodule \1 (",
            r"module automatic \1 (",
            r"extern module \1 (",
            r"module \1 import p::*; (",
        ),
        _replaced(
            _PORT,
            r"  \1\2logic\3 \4\5",
            r"  \1\2wire\3 \4\5",
            r"  \1\2var logic\3 \4\5",
            r"  inout wire logic\3 \4\5",
        ),
        _replaced(
            _PORT, r"  \1\2wire logic\3 \4 = '0\5", r"  \1\2wire logic signed\3 \4\5", r"  \4\5"
        ),
    ),
    "characters that are no ASCII": _each(
        _replaced(r"(?<=\w) = ", "\u00a0= ", "\u2003= ", " \uff1d "),
        _replaced(_COMMENT, "  // \u2028 x\n", "  // \u00e4\n"),
        _renamed("\u0430OLD", "OLD\u200b", "OLD\u00e9"),
        _replaced(_FIRST, "\ufeff"),
    ),
    "characters that end lines elsewhere": _each(
        _replaced(_LINE, ";\r\n", ";\r", ";\f\n", ";\v\n", ";\0\n"),
        _replaced(
            _COMMENT,
            "  // x\r  assign y0 = 0;\n",
            "  // x\f  assign y0 = 0;\n",
            "  // x\x85 assign y0 = 0;\n",
        ),
    ),
}
_HARMLESS: dict[str, Change] = {
    "blank lines": _before(_WIRE, ""),
    "more blanks": _replaced(r"(?<=\w) (?=[=+&|] )", "  ", r"\n      "),
    "comments": _before(_WIRE, "  // a comment of its own line"),
    "without a comment": _replaced(_COMMENT, ""),
    "other names": _renamed("always_x", "OLD_2", "wire_1", "OLD$"),
    "other order of tables": _swapped,
    "brackets": _replaced(f"(?P<all>{_NUMBER})(?=[,}}])", r"(\g<all>)"),
}

CHANGES = tuple(
    TextChange(name, texts, harmless)
    for kinds, harmless in ((_LANGUAGE, False), (_HARMLESS, True))
    for name, texts in kinds.items()
)
"""All kinds, the harmless ones last."""
