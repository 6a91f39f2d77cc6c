"""Expressions as cells: one for each operator of slang's typed tree.

slang makes each implicit conversion a node. One that changes a width or a sign is refused, so that
an expression has exactly the width that it needs where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from pyslang import ast

from kan_dialect.flows.prove.netlist import Bit, Cell, Memory, Netlist, number
from kan_dialect.flows.prove.text.constructs import words_of
from kan_dialect.flows.prove.text.source import NotInSubset, Source

_CELLS = {
    ast.BinaryOperator.Add: "add",
    ast.BinaryOperator.Subtract: "sub",
    ast.BinaryOperator.Multiply: "mul",
    ast.BinaryOperator.Divide: "div",
    ast.BinaryOperator.Mod: "mod",
    ast.BinaryOperator.BinaryAnd: "and",
    ast.BinaryOperator.BinaryOr: "or",
    ast.BinaryOperator.BinaryXor: "xor",
    ast.BinaryOperator.LogicalShiftLeft: "shl",
    ast.BinaryOperator.LogicalShiftRight: "shr",
    ast.BinaryOperator.ArithmeticShiftRight: "sshr",
    ast.BinaryOperator.LessThan: "lt",
    ast.BinaryOperator.LessThanEqual: "le",
    ast.BinaryOperator.GreaterThan: "gt",
    ast.BinaryOperator.GreaterThanEqual: "ge",
    ast.BinaryOperator.Equality: "eq",
    ast.BinaryOperator.Inequality: "ne",
}
"""Names of the cells, as Yosys has them."""

_UNARY = {
    ast.UnaryOperator.BitwiseNot: "not",
    ast.UnaryOperator.BitwiseXor: "reduce_xor",
    ast.UnaryOperator.Minus: "neg",
}

SIGNED = frozenset({"mul", "div", "mod", "sshr", "lt", "le", "gt", "ge"})
"""Cells whose inputs may be signed."""

_SHIFTS = frozenset({"shl", "shr", "sshr"})


class Kind(Enum):
    """What a name stands for."""

    INPUT = "an input"
    OUTPUT = "an output"
    WIRE = "a wire or a constant"
    REGISTER = "a register"


@dataclass(slots=True)
class Signal:
    """A name of the text, and its bits."""

    kind: Kind
    bits: list[Bit]
    """Lowest first; of an output, none before it is assigned."""

    offset: int
    """Where it is declared."""

    assigned: bool = False
    """Of registers and outputs."""

    read: bool = False
    """So far."""


class Expressions:
    """Signals, memories and functions of a module, and the cells of expressions of these."""

    def __init__(self, source: Source, file: str) -> None:
        self.source, self.file = source, file
        self.offset, self.place = 0, ""
        """Where the item or statement is that is read: its first character, its file and line."""
        self.netlist = Netlist({}, {}, {}, [])
        self.cells: list[Cell] = []
        self.nets = 1
        self.signals: dict[str, Signal] = {}
        self.functions: dict[str, ast.SubroutineSymbol] = {}

    # Errors and places

    def go_to(self, offset: int) -> None:
        """Begin with the item or statement at a character."""
        self.offset, self.place = offset, f"{self.file}:{self.source.line(offset)}"

    def refuse(self, construct: str, at: ast.Expression | None = None) -> NotInSubset:
        """The error for a construct at an expression, or at the item that is read."""
        offset = self.offset if at is None else at.sourceRange.start.offset
        return self.source.refuse(offset, construct)

    # Cells

    def fresh(self, count: int) -> list[Bit]:
        """New nets."""
        first = self.nets + 1
        self.nets += count
        return list(range(first, first + count))

    def cell(
        self, kind: str, width: int, inputs: dict[str, list[Bit]], **parameters: int
    ) -> list[Bit]:
        """An operator, and the nets of its result."""
        bits = self.fresh(width)
        self.add(f"{kind}${len(self.cells)}", kind, inputs | {"Y": bits}, parameters)
        return bits

    def add(
        self,
        name: str,
        kind: str,
        connections: dict[str, list[Bit]],
        parameters: dict[str, int],
        memory: str = "",
    ) -> Cell:
        """A cell, as what drives its outputs."""
        cell = Cell(name, kind, self.place, parameters, connections, memory)
        self.cells.append(cell)
        for port in ("Y", "Q", "DATA"):
            if port in connections and not kind.startswith("memwr"):
                self.netlist.drive(cell, connections[port])
        return cell

    # Names

    def name_of(self, expression: ast.Expression, names: Container[str], other: str) -> str:
        """The name that an expression is; `other` is what one is that is not among the names."""
        is_name = isinstance(expression, ast.NamedValueExpression)
        name = expression.symbol.name if is_name else words_of(expression.kind.name)
        if not is_name or name not in names:
            raise self.refuse(f"{other}, {name}", expression)
        return name

    def signal(self, expression: ast.Expression) -> Signal:
        """The signal that an expression names, which is read."""
        name = self.name_of(expression, self.signals, "not a name that has a value here")
        signal = self.signals[name]
        if signal.kind is Kind.OUTPUT:
            raise self.refuse(f"an output that is read, {name}", expression)
        signal.read = True
        return signal

    def memory(self, expression: ast.Expression) -> Memory:
        """The memory that an expression names."""
        memories = self.netlist.memories
        return memories[self.name_of(expression, memories, "not the name of a memory")]

    # Expressions

    def word(self, expression: ast.Expression) -> list[Bit]:
        """The bits of an expression, lowest first."""
        form = self._FORMS.get(type(expression))
        if form is None:
            raise self.refuse(words_of(expression.kind.name), expression)
        return form(self, expression)

    def _name(self, expression: ast.NamedValueExpression) -> list[Bit]:
        return self.signal(expression).bits

    def _literal(self, expression: ast.IntegerLiteral) -> list[Bit]:
        if expression.isDeclaredUnsized:
            raise self.refuse("a number without a width", expression)
        return _bits(int(expression.value), expression.type.bitWidth)

    def _conversion(self, expression: ast.ConversionExpression) -> list[Bit]:
        """From two states to four, as numbers have it; width and sign stay."""
        given, wanted = expression.operand.type, expression.type
        if given.bitWidth != wanted.bitWidth or given.isSigned != wanted.isSigned:
            raise self.refuse(f"a value of {given} where {wanted} should be", expression)
        return self.word(expression.operand)

    def _element(self, expression: ast.ElementSelectExpression) -> list[Bit]:
        """A bit of a vector, an element of an array, or a word of a memory."""
        value, index = expression.value, expression.selector
        if value.type.isUnpackedArray:
            return self._memory_word(expression)
        signal, size = self.signal(value), expression.type.bitWidth
        bits = self.index(index, len(signal.bits) // size)
        if isinstance(index, ast.IntegerLiteral):
            constant = int(index.value)
            return signal.bits[constant * size : (constant + 1) * size]
        if size > 1:
            width = len(bits) + size.bit_length()
            scaled = {"A": [*bits, *_bits(0, width - len(bits))], "B": _bits(size, width)}
            bits = self.cell("mul", width, scaled, A_SIGNED=0, B_SIGNED=0)
        inputs = {"A": signal.bits, "B": bits}
        return self.cell("shiftx", size, inputs, A_SIGNED=0, B_SIGNED=0)

    def index(self, expression: ast.Expression, count: int) -> list[Bit]:
        """An index below `count`: a plain number, or as many bits as the largest one needs."""
        width = max(1, (count - 1).bit_length())
        if isinstance(expression, ast.IntegerLiteral) and expression.isDeclaredUnsized:
            return _bits(int(expression.value), width)
        if count == 1:
            raise self.refuse("an index of a single word or bit that is not 0", expression)
        bits = self.word(expression)
        if len(bits) != width:
            raise self.refuse(f"an index of {len(bits)} bits, where {width} reach all", expression)
        return bits

    def _memory_word(self, expression: ast.ElementSelectExpression) -> list[Bit]:
        memory = self.memory(expression.value)
        connections = {
            "ADDR": self.index(expression.selector, len(memory.entries)),
            "DATA": self.fresh(memory.width),
        }
        parameters = {"CLK_ENABLE": 0, "WIDTH": memory.width}
        name = f"{memory.name}$read{len(memory.reads)}"
        memory.reads.append(self.add(name, "memrd_v2", connections, parameters, memory.name))
        return connections["DATA"]

    def _part(self, expression: ast.RangeSelectExpression) -> list[Bit]:
        signal, high, low = self.signal(expression.value), expression.left, expression.right
        if not isinstance(high, ast.IntegerLiteral) or not isinstance(low, ast.IntegerLiteral):
            raise self.refuse("a part whose bounds are not numbers", expression)
        if not expression.value.type.isSimpleBitVector:
            raise self.refuse("a part of an array", expression)
        return signal.bits[int(low.value) : int(high.value) + 1]

    def _concatenation(self, expression: ast.ConcatenationExpression) -> list[Bit]:
        bits: list[Bit] = []
        for operand in reversed(list(expression.operands)):
            bits += self.word(operand)
        return bits

    def _copies(self, expression: ast.ReplicationExpression) -> list[Bit]:
        count = expression.count
        if not isinstance(count, ast.IntegerLiteral) or int(count.value) < 1:
            raise self.refuse("copies whose count is not a number above 0", expression)
        return self.word(expression.concat) * int(count.value)

    def _call(self, expression: ast.CallExpression) -> list[Bit]:
        """`$signed`, `$unsigned`, or a function with its body in place."""
        values = [self.word(argument) for argument in expression.arguments]
        if expression.isSystemCall and expression.subroutineName in ("$signed", "$unsigned"):
            return values[0]
        function = self.functions.get(expression.subroutineName)
        if function is None:
            what = f"a call of {expression.subroutineName}, which is no function above"
            raise self.refuse(what, expression)
        outer = self.signals, self.functions
        self.signals, self.functions = {}, {}
        for argument, bits in zip(function.arguments, values, strict=True):
            self.set(argument.name, bits)
        for statement in statements(function.body):
            self._assign_local(statement)
        result = self.signals.get(function.name)
        self.signals, self.functions = outer
        if result is None:
            raise self.refuse(f"a function without a value, {function.name}", expression)
        return result.bits

    def _assign_local(self, statement: ast.Statement) -> None:
        """An assignment in a function, whose target is a name or names in braces."""
        if isinstance(statement, ast.VariableDeclStatement):
            if statement.symbol.initializer is not None:
                raise self.refuse("a variable with an initial value")
            return
        left, right = self.assigned(statement, nonblocking=False)
        bits = self.word(right)
        targets = left.operands if isinstance(left, ast.ConcatenationExpression) else [left]
        for target in reversed(list(targets)):
            if not isinstance(target, ast.NamedValueExpression):
                raise self.refuse("an assignment to a part of a signal", target)
            width = target.type.bitWidth
            self.set(target.symbol.name, bits[:width])
            bits = bits[width:]

    def set(self, name: str, bits: list[Bit], kind: Kind = Kind.WIRE) -> None:
        """Declare a name that stands for some bits."""
        self.signals[name] = Signal(kind, bits, self.offset)

    def assigned(
        self, statement: ast.Statement, *, nonblocking: bool
    ) -> tuple[ast.Expression, ast.Expression]:
        """Both sides of an assignment."""
        expression = statement.expr if isinstance(statement, ast.ExpressionStatement) else None
        if not isinstance(expression, ast.AssignmentExpression):
            raise self.refuse(f"a statement that assigns nothing, {statement.kind.name}")
        if expression.isNonBlocking != nonblocking:
            kind = "blocking assignment in a clocked process" if nonblocking else "load"
            raise self.refuse(f"a {kind}", expression)
        return expression.left, expression.right

    def _unary(self, expression: ast.UnaryExpression) -> list[Bit]:
        bits = self.word(expression.operand)
        is_negation = expression.op is ast.UnaryOperator.Minus
        if is_negation and (pattern := number(bits)) is not None:
            return _bits(-pattern, len(bits))
        kind = _UNARY.get(expression.op)
        if kind is None or expression.operand.type.isSigned:
            raise self.refuse(f"{words_of(expression.op.name)} of a value", expression)
        width = expression.type.bitWidth
        return self.cell(kind, width, {"A": bits}, A_SIGNED=0)

    def _binary(self, expression: ast.BinaryExpression) -> list[Bit]:
        """Chains group to the left, and may be long: from the innermost outwards."""
        chain = [expression]
        while isinstance(inner := chain[-1].left, ast.BinaryExpression):
            chain.append(inner)
        value = self.word(chain[-1].left)
        for each in reversed(chain):
            value = self._operation(each, value, self.word(each.right))
        return value

    def _operation(
        self, expression: ast.BinaryExpression, left: list[Bit], right: list[Bit]
    ) -> list[Bit]:
        kind = _CELLS.get(expression.op)
        signed, is_right_signed = expression.left.type.isSigned, expression.right.type.isSigned
        if kind is None or (signed and kind not in SIGNED) or (is_right_signed and kind in _SHIFTS):
            what = "with a signed value" if signed or is_right_signed else "of two values"
            raise self.refuse(f"{words_of(expression.op.name)} {what}", expression)
        parameters = {"A_SIGNED": int(signed), "B_SIGNED": int(is_right_signed)}
        inputs = {"A": left, "B": right}
        return self.cell(kind, expression.type.bitWidth, inputs, **parameters)

    def _choice(self, expression: ast.ConditionalExpression) -> list[Bit]:
        (condition,) = expression.conditions
        inputs = {
            "A": self.word(expression.right),
            "B": self.word(expression.left),
            "S": self.word(condition.expr),
        }
        return self.cell("mux", expression.type.bitWidth, inputs)

    _FORMS: ClassVar[Mapping[type, Callable[[Any, Any], list[Bit]]]] = {
        ast.NamedValueExpression: _name,
        ast.IntegerLiteral: _literal,
        ast.ConversionExpression: _conversion,
        ast.ElementSelectExpression: _element,
        ast.RangeSelectExpression: _part,
        ast.ConcatenationExpression: _concatenation,
        ast.ReplicationExpression: _copies,
        ast.CallExpression: _call,
        ast.UnaryExpression: _unary,
        ast.BinaryExpression: _binary,
        ast.ConditionalExpression: _choice,
    }


def statements(body: ast.Statement) -> Iterator[ast.Statement]:
    """A statement, or those of a block."""
    if isinstance(body, ast.BlockStatement):
        yield from statements(body.body)
    elif isinstance(body, ast.StatementList):
        yield from body.list
    else:
        yield body


def _bits(pattern: int, width: int) -> list[Bit]:
    """Lowest first."""
    return list(f"{pattern % (1 << width):0{width}b}"[::-1])
