"""`lower-training-to-hw`: a training step becomes hardware that trains itself, sample by sample.

Coefficients are in memories: coefficient j of an edge in bank j mod (degree + 1), so that all that
take part in a sample are read at once, and written at once. A sample moves through the pipeline one
stage a cycle; nothing ever stalls in it. A training sample keeps `in_ready` low until the samples
behind it would read what it writes, so the results are those of the steps one after another.

Values are scheduled as they are lowered: each knows the cycle, counted from the one in which its
sample is accepted, in which its wires carry it. docs/reference/training.md shows the pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from xdsl.context import Context
from xdsl.dialects import comb, func, hw, seq
from xdsl.dialects.builtin import (
    IntegerType,
    ModuleOp,
    i1,
)
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import Rewriter

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.fixed_point import FixedType, fixed_type
from kan_dialect.ir.module_attributes import declare_interval, declare_latency, list_encodings
from kan_dialect.ir.operation import KanOperation
from kan_dialect.ir.types import tensor_shape
from kan_dialect.ir.value_names import name_hint
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.lowering.training.datapath import Datapath, Number
from kan_dialect.model.coefficient_memory import Bank, MemoryMap, memory_map
from kan_dialect.model.training_step import Step, as_step, is_trainable
from kan_dialect.ops.memory import (
    DISTRIBUTED_WORDS,
    MemoryOp,
    MemoryReadOp,
    MemoryWordOp,
    MemoryWriteOp,
    memory_type,
)
from kan_dialect.ops.training import (
    FACTOR_BITS,
    BackpropagateOp,
    BasisOp,
    CombineOp,
    ErrorOp,
    GatherOp,
    LocateOp,
    MacOp,
    UpdateOp,
)
from kan_dialect.passbase.kan_pass import KanPass

Numbers = NDArray[np.object_]
"""`Number`s in the shape of the value's tensor."""


@dataclass(frozen=True)
class LowerTrainingToHwPass(KanPass):
    """Lowers training steps to hardware."""

    name = "lower-training-to-hw"

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = [op for op in module.ops if isinstance(op, func.FuncOp) and is_trainable(op)]
        for function in functions:
            Rewriter.replace_op(function, TrainingLowering(as_step(function)).run())
        return bool(functions)


@dataclass(frozen=True)
class _Timed:
    """The numbers of a value and the cycle in which they are there.

    Logic of the same cycle may follow `settled` ones, from registers or soon behind these. Others
    are at the end of their cycle's logic.
    """

    numbers: Numbers
    cycle: int
    settled: bool = True


@dataclass(frozen=True)
class _Places:
    """Where the inputs of a layer lie, in the cycle in which its memories are read."""

    cycle: int
    remainders: list[Number]
    """Of each input, its cell modulo the number of banks."""
    rows: list[list[Number]]
    """Of each input and bank, the row of the coefficient that takes part."""


