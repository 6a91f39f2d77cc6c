"""Accesses that train a network through its registers, with the answers of the integer model.

Between samples the host loads random coefficients, reads others, and tries what is refused. At the
end it reads every coefficient.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from kan_dialect.flows.interfaces.register_bench import ALL_BYTES, Accesses
from kan_dialect.ir.constants import Array, BoolArray, IntArray
from kan_dialect.lowering.wrappers.register_map import (
    BUSY,
    BYTES,
    DONE,
    MEM_BUSY,
    MEM_DONE,
    MEM_READ,
    MEM_WRITE,
    START,
    TRAIN,
    RegisterMap,
)
from kan_dialect.model.on_chip.coefficient_memory import memory_map
from kan_dialect.model.on_chip.training_step import Step, run_steps

_LONGEST = 6
"""Most samples between two visits of coefficients."""


def training_accesses(
    step: Step,
    registers: RegisterMap,
    inputs: IntArray,
    targets: IntArray,
    train: BoolArray,
    *,
    seed: int = 0,
) -> Accesses:
    """Accesses of a run of training from the initial coefficients.

    Parameters
    ----------
    registers : of the wrapper around the step's hardware.
    inputs, targets : codes, (samples, in) and (samples, out), int64.
    train : whether a sample trains, (samples), bool.
    seed : of the order of accesses, and of coefficients that the host loads.
    """
    host = _Host(step, registers, np.random.default_rng(seed))
    host.identify()
    samples = len(inputs)
    ends = [0]
    while ends[-1] < samples:
        ends.append(min(samples, ends[-1] + int(host.rng.integers(1, _LONGEST, endpoint=True))))
    for start, end in pairwise(ends):
        host.train(inputs[start:end], targets[start:end], train[start:end])
        host.visit_coefficients()
        host.try_refused()
    host.read_all()
    return host.accesses


class _Host:
    """A host that knows the coefficients which the hardware should have."""

    def __init__(self, step: Step, registers: RegisterMap, rng: np.random.Generator) -> None:
        self.step, self.map, self.rng = step, registers, rng
        self.accesses = Accesses()
        self.states: list[Array] = step.initial()
        self.memory = memory_map(step)
        self.letter = "e" if step.fed_error else "t"
        self.count = 0
        self.held: dict[str, int] = {}
        """Codes in the registers of inputs and targets."""

    def identify(self) -> None:
        """Read all constants, and the status after the reset."""
        for register in self.map.registers:
            if register.access == "constant":
                self.accesses.read(register, register.value)
        self.accesses.read(self.map.named("STATUS"), 0)

    def train(self, inputs: IntArray, targets: IntArray, train: BoolArray) -> None:
        """Run samples, each until its outputs are there, or until a coefficient is asked for."""
        run = run_steps(self.step, inputs, targets, train, self.states)
        self.states = run.states
        control, status = self.map.named("CONTROL"), self.map.named("STATUS")
        last = len(inputs) - 1
        samples = [
            {f"x{index}": code for index, code in enumerate(x)}
            | {f"{self.letter}{index}": code for index, code in enumerate(t)}
            for x, t in zip(inputs.tolist(), targets.tolist(), strict=True)
        ]
        for place, (codes, y, trains) in enumerate(
            zip(samples, run.outputs.tolist(), train, strict=True)
        ):
            self._load(codes)
            self.accesses.write(control, 1 << START | int(trains) << TRAIN)
            if place < last and self.rng.random() < 0.5:
                # The sample has the codes at its start, though the network may take it later.
                self._load(samples[place + 1])
            if place == last and self.rng.random() < 0.5:
                # The coefficient has the update of the sample, though nobody waits for it.
                self._read_coefficient(*self._random_place())
            self.accesses.poll(status, 1 << DONE, 1 << DONE | 1 << BUSY)
            self.count += 1
            for index, code in enumerate(y):
                self.accesses.read_port(self.map.of_port(f"y{index}"), code)
        self.accesses.read(self.map.named("COUNT"), self.count)

    def _load(self, codes: dict[str, int]) -> None:
        """Write inputs and targets in any order. Half of the unchanged ones are left out."""
        names = list(codes)
        for name in (names[int(place)] for place in self.rng.permutation(len(names))):
            registers = self.map.of_port(name)
            if self.held.get(name) == codes[name] and self.rng.random() < 0.5:
                self.accesses.read_port(registers, codes[name])
                continue
            self.accesses.write_port(registers, codes[name])
            self.held[name] = codes[name]
            if self.rng.random() < 0.2:
                # Without its bytes, a write changes nothing.
                self.accesses.write(registers[0], ~codes[name], 0)

    def visit_coefficients(self) -> None:
        """Read a few coefficients, and load a random one sometimes."""
        for _ in range(int(self.rng.integers(0, 3))):
            layer, place = self._random_place()
            if self.rng.random() < 0.4:
                number = self.step.number
                assert number is not None
                code = int(self.rng.integers(number.low, number.high, endpoint=True))
                self.states[layer] = self.states[layer].copy()
                self.states[layer][place] = code
                self.accesses.write_port(self.map.of_port("mem_data"), code)
                self._access(layer, place, MEM_WRITE)
            self._read_coefficient(layer, place)

    def try_refused(self) -> None:
        """A write to what is read only, an address behind the map, a command without its byte."""
        fixed = [each for each in self.map.registers if not each.is_writable]
        chosen = fixed[int(self.rng.integers(len(fixed)))]
        self.accesses.write_refused(chosen.offset, int(self.rng.integers(1 << 32)))
        beyond = BYTES * len(self.map.registers)
        if beyond < 1 << self.map.address_bits:
            self.accesses.read_refused(beyond)
            self.accesses.write_refused(beyond, 1)
        self.accesses.write(self.map.named("CONTROL"), 1 << START, ALL_BYTES - 1)
        self.accesses.read(self.map.named("COUNT"), self.count)

    def read_all(self) -> None:
        """Read every coefficient."""
        for layer, state in enumerate(self.states):
            for place in np.ndindex(*state.shape):
                self._read_coefficient(layer, place)

    def _random_place(self) -> tuple[int, tuple[int, ...]]:
        layer = int(self.rng.integers(len(self.states)))
        shape = self.states[layer].shape
        return layer, tuple(self.rng.integers(0, shape).tolist())

    def _read_coefficient(self, layer: int, place: tuple[int, ...]) -> None:
        self._access(layer, place, MEM_READ)
        code = int(self.states[layer][place])
        self.accesses.read_port(self.map.of_port("mem_read_data"), code)

    def _access(self, layer: int, place: tuple[int, ...], bit: int) -> None:
        address = int(self.memory.addresses(layer)[place])
        self.accesses.write_port(self.map.of_port("mem_address"), address)
        self.accesses.write(self.map.named("MEM_CONTROL"), 1 << bit)
        if self.rng.random() < 0.5:
            # The access has the address and word at its command.
            for name in ("mem_address", "mem_data"):
                other = self.rng.integers(1 << self.map.of_port(name)[0].bits)
                self.accesses.write(self.map.of_port(name)[0], int(other))
        mask = 1 << MEM_DONE | 1 << MEM_BUSY
        self.accesses.poll(self.map.named("STATUS"), 1 << MEM_DONE, mask)
