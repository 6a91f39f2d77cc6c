"""From the tree of a module to a netlist; checks the rules on names and types.

The rules are those of `docs/reference/rtl-subset.md`.

An expression has exactly the width that it needs where it stands: nothing is extended or cut, so
the language's rules of contexts do not apply. Only operands of signed operators are signed.

Items and expressions share the tables of signals, memories and cells, so that one class holds both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from kan_dialect.flows.prove.netlist import (
    Bit,
    Cell,
    InputPort,
    Instance,
    Memory,
    Netlist,
    note_signed,
)
from kan_dialect.flows.prove.text.syntax import (
    Adder,
    Assignment,
    Binary,
    Call,
    Cast,
    Choice,
    Concatenation,
    Connection,
    Constant,
    Dimensions,
    Element,
    Expression,
    Literal,
    Load,
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
from kan_dialect.flows.prove.text.syntax import Instance as InstanceItem
from kan_dialect.flows.prove.text.syntax import Memory as MemoryDeclaration
from kan_dialect.flows.prove.text.tokens import NotInSubset, Tokens


def elaborate(
    module: Module, tokens: Tokens, file: str, known: Mapping[str, Netlist] | None = None
) -> Netlist:
    """The cells of a module, one for each operator, register, and port of a memory.

    Parameters
    ----------
    known : the modules that it may have instances of, by name.

    Raises
    ------
    NotInSubset : a rule of names, types or drivers is broken.
    """
    return _Elaborator(tokens, file, known or {}).run(module)


class _Kind(Enum):
    INPUT = "an input"
    OUTPUT = "an output"
    CONSTANT = "a constant"
    WIRE = "a wire"
    REGISTER = "a register"


@dataclass(slots=True)
class _Signal:
    kind: _Kind
    bits: list[Bit]
    """Lowest first; of an output, none before it is assigned."""

    dimensions: Dimensions
    at: int
    assigned: bool = False
    """Of registers and outputs."""

    read: bool = False
    """Of registers, so far."""


@dataclass(frozen=True, slots=True)
class _Value:
    """What an expression is."""

    bits: list[Bit]
    signed: bool = False


_CELLS = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "%": "mod",
    "&": "and",
    "|": "or",
    "^": "xor",
    "<<": "shl",
    ">>": "shr",
    ">>>": "sshr",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
    "==": "eq",
    "!=": "ne",
}
"""Names of the cells, as Yosys has them."""

WIDEST = 1 << 20
"""Bits of a word."""

COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
SHIFTS = frozenset({"<<", ">>", ">>>"})
SIGNED = frozenset({"*", "/", "%", ">>>", "<", "<=", ">", ">="})
"""Operators whose operands may be signed."""


@dataclass
class _Elaborator:
    tokens: Tokens
    file: str
    known: Mapping[str, Netlist]
    signals: dict[str, _Signal] = field(default_factory=dict[str, _Signal])
    memories: dict[str, MemoryDeclaration] = field(default_factory=dict[str, MemoryDeclaration])
    adders: dict[str, Adder] = field(default_factory=dict[str, Adder])
    instances: set[str] = field(default_factory=set[str])
    cells: list[Cell] = field(default_factory=list[Cell])
    clocks: dict[str, int] = field(default_factory=dict[str, int])
    """Names of clocks, and where one is first."""

    read: dict[str, int] = field(default_factory=dict[str, int])
    """Inputs of one bit that are read, and where first."""

    nets: int = 1

    def __post_init__(self) -> None:
        self.netlist = Netlist({}, {}, {}, [])

    def run(self, module: Module) -> Netlist:
        netlist = self.netlist
        for port in module.ports:
            self._port(port)
        for item in module.items:
            match item:
                case Constant():
                    self._constant(item)
                case Wire():
                    self._wire(item)
                case Register():
                    bits = self._fresh(self._size(item.dimensions, item.at))
                    signal = _Signal(_Kind.REGISTER, bits, item.dimensions, item.at)
                    self._declare(item.name, item.at, signal)
                case MemoryDeclaration():
                    self._memory(item)
                case Adder():
                    self._declare(item.name, item.at, None)
                    self.adders[item.name] = item
                case Process():
                    self._process(item)
                case Assignment():
                    self._assignment(item)
                case InstanceItem():
                    self._instance(item)
        for name, signal in self.signals.items():
            if signal.kind in (_Kind.REGISTER, _Kind.OUTPUT) and not signal.assigned:
                raise self._refuse(signal.at, f"{signal.kind.value} that nothing assigns, {name}")
        netlist.is_kept = module.is_kept
        if module.is_kept and (self.clocks or self.memories or self.instances):
            raise self._refuse(module.at, "a kept module of more than logic")
        for name, at in self.clocks.items():
            if name in self.read:
                raise self._refuse(self.read[name], f"a clock that is read as data, {name}")
            if self.signals[name].kind is not _Kind.INPUT or self.signals[name].dimensions:
                raise self._refuse(at, f"a clock other than an input of one bit, {name}")
            netlist.clocks.add(name)
        for adder in self.adders.values():
            for name in adder.locals:
                if self._is_declared(name):
                    raise self._refuse(
                        adder.at, f"a name in a function that the module has, {name}"
                    )
        for cell in self.cells:
            note_signed(netlist, cell)
        return netlist

    def _refuse(self, at: int, construct: str) -> NotInSubset:
        return self.tokens.refuse(at, construct)

    def _fresh(self, count: int) -> list[Bit]:
        first = self.nets + 1
        self.nets += count
        return list(range(first, first + count))

    def _cell(
        self, kind: str, at: int, width: int, inputs: dict[str, list[Bit]], **parameters: int
    ) -> list[Bit]:
        """An operator, and the nets of its result."""
        bits = self._fresh(width)
        self._add(f"{kind}${len(self.cells)}", kind, at, inputs | {"Y": bits}, parameters)
        return bits

    def _add(
        self,
        name: str,
        kind: str,
        at: int,
        connections: dict[str, list[Bit]],
        parameters: dict[str, int],
        memory: str = "",
    ) -> Cell:
        place = f"{self.file}:{self.tokens.line(at)}"
        cell = Cell(name, kind, place, parameters, connections, memory)
        self.cells.append(cell)
        for port in ("Y", "Q", "DATA"):
            if port in connections and not kind.startswith("memwr"):
                for index, bit in enumerate(connections[port]):
                    self.netlist.drivers[bit] = cell, index
        return cell

    # Declarations

    def _declare(self, name: str, at: int, signal: _Signal | None) -> None:
        if self._is_declared(name):
            raise self._refuse(at, f"a name that is declared twice, {name}")
        if signal is not None:
            self.signals[name] = signal
            if signal.kind not in (_Kind.OUTPUT, _Kind.CONSTANT):
                self.netlist.names[name] = signal.bits

    def _is_declared(self, name: str) -> bool:
        tables = self.signals, self.memories, self.adders, self.instances
        return any(name in table for table in tables)

    def _port(self, port: Port) -> None:
        kind = _Kind.OUTPUT if port.is_output else _Kind.INPUT
        width = self._size(port.dimensions, port.at)
        bits = [] if port.is_output else self._fresh(width)
        self._declare(port.name, port.at, _Signal(kind, bits, port.dimensions, port.at))
        self.netlist.ports.append(port.name)
        if not port.is_output:
            self.netlist.inputs[port.name] = bits
            source = InputPort(port.name)
            for index, bit in enumerate(bits):
                self.netlist.drivers[bit] = source, index

    def _constant(self, item: Constant) -> None:
        bits: list[Bit] = []
        for literal in reversed(item.value):
            if literal.signed:
                raise self._refuse(literal.at, "a signed number in a table")
            bits += _bits(literal.pattern, literal.width)
        self._require_width(item.at, len(bits), item.size)
        signal = _Signal(_Kind.CONSTANT, bits, (item.size,), item.at)
        self._declare(item.name, item.at, signal)

    def _wire(self, item: Wire) -> None:
        value = self._memory_word(item.value)
        if value is None:
            value = self._unsigned(item.value)
        self._require_width(item.at, len(value), self._size(item.dimensions, item.at))
        # After its value: a wire cannot read itself.
        self._declare(item.name, item.at, _Signal(_Kind.WIRE, value, item.dimensions, item.at))

    def _memory(self, item: MemoryDeclaration) -> None:
        self._declare(item.name, item.at, None)
        width = self._size(item.dimensions, item.at)
        entries: list[int | None] = [None] * item.words
        if item.contents is not None:
            for index, literal in enumerate(item.contents):
                if literal.signed:
                    raise self._refuse(literal.at, "a signed number in a memory")
                self._require_width(literal.at, literal.width, width)
                entries[index] = literal.pattern
        self.memories[item.name] = item
        self.netlist.memories[item.name] = Memory(item.name, width, entries)

    def _assignment(self, item: Assignment) -> None:
        signal = self.signals.get(item.name)
        if signal is None or signal.kind is not _Kind.OUTPUT:
            raise self._refuse(item.at, f"an assignment to {item.name}, which is no output")
        if signal.assigned:
            raise self._refuse(item.at, f"a second assignment to {item.name}")
        value = self._unsigned(item.value)
        self._require_width(item.at, len(value), _width(signal.dimensions))
        signal.bits, signal.assigned = value, True
        self.netlist.outputs[item.name] = self.netlist.names[item.name] = value

    # Instances

    def _instance(self, item: InstanceItem) -> None:
        module = self.known.get(item.module)
        if module is None:
            raise self._refuse(item.at, f"an instance of {item.module}, which is no module before")
        self._declare(item.name, item.at, None)
        self.instances.add(item.name)
        inputs: dict[str, list[Bit]] = {}
        outputs: dict[str, Connection] = {}
        for each in item.connections:
            if each.port in inputs or each.port in outputs:
                raise self._refuse(each.at, f"a second connection of the port {each.port}")
            if each.port in module.inputs:
                inputs[each.port] = self._given(each, module)
            elif each.port in module.outputs:
                outputs[each.port] = each
            else:
                raise self._refuse(each.at, f"{each.port}, which is no port of {item.module}")
        if missing := [port for port in module.ports if port not in {*inputs, *outputs}]:
            raise self._refuse(item.at, f"an instance without its port {missing[0]}")
        # Behind its inputs: what an instance reads cannot depend on its outputs in the same cycle.
        taken = {port: self._taken(each, module) for port, each in outputs.items()}
        if module.is_kept:
            self._inline(module, item, inputs, outputs)
            return
        place = f"{self.file}:{self.tokens.line(item.at)}"
        self.netlist.add_instance(Instance(item.name, item.module, place, inputs, taken))

    def _inline(
        self,
        module: Netlist,
        item: InstanceItem,
        inputs: Mapping[str, Sequence[Bit]],
        outputs: Mapping[str, Connection],
    ) -> None:
        """Copy the cells of a module that synthesis keeps."""
        nets: dict[Bit, Bit] = {}
        for port, bits in module.inputs.items():
            nets.update(zip(bits, inputs[port], strict=True))
        for source in dict.fromkeys(source for source, _ in module.drivers.values()):
            if isinstance(source, Cell):
                result = source.connections["Y"]
                nets.update(zip(result, self._fresh(len(result)), strict=True))
                connections = {
                    port: [nets.get(bit, bit) for bit in bits]
                    for port, bits in source.connections.items()
                }
                name = f"{source.kind}${len(self.cells)}"
                self._add(name, source.kind, item.at, connections, dict(source.parameters))
        for port, each in outputs.items():
            assert isinstance(each.value, Name)
            signal = self.signals[each.value.name]
            signal.bits = [nets.get(bit, bit) for bit in module.outputs[port]]
            self.netlist.names[each.value.name] = signal.bits

    def _given(self, connection: Connection, module: Netlist) -> list[Bit]:
        """What an input of an instance is connected to."""
        value, port = connection.value, connection.port
        if port in module.clocks:
            if not isinstance(value, Name) or value.name not in self.signals:
                raise self._refuse(value.at, f"a clock of an instance that is no input, {port}")
            self.clocks.setdefault(value.name, value.at)
            return self.signals[value.name].bits
        bits = self._unsigned(value)
        self._require_width(value.at, len(bits), len(module.inputs[port]))
        return bits

    def _taken(self, connection: Connection, module: Netlist) -> list[Bit]:
        """The signal that an output of an instance drives."""
        value, port = connection.value, connection.port
        signal = self.signals.get(value.name) if isinstance(value, Name) else None
        if signal is None or signal.kind is not _Kind.REGISTER:
            what = "an output of an instance that drives no signal without a value"
            raise self._refuse(value.at, f"{what}, {port}")
        if signal.assigned:
            raise self._refuse(value.at, f"a second driver of a signal, {port}")
        if signal.read:
            raise self._refuse(value.at, f"an output of an instance that is read above it, {port}")
        signal.assigned = True
        self._require_width(value.at, len(signal.bits), len(module.outputs[port]))
        return signal.bits

    # Processes

    def _process(self, item: Process) -> None:
        clock = item.clock
        if clock.name not in self.signals:
            raise self._refuse(clock.at, f"a name that is not declared, {clock.name}")
        self.clocks.setdefault(clock.name, clock.at)
        edge = self.signals[clock.name].bits
        reset: list[Bit] | None = None
        cleared: list[list[Bit]] = []
        if item.reset is not None:
            reset = self._condition(item.reset)
            targets = [load.name for load in item.loads if isinstance(load, Load)]
            if [load.name for load in item.resets] != targets:
                raise self._refuse(item.at, "a reset of other registers than the process loads")
            cleared = [self._loaded(load) for load in item.resets]
        registers: list[tuple[Load, list[Bit]]] = []
        for index, statement in enumerate(item.loads):
            if isinstance(statement, Write):
                self._write(statement, edge)
                continue
            value = self._loaded(statement)
            if reset is not None:
                inputs = {"A": value, "B": cleared[index], "S": reset}
                value = self._cell("mux", statement.at, len(value), inputs)
            registers.append((statement, value))
        for load, value in registers:
            signal = self.signals[load.name]
            if signal.assigned:
                raise self._refuse(load.at, f"a second assignment to {load.name}")
            signal.assigned = True
            connections = {"CLK": edge, "D": value, "Q": signal.bits}
            self._add(load.name, "dff", load.at, connections, {"CLK_POLARITY": 1})

    def _loaded(self, load: Load) -> list[Bit]:
        """The word that a register loads; its width is checked."""
        signal = self.signals.get(load.name)
        if signal is None or signal.kind is not _Kind.REGISTER:
            raise self._refuse(load.at, f"a process that assigns {load.name}, which is no register")
        value = self._memory_word(load.value)
        if value is None:
            value = self._unsigned(load.value)
        self._require_width(load.at, len(value), _width(signal.dimensions))
        return value

    def _write(self, item: Write, edge: list[Bit]) -> None:
        memory = self._memory_of(item.memory, item.at)
        if memory.writes:
            raise self._refuse(item.at, f"a second place that writes to {item.memory}")
        enable = self._condition(item.enable)
        value = self._unsigned(item.value)
        self._require_width(item.at, len(value), memory.width)
        connections = {
            "CLK": edge,
            "EN": enable * memory.width,
            "ADDR": self._address(item.memory, item.address, item.at),
            "DATA": value,
        }
        parameters = {"CLK_ENABLE": 1, "CLK_POLARITY": 1, "WIDTH": memory.width}
        name = f"{item.memory}$write"
        cell = self._add(name, "memwr_v2", item.at, connections, parameters, item.memory)
        memory.writes.append(cell)

    def _memory_of(self, name: str, at: int) -> Memory:
        if name not in self.netlist.memories:
            raise self._refuse(at, f"a name that is no memory, {name}")
        return self.netlist.memories[name]

    def _memory_word(self, value: Expression) -> list[Bit] | None:
        """The word that `memory[address]` is; None of any other expression."""
        if not isinstance(value, Element) or value.name not in self.memories:
            return None
        memory = self.netlist.memories[value.name]
        connections = {
            "ADDR": self._address(value.name, value.index, value.at),
            "DATA": self._fresh(memory.width),
        }
        name = f"{value.name}$read{len(memory.reads)}"
        parameters = {"CLK_ENABLE": 0, "WIDTH": memory.width}
        cell = self._add(name, "memrd_v2", value.at, connections, parameters, value.name)
        memory.reads.append(cell)
        return connections["DATA"]

    def _address(self, name: str, index: Expression | int, at: int) -> list[Bit]:
        words = self.memories[name].words
        if words == 1:
            if index != 0:
                raise self._refuse(at, f"an address of the only word of {name} that is not 0")
            return ["0"]
        if isinstance(index, int):
            raise self._refuse(at, f"an address of {name} without a width")
        bits = self._unsigned(index)
        self._require_width(index.at, len(bits), _index_width(words))
        return bits

    # Expressions

    def _require_width(self, at: int, found: int, wanted: int) -> None:
        if found != wanted:
            raise self._refuse(at, f"{_bit_count(found)} where {_bit_count(wanted)} should be")

    def _size(self, dimensions: Dimensions, at: int) -> int:
        """The bits of a declaration."""
        width = _width(dimensions)
        self._require_bounded(at, width)
        return width

    def _require_bounded(self, at: int, width: int) -> None:
        if width > WIDEST:
            raise self._refuse(at, f"a word of {width} bits, more than {WIDEST}")

    def _unsigned(self, expression: Expression) -> list[Bit]:
        value = self._value(expression)
        if value.signed:
            raise self._refuse(expression.at, "a signed value that no operator reads")
        return value.bits

    def _condition(self, expression: Expression) -> list[Bit]:
        bits = self._unsigned(expression)
        self._require_width(expression.at, len(bits), 1)
        return bits

    def _value(self, expression: Expression) -> _Value:
        match expression:
            case Name():
                return _Value(self._signal(expression.name, expression.at).bits)
            case Element():
                return _Value(self._element(expression))
            case Literal():
                return _Value(_bits(expression.pattern, expression.width), expression.signed)
            case Part():
                return _Value(self._part(expression))
            case Concatenation():
                bits: list[Bit] = []
                for part in reversed(expression.parts):
                    bits += self._unsigned(part)
                self._require_bounded(expression.at, len(bits))
                return _Value(bits)
            case Call():
                return _Value(self._sum(expression))
            case Binary():
                return self._binary(expression)
            case Choice():
                return self._choice(expression)
            case Replication():
                if expression.count < 2:
                    raise self._refuse(expression.at, f"{expression.count} copies")
                part = self._unsigned(expression.part)
                self._require_bounded(expression.at, len(part) * expression.count)
                return _Value(part * expression.count)
            case Cast():
                value = self._value(expression.operand)
                if value.signed == expression.signed:
                    name = "$signed" if expression.signed else "$unsigned"
                    raise self._refuse(expression.at, f"{name} of a value that is so already")
                return _Value(value.bits, expression.signed)
            case Unary():
                return self._unary(expression)

    def _signal(self, name: str, at: int) -> _Signal:
        signal = self.signals.get(name)
        if signal is None:
            if name in self.memories:
                raise self._refuse(at, f"a memory that is read within an expression, {name}")
            raise self._refuse(at, f"a name that is not declared, {name}")
        if signal.kind is _Kind.OUTPUT:
            raise self._refuse(at, f"an output that is read, {name}")
        signal.read = True
        if signal.kind is _Kind.INPUT and not signal.dimensions:
            self.read.setdefault(name, at)
        return signal

    def _element(self, expression: Element) -> list[Bit]:
        """A bit of a vector, or an element of an array."""
        name, at, index = expression.name, expression.at, expression.index
        signal = self._signal(name, at)
        if not signal.dimensions:
            raise self._refuse(at, f"a bit of {name}, which is a single bit")
        count = signal.dimensions[0]
        size = len(signal.bits) // count
        if isinstance(index, Literal):
            self._require_width(index.at, index.width, _index_width(count))
            index = index.pattern
        if isinstance(index, int):
            if index >= count:
                raise self._refuse(at, f"{name}[{index}], beyond its {count}")
            return signal.bits[index * size : (index + 1) * size]
        bits = self._unsigned(index)
        self._require_width(index.at, len(bits), _index_width(count))
        if size > 1:
            width = len(bits) + size.bit_length()
            scaled = {"A": [*bits, *_bits(0, width - len(bits))], "B": _bits(size, width)}
            bits = self._cell("mul", at, width, scaled, A_SIGNED=0, B_SIGNED=0)
        inputs = {"A": signal.bits, "B": bits}
        return self._cell("shiftx", at, size, inputs, A_SIGNED=0, B_SIGNED=0)

    def _part(self, expression: Part) -> list[Bit]:
        signal = self._signal(expression.name, expression.at)
        high, low = expression.high, expression.low
        if len(signal.dimensions) != 1 or not low < high < signal.dimensions[0]:
            raise self._refuse(expression.at, f"{expression.name}[{high}:{low}], which is no part")
        return signal.bits[low : high + 1]

    def _sum(self, call: Call) -> list[Bit]:
        """A call of a function that adds, with its body in place."""
        adder = self.adders.get(call.name)
        if adder is None:
            raise self._refuse(call.at, f"a call of {call.name}, which is no function before")
        if len(call.arguments) != 2 + adder.carries:
            raise self._refuse(call.at, f"a call with {len(call.arguments)} arguments")
        left, right, *carries = (self._unsigned(argument) for argument in call.arguments)
        for argument, bits in zip(call.arguments, (left, right), strict=False):
            self._require_width(argument.at, len(bits), adder.width)
        (carry,) = carries or [["0"]]
        self._require_width(call.arguments[-1].at, len(carry), 1)
        kind = "add"
        below = carry
        if adder.subtracts:
            kind = "sub"
            right = self._not(right, call.at)
            below = self._not(carry, call.at) if carries else ["1"]
        inputs: dict[str, list[Bit]] = {"A": [*carry, *left], "B": [*below, *right]}
        twice = self._cell(kind, call.at, adder.width + 1, inputs, A_SIGNED=0, B_SIGNED=0)
        return twice[1:]

    def _not(self, bits: list[Bit], at: int) -> list[Bit]:
        return self._cell("not", at, len(bits), {"A": bits}, A_SIGNED=0)

    def _unary(self, expression: Unary) -> _Value:
        bits = self._unsigned(expression.operand)
        if expression.operator == "~":
            return _Value(self._not(bits, expression.at))
        kind, width = ("neg", len(bits)) if expression.operator == "-" else ("reduce_xor", 1)
        return _Value(self._cell(kind, expression.at, width, {"A": bits}, A_SIGNED=0))

    def _binary(self, expression: Binary) -> _Value:
        """Chains group to the left, and may be long: from the innermost outwards."""
        chain = [expression]
        while isinstance(inner := chain[-1].left, Binary):
            chain.append(inner)
        value = self._value(chain[-1].left)
        for each in reversed(chain):
            value = self._operation(each, value, self._value(each.right))
        return value

    def _operation(self, expression: Binary, left: _Value, right: _Value) -> _Value:
        operator, at = expression.operator, expression.at
        signed = left.signed
        if signed and operator not in SIGNED:
            raise self._refuse(at, f"{operator} of signed values")
        if operator in SHIFTS:
            if right.signed or (operator == ">>>") != signed:
                raise self._refuse(at, f"{operator} of a value that is not a number for it")
        elif signed != right.signed:
            raise self._refuse(at, f"{operator} of a signed and an unsigned value")
        elif len(left.bits) != len(right.bits):
            raise self._refuse(
                at, f"{operator} of {_bit_count(len(left.bits))} and {_bit_count(len(right.bits))}"
            )
        compares = operator in COMPARISONS
        width = 1 if compares else len(left.bits)
        inputs = {"A": left.bits, "B": right.bits}
        parameters = {"A_SIGNED": int(signed), "B_SIGNED": int(right.signed)}
        bits = self._cell(_CELLS[operator], at, width, inputs, **parameters)
        return _Value(bits, signed and not compares)

    def _choice(self, expression: Choice) -> _Value:
        """Chains group to the right, and may be long: from the innermost outwards."""
        chain = [expression]
        while isinstance(inner := chain[-1].if_false, Choice):
            chain.append(inner)
        value = self._unsigned(chain[-1].if_false)
        for each in reversed(chain):
            condition, if_true = self._condition(each.condition), self._unsigned(each.if_true)
            self._require_width(each.if_false.at, len(value), len(if_true))
            inputs = {"A": value, "B": if_true, "S": condition}
            value = self._cell("mux", each.at, len(value), inputs)
        return _Value(value)


def _width(dimensions: Sequence[int]) -> int:
    width = 1
    for size in dimensions:
        width *= size
    return width


def _index_width(count: int) -> int:
    return max(1, (count - 1).bit_length())


def _bits(pattern: int, width: int) -> list[Bit]:
    """Lowest first."""
    return list(f"{pattern:0{width}b}"[::-1])


def _bit_count(width: int) -> str:
    return f"{width} bit" if width == 1 else f"{width} bits"
