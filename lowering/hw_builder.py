"""Builds a hardware module: ports, constants, wires, registers, tables and names.

Constructors of xDSL's ops compare their arguments with the op's declaration. For the ops that
lowerings make by the ten thousand, this takes longer than the rest of lowering. The functions at
the end of this file create these ops without the comparison; the verifier makes it later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TypeVar

import numpy as np
from xdsl.dialects import comb, hw, seq
from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseArrayBase,
    IntegerAttr,
    IntegerType,
    StringAttr,
    SymbolRefAttr,
    i32,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, OpResult, Region, SSAValue
from xdsl.irdl import AttrSizedOperandSegments

from kan_dialect.ir.attributes.value_names import NAME_HINT, TABLE_SUFFIX
from kan_dialect.ir.constants import Array, IntArray, integer_of
from kan_dialect.ir.operation import result_of
from kan_dialect.ops.memory import MemoryOp

MAX_CONSTANT_BITS = 8192
"""Longer constants are concatenated: their decimal form would exceed Python's limit of digits."""


@dataclass
class HwBuilder:
    """Appends ops to the body of a module, and collects its ports."""

    block: Block = field(default_factory=Block)
    ports: list[hw.ModulePort] = field(default_factory=list[hw.ModulePort])
    constants: dict[tuple[int, int], SSAValue] = field(
        default_factory=dict[tuple[int, int], SSAValue]
    )
    """By bit pattern and width: equal constants are one op."""
    clock: SSAValue | None = None
    reset: SSAValue | None = None
    interval: int = 1
    """Cycles from a sample to the next one."""
    cycle: int = 0
    """The cycle of the operands of the op that is being lowered."""
    turns: dict[int, SSAValue] = field(default_factory=dict[int, SSAValue])
    """Counters of the cycles of an interval, by the cycle in which they are 0."""
    pulses: dict[int, SSAValue] = field(default_factory=dict[int, SSAValue])
    """Registers that are 1 in one cycle of an interval, by this cycle."""
    loadable: list[MemoryOp] = field(default_factory=list[MemoryOp])
    """Memories whose words the module's port writes, in the order of their addresses."""

    # The module

    def input(self, name: str, kind: Attribute) -> SSAValue:
        self.ports.append(_port(name, kind, hw.Direction.INPUT))
        argument = self.block.insert_arg(kind, len(self.block.args))
        argument.name_hint = name
        return argument

    def finish(
        self, name: StringAttr, outputs: Mapping[str, SSAValue], order: Sequence[str] = ()
    ) -> hw.HWModuleOp:
        """The module, with these outputs behind its inputs.

        Parameters
        ----------
        order : names of all ports, if outputs stand between inputs. It keeps the order of inputs,
            and that of outputs.
        """
        for port, wire in outputs.items():
            self.ports.append(_port(port, wire.type, hw.Direction.OUTPUT))
        if order:
            self.ports.sort(key=lambda port: order.index(port.port_name.data))
        self.block.add_op(hw.OutputOp(list(outputs.values())))
        return hw.HWModuleOp(name, hw.ModuleType(ArrayAttr(self.ports)), Region(self.block))

    def add(self, op: Operation, name: str | None = None) -> SSAValue:
        """Append an op of one result, which gets a name."""
        if name is not None:
            op.attributes[NAME_HINT] = StringAttr(name)
        self._append(op)
        return result_of(op)

    def _append(self, op: Operation) -> None:
        self.block.add_op(op)

    def named(self, wire: SSAValue, name: str | None) -> SSAValue:
        """The same wire, with a name."""
        if name is not None and isinstance(wire.owner, Operation):
            wire.owner.attributes[NAME_HINT] = StringAttr(name)
        return wire

    # Wires

    def constant(self, value: int, bits: int) -> SSAValue:
        """The number's two's complement in `bits` bits."""
        key = (value & ((1 << bits) - 1), bits)
        if key not in self.constants:
            properties: dict[str, Attribute] = {"value": integer_of(key[0], integer(bits))}
            self.constants[key] = self.add(_op(hw.ConstantOp, (), integer(bits), properties))
        return self.constants[key]

    def part(self, wire: SSAValue, low: int, width: int, name: str | None = None) -> SSAValue:
        """The `width` bits of a wire from bit `low` on."""
        return self.add(_op(comb.ExtractOp, [wire], integer(width), {"lowBit": _place(low)}), name)

    def joined(self, wires: Sequence[SSAValue], bits: int, name: str | None = None) -> SSAValue:
        """Wires side by side, the highest first; `bits` is the sum of their widths."""
        return self.add(_op(comb.ConcatOp, wires, integer(bits)), name)

    def repeated(self, wire: SSAValue, bits: int) -> SSAValue:
        """Copies of a wire side by side, `bits` bits in total."""
        return self.add(_op(comb.ReplicateOp, [wire], integer(bits)))

    def inverted(self, wire: SSAValue, width: int, name: str | None = None) -> SSAValue:
        """Every bit of a wire of `width` bits inverted."""
        return self.differs(wire, self.constant((1 << width) - 1, width), name)

    def all_of(self, wires: Sequence[SSAValue], name: str | None = None) -> SSAValue:
        """Whether all of several bits are 1."""
        return self.add(_op(comb.AndOp, wires, wires[0].type), name)

    def any_of(self, wires: Sequence[SSAValue]) -> SSAValue:
        """Whether one of several bits is 1."""
        return wires[0] if len(wires) == 1 else self.add(_op(comb.OrOp, wires, wires[0].type))

    def equal(self, wire: SSAValue, other: SSAValue, name: str | None = None) -> SSAValue:
        """Whether two wires carry the same."""
        return self.compared(wire, other, "eq", name)

    def compared(
        self, left: SSAValue, right: SSAValue, predicate: str, name: str | None = None
    ) -> SSAValue:
        """A comparison of two wires of one width, by CIRCT's name of it: `eq`, `ne`, `slt`, ..."""
        properties = {"predicate": _predicate(predicate)}
        return self.add(_op(comb.ICmpOp, [left, right], integer(1), properties), name)

    def differs(self, bit: SSAValue, other: SSAValue, name: str | None = None) -> SSAValue:
        """Whether one of two bits is 1, and not both; of wires, bit by bit."""
        return self.add(_op(comb.XorOp, [bit, other], bit.type), name)

    def chosen(
        self, condition: SSAValue, if_true: SSAValue, if_false: SSAValue, name: str | None = None
    ) -> SSAValue:
        """One wire or another one, by a condition."""
        return self.add(_op(comb.MuxOp, [condition, if_true, if_false], if_true.type), name)

    def added(self, wires: Sequence[SSAValue], name: str | None = None) -> SSAValue:
        """The sum of wires of one width, modulo 2^width."""
        return self.add(_op(comb.AddOp, wires, wires[0].type), name)

    def subtracted(self, left: SSAValue, right: SSAValue) -> SSAValue:
        """The difference of wires of one width, modulo 2^width."""
        return self.add(_op(comb.SubOp, [left, right], left.type))

    def resized(self, wire: SSAValue, bits: int, target: int, signed: bool) -> SSAValue:
        """A wire of `bits` bits extended by its sign or zeros, or cut off, to `target` bits."""
        missing = target - bits
        if missing == 0:
            return wire
        if missing < 0:
            return self.part(wire, 0, target)
        if signed:
            upper = self.part(wire, bits - 1, 1)
            if missing > 1:
                upper = self.repeated(upper, missing)
        else:
            upper = self.constant(0, missing)
        return self.joined([upper, wire], target)

    def register(
        self,
        wire: SSAValue,
        name: str | None = None,
        reset: tuple[SSAValue, SSAValue] | None = None,
    ) -> SSAValue:
        """A wire one cycle later; `reset` is a signal and the value that it sets."""
        assert self.clock is not None, "a module with registers has a clock"
        return self.add(_register(wire, self.clock, reset), name)

    def held(
        self, bits: int, name: str | None = None, reset: tuple[SSAValue, SSAValue] | None = None
    ) -> SSAValue:
        """A register that keeps its value; `load` says later what else it takes."""
        wire = self.register(self.constant(0, bits), name, reset)
        assert isinstance(wire, OpResult)
        wire.op.operands[0] = wire
        return wire

    def load(self, register: SSAValue, wire: SSAValue, enable: SSAValue | None = None) -> None:
        """What a register of `held` takes at each clock edge, or at those where `enable` is 1.

        In other cycles it takes what it would without this call.
        """
        assert isinstance(register, OpResult)
        others = register.op.operands[0]
        register.op.operands[0] = wire if enable is None else self.chosen(enable, wire, others)

    def both(self, bit: SSAValue, other: SSAValue | None) -> SSAValue:
        """Whether both bits are 1; None: the other one always is."""
        return bit if other is None else self.all_of([bit, other])

    # Turns

    def turn(self, cycle: int) -> SSAValue:
        """A counter that is 0 in this cycle of a sample, and again after each interval."""
        first = cycle % self.interval
        if first not in self.turns:
            assert self.reset is not None, "a module with an interval has a reset"
            bits = (self.interval - 1).bit_length()
            start = self.constant(-first % self.interval, bits)
            turn = self.turns[first] = self.held(bits, f"turn{first}", (self.reset, start))
            following = self.added([turn, self.constant(1, bits)])
            if self.interval < 1 << bits:
                last = self.equal(turn, self.constant(self.interval - 1, bits))
                following = self.chosen(last, self.constant(0, bits), following)
            self.load(turn, following)
        return self.turns[first]

    def is_turn(self, cycle: int) -> SSAValue:
        """A register that is 1 in this cycle of a sample, and again after each interval.

        It may drive many choices: nothing is computed between the register and them.
        """
        first = cycle % self.interval
        if first not in self.pulses:
            assert self.reset is not None, "a module with an interval has a reset"
            # The first layer counts from cycle 1 on.
            turn, bits = self.turn(1), (self.interval - 1).bit_length()
            follows = self.equal(turn, self.constant((first - 2) % self.interval, bits))
            reset = self.reset, self.constant(int(not first), 1)
            self.pulses[first] = self.register(follows, f"is_turn{first}", reset)
        return self.pulses[first]

    # Modules

    def instance(
        self, name: str, module: hw.HWModuleOp, inputs: Mapping[str, SSAValue]
    ) -> dict[str, SSAValue]:
        """The outputs of an instance of a module, by name.

        Parameters
        ----------
        inputs : a wire for each input of the module.
        """
        declared: ArrayAttr[hw.ModulePort] = module.module_type.ports
        outputs = [port for port in declared if port.dir.data is hw.Direction.OUTPUT]
        names = [port.port_name.data for port in declared if port not in outputs]
        op = hw.InstanceOp(
            name,
            SymbolRefAttr(module.sym_name),
            [(each, inputs[each]) for each in names],
            [(port.port_name.data, port.type) for port in outputs],
        )
        self._append(op)
        return {port.port_name.data: wire for port, wire in zip(outputs, op.results, strict=True)}

    # Tables

    def array(self, entries: Array, bits: int, name: str | None) -> SSAValue:
        """The constant array of entries of `bits` bits each.

        The array carries the name of its entry: `hw.array_get` has no attributes in xDSL's syntax.
        """
        pieces = [self.constant(value, width) for value, width in pack(entries, bits)]
        whole = pieces[0]
        if len(pieces) > 1:
            whole = self.joined(pieces, len(entries) * bits)
        array = _op(hw.BitcastOp, [whole], array_type(bits, len(entries)))
        return self.add(array, None if name is None else f"{name}{TABLE_SUFFIX}")

    def entry(self, array: SSAValue, index: SSAValue, bits: int) -> SSAValue:
        """The entry of an array of integers of `bits` bits that an index chooses."""
        return self.add(_op(hw.ArrayGetOp, [array, index], integer(bits)))