@dataclass
class TrainingLowering:
    """Builds the hardware module of one step."""

    step: Step
    values: dict[SSAValue, _Timed] = field(default_factory=dict[SSAValue, _Timed])
    places: dict[SSAValue, _Places] = field(default_factory=dict[SSAValue, _Places])
    """By the cells that they come from."""
    reads: dict[SSAValue, _Timed] = field(default_factory=dict[SSAValue, _Timed])
    """Of each state the coefficients that take part, bank by bank: (out, in, banks)."""
    rotated: dict[tuple[SSAValue, SSAValue], _Timed] = field(
        default_factory=dict[tuple[SSAValue, SSAValue], _Timed]
    )
    """By basis and cells: the basis bank by bank, (in, banks)."""
    later: dict[tuple[SSAValue, int, bool], SSAValue] = field(
        default_factory=dict[tuple[SSAValue, int, bool], SSAValue]
    )
    """Wires so many cycles later, cleared by reset or not."""
    roots: dict[SSAValue, tuple[SSAValue, int]] = field(
        default_factory=dict[SSAValue, tuple[SSAValue, int]]
    )
    """Of such a wire, which one it was and how many cycles ago."""
    tables: dict[tuple[bytes, SSAValue], Number] = field(
        default_factory=dict[tuple[bytes, SSAValue], Number]
    )
    choices: dict[tuple[SSAValue, ...], Number] = field(
        default_factory=dict[tuple[SSAValue, ...], Number]
    )
    memories: dict[Bank, SSAValue] = field(default_factory=dict[Bank, SSAValue])
    addresses: dict[Bank, SSAValue] = field(default_factory=dict[Bank, SSAValue])
    """What each bank is read at, in the cycle in which the cells are there."""
    words: dict[Bank, SSAValue] = field(default_factory=dict[Bank, SSAValue])
    """What was read of each bank."""
    read_cycles: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])
    write_cycles: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])

    def __post_init__(self) -> None:
        number = self.step.number
        if number is None:
            raise KanError(
                f"@{self.step.name} is real-valued, hardware is not",
                remedy="make it trainable with fixed-point numbers",
            )
        self.number: FixedType = number
        self.map: MemoryMap = memory_map(self.step)
        self.build = HwBuilder()
        self.math = Datapath(self.build)

    def run(self) -> hw.HWModuleOp:
        step, build = self.step, self.build
        self.clock = build.clock = build.input("clk", seq.clock)
        self.reset = build.input("rst", i1)
        in_valid = build.input("in_valid", i1)
        train = build.input("train", i1)
        self._take(step.input, "x")
        self._take(step.target, "e" if step.fed_error else "t")
        self.mem_valid = build.input("mem_valid", i1)
        self.mem_write = build.input("mem_write", i1)
        self.mem_address = build.input("mem_address", IntegerType(self.map.address_bits))
        self.mem_data = build.input("mem_data", IntegerType(self.number.bits))

        # Both depend on what is in flight, which is known when all is scheduled.
        training, occupied = hw.ConstantOp(0, i1), hw.ConstantOp(0, i1)
        may_enter = self._not(self._or([build.add(training), self.mem_valid]))
        accepted = self._and([in_valid, may_enter], "accepted")
        trained = self._and([accepted, train], "trained")
        mem_ready = self._not(build.add(occupied))
        self.access = self._and([self.mem_valid, mem_ready], "mem_access")
        self.trained = trained
        self._make_memories()

        for op in step.function.body.block.ops:
            self._visit(op)
        output = self._settled(self.values[step.output])

        interval = max(self.write_cycles[s] + 1 - self.read_cycles[s] for s in step.states)
        last = max([*self.write_cycles.values(), *self.read_cycles.values()])
        self._replace(training, [self._after(trained, k, clear=True) for k in range(1, interval)])
        self._replace(occupied, [self._after(accepted, k, clear=True) for k in range(1, last + 1)])
        outputs = {
            "in_ready": may_enter,
            "out_valid": self._after(accepted, output.cycle, clear=True),
            **{
                f"y{index}": self.math.extended(number, self.number.bits)
                for index, number in enumerate(output.numbers)
            },
            "mem_ready": mem_ready,
            "mem_read_valid": self._after(
                self._and([self.access, self._not(self.mem_write)], "mem_read"), 2, clear=True
            ),
            "mem_read_data": self._read_word(),
        }
        module = build.finish(step.function.sym_name, outputs)
        declare_latency(module, output.cycle)
        declare_interval(module, interval)
        list_encodings(module, self._encodings())
        return module

    def _encodings(self) -> Iterator[str]:
        """What the ports carry, for readers of the RTL."""

        def kind_of(value: SSAValue) -> str:
            kind = fixed_type(value)
            assert kind is not None
            return f"{kind.bits} bits, value = code / 2^{kind.fraction}"

        step, rows, banks = self.step, self.map.row_bits, self.map.bank_bits
        letter, what = ("e", "error") if step.fed_error else ("t", "target")
        yield "in_valid, in_ready: a sample is taken where both are 1; train: it trains"
        yield f"x*: {kind_of(step.input)}"
        yield f"{letter}*: {what}, {kind_of(step.target)}"
        yield f"y*: {kind_of(step.output)}"
        yield "mem_valid, mem_ready: an access to the coefficients takes place where both are 1"
        yield f"mem_address: edge, bank ({banks} bits), row ({rows} bits)"
        yield "mem_read_data: with mem_read_valid, 2 cycles after the access"

    # Wires.

    def _take(self, argument: SSAValue, letter: str) -> None:
        kind = fixed_type(argument)
        assert kind is not None
        count = tensor_shape(argument)[0]
        wires = [self.build.input(f"{letter}{i}", IntegerType(kind.bits)) for i in range(count)]
        numbers = [Number(wire, kind.low, kind.high) for wire in wires]
        self.values[argument] = _Timed(_array(numbers, (count,)), 0)

    def _and(self, wires: Sequence[SSAValue], name: str | None = None) -> SSAValue:
        return self.build.add(comb.AndOp(wires), name)

    def _or(self, wires: Sequence[SSAValue]) -> SSAValue:
        return wires[0] if len(wires) == 1 else self.build.add(comb.OrOp(wires))

    def _not(self, wire: SSAValue) -> SSAValue:
        return self.build.inverted(wire, 1)

    def _replace(self, placeholder: hw.ConstantOp, wires: Sequence[SSAValue]) -> None:
        """Whether one of the wires is 1, in the place of a constant that stood for it."""
        if wires:
            placeholder.result.replace_all_uses_with(self._or(wires))
            Rewriter.erase_op(placeholder)

    def _after(self, wire: SSAValue, cycles: int, *, clear: bool = False) -> SSAValue:
        """A wire so many cycles later; `clear`: reset makes it 0."""
        root, before = self.roots.get(wire, (wire, 0))
        for cycle in range(before + 1, before + cycles + 1):
            key = (root, cycle, clear)
            if key not in self.later:
                reset = (self.reset, self.build.constant(0, 1)) if clear else None
                hint = name_hint(root)
                name = None if hint is None else f"{hint}_d{cycle}"
                self.later[key] = self.build.register(wire, name, reset)
                self.roots[self.later[key]] = root, cycle
            wire = self.later[key]
        return wire

    def _delayed(self, number: Number, cycles: int) -> Number:
        if isinstance(number.wire.owner, hw.ConstantOp):
            return number
        return Number(self._after(number.wire, cycles), number.low, number.high)

    def _at(self, timed: _Timed, cycle: int) -> Numbers:
        """The numbers in a later cycle; of the same one as they are."""
        assert cycle >= timed.cycle
        return _map(lambda number: self._delayed(number, cycle - timed.cycle), timed.numbers)

    def _settled(self, timed: _Timed) -> _Timed:
        """The numbers from registers."""
        if timed.settled:
            return timed
        return _Timed(self._at(timed, timed.cycle + 1), timed.cycle + 1)

    # Memories.

    def _make_memories(self) -> None:
        states = self.step.initial()
        for bank in self.map.all_banks():
            words = self.map.words(bank, states[bank.layer])
            name = f"{self._edge(bank)}_bank{bank.number}"
            op = MemoryOp(len(words), self.number.bits, words, name)
            self.memories[bank] = self.build.add(op)

    def _edge(self, bank: Bank) -> str:
        layers = self.step.layers
        kind = "edge" if bank.layer < layers else "velocity"
        return f"layer{bank.layer % layers}_{kind}{bank.output}_{bank.input}"

    def _banks_of(self, layer: int) -> Iterator[Bank]:
        return (bank for bank in self.map.all_banks() if bank.layer == layer)

    def _row_of_access(self, address_bits: int) -> SSAValue:
        """The row that the memory port names."""
        held = self.map.row_bits
        if held == 0:
            return self.build.constant(0, address_bits)
        return self.build.part(self.mem_address, 0, address_bits)

    def _is_accessed(self, bank: Bank) -> SSAValue:
        """Whether the memory port's address is in a bank."""
        rows = self.map.row_bits
        bits = self.map.address_bits - rows
        if bits == 0:
            return self.build.constant(1, 1)
        upper = self.build.part(self.mem_address, rows, bits)
        return self.build.add(
            comb.ICmpOp(upper, self.build.constant(self.map.place(bank), bits), "eq")
        )

    def _read_word(self) -> SSAValue:
        """What the memory port reads, two cycles after the access."""
        rows = self.map.row_bits
        bits = self.map.address_bits - rows
        kind = self.number
        places = {self.map.place(bank): bank for bank in self.map.all_banks()}
        words: list[Number] = []
        for place in range(max(places) + 1):
            wire = self.words[places[place]] if place in places else words[-1].wire
            words.append(Number(wire, kind.low, kind.high))
        index = self._after(self.mem_address, 1)
        upper = self.build.part(index, rows, bits) if rows and bits else index
        word = self.math.named(self.math.chosen(words, upper, bits), "mem_word")
        return self._after(word.wire, 1)

    # One rule for each op.

    def _visit(self, op: Operation) -> None:
        match op:
            case LocateOp():
                self._locate(op)
            case BasisOp():
                self._basis(op)
            case GatherOp():
                self._gather(op)
            case CombineOp():
                self._combine(op)
            case MacOp():
                self._mac(op)
            case ErrorOp():
                self._error(op)
            case BackpropagateOp():
                self._backpropagate(op)
            case UpdateOp():
                self._update(op)
            case func.ReturnOp():
                pass
            case _:
                raise KanError(f"@{self.step.name}: '{op.name}' has no lowering to hardware")

    def _locate(self, op: LocateOp) -> None:
        """Of the network's inputs, a cycle of its own; of nodes, in that of their tables.

        Nodes are in the loop from a sample's reads to its writes, which may not be long.
        """
        source = self._settled(self.values[op.input])
        apart = int(op.input == self.step.input)
        bits, cells = op.local_bits, op.cells.value.data
        columns: tuple[list[Number], ...] = ([], [], [])
        starts, multipliers, shifts = (column.tolist() for column in op.positions())
        for index, number in enumerate(source.numbers):
            distance = self.math.difference(number, self.math.constant(starts[index]))
            scaled = self.math.times(distance, multipliers[index])
            position = self.math.shifted_right(scaled, shifts[index])
            held, inside = self._within(position, bits, cells)
            name = f"{op.given_name or 'layer'}_position{index}"
            held = self._delayed(self.math.named(held, name), apart)
            columns[0].append(self.math.shifted_right(held, bits))
            columns[1].append(Number(self.build.part(held.wire, 0, bits), 0, (1 << bits) - 1))
            columns[2].append(self._delayed(Number(inside, 0, 1), apart))
        for value, numbers in zip(op.results, columns, strict=True):
            self.values[value] = _Timed(_array(numbers, (len(numbers),)), source.cycle + apart)

    def _within(self, position: Number, bits: int, cells: int) -> tuple[Number, SSAValue]:
        """A position saturated to the grid, and whether it was within."""
        last = (cells << bits) - 1
        cell = self.math.shifted_right(position, bits)
        width = self.math.constant(last).bits
        held = self.build.resized(position.wire, position.bits, width, position.is_signed)
        beyond: list[SSAValue] = []
        if cell.high >= cells:
            bound = self.build.constant(cells, cell.bits)
            over = self.build.add(comb.ICmpOp(cell.wire, bound, "sge" if cell.is_signed else "uge"))
            held = self.build.add(comb.MuxOp(over, self.build.constant(last, width), held))
            beyond.append(over)
        if position.low < 0:
            under = self.build.part(position.wire, position.bits - 1, 1)
            held = self.build.add(comb.MuxOp(under, self.build.constant(0, width), held))
            beyond.append(under)
        inside = self._not(self._or(beyond)) if beyond else self.build.constant(1, 1)
        return Number(held, 0, last), inside

    def _basis(self, op: BasisOp) -> None:
        """Tables of the local coordinate, read in the cycle in which it is there."""
        local = self._settled(self.values[op.local])
        numbers: list[Number] = []
        for index, table in enumerate(op.tables):
            for j in range(table.shape[1]):
                column = np.ascontiguousarray(table[:, j])
                wire = local.numbers[index].wire
                name = f"{op.given_name or 'basis'}{index}_{j}"
                number = self._table(column, wire, name)
                if op.inside is not None:
                    inside = self._at(self.values[op.inside], local.cycle)[index]
                    number = self._masked(number, inside.wire)
                numbers.append(number)
        shape = tensor_shape(op.result)
        self.values[op.result] = _Timed(_array(numbers, shape), local.cycle, settled=False)

    def _table(self, entries: IntArray, index: SSAValue, name: str) -> Number:
        key = (entries.tobytes(), index)
        if key not in self.tables:
            self.tables[key] = self.math.read(entries, index, name)
        return self.tables[key]

    def _masked(self, number: Number, enable: SSAValue) -> Number:
        zero = self.build.constant(0, number.bits)
        wire = self.build.add(comb.MuxOp(enable, number.wire, zero))
        return Number(wire, min(number.low, 0), max(number.high, 0))

    def _placed(self, cell: SSAValue, banks: int) -> _Places:
        """The remainders of the cells, and the rows to read of each bank."""
        if cell in self.places:
            return self.places[cell]
        cells = self._settled(self.values[cell])
        remainders: list[Number] = []
        rows: list[list[Number]] = []
        for number in cells.numbers:
            quotient, remainder = self._divided(number, banks)
            remainders.append(remainder)
            tops = [(number.high + banks - 1 - bank) // banks for bank in range(banks)]
            rows.append(
                [self._row(quotient, remainder, bank, top) for bank, top in enumerate(tops)]
            )
            for bank, row in enumerate(rows[-1]):
                self.math.named(row, f"{_name(cell)}_row{len(rows) - 1}_{bank}")
        self.places[cell] = _Places(cells.cycle, remainders, rows)
        return self.places[cell]

    def _divided(self, cell: Number, banks: int) -> tuple[Number, Number]:
        """Quotient and remainder by the number of banks."""
        bits = (banks - 1).bit_length()
        if cell.high < banks:
            return self.math.constant(0), cell
        if 1 << bits == banks:
            remainder = Number(self.build.part(cell.wire, 0, bits), 0, banks - 1)
            return self.math.shifted_right(cell, bits), remainder
        # cell / banks as a product: exact where 2^shift is above cell * banks.
        shift = (cell.high * banks).bit_length()
        scaled = self.math.times(cell, -(-(1 << shift) // banks))
        high = cell.high // banks
        whole = self.math.shifted_right(scaled, shift)
        quotient = Number(self.math.extended(whole, self.math.constant(high).bits), 0, high)
        rest = self.math.difference(cell, self.math.times(quotient, banks))
        return quotient, Number(self.build.part(rest.wire, 0, bits), 0, banks - 1)

    def _row(self, quotient: Number, remainder: Number, bank: int, top: int) -> Number:
        """Where in a bank the coefficient is that takes part: one further in banks before it."""
        row = quotient
        if remainder.high > bank:
            further = comb.ICmpOp(remainder.wire, self.build.constant(bank, remainder.bits), "ugt")
            row = self.math.sum(quotient, Number(self.build.add(further), 0, 1))
        return Number(self.math.resized(row, self.math.constant(top).bits), 0, top)

    def _rotated(self, basis: SSAValue, cell: SSAValue) -> _Timed:
        """A basis bank by bank, one cycle after it was read from tables."""
        if (basis, cell) in self.rotated:
            return self.rotated[basis, cell]
        timed = self.values[basis]
        count = timed.numbers.shape[1]
        places = self._placed(cell, count)
        numbers: list[Number] = []
        for index, row in enumerate(self._at(timed, max(timed.cycle, places.cycle))):
            remainder = places.remainders[index]
            for bank in range(count):
                # Coefficient cell + j is in this bank for j = bank - cell.
                options = [row[(bank - rest) % count] for rest in range(remainder.high + 1)]
                key = (*(option.wire for option in options), remainder.wire)
                if key not in self.choices:
                    chosen = self.math.chosen(options, remainder.wire, remainder.bits)
                    self.choices[key] = self.math.named(chosen, f"{_name(basis)}{index}_bank{bank}")
                numbers.append(self._delayed(self.choices[key], 1))
        cycle = max(timed.cycle, places.cycle) + 1
        self.rotated[basis, cell] = _Timed(_array(numbers, timed.numbers.shape), cycle)
        return self.rotated[basis, cell]

    def _read(self, state: SSAValue, cell: SSAValue) -> _Timed:
        """The coefficients that take part, bank by bank, a cycle after their cells are there.

        Memories of lookup tables are read in that cycle, so that what the cycle before has written
        is there; memories in blocks a cycle earlier.
        """
        if state in self.reads:
            return self.reads[state]
        layer = self.step.states.index(state)
        places = self._placed(cell, self.map.banks[layer])
        kind, within = self.number, self.map.rows(layer) <= DISTRIBUTED_WORDS
        numbers: list[Number] = []
        for bank in self._banks_of(layer):
            address = self._address(bank, places.rows[bank.input][bank.number])
            self.math.named(address, f"{_name(cell)}_address{bank.input}_{bank.number}")
            self.addresses[bank] = address.wire
            memory = self.memories[bank]
            name = f"{self._edge(bank)}_word{bank.number}"
            self.words[bank] = self.build.add(
                MemoryWordOp(memory, self._after(address.wire, 1))
                if within
                else MemoryReadOp(memory, address.wire, self.clock),
                name,
            )
            numbers.append(Number(self.words[bank], kind.low, kind.high))
        outputs, inputs, _ = self.map.shapes[layer]
        shape = (outputs, inputs, self.map.banks[layer])
        self.read_cycles[state] = places.cycle + within
        self.reads[state] = _Timed(_array(numbers, shape), places.cycle + 1)
        return self.reads[state]

    def _address(self, bank: Bank, row: Number) -> Number:
        """A row, or that of the memory port while it has access."""
        bits = memory_type(self.memories[bank]).address_bits
        own = self.math.resized(row, bits)
        key = (own, self.access)
        if key not in self.choices:
            wire = self.build.add(comb.MuxOp(self.access, self._row_of_access(bits), own))
            self.choices[key] = Number(wire, 0, (1 << bits) - 1)
        return self.choices[key]

    def _gather(self, op: GatherOp) -> None:
        if op.coefficients not in self.step.states:
            raise KanError(f"@{self.step.name}: only states can be gathered in hardware")
        for use in op.result.uses:
            if not isinstance(use.operation, MacOp | CombineOp | UpdateOp):
                raise KanError(
                    f"@{self.step.name}: '{use.operation.name}' cannot read gathered coefficients "
                    "in hardware"
                )
        self.values[op.result] = self._read(op.coefficients, op.cell)

    def _combine(self, op: CombineOp) -> None:
        """Bank by bank, as its terms are, in the cycle in which the last of them is there."""
        for term in op.terms:
            self._require_banked(op, term)
        kind = fixed_type(op.result)
        assert kind is not None
        given = [self._settled(self.values[term]) for term in op.terms]
        cycle = max(term.cycle for term in given)
        terms = [self._at(term, cycle) for term in given]
        shape, name = terms[0].shape, op.given_name or "combined"
        totals: list[Number] = []
        for index, numbers in enumerate(zip(*(term.ravel() for term in terms), strict=True)):
            scaled = [
                self._share(number, factor)
                for number, factor in zip(numbers, op.scaled_factors.tolist(), strict=True)
            ]
            total = scaled[0]
            for other in scaled[1:]:
                total = self.math.sum(total, other)
            rounded = self.math.saturated(self.math.rounded(total, FACTOR_BITS), kind)
            totals.append(self.math.named(rounded, f"{name}{index}"))
        self.values[op.result] = _Timed(_array(totals, shape), cycle, settled=False)

    def _require_banked(self, op: Operation, value: SSAValue) -> None:
        if not isinstance(value.owner, GatherOp | CombineOp):
            raise KanError(
                f"@{self.step.name}: '{op.name}' takes numbers that were gathered, or combined of "
                "such, in hardware"
            )

    def _share(self, number: Number, factor: int) -> Number:
        """A number times a factor; or less what it loses, where that is the simpler product."""
        lost = (1 << FACTOR_BITS) - factor
        if lost.bit_count() >= factor.bit_count():
            return self.math.times(number, factor)
        whole = self.math.shifted_left(number, FACTOR_BITS)
        return whole if lost == 0 else self.math.difference(whole, self.math.times(number, lost))

    def _mac(self, op: MacOp) -> None:
        gather = op.active.owner
        if not isinstance(gather, GatherOp) or op.basis not in self.values:
            raise KanError(f"@{self.step.name}: kan.mac takes gathered coefficients and a basis")
        active, basis = self.values[op.active], self._rotated(op.basis, gather.cell)
        cycle = max(active.cycle, basis.cycle)
        coefficients, weights = self._at(active, cycle), self._at(basis, cycle)
        terms = _array(
            [
                self.math.product(old, weight)
                for node in coefficients
                for old, weight in zip(node.ravel(), weights.ravel(), strict=True)
            ],
            coefficients.shape,
        )
        shape = tensor_shape(op.result)
        terms = terms.reshape(*shape, -1)
        self.values[op.result] = self._accumulated(op, terms, cycle, (op.active, op.basis))

    def _backpropagate(self, op: BackpropagateOp) -> None:
        error, slopes = self._settled(self.values[op.error]), self._settled(self.values[op.slopes])
        cycle = max(error.cycle, slopes.cycle)
        errors, factors = self._at(error, cycle), self._at(slopes, cycle)
        outputs, inputs = factors.shape
        terms = _array(
            [
                self.math.product(errors[o], factors[o, i])
                for i in range(inputs)
                for o in range(outputs)
            ],
            (inputs, outputs),
        )
        self.values[op.result] = self._accumulated(op, terms, cycle, (op.error, op.slopes))

    def _accumulated(
        self, op: MacOp | BackpropagateOp, terms: Numbers, cycle: int, operands: Sequence[SSAValue]
    ) -> _Timed:
        """Sums over the last axis, rounded: at most two adders in a row in a stage.

        Those behind products and those in front of rounding are as many, or one more behind
        products.
        """
        left, right, kind = (fixed_type(value) for value in (*operands, op.result))
        assert left is not None and right is not None and kind is not None
        name, first = op.given_name or "sum", cycle
        levels = (terms.shape[-1] - 1).bit_length()
        row = min(2, (levels + 1) // 2)
        while levels:
            for _ in range(row):
                terms = self._paired(terms)
            levels -= row
            if cycle == first or levels:
                terms, cycle = self._registered(terms, name, cycle)
            row = min(2, levels)
        shift = left.fraction + right.fraction - kind.fraction
        numbers = [
            self.math.named(
                self.math.saturated(self.math.rounded(total, shift), kind), f"{name}{index}"
            )
            for index, total in enumerate(terms.ravel())
        ]
        return _Timed(_array(numbers, terms.shape[:-1]), cycle, settled=False)

    def _paired(self, terms: Numbers) -> Numbers:
        """Sums of neighbours along the last axis."""
        count = terms.shape[-1]
        rows = [
            [
                self.math.sum(row[k], row[k + 1]) if k + 1 < count else row[k]
                for k in range(0, count, 2)
            ]
            for row in terms.reshape(-1, count)
        ]
        flat = [number for row in rows for number in row]
        return _array(flat, (*terms.shape[:-1], -(-count // 2)))

    def _registered(self, terms: Numbers, name: str, cycle: int) -> tuple[Numbers, int]:
        for index, number in enumerate(terms.ravel()):
            row, part = divmod(index, terms.shape[-1])
            self.math.named(number, f"{name}{row}_part{part}")
        return _map(lambda number: self._delayed(number, 1), terms), cycle + 1

    def _error(self, op: ErrorOp) -> None:
        """In the cycle in which the output is there, be it at the end of its logic."""
        output, target = self.values[op.output], self.values[op.target]
        cycle = max(output.cycle, target.cycle)
        kind = fixed_type(op.result)
        assert kind is not None
        name = op.given_name or "error"
        numbers = [
            self.math.named(self.math.saturated(self.math.difference(t, y), kind), f"{name}{index}")
            for index, (t, y) in enumerate(
                zip(self._at(target, cycle), self._at(output, cycle), strict=True)
            )
        ]
        self.values[op.result] = _Timed(_array(numbers, (len(numbers),)), cycle, settled=False)

    def _update(self, op: UpdateOp) -> None:
        state = op.coefficients
        layer = self.step.states.index(state)
        origin = self._read(state, op.cell)
        if op.origin is not None:
            self._require_banked(op, op.origin)
            origin = self._settled(self.values[op.origin])
        weights = self._rotated(op.weights, op.cell)
        error = self._settled(self.values[op.error])
        cycle = max(origin.cycle, weights.cycle, error.cycle)
        places = self._placed(op.cell, self.map.banks[layer])
        left, right = fixed_type(op.error), fixed_type(op.weights)
        assert left is not None and right is not None
        shift = left.fraction + right.fraction - self.number.fraction
        errors, factors = self._at(error, cycle), self._at(weights, cycle)
        origins = self._at(origin, cycle)
        enable = self._after(self.trained, cycle, clear=True)
        for bank in self._banks_of(layer):
            step = self.math.product(errors[bank.output], factors[bank.input, bank.number])
            old = origins[bank.output, bank.input, bank.number]
            moved = self.math.saturated(self.math.rounded(step, shift, plus=old), self.number)
            self.math.named(moved, f"{self._edge(bank)}_next{bank.number}")
            row = self._after(self.addresses[bank], cycle - places.cycle)
            self._write(bank, row, self.math.extended(moved, self.number.bits), enable)
        self.write_cycles[state] = cycle

    def _write(self, bank: Bank, row: SSAValue, data: SSAValue, enable: SSAValue) -> None:
        """Writes what training gives, or what the memory port brings."""
        chosen = self.build.add(comb.MuxOp(self.access, self.mem_data, data))
        accessed = self._and([self.access, self.mem_write, self._is_accessed(bank)])
        either = self._or([enable, accessed])
        bits = memory_type(self.memories[bank]).address_bits
        address = self._address(bank, Number(row, 0, (1 << bits) - 1))
        op = MemoryWriteOp(self.memories[bank], address.wire, chosen, either, self.clock)
        self.build.block.add_op(op)


def _array(numbers: Sequence[Number], shape: Sequence[int]) -> Numbers:
    array = np.empty(len(numbers), dtype=object)
    array[:] = numbers
    return array.reshape(tuple(shape))


def _map(function: Callable[[Number], Number], numbers: Numbers) -> Numbers:
    return _array([function(number) for number in numbers.ravel()], numbers.shape)


def _name(value: SSAValue) -> str:
    owner = value.owner
    name = owner.given_name if isinstance(owner, KanOperation) else None
    return name or "layer"
