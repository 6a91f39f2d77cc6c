"""The target `circt`: hardware modules in the syntax of CIRCT's own tools.

xDSL prints most of hw, comb and seq as CIRCT reads it. This printer differs in attributes of
constants and of array ops, long constants, types of parities, memories, and names of values: CIRCT
takes the names of registers from the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import IO

from xdsl.context import Context
from xdsl.dialects import comb, hw, seq
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.printer import Printer
from xdsl.utils.target import Target

from kan_dialect.errors import KanError
from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.ir.attributes.value_names import NAME_HINT, name_hint
from kan_dialect.lowering.hardware_ops import hardware_modules
from kan_dialect.lowering.lut_modules import with_instances
from kan_dialect.lowering.systemverilog.names import Names
from kan_dialect.ops.memory import (
    MemoryOp,
    MemoryReadOp,
    MemoryType,
    MemoryWordOp,
    MemoryWriteOp,
    memory_type,
)

DECIMAL_BITS = 64
"""Widest constant, in bits, that is printed as a decimal number; wider ones are hexadecimal."""


@dataclass(frozen=True)
class CirctTarget(Target):
    """Prints hardware modules in a form that CIRCT parses and verifies."""

    name = "circt"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        hardware_modules(module)
        for op in module.walk():
            if isinstance(op, seq.CompRegOp) and op.power_on_value is not None:
                raise KanError(
                    "'seq.compreg' with a power-on value has a different syntax in each version of "
                    "CIRCT",
                    remedy="reset the register instead",
                )
            if isinstance(op, MemoryOp) and op.contents is not None and bool(op.contents.any()):
                writes = any(isinstance(use.operation, MemoryWriteOp) for use in op.result.uses)
                raise KanError(
                    "CIRCT's syntax allows initial contents of a memory in a file only",
                    remedy="start with zeros (kan-make-trainable{initial=zero}), and load the "
                    "coefficients through the memory port"
                    if writes
                    else "print the folded design as SystemVerilog, or do not fold it (interval=1)",
                )
        _CirctPrinter(output).print_op(with_instances(module))
        output.write("\n")


class _CirctPrinter(Printer):
    """xDSL's printer, with CIRCT's syntax for ops where it differs."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__(stream=stream)
        self.names, self.values = Names(), dict[SSAValue, str]()

    def print_ssa_value(self, value: SSAValue) -> str:
        name = self.values.get(value)
        if name is None:
            hint = name_hint(value)
            name = str(len(self.values)) if hint is None else self.names.take(hint)
            self.values[value] = name
        self.print_string(f"%{name}")
        return name

    def print_op(self, op: Operation) -> None:
        match op:
            case hw.HWModuleOp():
                self.names = Names()
                super().print_op(op)
            case hw.ConstantOp():
                self._print_start(op)
                self._print_constant(op)
                self.print_op_attributes(op.attributes)
            case hw.ArrayGetOp():
                self._print_start(op)
                self.print_ssa_value(op.input)
                with self.in_square_brackets():
                    self.print_ssa_value(op.index)
                self.print_op_attributes(_with_name(op))
                self._print_types([op.input.type, op.index.type])
            case hw.ArrayCreateOp():
                self._print_start(op)
                self.print_list(op.inputs, self.print_ssa_value)
                self.print_op_attributes(op.attributes)
                self._print_types([op.inputs[0].type])
            case comb.ParityOp():
                self._print_start(op)
                self.print_ssa_value(op.input)
                self.print_op_attributes(op.attributes)
                self._print_types([op.input.type])
            case MemoryOp():
                self._print_start(op, "seq.firmem")
                within = any(isinstance(use.operation, MemoryWordOp) for use in op.result.uses)
                self.print_string(f"{0 if within else 1}, 1, old, undefined")
                self.print_op_attributes(op.attributes)
                self._print_memory(op.result)
            case MemoryReadOp() | MemoryWordOp():
                self._print_start(op, "seq.firmem.read_port")
                self._print_word(op)
                self.print_string(", clock ")
                self.print_ssa_value(_clock_of(op))
                if isinstance(op, MemoryReadOp) and op.enable is not None:
                    self.print_string(" enable ")
                    self.print_ssa_value(op.enable)
                self.print_op_attributes(op.attributes)
                self._print_memory(op.memory)
            case MemoryWriteOp():
                self.print_string("seq.firmem.write_port ")
                self._print_word(op)
                self.print_string(" = ")
                self.print_ssa_value(op.data)
                self.print_string(", clock ")
                self.print_ssa_value(op.clock)
                self.print_string(" enable ")
                self.print_ssa_value(op.enable)
                self._print_memory(op.memory)
            case _:
                super().print_op(op)

    def print_op_attributes(
        self,
        attributes: Mapping[str, Attribute],
        *,
        reserved_attr_names: Iterable[str] = (),
        print_keyword: bool = False,
    ) -> bool:
        """As xDSL does, without attributes of this project's dialects."""
        plain = {name: value for name, value in attributes.items() if _is_plain(value)}
        return super().print_op_attributes(
            plain, reserved_attr_names=reserved_attr_names, print_keyword=print_keyword
        )

    def _print_start(self, op: Operation, name: str | None = None) -> None:
        self.print_ssa_value(op.results[0])
        self.print_string(f" = {name or op.name} ")

    def _print_word(self, op: MemoryReadOp | MemoryWordOp | MemoryWriteOp) -> None:
        self.print_ssa_value(op.memory)
        with self.in_square_brackets():
            self.print_ssa_value(op.address)

    def _print_memory(self, memory: SSAValue) -> None:
        kind: MemoryType = memory_type(memory)
        self.print_string(f" : <{kind.words} x {kind.bits}>")

    def _print_constant(self, op: hw.ConstantOp) -> None:
        width = bit_width(op.result.type)
        if width <= DECIMAL_BITS:
            self.print_attribute(op.value)
        else:
            pattern = op.value.value.data & ((1 << width) - 1)
            self.print_string(f"0x{pattern:X}")
            self._print_types([op.result.type])

    def _print_types(self, types: Iterable[Attribute]) -> None:
        self.print_string(" : ")
        self.print_list(types, self.print_attribute)


def _with_name(op: hw.ArrayGetOp) -> dict[str, Attribute]:
    """The op's attributes, with the name that its result takes from the array."""
    hint = name_hint(op.result)
    return op.attributes if hint is None else {NAME_HINT: StringAttr(hint), **op.attributes}


def _is_plain(attribute: Attribute) -> bool:
    """True if the attribute and all attributes in it belong to dialects of CIRCT."""
    match attribute:
        case ArrayAttr():
            return all(_is_plain(element) for element in attribute.data)
        case DictionaryAttr():
            return all(_is_plain(element) for element in attribute.data.values())
        case _:
            return attribute.name.partition(".")[0] not in ("kan", "quant")


def _clock_of(op: MemoryReadOp | MemoryWordOp) -> SSAValue:
    """The clock of a read port; that of the memory's writes if the read has none."""
    if isinstance(op, MemoryReadOp):
        return op.clock
    for use in op.memory.uses:
        if isinstance(use.operation, MemoryWriteOp):
            return use.operation.clock
    raise KanError("a memory that is never written has no clock in CIRCT's syntax")
