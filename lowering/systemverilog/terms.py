"""Terms of sums and of inversions, as the writers of SystemVerilog and VHDL read them."""

from __future__ import annotations

from xdsl.dialects import comb
from xdsl.ir import SSAValue

from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.lowering.systemverilog.analysis import Analysis, addends


def adder_operands(op: comb.AddOp, facts: Analysis) -> list[SSAValue]:
    """The arguments of the function that adds: an absorbed table second, a carry last."""
    operands = addends(op, facts)
    if operands[0] == facts.absorbed.get(op.result):
        operands.reverse()
    if op.result in facts.carries:
        operands.append(facts.carries[op.result].bit)
    return operands


def inverted_value(op: comb.VariadicCombOperation, facts: Analysis) -> SSAValue | None:
    """The value whose bits an exclusive or inverts; None of another op."""
    if type(op) is comb.XorOp and len(op.inputs) == 2:
        ones = (1 << bit_width(op.result.type)) - 1
        for value, mask in (op.inputs, reversed(op.inputs)):
            constant = facts.constants.get(mask)
            if constant is not None and int(constant[0]) == ones:
                return value
    return None


def known_terms(op: comb.AddOp, facts: Analysis) -> tuple[list[SSAValue], int]:
    """The terms of a sum that are no constants, and the sum of all constants, modulo 2^width."""
    constants = facts.constants
    offset = sum(int(constants[value][0]) for value in op.inputs if value in constants)
    terms = [value for value in op.inputs if value not in constants]
    return terms, offset % (1 << bit_width(op.result.type))
