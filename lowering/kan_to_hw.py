"""`lower-kan-to-hw`: wire-level functions become `hw.module`s of `hw`, `comb` and `seq` ops.

A value of `!kan.int<lo:hi>` becomes a signless integer of its type's width, two's complement where
lo < 0. A table becomes a constant array that the input's bits index directly; a sum an adder of its
result's width (modular, which is exact since the result fits); a clamp two comparisons; a delay
registers without reset. `clk`, `rst` and the valid bits come in where there are registers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, count

import numpy as np
from xdsl.context import Context
from xdsl.dialects import comb, func, hw, seq
from xdsl.dialects.builtin import (
    ArrayAttr,
    ModuleOp,
    StringAttr,
    i1,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.rewriter import Rewriter

from kan_dialect.analysis.wires import cycles_of, latency_of, wire_functions
from kan_dialect.devices.carry_chains import inverts_top, joined_of
from kan_dialect.errors import KanError
from kan_dialect.ir.constants import Array, IntArray
from kan_dialect.ir.hardware_attributes import NodeAttr
from kan_dialect.ir.module_attributes import declare_latency, list_nodes, list_ports, wire_ports
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.ir.value_names import NAME_HINT, TABLE_SUFFIX, name_hint
from kan_dialect.lowering import hw_builder
from kan_dialect.ops.wire import (
    BitsOp,
    ClampOp,
    ConstantOp,
    DeadOp,
    DelayOp,
    MarkOp,
    ShiftOp,
    SumOp,
    TableOp,
    complement_of,
    low_zeros,
)
from kan_dialect.passbase.kan_pass import KanPass

MAX_PASSED_BITS = 18
"""In sums of more bits, all bits go through the adder: proofs list the sums that can come."""

_NAMED = (TableOp, SumOp, ShiftOp, ClampOp, DelayOp)

MAX_CONSTANT_BITS = 8192
"""Longer constants are concatenated: their decimal form would exceed Python's limit of digits."""


@dataclass(frozen=True)
class LowerKanToHwPass(KanPass):
    """Lowers wire-level functions to hardware."""

    name = "lower-kan-to-hw"

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        for function in functions:
            Rewriter.replace_op(function, Lowering(function).run())
        return bool(functions)


def pack(entries: IntArray, bits: int) -> list[tuple[int, int]]:
    """Entries as one long number, entry 0 lowest, in pieces (value, bits), highest first."""
    planes = (entries[:, np.newaxis] >> np.arange(bits)) & 1
    raw = np.packbits(planes.ravel().astype(np.uint8), bitorder="little").tobytes()
    total = len(entries) * bits
    step = MAX_CONSTANT_BITS // 8
    pieces = [
        (int.from_bytes(raw[start : start + step], "little"), min(8 * step, total - 8 * start))
        for start in range(0, len(raw), step)
    ]
    return pieces[::-1]


