"""From tokens to the tree, by recursive descent: one method for each production of the grammar.

`docs/reference/rtl-subset.md` has the grammar. What does not follow it is refused with its
place, and called by its name in SystemVerilog where it has one.
"""

from __future__ import annotations

import re
from functools import lru_cache

from kan_dialect.flows.prove.text.syntax import (
    Adder,
    Assignment,
    Binary,
    Call,
    Cast,
    Choice,
    Concatenation,
    Constant,
    Dimensions,
    Element,
    Expression,
    Item,
    Literal,
    Load,
    Memory,
    Module,
    Name,
    Part,
    Port,
    Process,
    Register,
    Replication,
    Unary,
    Wire,
    Write,
)
from kan_dialect.flows.prove.text.tokens import (
    IMPLICIT_NETS,
    KEYWORDS,
    MEMORY_IS_LOGIC,
    NO_IMPLICIT_NETS,
    TABLES_ARE_LOGIC,
    NotInSubset,
    Tokens,
)

DEEPEST = 60
"""Brackets within brackets."""

LARGEST = 1 << 24
"""Plain numbers are at most this: bounds of ranges, counts of copies."""

LONGEST_NAME = 1024
"""Characters of a name that every tool reads (IEEE 1800-2017, 5.6)."""

_A_NAME = "a name"

PRIMARY, UNARY, PRODUCT, SUM, OTHER = range(5)
"""How tightly the outermost operator of an expression binds."""

PRODUCTS = frozenset({"*", "/", "%"})
SUMS = frozenset({"+", "-"})
SHIFTS = frozenset({"<<", ">>", ">>>"})
COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
BITWISE = frozenset({"&", "^", "|"})

_LITERAL = re.compile(r"([1-9][0-9]{0,6})'(s?)([bdh])([0-9A-F]+)")
LONGEST_DECIMAL = 1000
_PLAIN_DIGITS = re.compile(r"0|[1-9][0-9]*")
_PLAIN = re.compile(r"0|[1-9][0-9]{0,7}")


def parse(tokens: Tokens) -> list[Module]:
    """The modules of a file.

    Raises
    ------
    NotInSubset : the text does not follow the grammar.
    """
    return _Parser(tokens).file()


