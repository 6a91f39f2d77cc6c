"""Simulates a design on many vectors and compares its outputs with the integer model's.

The simulator is a choice; stimuli and checks are the same for all. Vectors come from `stimuli.py`,
the integer model's outputs from `kan_dialect.evaluate`.
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
from kan_dialect.flows.simulate.icarus import IcarusModel
from kan_dialect.flows.simulate.plan import Plan, Recording, collect, plan
from kan_dialect.flows.simulate.port_order import check_port_order
from kan_dialect.flows.simulate.verilator import VerilatorModel
from kan_dialect.ir.constants import IntArray
from kan_dialect.model.interface import Interface, show_codes

SimulatorName: TypeAlias = Literal["verilator", "icarus"]


class _Model(Protocol):
    """A design that a simulator has made ready."""

    def play(self, plan: Plan) -> Recording: ...


@dataclass(frozen=True)
class Simulation:
    """A design ready to be simulated, as often as one likes."""

    interface: Interface
    _model: _Model

    def run(
        self, codes: IntArray, *, bubbles: float = 0.0, resets: int = 0, seed: int = 0
    ) -> IntArray:
        """The design's outputs for each vector.

        Vectors go in back to back. For each there must come exactly one output, exactly as many
        cycles later as the interface says, and after reset none that is not due.

        Parameters
        ----------
        codes : (vectors, inputs), int64.
        bubbles : chance, from 0 to below 1, that a cycle carries no sample but, with in_valid low,
            random bits on the data ports. Without meaning for a combinational design.
        resets : how many single cycles of reset hit the design in mid-stream; vectors lost by one
            are sent again after it. Without meaning for a combinational design.
        seed : of what is random.

        Returns
        -------
        Outputs, (vectors, outputs), int64.

        Raises
        ------
        KanError : a code outside its port's range, an output that is late, early, missing, X or
            outside its port's range, with the vector; or a simulator that fails.
        """
        schedule = plan(self.interface, codes, bubbles=bubbles, resets=resets, seed=seed)
        if not len(codes):
            return np.empty((0, len(self.interface.outputs)), dtype=np.int64)
        return collect(self.interface, schedule, self._model.play(schedule))


@contextmanager
def open_simulation(
    rtl: Path,
    interface: Interface,
    *,
    simulator: SimulatorName = "verilator",
    work_dir: Path | None = None,
) -> Generator[Simulation]:
    """Make a design ready for simulation, and clean up after it.

    Parameters
    ----------
    rtl : SystemVerilog file with the top module `interface.name`.
    work_dir : a folder for the simulator's files, which are then kept; made where it is missing.
        Where not given, a temporary folder that is removed in any case, be it after an error.

    Raises
    ------
    KanError : a tool is missing or fails on the design, or the design's ports are not those of
        the interface, in its order.
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
        make = VerilatorModel if simulator == "verilator" else IcarusModel
        yield Simulation(interface, make(rtl, interface, Path(directory)))


def simulate(
    rtl: Path,
    interface: Interface,
    codes: IntArray,
    *,
    simulator: SimulatorName = "verilator",
    work_dir: Path | None = None,
    bubbles: float = 0.0,
    resets: int = 0,
    seed: int = 0,
) -> IntArray:
    """Simulate a design once: `open_simulation` and `Simulation.run` in one."""
    with open_simulation(rtl, interface, simulator=simulator, work_dir=work_dir) as simulation:
        return simulation.run(codes, bubbles=bubbles, resets=resets, seed=seed)


@dataclass(frozen=True)
class Mismatch:
    """A vector on which design and model differ."""

    index: int
    inputs: tuple[int, ...]
    expected: tuple[int, ...]
    got: tuple[int, ...]


@dataclass(frozen=True)
class Verdict:
    """What a comparison found."""

    vectors: int
    mismatches: int
    """Vectors of which at least one output differs."""

    first: Mismatch | None

    @property
    def passed(self) -> bool:
        return self.mismatches == 0

    def describe(self, interface: Interface) -> str:
        """The verdict in a sentence or two, with the first mismatch."""
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
    codes : the inputs, (vectors, inputs), int64.

    Raises
    ------
    ValueError : the shapes do not fit together.
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
