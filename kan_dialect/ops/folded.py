"""Wire level: layers whose edges take turns in memories, so that a sample takes several cycles.

A function with such ops takes a sample every `kan.interval` cycles. Each op has hardware of its
own: another schedule is another op, with its own `lower`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from xdsl.dialects.builtin import I64, DenseIntOrFPElementsAttr, IntegerAttr
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    var_operand_def,
    var_result_def,
)

from kan_dialect.ir import verifier
from kan_dialect.ir.constants import Array, IntArray, dense, to_integers, to_numpy
from kan_dialect.ir.exact_arithmetic import ExactArithmetic, ExactMeaning, NumberT
from kan_dialect.ir.operation import Named
from kan_dialect.ir.quant import storage_for
from kan_dialect.ir.types import IntType, int_type, range_of
from kan_dialect.ir.verifier import require, shape_text
from kan_dialect.ir.wire_interface import WireInterface
from kan_dialect.ir.wire_operation import Sequential, WireOp
from kan_dialect.ops.memory import MAX_WORDS, MemoryOp, MemoryReadOp
from kan_dialect.ops.wire import hold

if TYPE_CHECKING:
    from kan_dialect.devices.device import DeviceFamily
    from kan_dialect.lowering.hw_builder import HwBuilder

WORD_BITS = 36
"""Bits of a memory's word where nothing else is said."""
MAX_WORD_BITS = 60
MAX_INTERVAL = 1024
MAX_ENTRY_BITS = 24
"""Most bits of an entry that can be loaded."""


