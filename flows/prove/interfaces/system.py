"""A wrapper run from a free state, with the network in it as its contract says.

The contract is what `kan-flow prove` proves of the network: its outputs are a function of its
inputs, `latency` cycles later, whatever its other ports carry; `out_valid` is `in_valid`, `latency`
cycles later; `rst` clears what is between them.

One sample of the history is followed. Its codes X and its result Y are variables that no cycle
changes. So the network needs to remember one bit of a cycle's inputs: whether they were X. If so,
the outputs are Y, else anything. A real network is one of these, for every X, with Y = f(X).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.machine import Machine
from kan_dialect.flows.prove.cycles.terms import Pool, Term
from kan_dialect.flows.prove.interfaces.boundary import Clocking, Piece
from kan_dialect.flows.prove.netlist import Cell, InputPort, Instance, Netlist
from kan_dialect.model.interface import Interface


def find_core(netlist: Netlist, network: Interface, boundary: Clocking) -> Instance:
    """The one instance of the network in a wrapper.

    Raises
    ------
    KanError : there is none, another one, or its clock is not the wrapper's.
    """
    name = network.name
    if [i.module for i in netlist.instances.values()] != [name]:
        found = ", ".join(i.module for i in netlist.instances.values()) or "none"
        raise KanError(f"a wrapper must have one instance, of {name}; found {found}")
    (core,) = netlist.instances.values()
    wanted = {"clk": 1, "rst": 1, "in_valid": 1}
    wanted |= {port.name: port.width for port in network.inputs}
    for port in {**wanted, **core.inputs}:
        if len(core.inputs.get(port, [])) != wanted.get(port, 0):
            raise KanError(f"{core.place}: the instance's port {port} is not the network's")
    driver, _ = netlist.drivers.get(core.inputs["clk"][0], (None, 0))
    if not isinstance(driver, InputPort) or driver.name != boundary.clock:
        raise KanError(f"{core.place}: the clock of the instance is not {boundary.clock}")
    return core


@dataclass
class System:
    """The signals of a wrapper and its network by cycle, as terms."""

    netlist: Netlist
    boundary: Clocking
    network: Interface
    pool: Pool
    congruences: list[Term] = field(default_factory=list[Term])
    """What is known of the words of memories in cycle 0: the same address, the same word."""

    def __post_init__(self) -> None:
        self.core = find_core(self.netlist, self.network, self.boundary)
        self.machine = Machine(
            self.netlist,
            self.pool,
            read_word=lambda cell, cycle, address: self.word(cell.memory, cycle, address),
            instance_word=self._core_output,
            clock=self.boundary.clock,
        )
        for memory in self.netlist.memories.values():
            if len(memory.entries) & (len(memory.entries) - 1):
                raise KanError(f"the memory {memory.name} has a number of words that no proof has")
            for write in memory.writes:
                clock, _ = self.netlist.drivers.get(write.connections["CLK"][0], (None, 0))
                if not isinstance(clock, InputPort) or clock.name != self.boundary.clock:
                    raise KanError(f"{write.place}: the clock is not {self.boundary.clock}")
        self._initial: dict[str, dict[Term, Term]] = {}
        self._valid: dict[tuple[int, int], Term] = {}
        self._entered: dict[tuple[int, int], Term] = {}
        self._is_sample: dict[tuple[int, int], Term] = {}
        self.codes: dict[str, Term] = {
            port.name: self.pool.variable(f"sample:{port.name}", port.width)
            for port in self.network.inputs
        }
        """X, by port of the network."""
        self.results: dict[str, Term] = {
            port.name: self.pool.variable(f"result:{port.name}", port.width)
            for port in self.network.outputs
        }
        """Y, by port of the network."""
        self.last = self.pool.variable("sample:last", 1)
        self.user = self.pool.variable("sample:user", max(1, self.boundary.user_bits))

    # Signals.

    def port(self, name: str, cycle: int) -> Term:
        return self.machine.port(name, cycle)

    def in_reset(self, cycle: int) -> Term:
        """Whether the wrapper's reset is active."""
        level = self.port(self.boundary.reset, cycle)
        return level if self.boundary.reset_level else self.pool.inverted(level)

    def registers(self) -> list[Cell]:
        return self.machine.registers()

    def value(self, register: Cell, cycle: int) -> Term:
        return self.machine.word(register.connections["Q"], cycle)

    def core_input(self, port: str, cycle: int) -> Term:
        return self.machine.word(self.core.inputs[port], cycle)

    # The network.

    def valid(self, stage: int, cycle: int) -> Term:
        """Whether the network has a sample that entered it `stage` cycles earlier."""
        key = stage, cycle
        if key not in self._valid:
            self._valid[key] = self._valid_at(stage, cycle)
        return self._valid[key]

    def _valid_at(self, stage: int, cycle: int) -> Term:
        if stage == 0:
            return self.core_input("in_valid", cycle)
        if cycle == 0:
            return self.pool.variable(f"core:valid{stage}@0", 1)
        kept = self.pool.inverted(self.core_input("rst", cycle - 1))
        return self.pool.both(kept, self.valid(stage - 1, cycle - 1))

    def entered(self, stage: int, cycle: int, bits: int) -> Term:
        """The number of samples that had entered the network `stage` cycles ago, modulo 2^bits.

        A sample in a stage has this number of the stage as its serial number. Numbers move from
        stage to stage as samples do, so what relates neighbours is kept by the move alone: no sum
        over stages is needed.
        """
        pool = self.pool
        if cycle == 0:
            return pool.variable(f"core:entered{stage}@0", bits)
        key = stage, cycle
        if key not in self._entered:
            found = self.entered(max(stage - 1, 0), cycle - 1, bits)
            if stage == 0:
                more = pool.extended(self.valid(0, cycle - 1), bits, signed=False)
                found = pool.make("add", bits, [found, more])
            cleared = self.core_input("rst", cycle - 1)
            self._entered[key] = pool.chosen(cleared, pool.constant(0, bits), found)
        return self._entered[key]

    def is_sample(self, stage: int, cycle: int) -> Term:
        """Whether the inputs of the network were X, `stage` cycles earlier."""
        key = stage, cycle
        if key not in self._is_sample:
            self._is_sample[key] = self._is_sample_at(stage, cycle)
        return self._is_sample[key]

    def _is_sample_at(self, stage: int, cycle: int) -> Term:
        pool = self.pool
        if stage == 0:
            return pool.both(
                *(
                    pool.equal(self.core_input(port, cycle), code)
                    for port, code in self.codes.items()
                )
            )
        if cycle == 0:
            return pool.variable(f"core:is_sample{stage}@0", 1)
        return self.is_sample(stage - 1, cycle - 1)

    def _core_output(self, cell: Cell, cycle: int) -> Term:
        port = cell.name.partition(".")[2]
        latency = self.network.latency
        if port == "out_valid":
            return self.valid(latency, cycle)
        if port not in self.results:
            raise KanError(f"{cell.place}: the instance's port {port} is not the network's")
        free = self.pool.variable(f"core:{port}@{cycle}", len(cell.connections["Y"]))
        return self.pool.chosen(self.is_sample(latency, cycle), self.results[port], free)

    def pieces(self, pieces: Sequence[Piece], codes: Mapping[str, Term]) -> Term:
        """The bits of a port in a beat."""
        pool = self.pool
        whole: Term | None = None
        for piece in pieces:
            if not piece.code:
                term = pool.constant(0, piece.width)
            elif piece.sign:
                term = pool.extended(
                    pool.part(codes[piece.code], piece.low, 1), piece.width, signed=True
                )
            else:
                term = pool.part(codes[piece.code], piece.low, piece.width)
            whole = term if whole is None else pool.joined(term, whole)
        assert whole is not None
        return whole

    # Memories.

    def word(self, memory: str, cycle: int, address: Term) -> Term:
        """The word of a memory at an address."""
        if cycle == 0:
            return self._initial_word(memory, address)
        pool = self.pool
        found = self.word(memory, cycle - 1, address)
        for cell in self.netlist.memories[memory].writes:
            writing = self.machine.writing(cell, cycle - 1)
            hits = pool.both(writing.enable, pool.equal(writing.address, address))
            found = pool.chosen(hits, writing.data, found)
        return found

    def _initial_word(self, memory: str, address: Term) -> Term:
        known = self._initial.setdefault(memory, {})
        if address not in known:
            width = self.netlist.memories[memory].width
            word = self.pool.variable(f"{memory}[{address.number}]@0", width)
            for other, there in known.items():
                differs = self.pool.inverted(self.pool.equal(address, other))
                self.congruences.append(self.pool.any_of([differs, self.pool.equal(word, there)]))
            known[address] = word
        return known[address]
