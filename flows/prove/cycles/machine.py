"""Signals of a design with memories as terms, cycle by cycle.

The design is run forward from a state that is free: in cycle 0 every register holds a variable of
its own, or what a reset leaves in it. What a memory is read as is a variable, too, one for each
reading and cycle, whose address is kept. So what holds of the terms holds whatever came before,
and whatever is in the memories.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import count, groupby
from typing import ClassVar, TypeAlias

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.terms import Pool, Term
from kan_dialect.flows.prove.netlist import (
    RESULTS,
    Bit,
    Cell,
    InputPort,
    Netlist,
    Source,
    check_clock,
    width_without_extension,
)

Key: TypeAlias = tuple[Source, int]
"""What drives a signal, and the cycle."""

REGISTERS = ("dff",)

_UNREAD = frozenset({"CLK", "EN", "ARST", "SRST"})


@dataclass(frozen=True)
class Reading:
    """A memory that is read."""

    cell: Cell
    cycle: int
    address: Term
    word: Term
    """The variable that stands for the word."""


@dataclass(frozen=True)
class Writing:
    """The write port of a memory in a cycle."""

    enable: Term
    address: Term
    data: Term


Inputs: TypeAlias = Mapping[tuple[str, int], Term]
"""Input ports, and bits of output ports, that are given: by port and cycle."""


@dataclass
class Machine:
    """A design, run from a free state."""

    netlist: Netlist
    pool: Pool
    given: Inputs = field(default_factory=dict[tuple[str, int], Term])
    """Values of ports that are not variables."""
    start: Mapping[Cell, Term] = field(default_factory=dict[Cell, Term])
    """Values of registers in cycle 0 that are not variables."""
    read_word: Callable[[Cell, int, Term], Term] | None = None
    """Words read from a memory, by cycle and address, that are not variables."""
    instance_word: Callable[[Cell, int], Term] | None = None
    """Outputs of instances, by cycle."""
    clock: str | None = "clk"
    """Of all registers; None: they are not checked."""
    readings: dict[Key, Reading] = field(default_factory=dict[Key, Reading])
    cuts: Mapping[tuple[Bit, int], tuple[Term, int]] = field(
        default_factory=dict[tuple[Bit, int], tuple[Term, int]]
    )
    """By net and cycle: a term that stands for it, and which bit of that."""
    partial: dict[Term, int] | None = None
    """Of tables without a word for each index, the last index. None: these are refused, and so are
    divisions and bits that are picked out of signals."""
    _known: dict[Key, Term] = field(default_factory=dict[Key, Term])
    undefined: ClassVar[Iterator[int]] = count()

    def __post_init__(self) -> None:
        # An output port that is given in a cycle stands for what drives it.
        self._given_bits = dict(self.cuts)
        for (port, cycle), term in self.given.items():
            bits = self.netlist.outputs.get(port)
            if bits is not None and len(bits) == 1:
                self._given_bits[bits[0], cycle] = term, 0

    def port(self, name: str, cycle: int) -> Term:
        """An input or output port in a cycle."""
        bits = self.netlist.outputs.get(name) or self.netlist.inputs.get(name)
        if bits is None:
            raise KanError(f"the design has no port {name}")
        return self.word(bits, cycle)

    def writing(self, cell: Cell, cycle: int) -> Writing:
        """The action of a write port at the end of a cycle."""
        ports = cell.connections
        enables = {self.word([bit], cycle) for bit in ports["EN"]}
        if len(enables) != 1:
            raise KanError(f"{cell.place}: a memory whose words are written in part")
        return Writing(
            enables.pop(),
            self.word(ports["ADDR"], cycle),
            self.word(ports["DATA"], cycle),
        )

    def next_state(self, cell: Cell, cycle: int) -> Term:
        """The value of a register in the next cycle."""
        return self.word(cell.connections["D"], cycle)

    def registers(self) -> list[Cell]:
        """All registers, in the order of the file."""
        return [cell for cell in self.netlist.cells if cell.kind in REGISTERS]

    # Walking.

    def word(self, bits: Sequence[Bit], cycle: int) -> Term:
        """A word in a cycle.

        Raises
        ------
        KanError : a cell that is not known here, a loop, or an undefined value.
        """
        pending: list[Key] = list(self._reads(bits, cycle))
        opened: set[Key] = set()
        while pending:
            key = pending[-1]
            if key in self._known:
                pending.pop()
                continue
            needed = [k for k in self._inputs(key) if k not in self._known]
            if not needed:
                self._known[key] = self._evaluate(key)
                opened.discard(key)
                pending.pop()
                continue
            if key in opened:
                raise KanError(f"{key[0].name} depends on itself")
            opened.add(key)
            pending.extend(needed)
        return self._joined(bits, cycle)

    def _inputs(self, key: Key) -> Iterator[Key]:
        source, cycle = key
        if not isinstance(source, Cell):
            return
        if source.kind in REGISTERS:
            if cycle > 0:
                yield from self._reads(source.connections["D"], cycle - 1)
            return
        for port, bits in source.connections.items():
            if port not in RESULTS and port not in _UNREAD:
                yield from self._reads(bits, cycle)

    def _reads(self, bits: Sequence[Bit], cycle: int) -> Iterator[Key]:
        for bit in dict.fromkeys(bits):
            if isinstance(bit, int) and (bit, cycle) not in self._given_bits:
                yield self._driver(bit)[0], cycle

    def _driver(self, bit: Bit) -> tuple[Source, int]:
        found = self.netlist.drivers.get(bit)
        if found is None:
            raise KanError("the design reads a signal that nothing drives")
        return found

    def _joined(self, bits: Sequence[Bit], cycle: int) -> Term:
        """Bits of sources that are known, side by side."""
        least = width_without_extension(bits)
        if least < len(bits):
            return self.pool.extended(self._joined(bits[:least], cycle), len(bits), signed=True)
        return self.pool.row(self._pieces(bits, cycle))

    def _pieces(self, bits: Sequence[Bit], cycle: int) -> Iterator[Term]:
        """Neighbouring bits of one term each, the lowest first."""
        for (source, shift), run in groupby(enumerate(bits), lambda at: self._place(*at, cycle)):
            places = [index for index, _ in run]
            first, width = places[0], len(places)
            if isinstance(source, Term):
                yield self.pool.part(source, first + shift, width)
            elif source == "x":
                yield self._undefined(width)
            else:
                yield self.pool.constant(self._number(bits[first : first + width]), width)

    def _place(self, index: int, bit: Bit, cycle: int) -> tuple[Term | str, int]:
        """What a bit of a word is a bit of, and its place there less `index`."""
        if isinstance(bit, str):
            return ("constant" if bit in ("0", "1") else "x"), 0
        if (bit, cycle) in self._given_bits:
            term, place = self._given_bits[bit, cycle]
            return term, place - index
        source, place = self._driver(bit)
        return self._known[source, cycle], place - index

    def _undefined(self, width: int) -> Term:
        """A new variable: an unknown value that differs at each use."""
        return self.pool.variable(f"x:{next(self.undefined)}", width)

    def _number(self, bits: Sequence[Bit]) -> int:
        if any(bit not in ("0", "1") for bit in bits):
            raise KanError("the design reads a constant x as a number")
        return sum(1 << index for index, bit in enumerate(bits) if bit == "1")

    # Cells.

    def _evaluate(self, key: Key) -> Term:
        source, cycle = key
        if isinstance(source, InputPort):
            width = len(self.netlist.inputs[source.name])
            given = self.given.get((source.name, cycle))
            return given or self.pool.variable(f"{source.name}@{cycle}", width)
        width = len(source.connections[next(p for p in RESULTS if p in source.connections)])
        return self._cell(source, cycle, width)

    def _operand(self, cell: Cell, port: str, cycle: int, width: int, *, signed: bool) -> Term:
        word = self._joined(cell.connections[port], cycle)
        return self.pool.extended(word, width, signed=signed)

    def _cell(self, cell: Cell, cycle: int, width: int) -> Term:
        pool, kind, ports = self.pool, cell.kind, cell.connections
        signed = bool(cell.parameters.get("A_SIGNED", 0) and cell.parameters.get("B_SIGNED", 1))

        def operands(bits: int) -> list[Term]:
            return [self._operand(cell, port, cycle, bits, signed=signed) for port in "AB"]

        def truth(port: str) -> Term:
            word = self._joined(ports[port], cycle)
            return pool.inverted(pool.equal(word, pool.constant(0, word.width)))

        match kind:
            case "dff":
                if self.clock is not None:
                    check_clock(self.netlist, cell, self.clock)
                if cycle == 0:
                    return self.start.get(cell) or pool.variable(f"{cell.name}@0", width)
                return self._joined(ports["D"], cycle - 1)
            case "instance" if self.instance_word is not None:
                return self.instance_word(cell, cycle)
            case "memrd" | "memrd_v2":
                return self._reading(cell, cycle, width)
            case "add" | "sub" | "mul" | "and" | "or" | "xor":
                return pool.make(kind, width, operands(width))
            case "xnor":
                return pool.inverted(pool.make("xor", width, operands(width)))
            case "pos":
                return self._operand(cell, "A", cycle, width, signed=signed)
            case "not":
                return pool.inverted(self._operand(cell, "A", cycle, width, signed=signed))
            case "neg":
                word = self._operand(cell, "A", cycle, width, signed=signed)
                return pool.make("sub", width, [pool.constant(0, width), word])
            case "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "eqx" | "nex":
                return self._compared(kind, operands(max(len(ports["A"]), len(ports["B"]))), signed)
            case "logic_and":
                return pool.both(truth("A"), truth("B"))
            case "logic_or":
                return pool.any_of([truth("A"), truth("B")])
            case "logic_not":
                return pool.inverted(truth("A"))
            case "reduce_or" | "reduce_bool":
                return truth("A")
            case "reduce_and":
                word = self._joined(ports["A"], cycle)
                return pool.equal(word, pool.constant(-1, word.width))
            case "reduce_xor" | "reduce_xnor":
                word = self._joined(ports["A"], cycle)
                bits = [pool.part(word, index, 1) for index in range(word.width)]
                odd = reduce(lambda a, b: pool.make("xor", 1, [a, b]), bits)
                return odd if kind == "reduce_xor" else pool.inverted(odd)
            case "shl" | "sshl" | "shr" | "sshr":
                return self._shifted(cell, cycle, width)
            case "mux":
                return pool.chosen(
                    self._joined(ports["S"], cycle),
                    self._joined(ports["B"], cycle),
                    self._joined(ports["A"], cycle),
                )
            case "shiftx":
                return self._picked(cell, cycle, width)
            case "div" | "mod" if self.partial is not None:
                return pool.opaque(f"{kind}, signed: {signed}", width, operands(width))
            case _:
                raise KanError(
                    f"{cell.place}: the proof does not know Yosys's cell ${cell.kind}",
                    remedy="prove RTL that kan-flow build wrote",
                )

    def _compared(self, kind: str, operands: Sequence[Term], signed: bool) -> Term:
        pool, less = self.pool, "slt" if signed else "ult"
        left, right = operands
        match kind:
            case "eq" | "eqx":
                return pool.equal(left, right)
            case "ne" | "nex":
                return pool.inverted(pool.equal(left, right))
            case "lt":
                return pool.make(less, 1, [left, right])
            case "gt":
                return pool.make(less, 1, [right, left])
            case "ge":
                return pool.inverted(pool.make(less, 1, [left, right]))
            case _:
                return pool.inverted(pool.make(less, 1, [right, left]))

    def _shifted(self, cell: Cell, cycle: int, width: int) -> Term:
        """A choice between shifts by powers of two, for each bit of the amount."""
        pool, left = self.pool, cell.kind in ("shl", "sshl")
        signed = bool(cell.parameters.get("A_SIGNED")) and cell.kind != "shr"
        size = max(width, len(cell.connections["A"]))
        word = self._operand(cell, "A", cycle, size, signed=bool(cell.parameters.get("A_SIGNED")))
        amount = self._joined(cell.connections["B"], cycle)
        for place in range(amount.width):
            by = min(1 << place, size)
            zeros = pool.constant(0, by)
            if left:
                moved = pool.part(pool.joined(word, zeros), 0, size)
            else:
                moved = pool.part(pool.extended(word, size + by, signed=signed), by, size)
            word = pool.chosen(pool.part(amount, place, 1), moved, word)
        return pool.part(word, 0, width)

    def _picked(self, cell: Cell, cycle: int, width: int) -> Term:
        """`width` bits of a word, from the one on that an index says."""
        bits = cell.connections["A"]
        is_constant = all(isinstance(bit, str) for bit in bits)
        if self.partial is not None and not is_constant:
            return self._shifted(cell, cycle, width)
        if not is_constant or cell.parameters.get("B_SIGNED"):
            raise KanError(f"{cell.place}: bits are picked out of a signal, not of a constant")
        index = self._joined(cell.connections["B"], cycle)
        whole, mask = self._number(bits), (1 << width) - 1
        words = [whole >> low & mask for low in range(len(bits) - width + 1)]
        return self._table(cell, width, index, words)

    def _table(self, cell: Cell, width: int, index: Term, words: Sequence[int]) -> Term:
        """A word of a table, by its index."""
        size = 1 << index.width
        entries = [*words[:size], *[0] * (size - len(words))]
        found = self.pool.make("table", width, [index], tuple(entries))
        if len(words) < size:
            if self.partial is None or index.is_constant:
                raise KanError(f"{cell.place}: an index may lie beyond the table that it reads")
            last = len(words) - 1
            self.partial[found] = min(last, self.partial.get(found, last))
        return found

    def _reading(self, cell: Cell, cycle: int, width: int) -> Term:
        if cell.parameters.get("CLK_ENABLE"):
            raise KanError(f"{cell.place}: a memory that is read with a clock of its own")
        address = self._joined(cell.connections["ADDR"], cycle)
        memory = self.netlist.memories[cell.memory]
        words = [word for word in memory.entries if word is not None]
        whole = self.partial is not None or len(words) >= 1 << address.width
        if not memory.writes and whole and len(words) == len(memory.entries):
            return self._table(cell, width, address, words)
        if self.read_word is not None:
            word = self.read_word(cell, cycle, address)
        else:
            word = self.pool.variable(f"{cell.name}@{cycle}", width)
        self.readings[cell, cycle] = Reading(cell, cycle, address, word)
        return word
