"""Inputs that show a failed proof at the ports: cycle by cycle, starting with a reset."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from kan_dialect.flows.prove.cycles.claims import Outcome
from kan_dialect.flows.prove.cycles.terms import evaluate, ordered
from kan_dialect.flows.prove.on_chip.bench import (
    HANDSHAKE,
    Cycle,
    Mismatch,
    first_mismatch,
    play,
)
from kan_dialect.flows.prove.on_chip.prove import TrainingProof
from kan_dialect.flows.prove.on_chip.step_ports import StepPorts, number_type
from kan_dialect.model.on_chip.coefficient_memory import Bank
from kan_dialect.ops.grid import LocateOp

SECONDS = 20.0
"""To look for inputs."""

ENOUGH = 4.0
"""Seconds behind which a wrong handshake will do; before, a wrong number is looked for."""

SHRINKING = 8.0
"""Seconds for leaving out inputs that are not needed."""

MAX_WORDS = 64
"""Number of random words written before and read after, for larger memories."""


@dataclass(frozen=True)
class Witness:
    """Inputs, and the wrong outputs that follow."""

    trace: list[Cycle]
    mismatch: Mismatch


def find_witness(proof: TrainingProof, outcome: Outcome) -> Witness | None:
    """Inputs that show a failed claim, or any other difference; None where none were found."""
    start = time.monotonic()
    other: Witness | None = None
    for trace in _Search(proof).traces(outcome):
        found = _run(proof, trace)
        if found is not None:
            witness = Witness(trace[: found.cycle + 1], found)
            if found.port not in HANDSHAKE:
                return _shrunk(proof, witness)
            other = other or witness
        if time.monotonic() > start + (SECONDS if other is None else ENOUGH):
            break
    return None if other is None else _shrunk(proof, other)


def _run(proof: TrainingProof, trace: Sequence[Cycle]) -> Mismatch | None:
    outputs = play(proof.ports, trace)
    return first_mismatch(proof.step, proof.ports, proof.timing, trace, outputs)


def _shrunk(proof: TrainingProof, witness: Witness) -> Witness:
    """With as few cycles as are found soon."""
    end, size = time.monotonic() + SHRINKING, len(witness.trace) // 2
    while size and time.monotonic() < end:
        for start in range(len(witness.trace) - size, 0, -size):
            trace = [*witness.trace[:start], *witness.trace[start + size :]]
            found = _run(proof, trace)
            if found is not None and found.port == witness.mismatch.port:
                witness = Witness(trace[: found.cycle + 1], found)
            if time.monotonic() > end:
                break
        size //= 2
    return witness


class _Search:
    """Inputs that may show a difference, likely ones first."""

    def __init__(self, proof: TrainingProof) -> None:
        self.proof, self.step, self.timing = proof, proof.step, proof.timing
        self.map = proof.ports.map
        self.number, self.of_step = number_type(self.step.input), StepPorts.of(self.step)
        self.rng: Generator = np.random.default_rng(0)
        addresses = [self.map.addresses(layer).ravel() for layer in range(len(self.map.shapes))]
        self.addresses: list[int] = np.concatenate(addresses).tolist()
        self.idle: list[Cycle] = [{}] * (max(self.timing.busy, self.timing.latency) + 2)

    def traces(self, outcome: Outcome) -> Iterator[list[Cycle]]:
        if outcome.values is not None and outcome.group in ("writes", "outputs", "reads"):
            yield self._of_sample(outcome)
        if outcome.values is not None and outcome.group in ("handshake", "memory port"):
            yield self._of_history(outcome)
        yield [{"rst": 1}, {}, *self._reads(self._some(self.addresses)), *self.idle]
        while True:
            yield self.random()

    def _some(self, addresses: Sequence[int]) -> list[int]:
        if len(addresses) <= MAX_WORDS:
            return list(addresses)
        return sorted(self.rng.permutation(np.array(addresses))[:MAX_WORDS].tolist())

    def _reads(self, addresses: Sequence[int]) -> list[Cycle]:
        return [{"mem_valid": 1, "mem_address": address} for address in addresses]

    def _write(self, address: int, word: int) -> Cycle:
        return {"mem_valid": 1, "mem_write": 1, "mem_address": address, "mem_data": word}

    def _of_sample(self, outcome: Outcome) -> list[Cycle]:
        """Words are loaded, a sample trains, words are read."""
        proof = self.proof
        assert outcome.values is not None and proof.reference is not None
        matching, rows = proof.matching, proof.reference.rows
        values, _ = matching.completed([row.term for row in rows.values()], outcome.values)
        columns = {name: np.array([value], dtype=object) for name, value in values.items()}
        places: dict[Bank, int] = {}
        for bank, row in rows.items():
            if all(t.data in columns for t in ordered([row.term]) if t.kind == "var"):
                at = int(evaluate(row.term, columns)[0])
                places[bank] = self.map.place(bank) << self.map.row_bits | at
        loads = [self._write(a, self._code(self.number.bits)) for a in self._some(self.addresses)]
        loads += [
            self._write(address, outcome.values[self._word(bank)])
            for bank, address in places.items()
            if self._word(bank) in outcome.values
        ]
        sample: Cycle = {"in_valid": 1, "train": 1}
        for port in (*self.of_step.inputs, *self.of_step.targets):
            code = outcome.values.get(f"{port.name}@0", 0)
            sample[port.name] = values.get(f"{port.name}@0", code)
        reads = self._reads(list(places.values()))
        return [{"rst": 1}, *loads, sample, *self.idle, *reads, *self.idle]

    def _word(self, bank: Bank) -> str:
        return f"word:{self.proof.ports.write[bank].memory}"

    def _of_history(self, outcome: Outcome) -> list[Cycle]:
        """The inputs of the cycles that a claim is of, behind a reset."""
        values = outcome.values or {}
        cycles: dict[int, Cycle] = {}
        for name, value in values.items():
            port, _, cycle = name.rpartition("@")
            if port in self.proof.netlist.inputs:
                cycles.setdefault(int(cycle), {})[port] = value
        history = [cycles.get(index, {}) for index in range(max(cycles, default=0) + 1)]
        reads = self._reads(self._some(self.addresses))
        return [{"rst": 1}, *history, *self.idle, *reads, *self.idle]

    def random(self) -> list[Cycle]:
        """Words, samples in few cells, accesses and resets between them, and all words again."""
        rng = self.rng
        addresses = self._some(self.addresses)
        loads = [self._write(a, self._code(self.number.bits)) for a in addresses]
        first = next(op for op in self.step.function.body.block.ops if isinstance(op, LocateOp))
        ends = np.ldexp(first.ends, self.number.fraction).astype(np.int64)
        within = rng.integers(ends[:, 0], ends[:, 1] + 1, (2, len(ends)))
        spots: list[list[int]] = (within & ((1 << self.number.bits) - 1)).tolist()
        busy, resets = float(rng.choice([0.3, 0.8, 1.0])), float(rng.choice([0.0, 0.05]))
        traffic: list[Cycle] = []
        for _ in range(40):
            cycle: Cycle = {"in_valid": int(rng.random() < busy), "train": int(rng.random() < 0.7)}
            spot = spots[int(rng.integers(2))]
            anywhere = rng.random() < 0.2
            for port, code in zip(self.of_step.inputs, spot, strict=True):
                cycle[port.name] = self._code(port.width) if anywhere else code
            for port in self.of_step.targets:
                cycle[port.name] = self._code(port.width)
            if rng.random() < 0.1:
                address = addresses[int(rng.integers(len(addresses)))]
                cycle |= self._write(address, self._code(self.number.bits))
                cycle["mem_write"] = int(rng.random() < 0.5)
            cycle["rst"] = int(rng.random() < resets)
            traffic.append(cycle)
        reads = self._reads(addresses)
        return [{"rst": 1}, *loads, *traffic, *self.idle, *reads, *self.idle]

    def _code(self, bits: int) -> int:
        """A number of some size around 0."""
        top = 1 << (bits - 1)
        number = int(self.rng.integers(-top, top)) >> int(self.rng.integers(0, bits - 2))
        return number & ((1 << bits) - 1)
