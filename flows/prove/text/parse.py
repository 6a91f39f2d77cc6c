"""From tokens to the syntax tree by recursive descent: one method for each production.

The grammar is `docs/reference/rtl-subset.md`. Other text is refused with its place and, where there
is one, the SystemVerilog name of the construct.
"""

from __future__ import annotations

from kan_dialect.flows.prove.text.expressions import ExpressionParser
from kan_dialect.flows.prove.text.syntax import (
    Adder,
    Assignment,
    Connection,
    Constant,
    Dimensions,
    Instance,
    Item,
    Literal,
    Load,
    Memory,
    Module,
    Name,
    Port,
    Process,
    Register,
    Wire,
    Write,
)
from kan_dialect.flows.prove.text.tokens import (
    IMPLICIT_NETS,
    KEYWORDS,
    MEMORY_IS_LOGIC,
    MODULE_IS_KEPT,
    NO_IMPLICIT_NETS,
    TABLES_ARE_LOGIC,
    Tokens,
)


def parse(tokens: Tokens) -> list[Module]:
    """The modules of a file.

    Raises
    ------
    NotInSubset : the text does not follow the grammar.
    """
    return _Parser(tokens).file()


class _Parser(ExpressionParser):
    """Parses files and modules; methods are productions of the grammar."""

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
        is_kept = self.accept(MODULE_IS_KEPT)
        if not is_kept:
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
        return Module(at, name, ports, items, is_kept)

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
            case text if text.isidentifier() and text not in KEYWORDS:
                return self.instance()
            case _:
                raise self.unexpected("a declaration, a process, an assignment or an instance")

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

    def instance(self) -> Instance:
        at = self.place
        module, name = self.name(), self.name()
        self.expect("(")
        connections = [self.connection()]
        while self.accept(","):
            connections.append(self.connection())
        self.sequence(")", ";")
        return Instance(at, module, name, connections)

    def connection(self) -> Connection:
        self.expect(".")
        at = self.place
        port = self.name()
        self.expect("(")
        value = self.expression()
        self.expect(")")
        return Connection(at, port, value)

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
