"""Simulates a design on many vectors and compares its outputs with the integer model's.

Stimuli and checks are the same for all simulators. `stimuli.py` makes the vectors, and
`kan_dialect.evaluate` computes the outputs of the integer model.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.flows.simulate.ghdl import GhdlModel
from kan_dialect.flows.simulate.icarus import IcarusModel
from kan_dialect.flows.simulate.plan import Plan, Recording, collect, plan
from kan_dialect.flows.simulate.port_order import check_port_order
from kan_dialect.flows.simulate.verilator import VerilatorModel
from kan_dialect.ir.constants import IntArray
from kan_dialect.model.interface import Interface, show_codes

SimulatorName: TypeAlias = Literal["verilator", "icarus"]
"""Simulators of SystemVerilog."""

_MODELS = {"verilator": VerilatorModel, "icarus": IcarusModel, "ghdl": GhdlModel}


class _Model(Protocol):
    """A design that is loaded in a simulator."""

    def play(self, plan: Plan) -> Recording: ...


@dataclass(frozen=True)
class Simulation:
    """A design that can be simulated any number of times."""

    interface: Interface
    _model: _Model

    def run(
        self,
        codes: IntArray,
        *,
        bubbles: float = 0.0,
        resets: int = 0,
        seed: int = 0,
        accesses: IntArray | None = None,
    ) -> IntArray:
        """Outputs of the design for each vector.

        Vectors enter back to back. Each vector must give exactly one output, after exactly the
        latency of the interface. After reset, no other output may be valid.

        Parameters
        ----------
        codes : (vectors, inputs), int64.
        bubbles : chance, from 0 to below 1, that a cycle carries no sample. In such a cycle
            in_valid is low and the data ports carry random bits. Ignored for a combinational
            design.
        resets : number of resets in mid-stream, one cycle each. Vectors that a reset loses are sent
            again after it. Ignored for a combinational design.
        seed : of bubbles, resets and random bits.
        accesses : words that are written to the design's memory before the first vector,
            (accesses, 2): address and word, int64; None: none.

        Returns
        -------
        Outputs, (vectors, outputs), int64.

        Raises
        ------
        KanError : a code is outside its port's range; an output is late, early, missing, X or
            outside its port's range (the message names the vector); or the simulator fails.
        """
        schedule = plan(
            self.interface, codes, bubbles=bubbles, resets=resets, seed=seed, accesses=accesses
        )
        if not len(codes):
            return np.empty((0, len(self.interface.outputs)), dtype=np.int64)
        return collect(self.interface, schedule, self._model.play(schedule))


@contextmanager
def open_simulation(
    rtl: Path,
    interface: Interface,
    *,
    simulator: SimulatorName | Literal["ghdl"] = "verilator",
    work_dir: Path | None = None,
) -> Generator[Simulation]:
    """Load a design in a simulator, and remove temporary files at the end.

    Parameters
    ----------
    rtl : SystemVerilog file with the top module `interface.name`; a VHDL file for GHDL.
    work_dir : a folder for the simulator's files, which are kept; created if it is missing. None
        uses a temporary folder, which is removed at the end, also after an error.

    Raises
    ------
    KanError : a tool is missing or fails on the design, or the design's ports or their order are
        not those of the interface.
    """
    if not rtl.is_file():
        raise KanError(f"there is no file '{rtl}' to simulate")
    check_port_order(rtl.read_text(errors="replace"), interface)
    if work_dir is not None:
        work_dir.mkdir(parents=True, exist_ok=True)
    folder = (
        tempfile.TemporaryDirectory(prefix="kan-simulation-")
        if work_dir is None
        else nullcontext(work_dir)
    )
    with folder as directory:
        yield Simulation(interface, _MODELS[simulator](rtl, interface, Path(directory)))


def simulate(
    rtl: Path,
    interface: Interface,
    codes: IntArray,
    *,
    simulator: SimulatorName | Literal["ghdl"] = "verilator",
    work_dir: Path | None = None,
    bubbles: float = 0.0,
    resets: int = 0,
    seed: int = 0,
    accesses: IntArray | None = None,
) -> IntArray:
    """Simulate a design once.

    Parameters, result and errors are those of `open_simulation` and `Simulation.run`.
    """
    with open_simulation(rtl, interface, simulator=simulator, work_dir=work_dir) as simulation:
        return simulation.run(codes, bubbles=bubbles, resets=resets, seed=seed, accesses=accesses)


@dataclass(frozen=True)
class Mismatch:
    """A vector on which design and model differ."""

    index: int
    inputs: tuple[int, ...]
    expected: tuple[int, ...]
    got: tuple[int, ...]


@dataclass(frozen=True)
class Verdict:
    """Result of a comparison."""

    vectors: int
    mismatches: int
    """Number of vectors with an output that differs."""

    first: Mismatch | None

    @property
    def passed(self) -> bool:
        return self.mismatches == 0

    def describe(self, interface: Interface) -> str:
        """The verdict in words, with the first mismatch."""
        if self.first is None:
            return f"{self.vectors} vectors, no mismatch"
        return (
            f"{self.mismatches} of {self.vectors} vectors differ; "
            f"first vector {self.first.index} "
            f"({show_codes(self.first.inputs, interface.inputs)}): "
            f"expected {show_codes(self.first.expected, interface.outputs)}; "
            f"got {show_codes(self.first.got, interface.outputs)}"
        )


def compare(expected: IntArray, got: IntArray, codes: IntArray) -> Verdict:
    """Compare a design's outputs with those of the integer model.

    Parameters
    ----------
    expected, got : (vectors, outputs), int64.
    codes : codes of the inputs, (vectors, inputs), int64.

    Raises
    ------
    ValueError : the shapes do not match.
    """
    if expected.shape != got.shape or len(codes) != len(got):
        raise ValueError(
            f"cannot compare outputs of shapes {expected.shape} and {got.shape} "
            f"for {len(codes)} vectors"
        )
    differing = np.flatnonzero((expected != got).any(axis=1))
    first = None
    if differing.size:
        index = int(differing[0])
        first = Mismatch(
            index,
            tuple(codes[index].tolist()),
            tuple(expected[index].tolist()),
            tuple(got[index].tolist()),
        )
    return Verdict(len(codes), len(differing), first)
