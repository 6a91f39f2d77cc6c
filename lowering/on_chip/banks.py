"""Memories of coefficients: where a sample's coefficients are, and reads and writes of them.

Coefficient j of an edge is in bank j mod (degree + 1), so that one read and one write of each bank
serve all coefficients that take part in a sample. The memory port shares reads and writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from xdsl.dialects import comb
from xdsl.ir import SSAValue

from kan_dialect.ir.fixed_point import FixedType
from kan_dialect.ir.operation import KanOperation
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.lowering.on_chip.datapath import Datapath, Number
from kan_dialect.lowering.on_chip.schedule import Schedule, Timed, number_array
from kan_dialect.model.on_chip.coefficient_memory import Bank, MemoryMap
from kan_dialect.model.on_chip.training_step import Step
from kan_dialect.ops.memory import (
    DISTRIBUTED_WORDS,
    MemoryOp,
    MemoryReadOp,
    MemoryWordOp,
    MemoryWriteOp,
    memory_type,
)


@dataclass(frozen=True)
class MemoryPort:
    """The wires by which a host reads and writes coefficients."""

    access: SSAValue
    """An access takes place in this cycle."""
    is_write: SSAValue
    address: SSAValue
    data: SSAValue


@dataclass(frozen=True)
class Places:
    """Where the inputs of a layer lie, in the cycle in which its memories are read."""

    cycle: int
    remainders: list[Number]
    """The cell modulo the number of banks, by input."""
    rows: list[list[Number]]
    """The row of the coefficient that takes part, by input and bank."""


@dataclass
class CoefficientBanks:
    """The memories of one training step."""

    step: Step
    map: MemoryMap
    number: FixedType
    """Of the coefficients."""
    clock: SSAValue
    port: MemoryPort
    build: HwBuilder
    math: Datapath
    time: Schedule

    memories: dict[Bank, SSAValue] = field(default_factory=dict[Bank, SSAValue])
    addresses: dict[Bank, SSAValue] = field(default_factory=dict[Bank, SSAValue])
    """Read addresses, in the cycle in which the cells are there."""
    words: dict[Bank, SSAValue] = field(default_factory=dict[Bank, SSAValue])
    """The words that were read."""
    places: dict[SSAValue, Places] = field(default_factory=dict[SSAValue, Places])
    """By the cells that they come from."""
    reads: dict[SSAValue, Timed] = field(default_factory=dict[SSAValue, Timed])
    """By state: the coefficients that take part, bank by bank, (out, in, banks)."""
    rotations: dict[tuple[SSAValue, SSAValue], Timed] = field(
        default_factory=dict[tuple[SSAValue, SSAValue], Timed]
    )
    """By basis and cells: the basis bank by bank, (in, banks)."""
    choices: dict[tuple[SSAValue, ...], Number] = field(
        default_factory=dict[tuple[SSAValue, ...], Number]
    )
    """Multiplexers by their inputs."""
    read_cycles: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])
    write_cycles: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])

    def __post_init__(self) -> None:
        states = self.step.initial()
        for bank in self.map.all_banks():
            words = self.map.words(bank, states[bank.layer])
            name = f"{self.edge(bank)}_bank{bank.number}"
            op = MemoryOp(len(words), self.number.bits, words, name)
            self.memories[bank] = self.build.add(op)

    def edge(self, bank: Bank) -> str:
        """The name of the edge that a bank is a part of."""
        layers = self.step.layers
        kind = "edge" if bank.layer < layers else "velocity"
        return f"layer{bank.layer % layers}_{kind}{bank.output}_{bank.input}"

    def of_layer(self, layer: int) -> Iterator[Bank]:
        """The banks of a layer's state."""
        return (bank for bank in self.map.all_banks() if bank.layer == layer)

    def placed(self, cell: SSAValue, banks: int) -> Places:
        """The remainders of the cells, and the rows to read of each bank."""
        if cell in self.places:
            return self.places[cell]
        cells = self.time.ready(cell)
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
                self.math.named(row, f"{value_name(cell)}_row{len(rows) - 1}_{bank}")
        self.places[cell] = Places(cells.cycle, remainders, rows)
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
        """The row of the coefficient that takes part, one further in banks below the remainder."""
        row = quotient
        if remainder.high > bank:
            further = comb.ICmpOp(remainder.wire, self.build.constant(bank, remainder.bits), "ugt")
            row = self.math.sum(quotient, Number(self.build.add(further), 0, 1))
        return Number(self.math.resized(row, self.math.constant(top).bits), 0, top)

    def rotated(self, basis: SSAValue, cell: SSAValue) -> Timed:
        """The basis functions bank by bank, one cycle after their tables."""
        if (basis, cell) in self.rotations:
            return self.rotations[basis, cell]
        timed = self.time.values[basis]
        count = timed.numbers.shape[1]
        places = self.placed(cell, count)
        numbers: list[Number] = []
        for index, row in enumerate(self.time.at(timed, max(timed.cycle, places.cycle))):
            remainder = places.remainders[index]
            for bank in range(count):
                # Coefficient cell + j is in this bank for j = bank - cell.
                options = [row[(bank - rest) % count] for rest in range(remainder.high + 1)]
                key = (*(option.wire for option in options), remainder.wire)
                if key not in self.choices:
                    chosen = self.math.chosen(options, remainder.wire, remainder.bits)
                    name = f"{value_name(basis)}{index}_bank{bank}"
                    self.choices[key] = self.math.named(chosen, name)
                numbers.append(self.time.delayed(self.choices[key], 1))
        cycle = max(timed.cycle, places.cycle) + 1
        self.rotations[basis, cell] = Timed(number_array(numbers, timed.numbers.shape), cycle)
        return self.rotations[basis, cell]

    def read(self, state: SSAValue, cell: SSAValue) -> Timed:
        """The coefficients that take part, bank by bank, a cycle after their cells are there.

        Memories of lookup tables are read in that cycle, after the write of the cycle before.
        Memories in blocks are read a cycle earlier.
        """
        if state in self.reads:
            return self.reads[state]
        layer = self.step.states.index(state)
        places = self.placed(cell, self.map.banks[layer])
        kind, within = self.number, self.map.rows(layer) <= DISTRIBUTED_WORDS
        numbers: list[Number] = []
        for bank in self.of_layer(layer):
            address = self._address(bank, places.rows[bank.input][bank.number])
            self.math.named(address, f"{value_name(cell)}_address{bank.input}_{bank.number}")
            self.addresses[bank] = address.wire
            memory = self.memories[bank]
            name = f"{self.edge(bank)}_word{bank.number}"
            self.words[bank] = self.build.add(
                MemoryWordOp(memory, self.time.after(address.wire, 1))
                if within
                else MemoryReadOp(memory, address.wire, self.clock),
                name,
            )
            numbers.append(Number(self.words[bank], kind.low, kind.high))
        outputs, inputs, _ = self.map.shapes[layer]
        shape = (outputs, inputs, self.map.banks[layer])
        self.read_cycles[state] = places.cycle + within
        self.reads[state] = Timed(number_array(numbers, shape), places.cycle + 1)
        return self.reads[state]

    def _address(self, bank: Bank, row: Number) -> Number:
        """A row, or the row of the memory port during an access."""
        bits = memory_type(self.memories[bank]).address_bits
        own = self.math.resized(row, bits)
        key = (own, self.port.access)
        if key not in self.choices:
            wire = self.build.add(comb.MuxOp(self.port.access, self._row_of_access(bits), own))
            self.choices[key] = Number(wire, 0, (1 << bits) - 1)
        return self.choices[key]

    def _row_of_access(self, address_bits: int) -> SSAValue:
        """The row that the memory port addresses."""
        held = self.map.row_bits
        if held == 0:
            return self.build.constant(0, address_bits)
        return self.build.part(self.port.address, 0, address_bits)

    def _is_accessed(self, bank: Bank) -> SSAValue:
        """Whether the memory port addresses a bank."""
        rows = self.map.row_bits
        bits = self.map.address_bits - rows
        if bits == 0:
            return self.build.constant(1, 1)
        upper = self.build.part(self.port.address, rows, bits)
        return self.build.add(
            comb.ICmpOp(upper, self.build.constant(self.map.place(bank), bits), "eq")
        )

    def write(self, bank: Bank, row: SSAValue, data: SSAValue, enable: SSAValue) -> None:
        """Writes a new coefficient, or the data of the memory port during an access.

        Parameters
        ----------
        row, data, enable : of the new coefficient, in the cycle of the write.
        """
        port = self.port
        chosen = self.build.add(comb.MuxOp(port.access, port.data, data))
        accessed = self.build.all_of([port.access, port.is_write, self._is_accessed(bank)])
        either = self.build.any_of([enable, accessed])
        bits = memory_type(self.memories[bank]).address_bits
        address = self._address(bank, Number(row, 0, (1 << bits) - 1))
        op = MemoryWriteOp(self.memories[bank], address.wire, chosen, either, self.clock)
        self.build.block.add_op(op)

    def read_word(self) -> SSAValue:
        """The word that the memory port reads, two cycles after the access."""
        rows = self.map.row_bits
        bits = self.map.address_bits - rows
        kind = self.number
        places = {self.map.place(bank): bank for bank in self.map.all_banks()}
        words: list[Number] = []
        for place in range(max(places) + 1):
            wire = self.words[places[place]] if place in places else words[-1].wire
            words.append(Number(wire, kind.low, kind.high))
        index = self.time.after(self.port.address, 1)
        upper = self.build.part(index, rows, bits) if rows and bits else index
        word = self.math.named(self.math.chosen(words, upper, bits), "mem_word")
        return self.time.after(word.wire, 1)


def value_name(value: SSAValue) -> str:
    """The name of a value of the step; "layer" where it has none."""
    owner = value.owner
    name = owner.given_name if isinstance(owner, KanOperation) else None
    return name or "layer"