@dataclass
class LooseOps(HwBuilder):
    """Makes ops that are in no block yet, for a place in a module that exists."""

    made: list[Operation] = field(default_factory=list[Operation])

    def _append(self, op: Operation) -> None:
        self.made.append(op)

    def take(self) -> list[Operation]:
        """The ops that were made since the last call, operands first."""
        made, self.made = self.made, []
        return made


def pack(entries: IntArray, bits: int) -> list[tuple[int, int]]:
    """Entries as one long number, entry 0 lowest, in pieces (value, bits), highest first."""
    if bits <= _WRITTEN_BITS and 0 < len(entries) * bits <= MAX_CONSTANT_BITS:
        # As binary digits: NumPy takes five times as long for one small table.
        digits = _binary(bits)
        patterns: list[int] = (entries[::-1] & ((1 << bits) - 1)).tolist()
        text = "".join([digits[pattern] for pattern in patterns])
        return [(int(text, 2), len(text))]
    planes = (entries[:, np.newaxis] >> np.arange(bits)) & 1
    raw = np.packbits(planes.ravel().astype(np.uint8), bitorder="little").tobytes()
    total = len(entries) * bits
    step = MAX_CONSTANT_BITS // 8
    pieces = [
        (int.from_bytes(raw[start : start + step], "little"), min(8 * step, total - 8 * start))
        for start in range(0, len(raw), step)
    ]
    return pieces[::-1]