@irdl_op_definition
class FoldedByInputOp(WireOp, Named, Sequential, WireInterface, ExactMeaning):
    """The sums of a layer, input by input: result[o] = bias[o] + sum_i tables[o, i, x_i - from].

    Each of ceil(inputs / interval) lanes has the entries of its inputs in memories, a word for each
    input and code with an entry for each node. Every cycle has one input of each lane, and each
    node adds its entries to an accumulator. `tables` is (nodes, inputs, codes) and `bias` (nodes).
    `word` is the bits of a word of a memory; a lane has as many memories as its entries need.

    With `loadable`, the memories can be written at run time, and each entry has this number of
    bits, in two's complement. The bias goes into the entries. Results have the type of all sums of
    such entries, whatever the tables are.

    The function has the attribute `kan.interval`. Operands are read in one cycle, and results are
    there in one cycle, `latency` cycles later.

    Example:

        %s:2 = kan.folded_by_input %x, %x, %x as "layer0" interval 3 tables dense<0> :
          tensor<2x3x4xi8> from 0 bias dense<[3, 5]> : tensor<2xi8> :
          !kan.int<0:3>, !kan.int<0:3>, !kan.int<0:3> -> !kan.int<3:3>, !kan.int<5:5>
    """

    name = "kan.folded_by_input"
    KIND: ClassVar[str] = "folded layer"

    inputs = var_operand_def(IntType)
    interval = prop_def(IntegerAttr[I64])
    tables = prop_def(DenseIntOrFPElementsAttr)
    first = prop_def(IntegerAttr[I64], prop_name="from")
    bias = prop_def(DenseIntOrFPElementsAttr)
    word = opt_prop_def(IntegerAttr[I64])
    loadable = opt_prop_def(IntegerAttr[I64])
    sums = var_result_def(IntType)

    assembly_format = (
        "$inputs (`as` $name^)? `interval` $interval `tables` custom<Constant>($tables) `from` "
        "$from `bias` custom<Constant>($bias) (`word` $word^)? "
        "(`loadable` $loadable^)? attr-dict `:` "
        "type($inputs) `->` type($sums)"
    )

    def __init__(
        self,
        inputs: Sequence[SSAValue],
        tables: IntArray,
        first: int,
        bias: IntArray,
        interval: int,
        *,
        word: int | None = None,
        loadable: int | None = None,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        tables : (nodes, inputs, codes), integers; entry 0 is that of code `first`.
        bias : (nodes), integers.
        loadable : bits of an entry; None: the memories are constant.
        """
        low, high = _sum_ranges(tables, first, bias, [range_of(value) for value in inputs])
        if loadable is not None:
            kind = loadable_sum(loadable, len(inputs), interval)
            low, high = np.full_like(low, kind.low), np.full_like(high, kind.high)
        self.set_up(
            inputs,
            [int_type(*ends) for ends in zip(low.tolist(), high.tolist(), strict=True)],
            interval=interval,
            tables=dense(tables),
            bias=dense(bias),
            word=word,
            loadable=loadable,
            name=name,
            **{"from": first},
        )

    @property
    def lanes(self) -> int:
        """Inputs that are looked up in the same cycle."""
        return lanes_and_turns(len(self.inputs), self.interval.value.data)[0]

    @property
    def turns(self) -> int:
        """Cycles that the inputs take."""
        return lanes_and_turns(len(self.inputs), self.interval.value.data)[1]

    @property
    def word_bits(self) -> int:
        """Bits of a word of a memory."""
        return WORD_BITS if self.word is None else self.word.value.data

    @property
    def entry_bits(self) -> int | None:
        """Bits of an entry that can be loaded; None of constant memories."""
        return None if self.loadable is None else self.loadable.value.data

    @property
    def table_bits(self) -> int:
        """Entries times the bits of the largest one of their node."""
        if self.entry_bits is not None:
            return to_numpy(self.tables).size * self.entry_bits
        tables = to_numpy(self.tables)
        spans = (tables.max(axis=2).astype(np.int64) - tables.min(axis=2)).max(axis=1)
        return tables[0].size * sum(int(span).bit_length() for span in spans.tolist())

    @property
    def latency(self) -> int:
        """Load, read, register, add the lanes up, and the turns."""
        return 2 + _levels(self.lanes) + self.turns

    @property
    def codes(self) -> IntType:
        """The codes that the tables have entries for."""
        first = self.first.value.data
        return int_type(first, first + self.tables.get_shape()[2] - 1)

    def check(self) -> None:
        interval = self.interval.value.data
        require(
            2 <= interval <= MAX_INTERVAL, f"interval must lie in 2..{MAX_INTERVAL}, got {interval}"
        )
        require(1 <= self.word_bits <= MAX_WORD_BITS, f"word must lie in 1..{MAX_WORD_BITS} bits")
        tables = verifier.constant(self.tables, "tables", floats=False)
        bias = verifier.constant(self.bias, "bias", floats=False)
        expected = len(self.sums), len(self.inputs)
        require(
            tables.ndim == 3 and tables.shape[:2] == expected and bool(tables.size),
            f"tables must have shape {shape_text(expected)} x codes, got "
            f"{shape_text(tables.shape)}",
        )
        require(
            bias.shape == expected[:1],
            f"bias must have {expected[0]} entries, got {shape_text(bias.shape)}",
        )
        codes = self.codes
        for value in self.inputs:
            kind = range_of(value)
            require(
                codes.contains(kind.low, kind.high), f"the tables have no entries for all of {kind}"
            )
        require(
            self.turns << codes.bits <= MAX_WORDS,
            f"a memory of {self.turns << codes.bits} words is larger than {MAX_WORDS}",
        )
        if self.entry_bits is not None:
            self._check_loadable(self.entry_bits)
        kinds = [range_of(value) for value in self.inputs]
        ends = _sum_ranges(tables.astype(np.int64), codes.low, bias.astype(np.int64), kinds)
        for result, low, high in zip(self.sums, *(each.tolist() for each in ends), strict=True):
            hold(result, low, high, "the sum")

    def _check_loadable(self, bits: int) -> None:
        require(1 <= bits <= MAX_ENTRY_BITS, f"loadable must lie in 1..{MAX_ENTRY_BITS} bits")
        kind, entries = self._loadable_sum(bits), self.loaded_entries()
        needed = storage_for(min(int(entries.min()), -1), int(entries.max()))[0]
        require(needed <= bits, f"entries need {needed} bits, and loadable says {bits}")
        for result in self.sums:
            require(result.type == kind, f"sums of loadable entries must be {kind}")

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        tables, first = to_numpy(self.tables), self.first.value.data
        total = to_integers(self.bias)[:, np.newaxis]
        for place, codes in enumerate(operands):
            total = total + tables[:, place][:, codes - first]
        return list(total)

    def meaning(
        self, math: ExactArithmetic[NumberT], operands: Sequence[NumberT]
    ) -> Sequence[NumberT]:
        tables, first = to_integers(self.tables), self.first.value.data
        found: list[NumberT] = []
        for node, bias in enumerate(to_integers(self.bias).tolist()):
            terms = [math.constant(bias)]
            for entries, code, value in zip(tables[node], operands, self.inputs, strict=True):
                if entries.any():
                    terms.append(
                        math.function(
                            lambda codes, row=entries: row[codes[0] - first],
                            [code],
                            [range_of(value)],
                        )
                    )
            found.append(math.total(terms))
        return found

    def result_ranges(self, operands: Sequence[IntType]) -> Sequence[IntType]:
        if self.entry_bits is not None:
            return [self._loadable_sum(self.entry_bits)] * len(self.sums)
        tables, bias = to_integers(self.tables), to_integers(self.bias)
        low, high = _sum_ranges(tables, self.first.value.data, bias, operands)
        return [int_type(*ends) for ends in zip(low.tolist(), high.tolist(), strict=True)]

    # Costs

    def luts_on(self, device: DeviceFamily) -> Mapping[int, int]:
        """Choices between the next code and a new one, and adders."""
        codes = self.codes.bits * (len(self.inputs) - self.lanes)
        added = sum(range_of(value).bits for value in self.sums) * self.lanes
        return {3: codes, 2: added}

    def levels_on(self, device: DeviceFamily) -> int:
        return 1

    def delay_on(self, device: DeviceFamily) -> float:
        """The adder of an accumulator, whose sum is the result in the last turn."""
        bits = max(range_of(value).bits for value in self.sums)
        return device.timing.carry + bits * device.timing.carry_bit

    # Hardware

    def lower(self, build: HwBuilder, wires: Sequence[SSAValue]) -> Sequence[SSAValue]:
        turn = build.turn(build.cycle + 1)
        codes = self.shifted_out(build, wires, build.is_turn(turn, -1))
        clear = build.is_turn(turn, 1 + _levels(self.lanes))
        if self.entry_bits is not None:
            bits = self.entry_bits
            words = self._by_lane(self.loaded_entries()) & ((1 << bits) - 1)
            terms = self._terms(build, turn, codes, words, [[bits] * len(self.sums)] * self.lanes)
            return [
                self.accumulated(build, node, terms[node], 0, clear, signed=True)
                for node in range(len(self.sums))
            ]
        floors, terms = self.entries(build, turn, codes)
        bias = to_integers(self.bias) + floors
        return [
            self.accumulated(build, node, terms[node], int(bias[node]), clear)
            for node in range(len(self.sums))
        ]

    def shifted_out(
        self, build: HwBuilder, wires: Sequence[SSAValue], load: SSAValue
    ) -> list[SSAValue]:
        """The code of each lane in each turn: the operands, from shift registers."""
        bits, lanes = self.codes.bits, self.lanes
        extended = [
            build.resized(wire, kind.bits, bits, kind.is_signed)
            for wire, kind in zip(wires, map(range_of, self.inputs), strict=True)
        ]
        found: list[SSAValue] = []
        for lane in range(lanes):
            own = extended[lane::lanes]
            # A lane with fewer inputs reads entries that are 0 in the last turn.
            following = None if len(own) == self.turns else build.constant(0, bits)
            for turn, code in reversed(list(enumerate(own))):
                loaded = code if following is None else build.chosen(load, code, following)
                following = build.register(loaded, self._called(f"code{turn * lanes + lane}"))
            assert following is not None
            found.append(following)
        return found

    def entries(
        self, build: HwBuilder, turn: SSAValue, codes: Sequence[SSAValue]
    ) -> tuple[IntArray, list[list[tuple[SSAValue, int]]]]:
        """The memories: what all entries of a node are less by, and its terms of each lane.

        Returns
        -------
        (nodes), int64, and for each node wires with their bits, unsigned.
        """
        words, floors = self.words()
        spans = [[int(most).bit_length() for most in lane.max(axis=1).tolist()] for lane in words]
        return floors, self._terms(build, turn, codes, words, spans)

    def _terms(
        self,
        build: HwBuilder,
        turn: SSAValue,
        codes: Sequence[SSAValue],
        words: IntArray,
        bits_of: Sequence[Sequence[int]],
    ) -> list[list[tuple[SSAValue, int]]]:
        """For each node its entries of each lane: wires with their bits.

        Parameters
        ----------
        words : (lanes, nodes, addresses), int64, not negative.
        bits_of : bits of the entries, by lane and node.
        """
        terms: list[list[tuple[SSAValue, int]]] = [[] for _ in self.sums]
        for lane, (code, spans) in enumerate(zip(codes, bits_of, strict=True)):
            if not any(spans):
                continue  # All edges are pruned, or constant.
            address = self._address(build, turn, code)
            joined = self._read(build, address, words[lane], spans, self._called(f"rom{lane}"))
            place = 0
            for node, bits in enumerate(spans):
                if bits:
                    terms[node].append((build.part(joined, place, bits), bits))
                place += bits
        return terms

    def _read(
        self,
        build: HwBuilder,
        address: SSAValue,
        words: IntArray,
        spans: Sequence[int],
        name: str,
    ) -> SSAValue:
        """The entries of all nodes at an address, two cycles later, side by side, node 0 lowest.

        Parameters
        ----------
        words : (nodes, addresses), int64, not negative.
        spans : bits of the entries of each node.
        """
        planes = np.concatenate(
            [words[node] >> np.arange(bits)[:, np.newaxis] & 1 for node, bits in enumerate(spans)]
        )
        assert build.clock is not None
        found: list[SSAValue] = []
        for part, first in enumerate(range(0, len(planes), self.word_bits)):
            columns = planes[first : first + self.word_bits]
            contents = (columns << np.arange(len(columns))[:, np.newaxis]).sum(axis=0)
            called = f"{name}_{part}"
            loadable = self.loadable is not None
            op = MemoryOp(contents.size, len(columns), contents, called, exclusive=loadable)
            memory = build.add(op)
            if loadable:
                build.loadable.append(op)
            word = build.add(MemoryReadOp(memory, address, build.clock), f"{called}_read")
            found.insert(0, build.register(word, f"{called}_word"))
        return found[0] if len(found) == 1 else build.joined(found, len(planes))

    def words(self) -> tuple[IntArray, IntArray]:
        """The entries by lane, node and address, less the smallest of each edge.

        Returns
        -------
        (lanes, nodes, turns * 2^bits), int64; and (nodes), what the smallest entries add up to.
        """
        tables, codes = to_integers(self.tables), self.codes
        for place, kind in enumerate(map(range_of, self.inputs)):
            # Codes that do not occur read the nearest entry.
            reached = np.arange(codes.low, codes.high + 1).clip(kind.low, kind.high) - codes.low
            tables[:, place] = tables[:, place][:, reached]
        smallest = tables.min(axis=2)
        tables -= smallest[:, :, np.newaxis]
        return self._by_lane(tables), smallest.sum(axis=1)

    def loaded_entries(self) -> IntArray:
        """Tables with the bias spread over the inputs, (nodes, inputs, codes), int64."""
        inputs = len(self.inputs)
        share, rest = np.divmod(to_integers(self.bias)[:, np.newaxis], inputs)
        return to_integers(self.tables) + (share + (np.arange(inputs) < rest))[:, :, np.newaxis]

    def _by_lane(self, tables: IntArray) -> IntArray:
        """Entries (nodes, inputs, codes) as (lanes, nodes, turns * 2^bits), by bit pattern."""
        (nodes, inputs, _), codes = tables.shape, self.codes
        places = codes.bit_patterns.clip(codes.low, codes.high) - codes.low
        found = np.zeros((nodes, self.turns * self.lanes, len(places)), dtype=np.int64)
        found[:, :inputs] = tables[:, :, places]
        found = found.reshape(nodes, self.turns, self.lanes, len(places)).transpose(2, 0, 1, 3)
        return found.reshape(self.lanes, nodes, -1)

    def _address(self, build: HwBuilder, turn: SSAValue, code: SSAValue) -> SSAValue:
        """The turn and the code, side by side."""
        bits = (self.turns - 1).bit_length()
        if not bits:
            return code
        return build.joined([build.part(turn, 0, bits), code], bits + self.codes.bits)

    def accumulated(
        self,
        build: HwBuilder,
        node: int,
        terms: Sequence[tuple[SSAValue, int]],
        bias: int,
        clear: SSAValue,
        *,
        signed: bool = False,
    ) -> SSAValue:
        """The sum of a node in the last turn: of its terms, and of those of the turns before."""
        bits, name = range_of(self.sums[node]).bits, self._called(f"sum{node}")
        start = build.constant(bias, bits)
        own = [(wire, min(width, bits)) for wire, width in terms]
        term = _added(build, own, bits, self.lanes, signed=signed)
        if term is None:
            return start
        total = build.held(bits, f"{name}_before") if self.turns > 1 else start
        result = build.added([total, term], name)
        if self.turns > 1:
            build.load(total, build.chosen(clear, start, result))
        return result

    def _loadable_sum(self, bits: int) -> IntType:
        return loadable_sum(bits, len(self.inputs), self.interval.value.data)

    def _called(self, what: str) -> str:
        return f"{self.given_name or 'folded'}_{what}"


def lanes_and_turns(inputs: int, interval: int) -> tuple[int, int]:
    """Inputs that are looked up in the same cycle, and the cycles that all of them take."""
    lanes = -(-inputs // interval)
    return lanes, -(-inputs // lanes)


def loadable_sum(bits: int, inputs: int, interval: int) -> IntType:
    """The type that holds every sum of entries of `bits` bits, one of each lane and turn."""
    lanes, turns = lanes_and_turns(inputs, interval)
    half = 1 << (bits + (lanes * turns - 1).bit_length() - 1)
    return int_type(-half, half - 1)


def _sum_ranges(
    tables: IntArray, first: int, bias: IntArray, kinds: Sequence[IntType]
) -> tuple[IntArray, IntArray]:
    """Smallest and largest sum of each node, (nodes) each, int64, for inputs of these ranges."""
    low, high = bias.astype(np.int64), bias.astype(np.int64)
    for place, kind in enumerate(kinds):
        entries = tables[:, place, kind.low - first : kind.high - first + 1]
        low, high = low + entries.min(axis=1), high + entries.max(axis=1)
    return low, high


def _levels(count: int) -> int:
    """Depth of a tree of adders of two numbers."""
    return (count - 1).bit_length()


def _added(
    build: HwBuilder,
    terms: Sequence[tuple[SSAValue, int]],
    bits: int,
    lanes: int,
    *,
    signed: bool,
) -> SSAValue | None:
    """The sum of the terms of all lanes in `bits` bits, behind a register for each level of adders.

    None where no lane has a term.
    """
    for _ in range(_levels(lanes)):
        pairs = [terms[place : place + 2] for place in range(0, len(terms), 2)]
        terms = [_registered_sum(build, pair, bits, signed=signed) for pair in pairs]
    return build.resized(*terms[0], bits, signed=signed) if terms else None


def _registered_sum(
    build: HwBuilder, pair: Sequence[tuple[SSAValue, int]], bits: int, *, signed: bool
) -> tuple[SSAValue, int]:
    """The sum of one or two numbers, a cycle later, with its bits."""
    width = max(width for _, width in pair)
    if len(pair) > 1:
        width = min(width + 1, bits)
    wires = [build.resized(wire, own, width, signed=signed) for wire, own in pair]
    return build.register(wires[0] if len(wires) == 1 else build.added(wires)), width


FOLDED_OPS: list[type[Operation]] = [FoldedByInputOp]