@lru_cache(1 << 14)
def _literal(text: str) -> tuple[int, int, bool] | str:
    """Width, pattern and whether signed of a sized number, or what is wrong with it."""
    match = _LITERAL.fullmatch(text)
    if match is None:
        return f"the number {text}" if "'" in text else f"the number {text} without a width"
    width, base, digits = int(match[1]), match[3], match[4]
    if base == "b":
        fits = width == 1 and digits in ("0", "1")
    elif base == "d":
        fits = _PLAIN_DIGITS.fullmatch(digits) is not None and len(digits) <= width
        fits = fits and len(digits) < LONGEST_DECIMAL
    else:
        fits = len(digits) <= -(-width // 4)
    pattern = int(digits, {"b": 2, "d": 10, "h": 16}[base]) if fits else 0
    if not fits or pattern >> width:
        return f"the number {text}"
    return width, pattern, bool(match[2])


class _Parser:
    """Reads tokens from left to right; `place` is the next one."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.texts = tokens.texts
        self.place = 0
        self.level = PRIMARY
        """Of the expression that was read last."""
        self.depth = 0

    # Errors

    def refuse(self, construct: str, place: int | None = None) -> NotInSubset:
        return self.tokens.refuse(self.place if place is None else place, construct)

    def unexpected(self, expected: str) -> NotInSubset:
        """The error that the next token is, where something else should stand."""
        text = self.texts[self.place]
        known = None if expected == _A_NAME and text in KEYWORDS else _known(text)
        return self.refuse(known or f"{_shown(text)}, where {expected} should be")

    # Single tokens

    def expect(self, text: str) -> None:
        if self.texts[self.place] != text:
            raise self.unexpected(text)
        self.place += 1

    def sequence(self, *texts: str) -> None:
        for text in texts:
            self.expect(text)

    def accept(self, text: str) -> bool:
        if self.texts[self.place] != text:
            return False
        self.place += 1
        return True

    def name(self) -> str:
        text = self.texts[self.place]
        if not text.isidentifier() or text in KEYWORDS:
            raise self.unexpected(_A_NAME)
        if len(text) > LONGEST_NAME:
            raise self.refuse(f"a name of more than {LONGEST_NAME} characters")
        self.place += 1
        return text

    def number(self) -> int:
        text = self.texts[self.place]
        if not _PLAIN.fullmatch(text) or (value := int(text)) > LARGEST:
            raise self.unexpected("a plain number")
        self.place += 1
        return value

    # Files and modules

    def file(self) -> list[Module]:
        self.expect(NO_IMPLICIT_NETS)
        modules = [self.module()]
        while self.texts[self.place] != IMPLICIT_NETS:
            modules.append(self.module())
        self.place += 1
        if self.texts[self.place]:
            raise self.unexpected("the end of the file")
        return modules

    def module(self) -> Module:
        self.accept(TABLES_ARE_LOGIC)
        at = self.place
        self.expect("module")
        name = self.name()
        self.expect("(")
        ports = [self.port()]
        while self.accept(","):
            ports.append(self.port())
        self.sequence(")", ";")
        items: list[Item] = []
        while not self.accept("endmodule"):
            items.append(self.item())
        return Module(at, name, ports, items)

    def port(self) -> Port:
        is_output = self.accept("output")
        if not is_output:
            self.expect("input")
        self.expect("wire")
        dimensions = self.type(arrays=False)
        return Port(self.place, self.name(), is_output, dimensions)

    def type(self, *, arrays: bool = True) -> Dimensions:
        """`logic`, and its packed ranges."""
        self.expect("logic")
        if self.texts[self.place] != "[":
            return ()
        size = self.range()
        if not arrays or self.texts[self.place] != "[":
            return (size,)
        return size, self.range()

    def range(self) -> int:
        """The size of `[size - 1:0]`."""
        self.expect("[")
        highest = self.number()
        self.sequence(":", "0", "]")
        return highest + 1

    # Items

    def item(self) -> Item:
        match self.texts[self.place]:
            case "wire":
                return self.wire()
            case "localparam":
                return self.constant()
            case text if text in ("logic", MEMORY_IS_LOGIC):
                return self.variable()
            case "function":
                return self.adder()
            case "always_ff":
                return self.process()
            case "assign":
                return self.assignment()
            case _:
                raise self.unexpected("a declaration, a process or an assignment")

    def wire(self) -> Wire:
        self.expect("wire")
        dimensions = self.type()
        at = self.place
        name = self.name()
        self.expect("=")
        value = self.expression()
        self.expect(";")
        return Wire(at, name, dimensions, value)

    def constant(self) -> Constant:
        self.sequence("localparam", "logic")
        size = self.range()
        at = self.place
        name = self.name()
        self.expect("=")
        if self.accept("{"):
            value = [self.literal()]
            while self.accept(","):
                value.append(self.literal())
            self.expect("}")
        else:
            value = [self.literal()]
        self.expect(";")
        return Constant(at, name, size, value)

    def literal(self) -> Literal:
        """A number, negative or not."""
        at = self.place
        negative = self.accept("-")
        found = _literal(self.texts[self.place])
        if isinstance(found, str):
            if self.texts[self.place][:1].isdigit():
                raise self.refuse(found)
            raise self.unexpected("a number")
        self.place += 1
        width, pattern, signed = found
        return Literal(at, width, -pattern % (1 << width) if negative else pattern, signed)

    def variable(self) -> Register | Memory:
        distributed = self.accept(MEMORY_IS_LOGIC)
        dimensions = self.type()
        at = self.place
        name = self.name()
        if not distributed and self.accept(";"):
            return Register(at, name, dimensions)
        if self.texts[self.place] == "=":
            raise self.refuse("a variable with an initial value")
        self.sequence("[", "0", ":")
        words = self.number() + 1
        self.sequence("]", ";")
        if len(dimensions) > 1:
            raise self.refuse("a memory of arrays", at)
        contents = self.contents(name, words) if self.accept("initial") else None
        return Memory(at, name, dimensions, words, distributed, contents)

    def contents(self, name: str, words: int) -> list[Literal]:
        """What every word of a memory holds first, in order."""
        found: list[Literal] = []
        self.expect("begin")
        for index in range(words):
            self.sequence(name, "[", str(index), "]", "=")
            found.append(self.literal())
            self.expect(";")
        self.expect("end")
        return found

    def adder(self) -> Adder:
        """A function that adds: the shape is fixed, only names and widths are free."""
        self.sequence("function", "automatic", "logic")
        width = self.width_of_adder()
        at = self.place
        name = self.name()
        self.expect("(")
        left = self.argument(width)
        self.expect(",")
        right = self.argument(width)
        carry = self.argument(0) if self.accept(",") else None
        self.sequence(")", ";", "logic", "[", str(width), ":", "0", "]")
        twice = self.name()
        self.sequence(";", "logic")
        unused = self.name()
        self.sequence(";", twice, "=", "{", left, ",", carry or "1'b0", "}")
        subtracts = self.accept("-")
        if subtracts:
            self.sequence("{", "~", right, ",", *(("~", carry) if carry else ("1'b1",)), "}", ";")
        else:
            self.sequence("+", "{", right, ",", carry or "1'b0", "}", ";")
        self.sequence("{", name, ",", unused, "}", "=", twice, ";", "endfunction")
        locals_ = [left, right, *([carry] if carry else []), twice, unused]
        if len({name, *locals_}) <= len(locals_):
            raise self.refuse("a function with a name declared twice", at)
        return Adder(at, name, width, carry is not None, subtracts, locals_)

    def width_of_adder(self) -> int:
        return self.range() if self.texts[self.place] == "[" else 1

    def argument(self, width: int) -> str:
        """The name of an argument; a width of 0: of a bit."""
        self.sequence("input", "logic")
        if width > 1:
            self.sequence("[", str(width - 1), ":", "0", "]")
        return self.name()

    def assignment(self) -> Assignment:
        self.expect("assign")
        at = self.place
        name = self.name()
        self.expect("=")
        value = self.expression()
        self.expect(";")
        return Assignment(at, name, value)

    # Processes

    def process(self) -> Process:
        at = self.place
        self.sequence("always_ff", "@", "(", "posedge")
        clock = Name(self.place, self.name())
        self.expect(")")
        if self.accept("begin"):
            statements = [self.statement()]
            while not self.accept("end"):
                statements.append(self.statement())
            return Process(at, clock, None, [], statements)
        if self.texts[self.place] != "if":
            return Process(at, clock, None, [], [self.load()])
        start = self.place
        self.sequence("if", "(")
        condition = self.expression()
        self.expect(")")
        if self.texts[self.place + 1 : self.place + 2] == ["["]:
            self.place = start
            return Process(at, clock, None, [], [self.write()])
        resets = self.loads()
        if self.texts[self.place] != "else":
            raise self.refuse("a reset without an else", start)
        self.place += 1
        loads: list[Load | Write] = [*self.loads()]
        return Process(at, clock, condition, resets, loads)

    def loads(self) -> list[Load]:
        """One load, or some between `begin` and `end`."""
        if not self.accept("begin"):
            return [self.load()]
        found = [self.load()]
        while not self.accept("end"):
            found.append(self.load())
        return found

    def statement(self) -> Load | Write:
        return self.write() if self.texts[self.place] == "if" else self.load()

    def load(self) -> Load:
        at = self.place
        name = self.name()
        if self.texts[self.place] == "[":
            raise self.refuse("an assignment to a part of a signal in a clocked process", at)
        self.arrow()
        value = self.expression()
        self.expect(";")
        return Load(at, name, value)

    def arrow(self) -> None:
        """`<=`, which no delay follows."""
        if self.texts[self.place] == "=":
            raise self.refuse("a blocking assignment in a clocked process")
        self.expect("<=")

    def write(self) -> Write:
        self.sequence("if", "(")
        enable = self.expression()
        self.expect(")")
        at = self.place
        memory = self.name()
        self.expect("[")
        address = self.index()
        self.expect("]")
        self.arrow()
        value = self.expression()
        self.expect(";")
        return Write(at, memory, address, enable, value)

    # Expressions

    def expression(self) -> Expression:
        """A choice, or what has no choice outside of brackets."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.refuse(f"brackets nested deeper than {DEEPEST}")
        choices: list[tuple[int, Expression, Expression]] = []
        while True:
            at = self.place
            value = self.simple()
            if self.texts[self.place] != "?":
                break
            if self.level != PRIMARY:
                raise self.refuse("a condition of a choice that is not in brackets", at)
            self.place += 1
            if_true = self.simple()
            if self.texts[self.place] == "?":
                raise self.refuse("a choice in a choice that is not in brackets")
            self.expect(":")
            choices.append((at, value, if_true))
        if choices:
            self.level = OTHER
            for at, condition, if_true in reversed(choices):
                value = Choice(at, condition, if_true, value)
        self.depth -= 1
        return value

    def simple(self) -> Expression:
        """Sums, or at most one comparison, shift, or chain of one bitwise operator."""
        texts = self.texts
        if texts[self.place] == "^":
            at = self.place
            self.place += 1
            value = Unary(at, "^", self.primary())
            self.level = OTHER
            return value
        left = self.sum()
        place = self.place
        operator = texts[place]
        if operator in BITWISE:
            self.require_unary(operator)
            while texts[self.place] == operator:
                at = self.place
                self.place += 1
                left = Binary(at, operator, left, self.unary())
            self.level = OTHER
        elif operator in COMPARISONS:
            self.place += 1
            left = Binary(place, operator, left, self.sum())
            self.level = OTHER
        elif operator in SHIFTS:
            self.require_unary(operator)
            self.place += 1
            left = Binary(place, operator, left, self.unary())
            self.level = OTHER
        return left

    def require_unary(self, operator: str) -> None:
        if self.level > UNARY:
            raise self.refuse(f"an operand of {operator} that is not in brackets")

    def sum(self) -> Expression:
        left = self.product()
        while (operator := self.texts[self.place]) in SUMS:
            at = self.place
            self.place += 1
            left = Binary(at, operator, left, self.product())
            self.level = SUM
        return left

    def product(self) -> Expression:
        left = self.unary()
        while (operator := self.texts[self.place]) in PRODUCTS:
            at = self.place
            self.place += 1
            left = Binary(at, operator, left, self.unary())
            self.level = PRODUCT
        return left

    def unary(self) -> Expression:
        operator = self.texts[self.place]
        if operator == "-" or operator == "~":
            at = self.place
            self.place += 1
            operand = self.primary()
            self.level = UNARY
            if operator == "-" and isinstance(operand, Literal):
                negated = -operand.pattern % (1 << operand.width)
                return Literal(at, operand.width, negated, operand.signed)
            return Unary(at, operator, operand)
        return self.primary()

    def primary(self) -> Expression:
        texts, at = self.texts, self.place
        text = texts[at]
        self.level = PRIMARY
        if text.isidentifier():
            following = texts[at + 1]
            if following == "[":
                return self.selection()
            if following == "(":
                return self.call()
            if text in KEYWORDS:
                raise self.unexpected("an expression")
            self.place += 1
            return Name(at, text)
        if text == "{":
            return self.braces()
        if text == "(":
            self.place += 1
            value = self.expression()
            self.expect(")")
            self.level = PRIMARY
            return value
        if text == "$signed" or text == "$unsigned":
            self.place += 1
            self.expect("(")
            value = self.expression()
            self.expect(")")
            self.level = PRIMARY
            return Cast(at, text == "$signed", value)
        if not text[:1].isdigit():
            raise self.unexpected("an expression")
        return self.literal()

    def selection(self) -> Element | Part:
        at, name = self.place, self.name()
        self.expect("[")
        index = self.index()
        if isinstance(index, int) and self.accept(":"):
            low = self.number()
            self.expect("]")
            return Part(at, name, index, low)
        self.expect("]")
        self.level = PRIMARY
        return Element(at, name, index)

    def index(self) -> Expression | int:
        """A plain number, or an expression."""
        is_plain = _PLAIN.fullmatch(self.texts[self.place]) is not None
        return self.number() if is_plain else self.expression()

    def call(self) -> Call:
        at, name = self.place, self.name()
        self.expect("(")
        arguments = [self.expression()]
        while self.accept(","):
            arguments.append(self.expression())
        self.expect(")")
        self.level = PRIMARY
        return Call(at, name, arguments)

    def braces(self) -> Concatenation | Replication:
        """A concatenation, or copies."""
        at = self.place
        self.expect("{")
        if _PLAIN.fullmatch(self.texts[self.place]):
            count = self.number()
            self.expect("{")
            part = self.expression()
            self.sequence("}", "}")
            self.level = PRIMARY
            return Replication(at, count, part)
        parts = [self.expression()]
        while self.accept(","):
            parts.append(self.expression())
        self.expect("}")
        self.level = PRIMARY
        return Concatenation(at, parts)


_KNOWN = {
    "": "the end of the file",
    "#": "a delay",
    "##": "a delay",
    "(*": "an attribute",
    "/*": "a block comment",
    "'": "a number without a width",
    "'{": "an assignment pattern",
    "initial": "an initial block",
    "final": "a final block",
    "always": "an always block of the kind `always`",
    "always_comb": "an always_comb block",
    "always_latch": "an always_latch block",
    "negedge": "a falling edge",
    "generate": "a generate block",
    "genvar": "a generate block",
    "parameter": "a parameter",
    "defparam": "a parameter",
    "reg": "a variable of type reg",
    "integer": "a variable of type integer",
    "int": "a variable of type int",
    "signed": "a signed type",
    "case": "a case statement",
    "casez": "a case statement",
    "casex": "a case statement",
    "for": "a loop",
    "task": "a task",
    "import": "an import",
    "force": "a force statement",
    "assert": "an assertion",
    "specify": "a specify block",
    "package": "a package",
    "+:": "an indexed part",
    "-:": "an indexed part",
    ".": "a hierarchical name or a named port",
    "::": "a name of a package",
    "++": "an increment",
    "--": "a decrement",
}


def _known(text: str) -> str | None:
    """What a token is called that no production has in its place."""
    if text.startswith("`"):
        return f"a compiler directive {text}"
    if text.startswith("\\"):
        return "an escaped name"
    if text.startswith('"'):
        return "a string"
    if text.startswith("$"):
        return f"the system function {text}"
    if text[:1].isdigit() and isinstance(found := _literal(text), str) and "'" in text:
        return found
    if (text[:1].isalpha() or text[:1] == "_") and "$" in text:
        return f"a name with a $, {text}"
    return _KNOWN.get(text)


def _shown(text: str) -> str:
    return f"the keyword {text}" if text in KEYWORDS else text
