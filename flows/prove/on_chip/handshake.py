"""Which cycles samples, results, accesses and writes come in: proven for every history.

Two families of states are looked at. From a free state, the design is run for as many cycles as it
has registers in a row: whatever it held is gone by then, and what the ports say must be what the
ports of those cycles explain. From a state in which every register that `rst` clears is cleared and
all others are free, it must be so in every cycle. Together that is every cycle behind a reset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.machine import REGISTERS, Machine
from kan_dialect.flows.prove.cycles.terms import Pool, Term, evaluate, ordered
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
    one = pool.constant(1, 1)
    given = {("mem_valid", 0): one, ("mem_write", 0): one, ("mem_ready", 0): one}
    machine = Machine(netlist, pool, given, start)
    banks = list(held.all_banks())
    width = len(netlist.inputs["mem_address"])
    places = np.array([held.place(bank) << held.row_bits for bank in banks], dtype=np.uint64)
    if len(writes) != len(banks):
        raise KanError(f"the design has {len(writes)} memories, and the step {len(banks)}")
    found: dict[Bank, Cell] = {}
    for cell in writes.values():
        term = machine.writing(cell, 0).enable
        values = {
            each.data: np.zeros(len(banks), dtype=np.uint64)
            for each in ordered([term])
            if each.kind == "var"
        }
        values["mem_address@0"] = places & np.uint64((1 << width) - 1)
        enabled = np.flatnonzero(np.broadcast_to(evaluate(term, values), places.shape))
        if len(enabled) == 1:
            found.setdefault(banks[int(enabled[0])], cell)
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
    longest: dict[Source, int] = {}

    def sources(cell: Source) -> Iterator[Source]:
        if not isinstance(cell, Cell):
            return
        for port, bits in cell.connections.items():
            if port in RESULTS:
                continue
            for bit in dict.fromkeys(bits):
                if isinstance(bit, int) and bit not in ends and bit in netlist.drivers:
                    yield netlist.drivers[bit][0]

    writes = [cell for memory in netlist.memories.values() for cell in memory.writes]
    roots: list[Source] = [source for source, _ in netlist.drivers.values()]
    pending = list(dict.fromkeys([*roots, *writes]))
    opened: set[Source] = set()
    while pending:
        cell = pending[-1]
        if cell in longest:
            pending.pop()
            continue
        needed = list(dict.fromkeys(source for source in sources(cell) if source not in longest))
        if needed and cell in opened:
            raise KanError(
                f"{cell.name}: registers feed back other than by in_ready and mem_ready; that "
                "cannot be proven"
            )
        if needed:
            opened.add(cell)
            pending.extend(needed)
            continue
        own = int(isinstance(cell, Cell) and cell.kind in REGISTERS)
        longest[cell] = own + max((longest[source] for source in sources(cell)), default=0)
        pending.pop()
    return max(longest.values(), default=0)


def observe(ports: Ports, latency: int, interval: int) -> Timing:
    """When one sample behind a reset makes the design write, and be ready again: a hint only."""
    pool, limit = ports.pool, ports.depth + 2
    given: dict[tuple[str, int], Term] = {}
    for cycle in range(limit + 1):
        for port, bits in ports.netlist.inputs.items():
            first = cycle == 0 and port in ("in_valid", "train")
            given[port, cycle] = pool.constant(int(first), len(bits))
    machine = ports.machine(given, reset=True)

    def is_one(term: Term) -> bool:
        names = {each.data: np.zeros(1) for each in ordered([term]) if each.kind == "var"}
        return bool(evaluate(term, names)[0])

    busy = 0
    while busy < limit and not is_one(machine.port("mem_ready", busy + 1)):
        busy += 1
    writes: dict[Bank, int] = {}
    for bank, cell in ports.write.items():
        cycles = (c for c in range(limit) if is_one(machine.writing(cell, c).enable))
        writes[bank] = next(cycles, 0)
    return Timing(latency, interval, busy, writes)


@dataclass(frozen=True)
class Claim:
    """What must be 1, in a cycle of a machine."""

    name: str
    term: Term


@dataclass
class History:
    """The history of samples and accesses that the ports of a machine show, from cycle 0 on."""

    machine: Machine
    timing: Timing

    def _port(self, name: str, cycle: int) -> Term:
        return self.machine.port(name, cycle)

    def _alive(self, first: int, last: int) -> Term:
        """No reset from `first` on until before `last`."""
        pool = self.machine.pool
        return pool.both(*(pool.inverted(self._port("rst", c)) for c in range(first, last)))

    def taken(self, age: int, cycle: int) -> Term:
        """A sample was taken the given number of cycles earlier, and no reset came since."""
        first, pool = cycle - age, self.machine.pool
        if first < 0:
            return pool.constant(0, 1)
        valid, ready = self._port("in_valid", first), self._port("in_ready", first)
        return pool.both(valid, ready, self._alive(first, cycle))

    def trained(self, age: int, cycle: int) -> Term:
        taken = self.taken(age, cycle)
        if taken.is_constant:
            return taken
        return self.machine.pool.both(taken, self._port("train", cycle - age))

    def accessed(self, age: int, cycle: int) -> Term:
        """An access was taken the given number of cycles earlier."""
        first, pool = cycle - age, self.machine.pool
        if first < 0:
            return pool.constant(0, 1)
        valid, ready = self._port("mem_valid", first), self._port("mem_ready", first)
        return pool.both(valid, ready, self._alive(first, cycle))

    def ready(self, cycle: int) -> Term:
        """in_ready as it must be."""
        pool = self.machine.pool
        training = pool.any_of(self.trained(k, cycle) for k in range(1, self.timing.interval))
        return pool.both(
            pool.inverted(self._port("mem_valid", cycle)),
            pool.inverted(training),
        )

    def idle(self, cycle: int) -> Term:
        """mem_ready as it must be."""
        pool, busy = self.machine.pool, self.timing.busy
        return pool.inverted(pool.any_of(self.taken(k, cycle) for k in range(1, busy + 1)))


def claims(ports: Ports, history: History, cycle: int) -> Iterator[Claim]:
    """The required values of the handshake's ports and the write ports in a cycle."""
    machine, pool, timing = history.machine, ports.pool, history.timing

    def equal(name: str, found: Term, expected: Term) -> Claim:
        return Claim(name, pool.equal(found, expected))

    yield equal("in_ready", machine.port("in_ready", cycle), history.ready(cycle))
    yield equal("mem_ready", machine.port("mem_ready", cycle), history.idle(cycle))
    out = history.taken(timing.latency, cycle)
    yield equal("out_valid", machine.port("out_valid", cycle), out)
    read = history.accessed(READ_CYCLES, cycle)
    if not read.is_constant:
        read = pool.both(read, pool.inverted(machine.port("mem_write", cycle - READ_CYCLES)))
    yield equal("mem_read_valid", machine.port("mem_read_valid", cycle), read)
    for bank, cell in ports.write.items():
        enable = machine.writing(cell, cycle).enable
        expected = pool.any_of(
            [
                history.trained(timing.writes[bank], cycle),
                pool.both(
                    history.accessed(0, cycle),
                    machine.port("mem_write", cycle),
                    names_bank(ports, machine, bank, cycle),
                ),
            ]
        )
        yield equal(f"write enable of {describe(ports, bank)}", enable, expected)


