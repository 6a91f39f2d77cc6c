"""The target `vhdl`: hardware modules as synthesisable IEEE 1076-2008 text.

The subset of hw, comb and seq is that of the target `systemverilog`, whose analysis it shares.
"""

from kan_dialect.lowering.vhdl.target import VhdlTarget, emit_vhdl

__all__ = ["VhdlTarget", "emit_vhdl"]
