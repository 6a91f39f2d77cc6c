"""One hardware module as text: ports, and the pipeline stage by stage.

A stage has its wires and tables first, then the registers at its end. A table is a constant vector
for each bit. A sum that is a term of another sum is a call of a function. Attributes of the module
keep Vivado and Quartus from making memories of tables. docs/rationale/hardware.md has the reasons.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Operation, OpResult, SSAValue

from kan_dialect.evaluate.hardware import bit_width, register_operands
from kan_dialect.ir.constants import Array
from kan_dialect.ir.operation import operands_of, result_of
from kan_dialect.lowering.lut_modules import LutModule, lut_module
from kan_dialect.lowering.systemverilog.analysis import (
    Analysis,
    analyse,
    generated_name,
    is_written_anywhere,
)
from kan_dialect.lowering.systemverilog.expressions import (
    Expression,
    choice,
    concatenation,
    literal,
)
from kan_dialect.lowering.systemverilog.header import module_header
from kan_dialect.lowering.systemverilog.layout import block, broken, declared
from kan_dialect.lowering.systemverilog.names import Names, legal_name, module_name
from kan_dialect.lowering.systemverilog.operations import Expressions, named_adders
from kan_dialect.lowering.systemverilog.subset import check_subset
from kan_dialect.lowering.systemverilog.tables import (
    LONGEST_VECTOR,
    choices,
    description,
    vector,
)
from kan_dialect.lowering.systemverilog.unread import parts_of, unread_bits
from kan_dialect.lowering.text_stage import Registered, TextStage
from kan_dialect.maths.truth_tables import bits_of_code
from kan_dialect.ops.lut import LutOp
from kan_dialect.ops.memory import (
    MemoryOp,
    MemoryReadOp,
    MemoryWordOp,
    MemoryWriteOp,
    memory_type,
)

LONGEST_INLINED = 80
"""Longest expression, in characters, that is printed where it is used; longer ones are wires."""


_TABLES_ARE_LOGIC = '(* rom_style = "distributed", romstyle = "logic" *)'


def write_module(
    module: hw.HWModuleOp,
    name: str,
    modules: Mapping[str, str] = MappingProxyType({}),
    luts: Mapping[LutModule, str] = MappingProxyType({}),
) -> str:
    """The text of a module with the name `name`.

    Parameters
    ----------
    modules : names in the text of the modules that may be instantiated, by their names in the IR.
    luts : names of the modules of its lookup tables.

    Raises
    ------
    KanError : the module has an op, type or attribute outside the subset.
    """
    check_subset(module)
    # The writer and its facts are gone before the lines are joined: both are large.
    lines = _ModuleWriter(module, name, analyse(module), modules, luts).lines()
    return "\n".join(lines)


def write_lut_module(module: LutModule, name: str) -> str:
    """The text of a module of one lookup table, which synthesis keeps as it is."""
    size = 1 << module.inputs
    return "\n".join(
        [
            _KEPT,
            f"module {name} (",
            f"  input  wire {declared('x', IntegerType(module.inputs))},",
            "  output wire logic y",
            ");",
            *vector("TABLE", module.table, size),
            "  assign y = TABLE[x];",
            "endmodule\n",
        ]
    )


_KEPT = '(* keep_hierarchy = "yes", syn_hier = "hard" *)'
"""Attributes of a module that synthesis keeps: for Yosys and Vivado, and for Synplify and LSE."""


_MEMORY_STYLES = {
    "distributed": '  (* ram_style = "distributed", ramstyle = "MLAB" *)',
    "logic": '  (* ram_style = "registers", rom_style = "distributed", romstyle = "logic" *)',
    "block": '  (* ram_style = "block", rom_style = "block", romstyle = "M10K" *)',
}
"""Attributes of memories. `distributed` keeps one out of blocks, whose outputs are slow: 5.8 ns on
ECP5. Yosys reads `ram_style` first, of constant memories too, and `registers` are logic there."""

_INITIAL_WORDS = 256
"""Words of a memory in one `initial` block. Yosys takes time by the square of their number: three
minutes for 16384 words in one block, and seven seconds in blocks of this size."""

_STATEMENTS = {
    hw.ArrayGetOp,
    hw.InstanceOp,
    hw.OutputOp,
    seq.CompRegOp,
    LutOp,
    MemoryOp,
    MemoryReadOp,
    MemoryWordOp,
    MemoryWriteOp,
}
"""Ops that may be printed as statements."""


@dataclass
class _ModuleWriter:
    """Writes the text of one module."""

    module: hw.HWModuleOp
    name: str
    facts: Analysis
    modules: Mapping[str, str]
    luts: Mapping[LutModule, str]
    names: Names = field(default_factory=Names)
    stages: defaultdict[int, TextStage] = field(default_factory=lambda: defaultdict(TextStage))
    feedback: list[str] = field(default_factory=list[str])
    """Declarations of registers in loops."""
    signals: list[SSAValue] = field(default_factory=list[SSAValue])
    """Values that are ports or have a declaration, in the order of their names."""

    def __post_init__(self) -> None:
        self.expressions = Expressions(self.facts)

    def lines(self) -> list[str]:
        """The text of the module, line by line."""
        ports = list(self._ports())
        self._name_values()
        self.expressions.adders.update(named_adders(self.facts, self.names))
        outputs: list[str] = []
        memories: list[str] = []
        has_tables = False
        for op, number in zip(self.facts.ops, self.facts.stages, strict=True):
            stage = self.stages[number]
            if type(op) not in _STATEMENTS:
                self._compute(op, stage)
                continue
            # The most frequent kinds come first, and by identity, which is faster than `match`.
            if type(op) is hw.ArrayGetOp and self.facts.is_table(op):
                stage.lines.extend(self._table(op))
                has_tables = True
                continue
            if type(op) is LutOp:
                stage.lines.extend(self._lut(op))
                continue
            if type(op) is seq.CompRegOp:
                _, clock, reset, _, _ = register_operands(op)
                stage.registers.setdefault((clock, reset), []).append(op)
                self._declare(op, result_of(op), stage)
                continue
            match op:
                case MemoryOp():
                    memories.extend(self._memory(op))
                case MemoryReadOp():
                    stage.registers.setdefault((op.clock, None), []).append(op)
                    self._declare(op, op.result, stage)
                case MemoryWordOp():
                    wire = declared(self._name(op.result), op.result.type)
                    stage.lines.append(f"  wire {wire} = {self._word(op)};")
                case MemoryWriteOp():
                    stage.registers.setdefault((op.clock, None), []).append(op)
                case hw.InstanceOp():
                    stage.lines.extend(self._instance(op))
                case hw.OutputOp():
                    outputs = list(self._outputs(op))
                case _:
                    self._compute(op, stage)
        tables_are_logic = f"{_TABLES_ARE_LOGIC}\n" if has_tables else ""
        return [
            f"{module_header(self.module, self.name)}{tables_are_logic}module {self.name} (",
            ",\n".join(ports),
            ");",
            *self._adders(),
            *memories,
            *self._stages(),
            *outputs,
            *self._unread(),
            "endmodule\n",
        ]

    def _declare(self, op: Operation, value: SSAValue, stage: TextStage) -> None:
        """Declare a register. One in a loop is declared before all stages, since they read it."""
        line = f"  {declared(self._name(value), value.type)};"
        (self.feedback if op in self.facts.loops else stage.declarations).append(line)

    def _memory(self, op: MemoryOp) -> Iterator[str]:
        """The declaration of a memory, and its contents at power-up."""
        name, kind, words = self._name(op.result), memory_type(op.result), op.contents
        yield ""
        if op.style:
            yield _MEMORY_STYLES[op.style]
        if op.exclusive is not None:
            yield "  (* no_rw_check *)"
        yield f"  {declared(name, kind.word)} [0:{kind.words - 1}];"
        if words is None:
            return
        for first in range(0, len(words), _INITIAL_WORDS):
            yield "  initial begin"
            for index, word in enumerate(words[first : first + _INITIAL_WORDS].tolist(), first):
                yield f"    {name}[{index}] = {literal(word, kind.bits, negative=True).text};"
            yield "  end"

    def _instance(self, op: hw.InstanceOp) -> Iterator[str]:
        """Wires for the outputs of another module, and its instance with named connections."""
        for result in op.results:
            yield f"  {declared(self._name(result), result.type)};"
        symbol = op.module_name.string_value()
        name = self.names.take(op.instance_name.data)
        ports = [
            *zip(op.arg_names.data, map(self._operand, op.inputs), strict=True),
            *zip(op.result_names.data, map(self._name, op.outputs), strict=True),
        ]
        yield f"  {self.modules.get(symbol, module_name(symbol))} {name} ("
        connections = [f"    .{legal_name(port.data)}({wire})" for port, wire in ports]
        for connection in connections[:-1]:
            yield from broken(f"{connection},")
        yield from broken(connections[-1])
        yield "  );"

    def _lut(self, op: LutOp) -> Iterator[str]:
        """A lookup table: a wire for its bit, and the instance of its module."""
        module, order = lut_module(op)
        name = self._name(op.result)
        inputs = [self.expressions.of(op.inputs[place]) for place in reversed(order)]
        instance = self.names.take(f"{name}_lut")
        yield f"  {declared(name, op.result.type)};"
        index = concatenation(inputs).text
        yield from broken(f"  {self.luts[module]} {instance} (.x({index}), .y({name}));")

    # Names

    def _ports(self) -> Iterator[str]:
        arguments = iter(self.module.body.block.args)
        self.output_names: list[str] = []
        for port in self.module.module_type.ports:
            name = self.names.take(port.port_name.data)
            if port.dir.data is hw.Direction.OUTPUT:
                self.output_names.append(name)
                yield f"  output wire {declared(name, port.type)}"
            else:
                self._give_name(next(arguments), name)
                yield f"  input  wire {declared(name, port.type)}"

    def _name_values(self) -> None:
        """Take names of the IR first, in its order, so that generated names do not take them."""
        for result, hint in self.facts.hints.items():
            if result not in self.facts.constants:
                self._give_name(result, self.names.take(hint))
        for op in self.facts.ops:
            for result in op.results:
                if result not in self.expressions.known and self._needs_name(op, result):
                    self._generate_name(op, result)

    def _needs_name(self, op: Operation, result: SSAValue) -> bool:
        repeated = self.facts.uses.get(result, 0) > 1 and not is_written_anywhere(op, self.facts)
        return repeated or result in self.facts.named

    def _generate_name(self, op: Operation, result: OpResult) -> None:
        self._give_name(result, generated_name(op, result, self.facts, self.names))

    def _give_name(self, value: SSAValue, name: str) -> None:
        self.expressions.known[value] = Expression(name)
        self.signals.append(value)

    def _name(self, value: SSAValue) -> str:
        return self.expressions.known[value].text

    # Statements

    def _compute(self, op: Operation, stage: TextStage) -> None:
        """Write a wire for the result of an op, or keep its expression for where it is used."""
        result = result_of(op)
        expression = self.expressions.of_op(op)
        if result not in self.expressions.known:
            if len(expression.text) <= LONGEST_INLINED or self.facts.fills_a_statement(result):
                self.expressions.known[result] = expression
                return
            self._generate_name(op, result)
        name = self._name(result)
        line = f"  wire {declared(name, result.type)} = {expression.text};"
        stage.lines.extend(broken(line))

    def _table(self, op: hw.ArrayGetOp) -> Iterator[str]:
        """A lookup: a vector for each bit that depends on the code, and the concatenated bits."""
        result, (table, code) = result_of(op), operands_of(op)
        name, width = self._name(result), bit_width(result.type)
        index = self._operand(code)
        entries: Array = self.facts.constants[table][0]
        size = len(entries)
        yield from description(name, index, self.facts.codes_of(op))
        if size > LONGEST_VECTOR:
            yield from self._long_table(op, entries)
            return
        bits = {0: "1'b0", (1 << size) - 1: "1'b1"}
        inputs = bit_width(code.type)
        own = bits_of_code(inputs) if size == 1 << inputs else {}
        word: list[str] = []
        for place, plane in enumerate(self.facts.planes_of(table, width)):
            if plane not in bits:
                if plane in own:
                    bits[plane] = self._bit_of_index(op, *own[plane])
                else:
                    constant = self.names.take(f"{name}_bit{place}")
                    yield from vector(constant, plane, size)
                    bits[plane] = f"{constant}[{index}]"
            word.append(bits[plane])
        value = concatenation([Expression(bit) for bit in reversed(word)]).text
        yield from broken(f"  wire {declared(name, result.type)} = {value};")

    def _long_table(self, op: hw.ArrayGetOp, entries: Array) -> Iterator[str]:
        """A lookup by nested choices between words, one bit of the code at a time."""
        name, width = self._name(op.result), bit_width(op.result.type)
        code = self._bits_of(op.index)
        if code is None:
            word = self.names.take(f"{name}_code")
            yield from broken(
                f"  wire {declared(word, op.index.type)} = {self._operand(op.index)};"
            )
            code = [f"{word}[{place}]" for place in range(bit_width(op.index.type))]

        def row(text: str) -> tuple[str, str]:
            row_name = self.names.take(f"{name}_row{len(rows)}")
            rows.append(row_name)
            return f"  wire {declared(row_name, op.result.type)} = {text};", row_name

        rows: list[str] = []
        literals = [literal(entry, width).text for entry in entries.tolist()]
        declarations, whole = choices(literals, code, row)
        for declaration in declarations:
            yield from broken(declaration)
        yield from broken(f"  wire {declared(name, op.result.type)} = {whole};")

    def _bits_of(self, value: SSAValue) -> list[str] | None:
        """The bits of a signal or of a slice of one, lowest first; None for other values."""
        low, places = 0, range(bit_width(value.type))
        source = self.facts.slice_of(value)
        if not self._operand(value).isidentifier() and source is not None:
            low, value = source.low_bit.value.data, source.input
        name = self._operand(value)
        return [f"{name}[{low + place}]" for place in places] if name.isidentifier() else None

    def _bit_of_index(self, op: hw.ArrayGetOp, place: int, complement: bool) -> str:
        """A bit of a table's index, or its complement."""
        _, source = operands_of(op)
        bit = self._operand(source)
        if bit_width(source.type) > 1:
            part = self.facts.slice_of(source)
            if part is not None and not bit.isidentifier():
                place += part.low_bit.value.data
                source = part.input
            bit = f"{self._operand(source)}[{place}]"
        return f"~{bit}" if complement else bit

    def _adders(self) -> Iterator[str]:
        """The functions that add two numbers."""
        if not self.expressions.adders:
            return
        left, right, carry, twice, unused = map(
            self.names.take, ("left", "right", "carry", "twice", "unused")
        )
        for absorbs, reason in ((False, _WHY_ADDERS), (True, _WHY_ABSORBERS)):
            adders = [adder for adder in self.expressions.adders if adder.absorbs == absorbs]
            if adders:
                yield ""
                yield from reason
            for adder in adders:
                name = self.expressions.adders[adder]
                word, wider = (
                    declared("", IntegerType(bits)).rstrip()
                    for bits in (adder.width, adder.width + 1)
                )
                inputs = f"input {word} {left}, input {word} {right}"
                below, inverted = ("1'b0", "1'b1")
                if adder.carries:
                    inputs += f", input logic {carry}"
                    below, inverted = carry, f"~{carry}"
                sum = f"{{{left}, {below}}} + {{{right}, {below}}}"
                if absorbs:
                    sum = f"{{{left}, {below}}} - {{~{right}, {inverted}}}"
                yield f"  function automatic {word} {name}({inputs});"
                yield f"    {wider} {twice};"
                yield f"    logic {unused};"
                yield f"    {twice} = {sum};"
                yield f"    {{{name}, {unused}}} = {twice};"
                yield "  endfunction"

    def _unread(self) -> Iterator[str]:
        """A wire that reads all bits that nothing else reads. Linters accept it by its name.

        It is a concatenation. An operator would be a cell in Yosys, and change the numbers in the
        names of later cells, by which Yosys's mapper breaks ties.
        """
        parts: list[Expression] = []
        width = 0
        for value, mask in unread_bits(self.signals, self.facts):
            parts.extend(parts_of(self._name(value), value, mask))
            width += mask.bit_count()
        if not parts:
            return
        bundle = declared(self.names.take("unused_bits"), IntegerType(width))
        yield ""
        yield from _WHY_UNUSED
        yield from broken(f"  wire {bundle} = {concatenation(parts).text};")

    def _outputs(self, op: hw.OutputOp) -> Iterator[str]:
        for name, value in zip(self.output_names, op.inputs, strict=True):
            yield from broken(f"  assign {name} = {self._operand(value)};")

    def _stages(self) -> Iterator[str]:
        if self.feedback:
            yield ""
            yield from self.feedback
        for number, stage in sorted(self.stages.items()):
            yield ""
            if len(self.stages) > 1:
                yield f"  // Stage {number}"
            yield from stage.lines
            if stage.lines and stage.declarations:
                yield ""
            yield from stage.declarations
            for (clock, reset), registers in stage.registers.items():
                yield from self._registers(clock, reset, registers)

    def _registers(
        self, clock: SSAValue, reset: SSAValue | None, registers: list[Registered]
    ) -> Iterator[str]:
        """The registers and memories of a stage that share a clock and a reset."""
        loads = [self._load(op) for op in registers]
        yield f"  always_ff @(posedge {self._name(clock)})"
        if reset is None:
            yield from block(loads, "    ")
            return
        resets = [
            f"{self._name(op.data)} <= {self._operand(value)};"
            for op in registers
            if isinstance(op, seq.CompRegOp)
            and (value := register_operands(op).reset_value) is not None
        ]
        yield f"    if ({self._operand(reset)})"
        yield from block(resets, "      ")
        yield "    else"
        yield from block(loads, "      ")

    def _load(self, op: Registered) -> str:
        """The statement of a register or memory at the clock's edge."""
        match op:
            case seq.CompRegOp():
                return f"{self._name(result_of(op))} <= {self._operand(operands_of(op)[0])};"
            case MemoryReadOp():
                name, word = self._name(op.result), self._word(op)
                if op.enable is not None:
                    enable = self.expressions.of(op.enable)
                    word = choice(enable, Expression(word), Expression(name)).text
                return f"{name} <= {word};"
            case _:
                return (
                    f"if ({self._operand(op.enable)}) {self._word(op)} <= {self._operand(op.data)};"
                )

    def _word(self, op: MemoryReadOp | MemoryWordOp | MemoryWriteOp) -> str:
        """A word of a memory; the address is 0 if the memory has one word."""
        address = self._operand(op.address) if memory_type(op.memory).words > 1 else "0"
        return f"{self._name(op.memory)}[{address}]"

    def _operand(self, value: SSAValue) -> str:
        return self.expressions.of(value, negative=value in self.facts.signed).text


_WHY_ADDERS = """\
  // Adders in a row. The zero below the lowest bit changes no sum; it keeps Yosys from merging both
  // into one of more operands, which takes twice the LUTs. A carry there, on both sides, is one bit
  // more to add, and takes no LUT.\
""".splitlines()

_WHY_ABSORBERS = """\
  // Adds a table with bits of few inputs: a + b, as a - ~b - 1. Tools keep the order of a
  // difference, so that the carry chain takes the left operand as it is, and each bit of the right
  // one that depends on few inputs fits into the LUT that adds it.\
""".splitlines()

_WHY_UNUSED = """\
  // Bits that nothing else reads. They take no hardware.\
""".splitlines()
