"""SystemVerilog expressions of ops of comb and hw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from xdsl.dialects import comb, hw
from xdsl.ir import Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.evaluate.hardware import array_length, bit_width, low_bit_of
from kan_dialect.ir.operation import operands_of, result_of
from kan_dialect.lowering.chain_adder import ChainAdder, inverted_value
from kan_dialect.lowering.systemverilog.analysis import Analysis
from kan_dialect.lowering.systemverilog.expressions import (
    Expression,
    Level,
    array,
    as_signed,
    as_unsigned,
    choice,
    concatenation,
    infix,
    literal,
    part,
    prefix,
    replication,
    sign_extended,
    signed_literal,
)
from kan_dialect.lowering.systemverilog.names import Names
from kan_dialect.lowering.systemverilog.terms import known_terms

_BITWISE: dict[type[Operation], tuple[str, Level]] = {
    comb.AndOp: ("&", Level.AND),
    comb.OrOp: ("|", Level.OR),
    comb.XorOp: ("^", Level.XOR),
}
_DIVISION: dict[type[Operation], str] = {
    comb.DivUOp: "/",
    comb.DivSOp: "/",
    comb.ModUOp: "%",
    comb.ModSOp: "%",
}
_SHIFTS: dict[type[Operation], str] = {comb.ShlOp: "<<", comb.ShrUOp: ">>"}
_COMPARISONS = {
    "eq": ("==", Level.EQUALITY),
    "ne": ("!=", Level.EQUALITY),
    "lt": ("<", Level.ORDER),
    "le": ("<=", Level.ORDER),
    "gt": (">", Level.ORDER),
    "ge": (">=", Level.ORDER),
}


class Adder(NamedTuple):
    """A function that adds two numbers."""

    absorbs: bool
    """True if the second number is a table's entry that fits into the LUTs of the adder."""
    carries: bool
    """True if the function takes a carry."""
    width: int

    @classmethod
    def of(cls, chain: ChainAdder) -> Adder:
        """The function that an adder on a carry chain calls."""
        return cls(chain.absorbs, chain.carry is not None, bit_width(chain.left.type))


def named_adders(facts: Analysis, names: Names) -> dict[Adder, str]:
    """The functions that the text of a module calls, with their names."""
    found = (facts.chains.get(result) for op in facts.ops for result in op.results)
    adders = sorted({Adder.of(chain) for chain in found if chain is not None})
    return {
        adder: names.take(
            f"{'absorb' if adder.absorbs else 'add'}{adder.width}{'_carry' * adder.carries}"
        )
        for adder in adders
    }


