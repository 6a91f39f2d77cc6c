"""Whether two readings of a file are one design, cell by cell.

Every word that a cell makes is numbered by the cell's kind and the numbers of what it reads, so the
same function of the same signals has the same number in both netlists. Inputs and registers are
known by name. Two readings are the same where each name is the same word in both, each output too,
and each register loads the same word at the same edge: then what is proven of one is proven of the
other. Where they are not, all obligations are proven of both.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from kan_dialect.flows.prove.netlist import INSTANCE, RESULTS, Bit, Cell, InputPort, Netlist

_UNREAD = frozenset({"CLK", "EN"})
"""Ports of a read that comes within the cycle, which say nothing."""


def difference_of_readings(first: Netlist, second: Netlist) -> str | None:
    """The name of a signal that is not cell by cell the same in both; None if all are.

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
    numbers: dict[Hashable, int] = {}
    sides = [_Numbering(netlist, names, numbers) for netlist in (first, second)]
    for name in names:
        words = [side.word(side.netlist.names[name]) for side in sides]
        if words[0] != words[1]:
            return name
    for name in first.outputs:
        words = [side.word(side.netlist.outputs[name]) for side in sides]
        if words[0] != words[1]:
            return name
    ours, theirs = (side.states() for side in sides)
    for key in [*ours, *theirs]:
        if ours.get(key) != theirs.get(key):
            return key
    return None


