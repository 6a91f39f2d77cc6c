"""Plays inputs on a design, cycle by cycle, beside the training step: where they differ first.

The design runs as its terms say, or in Icarus Verilog. The step runs sample by sample, in the order
in which the design takes samples and accesses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from kan_dialect.flows.prove.cycles.machine import Machine
from kan_dialect.flows.prove.cycles.player import played
from kan_dialect.flows.prove.cycles.terms import Pool, Term
from kan_dialect.flows.prove.netlist import Cell
from kan_dialect.flows.prove.on_chip.handshake import READ_CYCLES, Ports, Timing
from kan_dialect.flows.prove.on_chip.step_ports import StepPorts
from kan_dialect.ir.constants import Array
from kan_dialect.model.on_chip.training_step import Step, run_steps

Cycle: TypeAlias = dict[str, int]
"""Patterns of ports in a cycle; an input that is not there is 0."""


@dataclass(frozen=True)
class Mismatch:
    """A port that is not as it must be."""

    cycle: int
    port: str
    expected: int
    got: int | None
    """None where it is undefined."""


def play(ports: Ports, trace: Sequence[Cycle]) -> list[Cycle]:
    """The outputs in every cycle; registers start at 0, memories with the contents in the file."""
    netlist, pool = ports.netlist, Pool()
    words = {name: list(memory.entries) for name, memory in netlist.memories.items()}

    def read_word(cell: Cell, _: int, address: Term) -> Term:
        held = words[cell.memory]
        width = netlist.memories[cell.memory].width
        row = address.data if address.is_constant else len(held)
        return pool.constant((held[row] or 0) if row < len(held) else 0, width)

    given = {
        (port, index): pool.constant(cycle.get(port, 0), len(bits))
        for index, cycle in enumerate(trace)
        for port, bits in netlist.inputs.items()
    }
    machine = Machine(netlist, pool, given, read_word=read_word)
    registers = machine.registers()
    widths = {cell: len(cell.connections["Q"]) for cell in registers}
    machine.start = {cell: pool.constant(0, width) for cell, width in widths.items()}
    found: list[Cycle] = []
    for index in range(len(trace)):
        outputs = {port: machine.port(port, index) for port in netlist.outputs}
        found.append({p: term.data for p, term in outputs.items() if term.is_constant})
        for register in registers:
            machine.next_state(register, index)
        for memory, cell in ((cell.memory, cell) for cell in ports.write.values()):
            writing = machine.writing(cell, index)
            if writing.enable.is_constant and writing.enable.data:
                row = writing.address.data if writing.address.is_constant else None
                if isinstance(row, int) and row < len(words[memory]) and writing.data.is_constant:
                    words[memory][row] = writing.data.data
    return found


def play_in_icarus(ports: Ports, rtl: Path, name: str, trace: Sequence[Cycle]) -> list[Cycle]:
    """The outputs in every cycle, in Icarus Verilog; undefined outputs are left out.

    Raises
    ------
    KanError : Icarus is missing or refuses the design.
    """
    rows = played(rtl, name, ports.netlist, "clk", trace)
    return [
        {port: int(bits, 2) for port, bits in row.items() if set(bits) <= {"0", "1"}}
        for row in rows
    ]


@dataclass
class _Flight:
    """A sample that is under way; what it computes is known from the start."""

    taken: int
    train: bool
    outputs: list[int]
    before: list[Array]
    """States that it reads, after all samples before it."""
    after: list[Array]


class Model:
    """The step behind the design's ports."""

    def __init__(self, step: Step, ports: Ports, timing: Timing) -> None:
        self.step, self.map, self.timing = step, ports.map, timing
        self.of_step = StepPorts.of(step)
        self.states: list[Array] = [state.copy() for state in step.initial()]
        self.writes = {bank.layer: cycle for bank, cycle in timing.writes.items()}
        self.flights: list[_Flight] = []
        self.reads: dict[int, int] = {}

    def expected(self, cycle: int, inputs: Cycle, seen: Cycle) -> Cycle:
        """The required outputs in a cycle; samples are taken where the design takes them."""
        timing = self.timing
        ages = [(cycle - flight.taken, flight) for flight in self.flights]
        training = any(age < timing.interval and flight.train for age, flight in ages)
        wanted: Cycle = {
            "in_ready": int(not inputs.get("mem_valid") and not training),
            "mem_ready": int(not any(age <= timing.busy for age, _ in ages)),
            "out_valid": 0,
            "mem_read_valid": int(cycle in self.reads),
        }
        for age, flight in ages:
            if age == timing.latency:
                codes = enumerate(flight.outputs)
                wanted |= {"out_valid": 1, **{f"y{i}": self._pattern(code) for i, code in codes}}
        if cycle in self.reads:
            wanted["mem_read_data"] = self.reads.pop(cycle)
        self._end_of_cycle(cycle, inputs, seen)
        return wanted

    def _pattern(self, code: int) -> int:
        return code & ((1 << self.of_step.word.width) - 1)

    def _end_of_cycle(self, cycle: int, inputs: Cycle, seen: Cycle) -> None:
        last = max(self.timing.latency, self.timing.busy, *self.writes.values())
        for flight in self.flights:
            for layer, write in self.writes.items():
                if write == cycle - flight.taken:
                    self._write(self.states, flight, layer)
        self.flights = [flight for flight in self.flights if cycle - flight.taken < last]
        if inputs.get("mem_valid") and seen.get("mem_ready"):
            self._access(cycle, inputs)
        if inputs.get("in_valid") and seen.get("in_ready"):
            self.flights.append(self._taken(cycle, inputs))
        if inputs.get("rst"):
            self.flights, self.reads = [], {}

    def _write(self, states: list[Array], flight: _Flight, layer: int) -> None:
        changed = flight.after[layer] != flight.before[layer]
        if flight.train:
            states[layer][changed] = flight.after[layer][changed]

    def _taken(self, cycle: int, inputs: Cycle) -> _Flight:
        states = [state.copy() for state in self.states]
        for flight in self.flights:
            for layer in self.writes:
                self._write(states, flight, layer)
        number, train = self.of_step.number, bool(inputs.get("train"))
        x, t = (
            np.array([[number(port.name, inputs.get(port.name, 0)) for port in of_sample]])
            for of_sample in (self.of_step.inputs, self.of_step.targets)
        )
        run = run_steps(self.step, x, t, np.array([train]), states)
        return _Flight(cycle, train, run.outputs[0].tolist(), states, run.states)

    def _access(self, cycle: int, inputs: Cycle) -> None:
        for layer in range(len(self.map.shapes)):
            places = np.argwhere(self.map.addresses(layer) == inputs.get("mem_address", 0))
            for place in map(tuple, places.tolist()):
                if inputs.get("mem_write"):
                    word = inputs.get("mem_data", 0)
                    self.states[layer][place] = self.of_step.number("mem_data", word)
                else:
                    word = self._pattern(int(self.states[layer][place]))
                    self.reads[cycle + READ_CYCLES] = word


HANDSHAKE = ("in_ready", "mem_ready", "out_valid", "mem_read_valid")


def first_mismatch(
    step: Step, ports: Ports, timing: Timing, trace: Sequence[Cycle], outputs: Sequence[Cycle]
) -> Mismatch | None:
    """The first number that is wrong behind the first reset, else the first port that is."""
    model = Model(step, ports, timing)
    started, other = False, None
    for index, (inputs, seen) in enumerate(zip(trace, outputs, strict=False)):
        wanted = model.expected(index, inputs, seen)
        if started:
            for port, value in wanted.items():
                if seen.get(port) == value:
                    continue
                found = Mismatch(index, port, value, seen.get(port))
                if port not in HANDSHAKE:
                    return found
                other = other or found
        started = started or bool(inputs.get("rst"))
    return other
