"""One hardware module as text: an entity, and an architecture that goes stage by stage.

The text has the structure of the SystemVerilog (`systemverilog/module.py` has the reasons): a
constant vector for each bit of a table, and functions for sums that are terms of other sums. All
declarations stand before the first statement, as VHDL wants them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from xdsl.dialects import comb, hw, seq
from xdsl.ir import Attribute, Operation, OpResult, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.ir.constants import Array
from kan_dialect.lowering.systemverilog.analysis import (
    Analysis,
    analyse,
    generated_name,
    is_written_anywhere,
)
from kan_dialect.lowering.systemverilog.header import module_header
from kan_dialect.lowering.systemverilog.layout import LINE_LENGTH, broken
from kan_dialect.lowering.systemverilog.names import module_name
from kan_dialect.lowering.systemverilog.operations import named_adders
from kan_dialect.lowering.systemverilog.subset import check_subset
from kan_dialect.lowering.systemverilog.tables import description, planes
from kan_dialect.lowering.text_stage import Registered, TextStage
from kan_dialect.lowering.vhdl.expressions import Expression, Level, bit_string, bits_type, literal
from kan_dialect.lowering.vhdl.functions import Functions
from kan_dialect.lowering.vhdl.names import VhdlNames, identifier
from kan_dialect.lowering.vhdl.operations import Expressions, Signal
from kan_dialect.maths.truth_tables import bits_of_code
from kan_dialect.ops.memory import (
    MemoryOp,
    MemoryReadOp,
    MemoryType,
    MemoryWordOp,
    MemoryWriteOp,
    memory_type,
)

LONGEST_INLINED = 80
"""Longest expression, in characters, that is printed where it is used; longer ones are signals."""

ROW_BITS = 10
"""Longest vector of a table has 2^ROW_BITS bits; longer tables have several rows of vectors."""

BITS_OF_A_LITERAL = 256
"""Longest literal in bits. Longer vectors are concatenated, so that they fit into lines."""


def write_entity(module: hw.HWModuleOp, name: str) -> str:
    """The text of an entity with the name `name`, and of its architecture.

    Raises
    ------
    KanError : the module has an op, type or attribute outside the subset.
    """
    check_subset(module, "VHDL")
    return _EntityWriter(module, name, analyse(module)).text()


@dataclass
class _EntityWriter:
    """Writes the text of one module."""

    module: hw.HWModuleOp
    name: str
    facts: Analysis
    names: VhdlNames = field(default_factory=VhdlNames)
    stages: dict[int, TextStage] = field(default_factory=dict[int, TextStage])
    written_memories: set[SSAValue] = field(default_factory=set[SSAValue])

    def __post_init__(self) -> None:
        self.functions = Functions(self.names)
        self.expressions = Expressions(self.facts, self.functions)

    def text(self) -> str:
        ports = list(self._ports())
        self._name_values()
        self.expressions.adders.update(named_adders(self.facts, self.names))
        outputs: list[str] = []
        memories: list[str] = []
        for op, number in zip(self.facts.ops, self.facts.stages, strict=True):
            stage = self.stages.setdefault(number, TextStage())
            match op:
                case hw.ArrayGetOp() if self.facts.is_table(op):
                    self._table(op, stage)
                case seq.CompRegOp():
                    stage.registers.setdefault((op.clk, op.reset), []).append(op)
                    self._declare(op.data, stage)
                case MemoryOp():
                    memories.extend(self._memory(op))
                case MemoryReadOp():
                    stage.registers.setdefault((op.clock, None), []).append(op)
                    self._declare(op.result, stage)
                case MemoryWordOp():
                    self._declare(op.result, stage)
                    stage.lines.extend(self._assigned(op.result, Expression(self._word(op))))
                case MemoryWriteOp():
                    self._require_one_write(op)
                    stage.registers.setdefault((op.clock, None), []).append(op)
                case hw.InstanceOp():
                    stage.lines.extend(self._instance(op, stage))
                case hw.OutputOp():
                    outputs = list(self._outputs(op))
                case _:
                    self._compute(op, stage)
        statements = [*self._statements(), *([""] if outputs else []), *outputs]
        declarations = [
            *self._attributes(),
            *self.functions.text(),
            *self._adders(),
            *memories,
            *self._declarations(),
        ]
        return "".join(
            f"{line}\n"
            for line in [
                *module_header(self.module, self.name, "--").splitlines(),
                "library ieee;",
                "use ieee.std_logic_1164.all;",
                "use ieee.numeric_std.all;",
                "",
                f"entity {self.name} is",
                *self._port_clause(ports),
                "end entity;",
                "",
                f"architecture rtl of {self.name} is",
                *_without_double_blanks(declarations),
                "begin",
                *_without_double_blanks(statements),
                "end architecture;",
            ]
        )

    # Names and ports

    def _ports(self) -> Iterator[str]:
        arguments = iter(self.module.body.block.args)
        self.output_names: list[str] = []
        for port in self.module.module_type.ports:
            name = self.names.port(port.port_name.data)
            if port.dir.data is hw.Direction.OUTPUT:
                self.output_names.append(name)
                yield f"{name} : out {port_type(port.type)}"
            else:
                width = 1 if port.type == seq.clock else bit_width(port.type)
                self.expressions.signals[next(arguments)] = Signal(name, width, vector=True)
                yield f"{name} : in {port_type(port.type)}"

    def _port_clause(self, ports: list[str]) -> Iterator[str]:
        if ports:
            yield "  port ("
            yield from (f"    {port};" for port in ports[:-1])
            yield f"    {ports[-1]}"
            yield "  );"

    def _name_values(self) -> None:
        """Take names of the IR first, in its order, so that generated names do not take them."""
        for op in self.facts.ops:
            for result in op.results:
                if result in self.facts.hints:
                    self._give_name(result, self.names.take(self.facts.hints[result]))
        for op in self.facts.ops:
            for result in op.results:
                if result not in self.expressions.signals and self._needs_name(op, result):
                    self._generate_name(op, result)

    def _needs_name(self, op: Operation, result: SSAValue) -> bool:
        if result in self.facts.named:
            return True
        if type(op) is comb.MuxOp and not self._continues_a_choice(op):
            return True
        return self.facts.uses.get(result, 0) > 1 and not is_written_anywhere(op, self.facts)

    def _continues_a_choice(self, op: comb.MuxOp) -> bool:
        """Whether the text of another choice can go on with this one, behind its `else`."""
        user = self.facts.user.get(op.result)
        return (
            type(user) is comb.MuxOp
            and user.false_value is op.result
            and user.true_value is not op.result
            and self.facts.uses.get(op.result, 0) == 1
        )

    def _generate_name(self, op: Operation, result: OpResult) -> None:
        self._give_name(result, generated_name(op, result, self.facts, self.names))

    def _give_name(self, value: OpResult, name: str) -> None:
        width = 1 if isinstance(value.type, MemoryType) else bit_width(value.type)
        # The outputs of an instance have the types of its ports.
        self.expressions.signals[value] = Signal(name, width, isinstance(value.op, hw.InstanceOp))

    def _name(self, value: SSAValue) -> str:
        return self.expressions.signals[value].name

    # Statements

    def _declare(self, value: SSAValue, stage: TextStage) -> None:
        stage.declarations.append(f"  signal {self._name(value)} : {_signal_type(value.type)};")

    def _assigned(self, value: SSAValue, expression: Expression) -> Iterator[str]:
        line = f"  {self._name(value)} <= {expression.text};"
        if expression.level == Level.CHOICE and len(line) > LINE_LENGTH:
            yield f"  {self._name(value)} <="
            *choices, last = expression.text.split(" else ")
            for each in (*(f"{choice} else" for choice in choices), f"{last};"):
                yield from broken(f"      {each}")
        else:
            yield from broken(line)

    def _compute(self, op: Operation, stage: TextStage) -> None:
        """Write a signal for the result of an op, or keep its expression for where it is used."""
        result = op.results[0]
        expression = self.expressions.of_op(op)
        if result not in self.expressions.signals:
            short = len(expression.text) <= LONGEST_INLINED or expression.level == Level.CHOICE
            if short or self.facts.fills_a_statement(result):
                self.expressions.inlined[result] = expression
                return
            self._generate_name(op, result)
        self._declare(result, stage)
        stage.lines.extend(self._assigned(result, expression))

    def _outputs(self, op: hw.OutputOp) -> Iterator[str]:
        for name, value in zip(self.output_names, op.inputs, strict=True):
            expression = self.expressions.of(value, negative=value in self.facts.signed)
            yield from broken(f"  {name} <= {as_port(expression, bit_width(value.type))};")

    def _statements(self) -> Iterator[str]:
        for number, stage in sorted(self.stages.items()):
            if not stage.lines and not stage.registers:
                continue
            yield ""
            if len(self.stages) > 1:
                yield f"  -- Stage {number}"
            yield from stage.lines
            for (clock, reset), registers in stage.registers.items():
                yield from self._process(clock, reset, registers)

    def _declarations(self) -> Iterator[str]:
        for number, stage in sorted(self.stages.items()):
            if not stage.declarations:
                continue
            yield ""
            if len(self.stages) > 1:
                yield f"  -- Stage {number}"
            yield from stage.declarations

    # Registers and memories

    def _process(
        self, clock: SSAValue, reset: SSAValue | None, registers: list[Registered]
    ) -> Iterator[str]:
        """The registers and memories of a stage that share a clock and a reset."""
        loads = [statement for op in registers for statement in self._load(op)]
        yield f"  process ({self._name(clock)})"
        yield "  begin"
        yield f"    if rising_edge({self._name(clock)}) then"
        if reset is None:
            yield from _indented(loads, 6)
        else:
            resets = [
                f"{self._name(op.data)} <= {self.expressions.of(op.reset_value).text};"
                for op in registers
                if isinstance(op, seq.CompRegOp) and op.reset_value is not None
            ]
            yield f"      if {self.expressions.of(reset).text} = '1' then"
            yield from _indented(resets, 8)
            yield "      else"
            yield from _indented(loads, 8)
            yield "      end if;"
        yield "    end if;"
        yield "  end process;"

    def _load(self, op: Registered) -> list[str]:
        """The statements of a register or memory at the clock's edge."""
        match op:
            case seq.CompRegOp():
                negative = op.input in self.facts.signed
                loaded = self.expressions.of(op.input, negative=negative)
                return [f"{self._name(op.data)} <= {loaded.text};"]
            case MemoryReadOp():
                return self._where(op.enable, f"{self._name(op.result)} <= {self._word(op)};")
            case _:
                loads = f"{self._word(op)} <= {self.expressions.of(op.data).text};"
                return self._where(op.enable, loads)

    def _where(self, enable: SSAValue | None, statement: str) -> list[str]:
        """A statement that takes effect where a bit is 1; None: always."""
        if enable is None:
            return [statement]
        return [f"if {self.expressions.of(enable).operand} = '1' then", f"  {statement}", "end if;"]

    def _word(self, op: MemoryReadOp | MemoryWordOp | MemoryWriteOp) -> str:
        """A word of a memory; the address is 0 if the memory has one word."""
        address = "0"
        if memory_type(op.memory).words > 1:
            vector = self.expressions.vector(op.address)
            address = f"{self.functions.name('address')}({vector.argument})"
        return f"{self._name(op.memory)}({address})"

    def _instance(self, op: hw.InstanceOp, stage: TextStage) -> Iterator[str]:
        """Signals for the outputs of another module, and its instance with named connections."""
        for result in op.results:
            stage.declarations.append(f"  signal {self._name(result)} : {port_type(result.type)};")
        ports = VhdlNames()
        connections: list[str] = []
        for port, value in zip(op.arg_names.data, op.inputs, strict=True):
            width = 1 if value.type == seq.clock else bit_width(value.type)
            wire = as_port(self.expressions.of(value), width)
            connections.append(f"      {ports.port(port.data)} => {wire}")
        for port, value in zip(op.result_names.data, op.outputs, strict=True):
            connections.append(f"      {ports.port(port.data)} => {self._name(value)}")
        entity = identifier(module_name(op.module_name.string_value()))
        yield f"  {self.names.take(op.instance_name.data)} : entity work.{entity}"
        yield "    port map ("
        for connection in connections[:-1]:
            yield from broken(f"{connection},")
        yield from broken(connections[-1])
        yield "    );"

    def _require_one_write(self, op: MemoryWriteOp) -> None:
        """Refuse a second write port: a signal has one driver in VHDL."""
        if op.memory in self.written_memories:
            raise KanError(
                f"'{op.name}': memory '{self._name(op.memory)}' has two write ports, which VHDL "
                "cannot say with one signal"
            )
        self.written_memories.add(op.memory)

    def _memory(self, op: MemoryOp) -> Iterator[str]:
        """The declaration of a memory, and its contents at power-up.

        It has a word for each address, since an index out of range ends a simulation.
        """
        name, kind, words = self._name(op.result), memory_type(op.result), op.contents
        space = 1 << kind.address_bits if kind.words > 1 else 1
        array = self.names.take(f"{name}_words")
        initial = ""
        if words is not None:
            entries = ", ".join(
                f"{index} => {literal(word, kind.bits, negative=True).text}"
                for index, word in enumerate(words.tolist())
            )
            if len(words) < space:
                entries += f", others => {_unknown(kind.bits)}"
            initial = f" := ({entries})"
        yield ""
        yield f"  type {array} is array (0 to {space - 1}) of {_signal_type(kind.word)};"
        yield from broken(f"  signal {name} : {array}{initial};")
        if op.style:
            ram, block = _MEMORY_STYLES[op.style]
            yield f'  attribute ram_style of {name} : signal is "{ram}";'
            yield f'  attribute ramstyle of {name} : signal is "{block}";'

    # Tables

    def _attributes(self) -> Iterator[str]:
        """Declarations of the attributes that keep short memories out of blocks."""
        memories = [op for op in self.facts.ops if isinstance(op, MemoryOp)]
        if any(op.style for op in memories):
            yield "  attribute ram_style : string;"
            yield "  attribute ramstyle : string;"

    def _table(self, op: hw.ArrayGetOp, stage: TextStage) -> None:
        """A lookup: a vector for each bit that depends on the code, and the bits side by side."""
        (result,), (table, code) = op.results, op.operands
        name, width = self._name(result), bit_width(result.type)
        entries: Array = self.facts.constants[table][0]
        index = self.expressions.of(code).text if bit_width(code.type) else "0"
        shown = index.removeprefix("unsigned(").removesuffix(")") if "(" in index else index
        stage.declarations.extend(description(name, shown, self.facts.codes_of(op), "--"))
        bits = [
            self._table_bit(op, stage, place, plane, len(entries))
            for place, plane in enumerate(planes(entries, width))
        ]
        self._declare(result, stage)
        word = Expression(" & ".join(reversed(bits)), Level.BITS)
        stage.lines.extend(self._assigned(result, word))

    def _table_bit(
        self, op: hw.ArrayGetOp, stage: TextStage, place: int, plane: int, size: int
    ) -> str:
        """The expression of one bit of a table's entries.

        Parameters
        ----------
        plane : bit c is that of code c.
        size : number of entries.
        """
        if plane in (0, (1 << size) - 1):
            return f"'{plane & 1}'"
        inputs = bit_width(op.index.type)
        own = bits_of_code(inputs).get(plane) if size == 1 << inputs else None
        if own is not None:
            bit = self._bit_of_index(op.index, own[0])
            return f"(not {bit})" if own[1] else bit
        name = self.names.take(f"{self._name(op.result)}_bit{place}")
        return self._looked_up(op, stage, name, plane, size)

    def _looked_up(
        self, op: hw.ArrayGetOp, stage: TextStage, name: str, plane: int, size: int
    ) -> str:
        """The bit that a code finds in a vector; for long tables, in one of several rows."""
        inputs = bit_width(op.index.type)
        entry = self.functions.name("entry")
        code = self.expressions.vector(op.index)
        if inputs <= ROW_BITS:
            stage.declarations.extend(_vector(name, plane, size, 1 << inputs))
            return f"{entry}({name}, {code.argument})"
        low = self._slice_of_index(op.index, 0, ROW_BITS)
        chosen: list[str] = []
        row = 1 << ROW_BITS
        for start in range(0, 1 << inputs, row):
            held = max(0, min(row, size - start))
            piece = (plane >> start) & ((1 << held) - 1)
            if held == 0 or piece in (0, (1 << held) - 1):
                chosen.append("1" if held and piece else "0")
                continue
            constant = self.names.take(f"{name}_row{start >> ROW_BITS}")
            stage.declarations.extend(_vector(constant, piece, held, row))
            signal = self.names.take(f"{constant}_entry")
            stage.declarations.append(f"  signal {signal} : std_logic;")
            stage.lines.extend(broken(f"  {signal} <= {entry}({constant}, {low});"))
            chosen.append(signal)
        high = self._slice_of_index(op.index, ROW_BITS, inputs - ROW_BITS)
        rows = " & ".join(f"'{each}'" if each in "01" else each for each in reversed(chosen))
        whole = self.names.take(f"{name}_rows")
        stage.declarations.append(
            f"  signal {whole} : std_logic_vector({len(chosen) - 1} downto 0);"
        )
        stage.lines.extend(broken(f"  {whole} <= {rows};"))
        return f"{entry}({whole}, {high})"

    def _slice_of_index(self, index: SSAValue, low: int, size: int) -> str:
        """Bits of a table's index, as a vector."""
        bits = self._index_signal(index)
        text = bits[0].bits(bits[1] + low, size).text
        return text if size > 1 else f"unsigned'(0 => {text})"

    def _bit_of_index(self, index: SSAValue, place: int) -> str:
        signal, low = self._index_signal(index)
        return signal.bits(low + place, 1).text

    def _index_signal(self, index: SSAValue) -> tuple[Signal, int]:
        """The signal that holds a table's index, and its lowest bit there."""
        signal = self.expressions.signals.get(index)
        if signal is not None:
            return signal, 0
        assert isinstance(index.owner, comb.ExtractOp)
        return self.expressions.signals[index.owner.input], index.owner.low_bit.value.data

    # Adders

    def _adders(self) -> Iterator[str]:
        """The functions that add two numbers."""
        if not self.expressions.adders:
            return
        left, right, carry, twice = map(self.names.take, ("left", "right", "carry", "twice"))
        for absorbs, reason in ((False, _WHY_ADDERS), (True, _WHY_ABSORBERS)):
            adders = [adder for adder in self.expressions.adders if adder.absorbs == absorbs]
            if adders:
                yield ""
                yield from reason
            for adder in adders:
                name = self.expressions.adders[adder]
                word = f"unsigned({adder.width - 1} downto 0)"
                formals = f"{left}, {right} : {word}"
                below, inverted = "'0'", "'1'"
                if adder.carries:
                    formals += f"; {carry} : std_logic"
                    below, inverted = carry, f"(not {carry})"
                total = f"({left} & {below}) + ({right} & {below})"
                if absorbs:
                    total = f"({left} & {below}) - ((not {right}) & {inverted})"
                yield f"  function {name}({formals}) return unsigned is"
                yield f"    variable {twice} : unsigned({adder.width} downto 0);"
                yield "  begin"
                yield f"    {twice} := {total};"
                yield f"    return {twice}({adder.width} downto 1);"
                yield "  end function;"