@dataclass
class Lowering:
    """Builds the hardware module of one function."""

    function: func.FuncOp
    block: Block = field(default_factory=Block)
    wires: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    constants: dict[tuple[int, int], SSAValue] = field(
        default_factory=dict[tuple[int, int], SSAValue]
    )
    nodes: list[NodeAttr] = field(default_factory=list[NodeAttr])
    ports: list[hw.ModulePort] = field(default_factory=list[hw.ModulePort])
    clock: SSAValue | None = None
    cycles: dict[SSAValue, int | None] = field(default_factory=dict[SSAValue, int | None])
    zeros: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])
    """How many of the lowest bits of values are left out of their wires: they are always 0."""
    known_zeros: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])
    """How many of the lowest bits of values are always 0."""
    given: set[str] = field(default_factory=set[str])
    """Names that no other signal may have."""

    def run(self) -> hw.HWModuleOp:
        self.cycles = cycles_of(self.function)
        latency = latency_of(self.function, self.cycles)
        reset = valid = None
        if latency:
            self.clock = self.input("clk", seq.clock)
            reset = self.input("rst", i1)
            valid = self.input("in_valid", i1)
        for index, argument in enumerate(self.function.args):
            self.wires[argument] = self.input(
                f"x{index}", hw_builder.integer(range_of(argument).bits)
            )
        outputs: list[SSAValue] = []
        if reset is not None and valid is not None:
            outputs.append(self.valid_chain(valid, reset, latency))
            self.output("out_valid", i1)
        for op in self.function.body.block.ops:
            if type(op) is func.ReturnOp:
                outputs.extend(self.wires[value] for value in op.operands)
            else:
                self.visit(op)
        for index, kind in enumerate(self.function.function_type.outputs.data):
            assert isinstance(kind, IntType)
            self.output(f"y{index}", hw_builder.integer(kind.bits))
        self.block.add_op(hw.OutputOp(outputs))
        return self.module(latency)

    def module(self, latency: int) -> hw.HWModuleOp:
        module = hw.HWModuleOp(
            self.function.sym_name,
            hw.ModuleType(ArrayAttr(self.ports)),
            Region(self.block),
        )
        declare_latency(module, latency)
        inputs, outputs = wire_ports(self.function)
        list_ports(module, [*inputs, *outputs])
        list_nodes(module, self.nodes)
        return module

    # Building blocks.

    def input(self, name: str, kind: Attribute) -> SSAValue:
        self.ports.append(_port(name, kind, hw.Direction.INPUT))
        argument = self.block.insert_arg(kind, len(self.block.args))
        argument.name_hint = name
        return argument

    def output(self, name: str, kind: Attribute) -> None:
        self.ports.append(_port(name, kind, hw.Direction.OUTPUT))

    def add(self, op: Operation, name: str | None = None) -> SSAValue:
        if name is not None:
            op.attributes[NAME_HINT] = StringAttr(name)
        self.block.add_op(op)
        return op.results[0]

    def constant(self, value: int, bits: int) -> SSAValue:
        """The number's two's complement in `bits` bits."""
        key = (value & ((1 << bits) - 1), bits)
        if key not in self.constants:
            self.constants[key] = self.add(hw_builder.constant(*key))
        return self.constants[key]

    def zeros_of(self, value: SSAValue) -> int:
        """How many of a value's lowest bits have no wires, as they are always 0."""
        found = self.zeros.get(value)
        if found is not None:
            return found
        if type(value.owner) is DelayOp:
            found = self.zeros_of(value.owner.input)
        else:
            known = min(low_zeros(value, self.known_zeros), range_of(value).bits - 1)
            found = known if known and _only_sums_read(value) else 0
        self.zeros[value] = found
        return found

    def name_by(self, name: str | None, zeros: int) -> str | None:
        """The name of a value's wires, which says by what the value is divided."""
        return f"{name}_by{1 << zeros}" if name is not None and zeros else name

    def resize(self, value: SSAValue, bits: int, without: int = 0) -> SSAValue:
        """A wire-level value as a number of `bits` bits: extended by its sign, or cut off.

        `without` so many of the lowest bits.
        """
        zeros = self.zeros_of(value) - without
        wire = self.wires[value]
        own = range_of(value).bits - without
        if zeros < 0:
            wire, zeros = self.part(wire, -zeros, own), 0
        if zeros:
            below = self.constant(0, zeros)
            wire = self.add(hw_builder.joined([wire, below], own))
        return self.resized(wire, own, bits, range_of(value).is_signed)

    def resized(self, wire: SSAValue, bits: int, target: int, signed: bool) -> SSAValue:
        """A wire of `bits` bits as one of `target` bits."""
        missing = target - bits
        if missing == 0:
            return wire
        if missing < 0:
            return self.part(wire, 0, target)
        if signed:
            upper = self.part(wire, bits - 1, 1)
            if missing > 1:
                upper = self.add(hw_builder.repeated(upper, missing))
        else:
            upper = self.constant(0, missing)
        return self.add(hw_builder.joined([upper, wire], target))

    def valid_chain(self, valid: SSAValue, reset: SSAValue, latency: int) -> SSAValue:
        zero = self.constant(0, 1)
        assert self.clock is not None
        for stage in range(1, latency + 1):
            register = hw_builder.register(valid, self.clock, (reset, zero))
            valid = self.add(register, f"valid_s{stage}")
        return valid

    # One rule for each op.

    def visit(self, op: Operation) -> None:
        for result in op.results:
            low_zeros(result, self.known_zeros)  # in order, so that no chain is followed twice
        match op:
            case TableOp():
                self.wires[op.result] = self.table(op)
            case SumOp():
                self.wires[op.result] = self.sum(op)
            case DelayOp():
                self.wires[op.result] = self.delay(op)
            case BitsOp():
                width = range_of(op.result).bits
                self.wires[op.result] = self.part(self.wires[op.input], op.low.value.data, width)
            case ConstantOp():
                self.wires[op.result] = self.constant(op.value.value.data, range_of(op.result).bits)
            case ClampOp():
                self.wires[op.result] = self.clamp(op)
            case ShiftOp():
                self.wires[op.result] = self.shift(op)
            case MarkOp():
                self.mark(op)
            case DeadOp():
                self.nodes.append(NodeAttr.of_dead(op.node.data))
            case _:
                raise KanError(
                    f"@{self.function.sym_name.data}: '{op.name}' has no lowering to hardware"
                )

    def table(self, op: TableOp) -> SSAValue:
        zeros = self.zeros_of(op.result)
        bits = range_of(op.result).bits - zeros
        inverted = complement_of(op.result)
        if inverted is not None:
            width = range_of(inverted.value).bits
            wire = self.resize(inverted.value, width)
            if bits < width:
                wire = self.part(wire, zeros, bits)
            return self.inverted(wire, bits, self.name_by(op.given_name, zeros))
        entries = op.by_bit_pattern >> zeros
        array = self.array(entries, bits, self.name_by(op.given_name, zeros))
        wires = [self.wires[value] for value in op.inputs]
        index = wires[0]
        if len(wires) > 1:
            width = sum(range_of(value).bits for value in op.inputs)
            index = self.add(hw_builder.joined(wires, width))
        return self.add(hw_builder.entry(array, index, bits))

    def array(self, entries: Array, bits: int, name: str | None) -> SSAValue:
        """The constant array of the entries.

        The array carries the name of what is read from it: `hw.array_get` has no place for one in
        xDSL's syntax.
        """
        pieces = [self.constant(value, width) for value, width in pack(entries, bits)]
        whole = pieces[0]
        if len(pieces) > 1:
            whole = self.add(hw_builder.joined(pieces, len(entries) * bits))
        array = hw_builder.cast(whole, hw_builder.array_type(bits, len(entries)))
        return self.add(array, None if name is None else f"{name}{TABLE_SUFFIX}")

    def sum(self, op: SumOp) -> SSAValue:
        zeros = self.zeros_of(op.result)
        bits = range_of(op.result).bits - zeros
        name = self.name_by(op.given_name, zeros)
        inverted = inverts_top(op)
        if inverted is not None and zeros == 0:
            wire = self.resize(inverted, bits)
            top = self.inverted(self.part(wire, bits - 1, 1), 1)
            if bits > 1:
                top = self.add(hw_builder.joined([top, self.part(wire, 0, bits - 1)], bits))
            return self.named(top, name)
        together = joined_of(op, self.known_zeros)
        if together is not None:
            return self.add(self.joined(*together, zeros, bits), name)
        through = self.passed_through(op)
        if through is not None:
            value, count = through
            low = self.resize(value, count - zeros, zeros)
            upper = [self.resize(each, bits + zeros - count, count) for each in op.inputs]
            whole = self.add(hw_builder.added(upper))
            return self.add(hw_builder.joined([whole, low], bits), name)
        terms = [self.resize(value, bits, zeros) for value in op.inputs]
        if len(terms) == 1:
            return terms[0]
        return self.add(hw_builder.added(terms), name)

    def named(self, wire: SSAValue, name: str | None) -> SSAValue:
        """The same wire, with a name."""
        if name is not None and isinstance(wire.owner, Operation):
            wire.owner.attributes[NAME_HINT] = StringAttr(name)
        return wire

    def joined(self, upper: SSAValue, lower: SSAValue, zeros: int, bits: int) -> Operation:
        """Wires side by side, `bits` of them, of two terms whose bits do not meet.

        Without so many of the lowest, which are always 0.
        """
        count = low_zeros(upper, self.known_zeros)
        width = range_of(lower).bits
        pieces = [self.resize(upper, bits + zeros - count, count)]
        if width < count:
            pieces.append(self.constant(0, count - width))
        return hw_builder.joined([*pieces, self.resize(lower, width - zeros, zeros)], bits)

    def passed_through(self, op: SumOp) -> tuple[SSAValue, int] | None:
        """Of a sum of values of which all but one end in more zeros: the one, and how many.

        So many of its lowest bits are those of the sum.
        """
        if len(op.inputs) < 2 or range_of(op.result).bits > MAX_PASSED_BITS:
            return None
        zeros = [low_zeros(value, self.known_zeros) for value in op.inputs]
        least, count = sorted(zeros)[:2]
        if least == count:
            return None
        if count >= min(range_of(value).bits for value in (*op.inputs, op.result)):
            return None
        return op.inputs[zeros.index(least)], count

    def clamp(self, op: ClampOp) -> SSAValue:
        source, target = range_of(op.input), range_of(op.result)
        # What is left of the source within the target's ends, or one of them.
        if source.low >= target.high:
            return self.constant(target.high, target.bits)
        if source.high <= target.low:
            return self.constant(target.low, target.bits)
        wire = self.wires[op.input]
        checks = [
            ("lt", target.low, source.low < target.low),
            ("gt", target.high, source.high > target.high),
        ]
        sign = "s" if source.is_signed else "u"
        if all(needed for *_, needed in checks) and _is_whole(target):
            return self.masked_clamp(op, checks)
        result = self.resize(op.input, target.bits)
        last: comb.MuxOp | None = None
        for comparison, bound, needed in checks:
            if needed:
                beyond = comb.ICmpOp(wire, self.constant(bound, source.bits), f"{sign}{comparison}")
                saturated = self.constant(bound, target.bits)
                last = comb.MuxOp(self.add(beyond), saturated, result)
                result = self.add(last)
        if op.given_name is not None and last is not None:
            last.attributes[NAME_HINT] = StringAttr(op.given_name)
        return result

    def part(self, wire: SSAValue, low: int, width: int) -> SSAValue:
        return self.add(hw_builder.bits_of(wire, low, width))

    def inverted(self, wire: SSAValue, width: int, name: str | None = None) -> SSAValue:
        return self.add(comb.XorOp([wire, self.constant((1 << width) - 1, width)]), name)

    def masked_clamp(self, op: ClampOp, checks: Sequence[tuple[str, int, bool]]) -> SSAValue:
        """A clamp to all that the result's bits hold: below the sign, ones above it, zeros below.

        It takes fewer LUTs than choices: two tests for all bits, and one LUT of few inputs a bit.
        """
        source, target = range_of(op.input), range_of(op.result)
        wire = self.wires[op.input]
        width = target.bits - target.is_signed
        above = source.bits - source.is_signed - width
        body = self.part(wire, 0, width)
        upper = self.part(wire, width, above) if above else None
        negative = self.part(wire, source.bits - 1, 1) if source.is_signed else None
        for comparison, _, needed in reversed(checks):
            if not needed:
                continue
            is_low = comparison == "lt"
            beyond = (
                negative if is_low else None if negative is None else self.inverted(negative, 1)
            )
            if upper is not None and not (is_low and not target.is_signed):
                filled = self.constant((1 << above) - 1 if is_low else 0, above)
                differs = self.add(comb.ICmpOp(upper, filled, "ne"))
                beyond = differs if beyond is None else self.add(comb.AndOp([beyond, differs]))
            assert beyond is not None, "a value beyond an end has a bit that says so"
            mask = beyond if width == 1 else self.add(hw_builder.repeated(beyond, width))
            if is_low:
                body = self.add(comb.AndOp([body, self.inverted(mask, width)]))
            else:
                body = self.add(comb.OrOp([body, mask]))
        if target.is_signed and negative is not None:
            body = self.add(hw_builder.joined([negative, body], target.bits))
        if op.given_name is not None and isinstance(body.owner, Operation):
            body.owner.attributes[NAME_HINT] = StringAttr(op.given_name)
        return body

    def shift(self, op: ShiftOp) -> SSAValue:
        """Rounding half to even: add half less one, and the last bit that stays; then cut off."""
        amount = op.amount.value.data
        target = range_of(op.result)
        if target.bits + amount <= 0:
            # Zero, times a power of two that is beyond the result.
            return self.constant(0, target.bits)
        if amount <= 0:
            shifted = self.resize(op.input, target.bits + amount)
            if amount == 0:
                return shifted
            low = self.constant(0, -amount)
            return self.add(hw_builder.joined([shifted, low], target.bits), op.given_name)
        source = range_of(op.input)
        # Wide enough that adding cannot overflow, and that the quotient's bits are there.
        bits = max(source.bits, amount) + 1
        wide = self.resize(op.input, bits)
        odd = self.part(wide, amount, 1)
        odd = self.add(hw_builder.joined([self.constant(0, bits - 1), odd], bits))
        half = self.constant((1 << (amount - 1)) - 1, bits)
        rounded = self.add(hw_builder.added([wide, half, odd]))
        kept = min(bits - amount, target.bits)
        quotient = self.add(hw_builder.bits_of(rounded, amount, kept), op.given_name)
        return self.resized(quotient, kept, target.bits, source.is_signed)

    def delay(self, op: DelayOp) -> SSAValue:
        wire = self.wires[op.input]
        if self.cycles[op.result] is None or self.clock is None:
            return wire
        cycles = op.cycles.value.data
        for cycle in range(1, cycles + 1):
            name = self.name_by(op.given_name, self.zeros_of(op.result))
            if name is not None and cycle < cycles:
                name = f"{name}_{cycle}"
            wire = self.add(hw_builder.register(wire, self.clock), name)
        return wire

    def mark(self, op: MarkOp) -> None:
        """Nodes are listed on the module: name, signal, cycle, and how its code is read."""
        wire = self.wires[op.value]
        kind = range_of(op.value)
        # A design of latency 0 has no clock, and so none of the function's registers.
        cycle = 0 if self.clock is None else op.cycle.value.data
        signal = name_hint(wire) or self.name_node(wire, op.node.data)
        self.nodes.append(
            NodeAttr(op.node.data, signal, kind, cycle, op.offset.value.data, op.within)
        )

    def name_node(self, wire: SSAValue, node: str) -> str:
        """Name a wire that holds a node and has no name: proofs look for it; "" of a constant."""
        owner = wire.owner
        if not isinstance(owner, Operation) or isinstance(owner, hw.ConstantOp):
            return ""
        name = hint = self.unused_name(node)
        if isinstance(owner, hw.ArrayGetOp):
            owner, hint = owner.operands[0].owner, f"{name}{TABLE_SUFFIX}"
            assert isinstance(owner, Operation)
        owner.attributes[NAME_HINT] = StringAttr(hint)
        return name

    def unused_name(self, node: str) -> str:
        """The node's name, or one with a number where another value has that."""
        if not self.given:
            ops = self.function.body.block.ops
            self.given.update(op.given_name or "" for op in ops if isinstance(op, _NAMED))
        numbered = (f"{node}_{number}" for number in count(1))
        name = next(name for name in chain([node], numbered) if name not in self.given)
        self.given.add(name)
        return name


def _is_whole(kind: IntType) -> bool:
    """Whether the range is all that its bits hold, and more than a sign."""
    span = 1 << (kind.bits - kind.is_signed)
    return kind.high > 0 and (kind.low, kind.high) == (-span if kind.is_signed else 0, span - 1)


def _only_sums_read(value: SSAValue) -> bool:
    """Whether sums alone read a value, be it by way of registers."""
    pending = [value]
    while pending:
        for use in pending.pop().uses:
            kind = type(use.operation)
            if kind is DelayOp:
                pending.append(use.operation.results[0])
            elif kind is not SumOp:
                return False
    return True


def _port(name: str, kind: Attribute, direction: hw.Direction) -> hw.ModulePort:
    return hw.ModulePort(StringAttr(name), kind, hw.DirectionAttr(direction))  # pyright: ignore[reportArgumentType] (types of ports are types)
