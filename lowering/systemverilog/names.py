"""Names for SystemVerilog: legal identifiers, unique in their scope."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

LONGEST_NAME = 1000
"""Longest part of an IR name that is kept, in characters.

Tools read at least 1024 (IEEE 1800-2017, 5.6).
"""

_SYSTEMVERILOG_TEXT = """
    accept_on alias always always_comb always_ff always_latch and assert assign assume
    automatic before begin bind bins binsof bit break buf bufif0 bufif1 byte case casex
    casez cell chandle checker class clocking cmos config const constraint context continue
    cover covergroup coverpoint cross deassign default defparam design disable dist do edge
    else end endcase endchecker endclass endclocking endconfig endfunction endgenerate
    endgroup endinterface endmodule endpackage endprimitive endprogram endproperty
    endsequence endspecify endtable endtask enum event eventually expect export extends
    extern final first_match for force foreach forever fork forkjoin function generate
    genvar global highz0 highz1 if iff ifnone ignore_bins illegal_bins implements implies
    import incdir include initial inout input inside instance int integer interconnect
    interface intersect join join_any join_none large let liblist library local localparam
    logic longint macromodule matches medium modport module nand negedge nettype new
    nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed
    parameter pmos posedge primitive priority program property protected pull0 pull1
    pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase
    randsequence rcmos real realtime ref reg reject_on release repeat restrict return rnmos
    rpmos rtran rtranif0 rtranif1 s_always s_eventually s_nexttime s_until s_until_with
    scalared sequence shortint shortreal showcancelled signed small soft solve specify
    specparam static string strong strong0 strong1 struct super supply0 supply1
    sync_accept_on sync_reject_on table tagged task this throughout time timeprecision
    timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type typedef union
    unique unique0 unsigned until until_with untyped use uwire var vectored virtual void
    wait wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor
"""
"""IEEE 1800-2017, annex B."""

_CPP_TEXT = """
    alignas alignof and_eq asm auto bitand bitor bool catch char char16_t char32_t char8_t
    co_await co_return co_yield compl concept consteval constexpr constinit const_cast
    decltype delete double dynamic_cast explicit false float friend goto inline long mutable
    namespace noexcept not_eq nullptr operator or_eq private public register
    reinterpret_cast requires short sizeof static_assert static_cast switch template
    thread_local throw true try typeid typename using volatile wchar_t xor_eq
"""
"""Keywords of C++, which cannot be names in Verilator's models."""

_VHDL_TEXT = """
    abs access after alias all and architecture array assert assume assume_guarantee attribute
    begin block body buffer bus case component configuration constant context cover default
    disconnect downto else elsif end entity exit fairness file for force function generate
    generic group guarded if impure in inertial inout is label library linkage literal loop
    map mod nand new next nor not null of on open or others out package parameter port
    postponed private procedure process property protected pure range record register reject
    release rem report restrict restrict_guarantee return rol ror select sequence severity
    shared signal sla sll sra srl strong subtype then to transport type unaffected units until
    use variable view vmode vprop vunit wait when while with xnor xor
"""
"""Keywords of IEEE 1076-2008 and 1076-2019, 15.10. VHDL does not distinguish case."""

BUILT_IN_PACKAGE = "std"
"""Package of every SystemVerilog design; tools confuse a module of that name with it."""

_SYSTEMVERILOG_WORDS = frozenset(_SYSTEMVERILOG_TEXT.split())
_CPP_WORDS = frozenset(_CPP_TEXT.split())
VHDL_WORDS = frozenset(_VHDL_TEXT.split())
_RESERVED = _SYSTEMVERILOG_WORDS | _CPP_WORDS


def module_name_problem(name: str) -> str | None:
    """The reason why a name does not suit a module; None if it does.

    A keyword of VHDL does not suit, since designs in VHDL could not instantiate the module.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return "it is no identifier"
    if name in _SYSTEMVERILOG_WORDS:
        return "it is a keyword of SystemVerilog"
    if name in _CPP_WORDS:
        return "it is a keyword of C++, which Verilator makes of the module"
    if name.lower() in VHDL_WORDS:
        return "it is a keyword of VHDL"
    if name.lower() == BUILT_IN_PACKAGE:
        return "it is the built-in package of SystemVerilog"
    return None


def module_name(name: str) -> str:
    """The legal name of a module that is closest to `name`."""
    legal = legal_name(name)
    # A VHDL name must not end in an underscore.
    is_taken = legal.lower() in VHDL_WORDS | {BUILT_IN_PACKAGE}
    return f"kan_{legal}" if is_taken else legal


def legal_name(name: str) -> str:
    """The simple identifier that is closest to `name`."""
    legal = name[:LONGEST_NAME]
    if not (legal.isidentifier() and legal.isascii()):
        legal = re.sub(r"[^A-Za-z0-9_]", "_", legal) or "_"
        if legal[0].isdigit():
            legal = f"_{legal}"
    return f"{legal}_" if legal in _RESERVED else legal


@dataclass
class Names:
    """Names that are taken in one scope."""

    taken: set[str] = field(default_factory=set[str])
    _next: dict[str, int] = field(default_factory=dict[str, int])

    def take(self, wanted: str) -> str:
        """Take a legal name like `wanted` that is still free."""
        base = self._legal(wanted)
        return base if self._claim(base) else self.numbered(base)

    def numbered(self, base: str) -> str:
        """Take the next free name of `base_1`, `base_2`, ..."""
        while True:
            number = self._next.get(base, 0) + 1
            self._next[base] = number
            if self._claim(name := f"{base}_{number}"):
                return name

    def _legal(self, wanted: str) -> str:
        """The legal name that is closest to `wanted`."""
        return legal_name(wanted)

    def _claim(self, name: str) -> bool:
        if name in self.taken:
            return False
        self.taken.add(name)
        return True
