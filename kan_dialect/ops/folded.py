"""Wire level: layers whose edges take turns in memories, so that a sample takes several cycles.

A function with such ops takes a sample every `kan.interval` cycles. Each op has hardware of its
own: another schedule is another op, with its own `lower`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
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
from kan_dialect.ops.memory import MAX_WORDS, ROM_WORDS, MemoryOp, MemoryReadOp
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


class FoldedOp(WireOp, Named, Sequential, WireInterface, ExactMeaning, ABC):
    """Base of ops that are the sums of a layer, in several cycles.

    An op says what its edges are (`edge_tables`), what takes turns (`lanes`, `turns`), what its
    memories are, and its hardware (`lower`).

    The function has the attribute `kan.interval`. Operands are read in one cycle, and results are
    there in one cycle, `latency` cycles later.
    """

    KIND: ClassVar[str] = "folded layer"
    ENTRY_CYCLES: ClassVar[int]
    """Cycles from a code to the entries of its nodes."""

    inputs = var_operand_def(IntType)
    interval = prop_def(IntegerAttr[I64])
    first = prop_def(IntegerAttr[I64], prop_name="from")
    bias = prop_def(DenseIntOrFPElementsAttr)
    word = opt_prop_def(IntegerAttr[I64])
    logic = opt_prop_def(IntegerAttr[I64])
    sums = var_result_def(IntType)

    @property
    @abstractmethod
    def code_count(self) -> int:
        """Codes that the edges have entries for."""

    @abstractmethod
    def edge_tables(self, nodes: slice = slice(None), inputs: slice = slice(None)) -> IntArray:
        """The entries of edges, (nodes, inputs, codes), int64; entry 0 is that of code `first`."""

    @property
    @abstractmethod
    def memories(self) -> Sequence[tuple[int, int]]:
        """Words and their bits of each memory, before it is cut into words of `word` bits.

        Those with an entry for each node are first.
        """

    @property
    def table_bits(self) -> int:
        """Bits that the memories hold."""
        return sum(words * bits for words, bits in self.memories)

    @property
    @abstractmethod
    def memory_words(self) -> int:
        """Words of the largest memory."""

    @abstractmethod
    def check_edges(self) -> None:
        """Require the edges to have the op's nodes and inputs, and entries."""

    @property
    @abstractmethod
    def lanes(self) -> int:
        """Inputs, or nodes, that have their turn in the same cycle."""

    @property
    @abstractmethod
    def turns(self) -> int:
        """Cycles that all of them take."""

    @property
    def word_bits(self) -> int:
        """Bits of a word of a memory."""
        return WORD_BITS if self.word is None else self.word.value.data

    @property
    def logic_words(self) -> int:
        """Most words of a memory in logic; larger ones are block RAM."""
        return ROM_WORDS if self.logic is None else self.logic.value.data

    @property
    def entry_bits(self) -> int | None:
        """Bits of an entry that can be loaded; None of constant memories."""
        return None

    @property
    def first_turns(self) -> Mapping[str, int]:
        """What the turns pass through, and the cycle of the first turn there, behind the operands.

        Each turn takes a cycle.
        """
        return {"codes": 1, "entries": 1 + self.ENTRY_CYCLES, "sums": self.latency - self.turns + 1}

    @property
    def codes(self) -> IntType:
        """The codes that the edges have entries for."""
        first = self.first.value.data
        return int_type(first, first + self.code_count - 1)

    @property
    def unread_bits(self) -> int:
        """Lower bits of the codes that no entry depends on."""
        return 0

    @property
    def read_bits(self) -> int:
        """Bits of a code in an address."""
        return self.codes.bits - self.unread_bits

    @property
    def addressed_codes(self) -> IntArray:
        """The place of a code among the entries for each pattern of the bits that are read."""
        codes = self.codes
        patterns = codes.bit_patterns[:: 1 << self.unread_bits]
        return patterns.clip(codes.low, codes.high) - codes.low

    def check(self) -> None:
        interval = self.interval.value.data
        require(
            2 <= interval <= MAX_INTERVAL, f"interval must lie in 2..{MAX_INTERVAL}, got {interval}"
        )
        require(1 <= self.word_bits <= MAX_WORD_BITS, f"word must lie in 1..{MAX_WORD_BITS} bits")
        self.check_edges()
        bias = verifier.constant(self.bias, "bias", floats=False)
        require(
            bias.shape == (len(self.sums),),
            f"bias must have {len(self.sums)} entries, got {shape_text(bias.shape)}",
        )
        codes = self.codes
        for value in self.inputs:
            kind = range_of(value)
            require(
                codes.contains(kind.low, kind.high), f"the tables have no entries for all of {kind}"
            )
        require(
            self.memory_words <= MAX_WORDS,
            f"a memory of {self.memory_words} words is larger than {MAX_WORDS}",
        )
        ranges = self.result_ranges([range_of(value) for value in self.inputs])
        for result, kind in zip(self.sums, ranges, strict=True):
            hold(result, kind.low, kind.high, "the sum")

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        first, total = self.first.value.data, to_integers(self.bias)[:, np.newaxis]
        for place, codes in enumerate(operands):
            total = total + self._tables_of(place)[:, codes - first]
        return list(total)

    def meaning(
        self, math: ExactArithmetic[NumberT], operands: Sequence[NumberT]
    ) -> Sequence[NumberT]:
        tables, first = self.edge_tables(), self.first.value.data
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
        tables = map(self._tables_of, range(len(operands)))
        return sum_ranges(tables, self.first.value.data, to_integers(self.bias), operands)

    def _tables_of(self, place: int) -> IntArray:
        """The entries of an input's edges, (nodes, codes)."""
        return self.edge_tables(inputs=slice(place, place + 1))[:, 0]

    # Costs

    def block_rams_on(self, device: DeviceFamily) -> int:
        """Block RAMs of the memories that are not made of lookup tables."""
        largest = self.logic_words if device.block_ram_shapes else MAX_WORDS
        large = [memory for memory in self.memories if memory[0] > largest]
        return sum(device.block_rams(words, bits) for words, bits in large)

    def levels_on(self, device: DeviceFamily) -> int:
        return 1

    def delay_on(self, device: DeviceFamily) -> float:
        """The adder of an accumulator, whose sum is the result in the last turn."""
        bits = max(range_of(value).bits for value in self.sums)
        return device.timing.carry + bits * device.timing.carry_bit

    # Hardware

    def read(
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
        storage = None
        if self.logic is not None:
            storage = "logic" if words.shape[1] <= self.logic_words else "block"
        found: list[SSAValue] = []
        for part, first in enumerate(range(0, len(planes), self.word_bits)):
            columns = planes[first : first + self.word_bits]
            contents = (columns << np.arange(len(columns))[:, np.newaxis]).sum(axis=0)
            called = f"{name}_{part}"
            is_loadable = self.entry_bits is not None
            op = MemoryOp(
                *(contents.size, len(columns), contents, called),
                exclusive=is_loadable,
                storage=storage,
            )
            memory = build.add(op)
            if is_loadable:
                build.loadable.append(op)
            word = build.add(MemoryReadOp(memory, address, build.clock), f"{called}_read")
            found.insert(0, build.register(word, f"{called}_word"))
        return found[0] if len(found) == 1 else build.joined(found, len(planes))

    def address(self, build: HwBuilder, turn: SSAValue, code: SSAValue) -> SSAValue:
        """The turn and the code, side by side."""
        bits = (self.turns - 1).bit_length()
        if not bits:
            return code
        width = bits + self.read_bits
        return build.joined([build.part(turn, 0, bits), code], width)

    def called(self, what: str) -> str:
        return f"{self.given_name or 'folded'}_{what}"


class InputByInput(FoldedOp, ABC):
    """Base of folded layers whose inputs take turns.

    Each of ceil(inputs / interval) lanes takes one of its inputs a turn. An op says what hardware
    has the entries of a turn (`entries`). Each node adds them to an accumulator.
    """

    @property
    def lanes(self) -> int:
        """Inputs that are looked up in the same cycle."""
        return lanes_and_turns(len(self.inputs), self.interval.value.data)[0]

    @property
    def turns(self) -> int:
        """Cycles that the inputs take."""
        return lanes_and_turns(len(self.inputs), self.interval.value.data)[1]

    @property
    def latency(self) -> int:
        """To the entries, to the sums of the lanes, and the turns."""
        return self.ENTRY_CYCLES + _levels(self.lanes) + self.turns

    @abstractmethod
    def entries(
        self, build: HwBuilder, turn: SSAValue, codes: Sequence[SSAValue]
    ) -> tuple[IntArray, list[list[tuple[SSAValue, int]]]]:
        """Hardware for the entries of each node and lane in each turn.

        Parameters
        ----------
        turn : a counter that is 0 in the first turn.
        codes : of each lane.

        Returns
        -------
        (nodes), int64, what all entries of a node are less by; and for each node wires with their
        bits, unsigned, `ENTRY_CYCLES` after the codes.
        """

    # Costs

    def luts_on(self, device: DeviceFamily) -> Mapping[int, int]:
        """Choices between the next code and a new one, and adders."""
        codes = self.read_bits * (len(self.inputs) - self.lanes)
        added = sum(range_of(value).bits for value in self.sums) * self.lanes
        return {3: codes, 2: added}

    # Hardware

    def lower(self, build: HwBuilder, wires: Sequence[SSAValue]) -> Sequence[SSAValue]:
        turn = build.turn(build.cycle + 1)
        codes = self.shifted_out(build, wires, self._load(build, turn))
        floors, terms = self.entries(build, turn, codes)
        clear = build.is_turn(build.cycle + self.ENTRY_CYCLES + _levels(self.lanes))
        bias = to_integers(self.bias) + floors
        return [
            self.accumulated(build, node, terms[node], int(bias[node]), clear)
            for node in range(len(self.sums))
        ]

    def _load(self, build: HwBuilder, turn: SSAValue) -> SSAValue:
        """Whether the shift registers take the operands.

        The first layer asks a register, since it loads the most bits. Layers behind another one
        compare their counter: with a register, Yosys's abc9 joins the load with each bit of a
        clamp to a function of seven inputs, which takes eight lookup tables of four inputs.
        """
        if not build.cycle:
            return build.is_turn(0)
        last = self.interval.value.data - 1
        return build.equal(turn, build.constant(last, last.bit_length()))

    def shifted_out(
        self, build: HwBuilder, wires: Sequence[SSAValue], load: SSAValue
    ) -> list[SSAValue]:
        """The code of each lane in each turn: the operands, from shift registers."""
        whole, unread, lanes = self.codes.bits, self.unread_bits, self.lanes
        bits = whole - unread
        extended = [
            build.resized(wire, kind.bits, whole, kind.is_signed)
            for wire, kind in zip(wires, map(range_of, self.inputs), strict=True)
        ]
        if unread:
            extended = [build.part(wire, unread, bits) for wire in extended]
        found: list[SSAValue] = []
        for lane in range(lanes):
            own = extended[lane::lanes]
            # A lane with fewer inputs reads entries that are 0 in the last turn.
            following = None if len(own) == self.turns else build.constant(0, bits)
            for turn, code in reversed(list(enumerate(own))):
                loaded = code if following is None else build.chosen(load, code, following)
                following = build.register(loaded, self.called(f"code{turn * lanes + lane}"))
            assert following is not None
            found.append(following)
        return found

    def accumulated(
        self,
        build: HwBuilder,
        node: int,
        terms: Sequence[tuple[SSAValue, int]],
        bias: int,
        clear: SSAValue,
    ) -> SSAValue:
        """The sum of a node in the last turn: of its terms, and of those of the turns before."""
        bits, name = range_of(self.sums[node]).bits, self.called(f"sum{node}")
        start = build.constant(bias, bits)
        fitted = [(wire, min(width, bits)) for wire, width in terms]
        is_signed = self.entry_bits is not None
        term = _added(build, fitted, bits, self.lanes, signed=is_signed)
        if term is None:
            return start
        total = build.held(bits, f"{name}_before") if self.turns > 1 else start
        result = build.added([total, term], name)
        if self.turns > 1:
            build.load(total, build.chosen(clear, start, result))
        return result


class FoldedTablesOp(FoldedOp, ABC):
    """Base of folded layers whose edges have tables of their own.

    `tables` is (nodes, inputs, codes) and `bias` (nodes).
    """

    tables = prop_def(DenseIntOrFPElementsAttr)

    assembly_format = (
        "$inputs (`as` $name^)? `interval` $interval `tables` custom<Constant>($tables) `from` "
        "$from `bias` custom<Constant>($bias) (`word` $word^)? (`logic` $logic^)? attr-dict `:` "
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
        name: str | None = None,
        sums: Sequence[IntType] | None = None,
        **properties: int | None,
    ) -> None:
        """
        Parameters
        ----------
        tables : (nodes, inputs, codes), integers; entry 0 is that of code `first`.
        bias : (nodes), integers.
        sums : ranges of the sums; None: those that the tables give.
        properties : further ones of an op.
        """
        kinds = [range_of(value) for value in inputs]
        self.set_up(
            inputs,
            sums or sum_ranges(np.moveaxis(tables, 1, 0), first, bias, kinds),
            interval=interval,
            tables=dense(tables),
            bias=dense(bias),
            word=word,
            name=name,
            **properties,
            **{"from": first},
        )

    @property
    def code_count(self) -> int:
        return self.tables.get_shape()[2]

    def edge_tables(self, nodes: slice = slice(None), inputs: slice = slice(None)) -> IntArray:
        return to_numpy(self.tables)[nodes, inputs].astype(np.int64)

    @property
    def memory_words(self) -> int:
        return self.turns << self.read_bits

    def check_edges(self) -> None:
        tables = verifier.constant(self.tables, "tables", floats=False)
        expected = len(self.sums), len(self.inputs)
        require(
            tables.ndim == 3 and tables.shape[:2] == expected and bool(tables.size),
            f"tables must have shape {shape_text(expected)} x codes, got "
            f"{shape_text(tables.shape)}",
        )


@irdl_op_definition
class FoldedByInputOp(FoldedTablesOp, InputByInput):
    """The sums of a layer, input by input: result[o] = bias[o] + sum_i tables[o, i, x_i - from].

    Each of ceil(inputs / interval) lanes has the entries of its inputs in memories, a word for each
    input and code with an entry for each node. Every cycle has one input of each lane, and each
    node adds its entries to an accumulator. `tables` is (nodes, inputs, codes) and `bias` (nodes).
    `word` is the bits of a word of a memory; a lane has as many memories as its entries need.
    Memories of up to `logic` words are lookup tables, and larger ones block RAM.

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
    ENTRY_CYCLES: ClassVar[int] = 2

    loadable = opt_prop_def(IntegerAttr[I64])

    assembly_format = (
        "$inputs (`as` $name^)? `interval` $interval `tables` custom<Constant>($tables) `from` "
        "$from `bias` custom<Constant>($bias) (`word` $word^)? (`logic` $logic^)? "
        "(`loadable` $loadable^)? attr-dict `:` type($inputs) `->` type($sums)"
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
        logic: int | None = None,
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
        sums = None
        if loadable is not None:
            sums = [loadable_sum(loadable, len(inputs), interval)] * len(bias)
        edges = (inputs, tables, first, bias, interval)
        options = {"word": word, "logic": logic, "loadable": loadable}
        super().__init__(*edges, name=name, sums=sums, **options)

    @property
    def entry_bits(self) -> int | None:
        return None if self.loadable is None else self.loadable.value.data

    @property
    def unread_bits(self) -> int:
        # Other tables may be loaded.
        return 0 if self.loadable is not None else unread_bits(to_numpy(self.tables), self.codes)

    @property
    def memories(self) -> Sequence[tuple[int, int]]:
        if self.entry_bits is not None:
            return [(self.memory_words, self.entry_bits * len(self.sums))] * self.lanes
        spans = np.zeros((self.turns * self.lanes, len(self.sums)), dtype=np.int64)
        kinds = [range_of(value) for value in self.inputs]
        spans[: len(kinds)] = entry_spans(self.edge_tables(), self.codes.low, kinds)
        largest = spans.reshape(self.turns, self.lanes, -1).max(axis=0)
        words = self.memory_words
        return [(words, sum(int(span).bit_length() for span in row)) for row in largest.tolist()]

    def check(self) -> None:
        bits = self.entry_bits
        if bits is not None:
            message = f"loadable must lie in 1..{MAX_ENTRY_BITS} bits"
            require(1 <= bits <= MAX_ENTRY_BITS, message)
        super().check()
        if bits is None:
            return
        kind, entries = self._loadable_sum(bits), self.loaded_entries()
        needed = storage_for(min(int(entries.min()), -1), int(entries.max()))[0]
        require(needed <= bits, f"entries need {needed} bits, and loadable says {bits}")
        for result in self.sums:
            require(result.type == kind, f"sums of loadable entries must be {kind}")

    def result_ranges(self, operands: Sequence[IntType]) -> Sequence[IntType]:
        if self.entry_bits is not None:
            return [self._loadable_sum(self.entry_bits)] * len(self.sums)
        return super().result_ranges(operands)

    def entries(
        self, build: HwBuilder, turn: SSAValue, codes: Sequence[SSAValue]
    ) -> tuple[IntArray, list[list[tuple[SSAValue, int]]]]:
        if self.entry_bits is not None:
            words = self._by_lane(self.loaded_entries()) & ((1 << self.entry_bits) - 1)
            spans = [[self.entry_bits] * len(self.sums)] * self.lanes
            # The bias is in the entries, and accumulators start from 0.
            floors = -to_integers(self.bias)
        else:
            words, floors = self.words()
            largest = words.max(axis=2).tolist()
            spans = [[int(most).bit_length() for most in lane] for lane in largest]
        terms: list[list[tuple[SSAValue, int]]] = [[] for _ in self.sums]
        for lane, code in enumerate(codes):
            if not any(spans[lane]):
                continue  # All edges are pruned, or constant.
            address = self.address(build, turn, code)
            joined = self.read(build, address, words[lane], spans[lane], self.called(f"rom{lane}"))
            place = 0
            for node, bits in enumerate(spans[lane]):
                if bits:
                    terms[node].append((build.part(joined, place, bits), bits))
                place += bits
        return floors, terms

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
        nodes, inputs, _ = tables.shape
        places = self.addressed_codes
        found = np.zeros((nodes, self.turns * self.lanes, len(places)), dtype=np.int64)
        found[:, :inputs] = tables[:, :, places]
        found = found.reshape(nodes, self.turns, self.lanes, len(places)).transpose(2, 0, 1, 3)
        return found.reshape(self.lanes, nodes, -1)

    def _loadable_sum(self, bits: int) -> IntType:
        return loadable_sum(bits, len(self.inputs), self.interval.value.data)


def lanes_and_turns(inputs: int, interval: int) -> tuple[int, int]:
    """Inputs that are looked up in the same cycle, and the cycles that all of them take."""
    lanes = -(-inputs // interval)
    return lanes, -(-inputs // lanes)


def unread_bits(tables: IntArray, codes: IntType) -> int:
    """Lower bits of codes that no table depends on, less than all.

    Parameters
    ----------
    tables : (.., codes).
    """
    axes = tuple(range(tables.ndim - 1))
    changes = (tables[..., 1:] != tables[..., :-1]).any(axis=axes)
    change = int(np.bitwise_or.reduce(codes.low + 1 + np.flatnonzero(changes)))
    lowest = (change & -change).bit_length() - 1 if change else codes.bits
    return min(lowest, codes.bits - 1)


def loadable_sum(bits: int, inputs: int, interval: int) -> IntType:
    """The type that holds every sum of entries of `bits` bits, one of each lane and turn."""
    lanes, turns = lanes_and_turns(inputs, interval)
    half = 1 << (bits + (lanes * turns - 1).bit_length() - 1)
    return int_type(-half, half - 1)


def sum_ranges(
    tables: Iterable[IntArray], first: int, bias: IntArray, kinds: Sequence[IntType]
) -> list[IntType]:
    """The range of each node's sum.

    Parameters
    ----------
    tables : of each input, (nodes, codes); entry 0 is that of code `first`.
    bias : (nodes).
    kinds : the range of each input.
    """
    low = high = bias.astype(np.int64)
    for edges, kind in zip(tables, kinds, strict=True):
        entries = edges[:, kind.low - first : kind.high - first + 1]
        low, high = low + entries.min(axis=1), high + entries.max(axis=1)
    return [int_type(*ends) for ends in zip(low.tolist(), high.tolist(), strict=True)]


def entry_spans(tables: IntArray, first: int, kinds: Sequence[IntType]) -> IntArray:
    """The largest entry of each edge less the smallest, (inputs, nodes), int64.

    Parameters
    ----------
    tables : (nodes, inputs, codes), int64; entry 0 is that of code `first`.
    kinds : the range of each input: other codes do not count.
    """
    ends = [(kind.low - first, kind.high - first + 1) for kind in kinds]
    spans = [np.ptp(tables[:, place, slice(*each)], axis=1) for place, each in enumerate(ends)]
    return np.array(spans)


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