def port_type(kind: Attribute) -> str:
    """The type of a port: std_logic, or std_logic_vector for several bits."""
    return bits_type(1 if kind == seq.clock else bit_width(kind))


def _signal_type(kind: Attribute) -> str:
    width = bit_width(kind)
    return "std_logic" if width == 1 else f"unsigned({width - 1} downto 0)"


def as_port(expression: Expression, width: int) -> str:
    """An expression as the value of a port."""
    if width == 1:
        return expression.text
    # A port, or bits of one, as a number: the conversion is undone.
    port = re.fullmatch(r"unsigned\((\w+(\(\d+ downto \d+\))?)\)", expression.text)
    if port is not None:
        return port[1]
    return f"std_logic_vector({expression.argument})"


def _unknown(width: int) -> str:
    return "'X'" if width == 1 else "(others => 'X')"


def _vector(name: str, plane: int, size: int, space: int) -> Iterator[str]:
    """The declaration of the constant vector of a plane, X where no code points."""
    pieces: list[str] = []
    if size < space:
        missing = space - size
        unknown = f"{missing - 1} downto 0 => 'X'"
        pieces.append(f"std_logic_vector'({unknown})" if missing > 16 else f'"{"X" * missing}"')
    for start in reversed(range(0, size, BITS_OF_A_LITERAL)):
        bits = min(BITS_OF_A_LITERAL, size - start)
        pieces.append(bit_string((plane >> start) & ((1 << bits) - 1), bits))
    text = " & ".join(pieces)
    return broken(f"  constant {name} : std_logic_vector({space - 1} downto 0) := {text};")


def _indented(statements: list[str], spaces: int) -> Iterator[str]:
    for statement in statements:
        yield from broken(f"{' ' * spaces}{statement}")


def _without_double_blanks(lines: list[str]) -> Iterator[str]:
    """The lines, without blank ones at the start."""
    start = next((place for place, line in enumerate(lines) if line), len(lines))
    yield from lines[start:]


_MEMORY_STYLES = {
    "distributed": ("distributed", "MLAB"),
    "logic": ("registers", "logic"),
    "block": ("block", "M10K"),
}
"""`ram_style` and `ramstyle` of memories."""

_WHY_ADDERS = """\
  -- Adders in a row. The zero below the lowest bit changes no sum; it keeps Yosys from merging both
  -- into one of more operands, which takes twice the LUTs. A carry there, on both sides, is one bit
  -- more to add, and takes no LUT.\
""".splitlines()

_WHY_ABSORBERS = """\
  -- Adds a table with bits of few inputs: a + b, as a - (not b) - 1. Tools keep the order of a
  -- difference, so that the carry chain takes the left operand as it is, and each bit of the right
  -- one that depends on few inputs fits into the LUT that adds it.\
""".splitlines()
