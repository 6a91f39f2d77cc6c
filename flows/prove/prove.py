"""Proves a design equal to the integer model: reads, plans, proves, and explains what fails."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.files.interruption import end_on_signals, holding_signals
from kan_dialect.flows.prove.carry_stops import separated
from kan_dialect.flows.prove.circuit import Circuit, Cut
from kan_dialect.flows.prove.difference import difference
from kan_dialect.flows.prove.forms import (
    Assignment,
    Form,
    TooHard,
    Undefined,
    evaluate,
    mapped,
    variables,
)
from kan_dialect.flows.prove.linear_circuit import LinearCircuit
from kan_dialect.flows.prove.netlist import InputPort, Netlist, read_design
from kan_dialect.flows.prove.obligations import Obligation, Plan, plan
from kan_dialect.flows.prove.readings import difference_of_readings
from kan_dialect.flows.prove.samples import Ranges, Samples, evaluate_on, leaf_form, leaf_variable
from kan_dialect.flows.prove.text import read_text
from kan_dialect.flows.prove.valid import check_valid
from kan_dialect.flows.tools.toolchain import find
from kan_dialect.model.interface import Interface
from kan_dialect.model.model import Model
from kan_dialect.shown import Shown


@dataclass(frozen=True)
class Outcome:
    """What became of one obligation."""

    name: str
    seconds: float
    problem: str | None = None
    """Why it is not proven."""

    assignment: Assignment | None = None
    """Where the design differs from the reference."""

    expected: int | None = None
    got: int | None = None
    """The signal's codes there; None where it is undefined (x)."""

    form: Form | None = field(default=None, repr=False)
    """The signal's value, where it is known."""

    @property
    def proven(self) -> bool:
        return self.problem is None


@dataclass(repr=False)
class Proof(Shown):
    """A design, its reference, and the proof of each node and output."""

    circuit: Model
    integer: Model
    interface: Interface
    netlist: Netlist
    """The design, as slang reads it in the subset of `docs/reference/rtl-subset.md`."""

    plan: Plan
    engine: str
    deadline: float | None = None
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    valid_problem: str | None = None
    readings_problem: str | None = None
    """Where Yosys reads something else in the file."""

    seconds: float = 0.0

    @property
    def proven(self) -> bool:
        return self.holds and self.readings_problem is None

    @property
    def holds(self) -> bool:
        """Whether all is proven of this reading."""
        return self.valid_problem is None and all(outcome.proven for outcome in self.outcomes)

    @property
    def nodes(self) -> int:
        """How many nodes are proven."""
        return sum(o.proven for o, of in self._pairs() if not of.is_output)

    @property
    def outputs(self) -> int:
        """How many outputs are proven."""
        return sum(o.proven for o, of in self._pairs() if of.is_output)

    @property
    def dead(self) -> int:
        """How many nodes no result depends on."""
        return len(self.plan.dead)

    def _pairs(self) -> Iterator[tuple[Outcome, Obligation]]:
        return zip(self.outcomes, self.plan.obligations, strict=False)

    @property
    def ranges(self) -> Ranges:
        return {port.name: (port.low, port.high) for port in self.interface.inputs}

    def figures(self) -> dict[str, object]:
        """The verdict, the first problem, and the summary."""
        found = (f"{each.name}: {each.problem}" for each in self.outcomes if not each.proven)
        problem = self.valid_problem or self.readings_problem or next(found, None)
        told = {} if problem is None else {"problem": problem}
        return {"proven": self.proven, **told, **self.summary()}

    def summary(self) -> dict[str, str | int | float]:
        """What `report.json` holds under `proof`."""
        return {
            "engine": self.engine,
            "nodes": self.nodes,
            **({"dead": self.dead} if self.dead else {}),
            "outputs": self.outputs,
            "cycles_proven": self.interface.latency,
            "seconds": round(self.seconds, 3),
        }


Progress = Callable[[Outcome, int, int], None]
"""Told of each outcome, the how manieth it is, and of how many."""


