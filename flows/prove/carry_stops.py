"""Additions that hold several adders side by side, taken apart where no carry goes on.

`kan-join-carry-chains` writes independent adders as one addition. Between two adders, one number
has a 0 and the other one a signal that is 0 by logic. A carry ends there, so the addition is one
addition up to that bit and one above it. Where nothing reads the sum's bit there, the lower
addition ends below it, and is that of the adder modulo its own width. As one word, the addition
would be refused: forms hold sums of few variables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from kan_dialect.flows.prove.netlist import RESULTS, Bit, Cell, Netlist, Source, note_signed, number


def separated(netlist: Netlist) -> Netlist:
    """The netlist with an addition for each adder."""
    drivers = dict(netlist.drivers)
    read = set(_read(netlist))
    for cell in _additions(netlist):
        for part in _parts(netlist, cell, read):
            for place, bit in enumerate(part.connections["Y"]):
                drivers[bit] = part, place
    found = replace(netlist, drivers=drivers, signed=set[Source]())
    for cell in found.cells:
        note_signed(found, cell)
    return found if drivers != netlist.drivers else netlist


def _additions(netlist: Netlist) -> Iterator[Cell]:
    """The additions whose numbers are as wide as their sum."""
    for cell in netlist.cells:
        if cell.kind == "add" and len({len(cell.connections[port]) for port in "ABY"}) == 1:
            yield cell


def _read(netlist: Netlist) -> Iterator[Bit]:
    """The bits that a cell, an instance or an output reads."""
    for cell in netlist.cells:
        for port, bits in cell.connections.items():
            yield from () if port in RESULTS else bits
    for memory in netlist.memories.values():
        for cell in memory.writes:
            yield from (bit for bits in cell.connections.values() for bit in bits)
    for instance in netlist.instances.values():
        yield from (bit for bits in instance.inputs.values() for bit in bits)
    yield from (bit for bits in netlist.outputs.values() for bit in bits)


def _parts(netlist: Netlist, cell: Cell, read: Collection[Bit]) -> Iterator[Cell]:
    """The additions that a cell holds, the lowest first; none where it holds one."""
    words = {port: list(cell.connections[port]) for port in "ABY"}
    pairs = list(zip(words["A"], words["B"], strict=True))
    stops = [
        place
        for place, pair in enumerate(pairs)
        if "0" in pair and any(_is_zero(netlist, bit) for bit in pair)
    ]
    for place in stops:
        words["A"][place] = words["B"][place] = "0"
    start = 0
    for place in [*stops, len(pairs)] if stops else ():
        end = place + (place < len(pairs) and words["Y"][place] in read)
        if start < end:
            bits = {port: word[start:end] for port, word in words.items()}
            yield replace(cell, name=f"{cell.name} from bit {start}", connections=bits)
        start = place + 1


def _is_zero(netlist: Netlist, bit: Bit) -> bool:
    """Whether a net says that one word is two different constants."""
    source = _driver(netlist, [bit])
    if source is None or source.kind != "and":
        return False
    cases = [_driver(netlist, source.connections[port]) for port in "AB"]
    words: list[Sequence[Bit]] = []
    constants: list[int | None] = []
    for case in cases:
        if case is None or case.kind != "eq":
            return False
        words.append(case.connections["A"])
        constants.append(number(case.connections["B"]))
    same_width = len({len(case.connections["B"]) for case in cases if case} | {len(words[0])}) == 1
    return (
        same_width
        and words[0] == words[1]
        and None not in constants
        and constants[0] != constants[1]
    )


def _driver(netlist: Netlist, bits: Sequence[Bit]) -> Cell | None:
    """The cell of one bit that drives a signal of one bit."""
    source, _ = netlist.drivers.get(bits[0], (None, 0))
    if len(bits) != 1 or not isinstance(source, Cell):
        return None
    return source if len(source.connections.get("Y", ())) == 1 else None