@dataclass
class Expressions:
    """The expressions of a module's values."""

    facts: Analysis
    known: dict[SSAValue, Expression] = field(default_factory=dict[SSAValue, Expression])
    adders: dict[Adder, str] = field(default_factory=dict[Adder, str])
    """Names of the functions that add."""

    def of(self, value: SSAValue, *, negative: bool = False) -> Expression:
        """A value as an operand. A constant is printed as `literal` does."""
        constant = self.facts.constants.get(value)
        if constant is None:
            return self.known[value]
        if constant.ndim > 1:
            size = bit_width(value.type) // constant.shape[1]
            return array([literal(int(element), size) for element in constant[0]])
        return literal(int(constant[0]), bit_width(value.type), negative=negative)

    def signed(self, value: SSAValue) -> Expression:
        """A value as an operand of an operator on signed numbers."""
        constant = self.facts.constants.get(value)
        if constant is None:
            return as_signed(self.known[value])
        return signed_literal(int(constant[0]), bit_width(value.type))

    def of_op(self, op: Operation) -> Expression:
        """The expression that computes the result of an op.

        Raises
        ------
        KanError : the op is outside the subset.
        """
        chain = self.facts.chains.get(result_of(op))
        if chain is not None:
            return self._call(chain)
        # The most frequent kinds come first, and by identity, which is faster than `match`.
        if type(op) is comb.ConcatOp:
            return self._concatenation(op)
        if type(op) is comb.ExtractOp:
            return self._slice(op)
        if type(op) is comb.AddOp:
            return self._sum(op)
        if type(op) is comb.AndOp or type(op) is comb.OrOp or type(op) is comb.XorOp:
            return self._bitwise(op)
        match op:
            case comb.SubOp():
                return self._difference(op)
            case comb.MulOp():
                return self._product(op)
            case comb.DivUOp() | comb.DivSOp() | comb.ModUOp() | comb.ModSOp():
                return self._division(op)
            case comb.ShlOp() | comb.ShrUOp():
                return infix(_SHIFTS[type(op)], Level.SHIFT, self._all(op.operands))
            case comb.ShrSOp():
                operands = [self.signed(op.lhs), self._amount(op)]
                return as_unsigned(infix(">>>", Level.SHIFT, operands))
            case comb.ICmpOp():
                return self._comparison(op)
            case comb.MuxOp():
                return self._choice(op)
            case comb.ParityOp():
                # Not as a unary operator: `a ^ ^b` needs its parentheses.
                return Expression(prefix("^", self.of(op.input)).text, Level.XOR)
            case comb.ReplicateOp():
                count = bit_width(op.result.type) // bit_width(op.input.type)
                return replication(self.of(op.input), count)
            case hw.BitcastOp():
                return self._cast(op)
            case hw.ArrayCreateOp():
                return array(self._all(list(reversed(op.inputs))))
            case hw.ArrayGetOp():
                return self._element(op)
            case _:
                raise KanError(f"'{op.name}' cannot be printed as SystemVerilog")

    def _all(self, values: Sequence[SSAValue]) -> list[Expression]:
        return [self.of(value) for value in values]

    def _call(self, chain: ChainAdder) -> Expression:
        """The call of the function that adds; an absorbed table second, a carry last."""
        operands = self._all(chain.operands)
        texts = ", ".join(operand.text for operand in operands)
        return Expression(f"{self.adders[Adder.of(chain)]}({texts})")

    def _sum(self, op: comb.AddOp) -> Expression:
        """The terms, then the sum of all constants, which is subtracted if negative."""
        terms, offset = known_terms(op, self.facts)
        return self._plus(self._all(terms), offset, bit_width(op.result.type))

    def _plus(self, terms: list[Expression], offset: int, width: int) -> Expression:
        negative = 1 << (width - 1)
        if offset == 0:
            return terms[0] if len(terms) == 1 else infix("+", Level.SUM, terms)
        if offset < negative or width == 1:
            return infix("+", Level.SUM, [*terms, literal(offset, width)])
        sum_of_terms = terms[0] if len(terms) == 1 else infix("+", Level.SUM, terms)
        return infix("-", Level.SUM, [sum_of_terms, literal(2 * negative - offset, width)])

    def _difference(self, op: comb.SubOp) -> Expression:
        width = bit_width(op.result.type)
        subtrahend = self.facts.constants.get(op.rhs)
        if subtrahend is not None:
            return self._plus([self.of(op.lhs)], -int(subtrahend[0]) % (1 << width), width)
        minuend = self.facts.constants.get(op.lhs)
        if minuend is not None and not minuend.any():
            return prefix("-", self.of(op.rhs))
        return infix("-", Level.SUM, self._all(op.operands))

    def _product(self, op: comb.MulOp) -> Expression:
        """A product, signed if a factor is sign-extended: synthesis then sees the narrow factor."""
        if any(value in self.facts.extended for value in op.inputs):
            factors = [self.signed(value) for value in op.inputs]
            return as_unsigned(infix("*", Level.PRODUCT, factors))
        return infix("*", Level.PRODUCT, self._all(op.inputs))

    def _division(self, op: comb.BinCombOperation) -> Expression:
        symbol = _DIVISION[type(op)]
        if isinstance(op, comb.DivSOp | comb.ModSOp):
            operands = [self.signed(operand) for operand in op.operands]
            return as_unsigned(infix(symbol, Level.PRODUCT, operands))
        return infix(symbol, Level.PRODUCT, self._all(op.operands))

    def _amount(self, op: comb.ShrSOp) -> Expression:
        """The amount of a shift. A constant is limited, since linters warn of larger ones."""
        known = self.facts.constants.get(op.rhs)
        if known is None:
            return self.of(op.rhs)
        width = bit_width(op.result.type)
        return literal(min(int(known[0]), width - 1), width)

    def _bitwise(self, op: comb.VariadicCombOperation) -> Expression:
        inverted = inverted_value(op, self.facts.constants)
        if inverted is not None:
            return prefix("~", self.of(inverted))
        inputs = operands_of(op)
        if len(inputs) == 1:
            return self.of(inputs[0])
        symbol, level = _BITWISE[type(op)]
        return infix(symbol, level, self._all(inputs))

    def _comparison(self, op: comb.ICmpOp) -> Expression:
        predicate = comb.ICMP_COMPARISON_OPERATIONS[op.predicate.value.data]
        symbol, level = _COMPARISONS[predicate[-2:]]
        operand = self.signed if predicate[0] == "s" else self.of
        return infix(symbol, level, [operand(op.lhs), operand(op.rhs)])

    def _choice(self, op: comb.MuxOp) -> Expression:
        negative = op.result in self.facts.signed
        return choice(
            self.of(op.cond),
            self.of(op.true_value, negative=negative),
            self.of(op.false_value, negative=negative),
        )

    def _slice(self, op: comb.ExtractOp) -> Expression:
        (source,) = operands_of(op)
        widths = bit_width(source.type), bit_width(result_of(op).type)
        return part(self.of(source).text, widths[0], low_bit_of(op), widths[1])

    def _concatenation(self, op: comb.ConcatOp) -> Expression:
        result = result_of(op)
        source = self.facts.extended.get(result)
        if source is not None:
            widths = bit_width(source.type), bit_width(result.type)
            return sign_extended(self.of(source).text, *widths)
        return concatenation(self._all(operands_of(op)))

    def _cast(self, op: hw.BitcastOp) -> Expression:
        """A cast between an array and a vector of bits, element by element."""
        source, target, whole = op.input.type, op.result.type, self.of(op.input)
        count = array_length(source) or array_length(target)
        if source == target or count is None:
            return whole
        if isinstance(source, hw.ArrayType):
            return array([Expression(f"{whole.text}[{index}]") for index in range(count)])
        width = bit_width(source)
        size = width // count
        return array([part(whole.text, width, low, size) for low in range(0, width, size)])

    def _element(self, op: hw.ArrayGetOp) -> Expression:
        index = self.of(op.index).text if bit_width(op.index.type) else "0"
        return Expression(f"{self.of(op.input).text}[{index}]")
