"""Proves a wrapper with registers on AXI4-Lite, for every history of the bus.

docs/rationale/proof.md has the argument.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.claims import Outcome, Progress
from kan_dialect.flows.prove.cycles.solver import Solver
from kan_dialect.flows.prove.cycles.terms import Pool, Term, ordered
from kan_dialect.flows.prove.cycles.two_readings import TwoReadings
from kan_dialect.flows.prove.interfaces.induction import Candidate, Induction
from kan_dialect.flows.prove.interfaces.paths import combinational_path
from kan_dialect.flows.prove.interfaces.proof import InterfaceProof
from kan_dialect.flows.prove.interfaces.registers import (
    BUS,
    HASH,
    RegisterModel,
    RegisterPorts,
    register_ports,
)
from kan_dialect.flows.prove.interfaces.system import System
from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.model.interface import Interface


class RegisterProof(InterfaceProof[RegisterPorts]):
    """A wrapper with registers, and what is proven of it."""

    def finding(self) -> str:
        return (
            "reads and writes are those of its registers, for every history of the bus; outputs "
            "are those of the sample started last"
        )


def prove_registers(
    rtl: Path,
    name: str,
    core: Path,
    interface: Interface,
    *,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> RegisterProof:
    """Prove the wrapper `name` in `rtl`, with registers, around the network in `core`.

    The network is taken for what its own proof says: a function of its inputs, `latency` later.

    Raises
    ------
    KanError : Yosys or bitwuzla is missing, a file is outside the subset or Yosys refuses it, ports
        are not those of the registers, or no time is left.
    """
    start = time.monotonic()
    solver = Solver(None if timeout is None else start + timeout)
    readings = TwoReadings.of(rtl, name, timeout, (interface.name, core))
    engine = f"induction over cycles, bitwuzla {solver.version}, {readings.readers}"

    def planned(found: Netlist) -> RegisterProof:
        return RegisterProof(name, rtl, found, register_ports(interface, found), interface, engine)

    proof = readings.prove(planned, lambda each: _Prover(each, solver).run(), progress)
    proof.seconds = time.monotonic() - start
    return proof


def register_model(proof: RegisterProof) -> RegisterModel:
    """A new model of the registers of a wrapper."""
    system = System(proof.netlist, proof.boundary, proof.interface, Pool())
    return RegisterModel(system, proof.boundary, _identity(system))


def _identity(system: System) -> int:
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

    def __init__(self, proof: RegisterProof, solver: Solver) -> None:
        self.proof = proof
        self.model = register_model(proof)
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
        for output in netlist.outputs:
            found = [i for i in netlist.inputs if combinational_path(netlist, i, output)]
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
        for number, claim in enumerate(self.model.claims(0)):

            def at(cycle: int, n: int = number) -> Term:
                term = [*self.model.claims(cycle)][n].term
                return self.pool.any_of([self.system.in_reset(cycle), term])

            yield Candidate(claim.name, at)

    def _guesses(self) -> Iterator[Candidate]:
        """Registers of the wrapper that hold what the model does; stages of the network."""
        model, pool, system = self.model, self.pool, self.system
        when = {"address": "has_address", "data": "has_data", "strobes": "has_data"}
        plain = ("has_address", "has_data", "answers", "busy", "done", "reads", "count", *when)
        for register in system.registers():
            width = len(register.connections["Q"])
            for name in plain:
                if model.widths.get(name, 1) != width:
                    continue

                def same(cycle: int, r: object = register, n: str = name) -> Term:
                    equal = pool.equal(system.value(r, cycle), model.at(n, cycle))  # type: ignore[arg-type]
                    if n not in when:
                        return equal
                    return pool.any_of([pool.inverted(model.at(when[n], cycle)), equal])

                yield Candidate(f"{register.name} is {name}", same)
            if width == 1:
                yield Candidate(
                    f"{register.name} is 1 in the cycle behind a start",
                    lambda t, r=register: pool.equal(system.value(r, t), model.is_age(1, t)),
                )
            load = system.machine.next_state(register, 0)
            variables = {each.data for each in ordered([load]) if each.kind == "var"}
            for port, result in system.results.items():
                if f"core:{port}@0" in variables and result.width == width:
                    yield Candidate(
                        f"{register.name} holds {port}",
                        lambda t, r=register, y=result: self._output(system.value(r, t), y, t),
                    )
        for port in system.codes:
            yield Candidate(
                f"the network gets {port} from its registers",
                lambda t, p=port: pool.equal(system.core_input(p, t), model.input_code(p, t)),
            )
        yield Candidate(
            "a result is that of the sample under way",
            lambda t: pool.inverted(
                pool.make(
                    "ult",
                    1,
                    [
                        pool.constant(model.last, model.widths["age"]),
                        model.at("age", t),
                    ],
                )
            ),
        )
        for stage in range(1, model.latency + 1):
            yield Candidate(
                f"stage {stage} of the network is that of the age",
                lambda t, s=stage: pool.equal(system.valid(s, t), model.is_age(s + 1, t)),
            )
            yield Candidate(
                f"the followed sample in stage {stage}",
                lambda t, s=stage: pool.any_of(
                    [
                        pool.inverted(pool.both(model.at("mine", t), model.is_age(s + 1, t))),
                        system.is_sample(s, t),
                    ]
                ),
            )

    def _output(self, held: Term, result: Term, cycle: int) -> Term:
        pool, model = self.pool, self.model
        zero = pool.equal(held, pool.constant(0, held.width))
        right = pool.any_of([pool.inverted(model.at("right", cycle)), pool.equal(held, result)])
        return pool.both(right, pool.any_of([model.at("used", cycle), zero]))
