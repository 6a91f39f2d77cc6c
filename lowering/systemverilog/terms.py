"""Terms of sums, as the writers of SystemVerilog and VHDL read them."""

from __future__ import annotations

from xdsl.dialects import comb
from xdsl.ir import SSAValue

from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.lowering.systemverilog.analysis import Analysis


def known_terms(op: comb.AddOp, facts: Analysis) -> tuple[list[SSAValue], int]:
    """The terms of a sum that are no constants, and the sum of all constants, modulo 2^width."""
    constants = facts.constants
    offset = sum(int(constants[value][0]) for value in op.inputs if value in constants)
    terms = [value for value in op.inputs if value not in constants]
    return terms, offset % (1 << bit_width(op.result.type))
