"""Modules of slang's typed tree as netlists; checks the rules on names and drivers.

The rules are those of `docs/reference/rtl-subset.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyslang import ast

from kan_dialect.flows.prove.netlist import (
    Bit,
    InputPort,
    Instance,
    Memory,
    Netlist,
    note_signed,
    number,
)
from kan_dialect.flows.prove.text.constructs import words_of
from kan_dialect.flows.prove.text.expressions import Expressions, Kind, Signal, statements
from kan_dialect.flows.prove.text.source import Source

MOST_WORDS = 1 << 20
"""Most words of a memory."""


class ModuleReader(Expressions):
    """The cells of a module, one for each operator, register, and port of a memory.

    Parameters
    ----------
    known : the modules that it may have instances of, by name.

    Raises
    ------
    NotInSubset : a rule of names, types or drivers is broken.
    """

    def __init__(self, source: Source, file: str, known: Mapping[str, Netlist]) -> None:
        super().__init__(source, file)
        self.known = known
        self.clocks: dict[str, int] = {}
        """Names of clocks, and where one is first."""
        self.initial_words: dict[str, int] = {}
        """Names of memories with initial words, and where the last one is."""

    def read(self, module: ast.InstanceBodySymbol) -> Netlist:
        """The netlist of a module."""
        items: dict[type, Callable[[Any], None]] = {
            ast.PortSymbol: self._port,
            ast.ParameterSymbol: self._constant,
            ast.NetSymbol: self._net,
            ast.VariableSymbol: self._variable,
            ast.SubroutineSymbol: self._function,
            ast.ProceduralBlockSymbol: self._process,
            ast.ContinuousAssignSymbol: self._assignment,
            ast.InstanceSymbol: self._instance,
        }
        for member in module:
            self.go_to(member.location.offset)
            item = items.get(type(member))
            if item is None:
                raise self.refuse(words_of(member.kind.name))
            item(member)
        for name, signal in self.signals.items():
            if signal.kind in (Kind.REGISTER, Kind.OUTPUT) and not signal.assigned:
                what = f"{signal.kind.value} that nothing assigns, {name}"
                raise self.source.refuse(signal.offset, what)
        for name, offset in self.initial_words.items():
            if None in self.netlist.memories[name].entries:
                what = f"initial words that are not all words of a memory, {name}"
                raise self.source.refuse(offset, what)
        self._check_clocks()
        self.go_to(module.location.offset)
        if not self.netlist.ports:
            raise self.refuse("a module without ports")
        self.netlist.is_kept = module.name in self.source.kept
        if self.netlist.is_kept and (
            self.clocks or self.netlist.memories or self.netlist.instances
        ):
            raise self.refuse("a kept module of more than logic")
        for cell in self.cells:
            note_signed(self.netlist, cell)
        return self.netlist

    def _check_clocks(self) -> None:
        for name, offset in self.clocks.items():
            signal = self.signals[name]
            if signal.kind is not Kind.INPUT or len(signal.bits) > 1:
                what = f"a clock other than an input of one bit, {name}"
                raise self.source.refuse(offset, what)
            if signal.read:
                raise self.source.refuse(offset, f"a clock that is read as data, {name}")
            self.netlist.clocks.add(name)

    # Declarations

    def _port(self, port: ast.PortSymbol) -> None:
        name = port.name
        if port.initializer is not None:
            raise self.refuse(f"a port with a value, {name}")
        self.netlist.ports.append(name)
        if port.direction is ast.ArgumentDirection.Out:
            self.set(name, [], Kind.OUTPUT)
            return
        bits = self._named(name, self.fresh(port.type.bitWidth), Kind.INPUT)
        self.netlist.inputs[name] = bits
        self.netlist.drive(InputPort(name), bits)

    def _named(self, name: str, bits: list[Bit], kind: Kind) -> list[Bit]:
        """The bits of a signal that has its name in the netlist, too."""
        self.set(name, bits, kind)
        self.netlist.names[name] = bits
        return bits

    def _constant(self, constant: ast.ParameterSymbol) -> None:
        self.set(constant.name, self.word(constant.initializer))

    def _net(self, net: ast.NetSymbol) -> None:
        if net.name in self.netlist.ports:
            return
        if net.initializer is None:
            raise self.refuse(f"a wire without a value, {net.name}")
        self._named(net.name, self.word(net.initializer), Kind.WIRE)

    def _variable(self, variable: ast.VariableSymbol) -> None:
        name = variable.name
        if variable.initializer is not None:
            raise self.refuse(f"a variable with an initial value, {name}")
        if not variable.type.isUnpackedArray:
            self._named(name, self.fresh(variable.type.bitWidth), Kind.REGISTER)
            return
        word, addresses = variable.type.arrayElementType, variable.type.fixedRange
        if not word.isSimpleBitVector or addresses.left or addresses.right >= MOST_WORDS:
            raise self.refuse(f"a memory of arrays, or of more than {MOST_WORDS} words, {name}")
        self.netlist.memories[name] = Memory(name, word.bitWidth, [None] * addresses.width)

    def _function(self, function: ast.SubroutineSymbol) -> None:
        if function.defaultLifetime is not ast.VariableLifetime.Automatic:
            raise self.refuse(f"a function that is not automatic, {function.name}")
        self.functions[function.name] = function

    def _assignment(self, item: ast.ContinuousAssignSymbol) -> None:
        name, signal = self._target(item.assignment.left)
        if signal.kind is not Kind.OUTPUT:
            raise self.refuse(f"an assignment to {name}, which is no output")
        self._drive(name, signal)
        signal.bits = self.word(item.assignment.right)
        self.netlist.outputs[name] = self.netlist.names[name] = signal.bits

    def _target(self, expression: ast.Expression) -> tuple[str, Signal]:
        """The signal that is assigned, all of it."""
        other = "an assignment to other than a signal above"
        name = self.name_of(expression, self.signals, other)
        return name, self.signals[name]

    def _clock(self, expression: ast.Expression) -> list[Bit]:
        """The bit of a clock, which is the name of an input."""
        name = self.name_of(expression, self.signals, "a clock that is not the name of an input")
        self.clocks.setdefault(name, expression.sourceRange.start.offset)
        return self.signals[name].bits

    def _drive(self, name: str, signal: Signal) -> None:
        if signal.assigned:
            raise self.refuse(f"a second assignment to {name}")
        signal.assigned = True

    # Instances

    def _instance(self, item: ast.InstanceSymbol) -> None:
        module = self.known.get(item.definition.name)
        if module is None:
            what = f"an instance of {item.definition.name}, which is no module before"
            raise self.refuse(what)
        given = {each.port.name: each.expression for each in item.portConnections}
        inputs = {
            port: self._clock(value) if port in module.clocks else self.word(value)
            for port, value in given.items()
            if port in module.inputs
        }
        # Behind its inputs: what an instance reads cannot depend on its outputs in the same cycle.
        outputs = {port: self._taken(port, given[port]) for port in given if port in module.outputs}
        if module.is_kept:
            self._inline(module, inputs, outputs)
            return
        results = {port: self.signals[name].bits for port, name in outputs.items()}
        instance = Instance(item.name, item.definition.name, self.place, inputs, results)
        self.netlist.add_instance(instance)

    def _inline(
        self, module: Netlist, inputs: Mapping[str, Sequence[Bit]], outputs: Mapping[str, str]
    ) -> None:
        """Copy the cells of a module that synthesis keeps."""
        nets: dict[Bit, Bit] = {}
        for port, bits in module.inputs.items():
            nets.update(zip(bits, inputs[port], strict=True))
        for cell in module.cells:
            result = cell.connections["Y"]
            nets.update(zip(result, self.fresh(len(result)), strict=True))
            connections = {
                port: [nets.get(bit, bit) for bit in bits]
                for port, bits in cell.connections.items()
            }
            name = f"{cell.kind}${len(self.cells)}"
            self.add(name, cell.kind, connections, dict(cell.parameters))
        for port, name in outputs.items():
            bits = [nets.get(bit, bit) for bit in module.outputs[port]]
            self.signals[name].bits = self.netlist.names[name] = bits

    def _taken(self, port: str, value: ast.Expression) -> str:
        """The name of the signal that an output of an instance drives."""
        target = value.left if isinstance(value, ast.AssignmentExpression) else value
        name, signal = self._target(target)
        if signal.kind is not Kind.REGISTER:
            what = f"an output of an instance that drives no signal without a value, {port}"
            raise self.refuse(what, target)
        if signal.read:
            what = f"an output of an instance that is read above it, {port}"
            raise self.refuse(what, target)
        self._drive(name, signal)
        return name

    # Processes

    def _process(self, item: ast.ProceduralBlockSymbol) -> None:
        if item.procedureKind is ast.ProceduralBlockKind.Initial:
            self._contents(item.body)
            return
        timed = item.body
        assert isinstance(timed, ast.TimedStatement), "slang demands the event of always_ff"
        event = timed.timing
        if not isinstance(event, ast.SignalEventControl) or event.edge is not ast.EdgeKind.PosEdge:
            raise self.refuse("a process that does not wait for a rising edge")
        clock = self._clock(event.expr)
        for statement in statements(timed.stmt):
            self.go_to(statement.sourceRange.start.offset)
            if isinstance(statement, ast.ConditionalStatement):
                self._conditional(statement, clock)
            else:
                self._register(*self._load(statement), clock)

    def _register(self, name: str, value: list[Bit], clock: list[Bit]) -> None:
        """A register that loads a word at every edge."""
        register = self.signals[name]
        self._drive(name, register)
        connections = {"CLK": clock, "D": value, "Q": register.bits}
        self.add(name, "dff", connections, {"CLK_POLARITY": 1})

    def _conditional(self, statement: ast.ConditionalStatement, clock: list[Bit]) -> None:
        """A write to a memory, or loads of registers that have a reset."""
        (condition,) = statement.conditions
        enable = self.word(condition.expr)
        if statement.ifFalse is None:
            self._write(statement.ifTrue, enable, clock)
            return
        resets = dict(self._load(each) for each in statements(statement.ifTrue))
        for each in statements(statement.ifFalse):
            name, value = self._load(each)
            if name not in resets:
                raise self.refuse(f"a register without a reset, {name}")
            inputs = {"A": value, "B": resets.pop(name), "S": enable}
            self._register(name, self.cell("mux", len(value), inputs), clock)
        if resets:
            raise self.refuse(f"a reset of a register that is not loaded, {min(resets)}")

    def _load(self, statement: ast.Statement) -> tuple[str, list[Bit]]:
        """A register and the word that it loads."""
        self.go_to(statement.sourceRange.start.offset)
        left, right = self.assigned(statement, nonblocking=True)
        name, signal = self._target(left)
        if signal.kind is not Kind.REGISTER:
            raise self.refuse(f"a process that assigns {name}, which is no register")
        return name, self.word(right)

    def _write(self, body: ast.Statement, enable: list[Bit], clock: list[Bit]) -> None:
        """A write to a memory where a condition holds."""
        left, right = self.assigned(body, nonblocking=True)
        if not isinstance(left, ast.ElementSelectExpression):
            raise self.refuse("a register that is loaded in some cycles only", left)
        memory = self.memory(left.value)
        name = memory.name
        if memory.writes:
            raise self.refuse(f"a second place that writes to {name}", left)
        connections = {
            "CLK": clock,
            "EN": enable * memory.width,
            "ADDR": self.index(left.selector, len(memory.entries)),
            "DATA": self.word(right),
        }
        parameters = {"CLK_ENABLE": 1, "CLK_POLARITY": 1, "WIDTH": memory.width}
        memory.writes.append(self.add(f"{name}$write", "memwr_v2", connections, parameters, name))

    def _contents(self, body: ast.Statement) -> None:
        """What the next words of a memory hold first, in order."""
        loads = list(statements(body))
        contents = [self._content(statement) for statement in loads]
        if not contents:
            raise self.refuse("a block of no initial words")
        memory = contents[0][0]
        first = len(memory.entries) - memory.entries.count(None)
        if any(word[:2] != (memory, index) for index, word in enumerate(contents, first)):
            raise self.refuse(f"initial words that are not in order, once, {memory.name}")
        memory.entries[first : first + len(contents)] = [content for _, _, content in contents]
        self.initial_words[memory.name] = loads[-1].sourceRange.start.offset

    def _content(self, statement: ast.Statement) -> tuple[Memory, int | None, int]:
        """The memory, the address and the number of an initial word."""
        self.go_to(statement.sourceRange.start.offset)
        left, right = self.assigned(statement, nonblocking=False)
        if not isinstance(left, ast.ElementSelectExpression):
            raise self.refuse("an initial value of a signal that is not a memory", left)
        memory, content = self.memory(left.value), number(self.word(right))
        if content is None:
            raise self.refuse("an initial value that is not a number", right)
        return memory, number(self.index(left.selector, len(memory.entries))), content
