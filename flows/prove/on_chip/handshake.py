"""Which cycles samples, results, accesses and writes come in: proven for every history.

Two families of states are looked at. From a free state, the design is run for as many cycles as it
has registers in a row: whatever it held is gone by then, and what the ports say must be what the
ports of those cycles explain. From a state in which every register that `rst` clears is cleared and
all others are free, it must be so in every cycle. Together that is every cycle behind a reset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.claims import Claim
from kan_dialect.flows.prove.cycles.machine import REGISTERS, Machine
from kan_dialect.flows.prove.cycles.terms import Pool, Term, evaluate, evaluated, ordered
from kan_dialect.flows.prove.netlist import RESULTS, Cell, Netlist, Source
from kan_dialect.model.on_chip.coefficient_memory import Bank, MemoryMap

READ_CYCLES = 2
"""Cycles from an access to the word that it reads (docs/reference/training.md)."""


@dataclass(frozen=True)
class Timing:
    """Cycles, counted from the one in which a sample is taken."""

    latency: int
    """Until its outputs."""
    interval: int
    """Until the next sample, if it trains."""
    busy: int
    """Number of cycles after it in which no access to the memories is taken."""
    writes: Mapping[Bank, int]
    """Until a bank is written, at the end of that cycle."""


@dataclass(frozen=True)
class Ports:
    """A design with its memories, by the banks that they are."""

    netlist: Netlist
    pool: Pool
    map: MemoryMap
    write: Mapping[Bank, Cell]
    """The write port of each bank."""
    start: Mapping[Cell, Term]
    """The values of the registers that a reset clears, after it."""
    depth: int
    """Registers in a row, at most."""
    layers: int
    """States of the map that are coefficients; the others are velocities."""

    def machine(
        self, given: Mapping[tuple[str, int], Term] | None = None, *, reset: bool = False
    ) -> Machine:
        return Machine(self.netlist, self.pool, given or {}, self.start if reset else {})


def find_ports(netlist: Netlist, pool: Pool, held: MemoryMap, layers: int) -> Ports:
    """The design's memories as the banks that the memory port's addresses say.

    Raises
    ------
    KanError : there are others, or registers feed back.
    """
    start = _cleared(netlist, pool)
    writes: dict[str, Cell] = {}
    for name, memory in netlist.memories.items():
        if len(memory.writes) > 1:
            raise KanError(f"{memory.writes[1].place}: a memory that is written to in two places")
        if memory.writes:
            writes[name] = memory.writes[0]
    given = {(port, 0): pool.constant(1, 1) for port in ("mem_valid", "mem_write", "mem_ready")}
    machine = Machine(netlist, pool, given, start)
    banks = list(held.all_banks())
    if len(writes) != len(banks):
        raise KanError(f"the design has {len(writes)} memories, and the step {len(banks)}")
    mask = (1 << len(netlist.inputs["mem_address"])) - 1
    places = np.array([held.place(bank) << held.row_bits & mask for bank in banks], np.uint64)
    found: dict[Bank, Cell] = {}
    for cell in writes.values():
        enable = machine.writing(cell, 0).enable
        others = {term.data: 0 * places for term in ordered([enable]) if term.kind == "var"}
        column = evaluate(enable, {**others, "mem_address@0": places})
        enabled = [bank for bank, there in zip(banks, column, strict=False) if there]
        if len(enabled) == 1:
            found.setdefault(enabled[0], cell)
    # Of others any will do: what is taken for their banks has no proof.
    left = [cell for cell in writes.values() if cell not in set(found.values())]
    found |= zip([bank for bank in banks if bank not in found], left, strict=True)
    found = {bank: found[bank] for bank in banks}
    return Ports(netlist, pool, held, found, start, depth(netlist), layers)


def _cleared(netlist: Netlist, pool: Pool) -> dict[Cell, Term]:
    machine = Machine(netlist, pool, {("rst", 0): pool.constant(1, 1)})
    found = ((cell, machine.next_state(cell, 0)) for cell in machine.registers())
    return {cell: term for cell, term in found if term.is_constant}


def depth(netlist: Netlist) -> int:
    """The most registers on a way through the design; the ready ports are ends of ways.

    Raises
    ------
    KanError : registers feed back otherwise.
    """
    ends = {bit for port in ("in_ready", "mem_ready") for bit in netlist.outputs[port]}

    def sources(cell: Source) -> set[Source]:
        if not isinstance(cell, Cell):
            return set()
        read = (bits for port, bits in cell.connections.items() if port not in RESULTS)
        inner = {bit for bits in read for bit in bits if isinstance(bit, int)} - ends
        return {netlist.drivers[bit][0] for bit in inner if bit in netlist.drivers}

    writes = [cell for memory in netlist.memories.values() for cell in memory.writes]
    cells = [*(source for source, _ in netlist.drivers.values()), *writes]
    graph = {cell: sources(cell) for cell in cells}
    longest: dict[Source, int] = {}
    try:
        for cell in TopologicalSorter(graph).static_order():
            own = int(isinstance(cell, Cell) and cell.kind in REGISTERS)
            longest[cell] = own + max((longest[source] for source in graph[cell]), default=0)
    except CycleError as error:
        raise KanError(
            f"{error.args[1][0].name}: registers feed back other than by in_ready and mem_ready; "
            "that cannot be proven"
        ) from None
    return max(longest.values(), default=0)


def observe(ports: Ports, latency: int, interval: int) -> Timing:
    """When one sample behind a reset makes the design write, and be ready again: a hint only."""
    pool, cycles = ports.pool, range(ports.depth + 3)
    given = {
        (port, cycle): pool.constant(int(cycle == 0 and port in ("in_valid", "train")), len(bits))
        for cycle in cycles
        for port, bits in ports.netlist.inputs.items()
    }
    machine = ports.machine(given, reset=True)

    def first(is_there: Callable[[int], Term], start: int) -> int | None:
        return next((c for c in cycles[start:] if evaluated([is_there(c)], {})[0]), None)

    ready = first(lambda c: machine.port("mem_ready", c), 1) or cycles[-1]
    writes = {
        bank: first(lambda c, w=cell: machine.writing(w, c).enable, 0) or 0
        for bank, cell in ports.write.items()
    }
    return Timing(latency, interval, ready - 1, writes)


@dataclass
class History:
    """The history of samples and accesses that the ports of a machine show, from cycle 0 on."""

    machine: Machine
    timing: Timing

    def _earlier(self, ports: Sequence[str], age: int, cycle: int) -> Term:
        """All ports were 1 the given number of cycles earlier, and no reset came since."""
        first, pool, port = cycle - age, self.machine.pool, self.machine.port
        if first < 0:
            return pool.constant(0, 1)
        resets = (port("rst", c) for c in range(first, cycle))
        return pool.both(*(port(name, first) for name in ports), *map(pool.inverted, resets))

    def taken(self, age: int, cycle: int) -> Term:
        """A sample was taken the given number of cycles earlier."""
        return self._earlier(("in_valid", "in_ready"), age, cycle)

    def trained(self, age: int, cycle: int) -> Term:
        return self._earlier(("in_valid", "in_ready", "train"), age, cycle)

    def accessed(self, age: int, cycle: int, *, write: bool) -> Term:
        """An access was taken the given number of cycles earlier."""
        pool, first = self.machine.pool, cycle - age
        if first < 0:
            return pool.constant(0, 1)
        kind = self.machine.port("mem_write", first)
        taken = self._earlier(("mem_valid", "mem_ready"), age, cycle)
        return pool.both(taken, kind if write else pool.inverted(kind))

    def ready(self, cycle: int) -> Term:
        """in_ready as it must be."""
        pool = self.machine.pool
        training = (self.trained(k, cycle) for k in range(1, self.timing.interval))
        return pool.inverted(pool.any_of([self.machine.port("mem_valid", cycle), *training]))

    def idle(self, cycle: int) -> Term:
        """mem_ready as it must be."""
        pool, busy = self.machine.pool, self.timing.busy
        return pool.inverted(pool.any_of(self.taken(k, cycle) for k in range(1, busy + 1)))


def claims(ports: Ports, history: History, cycle: int) -> Iterator[Claim]:
    """The required values of the handshake's ports and the write ports in a cycle."""
    machine, pool, timing = history.machine, ports.pool, history.timing
    expected = {
        "in_ready": history.ready(cycle),
        "mem_ready": history.idle(cycle),
        "out_valid": history.taken(timing.latency, cycle),
        "mem_read_valid": history.accessed(READ_CYCLES, cycle, write=False),
    }
    for port, term in expected.items():
        yield Claim(port, pool.equal(machine.port(port, cycle), term))
    for bank, cell in ports.write.items():
        accessed = history.accessed(0, cycle, write=True)
        named = pool.both(accessed, names_bank(ports, machine, bank, cycle))
        wanted = pool.any_of([history.trained(timing.writes[bank], cycle), named])
        yield Claim("write enables", pool.equal(machine.writing(cell, cycle).enable, wanted))