@dataclass
class _Numbering:
    """Numbers of the bits of one netlist; `numbers` is shared."""

    netlist: Netlist
    names: Sequence[str]
    numbers: dict[Hashable, int]
    known: dict[Bit, Bit] = field(default_factory=dict[Bit, Bit])
    """Of each net, its number; constants are their own."""

    registers: dict[Bit, tuple[str, int]] = field(default_factory=dict[Bit, tuple[str, int]])
    """Of each bit of a register, its first name, and which bit of that it is."""

    def __post_init__(self) -> None:
        named: dict[Bit, tuple[str, int]] = {}
        for name in self.names:
            for index, bit in enumerate(self.netlist.names[name]):
                named.setdefault(bit, (name, index))
        for bit, (source, index) in self.netlist.drivers.items():
            if isinstance(source, InputPort):
                self.known[bit] = self._number(("input", source.name, index), 1)
            elif source.kind == INSTANCE:
                key = INSTANCE, source.memory, source.name, index
                self.known[bit] = self._number(key, 1)
            elif source.kind == "dff":
                # A register without a name that both readings have has no counterpart.
                if bit in named:
                    self.registers[bit] = named[bit]
                key = named.get(bit, (source.name, index))
                self.known[bit] = self._number(("register", bit in named, *key), 1)

    def _number(self, key: Hashable, width: int) -> int:
        """The first of `width` numbers that stand for a key."""
        found = self.numbers.get(key)
        if found is None:
            found = self.numbers[key] = self.numbers.get(None, 0)
            self.numbers[None] = found + width
        return found

    def word(self, bits: Sequence[Bit]) -> tuple[Bit, ...]:
        """What stands for a word."""
        pending = [bits]
        while pending:
            needed = next(self._unknown(pending[-1]), None)
            if needed is None:
                pending.pop()
                continue
            inputs = [bit for _, word in _inputs(needed) for bit in word]
            if next(self._unknown(inputs), None) is not None:
                pending.append(inputs)
                continue
            self._know(needed)
        return tuple(self._of(bit) for bit in bits)

    def _unknown(self, bits: Sequence[Bit]) -> Iterator[Cell]:
        for bit in bits:
            if isinstance(bit, int) and bit not in self.known and bit in self.netlist.drivers:
                source = self.netlist.drivers[bit][0]
                assert isinstance(source, Cell)
                yield source

    def _of(self, bit: Bit) -> Bit:
        # An undriven bit equals no other bit.
        return bit if isinstance(bit, str) else self.known.get(bit, f"{id(self)}:{bit}")

    def _know(self, cell: Cell) -> None:
        parts = tuple((port, *map(self._of, word)) for port, word in _inputs(cell))
        result = next(cell.connections[port] for port in RESULTS if port in cell.connections)
        first = self._number((_kind(cell), *_settings(cell), parts, len(result)), len(result))
        for index, bit in enumerate(result):
            self.known[bit] = first + index

    def states(self) -> dict[str, Hashable]:
        """What registers load, memories are, and memories and instances are given, by name.

        Without a register that has no name of the file's: what reads it has a number of its own.
        """
        found: dict[str, Hashable] = {}
        for bit, (source, index) in self.netlist.drivers.items():
            if bit in self.registers and isinstance(source, Cell):
                loads = self.word([source.connections["D"][index], *source.connections["CLK"]])
                name, place = self.registers[bit]
                found[f"{name}[{place}]"] = (*loads, *_settings(source))
        for name, memory in self.netlist.memories.items():
            writes = [
                tuple((port, self.word(self._settled(cell, word))) for port, word in _inputs(cell))
                for cell in memory.writes
            ]
            found[name] = (memory.width, tuple(memory.entries), tuple(writes))
        for name, instance in self.netlist.instances.items():
            given = {port: self.word(bits) for port, bits in sorted(instance.inputs.items())}
            found[name] = (instance.module, *given.items())
        return found

    def _settled(self, write: Cell, bits: Sequence[Bit]) -> list[Bit]:
        """A word of a write without the multiplexers in which Yosys keeps its condition.

        Without a write, Yosys has x for address and data; these are not compared then.
        """
        enables = {self._chosen(bit, "0", "1") for bit in write.connections["EN"]}
        if len(enables) != 1 or (enable := enables.pop()) is None:
            return list(bits)
        found: list[Bit] = []
        for bit in bits:
            source, index = self._multiplexer(bit)
            if source is None or source.connections["S"][0] != enable:
                found.append(bit)
            elif source.connections["A"][index] == "x":
                found.append(source.connections["B"][index])
            else:
                found.append(enable if self._chosen(bit, "0", "1") == enable else bit)
        return found

    def _multiplexer(self, bit: Bit) -> tuple[Cell | None, int]:
        source, index = self.netlist.drivers.get(bit, (None, 0))
        is_choice = isinstance(source, Cell) and source.kind == "mux"
        return (source, index) if is_choice and isinstance(source, Cell) else (None, 0)

    def _chosen(self, bit: Bit, if_low: Bit, if_high: Bit) -> Bit | None:
        """The select of the multiplexer that gives these; None for other bits."""
        source, index = self._multiplexer(bit)
        if source is None:
            return None
        choices = source.connections["A"][index], source.connections["B"][index]
        return source.connections["S"][0] if choices == (if_low, if_high) else None


def _kind(cell: Cell) -> str:
    return cell.kind.removesuffix("_v2")


def _settings(cell: Cell) -> Iterator[tuple[str, int | str]]:
    """The parameters that decide the function of a cell; widths follow from its connections."""
    for name in ("A_SIGNED", "B_SIGNED", "CLK_ENABLE", "CLK_POLARITY"):
        if cell.parameters.get(name) and not (name == "CLK_POLARITY" and _reads(cell)):
            yield name, cell.parameters[name]
    if cell.memory:
        yield "MEMID", cell.memory


def _reads(cell: Cell) -> bool:
    return cell.kind.startswith("memrd") and not cell.parameters.get("CLK_ENABLE")


def _inputs(cell: Cell) -> Iterator[tuple[str, list[Bit]]]:
    """The ports that a cell reads, in the order of their names."""
    for port, bits in sorted(cell.connections.items()):
        if port in RESULTS and not (port == "DATA" and cell.kind.startswith("memwr")):
            continue
        if _reads(cell) and port in _UNREAD | {"ARST", "SRST"}:
            continue
        yield port, bits