def names_bank(ports: Ports, machine: Machine, bank: Bank, cycle: int) -> Term:
    """Whether the memory port's address is in a bank."""
    address, rows = machine.port("mem_address", cycle), ports.map.row_bits
    pool = ports.pool
    upper = address.width - rows
    if upper == 0:
        return pool.constant(1, 1)
    place = pool.constant(ports.map.place(bank), upper)
    return pool.equal(pool.part(address, rows, upper), place)


def has_row(ports: Ports, machine: Machine, bank: Bank, cycle: int) -> Term:
    """Whether the memory port's address is a row that the bank has."""
    pool, rows = ports.pool, ports.map.row_bits
    if rows == 0:
        return pool.constant(1, 1)
    row = pool.part(machine.port("mem_address", cycle), 0, rows)
    last = pool.constant(ports.map.rows(bank.layer) - 1, rows)
    return pool.inverted(pool.make("ult", 1, [last, row]))


def describe(ports: Ports, bank: Bank) -> str:
    """`layer 0, edge 1_2, bank 3`."""
    what = "edge" if bank.layer < ports.layers else "velocity of edge"
    layer = bank.layer % ports.layers
    return f"layer {layer}, {what} {bank.output}_{bank.input}, bank {bank.number}"


Check = Callable[[Sequence[Claim], int, bool], None]


def check_all(ports: Ports, timing: Timing, check: Check) -> None:
    """Hand every claim of both families of states to `check`.

    Parameters
    ----------
    check : is given the claims of a cycle, the cycle, and whether the first one is behind a reset.
    """
    longest = max(timing.latency, timing.interval, timing.busy, *timing.writes.values())
    window = max(ports.depth, longest, READ_CYCLES) + 1
    for reset in (True, False):
        history = History(ports.machine(reset=reset), timing)
        for cycle in range(window + 1) if reset else [window]:
            check(list(claims(ports, history, cycle)), cycle, reset)


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
