"""The subset of hw, comb and seq that is printed as text; the rest is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Attribute, Operation

from kan_dialect.errors import KanError
from kan_dialect.evaluate.hardware import register_operands
from kan_dialect.ir.operation import operands_of, ops_of, result_of
from kan_dialect.ops.lut import LutOp
from kan_dialect.ops.memory import MemoryOp, MemoryReadOp, MemoryType, MemoryWordOp, MemoryWriteOp

_SUPPORTED = (
    hw.ConstantOp,
    hw.BitcastOp,
    hw.ArrayCreateOp,
    hw.ArrayGetOp,
    hw.InstanceOp,
    hw.OutputOp,
    seq.CompRegOp,
    LutOp,
    MemoryOp,
    MemoryReadOp,
    MemoryWordOp,
    MemoryWriteOp,
)


def check_subset(module: hw.HWModuleOp, language: str = "SystemVerilog") -> None:
    """Refuse a module that cannot be printed in a language.

    Raises
    ------
    KanError : the module has parameters, or a port or op outside the subset.
    """
    for problem in _problems(module):
        raise KanError(f"@{module.sym_name.data}: {problem} cannot be printed as {language}")


def _problems(module: hw.HWModuleOp) -> Iterator[str]:
    if module.parameters is not None and module.parameters.data:
        yield "a module with parameters"
    for port in module.module_type.ports:
        port_type: Attribute = port.type
        is_clock = isinstance(port_type, seq.ClockType) and port.dir.data is hw.Direction.INPUT
        if not is_clock and not _is_integer(port_type):
            yield f"port '{port.port_name.data}' of type {port_type}"
    # Thousands of ops are of few classes with few types. Types live as long as their ops do.
    fine: set[tuple[object, ...]] = set()
    for op in ops_of(module.body.block):
        kind, results, operands = type(op), op.results, operands_of(op)
        if len(results) != 1 or (kind is seq.CompRegOp and len(operands) > 2):
            yield from _problems_of(op)  # A register may have a power-on value.
            continue
        key: tuple[object, ...] = (kind, id(result_of(op).type))
        if kind is hw.BitcastOp:
            key = (*key, id(operands_of(op)[0].type))
        if key not in fine:
            yield from _problems_of(op)
            fine.add(key)


def _problems_of(op: Operation) -> Iterator[str]:
    if not _is_supported(type(op)):
        yield f"'{op.name}'"
    if type(op) is seq.CompRegOp and register_operands(op).power_on_value is not None:
        yield f"'{op.name}' with a power-on value"
    if type(op) is hw.BitcastOp and _is_reshaping(op):
        yield f"'{op.name}' between arrays of different elements"
    for result in op.results:
        # A constant may have no bits: the index of an array of one element.
        if type(op) is not hw.ConstantOp and not _is_printable(result.type):
            yield f"'{op.name}' of type {result.type}"


@cache
def _is_supported(kind: type[Operation]) -> bool:
    return kind.name.startswith("comb.") or issubclass(kind, _SUPPORTED)


def _is_reshaping(op: hw.BitcastOp) -> bool:
    types = op.operands[0].type, op.results[0].type
    return types[0] != types[1] and all(isinstance(kind, hw.ArrayType) for kind in types)


def _is_printable(value_type: Attribute) -> bool:
    """True for integers of at least one bit, arrays of these integers, and memories."""
    match value_type:
        case IntegerType():
            return _is_integer(value_type)
        case hw.ArrayType():
            return len(value_type) > 0 and _is_integer(value_type.element_type)
        case MemoryType():
            return True
        case _:
            return False


def _is_integer(value_type: Attribute) -> bool:
    match value_type:
        case IntegerType():
            return value_type.width.data > 0
        case _:
            return False