def names_bank(ports: Ports, machine: Machine, bank: Bank, cycle: int) -> Term:
    """Whether the memory port's address is in a bank."""
    address, rows = machine.port("mem_address", cycle), ports.map.row_bits
    if address.width == rows:
        return ports.pool.constant(1, 1)
    upper = ports.pool.part(address, rows, address.width - rows)
    return ports.pool.is_number(upper, ports.map.place(bank))


def has_row(ports: Ports, machine: Machine, bank: Bank, cycle: int) -> Term:
    """Whether the memory port's address is a row that the bank has."""
    pool, rows = ports.pool, ports.map.row_bits
    if rows == 0:
        return pool.constant(1, 1)
    row = pool.part(machine.port("mem_address", cycle), 0, rows)
    return pool.at_most(row, ports.map.rows(bank.layer) - 1)


def describe(ports: Ports, bank: Bank) -> str:
    """`layer 0, edge 1_2, bank 3`."""
    what = "edge" if bank.layer < ports.layers else "velocity of edge"
    layer = bank.layer % ports.layers
    return f"layer {layer}, {what} {bank.output}_{bank.input}, bank {bank.number}"


def all_claims(ports: Ports, timing: Timing) -> Iterator[Claim]:
    """The claims of both families of states."""
    longest = max(timing.latency, timing.interval, timing.busy, *timing.writes.values())
    window = max(ports.depth, longest, READ_CYCLES) + 1
    for reset in (True, False):
        history = History(ports.machine(reset=reset), timing)
        for cycle in range(window + 1) if reset else [window]:
            yield from claims(ports, history, cycle)


def hazards(
    ports: Ports, timing: Timing, readings: Mapping[Bank, set[int]], port_reads: set[int]
) -> list[str]:
    """Where a word could be read before an earlier sample has written it, or behind a later one.

    Parameters
    ----------
    readings : cycles in which each bank is read for a sample.
    port_reads : cycles behind an access in which memories are read for it.
    """
    found: list[str] = []
    for bank, cycles in readings.items():
        write = timing.writes[bank]
        for read in sorted(cycles):
            where = describe(ports, bank)
            if timing.interval < write + 1 - read:
                found.append(
                    f"{where}: read in cycle {read}, written at the end of cycle {write}, so the "
                    f"next sample must come {write + 1 - read} cycles later, not {timing.interval}"
                )
            if read > write:
                found.append(f"{where}: read in cycle {read}, behind its write in cycle {write}")
            if read > timing.busy:
                found.append(f"{where}: read in cycle {read}, when an access may have written it")
    last = max(timing.writes.values())
    if timing.busy < last:
        found.append(
            f"accesses are taken {timing.busy + 1} cycles behind a sample, which writes at the end "
            f"of cycle {last}"
        )
    if any(cycle > 1 for cycle in port_reads):
        found.append("an access reads its word when the one behind it has written")
    return found
