"""Proves the copy of a network with a clock enable, register by register.

Both modules are read from a free state, in which registers of the same name hold the same. With
the enable high, the copy must do what the network does; with it low, nothing may change. So for
every history of the enable the copy's registers are those of the network, run for the cycles in
which the enable is high.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.claims import Outcome, Progress
from kan_dialect.flows.prove.cycles.machine import Machine
from kan_dialect.flows.prove.cycles.solver import Solver
from kan_dialect.flows.prove.cycles.terms import Pool, Term
from kan_dialect.flows.prove.cycles.two_readings import TwoReadings
from kan_dialect.flows.prove.interfaces.boundary import Clocking
from kan_dialect.flows.prove.interfaces.proof import InterfaceProof
from kan_dialect.flows.prove.netlist import Cell, Netlist, require_ports
from kan_dialect.flows.prove.text import read_text
from kan_dialect.model.interface import Interface
from kan_dialect.quantity import quantity

ENABLE = "ce"
CLOCKING = Clocking("clk", "rst", 1)


class EnableProof(InterfaceProof[Clocking, Interface]):
    """A copy with a clock enable, and what is proven of it."""

    def finding(self) -> str:
        return (
            f"with {ENABLE} high it is {self.interface.name}, with {ENABLE} low its registers keep "
            "their values"
        )


def prove_clock_enable(
    rtl: Path,
    name: str,
    core: Path,
    interface: Interface,
    *,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> EnableProof:
    """Prove that the module `name` in `rtl` is the network in `core` with a clock enable.

    Raises
    ------
    KanError : Yosys or bitwuzla is missing, a file is outside the subset or Yosys refuses it, ports
        are not those of the network and `ce`, or no time is left.
    """
    start = time.monotonic()
    solver = Solver(None if timeout is None else start + timeout)
    network, readings = read_text(core, interface.name), TwoReadings.of(rtl, name, timeout)
    engine = f"register by register, bitwuzla {solver.version}, {readings.readers}"
    proof = readings.prove(
        lambda copy: EnableProof(name, rtl, copy, CLOCKING, interface, engine),
        lambda each: _compared(network, each.netlist, solver),
        progress,
    )
    proof.seconds = time.monotonic() - start
    return proof


def _compared(network: Netlist, copy: Netlist, solver: Solver) -> Iterator[Outcome]:
    expected = {port: ("input", len(bits)) for port, bits in network.inputs.items()}
    expected |= {port: ("output", len(bits)) for port, bits in network.outputs.items()}
    require_ports(copy, {**expected, ENABLE: ("input", 1)}, "the copy")
    start = time.monotonic()
    names = {cell.name for cell in Machine(network, Pool()).registers()}
    others = {cell.name for cell in Machine(copy, Pool()).registers()}
    different = sorted(names ^ others)
    problem = f"{different[0]} is in one of them only" if different else None
    yield Outcome("enable", "the registers of the network", time.monotonic() - start, problem)
    if problem is None:
        yield from _Comparison(network, copy, solver).outcomes()


class _Comparison:
    """The network and its copy in one cycle."""

    def __init__(self, network: Netlist, copy: Netlist, solver: Solver) -> None:
        self.solver, self.pool = solver, Pool()
        self.network = {reset: self._machine(network, rst=reset) for reset in (0, 1)}
        self.copy = {
            (enable, reset): self._machine(copy, ce=enable, rst=reset)
            for enable in (0, 1)
            for reset in (0, 1)
        }
        # Registers of one name are one variable in all machines.
        self.registers = {cell.name: cell for cell in self.network[0].registers()}
        self.copies = {cell.name: cell for cell in self.copy[0, 0].registers()}

    def _machine(self, netlist: Netlist, **given: int) -> Machine:
        ports = {(port, 0): self.pool.constant(value, 1) for port, value in given.items()}
        return Machine(netlist, self.pool, ports)

    def outcomes(self) -> Iterator[Outcome]:
        """The claims."""
        outputs = list(self.network[0].netlist.outputs)
        for enable in (0, 1):
            yield self._decided(
                f"outputs are those of the network, with {ENABLE} {enable}",
                outputs,
                lambda port, e=enable: (
                    self.copy[e, 0].port(port, 0),
                    self.network[0].port(port, 0),
                ),
            )
        registers = list(self.registers)
        for reset in (0, 1):
            yield self._decided(
                f"registers load what those of the network do, with {ENABLE} 1 and rst {reset}",
                registers,
                lambda name, r=reset: (
                    self._next(self.copy[1, r], self.copies[name]),
                    self._next(self.network[r], self.registers[name]),
                ),
            )
        yield self._decided(
            f"registers keep their values, with {ENABLE} 0",
            registers,
            lambda name: (self._next(self.copy[0, 0], self.copies[name]), self._held(name)),
        )
        yield self._decided(
            f"a reset clears what it clears in the network, with {ENABLE} 0, and no more",
            registers,
            lambda name: (self._next(self.copy[0, 1], self.copies[name]), self._cleared(name)),
        )

    def _next(self, machine: Machine, register: Cell) -> Term:
        return machine.next_state(register, 0)

    def _held(self, name: str) -> Term:
        return self.network[0].word(self.registers[name].connections["Q"], 0)

    def _cleared(self, name: str) -> Term:
        loaded = self._next(self.network[1], self.registers[name])
        free = self._next(self.network[0], self.registers[name])
        return loaded if loaded.is_constant and loaded is not free else self._held(name)

    def _decided(
        self, name: str, signals: list[str], pair: Callable[[str], tuple[Term, Term]]
    ) -> Outcome:
        start = time.monotonic()
        problem: str | None = None
        for signal in signals:
            left, right = pair(signal)
            if left is right:
                continue
            found = self.solver.find([self.pool.inverted(self.pool.equal(left, right))])
            if found == "unknown":
                raise KanError("the proof took too long", remedy="allow more with --timeout")
            if found is not None:
                problem = f"{signal} differs"
                break
        claim = f"{name} ({quantity(len(signals), 'signal')})"
        return Outcome("enable", claim, time.monotonic() - start, problem)
