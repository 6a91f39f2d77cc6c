"""Reads and writes the discardable attributes of functions, arguments and hardware modules.

`attribute_names` lists them. Nothing else takes them apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar, cast

from xdsl.dialects import func, hw
from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    FloatAttr,
    IntegerAttr,
    StringAttr,
    UnitAttr,
    f64,
    i64,
)
from xdsl.ir import Attribute, Operation
from xdsl.utils.exceptions import VerifyException

from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.attribute_names import (
    AFFINE,
    ENCODING,
    ENCODINGS,
    INTERFACE,
    INTERVAL,
    LATENCY,
    LOADABLE,
    LOGIC_WORDS,
    NODES,
    OUTPUT_CODES,
    PORTS,
    SHAPES,
    WORD,
    WRAPS,
)
from kan_dialect.ir.attributes.hardware_attributes import NodeAttr, PortAttr
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.ir.types import IntType

# Cycles


def declared_latency(op: Operation) -> int | None:
    """Clock cycles from inputs to outputs, by a function's or module's attribute."""
    return _integer(op.attributes.get(LATENCY))


def declare_latency(op: Operation, cycles: int) -> None:
    op.attributes[LATENCY] = IntegerAttr(cycles, i64)


def declared_interval(op: Operation) -> int | None:
    """Cycles from a sample to the next of a folded module; from one that trains, of hardware that
    trains itself; None of other hardware."""
    return _integer(op.attributes.get(INTERVAL))


def declare_interval(op: Operation, cycles: int) -> None:
    op.attributes[INTERVAL] = IntegerAttr(cycles, i64)


def declared_word(op: Operation) -> int | None:
    """Bits of the words of a folded layer's memories, where its `kan.node_sum` says them."""
    return _integer(op.attributes.get(WORD))


def declare_word(op: Operation, bits: int) -> None:
    op.attributes[WORD] = IntegerAttr(bits, i64)


def declared_logic_words(op: Operation) -> int | None:
    """Most words of a folded layer's memories in logic, where its `kan.node_sum` says them."""
    return _integer(op.attributes.get(LOGIC_WORDS))


def declare_logic_words(op: Operation, words: int) -> None:
    op.attributes[LOGIC_WORDS] = IntegerAttr(words, i64)


def declared_shapes(op: Operation) -> int | None:
    """Shapes that edges of a folded layer choose from; None of one whose edges have tables."""
    return _integer(op.attributes.get(SHAPES))


def declare_shapes(op: Operation, count: int) -> None:
    op.attributes[SHAPES] = IntegerAttr(count, i64)


def declared_entry(op: Operation) -> int | None:
    """Bits of the entries of tables that can be loaded, where a `kan.node_sum` says them."""
    return _integer(op.attributes.get(LOADABLE))


def declare_entry(op: Operation, bits: int) -> None:
    op.attributes[LOADABLE] = IntegerAttr(bits, i64)


def trains_itself(op: Operation) -> bool:
    """Whether an op is hardware whose outputs depend on what it was trained with."""
    is_module = isinstance(op, hw.HWModuleOp)
    return is_module and declared_interval(op) is not None and PORTS not in op.attributes


def training_cycles(module: hw.HWModuleOp) -> tuple[int, int]:
    """Latency and interval of hardware that trains itself, in clock cycles.

    Raises
    ------
    KanError : the module does not say them.
    """
    latency, interval = declared_latency(module), declared_interval(module)
    if latency is None or interval is None or not trains_itself(module):
        raise KanError(
            f"@{module.sym_name.data} is no hardware that trains itself",
            remedy="lower a training step to hardware (kan-flow build --trainable)",
        )
    return latency, interval


def _integer(attribute: Attribute | None) -> int | None:
    return attribute.value.data if isinstance(attribute, IntegerAttr) else None


# Wrappers


def declared_interface(op: Operation) -> str | None:
    """The interface that a wrapper around a network's module offers; None of other ops."""
    attribute = op.attributes.get(INTERFACE)
    return attribute.data if isinstance(attribute, StringAttr) else None


def declare_interface(op: Operation, name: str) -> None:
    op.attributes[INTERFACE] = StringAttr(name)


# Ports and nodes of a hardware module


def ports_of(module: hw.HWModuleOp) -> tuple[PortAttr, ...] | None:
    """The data ports, inputs first; None of a module that does not say.

    Raises
    ------
    KanError : the attribute holds something else.
    """
    return _listed(module, PORTS, PortAttr)


def nodes_of(module: hw.HWModuleOp) -> tuple[NodeAttr, ...]:
    """The nodes of the model; none of a module that does not say.

    Raises
    ------
    KanError : the attribute holds something else.
    """
    return _listed(module, NODES, NodeAttr) or ()


def encodings_of(module: hw.HWModuleOp) -> tuple[str, ...]:
    """Lines about the ports of hardware that trains itself.

    Raises
    ------
    KanError : the attribute holds something else.
    """
    return tuple(line.data for line in _listed(module, ENCODINGS, StringAttr) or ())


def list_ports(module: hw.HWModuleOp, ports: Iterable[PortAttr]) -> None:
    module.attributes[PORTS] = ArrayAttr(ports)


def list_nodes(module: hw.HWModuleOp, nodes: Iterable[NodeAttr]) -> None:
    module.attributes[NODES] = ArrayAttr(nodes)


def list_encodings(module: hw.HWModuleOp, lines: Iterable[str]) -> None:
    module.attributes[ENCODINGS] = ArrayAttr(map(StringAttr, lines))


_Entry = TypeVar("_Entry", bound=Attribute)


