"""Proves a wrapper: its results are those of its samples, in order, for every history.

docs/rationale/proof.md has the argument.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kan_dialect.flows.prove.cycles.claims import Outcome, Progress
from kan_dialect.flows.prove.cycles.solver import Solver
from kan_dialect.flows.prove.cycles.terms import Pool, Term
from kan_dialect.flows.prove.cycles.two_readings import TwoReadings
from kan_dialect.flows.prove.interfaces.boundary import Boundary, boundary
from kan_dialect.flows.prove.interfaces.induction import Induction
from kan_dialect.flows.prove.interfaces.invariants import Guesses
from kan_dialect.flows.prove.interfaces.paths import combinational_path
from kan_dialect.flows.prove.interfaces.proof import InterfaceProof
from kan_dialect.flows.prove.interfaces.scoreboard import SLACK, Scoreboard
from kan_dialect.flows.prove.interfaces.system import System
from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.model.interface import Interface
from kan_dialect.quantity import quantity


@dataclass(repr=False)
class WrapperProof(InterfaceProof[Boundary, Interface]):
    """A wrapper with streams, and what is proven of it."""

    held: int = 0
    """Most samples that are in the wrapper and the network together."""
    delivery: int = 0
    """Cycles in which an accepted sample is delivered at the latest, if nothing makes it wait."""
    settling: int = 0
    """Cycles until it works at full speed, from any state, if nothing makes it wait."""

    def finding(self) -> str:
        held, cycles = quantity(self.held, "sample"), quantity(self.delivery, "cycle")
        return (
            "the results of its samples, in order, for every history of valid and ready "
            f"({held} held at most, delivered within {cycles})"
        )

    def summary(self) -> dict[str, str | int | float]:
        """What `report.json` holds under `proof.interface`."""
        return {
            **super().summary(),
            "samples_held": self.held,
            "delivery_cycles": self.delivery,
            "settling_cycles": self.settling,
        }


def prove_wrapper(
    rtl: Path,
    name: str,
    kind: str,
    core: Path,
    interface: Interface,
    *,
    high_first: bool = False,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> WrapperProof:
    """Prove the wrapper `name` in `rtl` around the network in `core`.

    The network is taken for what its own proof says: a function of its inputs, `latency` later.

    Parameters
    ----------
    kind : `ready-valid` or `axi-stream`.
    high_first : whether the first beat of a sample has its highest bits.

    Raises
    ------
    KanError : Yosys or bitwuzla is missing, a file is outside the subset or Yosys refuses it, ports
        are not those of the interface, or no time is left.
    """
    start = time.monotonic()
    solver = Solver(None if timeout is None else start + timeout)
    readings = TwoReadings.of(rtl, name, timeout, (interface.name, core))
    engine = f"induction over cycles, bitwuzla {solver.version}, {readings.readers}"

    def planned(found: Netlist) -> WrapperProof:
        streams = boundary(kind, interface, found, high_first=high_first)
        return WrapperProof(name, rtl, found, streams, interface, engine)

    proof = readings.prove(planned, lambda each: _Prover(each, solver).run(), progress)
    proof.seconds = time.monotonic() - start
    return proof


def scoreboard(proof: WrapperProof) -> Scoreboard:
    """New bookkeeping of a wrapper.

    That counters of so many bits do not overflow is one of the claims.
    """
    system = System(proof.netlist, proof.boundary, proof.interface, Pool())
    words = sum(len(memory.entries) for memory in proof.netlist.memories.values())
    return Scoreboard(
        system, proof.boundary, (2 * (words + proof.interface.latency) + 8).bit_length()
    )


class _Prover:
    """Makes the claims of one reading, and proves each."""

    def __init__(self, proof: WrapperProof, solver: Solver) -> None:
        self.proof = proof
        self.board = scoreboard(proof)
        self.system, self.pool = self.board.system, self.board.pool
        self.induction = Induction(self.system, solver)
        self.offered = 0
        """Cycles in which a held sample is offered, if it is the oldest."""

    def run(self) -> Iterator[Outcome]:
        right = True
        for outcome in [*self._paths(), *self._reset()]:
            yield outcome
            right = right and outcome.proven
        start = time.monotonic()
        for layer in Guesses(self.board).layers():
            self.induction.settle(layer)
        self.proof.invariants = [candidate.name for candidate in self.induction.kept]
        bound = self._bound(time.monotonic() - start)
        yield bound
        right = right and bound.proven
        running = self.pool.inverted(self.system.in_reset(0))
        groups: dict[str, list[Term]] = {}
        for claim in [*self.board.claims(0), *self.board.stable()]:
            groups.setdefault(claim.name, []).append(claim.term)
        for name, terms in groups.items():
            outcome = self._decided("order", name, self.pool.both(*terms), [running])
            yield outcome
            right = right and outcome.proven
        if right:
            delivery = self._delivery()
            yield delivery
            right = delivery.proven
        if right:
            yield self._throughput()

    def _decided(
        self, group: str, name: str, claim: Term, conditions: Sequence[Term] = ()
    ) -> Outcome:
        start = time.monotonic()
        found = self.induction.refute(claim, conditions)
        problem = None if found is None else "does not follow from what is known of every state"
        return Outcome(group, name, time.monotonic() - start, problem)

    def _paths(self) -> Iterator[Outcome]:
        """Ready at the input depends on no input of the cycle, valid at the output on no ready."""
        source, result = self.proof.boundary.source, self.proof.boundary.result
        for end, starts in (
            (source.ready, [result.ready, source.valid]),
            (result.valid, [result.ready]),
        ):
            for begin in starts:
                there = combinational_path(self.proof.netlist, begin, end)
                problem = "there is such a path" if there else None
                yield Outcome("paths", f"no path from {begin} to {end}", 0.0, problem)

    def _reset(self) -> Iterator[Outcome]:
        """Behind a cycle of reset, nothing is accepted or offered, whatever came before."""
        source, result = self.proof.boundary.source, self.proof.boundary.result
        for port in (source.ready, result.valid):
            start = time.monotonic()
            high = self.system.port(port, 1)
            found = self.induction.find([self.system.in_reset(0), high])
            problem = None if found is None else "can be 1 behind a cycle of reset"
            yield Outcome("reset", f"{port} is 0", time.monotonic() - start, problem)

    def _bound(self, seconds: float) -> Outcome:
        """How many samples are held: else the counters of the proof could overflow."""
        pool, board = self.pool, self.board
        low, high = 0, (1 << board.bits) - 1
        start = time.monotonic()

        def is_bound(count: int) -> bool:
            held = board.held(0)
            more = pool.make("ult", 1, [pool.constant(count, board.bits), held])
            return self.induction.refute(pool.inverted(more)) is None

        problem = None
        if is_bound(high - 1):
            while low < high:
                middle = (low + high) // 2
                low, high = (low, middle) if is_bound(middle) else (middle + 1, high)
            self.proof.held = low
        else:
            problem = "nothing bounds the number of samples that are held"
        spent = time.monotonic() - start + seconds
        return Outcome("order", "samples held are bounded", spent, problem)

    # Progress.

    def _calm(self, last: int) -> list[Term]:
        """The output is ready, and there is no reset, in cycles 0 to `last`."""
        result = self.proof.boundary.result
        found: list[Term] = []
        for cycle in range(last + 1):
            found.append(self.pool.inverted(self.system.in_reset(cycle)))
            found.append(self.system.port(result.ready, cycle))
        return found

    def _delivery(self) -> Outcome:
        """From some cycle on a beat is delivered in each, as long as a sample is held so long."""
        start = time.monotonic()

        board, pool = self.board, self.pool
        patience = board.counter("patience", 0)

        def holds(cycles: int) -> bool:
            few = pool.make("ult", 1, [patience, pool.constant(cycles, patience.width)])
            conditions = [*self._calm(0), board.counter("follows", 0), pool.inverted(few)]
            return self.induction.refute(board.delivers(0), conditions) is None

        latency, limit = self.proof.interface.latency, board.most_patience
        found = next((n for n in range(latency, limit + 1) if holds(n)), None)
        beats = len(self.proof.boundary.result.beats)
        problem = None
        if found is None:
            problem = f"a sample may wait more than {limit} cycles though the output is ready"
        else:
            self.offered = found
            # Then one beat a cycle: all that are ahead, and its own.
            self.proof.delivery = found + beats * self.proof.held
        return Outcome("progress", "every sample is delivered", time.monotonic() - start, problem)

    def _throughput(self) -> Outcome:
        """One beat a clock, of the side that has more beats a sample."""
        source, result = self.proof.boundary.source, self.proof.boundary.result
        if len(source.beats) >= len(result.beats):
            return self._never_refused()
        return self._refused_when_full()

    def _never_refused(self) -> Outcome:
        """While the receiver is ready, the source need not wait."""
        start = time.monotonic()
        source, result = self.proof.boundary.source, self.proof.boundary.result

        def holds(cycles: int) -> bool:
            ready = self.system.port(source.ready, cycles)
            return self.induction.refute(ready, self._calm(cycles)) is None

        beats = len(source.beats) + len(result.beats)
        limit = self.proof.interface.latency + 2 * beats + SLACK
        found = _least(holds, limit)
        problem = None
        if found is None:
            problem = f"the source may have to wait, more than {limit} cycles behind the last stall"
        else:
            self.proof.settling = found
        name = f"{source.ready} never falls while the receiver is ready"
        return Outcome("throughput", name, time.monotonic() - start, problem)

    def _refused_when_full(self) -> Outcome:
        """The source waits only while more samples are held than an idle output needs cycles for.

        Then results follow each other without a gap (docs/rationale/proof.md, Throughput).
        """
        start = time.monotonic()
        pool, board = self.pool, self.board
        source, result = self.proof.boundary.source, self.proof.boundary.result
        running = [pool.inverted(self.system.in_reset(cycle)) for cycle in (0, 1)]
        least = self.offered + 1
        few = pool.make("ult", 1, [board.held(1), pool.constant(least, board.bits)])
        claim = pool.any_of([self.system.port(source.ready, 1), pool.inverted(few)])
        problem = None
        late = least - self.proof.interface.latency
        if self.induction.refute(claim, running) is not None:
            problem = "there may be fewer, so that results have gaps between them"
        elif late > len(result.beats) - len(source.beats):
            problem = f"results are offered {late} cycles behind the network, and may have gaps"
        else:
            # Until a sample is accepted, then until it is delivered.
            self.proof.settling = 2 * self.proof.delivery + len(source.beats)
        name = f"{source.ready} falls only where {least} samples are held"
        return Outcome("throughput", name, time.monotonic() - start, problem)


def _least(holds: Callable[[int], bool], limit: int) -> int | None:
    """The least number of cycles for which something holds; it holds for all greater ones."""
    low, high = 0, 1
    while not holds(high):
        if high >= limit:
            return None
        low, high = high + 1, min(2 * high, limit)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
