"""What the hardware ops mean: hw, comb and seq in NumPy, per sample and per clock cycle.

Values are the unsigned bit patterns: int64 of shape (samples,) for widths up to 63, Python integers
in an object array for wider ones, (samples, size) for `!hw.array`. Constants have one sample.

Where the hardware dialects leave a result open (division by zero, an index behind the end of an
array), it is 0 here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import comb, hw, seq
from xdsl.dialects.builtin import IntegerAttr, IntegerType
from xdsl.ir import Attribute, Operation, OpResult, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import Array, BoolArray, DenseAttr, to_integers
from kan_dialect.ir.operation import operands_of
from kan_dialect.ir.semantics import evaluate_op, semantics_of
from kan_dialect.ops.lut import LutOp
from kan_dialect.ops.memory import (
    MemoryOp,
    MemoryReadOp,
    MemoryWordOp,
    MemoryWriteOp,
    memory_type,
)

BitArray: TypeAlias = NDArray[np.uint8]

REGISTERED = (seq.CompRegOp, MemoryReadOp)
"""Ops whose results show in a cycle what their operands were in the one before."""

NARROW = 63
"""Widths up to this are held in int64; its arithmetic modulo 2^64 gives the right low bits."""


def bit_width(value_type: Attribute) -> int:
    """The number of bits of an integer or an array of integers.

    Raises
    ------
    KanError : the type is neither.
    """
    # By identity first, as nearly all types are integers.
    if type(value_type) is IntegerType:
        return value_type.width.data
    match value_type:
        case hw.ArrayType():
            return len(value_type) * bit_width(value_type.element_type)
        case _:
            raise KanError(f"'{value_type}' is not a type of bits")


class RegisterOperands(NamedTuple):
    """What a register reads."""

    input: SSAValue
    clock: SSAValue
    reset: SSAValue | None
    reset_value: SSAValue | None
    power_on_value: SSAValue | None


def register_operands(op: seq.CompRegOp) -> RegisterOperands:
    """What a register reads. xDSL's accessors decode the op's segments each time."""
    operands = operands_of(op)
    if len(operands) == 2:  # neither a reset nor a value at power-on
        return RegisterOperands(*operands, None, None, None)
    if len(operands) == 4:  # a reset alone
        return RegisterOperands(*operands, None)
    return RegisterOperands(op.input, op.clk, op.reset, op.reset_value, op.power_on_value)


def low_bit_of(op: comb.ExtractOp) -> int:
    """The lowest bit that a slice takes."""
    return cast("IntegerAttr[IntegerType]", op.properties["lowBit"]).value.data


def array_length(value_type: Attribute) -> int | None:
    """The number of elements of an array type."""
    match value_type:
        case hw.ArrayType():
            return len(value_type)
        case _:
            return None


def _mask(values: Array, width: int) -> Array:
    """The low `width` bits, in the representation of that width."""
    return _held(values & ((1 << width) - 1), width)


def _held(values: Array, width: int) -> Array:
    """Patterns of `width` bits in their representation: int64, or Python integers if wide."""
    return values.astype(np.dtype(np.int64 if width <= NARROW else object), copy=False)


def _patterns(values: Array, width: int) -> Array:
    """The low `width` bits of numbers in any representation."""
    return _mask(values if width <= NARROW else values.astype(object), width)


def _signed(values: Array, width: int) -> Array:
    """The patterns read as two's complement."""
    sign = 1 << (width - 1)
    return (values ^ sign) - sign


def _to_bits(values: Array, width: int) -> BitArray:
    """Patterns (samples,) as bits (samples, width), the lowest first."""
    if width <= NARROW:
        return ((values[:, np.newaxis] >> np.arange(width)) & 1).astype(np.uint8)
    size = (width + 7) // 8
    raw = b"".join(int(value).to_bytes(size, "little") for value in values)
    packed = np.frombuffer(raw, dtype=np.uint8).reshape(-1, size)
    return np.unpackbits(packed, axis=1, count=width, bitorder="little")


def _from_bits(bits: BitArray) -> Array:
    """Bits (..., width), the lowest first, as patterns (...)."""
    width = bits.shape[-1]
    if width <= NARROW:
        weights: NDArray[np.int64] = np.left_shift(1, np.arange(width, dtype=np.int64))
        return np.matmul(bits.astype(np.int64), weights)
    packed = np.packbits(bits, axis=-1, bitorder="little")
    flat = packed.reshape(-1, packed.shape[-1])
    patterns = np.empty(len(flat), dtype=object)
    patterns[:] = [int.from_bytes(row.tobytes(), "little") for row in flat]
    return patterns.reshape(bits.shape[:-1])


