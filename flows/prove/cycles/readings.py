"""Whether two readings of a file are one design, as terms.

Inputs, registers, memories and instances are variables, known by name. Two readings are the same
where each name is the same term in both, each output too, and each register and memory loads the
same at the same edge: then what is proven of one is proven of the other.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterator, Sequence

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.machine import REGISTERS, Machine
from kan_dialect.flows.prove.cycles.terms import Pool, Term
from kan_dialect.flows.prove.netlist import Bit, Cell, Netlist


def difference_of_readings(first: Netlist, second: Netlist) -> str | None:
    """The name of a signal that is not the same term in both; None if all are.

    `second` may have names that `first` has not.
    """
    for ours, theirs in ((first.inputs, second.inputs), (first.outputs, second.outputs)):
        if {name: len(bits) for name, bits in ours.items()} != {
            name: len(bits) for name, bits in theirs.items()
        }:
            return "ports"
    if first.ports != second.ports:
        return "ports"
    names = sorted(first.names)
    if (missing := next((name for name in names if name not in second.names), None)) is not None:
        return missing
    pool = Pool()
    held = _held(first, names) & _held(second, names)
    try:
        ours, theirs = (dict(_Reading(each, names, held, pool).facts()) for each in (first, second))
    except KanError as error:
        return str(error)
    return next((key for key in [*ours, *theirs] if ours.get(key) != theirs.get(key)), None)


def _held(netlist: Netlist, names: Sequence[str]) -> set[tuple[str, int]]:
    """The names, each with the index of a bit, of bits that registers hold."""
    registers = {
        bit for cell in netlist.cells if cell.kind in REGISTERS for bit in cell.connections["Q"]
    }
    return {
        (name, index)
        for name in names
        for index, bit in enumerate(netlist.names[name])
        if bit in registers
    }


class _Reading:
    """One netlist in a cycle; the pool is shared."""

    def __init__(
        self, netlist: Netlist, names: Sequence[str], held: Container[tuple[str, int]], pool: Pool
    ) -> None:
        self.netlist, self.names, self.pool = netlist, names, pool
        self.named: dict[Bit, tuple[str, int]] = {}
        """Of each bit of a register its first name in both readings, and which bit of that it is. A
        signal that is a register's in one reading alone is a function of it in the other."""
        for name in names:
            for index, bit in enumerate(netlist.names[name]):
                if (name, index) in held:
                    self.named.setdefault(bit, (name, index))
        self.partial: dict[Term, int] = {}
        self.machine = Machine(
            netlist,
            pool,
            read_word=lambda cell, _, address: self._variable(
                f"{cell.memory}[{_number_of(address)}]", cell.connections["DATA"]
            ),
            instance_word=lambda cell, _: self._variable(
                f"{cell.memory} {cell.name}", cell.connections["Y"]
            ),
            clock=None,
            partial=self.partial,
        )
        self.machine.start = {cell: self._register(cell) for cell in self.machine.registers()}

    def _variable(self, name: str, bits: Sequence[Bit]) -> Term:
        return self.pool.variable(name, len(bits))

    def _register(self, cell: Cell) -> Term:
        """What a register holds: the bits of its names."""
        return self.pool.row(map(self._bit, cell.connections["Q"]))

    def _bit(self, bit: Bit) -> Term:
        if bit not in self.named:
            # A register without a name that both readings have has no counterpart.
            return self.pool.variable(f"{id(self)}:{bit}", 1)
        name, index = self.named[bit]
        whole = self._variable(f"{name}, a register", self.netlist.names[name])
        return self.pool.part(whole, index, 1)

    def _word(self, bits: Sequence[Bit]) -> Term:
        return self.machine.word(bits, 0)

    def facts(self) -> Iterator[tuple[str, Hashable]]:
        """What signals are, what registers and memories load, what instances are given, by name."""
        for name in self.names:
            yield name, self._word(self.netlist.names[name])
        for name, bits in self.netlist.outputs.items():
            yield f"output {name}", self._word(bits)
        for cell in self.machine.registers():
            for bit, loaded in zip(cell.connections["Q"], cell.connections["D"], strict=True):
                # What reads a register without a name differs from all of the other reading.
                if bit in self.named:
                    name, index = self.named[bit]
                    yield f"{name}[{index}]", (self._word([loaded]), *self._clock(cell))
        for name, memory in self.netlist.memories.items():
            writes = tuple(tuple(self._written(cell)) for cell in memory.writes)
            yield name, (memory.width, tuple(memory.entries), writes)
        for name, instance in self.netlist.instances.items():
            given = {port: self._word(bits) for port, bits in sorted(instance.inputs.items())}
            yield name, (instance.module, *given.items())
        yield "tables", frozenset(self.partial.items())

    def _clock(self, cell: Cell) -> tuple[Term, int | None]:
        return self._word(cell.connections["CLK"]), cell.parameters.get("CLK_POLARITY")

    def _written(self, cell: Cell) -> Iterator[Hashable]:
        """What a write port writes. Yosys has x for address and data where it writes nothing."""
        enables = {self._word([bit]): self.pool.constant(1, 1) for bit in cell.connections["EN"]}
        yield from self._clock(cell)
        yield from enables
        address, data = (
            self.pool.rebuilt(self._word(cell.connections[port]), enables)
            for port in ("ADDR", "DATA")
        )
        yield _number_of(address)
        yield data


def _number_of(address: Term) -> str:
    """A name that equal addresses have, also of different widths."""
    while address.kind == "zext":
        (address,) = address.args
    return f"{address.data}" if address.is_constant else f"term {address.number}"
