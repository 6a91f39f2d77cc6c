"""Simulates hardware that trains itself, in Verilator, and compares it with the integer model.

The compiled design runs as a process. Samples may be sent one at a time, so that a sample can
depend on earlier outputs, as in a closed loop. A comparison covers every output and
every coefficient.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.files.templates import filled
from kan_dialect.flows.design import Design
from kan_dialect.flows.simulate.verilator import build_program, check_ports
from kan_dialect.flows.tools.tool_runs import Conversation
from kan_dialect.flows.tools.toolchain import Tool
from kan_dialect.ir.constants import Array, BoolArray, IntArray
from kan_dialect.model.on_chip.coefficient_memory import MemoryMap
from kan_dialect.model.on_chip.training_step import Run, Step, run_steps


class _Kind(IntEnum):
    """Kinds of transactions of the driver."""

    INFER = 0
    TRAIN = 1
    WRITE = 2
    READ = 3
    IDLE = 4
    SYNC = 5


class TrainingCircuit:
    """A design that trains itself, running in a simulator."""

    def __init__(self, design: Design, directory: Path) -> None:
        assert design.training is not None
        self._bits = design.training.number.bits
        self.map: MemoryMap = design.training.memory
        self._shapes = [len(design.core.inputs), len(design.training.targets)]
        program = Tool(f"the simulation of {design.name}", directory.absolute() / "model")
        self._process = Conversation(program, "simulating the training")
        self.cycles = 0
        """Number of clock cycles so far."""

    def run(
        self,
        inputs: IntArray,
        targets: IntArray,
        train: BoolArray | None = None,
        *,
        bubbles: float = 0.0,
        seed: int = 0,
    ) -> IntArray:
        """Send samples one after another, each as soon as the design takes it.

        Parameters
        ----------
        inputs, targets : codes, (samples, in) and (samples, out), int64.
        train : whether a sample trains, (samples), bool; default all.
        bubbles : chance, from 0 to below 1, of a cycle without a sample before each sample.
        seed : of the bubbles.

        Returns
        -------
        Codes of the outputs, (samples, out), int64.

        Raises
        ------
        KanError : the shapes do not match the network, or the simulation fails.
        """
        samples = len(inputs)
        expected = [(samples, width) for width in self._shapes]
        if [inputs.shape, targets.shape] != expected:
            raise KanError(
                f"expected codes of shapes {expected}, got {[inputs.shape, targets.shape]}"
            )
        kinds = np.full(samples, _Kind.TRAIN, dtype=np.int64)
        if train is not None:
            kinds[~train] = _Kind.INFER
        records = self._records(kinds, inputs, targets)
        if bubbles:
            rng = np.random.default_rng(seed)
            places = np.repeat(np.arange(samples), rng.geometric(1 - bubbles, samples) - 1)
            idle = np.zeros((len(places), records.shape[1]), dtype=np.int64)
            idle[:, 0] = _Kind.IDLE
            records = np.insert(records, places, idle, axis=0)
        outputs, _ = self._play(records)
        return outputs.reshape(samples, -1)

    def read(self) -> list[Array]:
        """Read the current coefficients of each layer: (out, in, coefficients), int64."""
        states: list[Array] = []
        sign = 1 << (self._bits - 1)
        for layer in range(len(self.map.shapes)):
            addresses = self.map.addresses(layer)
            _, words = self._play(self._accesses(_Kind.READ, addresses, np.zeros_like(addresses)))
            codes = (words ^ sign) - sign
            states.append(codes.reshape(addresses.shape))
        return states

    def write(self, states: Sequence[Array]) -> None:
        """Load the coefficients of each layer: codes, (out, in, coefficients), int64."""
        for layer, state in enumerate(states):
            self._play(self._accesses(_Kind.WRITE, self.map.addresses(layer), state))

    def _accesses(self, kind: _Kind, addresses: IntArray, words: IntArray) -> IntArray:
        kinds = np.full(addresses.size, kind, dtype=np.int64)
        return self._records(kinds, addresses.reshape(-1, 1), words.reshape(-1, 1))

    def _records(self, kinds: IntArray, *columns: IntArray) -> IntArray:
        size = 1 + max(2, sum(self._shapes))
        records = np.zeros((len(kinds), size), dtype=np.int64)
        whole = np.concatenate([kinds[:, np.newaxis], *columns], axis=1)
        records[:, : whole.shape[1]] = whole
        return records

    def _play(self, records: IntArray) -> tuple[IntArray, IntArray]:
        """Outputs, and words read from memory, each flat, int64."""
        sync = np.zeros((1, records.shape[1]), dtype=np.int64)
        sync[0, 0] = _Kind.SYNC
        with self._process.question():
            self._process.stdin.write(np.concatenate([records, sync]).tobytes())
            self._process.stdin.flush()
            outputs, words = self._receive(), self._receive()
            (self.cycles,) = self._numbers(1).tolist()
        return outputs, words

    def _receive(self) -> IntArray:
        return self._numbers(int(self._numbers(1)[0]))

    def _numbers(self, count: int) -> IntArray:
        data = self._process.stdout.read(8 * count)
        if len(data) != 8 * count:
            raise EOFError
        return np.frombuffer(data, dtype=np.int64)

    def close(self) -> None:
        """End the simulation, also in the middle of a run."""
        self._process.close()


@contextmanager
def open_circuit(rtl: Path, step: Step) -> Generator[TrainingCircuit]:
    """Compile a design, start it and reset it.

    Parameters
    ----------
    rtl : SystemVerilog file with the top module `step.name`.

    Raises
    ------
    KanError : a tool is missing or fails, or the design's ports are not those of the step.
    """
    if not rtl.is_file():
        raise KanError(f"there is no file '{rtl}' to simulate")
    with tempfile.TemporaryDirectory(prefix="kan-training-") as folder:
        directory = Path(folder)
        driver = Path(__file__).with_name("training_driver.cpp")
        design = Design.of_step(step, 0, 0)
        build_program(rtl, step.name, directory, driver, lambda text: _header(design, text))
        circuit = TrainingCircuit(design, directory)
        try:
            yield circuit
        finally:
            circuit.close()


def _header(design: Design, declared: str) -> str:
    """C++ through which the driver accesses the ports.

    Parameters
    ----------
    declared : the header of Verilator's class.

    Raises
    ------
    KanError : a port of the class is not that of the step.
    """
    training = design.training
    assert training is not None
    check_ports(design, declared)
    inputs = [*design.core.inputs, *training.targets]
    return filled(
        "flows/simulate/templates/training_ports.h.j2",
        record=1 + max(2, len(inputs)),
        data_mask=(1 << training.number.bits) - 1,
        inputs=inputs,
        outputs=design.core.outputs,
    )


@dataclass(frozen=True)
class TrainingVerdict:
    """Comparison of a run of the RTL with the integer model."""

    samples: int
    trained: int
    cycles: int
    """Number of clock cycles of the run, including the depth of the pipeline; 0: not counted."""
    coefficients: int
    """Number of compared coefficients."""
    wrong_outputs: int
    wrong_coefficients: int
    first: str | None
    """The first difference in words, or None."""
    model: Run
    """Outputs and coefficients of the integer model."""

    @property
    def passed(self) -> bool:
        return self.first is None

    def as_dict(self) -> dict[str, str | int]:
        """What `report.json` holds under `simulation`."""
        return {
            "vectors": self.samples,
            "mismatches": self.wrong_outputs,
            "trained": self.trained,
            "coefficients": self.coefficients,
            "coefficient_mismatches": self.wrong_coefficients,
            **({"cycles": self.cycles} if self.cycles else {}),
        }

    def describe(self) -> str:
        """The verdict in words, with the first difference."""
        if self.first is None:
            return (
                f"{self.samples} samples, {self.trained} of them trained, and {self.coefficients} "
                "coefficients, no mismatch"
            )
        return (
            f"{self.wrong_outputs} of {self.samples} samples and {self.wrong_coefficients} of "
            f"{self.coefficients} coefficients differ; first {self.first}"
        )


def compare_training(
    circuit: TrainingCircuit,
    step: Step,
    inputs: IntArray,
    targets: IntArray,
    train: BoolArray | None = None,
    *,
    bubbles: float = 0.0,
    seed: int = 0,
) -> TrainingVerdict:
    """Train the RTL and the integer model on samples, and compare outputs and coefficients.

    The integer model starts from the current coefficients of the circuit.

    Parameters
    ----------
    inputs, targets, train, bubbles, seed : as in `TrainingCircuit.run`.

    Raises
    ------
    KanError : the simulation fails.
    """
    begin = circuit.read()
    before = circuit.cycles
    got = circuit.run(inputs, targets, train, bubbles=bubbles, seed=seed)
    cycles = circuit.cycles - before
    model = run_steps(step, inputs, targets, train, begin)
    states = circuit.read()
    wrong = (got != model.outputs).any(axis=1)
    apart = [a != b for a, b in zip(states, model.states, strict=True)]
    first: str | None = None
    if wrong.any():
        index = int(np.flatnonzero(wrong)[0])
        first = (
            f"sample {index} ({inputs[index].tolist()}): expected {model.outputs[index].tolist()}, "
            f"got {got[index].tolist()}"
        )
    for layer, places in enumerate(apart):
        if first is None and places.any():
            place = tuple(np.argwhere(places)[0].tolist())
            first = (
                f"coefficient {place} of layer {layer}: expected "
                f"{model.states[layer][place]}, got {states[layer][place]}"
            )
    return TrainingVerdict(
        len(inputs),
        len(inputs) if train is None else int(train.sum()),
        cycles,
        sum(places.size for places in apart),
        int(wrong.sum()),
        int(sum(places.sum() for places in apart)),
        first,
        model,
    )
