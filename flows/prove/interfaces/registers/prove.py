"""Proves a wrapper with registers on AXI4-Lite, for every history of the bus.

docs/rationale/proof.md has the argument.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.claims import Claim, Outcome, Progress
from kan_dialect.flows.prove.cycles.solver import Solver
from kan_dialect.flows.prove.cycles.terms import Pool, Term
from kan_dialect.flows.prove.cycles.two_readings import TwoReadings
from kan_dialect.flows.prove.interfaces.induction import Candidate, Induction
from kan_dialect.flows.prove.interfaces.paths import combinational_path
from kan_dialect.flows.prove.interfaces.proof import InterfaceProof, NetworkT
from kan_dialect.flows.prove.interfaces.registers.model import RegisterModel
from kan_dialect.flows.prove.interfaces.registers.ports import (
    BUS,
    HASH,
    RegisterPorts,
    register_ports,
)
from kan_dialect.flows.prove.interfaces.registers.sample_model import SampleModel
from kan_dialect.flows.prove.interfaces.registers.training_core import (
    TrainingNetwork,
    TrainingSystem,
)
from kan_dialect.flows.prove.interfaces.registers.training_model import TrainingModel
from kan_dialect.flows.prove.interfaces.signals import WrapperSignals
from kan_dialect.flows.prove.interfaces.system import System
from kan_dialect.flows.prove.netlist import Cell, Netlist
from kan_dialect.model.interface import Interface

NO_PATHS: dict[str, str] = {}


@dataclass(repr=False)
class RegisterProof(InterfaceProof[RegisterPorts, NetworkT]):
    """A wrapper with registers, and what is proven of it."""

    @abstractmethod
    def model(self) -> RegisterModel:
        """A new model of the registers."""

    @property
    def inner_paths(self) -> Mapping[str, str]:
        """Outputs of the network that depend on one of its inputs in the same cycle."""
        return NO_PATHS


@dataclass(repr=False)
class SampleRegisterProof(RegisterProof[Interface]):
    """A wrapper around a network."""

    def finding(self) -> str:
        return (
            "reads and writes are those of its registers, for every history of the bus; outputs "
            "are those of the sample started last"
        )

    def model(self) -> SampleModel:
        system = System(self.netlist, self.boundary, self.interface, Pool())
        return SampleModel(system, self.boundary, _identity(system))


@dataclass(repr=False)
class TrainingRegisterProof(RegisterProof[TrainingNetwork]):
    """A wrapper around hardware that trains."""

    def finding(self) -> str:
        return (
            "reads and writes are those of its registers, for every history of the bus; samples "
            "and accesses to coefficients are those of its commands, each once, in their order"
        )

    def model(self) -> TrainingModel:
        system = TrainingSystem(self.netlist, self.boundary, self.interface, Pool())
        return TrainingModel(system, self.boundary, _identity(system))

    @property
    def inner_paths(self) -> Mapping[str, str]:
        return {"in_ready": "mem_valid"}


def prove_registers(
    rtl: Path,
    name: str,
    core: Path,
    interface: Interface | TrainingNetwork,
    *,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> RegisterProof[object]:
    """Prove the wrapper `name` in `rtl`, with registers, around the network in `core`.

    The network is taken for what its own proof says (`system.py`, `training_core.py`).

    Raises
    ------
    KanError : Yosys or bitwuzla is missing, a file is outside the subset or Yosys refuses it, ports
        are not those of the registers, or no time is left.
    """
    start = time.monotonic()
    solver = Solver(None if timeout is None else start + timeout)
    readings = TwoReadings.of(rtl, name, timeout, (interface.name, core))
    engine = f"induction over cycles, bitwuzla {solver.version}, {readings.readers}"

    def planned(found: Netlist) -> RegisterProof[object]:
        if isinstance(interface, Interface):
            ports = register_ports(interface.inputs, interface.outputs, found)
            return SampleRegisterProof(name, rtl, found, ports, interface, engine)
        ports = register_ports(interface.written, interface.read, found, memory=True)
        return TrainingRegisterProof(name, rtl, found, ports, interface, engine)

    proof = readings.prove(planned, lambda each: _Prover(each, solver).run(), progress)
    proof.seconds = time.monotonic() - start
    return proof


def _identity(system: WrapperSignals) -> int:
    """What the wrapper gives for HASH: any number, but always the same."""
    pool = system.pool
    address = system.port(f"{BUS}_araddr", 0)
    one = pool.constant(1, 1)
    replaced = {
        address: pool.constant(HASH << 2, address.width),
        system.port(f"{BUS}_arvalid", 0): one,
        system.port("aresetn", 0): one,
    }
    word = pool.rebuilt(system.port(f"{BUS}_rdata", 1), replaced)
    while word.kind == "ite":
        word = word.args[1]
    if not word.is_constant:
        raise KanError("the register HASH is not read as a constant", remedy="build again")
    return int(word.data)


class _Prover:
    """Makes the claims of one reading, and proves each."""

    def __init__(self, proof: RegisterProof[object], solver: Solver) -> None:
        self.proof = proof
        self.model = proof.model()
        self.system, self.pool = self.model.system, self.model.pool
        self.induction = Induction(self.system, solver)

    def run(self) -> Iterator[Outcome]:
        yield from self._paths()
        yield from self._reset()
        start = time.monotonic()
        self.induction.settle([*self._claimed(), *self._guesses()])
        self.proof.invariants = [candidate.name for candidate in self.induction.kept]
        running = self.pool.inverted(self.system.in_reset(0))
        groups: dict[str, list[Term]] = {}
        for claim in self.model.claims(0):
            groups.setdefault(claim.name, []).append(claim.term)
        spent = time.monotonic() - start
        for name, terms in groups.items():
            start = time.monotonic()
            found = self.induction.refute(self.pool.both(*terms), [running])
            problem = None if found is None else "does not follow from what is known of every state"
            yield Outcome("registers", name, spent + time.monotonic() - start, problem)
            spent = 0.0

    def _paths(self) -> Iterator[Outcome]:
        """No output depends on an input of the same cycle."""
        netlist, start = self.proof.netlist, time.monotonic()
        inner = self.proof.inner_paths
        for output in netlist.outputs:
            found = [i for i in netlist.inputs if combinational_path(netlist, i, output, inner)]
            problem = f"there is one from {found[0]}" if found else None
            name = f"no path from an input to {output}"
            yield Outcome("paths", name, time.monotonic() - start, problem)
            start = time.monotonic()

    def _reset(self) -> Iterator[Outcome]:
        """Behind a cycle of reset nothing is offered, whatever came before."""
        for port in ("bvalid", "rvalid"):
            start = time.monotonic()
            high = self.model.bus(port, 1)
            found = self.induction.find([self.system.in_reset(0), high])
            problem = None if found is None else "can be 1 behind a cycle of reset"
            yield Outcome("reset", f"{BUS}_{port} is 0", time.monotonic() - start, problem)

    # Candidates for invariants.

    def _claimed(self) -> Iterator[Candidate]:
        """Claims about one cycle are guesses themselves."""

        @cache
        def claims(cycle: int) -> list[Claim]:
            return [*self.model.claims(cycle)]

        for number, claim in enumerate(claims(0)):

            def at(cycle: int, n: int = number) -> Term:
                return self.pool.any_of([self.system.in_reset(cycle), claims(cycle)[n].term])

            yield Candidate(claim.name, at)

    def _guesses(self) -> Iterator[Candidate]:
        """Registers of the wrapper that hold what the model does; stages of the network."""
        model, pool, system = self.model, self.pool, self.system
        for register in system.registers():
            for name, where in model.alike.items():
                if model.widths.get(name, 1) != len(register.connections["Q"]):
                    continue

                def same(t: int, r: Cell = register, n: str = name, w: str = where) -> Term:
                    equal = pool.equal(system.value(r, t), model.at(n, t))
                    return model.implied(model.at(w, t), equal) if w else equal

                yield Candidate(f"{register.name} is {name}", same)
        yield from model.guesses()