def _listed(module: hw.HWModuleOp, name: str, kind: type[_Entry]) -> tuple[_Entry, ...] | None:
    attribute = module.attributes.get(name)
    if attribute is None:
        return None
    entries: Sequence[Attribute] = [attribute]
    if isinstance(attribute, ArrayAttr):
        entries = cast("ArrayAttr[Attribute]", attribute).data
    found = tuple(entry for entry in entries if isinstance(entry, kind))
    if len(found) < len(entries):
        wrong = next(entry for entry in entries if not isinstance(entry, kind))
        raise KanError(
            f"@{module.sym_name.data}: {name} must be an array of #{kind.name}, got {wrong}",
            remedy="lower the model again with this version of kan-compile",
        )
    return found


# Ports of a function


def fix_output_codes(function: func.FuncOp, kinds: Sequence[IntType | None]) -> None:
    """Fix the codes of output ports, of number formats that a user chose.

    Passes narrow results to the codes that occur. A fixed port has its width all the same.

    Parameters
    ----------
    kinds : of each output; None leaves its port as wide as its codes.
    """
    if any(kind is not None for kind in kinds):
        function.attributes[OUTPUT_CODES] = ArrayAttr(
            UnitAttr() if kind is None else kind for kind in kinds
        )


def fixed_output_codes(function: func.FuncOp) -> list[IntType | None] | None:
    """The fixed codes of each output port; None of a function that fixes none.

    Raises
    ------
    KanError : the attribute holds something else.
    """
    attribute = function.attributes.get(OUTPUT_CODES)
    if attribute is None:
        return None
    entries: Sequence[Attribute] = ()
    if isinstance(attribute, ArrayAttr):
        entries = cast("ArrayAttr[Attribute]", attribute).data
    found = [each if isinstance(each, IntType) else None for each in entries]
    if not found or not all(isinstance(each, IntType | UnitAttr) for each in entries):
        raise KanError(
            f"@{function.sym_name.data}: {OUTPUT_CODES} must be an array of !kan.int, got "
            f"{attribute}"
        )
    return found


def argument_attributes(
    encoding: Attribute, affine: tuple[float, float] | None = None, *, wraps: bool = False
) -> DictionaryAttr:
    """The attributes of a wire-level argument or result.

    Parameters
    ----------
    encoding : the `!quant.uniform` of the codes.
    affine : gain and offset of the host's affine, where there is one.
    wraps : whether the host rounds values down and wraps codes.
    """
    found = {ENCODING: encoding}
    if affine is not None:
        found[AFFINE] = ArrayAttr(FloatAttr(number, f64) for number in affine)
    if wraps:
        found[WRAPS] = UnitAttr()
    return DictionaryAttr(found)


def wire_ports(function: func.FuncOp) -> tuple[list[PortAttr], list[PortAttr]]:
    """Inputs and outputs of a function on `!kan.int`.

    Raises
    ------
    KanError : the encoding or the affine of one is not that of a port.
    """
    kinds = function.function_type
    return (
        _wire_ports(function, "x", kinds.inputs.data, function.arg_attrs),
        _wire_ports(function, "y", _output_kinds(function), function.res_attrs),
    )


def _output_kinds(function: func.FuncOp) -> Sequence[Attribute]:
    """The range of codes of each output port.

    Raises
    ------
    KanError : a result has codes beyond the fixed ones of its port.
    """
    kinds, fixed = function.function_type.outputs.data, fixed_output_codes(function)
    if fixed is None:
        return kinds
    if len(fixed) != len(kinds):
        raise KanError(
            f"@{function.sym_name.data} has {len(kinds)} outputs, {OUTPUT_CODES} {len(fixed)}"
        )
    found: list[Attribute] = []
    for index, (kind, port) in enumerate(zip(kinds, fixed, strict=True)):
        if (
            port is not None
            and isinstance(kind, IntType)
            and not port.contains(kind.low, kind.high)
        ):
            raise KanError(
                f"@{function.sym_name.data}: y{index} has codes {kind.low}:{kind.high}, its port "
                f"holds {port.low}:{port.high}"
            )
        found.append(kind if port is None else port)
    return found


def _wire_ports(
    function: func.FuncOp,
    letter: str,
    kinds: Sequence[Attribute],
    attributes: ArrayAttr[DictionaryAttr] | None,
) -> list[PortAttr]:
    ports: list[PortAttr] = []
    for index, kind in enumerate(kinds):
        assert isinstance(kind, IntType)
        entry = DictionaryAttr({}) if attributes is None else attributes.data[index]
        try:
            ports.append(_wire_port(f"{letter}{index}", kind, entry))
        except VerifyException as error:
            raise KanError(f"@{function.sym_name.data}: {error}") from error
    return ports


def _wire_port(name: str, kind: IntType, entry: DictionaryAttr) -> PortAttr:
    encoding, wraps = entry.data.get(ENCODING), WRAPS in entry.data
    if not isinstance(encoding, UniformQuantizedType):
        return PortAttr(name, kind, wraps=wraps)
    scale, zero_point = float(encoding.scales[0]), int(encoding.zero_points[0])
    affine = _pair(entry.data.get(AFFINE))
    return PortAttr(name, kind, scale, zero_point, affine, wraps=wraps)


def _pair(affine: Attribute | None) -> tuple[float, float] | None:
    if affine is None:
        return None
    numbers = cast("ArrayAttr[Attribute]", affine).data if isinstance(affine, ArrayAttr) else ()
    match numbers:
        case (FloatAttr() as gain, FloatAttr() as offset):
            return gain.value.data, offset.value.data
        case _:
            raise VerifyException(f"{AFFINE} must be [gain, offset], got {affine}")
