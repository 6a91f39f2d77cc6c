"""Proves the copy of a network with a clock enable, register by register.

Both modules are read from a free state, in which registers and memories of the same name hold the
same. With the enable high, the copy must do what the network does; with it low, nothing may change.
So for every history of the enable the copy's registers and memories are those of the network, run
for the cycles in which the enable is high.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from kan_dialect.flows.design import require_ports
from kan_dialect.flows.prove.cycles.claims import Outcome
from kan_dialect.flows.prove.cycles.machine import Machine
from kan_dialect.flows.prove.cycles.solver import Solver, decided
from kan_dialect.flows.prove.cycles.terms import Pool, Term
from kan_dialect.flows.prove.netlist import Cell, Netlist
from kan_dialect.quantity import quantity

Pairs = dict[str, tuple[Term, Term]]
"""By signal: what it is, and what it must be."""


def enable_outcomes(network: Netlist, copy: Netlist, solver: Solver) -> Iterator[Outcome]:
    """The claims about a copy.

    Raises
    ------
    KanError : ports are not those of the network and `ce`, or no time is left.
    """
    require_ports(copy.port_bits, {**network.port_bits, "ce": (False, 1)}, "the copy")
    start = time.monotonic()
    names, others = (
        {cell.name for cell in Machine(each, Pool()).registers()} for each in (network, copy)
    )
    different = sorted(names ^ others)
    problem = f"{different[0]} is in one of them only" if different else None
    first, second = (_words(netlist) for netlist in (network, copy))
    if first != second:
        problem = "memories begin with other words"
    yield Outcome("enable", "the registers of the network", time.monotonic() - start, problem)
    if problem is None:
        comparison = _Comparison(network, copy)
        for name, pairs in comparison.claims():
            start = time.monotonic()
            wrong = comparison.first_difference(pairs, solver)
            problem = None if wrong is None else f"{wrong} differs"
            claim = f"{name} ({quantity(len(pairs), 'signal')})"
            yield Outcome("enable", claim, time.monotonic() - start, problem)


class _Comparison:
    """The network and its copy in one cycle. Registers of one name are one variable."""

    def __init__(self, network: Netlist, copy: Netlist) -> None:
        self.pool = Pool()
        self.network, self.copy = network, copy
        self.held = self._state(network)

    def _machine(self, netlist: Netlist, **given: int) -> Machine:
        ports = {(port, 0): self.pool.constant(value, 1) for port, value in given.items()}
        return Machine(netlist, self.pool, ports, read_word=self._read)

    def _read(self, cell: Cell, cycle: int, address: Term) -> Term:
        """A word of a memory that is written: the same at the same address."""
        return self.pool.variable(f"{cell.memory}[{address.number}]", len(cell.connections["DATA"]))

    def _state(self, netlist: Netlist) -> dict[str, Term]:
        machine = self._machine(netlist)
        cells = machine.registers()
        return {cell.name: machine.word(cell.connections["Q"], 0) for cell in cells}

    def _next(self, netlist: Netlist, **given: int) -> dict[str, Term]:
        """What each register loads."""
        machine = self._machine(netlist, **given)
        return {cell.name: machine.next_state(cell, 0) for cell in machine.registers()}

    def _writes(self, netlist: Netlist, **given: int) -> dict[str, Term]:
        """The write port of each memory: enable, address and data side by side."""
        machine, found = self._machine(netlist, **given), dict[str, Term]()
        for name, memory in netlist.memories.items():
            for number, cell in enumerate(memory.writes):
                writing = machine.writing(cell, 0)
                parts = vars(writing).items()
                found |= {f"{part} of write {number} of {name}": term for part, term in parts}
        return found

    def claims(self) -> Iterator[tuple[str, Pairs]]:
        loads = {reset: self._next(self.network, rst=reset) for reset in (0, 1)}
        plain = self._machine(self.network, rst=0)
        for enable in (0, 1):
            enabled = self._machine(self.copy, ce=enable, rst=0)
            outputs = {p: (enabled.port(p, 0), plain.port(p, 0)) for p in self.network.outputs}
            yield f"outputs are those of the network, with ce {enable}", outputs
        for reset in (0, 1):
            found = self._next(self.copy, ce=1, rst=reset)
            name = f"registers load what the network's do, with ce 1 and rst {reset}"
            yield name, _paired(found, loads[reset])
        for reset in (0, 1):
            wanted = self._writes(self.network, rst=reset)
            found = self._writes(self.copy, ce=1, rst=reset)
            if wanted:
                name = f"memories are written as the network's, with ce 1 and rst {reset}"
                yield name, _paired(found, wanted)
                zero = self.pool.constant(0, 1)
                found = self._writes(self.copy, ce=0, rst=reset)
                enables = {name: term for name, term in found.items() if name.startswith("enable")}
                yield (
                    f"memories keep their words, with ce 0 and rst {reset}",
                    _paired(enables, dict.fromkeys(enables, zero)),
                )
        found = self._next(self.copy, ce=0, rst=0)
        yield "registers keep their values, with ce 0", _paired(found, self.held)
        cleared = {
            name: load if load.is_constant and load is not loads[0][name] else self.held[name]
            for name, load in loads[1].items()
        }
        name = "a reset clears what it clears in the network, with ce 0, and no more"
        yield name, _paired(self._next(self.copy, ce=0, rst=1), cleared)

    def first_difference(self, pairs: Pairs, solver: Solver) -> str | None:
        """The first signal that is not what it must be; None: all are."""
        for signal, (found, wanted) in pairs.items():
            if found is wanted:
                continue
            differs = self.pool.inverted(self.pool.equal(found, wanted))
            if decided(solver.find([differs])) is not None:
                return signal
        return None


def _words(netlist: Netlist) -> dict[str, Sequence[int | None]]:
    """The initial words of each memory."""
    return {name: memory.entries for name, memory in netlist.memories.items()}


def _paired(found: dict[str, Term], wanted: dict[str, Term]) -> Pairs:
    return {name: (found[name], wanted[name]) for name in wanted}