# Constants and arrays


@semantics_of(hw.ConstantOp)
def _constant(op: hw.ConstantOp, operands: Sequence[Array]) -> Sequence[Array]:
    width = bit_width(op.result.type)
    pattern = np.empty(1, dtype=object)
    pattern[0] = op.value.value.data & ((1 << width) - 1)
    return (_held(pattern, width),)


@semantics_of(hw.BitcastOp)
def _bitcast(op: hw.BitcastOp, operands: Sequence[Array]) -> Sequence[Array]:
    source, target = op.operands[0].type, op.results[0].type
    if source == target:
        return (operands[0],)
    values = operands[0]
    width = bit_width(source)
    bits = _to_bits(values.reshape(-1), width // (array_length(source) or 1))
    bits = bits.reshape(len(values), width)
    length = array_length(target)
    if length is not None:
        bits = bits.reshape(len(values), length, width // length)
    return (_from_bits(bits),)


@semantics_of(hw.ArrayCreateOp)
def _array_create(op: hw.ArrayCreateOp, operands: Sequence[Array]) -> Sequence[Array]:
    """The operands, the last element first: element 0 holds the lowest bits."""
    return (np.stack(np.broadcast_arrays(*reversed(operands)), axis=-1),)


@semantics_of(MemoryOp)
def _memory(op: MemoryOp, operands: Sequence[Array]) -> Sequence[Array]:
    """The words that nothing overwrites: an array, (1, words)."""
    if op.initial is None:
        raise KanError(f"'{op.name}' cannot be evaluated: it has no initial words")
    return (
        _patterns(to_integers(cast("DenseAttr", op.initial)), memory_type(op.result).bits)[None],
    )


@semantics_of(hw.ArrayGetOp, MemoryReadOp, MemoryWordOp)
def _array_get(op: Operation, operands: Sequence[Array]) -> Sequence[Array]:
    elements, index, *_ = operands
    size = elements.shape[1]
    inside = index < size
    index = np.where(inside, index, 0)
    if len(elements) == 1:
        found = elements[0][index]
    else:
        index = np.broadcast_to(index, (len(elements),))
        found = np.take_along_axis(elements, index[:, np.newaxis], axis=1)[:, 0]
    return (found if inside.all() else np.where(inside, found, 0),)


# Arithmetic


_VARIADIC: dict[type[Operation], Callable[[Array, Array], Array]] = {
    comb.AddOp: np.add,
    comb.MulOp: np.multiply,
    comb.AndOp: np.bitwise_and,
    comb.OrOp: np.bitwise_or,
    comb.XorOp: np.bitwise_xor,
}


@semantics_of(*_VARIADIC)
def _variadic(op: comb.VariadicCombOperation, operands: Sequence[Array]) -> Sequence[Array]:
    return (_mask(reduce(_VARIADIC[type(op)], operands), bit_width(op.result.type)),)


@semantics_of(comb.SubOp)
def _sub(op: comb.SubOp, operands: Sequence[Array]) -> Sequence[Array]:
    return (_mask(operands[0] - operands[1], bit_width(op.result.type)),)


@semantics_of(comb.DivUOp, comb.DivSOp, comb.ModUOp, comb.ModSOp)
def _divide(op: comb.BinCombOperation, operands: Sequence[Array]) -> Sequence[Array]:
    """Division rounds towards zero; the remainder has the sign of the dividend."""
    width = bit_width(op.result.type)
    dividend, divisor = operands
    if isinstance(op, comb.DivSOp | comb.ModSOp):
        dividend, divisor = _signed(dividend, width), _signed(divisor, width)
    by_zero = divisor == 0
    magnitude = np.abs(np.where(by_zero, 1, divisor))
    quotient = np.abs(dividend) // magnitude
    if isinstance(op, comb.DivUOp | comb.DivSOp):
        result = np.where((dividend < 0) != (divisor < 0), -quotient, quotient)
    else:
        remainder = np.abs(dividend) - quotient * magnitude
        result = np.where(dividend < 0, -remainder, remainder)
    return (_mask(np.where(by_zero, 0, result), width),)


@semantics_of(comb.ShlOp, comb.ShrUOp, comb.ShrSOp)
def _shift(op: comb.BinCombOperation, operands: Sequence[Array]) -> Sequence[Array]:
    width = bit_width(op.result.type)
    values, amount = operands
    beyond = amount >= width
    amount = np.where(beyond, width - 1, amount)
    match op:
        case comb.ShlOp():
            result = np.where(beyond, 0, values << amount)
        case comb.ShrUOp():
            result = np.where(beyond, 0, values >> amount)
        case _:
            result = _signed(values, width) >> amount
    return (_mask(result, width),)


# Comparison and choice


@semantics_of(comb.ICmpOp)
def _icmp(op: comb.ICmpOp, operands: Sequence[Array]) -> Sequence[Array]:
    lhs, rhs = operands
    predicate = comb.ICMP_COMPARISON_OPERATIONS[op.predicate.value.data]
    if predicate[0] == "s":
        width = bit_width(op.lhs.type)
        lhs, rhs = _signed(lhs, width), _signed(rhs, width)
    compare: Callable[[Array, Array], BoolArray] = getattr(operator, predicate[-2:])
    return (compare(lhs, rhs).astype(np.int64),)


@semantics_of(comb.MuxOp)
def _mux(op: comb.MuxOp, operands: Sequence[Array]) -> Sequence[Array]:
    condition, if_true, if_false = operands
    condition = condition.reshape(-1, *[1] * (if_true.ndim - 1))
    return (np.where(condition != 0, if_true, if_false),)


@semantics_of(comb.ParityOp)
def _parity(op: comb.ParityOp, operands: Sequence[Array]) -> Sequence[Array]:
    bits = _to_bits(operands[0], bit_width(op.input.type))
    return (bits.sum(axis=1, dtype=np.int64) & 1,)


# Wiring


@semantics_of(comb.ExtractOp)
def _extract(op: comb.ExtractOp, operands: Sequence[Array]) -> Sequence[Array]:
    return (_mask(operands[0] >> op.low_bit.value.data, bit_width(op.result.type)),)


@semantics_of(comb.ConcatOp)
def _concat(op: comb.ConcatOp, operands: Sequence[Array]) -> Sequence[Array]:
    """The operands side by side, the first one highest."""
    width = bit_width(op.result.type)
    result: Array = _held(np.zeros(1, dtype=np.int64), width)
    for operand, value in zip(operands, op.inputs, strict=True):
        result = (result << bit_width(value.type)) | _held(operand, width)
    return (result,)


@semantics_of(comb.ReplicateOp)
def _replicate(op: comb.ReplicateOp, operands: Sequence[Array]) -> Sequence[Array]:
    width, part = bit_width(op.result.type), bit_width(op.input.type)
    ones = sum(1 << low for low in range(0, width, part))
    return (_held(operands[0], width) * ones,)


@semantics_of(LutOp)
def _lut(op: LutOp, operands: Sequence[Array]) -> Sequence[Array]:
    index: Array = np.zeros(1, dtype=np.int64)
    for place, operand in enumerate(operands):
        index = index | (operand << place)
    entries = np.array([op.entries >> place & 1 for place in range(1 << len(operands))])
    return (entries[index],)


@semantics_of(seq.CompRegOp)
def _register(op: seq.CompRegOp, operands: Sequence[Array]) -> Sequence[Array]:
    """The identity: a register delays, and over samples there is no time."""
    return (operands[0],)


# Time


def in_dataflow_order(
    ops: Iterable[Operation], *, through_registers: bool = True
) -> list[Operation]:
    """`ops` of one block such that operands come before their users; order is kept where it may be.

    Parameters
    ----------
    through_registers : whether a register comes after its operands. If not, registers may feed
        back, and only combinational loops are refused.

    Raises
    ------
    KanError : there is a loop.
    """
    ops = list(iter(ops))  # a list of xDSL's view of a block would count its ops first
    if _is_ordered(ops, through_registers=through_registers):
        return ops
    ordered: list[Operation] = []
    # By identity: thousands of ops are looked up, and xDSL's own hash takes several times as long.
    done: set[int] = set()
    begun: set[int] = set()
    for root in ops:
        stack = [root]
        while stack:
            op = stack[-1]
            if id(op) in done:
                stack.pop()
                continue
            pending = [
                owner
                for operand in operands_of(op)
                if isinstance(operand, OpResult)
                and id(owner := operand.op) not in done
                and (through_registers or type(owner) not in REGISTERED)
            ]
            if not pending:
                done.add(id(op))
                ordered.append(op)
                stack.pop()
                continue
            begun.add(id(op))
            if any(id(owner) in begun for owner in pending):
                kind = "feedback" if through_registers else "combinational"
                raise KanError(f"'{op.name}' is part of a {kind} loop")
            stack.extend(reversed(pending))
    return ordered


def _is_ordered(ops: Sequence[Operation], *, through_registers: bool) -> bool:
    """Whether operands come before their users already; mostly, they do."""
    done: set[SSAValue] = set()
    feeding_back: set[SSAValue] = set()
    for op in ops:
        operands = operands_of(op)
        if not done.issuperset(operands):
            for operand in operands:
                if not isinstance(operand, OpResult):
                    done.add(operand)
                elif operand not in done:
                    if through_registers or type(operand.op) not in REGISTERED:
                        return False
                    feeding_back.add(operand)
        done.update(op.results)
    return feeding_back <= done


def simulate_hardware(
    module: hw.HWModuleOp,
    inputs: Mapping[str, Array],
    *,
    probes: Mapping[str, SSAValue] = MappingProxyType({}),
) -> dict[str, Array]:
    """The outputs of a feed-forward pipeline in every clock cycle.

    An output holds what the port shows during a cycle: inputs of the same cycle where the path is
    combinational, of earlier ones behind registers. Registers start at their power-on value, or 0.

    Parameters
    ----------
    inputs : by the name of each data port, patterns of shape (cycles,); negative codes are taken
        in two's complement. Clocks are left out.
    probes : values inside the module to be shown as well, under names that no output port has.

    Returns
    -------
    by the name of each output port and probe, patterns of shape (cycles,).

    Raises
    ------
    KanError : an input is missing, or longer than another; the module holds a loop or more than
        one clock; an op has no meaning here.
    """
    known, cycles = _port_values(module, inputs)
    body, shown = in_dataflow_order(_logic(module)), _shown(module, probes)
    _check_clocks(body)
    last_use = _last_use(body, shown.values())
    for op in body:
        if type(op) in REGISTERED:
            known[op.results[0]] = _registered(op, known, cycles)
        else:
            _evaluate(op, known)
        _forget(op, known, last_use)
    return {
        name: np.broadcast_to(known[value], (cycles, *known[value].shape[1:]))
        for name, value in shown.items()
    }


def simulate_cycles(
    module: hw.HWModuleOp,
    inputs: Iterable[Mapping[str, Array]],
    *,
    probes: Mapping[str, SSAValue] = MappingProxyType({}),
) -> Iterator[dict[str, Array]]:
    """The outputs of a module with feedback, cycle by cycle, in several lanes side by side.

    Registers start at their power-on value, or 0, and reads of memories at 0. Memories start with
    their initial words.

    Parameters
    ----------
    inputs : for each cycle, by the name of each data port, patterns of shape (lanes,).
    probes : values inside the module to be shown as well, under names that no output port has.

    Yields
    ------
    for each cycle, by the name of each output port and probe, patterns of shape (lanes,), or (1,)
    where they are the same in all lanes.

    Raises
    ------
    KanError : an input is missing, or longer than another; the module holds a combinational loop or
        more than one clock; an op has no meaning here.
    """
    body = in_dataflow_order(_logic(module), through_registers=False)
    _check_clocks(body)
    registers = [op for op in body if type(op) in REGISTERED]
    writes = [op for op in body if isinstance(op, MemoryWriteOp)]
    written = {op.memory for op in writes}
    fixed: dict[SSAValue, Array] = {}
    logic: list[Operation] = []
    for op in body:
        if fixed.keys() >= set(op.operands) and written.isdisjoint(op.operands):
            _evaluate(op, fixed)
        elif type(op) not in REGISTERED and type(op) is not MemoryWriteOp:
            logic.append(op)
    shown = _shown(module, probes)
    held = [*shown.values(), *(o for op in (*registers, *writes) for o in op.operands)]
    last_use = _last_use(logic, held)
    state: dict[SSAValue, Array] = {op.results[0]: _power_on(op, fixed) for op in registers}
    for given in inputs:
        known = {**fixed, **_port_values(module, given)[0], **state}
        for op in logic:
            _evaluate(op, known)
            _forget(op, known, last_use)
        yield {name: known[value] for name, value in shown.items()}
        state = {op.results[0]: _following(op, known) for op in registers}
        state |= {memory: known[memory] for memory in written}
        for op in writes:
            state[op.memory] = _written(op, state[op.memory], known)


def _logic(module: hw.HWModuleOp) -> Iterator[Operation]:
    return (op for op in module.body.block.ops if not isinstance(op, hw.OutputOp))


def _shown(module: hw.HWModuleOp, probes: Mapping[str, SSAValue]) -> dict[str, SSAValue]:
    """The values of the output ports and the probes, by name."""
    output = module.body.block.last_op
    assert isinstance(output, hw.OutputOp)
    names = [port.port_name.data for port in module.module_type.ports if _is_output(port)]
    return {**dict(zip(names, output.inputs, strict=True)), **probes}


def _last_use(ops: Iterable[Operation], held: Iterable[SSAValue]) -> dict[SSAValue, Operation]:
    """The last op that reads each value, but for values that are held."""
    kept = frozenset(held)
    return {operand: op for op in ops for operand in op.operands if operand not in kept}


def _evaluate(op: Operation, known: dict[SSAValue, Array]) -> None:
    known.update(zip(op.results, evaluate_op(op, _operands(op, known)), strict=True))


def _operands(op: Operation, known: Mapping[SSAValue, Array]) -> list[Array]:
    """The values that it reads; its clock has none."""
    return [known[operand] for operand in operands_of(op) if operand in known]


def _forget(
    op: Operation, known: dict[SSAValue, Array], last_use: Mapping[SSAValue, Operation]
) -> None:
    """Drop what no later op reads: a long run of a large module would not fit in memory."""
    for operand in operands_of(op):
        if last_use.get(operand) is op:
            known.pop(operand, None)


def _is_output(port: hw.ModulePort) -> bool:
    return port.dir.data is hw.Direction.OUTPUT


def _port_values(
    module: hw.HWModuleOp, inputs: Mapping[str, Array]
) -> tuple[dict[SSAValue, Array], int]:
    """The values of the block's arguments but clocks, and the number of cycles."""
    ports = [port for port in module.module_type.ports if not _is_output(port)]
    known: dict[SSAValue, Array] = {}
    cycles: int | None = None
    for port, argument in zip(ports, module.body.block.args, strict=True):
        name = port.port_name.data
        if isinstance(argument.type, seq.ClockType):
            continue
        if name not in inputs:
            raise KanError(f"no values are given for input '{name}' of @{module.sym_name.data}")
        values: NDArray[Any] = np.asarray(inputs[name])
        if cycles is not None and len(values) != cycles:
            raise KanError(f"input '{name}' has {len(values)} cycles, an earlier one has {cycles}")
        cycles = len(values)
        if values.dtype != object:
            values = values.astype(np.int64, copy=False)
        known[argument] = _patterns(values, bit_width(argument.type))
    return known, 1 if cycles is None else cycles


def _check_clocks(ops: Iterable[Operation]) -> None:
    clocks = {op.clk for op in ops if isinstance(op, seq.CompRegOp)}
    if len(clocks) > 1:
        raise KanError(f"the module has {len(clocks)} clocks, one can be simulated")


def _following(op: Operation, known: Mapping[SSAValue, Array]) -> Array:
    """What a register, or the synchronous read of a memory, shows in the next cycle."""
    if isinstance(op, MemoryReadOp):
        word = evaluate_op(op, _operands(op, known))[0]
        return word if op.enable is None else np.where(known[op.enable], word, known[op.result])
    assert isinstance(op, seq.CompRegOp)
    read = register_operands(op)
    following = known[read.input]
    if read.reset is None or read.reset_value is None:
        return following
    reset = known[read.reset].reshape(-1, *[1] * (following.ndim - 1))
    return np.where(reset != 0, known[read.reset_value], following)


def _written(op: MemoryWriteOp, words: Array, known: Mapping[SSAValue, Array]) -> Array:
    """The words of a memory in the next cycle, (1 or lanes, words)."""
    enable, address, data = (known[value] for value in (op.enable, op.address, op.data))
    if not enable.any():
        return words
    lanes = np.broadcast_shapes(enable.shape, address.shape, data.shape, words.shape[:1])
    words = np.broadcast_to(words, (*lanes, words.shape[1])).copy()
    chosen = np.flatnonzero(np.broadcast_to(enable, lanes))
    at, word = np.broadcast_to(address, lanes)[chosen], np.broadcast_to(data, lanes)[chosen]
    inside = at < words.shape[1]
    words[chosen[inside], at[inside]] = word[inside]
    return words


def _power_on(op: Operation, known: Mapping[SSAValue, Array]) -> Array:
    """What it shows in the first cycle, (1, ...)."""
    value = register_operands(op).power_on_value if isinstance(op, seq.CompRegOp) else None
    if value is not None:
        return known[value][:1]
    length, width = array_length(op.results[0].type), bit_width(op.results[0].type)
    shape = (1,) if length is None else (1, length)
    return _held(np.zeros(shape, dtype=np.int64), width // (length or 1))


def _registered(op: Operation, known: Mapping[SSAValue, Array], cycles: int) -> Array:
    """What it shows in each cycle."""
    following = _following(op, known)
    shown = np.empty((cycles, *following.shape[1:]), dtype=following.dtype)
    shown[:1] = _power_on(op, known)
    shown[1:] = np.broadcast_to(following, shown.shape)[:-1]
    return shown
