"""Proves a wrapper around a network, by its interface.

docs/rationale/proof.md has the argument.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.claims import Claim, Outcome, Progress, ProofOverCycles
from kan_dialect.flows.prove.cycles.solver import Solver
from kan_dialect.flows.prove.cycles.terms import Pool
from kan_dialect.flows.prove.cycles.two_readings import proven_as_read
from kan_dialect.flows.prove.interfaces.boundary import boundary
from kan_dialect.flows.prove.interfaces.clock_enable import enable_outcomes
from kan_dialect.flows.prove.interfaces.induction import Induction
from kan_dialect.flows.prove.interfaces.model import WrapperModel
from kan_dialect.flows.prove.interfaces.of_build import BuiltWrapper
from kan_dialect.flows.prove.interfaces.registers.ports import register_ports
from kan_dialect.flows.prove.interfaces.registers.sample_model import SampleModel
from kan_dialect.flows.prove.interfaces.registers.training_model import TrainingModel
from kan_dialect.flows.prove.interfaces.sample_core import SampleCore
from kan_dialect.flows.prove.interfaces.stream_invariants import GuessedStreams
from kan_dialect.flows.prove.interfaces.stream_model import StreamModel
from kan_dialect.flows.prove.interfaces.stream_progress import StreamProgress
from kan_dialect.flows.prove.interfaces.training_core import TrainingCore, TrainingNetwork
from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.flows.prove.text import read_text
from kan_dialect.model.interface import Interface


@dataclass(repr=False, kw_only=True)
class InterfaceProof(ProofOverCycles):
    """A wrapper, and what is proven of it."""

    rtl: Path
    new_model: Callable[[], WrapperModel] | None
    """None: a copy with a clock enable, which has no model beside the network."""
    says: str = ""
    invariants: list[str] = field(default_factory=list[str])
    measured: dict[str, int] = field(default_factory=dict[str, int])
    """`samples_held`, `delivery_cycles`, `settling_cycles` of a wrapper with streams: most samples
    in wrapper and network together; cycles in which an accepted sample is delivered at the latest,
    and until the wrapper works at full speed from any state, if nothing makes it wait.
    """

    def finding(self) -> str:
        return self.says

    def summary(self) -> dict[str, str | int | float]:
        """What `report.json` holds under `proof.interface`."""
        return {
            "module": self.name,
            "engine": self.engine,
            "claims": sum(outcome.proven for outcome in self.outcomes),
            "invariants": len(self.invariants),
            "seconds": round(self.seconds, 3),
            **self.measured,
        }


def prove_built(
    wrapper: BuiltWrapper,
    core: Path,
    interface: Interface | TrainingNetwork,
    *,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> InterfaceProof:
    """Prove a wrapper around the network in `core`.

    The network is taken for what its own proof says (`sample_core.py`, `training_core.py`).

    Raises
    ------
    KanError : Yosys or bitwuzla is missing, a file is outside the subset or Yosys refuses it, ports
        are not those of the interface, there is no proof of the interface, or no time is left.
    """
    solver = Solver(None if timeout is None else time.monotonic() + timeout)
    is_copy = wrapper.kind == "clock-enable"
    if isinstance(interface, TrainingNetwork) and wrapper.kind != "axi-lite":
        raise KanError(f"there is no proof of {wrapper.kind} around hardware that trains")

    def plan(netlist: Netlist, readers: str) -> InterfaceProof:
        how = "register by register" if is_copy else "induction over cycles"
        new_model = None if is_copy else _new_model(wrapper, netlist, interface)
        return InterfaceProof(
            name=wrapper.top,
            netlist=netlist,
            engine=f"{how}, bitwuzla {solver.version}, {readers}",
            rtl=wrapper.rtl,
            new_model=new_model,
        )

    def outcomes(proof: InterfaceProof) -> Iterator[Outcome]:
        if proof.new_model is not None:
            return _Prover(proof, proof.new_model(), solver).outcomes()
        proof.says = (
            f"with ce high it is {interface.name}, with ce low its registers keep their values"
        )
        return enable_outcomes(read_text(core, interface.name), proof.netlist, solver)

    parts = None if is_copy else (interface.name, core)
    return proven_as_read(
        wrapper.rtl, wrapper.top, plan, outcomes, core=parts, timeout=timeout, progress=progress
    )


def _new_model(
    wrapper: BuiltWrapper, netlist: Netlist, network: Interface | TrainingNetwork
) -> Callable[[], WrapperModel]:
    """Makes the model of a wrapper; its ports are checked."""
    if isinstance(network, TrainingNetwork):
        written, read = network.ports.written, network.ports.read
        places = register_ports(written, read, netlist, memory=True)
        return lambda: TrainingModel(TrainingCore(netlist, places, network, Pool()), places)
    if wrapper.kind == "axi-lite":
        places = register_ports(network.driven, network.outputs, netlist)
        return lambda: SampleModel(SampleCore(netlist, places, network, Pool()), places)
    streams = boundary(wrapper.kind, network, netlist, high_first=wrapper.high_first)
    return lambda: GuessedStreams(SampleCore(netlist, streams, network, Pool()), streams)


class _Prover:
    """Makes the claims of one reading, and proves each."""

    def __init__(self, proof: InterfaceProof, model: WrapperModel, solver: Solver) -> None:
        self.proof, self.model = proof, model
        self.signals, self.pool = model.signals, model.pool
        self.induction = Induction(self.signals, solver)

    def outcomes(self) -> Iterator[Outcome]:
        model, all_proven = self.model, True
        for outcome in (*self._paths(), *self._silence(), *self._claims()):
            yield outcome
            all_proven &= outcome.proven
        if not all_proven:
            return
        if isinstance(model, StreamModel):
            yield from StreamProgress(model, self.induction, self.proof.measured).outcomes()
        self.proof.says = model.finding(self.proof.measured)

    def _paths(self) -> Iterator[Outcome]:
        for starts, end in self.model.paths:
            start = time.monotonic()
            support = self._support(end)
            wrong = [port for port in starts if self.signals.port(port, 0).support & support]
            problem = f"there is one from {wrong[0]}" if wrong else None
            named = " or ".join(starts) if len(starts) < 3 else "an input"
            yield Outcome(
                "paths", f"no path from {named} to {end}", time.monotonic() - start, problem
            )

    def _support(self, output: str) -> int:
        """The variables that an output may change with in the same cycle, as bits."""
        support = self.signals.port(output, 0).support
        # An address is read before the words that depend on it.
        for reading in reversed(self.signals.machine.readings.values()):
            if reading.word.support & support:
                support |= reading.address.support
        return support

    def _silence(self) -> Iterator[Outcome]:
        """Behind a cycle of reset nothing is taken or offered, whatever came before."""
        for claim in self.model.silence(1):
            start = time.monotonic()
            wrong = [self.signals.in_reset(0), self.pool.inverted(claim.term)]
            problem = "can be 1 behind a cycle of reset" if self.induction.find(wrong) else None
            yield Outcome("reset", claim.name, time.monotonic() - start, problem)

    def _claims(self) -> Iterator[Outcome]:
        start = time.monotonic()
        for layer in self.model.guesses():
            self.induction.settle(layer)
        self.proof.invariants = [candidate.name for candidate in self.induction.kept]
        running = self.pool.inverted(self.signals.in_reset(0))
        groups: dict[str, list[Claim]] = {}
        for claim in self.model.claims(0):
            groups.setdefault(claim.name, []).append(claim)
        for name, claims in groups.items():
            whole = self.pool.both(*(claim.term for claim in claims))
            found = self.induction.refute(whole, [running])
            problem = None if found is None else "does not follow from what is known of every state"
            yield Outcome(self.model.group, name, time.monotonic() - start, problem)
            start = time.monotonic()