def prove(
    rtl: Path,
    integer: Model,
    circuit: Model,
    *,
    timeout: float | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Proof:
    """Prove the design in `rtl` equal to `integer`, with the marks of `circuit`.

    The file is read by slang, in the subset of `docs/reference/rtl-subset.md`, and by Yosys. The
    proof is one of both readings.

    Raises
    ------
    KanError : the file is outside the subset, Yosys is missing or refuses the file, ports differ, a
        sum of the model has too many values, or no time is left.
    """
    start = time.monotonic()
    deadline = None if timeout is None else start + timeout
    netlist = read_text(rtl, circuit.name)
    yosys = find("yosys")
    second = read_design(rtl, circuit.name, yosys, timeout)
    engine = f"exact tables and sums, read by slang and by yosys {yosys.version}"
    proof = _planned(netlist, integer, circuit, engine, deadline)
    count = len(proof.plan.obligations)
    for number, outcome in enumerate(_prove_all(proof, jobs), start=1):
        proof.outcomes.append(outcome)
        if progress is not None:
            progress(outcome, number, count)
    _check_valid(proof)
    if difference_of_readings(netlist, second) is not None:
        other = _planned(second, integer, circuit, engine, deadline)
        other.outcomes.extend(_prove_all(other, jobs))
        _check_valid(other)
        proof.readings_problem = _disagreement(proof, other)
    proof.seconds = time.monotonic() - start
    return proof


def _planned(
    netlist: Netlist, integer: Model, circuit: Model, engine: str, deadline: float | None
) -> Proof:
    interface = circuit.interface()
    netlist = separated(netlist)
    try:
        obligations = plan(integer, circuit, netlist, interface)
    except TooHard as error:
        raise KanError(
            f"@{integer.name} cannot be proven: {error}", remedy="simulate it, or use fewer bits"
        ) from None
    return Proof(circuit, integer, interface, netlist, obligations, engine, deadline)


def _check_valid(proof: Proof) -> None:
    if not proof.interface.combinational:
        proof.valid_problem = check_valid(proof.netlist, proof.interface.latency)


def _disagreement(ours: Proof, theirs: Proof) -> str | None:
    """Where one reading is proven and the other is not."""
    by_name = {outcome.name: outcome for outcome in theirs.outcomes}
    pairs = [(o.name, o.proven, by_name[o.name].proven) for o in ours.outcomes if o.name in by_name]
    pairs.append(("out_valid", ours.valid_problem is None, theirs.valid_problem is None))
    for name, first, second in pairs:
        if first != second:
            able, unable = ("slang", "Yosys") if first else ("Yosys", "slang")
            return f"{name} is proven as {able} reads the file, and not as {unable} does"
    missing = sorted(by_name.keys() ^ {outcome.name for outcome in ours.outcomes})
    if missing:
        return f"only one of them has a signal for {missing[0]}"
    return None


def _prove_all(proof: Proof, jobs: int) -> Iterator[Outcome]:
    """The obligations in order; each rank shares a circuit, and so what its nodes share."""
    obligations = proof.plan.obligations
    jobs = min(jobs, len(obligations), os.cpu_count() or 1)
    if jobs > 1 and "fork" in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context("fork")
        with holding_signals():
            pool = context.Pool(jobs, _start_worker, (proof,))
        with pool:
            yield from pool.imap(_prove_one, range(len(obligations)), chunksize=1)
        return
    _take(proof)
    yield from map(_prove_one, range(len(obligations)))


class _Worker:
    """The task of a process of the pool: inherited by the fork, since forms are large."""

    proof: Proof
    circuits: dict[tuple[int, type[Circuit]], Circuit]


def _start_worker(proof: Proof) -> None:
    """Set up a process of the pool."""
    end_on_signals()
    _take(proof)


def _take(proof: Proof) -> None:
    _Worker.proof, _Worker.circuits = proof, {}


def _prove_one(index: int) -> Outcome:
    proof, start = _Worker.proof, time.monotonic()
    obligation = proof.plan.obligations[index]
    outcome = _outcome(proof, obligation, obligation.rank)
    if outcome.proven:
        return outcome
    # Codes of free nodes may never come together: less and less is free, down to the inputs.
    for rank in range(obligation.rank - 1, 0, -1):
        try:
            expected = proof.plan.expanded(obligation.expected, rank)
        except TooHard:
            continue
        again = _outcome(proof, replace(obligation, expected=expected), rank)
        if again.proven:
            return replace(again, seconds=time.monotonic() - start)
    return outcome


_C = TypeVar("_C", bound=Circuit)


def _circuit_of(rank: int, kind: type[_C]) -> _C:
    """The design with all nodes below a rank free."""
    circuits = _Worker.circuits
    circuit = circuits.get((rank, kind))
    if not isinstance(circuit, kind):
        circuit = circuits[rank, kind] = _circuit(_Worker.proof, rank, kind)
    return circuit


def _circuit(proof: Proof, rank: int, kind: type[_C]) -> _C:
    netlist, ranges = proof.netlist, proof.ranges

    def leaf(source: InputPort | Cut, cycle: int) -> Form:
        return leaf_form(source, leaf_variable(netlist, source, cycle, ranges))

    circuit = kind(netlist, leaf, deadline=proof.deadline)
    for cut in proof.plan.cuts_below(rank):
        circuit.cut(cut)
    return circuit


def _outcome(proof: Proof, obligation: Obligation, rank: int) -> Outcome:
    """What becomes of an obligation with all nodes below a rank free."""
    start = time.monotonic()

    def failed(
        problem: str,
        assignment: Assignment | None = None,
        expected: int | None = None,
        got: int | None = None,
        form: Form | None = None,
    ) -> Outcome:
        spent = time.monotonic() - start
        return Outcome(obligation.name, spent, problem, assignment, expected, got, form)

    try:
        try:
            got, assignment = _decided(obligation, _circuit_of(rank, Circuit))
        except TooHard as error:
            got, assignment = _decided_by_quotients(obligation, rank, error)
    except _LeavesRange:
        return failed("leaves the range that its mark says")
    except Undefined as error:
        return failed("undefined", error.assignment)
    except TooHard as error:
        return _by_samples(proof, obligation, error, failed)
    if assignment is None:
        return Outcome(obligation.name, time.monotonic() - start)
    values = {of: np.array([code]) for of, code in assignment.items()}
    expected, found = (int(evaluate(f, values).ravel()[0]) for f in (obligation.expected, got))
    return failed("differs", assignment, expected, found, got)


class _LeavesRange(Exception):
    """A signal has numbers beyond the range of its mark."""


def _decided(obligation: Obligation, circuit: Circuit) -> tuple[Form, Assignment | None]:
    """The signal as it is compared, and where it differs.

    Raises
    ------
    TooHard, Undefined : see `forms`.
    _LeavesRange : the signal is not within its mark.
    """
    got = circuit.value(obligation.bits, obligation.cycle, obligation.signed)
    if obligation.unsaturated is not None:
        if obligation.leaves_range(got):
            raise _LeavesRange
        got = mapped(obligation.compared, got)
    return got, difference(got, obligation.expected)


def _decided_by_quotients(
    obligation: Obligation, rank: int, error: TooHard
) -> tuple[Form, Assignment | None]:
    """As `_decided`, with quotients of sums as variables; else the error of the first attempt."""
    try:
        return _decided(obligation, _circuit_of(rank, LinearCircuit))
    except TooHard:
        raise error from None


SAMPLES = 20_000
"""Number of assignments that are tried for a node that forms cannot decide."""


def _by_samples(
    proof: Proof, obligation: Obligation, error: TooHard, failed: Callable[..., Outcome]
) -> Outcome:
    """Where the forms cannot decide, a difference may still be found."""
    samples = Samples(SAMPLES, error.hints, np.random.default_rng(0))
    cuts = proof.plan.cuts_below(obligation.rank)
    word = (obligation.bits, obligation.cycle, obligation.signed)
    try:
        (got,) = evaluate_on(samples, proof.netlist, proof.ranges, cuts, [word])
    except Undefined as undefined:
        row = next(iter(undefined.assignment.values()), 0)
        return failed("undefined", samples.assignment(row))
    for of in variables(obligation.expected):
        samples.column(of)
    expected = np.broadcast_to(evaluate(obligation.expected, samples.columns), got.shape)
    got = obligation.compared(got)
    rows = np.flatnonzero(got != expected)
    if not rows.size:
        return failed(f"undecided: {error}; no difference in {SAMPLES} assignments")
    row = int(rows[0])
    return failed("differs", samples.assignment(row), int(expected[row]), int(got[row]))
