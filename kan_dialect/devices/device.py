"""Target devices: what wire-level ops cost in lookup tables and registers, and how long they take.

Figures come before any tool has run, from the contents of tables and the ranges of values. They are
calibrated against Yosys and nextpnr (`benchmarks/calibrate_cost.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue

from kan_dialect.analysis.wires import latency_of
from kan_dialect.devices.carry_chains import addends_of, is_wires, pieces_of
from kan_dialect.devices.register_cost import register_cost
from kan_dialect.devices.table_cost import Mapper, by_size, planes, supports
from kan_dialect.errors import KanError
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.ops.wire import (
    BitsOp,
    ClampOp,
    DelayOp,
    MarkOp,
    ShiftOp,
    SumOp,
    TableOp,
    low_zeros,
)

_WIDEST_ABSORBED = 1.25
"""LUTs of a bit of the most inputs that an adder's LUT has room for: synthesis does not always find
that one LUT is less than two, as its mapper counts both alike (docs/rationale/hardware.md)."""


@dataclass(frozen=True)
class Timing:
    """Typical delays in ns, with what routing adds to each."""

    register: float
    """Clock to output of a register, and setup at the next: once a stage."""
    lut: float
    """A lookup table and the way to it."""
    carry: float
    """Onto a carry chain and off it, and the way to it."""
    carry_bit: float
    """Along the chain, a bit."""


@dataclass(frozen=True)
class Fpga:
    """A family of devices: lookup tables, and adders on carry chains."""

    name: str
    lut_inputs: int
    timing: Timing
    wide_inputs: int = 0
    """Inputs of the largest function that lookup tables make with the multiplexers beside them."""
    wide_factor: float = 1.0
    """LUTs of a wide function in a whole design, as a multiple of the lookup tables that its
    multiplexers join, where these all differ. Synthesis often uses further LUTs instead."""
    shares_luts: bool = False
    """Two small lookup tables share one, as Yosys's estimate of Xilinx logic cells has it."""
    adder_inputs: int = 2
    """Inputs of the lookup table that a bit of an adder takes."""
    full_adders: bool = True
    """Carry chains take whole bits: every bit of a sum takes a lookup table, and comparisons with
    powers of two take a chain as well. Else only bits where both operands have some, and none."""
    carry_chains: bool = True
    shortest_shift: int = 0
    """Registers of the shortest chain that lookup tables hold as a shift register; 0: they hold
    none."""

    @property
    def absorbs(self) -> bool:
        """Whether the LUT of an adder's bit has room for a small table's bit.

        It has if the adder takes one of its operands past the LUT.
        """
        return self.shares_luts and not self.full_adders

    @property
    def small_inputs(self) -> int:
        """Inputs of the largest lookup table that takes least: two of them share one, or one."""
        return 4 if self.shares_luts else self.lut_inputs

    def levels(self, op: Operation) -> int:
        """Levels of logic between the op's operands and its result.

        A table of at most `lut_inputs` input bits is one level, and one more for every two bits
        beyond (a four-to-one multiplexer fits one 6-input table). An adder is one level with its
        carry chain, a clamp one for comparison and choice together, rounding an adder and more.
        """
        match op:
            case TableOp():
                bits = sum(range_of(value).bits for value in op.inputs)
                return 1 + max(0, bits - self.lut_inputs + 1) // 2
            case SumOp():
                return self._adders(op)
            case ClampOp():
                return 1
            case ShiftOp():
                return 2 if op.amount.value.data > 0 else 0
            case _:
                return 0

    def delay(self, op: Operation) -> float:
        """How long the op takes, typically, in ns, the way to it included."""
        match op:
            case TableOp():
                mapper = self._mapper()
                return self._table(op, mapper) * self.timing.lut
            case SumOp():
                return self._adders(op) * self._adder_delay(range_of(op.result).bits)
            case ClampOp():
                return 0.0 if range_of(op.input) == range_of(op.result) else 2 * self.timing.lut
            case ShiftOp() if op.amount.value.data > 0:
                return self.timing.lut + self._adder_delay(range_of(op.input).bits)
            case _:
                return 0.0

    def _adders(self, op: SumOp) -> int:
        """Adders one after the other in a tree that makes the sum."""
        if is_wires(op):
            return 0
        return max(1, (len(addends_of(op)) - 1).bit_length())

    def _adder_delay(self, bits: int) -> float:
        if not self.carry_chains:
            return self.timing.lut * (1 + bits.bit_length())
        return self.timing.carry + bits * self.timing.carry_bit

    def luts(self, op: Operation) -> int:
        """Lookup tables of one op, other ops not considered."""
        return self.pack(self.count([op]))

    def count(self, ops: Iterable[Operation]) -> Counter[int]:
        """Lookup tables of ops by how many inputs they use.

        Tables that read the same values share what they have in common.
        """
        counted: Counter[int] = Counter()
        mappers: dict[Hashable, Mapper] = {}
        every = list(ops)
        absorbed: set[Operation] = set()
        taken: set[Operation] = set()
        for op in every:
            term = self._absorbed_term(op)
            if term is not None:
                taken.add(op)
                pieces = pieces_of(term)
                absorbed.update(piece.owner for piece in pieces if isinstance(piece.owner, TableOp))
                others = [piece for piece in pieces if not isinstance(piece.owner, TableOp)]
                counted[self.adder_inputs] += sum(range_of(piece).bits for piece in others)
        for op in every:
            match op:
                case TableOp() if op in absorbed:
                    mapper = mappers.setdefault(tuple(map(_signal, op.inputs)), self._mapper())
                    counted += self._absorbed(op, mapper)
                case TableOp():
                    mapper = mappers.setdefault(tuple(map(_signal, op.inputs)), self._mapper())
                    self._table(op, mapper)
                case SumOp() if op in taken:
                    pass
                case SumOp():
                    counted += self._sum(op)
                case ClampOp():
                    counted += self._reset(op) if self._resets(op) else self._clamp(op)
                case ShiftOp() if op.amount.value.data > 0:
                    counted[self.adder_inputs] += range_of(op.result).bits + 1
                case _:
                    pass
        for mapper in mappers.values():
            counted += mapper.luts
        return counted

    def pack(self, luts: Counter[int]) -> int:
        """How many lookup tables of the device hold these."""
        if not self.shares_luts:
            return luts.total()
        tiny, pairs = luts[1], luts[2]
        large = sum(count for size, count in luts.items() if size > 2)
        # Tables of one input sit beside those of up to five; tables of two, of up to four.
        free = luts[3] + luts[4]
        pairs -= min(pairs, free)
        tiny -= min(tiny, luts[5])
        return large + (pairs + tiny + 1) // 2

    @lru_cache(1 << 6)  # noqa: B019 (devices are few, and live as long as the program)
    def bit_costs(self, inputs: int) -> FloatArray:
        """LUTs of a table's bit that depends on 0 .. `inputs` inputs."""
        used = np.arange(inputs + 1)
        wide = np.exp2(used - self.lut_inputs)
        if self.wide_inputs:
            # Not every function of so many inputs ends up on the multiplexers between LUTs.
            wide *= 1.5
        return np.where(used < 2, 0.0, np.where(used <= self.lut_inputs, 1.0, wide))

    @lru_cache(1 << 6)  # noqa: B019
    def summand_costs(self, inputs: int, *, ideal: bool = False) -> FloatArray:
        """LUTs of a table's bit that depends on 0 .. `inputs` inputs, and of adding it to a sum.

        Where a bit of an adder takes a LUT of 2 inputs, in the count of this device half a LUT,
        there is room for a small table's bit in it.

        Parameters
        ----------
        ideal : as if synthesis made one LUT of both wherever that is possible.
        """
        used = np.arange(inputs + 1)
        adder = 0.5 if self.absorbs else 1.0 if self.carry_chains else 1.5
        costs = self.bit_costs(inputs) + adder
        if self.absorbs:
            widest = 1.0 if ideal else _WIDEST_ABSORBED
            small = np.where(used < self.lut_inputs - 1, 1.0, widest)
            costs = np.where(used <= 3, 0.5, np.where(used < self.lut_inputs, small, costs))
        return np.where(used == 0, 0.0, costs)

    def summand_cost(self, entries: IntArray, bits: int) -> float:
        """LUTs of a table that is added to a sum of so many bits, adding included.

        Parameters
        ----------
        entries : by bit pattern of the inputs, int64.
        """
        return float(self.summand_costs_of([entries], bits)[0])

    def summand_costs_of(self, tables: Sequence[IntArray], bits: int) -> FloatArray:
        """The same of many tables, which takes less time than one by one: (tables,)."""
        found = np.zeros(len(tables))
        for which, entries in by_size(tables):
            costs = self.summand_costs((entries.shape[1] - 1).bit_length())
            found[which] = costs[supports(entries, bits)].sum(axis=1)
        return found

    def absorbed_bits(self, value: SSAValue) -> int:
        """For how many bits of the tables that the value is the LUTs of an adder have room.

        Bits that are always 0, below the others, are not counted.
        """
        return self.absorbed_bits_of([value])[0]

    def absorbed_bits_of(self, values: Sequence[SSAValue]) -> list[int]:
        """The same of some values, which takes less time than one by one."""
        if not self.absorbs:
            return [0] * len(values)
        found: list[int] = []
        wide: list[tuple[int, TableOp]] = []
        for index, value in enumerate(values):
            pieces = pieces_of(value)
            if len(pieces) > 1:
                found.append(sum(self.absorbed_bits_of(pieces)))
                continue
            table = value.owner
            if not isinstance(table, TableOp) or not value.has_one_use():
                found.append(0)
                continue
            found.append(range_of(value).bits - low_zeros(value, {}))
            if sum(range_of(each).bits for each in table.inputs) >= self.lut_inputs:
                wide.append((index, table))
        words = [
            table.by_bit_pattern & ((1 << range_of(table.result).bits) - 1) for _, table in wide
        ]
        for which, entries in by_size(words):
            used = supports(entries, int(entries.max()).bit_length())
            fits = used < self.lut_inputs
            some = np.count_nonzero(fits & (used > 1), axis=1)
            for number in np.flatnonzero(~fits.all(axis=1)).tolist():
                found[wide[which[number]][0]] = int(some[number])
        return found

    def _mapper(self) -> Mapper:
        return Mapper(self.lut_inputs, self.wide_inputs, self.wide_factor)

    def _absorbed_term(self, op: Operation) -> SSAValue | None:
        """The term whose tables fit into the LUTs of the adder of two numbers that the op is."""
        if not isinstance(op, SumOp) or len(terms := addends_of(op)) != 2 or is_wires(op):
            return None
        fits = {value: self.absorbed_bits(value) for value in terms}
        best = max(terms, key=lambda value: fits[value])
        return best if fits[best] else None

    def _absorbed(self, op: TableOp, mapper: Mapper) -> Counter[int]:
        """A table and the adder that takes it in; LUTs that others may share go to the mapper."""
        counted: Counter[int] = Counter()
        patterns, bits = op.by_bit_pattern, range_of(op.result).bits
        inputs = sum(range_of(value).bits for value in op.inputs)
        used: list[int] = _inputs_of_bits(op).tolist()
        for plane, number in zip(planes(patterns, bits), used, strict=True):
            if number < self.lut_inputs:
                counted[number + 1] += number > 0
            else:
                mapper.add(plane, inputs)
                counted[self.adder_inputs] += 1
        return counted

    def _table(self, op: TableOp, mapper: Mapper) -> int:
        """Add a table to those that read the same values; its levels of lookup tables."""
        bits = sum(range_of(value).bits for value in op.inputs)
        patterns = op.by_bit_pattern
        clamp = op.inputs[0].owner
        if isinstance(clamp, ClampOp) and self._merges(clamp):
            bits = range_of(clamp.input).bits
            target = range_of(clamp.result)
            codes = np.clip(range_of(clamp.input).bit_patterns, target.low, target.high)
            patterns = patterns[codes & ((1 << target.bits) - 1)]
        found = planes(patterns, range_of(op.result).bits)
        return max(mapper.add(plane, bits) for plane in found)

    def _sum(self, op: SumOp) -> Counter[int]:
        """Adders, one after the other: a lookup table a bit."""
        counted: Counter[int] = Counter()
        if is_wires(op):
            return counted
        first, *others = addends_of(op)
        total = range_of(first)
        for value in others:
            term = range_of(value)
            whole = IntType(total.low + term.low, total.high + term.high)
            counted[self.adder_inputs] += self._adder_bits(total, term, whole)
            total = whole
        return counted

    def _adder_bits(self, first: IntType, second: IntType, whole: IntType) -> int:
        if not self.carry_chains:
            # Sum and carry of a bit each take one, but for what a larger table takes in.
            return whole.bits * 3 // 2
        if self.full_adders:
            return whole.bits
        # Above an operand that has no sign, the other one's bits go straight to the carry chain;
        # where both have one, the upper bits of the sum are alike but for the carry.
        unsigned = [term.bits for term in (first, second) if not term.is_signed]
        return min(unsigned) if unsigned else max(first.bits, second.bits)

    def _clamp(self, op: ClampOp) -> Counter[int]:
        """Where the ends are powers of two, the upper bits decide; else there are comparisons."""
        source, target = range_of(op.input), range_of(op.result)
        low, high = source.low < target.low, source.high > target.high
        if (not low and not high) or self._merges(op):
            return Counter()
        span = 1 << (target.bits - target.is_signed)
        aligned = (not low or target.low in (0, -span)) and (not high or target.high == span - 1)
        if not aligned:
            # Each end: a comparison with a constant over all bits; then the choice.
            each = -(-(source.bits - 1) // (self.lut_inputs - 1))
            return Counter({4: target.bits, self.lut_inputs: each * (low + high)})
        if self.full_adders and self.carry_chains:
            return Counter({self.lut_inputs: source.bits + target.bits})
        upper = source.bits - target.bits + target.is_signed
        chosen = target.bits - target.is_signed
        if upper < self.lut_inputs:
            return Counter({upper + 1: chosen})
        return Counter({self.lut_inputs: -(-(upper - 1) // (self.lut_inputs - 1)), 3: chosen})

    def _resets(self, op: ClampOp) -> bool:
        """Whether the set or reset of the registers behind a clamp does it: it has one end."""
        source, target = range_of(op.input), range_of(op.result)
        users = [use.operation for use in op.result.uses]
        return (
            self.shares_luts
            and any(isinstance(user, DelayOp) for user in users)
            and all(isinstance(user, DelayOp | MarkOp) for user in users)
            and (source.low < target.low) != (source.high > target.high)
        )

    def _reset(self, op: ClampOp) -> Counter[int]:
        """The test whether it is beyond the end, by the upper bits."""
        tested = range_of(op.input).bits - range_of(op.result).bits + 1
        return Counter({min(tested, self.lut_inputs): 1})

    def _merges(self, op: ClampOp) -> bool:
        """Whether synthesis takes a clamp into the tables that read it: they have few inputs."""
        users = [use.operation for use in op.result.uses]
        readers = [user for user in users if not isinstance(user, MarkOp)]
        return (
            range_of(op.input).bits <= self.lut_inputs
            and bool(readers)
            and all(isinstance(reader, TableOp) and len(reader.inputs) == 1 for reader in readers)
        )


def _signal(value: SSAValue) -> Hashable:
    """What a value is in hardware: the same for the same bits of another value."""
    op = value.owner
    if not isinstance(op, BitsOp):
        return value
    return _signal(op.input), op.low.value.data, range_of(value).bits


def _inputs_of_bits(table: TableOp) -> IntArray:
    """How many input bits each of a table's bits depends on, lowest first."""
    return supports(table.by_bit_pattern[np.newaxis], range_of(table.result).bits)[0]


XCUP = Fpga(
    "xcup",
    6,
    Timing(register=0.15, lut=0.35, carry=0.45, carry_bit=0.015),
    wide_inputs=8,
    wide_factor=1.75,
    shares_luts=True,
    full_adders=False,
    shortest_shift=3,
)
"""AMD UltraScale+ (and 7-series). Delays are rough: no open tool times these devices."""

ECP5 = Fpga("ecp5", 4, Timing(register=0.8, lut=1.3, carry=2.5, carry_bit=0.05), wide_inputs=7)
"""Lattice ECP5."""

ICE40 = Fpga("ice40", 4, Timing(register=0.8, lut=1.3, carry=1.7, carry_bit=0.17))
"""Lattice iCE40 HX."""


def generic(inputs: int) -> Fpga:
    """Lookup tables of so many inputs and nothing else, with the timing of none."""
    return Fpga(f"lut{inputs}", inputs, Timing(0.0, 1.0, 0.0, 0.0), carry_chains=False)


DEVICES = {device.name: device for device in (XCUP, ECP5, ICE40, *map(generic, range(3, 9)))}
"""Devices by name: xcup, ecp5, ice40, lut3 .. lut8."""


def device(name: str) -> Fpga:
    """The device of a name.

    Raises
    ------
    KanError : there is none.
    """
    if name not in DEVICES:
        raise KanError(f"there is no target {name!r}", remedy=f"take one of {', '.join(DEVICES)}")
    return DEVICES[name]


@dataclass(frozen=True)
class Estimate:
    """What a design is expected to take."""

    target: str
    luts: int
    registers: int
    """Flip-flops, those of the valid bits included."""
    levels: int
    """Most levels of logic between two registers, or from input to output."""
    delay_ns: float = 0.0
    """The longest way between two registers, or from input to output, typically."""
    shift_registers: int = 0
    """Chains of registers, one bit wide, that lookup tables hold: not among `luts`, as Yosys does
    not count them among its logic cells."""


def estimate(function: func.FuncOp, target: Fpga = XCUP) -> Estimate:
    """Resources of a wire-level function, before any tool has run.

    Raises
    ------
    KanError : the function's paths have different numbers of cycles.
    """
    ops = list(function.body.block.ops)
    latency = latency_of(function)
    registers = register_cost(ops, target.shortest_shift)
    levels = _longest(ops, target.levels)
    delay = _longest(ops, target.delay) + (target.timing.register if latency else 0.0)
    return Estimate(
        target.name,
        target.pack(target.count(ops)),
        registers.flip_flops + latency,
        int(levels),
        delay,
        registers.shift_registers,
    )


def _longest(ops: Sequence[Operation], cost: Callable[[Operation], float]) -> float:
    """The costliest path between two registers, or from input to output."""
    depth: dict[SSAValue, float] = {}
    deepest = 0.0
    for op in ops:
        if isinstance(op, MarkOp) or not op.results:
            continue
        start = max((depth.get(operand, 0.0) for operand in op.operands), default=0.0)
        reached = 0.0 if isinstance(op, DelayOp) else start + cost(op)
        for result in op.results:
            depth[result] = reached
        deepest = max(deepest, reached)
    return deepest
