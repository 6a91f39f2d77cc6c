"""The signals of a wrapper by cycle, run from a free state, with its core behind a contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.machine import Machine
from kan_dialect.flows.prove.cycles.terms import Pool, Term
from kan_dialect.flows.prove.interfaces.boundary import Clocking
from kan_dialect.flows.prove.netlist import Cell, InputPort, Instance, Netlist


def find_core(
    netlist: Netlist, name: str, inputs: Mapping[str, int], boundary: Clocking
) -> Instance:
    """The one instance of a core in a wrapper.

    Parameters
    ----------
    name : the module of the core.
    inputs : width of each of its input ports.

    Raises
    ------
    KanError : it is missing, another one, or its clock is not the wrapper's.
    """
    if [i.module for i in netlist.instances.values()] != [name]:
        found = ", ".join(i.module for i in netlist.instances.values()) or "none"
        raise KanError(f"a wrapper must have one instance, of {name}; found {found}")
    (core,) = netlist.instances.values()
    for port in {**inputs, **core.inputs}:
        if len(core.inputs.get(port, [])) != inputs.get(port, 0):
            raise KanError(f"{core.place}: the instance's port {port} is not the network's")
    driver, _ = netlist.drivers.get(core.inputs["clk"][0], (None, 0))
    if not isinstance(driver, InputPort) or driver.name != boundary.clock:
        raise KanError(f"{core.place}: the clock of the instance is not {boundary.clock}")
    return core


class WrapperSignals(ABC):
    """The signals of a wrapper by cycle, as terms. The outputs of its core are a contract's."""

    def __init__(self, netlist: Netlist, boundary: Clocking, core: Instance, pool: Pool) -> None:
        self.netlist, self.boundary, self.core, self.pool = netlist, boundary, core, pool
        self.congruences: list[Term] = []
        """What is known of the words of memories in cycle 0: the same address, the same word."""
        self.machine = Machine(
            netlist,
            pool,
            read_word=lambda cell, cycle, address: self.word(cell.memory, cycle, address),
            instance_word=self._core_output,
            clock=boundary.clock,
        )
        for memory in netlist.memories.values():
            if len(memory.entries) & (len(memory.entries) - 1):
                raise KanError(f"the memory {memory.name} has a number of words that no proof has")
            for write in memory.writes:
                clock, _ = netlist.drivers.get(write.connections["CLK"][0], (None, 0))
                if not isinstance(clock, InputPort) or clock.name != boundary.clock:
                    raise KanError(f"{write.place}: the clock is not {boundary.clock}")
        self._initial: dict[str, dict[Term, Term]] = {}
        self._moved: dict[tuple[str, int, int], Term] = {}

    def port(self, name: str, cycle: int) -> Term:
        return self.machine.port(name, cycle)

    def in_reset(self, cycle: int) -> Term:
        """Whether the wrapper's reset is active."""
        level = self.port(self.boundary.reset, cycle)
        return level if self.boundary.reset_level else self.pool.inverted(level)

    def registers(self) -> list[Cell]:
        return self.machine.registers()

    def load(self, register: Cell) -> Term:
        """What a register becomes, in terms of cycle 0."""
        return self.machine.next_state(register, 0)

    def value(self, register: Cell, cycle: int) -> Term:
        return self.machine.word(register.connections["Q"], cycle)

    def core_input(self, port: str, cycle: int) -> Term:
        return self.machine.word(self.core.inputs[port], cycle)

    # The core.

    @abstractmethod
    def core_port(self, port: str, cycle: int) -> Term | None:
        """What the contract says of an output of the core; None: the core has none of the name."""

    def free(self, port: str, cycle: int, width: int) -> Term:
        """Any value of an output of the core."""
        return self.pool.variable(f"core:{port}@{cycle}", width)

    def _core_output(self, cell: Cell, cycle: int) -> Term:
        port = cell.name.rpartition(".")[2]
        found = self.core_port(port, cycle)
        if found is None or found.width != len(cell.connections["Y"]):
            raise KanError(f"{cell.place}: the instance's port {port} is not the network's")
        return found

    def moved(self, name: str, stage: int, cycle: int, first: Callable[[int], Term]) -> Term:
        """A bit that moves a stage of the core in each cycle, until a reset clears it.

        Parameters
        ----------
        first : the bit of stage 0 in a cycle.
        """
        if stage == 0:
            return first(cycle)
        key = name, stage, cycle
        if key not in self._moved:
            if cycle == 0:
                self._moved[key] = self.pool.variable(f"core:{name}{stage}@0", 1)
            else:
                kept = self.pool.inverted(self.core_input("rst", cycle - 1))
                before = self.moved(name, stage - 1, cycle - 1, first)
                self._moved[key] = self.pool.both(kept, before)
        return self._moved[key]

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
                alike = self.pool.equal(address, other)
                self.congruences.append(self.pool.implied(alike, self.pool.equal(word, there)))
            known[address] = word
        return known[address]