_WRITTEN_BITS = 10
"""Widest entries that are packed by way of their binary digits."""


@cache
def _binary(bits: int) -> list[str]:
    """The binary digits of each number of `bits` bits."""
    return [f"{number:0{bits}b}" for number in range(1 << bits)]


def _port(name: str, kind: Attribute, direction: hw.Direction) -> hw.ModulePort:
    return hw.ModulePort(StringAttr(name), kind, hw.DirectionAttr(direction))  # pyright: ignore[reportArgumentType] (types of ports are types)


_Op = TypeVar("_Op", bound=Operation)
_SEGMENTS = AttrSizedOperandSegments.attribute_name


@lru_cache(1 << 12)
def integer(bits: int) -> IntegerType:
    """The signless integer type of a width."""
    return IntegerType(bits)


@lru_cache(1 << 12)
def _place(bit: int) -> Attribute:
    return IntegerAttr(bit, i32)


@lru_cache(1 << 12)
def array_type(bits: int, size: int) -> hw.ArrayType[IntegerType]:
    """The type of an array of `size` integers of `bits` bits."""
    return hw.ArrayType(integer(bits), size)


@lru_cache(1 << 4)
def _predicate(name: str) -> Attribute:
    return IntegerAttr(comb.ICMP_COMPARISON_OPERATIONS.index(name), i64)


@lru_cache(2)
def _segments(with_reset: bool) -> Attribute:
    return DenseArrayBase.from_list(i32, [1, 1, int(with_reset), int(with_reset), 0])


def _op(
    kind: type[_Op],
    operands: Sequence[SSAValue],
    result: Attribute,
    properties: dict[str, Attribute] | None = None,
) -> _Op:
    """An op of one result, whose declaration nothing is compared with."""
    return kind.create(operands=operands, result_types=[result], properties=properties or {})


def _register(
    value: SSAValue, clock: SSAValue, reset: tuple[SSAValue, SSAValue] | None = None
) -> seq.CompRegOp:
    """A value one cycle later; `reset` is a signal and the value that it sets."""
    register = _op(seq.CompRegOp, [value, clock, *(reset or ())], value.type)
    register.attributes[_SEGMENTS] = _segments(reset is not None)
    return register
