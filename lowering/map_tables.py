"""`kan-map-tables`: tables become networks of lookup tables of the device (`kan.lut`).

Synthesis maps the tables of a network to more lookup tables (LUTs) than they need. It knows a table
as logic, and maps for short paths first. Here, all tables that read the same bits are one function
of several results, of few inputs: `kan_dialect.search.lut_mapping` knows it whole, and shares LUTs
between all results. `lowering/lut_modules.py` says how synthesis keeps them.

Tables that fit a LUT a bit stay as they are, and so do tables of many inputs. The pass acts on
devices whose tables gain (`DeviceFamily.maps_tables`).

Every value stays the same in every cycle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, TypeAlias

import numpy as np
from xdsl.context import Context
from xdsl.dialects import comb, hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import Rewriter

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.devices.estimate import levels_of_function
from kan_dialect.devices.table_cost import MAPPED_INPUTS
from kan_dialect.evaluate.hardware import bit_width, in_dataflow_order, low_bit_of
from kan_dialect.ir.attributes.value_names import name_hint
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.operation import operands_of, ops_of, result_of
from kan_dialect.lowering.constant_folding import fold_constants
from kan_dialect.lowering.hw_builder import LooseOps
from kan_dialect.maths.truth_tables import all_codes, bits_of_code, low_half, planes, support
from kan_dialect.ops.lut import LutOp
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.search.lut_mapping.mapping import ROUNDS, map_functions
from kan_dialect.search.lut_mapping.network import LutNetwork

Bit: TypeAlias = tuple[SSAValue, int]
"""A bit of a value by its place."""

MOST_RESULTS = 128
"""Most bits of tables that are mapped together: the time grows with the square of lookup tables."""
RESULTS_OF_ALL_ROUNDS = 2000
"""Bits of tables in a design for which the search takes all of its rounds. A design of more, which
is too large for most devices, takes fewer rounds: the time grows with the design and no faster."""


@dataclass(frozen=True)
class MapTablesPass(TargetPass):
    """Maps tables to lookup tables of the device, which synthesis keeps."""

    name = "kan-map-tables"
    works_at = ("hardware",)
    is_optional: ClassVar[bool] = True

    any_levels: bool = False
    """Let tables have any number of levels of lookup tables: fewer of these, and a slower clock. By
    default, tables that read a value have no more levels than choices between the cofactors of the
    largest take, which is what synthesis makes, or than the delays of the target assume."""

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        circuits = [op for op in module.ops if isinstance(op, hw.HWModuleOp)]
        if self.device.maps_tables:
            for circuit in circuits:
                _Mapping(circuit, self.device, any_levels=self.any_levels).run()
        return bool(circuits)


class _Table(NamedTuple):
    """A table, and what it reads."""

    op: hw.ArrayGetOp
    entries: IntArray
    inputs: tuple[Bit, ...]
    """Bits of the index, lowest first."""


@dataclass(frozen=True)
class _Mapping:
    """Maps the tables of one module."""

    module: hw.HWModuleOp
    device: DeviceFamily
    any_levels: bool

    def run(self) -> None:
        groups = list(self._groups())
        results = sum(_width(table) for tables in groups for table in tables)
        rounds = max(1, min(ROUNDS, ROUNDS * RESULTS_OF_ALL_ROUNDS // max(results, 1)))
        # Readers first: what they read is replaced behind them.
        for tables in reversed(groups):
            self._map(tables, rounds)

    def _groups(self) -> Iterator[list[_Table]]:
        """Tables that read the same values, and together few bits of them."""
        ops = in_dataflow_order(ops_of(self.module.body.block), through_registers=False)
        constants = fold_constants(ops).values
        groups: defaultdict[frozenset[SSAValue], list[_Table]] = defaultdict(list)
        for op in ops:
            if type(op) is not hw.ArrayGetOp:
                continue
            array, index = operands_of(op)
            if array not in constants or index in constants:
                continue
            bits, entries = tuple(_bits_of(index)), constants[array][0]
            if len(bits) <= MAPPED_INPUTS and len(entries) == 1 << len(bits):
                sources = frozenset(value for value, _ in bits)
                groups[sources].append(_Table(op, entries, bits))
        for tables in groups.values():
            for few in _of_few_bits(tables):
                yield from _of_few_results(few)

    def _map(self, tables: Sequence[_Table], rounds: int) -> None:
        """Replace tables by lookup tables, if one of their bits needs several.

        Parameters
        ----------
        rounds : of the search.
        """
        sources = list(dict.fromkeys(bit for table in tables for bit in table.inputs))
        count = len(sources)
        words = [_functions(table, sources) for table in tables]
        signals = _Signals(sources, name_hint(tables[0].op.result) or "table")
        functions = [each for word in words for each in word if not signals.knows(each)]
        functions = list(dict.fromkeys(functions))
        if all(support(each, count) <= self.device.lut_inputs for each in functions):
            return
        most = None
        if not self.any_levels:
            most = max(levels_of_function(len(table.inputs), self.device) for table in tables)
        network = map_functions(functions, count, self.device.lut_inputs, most, rounds=rounds)
        names: dict[int, str] = {}
        for table, word in zip(tables, words, strict=True):
            name = name_hint(table.op.result) or "table"
            for place, function in enumerate(word):
                if function in functions:
                    signal = network.outputs[functions.index(function)]
                    names.setdefault(signal, name if len(word) == 1 else f"{name}_bit{place}")
        signals.add(network, functions, names)
        for table, word in zip(tables, words, strict=True):
            wire = signals.word(word, name_hint(table.op.result))
            operands = operands_of(table.op)
            Rewriter.replace_op(table.op, signals.build.take(), [wire])
            for operand in operands:
                _erase_unread(operand)


class _Signals:
    """Wires of functions of a few bits."""

    def __init__(self, sources: Sequence[Bit], name: str) -> None:
        self.build = LooseOps()
        self._sources = sources
        self._name = name
        self._constants = {0: 0, all_codes(len(sources)): 1}
        self._of_inputs = bits_of_code(len(sources))
        self._found: dict[int, SSAValue] = {}

    def knows(self, function: int) -> bool:
        """Whether a function takes no lookup table of its own."""
        return function in self._constants or function in self._of_inputs

    def add(self, network: LutNetwork, functions: Sequence[int], names: Mapping[int, str]) -> None:
        """Build lookup tables.

        Parameters
        ----------
        functions : those of the network's outputs.
        names : of signals of the network.
        """
        wires: dict[int, SSAValue] = {}
        for place in {each for lut in network.luts for each in lut.inputs} | {*network.outputs}:
            if place < network.inputs:
                wires[place] = self._input(place)
        for place, lut in enumerate(network.luts, network.inputs):
            name = names.get(place, f"{self._name}_lut{place - network.inputs}")
            inputs = [wires[each] for each in lut.inputs]
            if len(inputs) == 1:
                wires[place] = self.build.inverted(inputs[0], 1, name)
            else:
                wires[place] = self.build.add(LutOp(lut.table, inputs), name)
        for function, output in zip(functions, network.outputs, strict=True):
            self._found[function] = wires[output]

    def word(self, functions: Sequence[int], name: str | None) -> SSAValue:
        """Functions side by side.

        Parameters
        ----------
        functions : lowest bit first.
        """
        bits = [self._wire(function) for function in functions]
        return bits[0] if len(bits) == 1 else self.build.joined(bits[::-1], len(bits), name)

    def _wire(self, function: int) -> SSAValue:
        if function not in self._found:
            if function in self._constants:
                wire = self.build.constant(self._constants[function], 1)
            else:
                place, is_inverted = self._of_inputs[function]
                wire = self._input(place)
                if is_inverted:
                    wire = self.build.inverted(wire, 1)
            self._found[function] = wire
        return self._found[function]

    def _input(self, place: int) -> SSAValue:
        every = all_codes(len(self._sources))
        function = every ^ low_half(len(self._sources), place)
        if function not in self._found:
            value, bit = self._sources[place]
            whole = bit_width(value.type) == 1
            self._found[function] = value if whole else self.build.part(value, bit, 1)
        return self._found[function]


def _bits_of(value: SSAValue) -> Iterator[Bit]:
    """The bits that a value consists of, lowest first, looking through slices and concatenations.

    Values with names are bits themselves: a proof knows nodes by their signals.
    """
    source, low = value, 0
    if type(value.owner) is comb.ExtractOp:
        (source,), low = operands_of(value.owner), low_bit_of(value.owner)
    elif type(value.owner) is comb.ConcatOp and name_hint(value) is None:
        for operand in reversed(operands_of(value.owner)):
            yield from _bits_of(operand)
        return
    for place in range(bit_width(value.type)):
        yield source, low + place


def _of_few_bits(tables: Sequence[_Table]) -> Iterator[list[_Table]]:
    """The tables in groups that read few bits each: all together, or those of the same bits."""
    if len({bit for table in tables for bit in table.inputs}) <= MAPPED_INPUTS:
        yield list(tables)
        return
    groups: defaultdict[frozenset[Bit], list[_Table]] = defaultdict(list)
    for table in tables:
        groups[frozenset(table.inputs)].append(table)
    yield from groups.values()


def _of_few_results(tables: Sequence[_Table]) -> Iterator[list[_Table]]:
    """The tables in groups of few bits of entries, in their order."""
    group: list[_Table] = []
    for table in tables:
        if group and sum(map(_width, [*group, table])) > MOST_RESULTS:
            yield group
            group = []
        group.append(table)
    yield group


def _width(table: _Table) -> int:
    """Bits of an entry."""
    return bit_width(table.op.result.type)


def _functions(table: _Table, sources: Sequence[Bit]) -> list[int]:
    """The truth table of each bit of a table's entry, lowest first; 0 of bits that nothing reads.

    Parameters
    ----------
    sources : input bits of the truth tables, lowest first.
    """
    patterns = np.arange(1 << len(sources))
    places = [sources.index(bit) for bit in table.inputs]
    index = sum((patterns >> source & 1) << place for place, source in enumerate(places))
    result = table.op.result
    found = planes(table.entries[index], bit_width(result.type))
    read = _read_bits(result)
    return [plane if read >> place & 1 else 0 for place, plane in enumerate(found)]


def _read_bits(value: SSAValue) -> int:
    """Mask of the bits of a value that ops read."""
    mask = 0
    for use in value.uses:
        op = use.operation
        if type(op) is not comb.ExtractOp:
            return -1
        mask |= ((1 << bit_width(result_of(op).type)) - 1) << low_bit_of(op)
    return mask


_WIRING = {hw.ConstantOp, hw.BitcastOp, comb.ConcatOp, comb.ExtractOp}


def _erase_unread(value: SSAValue) -> None:
    """Erase the constants and slices that only a table read."""
    op = value.owner
    if type(op) not in _WIRING or value.first_use is not None:
        return
    assert isinstance(op, Operation)
    operands = operands_of(op)
    Rewriter.erase_op(op)
    for operand in dict.fromkeys(operands):
        _erase_unread(operand)
