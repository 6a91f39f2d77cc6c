"""The target `systemverilog`: hardware modules as synthesisable IEEE 1800-2017 text.

A small subset of hw, comb and seq is printed. Other ops, types and attributes are refused by name.
"""

from kan_dialect.lowering.systemverilog.target import SystemVerilogTarget, emit_systemverilog

__all__ = ["SystemVerilogTarget", "emit_systemverilog"]
