"""VHDL expressions of ops of comb and hw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.dialects import comb, hw
from xdsl.ir import Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.lowering.chain_adder import ChainAdder, inverted_value
from kan_dialect.lowering.systemverilog.analysis import Analysis
from kan_dialect.lowering.systemverilog.operations import Adder
from kan_dialect.lowering.systemverilog.terms import known_terms
from kan_dialect.lowering.vhdl.expressions import (
    LARGEST_NATURAL,
    WORD,
    Expression,
    Level,
    as_signed,
    bit_string,
    call,
    infix,
    literal,
    part,
    prefix,
    repeated,
)
from kan_dialect.lowering.vhdl.functions import Functions
from kan_dialect.ops.lut import LutOp

_BITWISE: dict[type[Operation], str] = {comb.AndOp: "and", comb.OrOp: "or", comb.XorOp: "xor"}
_DIVISION: dict[type[Operation], str] = {
    comb.DivUOp: "/",
    comb.DivSOp: "/",
    comb.ModUOp: "rem",
    comb.ModSOp: "rem",
}
_COMPARISONS = {"eq": "?=", "ne": "?/=", "lt": "?<", "le": "?<=", "gt": "?>", "ge": "?>="}
"""Matching operators, of IEEE 1076-2008: they give a bit, X where an operand is not known."""

_BIT_COMPARISONS = {
    "eq": "{} xnor {}",
    "ne": "{} xor {}",
    "lt": "(not {}) and {}",
    "le": "(not {}) or {}",
    "gt": "{} and (not {})",
    "ge": "{} or (not {})",
}
"""Comparisons of unsigned numbers of one bit."""


@dataclass
class Signal:
    """A value with a name."""

    name: str
    width: int
    vector: bool = False
    """Whether its type is std_logic_vector, as that of ports."""

    @property
    def whole(self) -> Expression:
        return self.bits(0, self.width)

    def bits(self, low: int, size: int) -> Expression:
        """`size` bits from bit `low`."""
        text = part(self.name, self.width, low, size)
        return call(WORD, text) if self.vector and size > 1 else Expression(text)


@dataclass
class Expressions:
    """The expressions of a module's values."""

    facts: Analysis
    functions: Functions
    signals: dict[SSAValue, Signal] = field(default_factory=dict[SSAValue, Signal])
    inlined: dict[SSAValue, Expression] = field(default_factory=dict[SSAValue, Expression])
    """Expressions of values without a name."""
    adders: dict[Adder, str] = field(default_factory=dict[Adder, str])
    """Names of the functions that add."""

    def of(self, value: SSAValue, *, negative: bool = False) -> Expression:
        """A value as an operand. A constant is printed as `literal` does."""
        known = self._constant(value)
        if known is not None:
            return literal(known, bit_width(value.type), negative=negative)
        signal = self.signals.get(value)
        return self.inlined[value] if signal is None else signal.whole

    def _constant(self, value: SSAValue) -> int | None:
        """The bits of a constant, of an array too; None for other values."""
        constant = self.facts.constants.get(value)
        if constant is None:
            return None
        if constant.ndim == 1:
            return int(constant[0])
        size = bit_width(value.type) // constant.shape[1]
        elements: list[int] = constant[0].tolist()
        return sum(element << (size * place) for place, element in enumerate(elements))

    def vector(self, value: SSAValue) -> Expression:
        """A value as a vector of bits, which one of one bit is not."""
        if bit_width(value.type) == 1:
            return Expression(f"{WORD}'(0 => {self.of(value).text})")
        return self.of(value)

    def of_op(self, op: Operation) -> Expression:
        """The expression that computes the result of an op.

        Raises
        ------
        KanError : the op is outside the subset.
        """
        chain = self.facts.chains.get(op.results[0])
        if chain is not None:
            return self._call(chain)
        match op:
            case comb.AddOp():
                return self._sum(op)
            case comb.ConcatOp():
                return self._concatenation(op)
            case comb.ExtractOp():
                low, size = op.low_bit.value.data, bit_width(op.result.type)
                return self.signals[op.input].bits(low, size)
            case comb.SubOp():
                return self._difference(op)
            case comb.MulOp():
                return self._product(op)
            case comb.DivUOp() | comb.DivSOp() | comb.ModUOp() | comb.ModSOp():
                return self._division(op)
            case comb.AndOp() | comb.OrOp() | comb.XorOp():
                return self._bitwise(op)
            case comb.ShlOp() | comb.ShrUOp() | comb.ShrSOp():
                return self._shift(op)
            case comb.ICmpOp():
                return self._comparison(op)
            case comb.MuxOp():
                return self._choice(op)
            case comb.ParityOp():
                known = self.of(op.input)
                return known if bit_width(op.input.type) == 1 else prefix("xor", known)
            case comb.ReplicateOp():
                return self._replication(op)
            case hw.BitcastOp():
                return self.of(op.input)
            case hw.ArrayCreateOp():
                return _joined([self.of(value) for value in op.inputs])
            case hw.ArrayGetOp():
                return self._element(op)
            case LutOp():
                return self._lut(op)
            case _:
                raise KanError(f"'{op.name}' cannot be printed as VHDL")

    def _call(self, chain: ChainAdder) -> Expression:
        """The call of the function that adds; an absorbed table second, a carry last."""
        operands = (self.of(each).argument for each in chain.operands)
        return call(self.adders[Adder.of(chain)], *operands)

    def _sum(self, op: comb.AddOp) -> Expression:
        """The terms, then the sum of all constants, which is subtracted if negative."""
        terms, offset = known_terms(op, self.facts)
        return _plus([self.of(value) for value in terms], offset, bit_width(op.result.type))

    def _difference(self, op: comb.SubOp) -> Expression:
        width = bit_width(op.result.type)
        if width == 1:
            return infix("xor", [self.of(value).operand for value in op.operands])
        subtrahend = self.facts.constants.get(op.rhs)
        if subtrahend is not None:
            return _plus([self.of(op.lhs)], -int(subtrahend[0]) % (1 << width), width)
        return infix("-", [self._number(op.lhs), self.of(op.rhs).operand])

    def _number(self, value: SSAValue, *, signed: bool = False) -> str:
        """An operand of an operator that takes integers too, which constants are."""
        constant = self.facts.constants.get(value)
        if constant is not None:
            width = bit_width(value.type)
            number = int(constant[0])
            if signed and number >> (width - 1):
                number -= 1 << width
            if -LARGEST_NATURAL <= number <= LARGEST_NATURAL:
                return str(number)
        found = self.of(value)
        return as_signed(found).operand if signed else found.operand

    def _product(self, op: comb.MulOp) -> Expression:
        """A product, signed if a factor is sign-extended: synthesis then sees the narrow factor."""
        width = bit_width(op.result.type)
        if width == 1:
            return infix("and", [self.of(value).operand for value in op.inputs])
        if len(op.inputs) == 1:
            return self.of(op.inputs[0])
        if len(op.inputs) == 2 and any(value in self.facts.extended for value in op.inputs):
            factors = [self.facts.extended.get(value, value) for value in op.inputs]
            product = infix("*", [as_signed(self.vector(value)).operand for value in factors])
            if sum(bit_width(value.type) for value in factors) < width:
                return call(WORD, f"resize({product.text}, {width})")
            return call("resize", call(WORD, product.text).text, str(width))
        text = self.of(op.inputs[0]).operand
        for value in op.inputs[1:]:
            text = f"resize({text} * {self.of(value).operand}, {width})"
        return Expression(text)

    def _division(self, op: comb.BinCombOperation) -> Expression:
        symbol = _DIVISION[type(op)]
        if bit_width(op.result.type) == 1:
            # The only divisor that is not 0 is 1 (or -1).
            if symbol == "/":
                return self.of(op.lhs)
            return Expression("'0'")
        if isinstance(op, comb.DivSOp | comb.ModSOp):
            operands = [as_signed(self.of(value)).operand for value in op.operands]
            return call(WORD, infix(symbol, operands).text)
        return infix(symbol, [self.of(value).operand for value in op.operands])

    def _shift(self, op: comb.BinCombOperation) -> Expression:
        """A shift; one of a single bit is left alone by an amount of 0 only."""
        width, signed = bit_width(op.result.type), isinstance(op, comb.ShrSOp)
        value, amount = self.vector(op.lhs), self._amount(op.rhs, width)
        if signed:
            value = as_signed(value)
        name = "shift_left" if isinstance(op, comb.ShlOp) else "shift_right"
        shifted = call(name, value.argument, amount)
        if signed:
            shifted = call(WORD, shifted.text)
        # The `or` of a vector of one bit is that bit.
        return shifted if width > 1 else prefix("or", shifted)

    def _amount(self, value: SSAValue, width: int) -> str:
        constant = self.facts.constants.get(value)
        if constant is not None:
            return str(min(int(constant[0]), width))
        return call(
            self.functions.name("amount"), self.vector(value).argument, str(min(width, 1 << 30))
        ).text

    def _bitwise(self, op: comb.VariadicCombOperation) -> Expression:
        inverted = inverted_value(op, self.facts.constants)
        if inverted is not None:
            return prefix("not", self.of(inverted))
        if len(op.inputs) == 1:
            return self.of(op.inputs[0])
        return infix(_BITWISE[type(op)], [self.of(value).operand for value in op.inputs])

    def _comparison(self, op: comb.ICmpOp) -> Expression:
        predicate = comb.ICMP_COMPARISON_OPERATIONS[op.predicate.value.data]
        signed, relation = predicate[0] == "s", predicate[-2:]
        if bit_width(op.lhs.type) == 1:
            operands = [self.of(op.lhs).operand, self.of(op.rhs).operand]
            if signed:
                operands.reverse()
            text = _BIT_COMPARISONS[relation].format(*operands)
            return Expression(text, Level.OPERATION)
        # One operand must be a vector; constants are folded before.
        operands = [self._number(value, signed=signed) for value in op.operands]
        return infix(_COMPARISONS[relation], operands)

    def _choice(self, op: comb.MuxOp) -> Expression:
        negative = op.result in self.facts.signed
        known = self._constant(op.cond)
        if known is not None:
            return self.of(op.true_value if known else op.false_value, negative=negative)
        condition = self.of(op.cond)
        if condition.level == Level.PRIMARY:
            condition = Expression(f"{condition.text} = '1'")
        if_true = self.of(op.true_value, negative=negative).text
        if_false = self.of(op.false_value, negative=negative).text
        return Expression(f"{if_true} when {condition.text} else {if_false}", Level.CHOICE)

    def _replication(self, op: comb.ReplicateOp) -> Expression:
        width = bit_width(op.input.type)
        count = bit_width(op.result.type) // width
        value = self.of(op.input)
        if count == 1:
            return value
        return repeated(value.text, count) if width == 1 else _joined([value] * count)

    def _concatenation(self, op: comb.ConcatOp) -> Expression:
        """Bits side by side; an extension of a number is a call of `resize`."""
        width = bit_width(op.result.type)
        source = self.facts.extended.get(op.result)
        if source is not None:
            value = self.of(source)
            if bit_width(source.type) == 1:
                return repeated(value.text, width)
            return call(WORD, call("resize", as_signed(value).text, str(width)).text)
        if len(op.operands) == 1:
            return self.of(op.operands[0])
        if len(op.operands) == 2 and bit_width(op.operands[1].type) > 1:
            upper, lower = op.operands
            if self._constant(upper) == 0 and lower not in self.facts.constants:
                return call("resize", self.of(lower).argument, str(width))
        return _joined([self._bits(value) for value in op.operands])

    def _bits(self, value: SSAValue) -> Expression:
        """A value in a concatenation, where constants are bits instead of numbers."""
        known, width = self._constant(value), bit_width(value.type)
        if known is None or width == 1:
            return self.of(value)
        return Expression(bit_string(known, width))

    def _lut(self, op: LutOp) -> Expression:
        """A lookup table: a bit of a constant."""
        bits = bit_string(op.entries, 1 << len(op.inputs))
        index = _joined([self.of(value) for value in reversed(op.inputs)])
        if len(op.inputs) == 1:
            index = self.vector(op.inputs[0])
        found = call(self.functions.name("element"), bits, index.operand, "1")
        return Expression(f"{found.text}(0)")

    def _element(self, op: hw.ArrayGetOp) -> Expression:
        width, index = bit_width(op.result.type), op.index
        constant = self.facts.constants.get(index)
        array = self.signals.get(op.input)
        if array is not None and (constant is not None or bit_width(index.type) == 0):
            place = 0 if constant is None else int(constant[0])
            return array.bits(place * width, width)
        bits = self.vector(op.input).operand
        found = call(self.functions.name("element"), bits, self.vector(index).operand, str(width))
        return found if width > 1 else Expression(f"{found.text}(0)")


def _joined(values: Sequence[Expression]) -> Expression:
    """Values side by side, the highest first."""
    if len(values) == 1:
        return values[0]
    texts = [each.text if each.level == Level.BITS else each.operand for each in values]
    return Expression(" & ".join(texts), Level.BITS)


def _plus(terms: Sequence[Expression], offset: int, width: int) -> Expression:
    """Terms of `width` bits and a constant, modulo 2^width."""
    operands = [term.operand for term in terms]
    if width == 1:
        bits = [*operands, "'1'"] if offset else operands
        return terms[0] if len(bits) == 1 else infix("xor", bits)
    below = (1 << width) - offset
    if offset == 0:
        return terms[0] if len(terms) == 1 else infix("+", operands)
    if offset < below or below > LARGEST_NATURAL:
        known = str(offset) if offset <= LARGEST_NATURAL else literal(offset, width).operand
        return infix("+", [*operands, known])
    return Expression(f"{' + '.join(operands)} - {below}", Level.OPERATION)
