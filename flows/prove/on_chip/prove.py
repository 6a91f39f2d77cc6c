"""Proves hardware that trains itself: every output and every write is that of the IR's step.

docs/rationale/proof.md has the argument.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.random import Generator

from kan_dialect.errors import KanError
from kan_dialect.flows.design import Design, require_ports
from kan_dialect.flows.prove.cycles.claims import Outcome, Progress, ProofOverCycles
from kan_dialect.flows.prove.cycles.integers import Integer
from kan_dialect.flows.prove.cycles.machine import Machine
from kan_dialect.flows.prove.cycles.solver import Solver, Values
from kan_dialect.flows.prove.cycles.terms import Pool, Term
from kan_dialect.flows.prove.cycles.two_readings import proven_as_read
from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.flows.prove.on_chip.handshake import (
    READ_CYCLES,
    Ports,
    Timing,
    all_claims,
    describe,
    find_ports,
    has_row,
    hazards,
    names_bank,
    observe,
)
from kan_dialect.flows.prove.on_chip.matching import SAMPLES, Matching
from kan_dialect.flows.prove.on_chip.reference import Part, Reference
from kan_dialect.flows.prove.on_chip.step_ports import StepPorts, number_type
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.fixed_point import FixedType
from kan_dialect.model.interface import Port
from kan_dialect.model.on_chip.coefficient_memory import Bank, memory_map
from kan_dialect.model.on_chip.training_step import Step
from kan_dialect.ops.grid import LocateOp


@dataclass(repr=False, kw_only=True)
class TrainingProof(ProofOverCycles):
    """A design, its training step, and the numbers of the step proven in the design so far."""

    step: Step
    ports: Ports
    timing: Timing
    matching: Matching
    reference: Reference | None = None
    readings: dict[Bank, set[int]] = field(default_factory=dict[Bank, set[int]])
    """Cycles in which each bank is read for a sample."""
    port_reads: set[int] = field(default_factory=set[int])

    def finding(self) -> str:
        return "every sample and every access is a step of the IR, for all inputs and all words"

    def summary(self) -> dict[str, str | int | float]:
        """What `report.json` holds under `proof`."""
        return {
            "engine": self.engine,
            "outputs": self.count("outputs"),
            "writes": self.count("writes"),
            "cycles_proven": self.timing.latency,
            "interval_proven": self.timing.interval,
            "seconds": round(self.seconds, 3),
        }


def prove_training(
    rtl: Path,
    step: Step,
    latency: int,
    interval: int,
    *,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> TrainingProof:
    """Prove the design in `rtl` equal to a training step.

    Parameters
    ----------
    latency, interval : cycles, as the build says.

    Raises
    ------
    KanError : Yosys or bitwuzla is missing, the file is outside the subset or Yosys refuses it, it
        is no design that trains, or no time is left.
    """
    if step.number is None:
        raise KanError(f"@{step.name} is real-valued: hardware needs fixed-point numbers")
    solver = Solver(None if timeout is None else time.monotonic() + timeout)

    def plan(netlist: Netlist, readers: str) -> TrainingProof:
        require_ports(netlist.port_bits, Design.of_step(step, 0, 0).ports, f"@{step.name}")
        pool = Pool()
        ports = find_ports(netlist, pool, memory_map(step), step.layers)
        return TrainingProof(
            name=step.name,
            netlist=netlist,
            engine=f"bitwuzla {solver.version}, {readers}",
            step=step,
            ports=ports,
            timing=observe(ports, latency, interval),
            matching=Matching(pool, solver),
        )

    return proven_as_read(
        rtl, step.name, plan, lambda proof: _Prover(proof).run(), timeout=timeout, progress=progress
    )


class _Prover:
    """Makes the claims, and proves each."""

    def __init__(self, proof: TrainingProof) -> None:
        self.proof = proof
        self.ports, self.pool = proof.ports, proof.ports.pool
        self.step, self.netlist, self.matching = proof.step, proof.netlist, proof.matching
        self.rng: Generator = np.random.default_rng(0)

    def run(self) -> Iterator[Outcome]:
        yield from self._handshake()
        yield from self._initial_words()
        yield from self._port_writes()
        yield from self._port_reads()
        yield from self._sample()
        problems = hazards(
            self.ports, self.proof.timing, self.proof.readings, self.proof.port_reads
        )
        yield Outcome("order", "reads behind writes", 0.0, problems[0] if problems else None)

    def _decided(self, group: str, name: str, claim: Term) -> Outcome:
        start = time.monotonic()
        return self._outcome(group, name, start, self.matching.holds(claim))

    def _outcome(self, group: str, name: str, start: float, found: Values | str | None) -> Outcome:
        spent = time.monotonic() - start
        if found is None:
            return Outcome(group, name, spent)
        if isinstance(found, str):
            deadline = self.matching.solver.deadline
            if deadline is not None and time.monotonic() > deadline:
                raise KanError("the proof took too long", remedy="allow more with --timeout")
            return Outcome(group, name, spent, "undecided")
        return Outcome(group, name, spent, "does not hold", found)

    # The handshake, for every history.

    def _handshake(self) -> Iterator[Outcome]:
        groups: dict[str, list[Term]] = {}
        for claim in all_claims(self.ports, self.proof.timing):
            groups.setdefault(claim.name, []).append(claim.term)
        for name, terms in groups.items():
            yield self._decided("handshake", name, self.pool.both(*terms))

    def _initial_words(self) -> Iterator[Outcome]:
        states, held = self.step.initial(), self.ports.map
        number = number_type(self.step.input)
        mask = (1 << number.bits) - 1
        for bank, cell in self.ports.write.items():
            expected = [word & mask for word in held.words(bank, states[bank.layer]).tolist()]
            found = self.netlist.memories[cell.memory].entries
            problem = None
            if len(found) != len(expected):
                problem = f"has {len(found)} words, and must have {len(expected)}"
            for row, (word, wanted) in enumerate(zip(found, expected, strict=False)):
                if word != wanted and problem is None:
                    got = "undefined" if word is None else word
                    problem = f"begins with {got} in row {row}, and must with {wanted}"
            yield Outcome("initial words", describe(self.ports, bank), 0.0, problem)

    # The memory port.

    def _access(self, *, write: bool) -> Machine:
        """The design with an access in cycle 0."""
        one, zero = self.pool.constant(1, 1), self.pool.constant(0, 1)
        given = {("mem_valid", 0): one, ("mem_ready", 0): one}
        given["mem_write", 0] = one if write else zero
        if not write:
            given |= {("rst", cycle): zero for cycle in range(2)}
        return self.ports.machine(given)

    def _port_writes(self) -> Iterator[Outcome]:
        machine = self._access(write=True)
        for bank, cell in self.ports.write.items():
            writing = machine.writing(cell, 0)
            same = self.pool.equal(writing.data, machine.port("mem_data", 0))
            claim = self.pool.both(self._is_row(machine, writing.address), same)
            yield self._of_access("write", machine, bank, claim)

    def _port_reads(self) -> Iterator[Outcome]:
        machine = self._access(write=False)
        data = machine.port("mem_read_data", READ_CYCLES)
        for bank, cell in self.ports.write.items():
            claims: list[Term] = []
            for reading in machine.readings.values():
                if reading.cell.memory == cell.memory:
                    self.proof.port_reads.add(reading.cycle)
                    is_row = self._is_row(machine, reading.address)
                    claims.append(self.pool.both(is_row, self.pool.equal(data, reading.word)))
            yield self._of_access("read", machine, bank, self.pool.any_of(claims))

    def _of_access(self, kind: str, machine: Machine, bank: Bank, claim: Term) -> Outcome:
        """A claim about an access that names a row of a bank."""
        named = names_bank(self.ports, machine, bank, 0), has_row(self.ports, machine, bank, 0)
        name = f"{kind} of {describe(self.ports, bank)}"
        return self._decided("memory port", name, self.pool.implied(*named, claim))

    def _is_row(self, machine: Machine, address: Term) -> Term:
        """Whether an address is the row that the memory port names in cycle 0."""
        rows = self.ports.map.row_bits
        named = machine.port("mem_address", 0)
        row = self.pool.part(named, 0, rows) if rows else self.pool.constant(0, 1)
        width = max(row.width, address.width)
        return self.pool.equal(
            *(self.pool.extended(term, width, signed=False) for term in (row, address))
        )

    # A sample.

    def _slot(self, last: int, *, train: bool) -> Machine:
        """The design with a sample taken in cycle 0, and no reset before `last`."""
        zero, one = self.pool.constant(0, 1), self.pool.constant(1, 1)
        given = {("in_valid", 0): one, ("in_ready", 0): one, ("mem_valid", 0): zero}
        given |= {("rst", cycle): zero for cycle in range(last)}
        busy = min(last, self.proof.timing.busy)
        given |= {("mem_ready", cycle): zero for cycle in range(1, busy + 1)}
        if train:
            given["train", 0] = one
        return self.ports.machine(given)

    def _sample(self) -> Iterator[Outcome]:
        step, timing, matching = self.step, self.proof.timing, self.matching
        of_step = StepPorts.of(step)
        evaluated = self._slot(timing.latency, train=False)
        outputs = [evaluated.port(port.name, timing.latency) for port in of_step.outputs]
        trained = {w: self._slot(w, train=True) for w in set(timing.writes.values())}
        writings = {
            bank: trained[timing.writes[bank]].writing(cell, timing.writes[bank])
            for bank, cell in self.ports.write.items()
        }
        words = self._words([evaluated, *trained.values()])
        inputs = self._inputs(of_step.inputs, self._likely_inputs())
        targets = self._inputs(of_step.targets, [self._numbers(p) for p in of_step.targets])
        signals = [*outputs, *(t for w in writings.values() for t in (w.address, w.data))]
        matching.add_signals(signals, self.rng)
        done: list[Outcome] = []

        def settle(part: Part, number: Integer) -> Integer:
            return self._settle(part, number, done)

        def word(bank: Bank) -> Integer:
            done.extend(self._reads(bank, [evaluated, *trained.values()], reference, words[bank]))
            return words[bank]

        reference = Reference(step, self.pool, settle, word, inputs, targets)
        self.proof.reference = reference
        reference.run()
        yield from done
        for port, signal, number in zip(of_step.outputs, outputs, reference.outputs, strict=True):
            yield self._equal("outputs", port.name, port, signal, number)
        for bank, writing in writings.items():
            name, start = describe(self.ports, bank), time.monotonic()
            top = (1 << writing.address.width) - 1
            address = Integer(writing.address, 0, top)
            found = matching.differs(address, reference.rows[bank])
            if found is not None:
                outcome = self._outcome("writes", name, start, found)
                problem = "address differs" if outcome.values is not None else outcome.problem
                yield Outcome("writes", name, outcome.seconds, problem, outcome.values)
                continue
            yield self._equal("writes", name, of_step.word, writing.data, reference.following[bank])

    def _settle(self, part: Part, number: Integer, done: list[Outcome]) -> Integer:
        start = time.monotonic()
        settled = self.matching.settle(part, number)
        if part.group and settled is not number:
            done.append(Outcome(part.group, part.name, time.monotonic() - start))
        return settled

    def _equal(self, group: str, name: str, port: Port, signal: Term, number: Integer) -> Outcome:
        """A signal of a port's type is a number of the reference."""
        start, top = time.monotonic(), 1 << signal.width
        low, high = (-top // 2, top // 2 - 1) if port.signed else (0, top - 1)
        found = self.matching.differs(Integer(signal, low, high), number)
        return self._outcome(group, name, start, found)

    def _words(self, machines: Sequence[Machine]) -> dict[Bank, Integer]:
        """A free word for each bank; on samples it has the value of the word read."""
        number = number_type(self.step.input)
        found: dict[Bank, Integer] = {}
        by_memory: dict[str, Bank] = {}
        for bank, cell in self.ports.write.items():
            by_memory[cell.memory] = bank
            samples = self._numbers(number)
            found[bank] = self.matching.variable(
                f"word:{cell.memory}", number.low, number.high, samples
            )
        for machine in machines:
            for reading in machine.readings.values():
                bank = by_memory.get(reading.cell.memory)
                if bank is not None:
                    name = found[bank].term.data
                    self.matching.samples[reading.word.data] = self.matching.samples[name]
        return found

    def _numbers(self, kind: FixedType | Port) -> IntArray:
        """Random numbers of a type: most around 0, some at the ends of its range."""
        scale = self.rng.integers(1, (kind.high - kind.low).bit_length(), SAMPLES)
        codes = self.rng.integers(kind.low, kind.high + 1, SAMPLES) >> scale
        ends = self.rng.random(SAMPLES) < 0.1
        return np.where(ends, self.rng.choice([kind.low, kind.high], SAMPLES), codes)

    def _likely_inputs(self) -> list[IntArray]:
        """Random inputs; three quarters lie in the grid."""
        number = number_type(self.step.input)
        first = next(op for op in self.step.function.body.block.ops if isinstance(op, LocateOp))
        found: list[IntArray] = []
        for low, high in np.ldexp(first.ends, number.fraction).astype(np.int64).tolist():
            within = self.rng.integers(low, min(high, number.high) + 1, SAMPLES)
            anywhere = self._numbers(number)
            found.append(np.where(self.rng.random(SAMPLES) < 0.75, within, anywhere))
        return found

    def _inputs(self, ports: Sequence[Port], samples: Sequence[IntArray]) -> list[Integer]:
        return [
            self.matching.variable(f"{port.name}@0", port.low, port.high, column)
            for port, column in zip(ports, samples, strict=True)
        ]

    def _reads(
        self, bank: Bank, machines: Sequence[Machine], reference: Reference, word: Integer
    ) -> Iterator[Outcome]:
        """Each bank is read in the row that takes part."""
        memory = self.ports.write[bank].memory
        seen: set[tuple[Term, Term]] = set()
        right = True
        for machine in machines:
            for reading in machine.readings.values():
                key = reading.word, reading.address
                if reading.cell.memory != memory or key in seen:
                    continue
                seen.add(key)
                start = time.monotonic()
                top = (1 << reading.address.width) - 1
                found = self.matching.differs(
                    Integer(reading.address, 0, top), reference.rows[bank]
                )
                name = f"{describe(self.ports, bank)}, cycle {reading.cycle}"
                outcome = self._outcome("reads", name, start, found)
                right = right and outcome.proven
                self.proof.readings.setdefault(bank, set()).add(reading.cycle)
                yield outcome
        if right:
            self.matching.replaced |= {reading: word.term for reading, _ in seen}
