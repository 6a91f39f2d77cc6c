"""Proves a design equal to the integer model: reads, plans, proves, and explains what fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.carry_stops import separated
from kan_dialect.flows.prove.circuit import Circuit, Source
from kan_dialect.flows.prove.cycles.readings import difference_of_readings
from kan_dialect.flows.prove.difference import difference
from kan_dialect.flows.prove.form_arithmetic import FormArithmetic, expanded
from kan_dialect.flows.prove.forms import (
    Assignment,
    Form,
    TooHard,
    Undefined,
    Variable,
    bounds,
    evaluate,
    mapped,
    variables,
)
from kan_dialect.flows.prove.linear_circuit import FunctionsOfSums, LinearCircuit
from kan_dialect.flows.prove.loads import find_loads, plan_any_words
from kan_dialect.flows.prove.netlist import InputPort, Netlist, read_design
from kan_dialect.flows.prove.plans import Cut, Obligation, Plan, plan
from kan_dialect.flows.prove.processes import in_processes
from kan_dialect.flows.prove.samples import Ranges, Samples, evaluate_on, leaf_form, leaf_variable
from kan_dialect.flows.prove.text import read_text
from kan_dialect.flows.prove.turns import check_valid_turns, find_turns
from kan_dialect.flows.prove.valid import check_valid
from kan_dialect.flows.tools.toolchain import find
from kan_dialect.model.interface import Interface
from kan_dialect.model.model import Model
from kan_dialect.ops.wire import MarkOp
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

    plan: Plan[Form, Variable]
    engine: str
    deadline: float | None = None
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    valid_problem: str | None = None
    readings_problem: str | None = None
    """The signal that Yosys reads otherwise."""

    any_words: Proof | None = None
    """The proof of any words in tables that can be loaded."""

    seconds: float = 0.0

    @property
    def proven(self) -> bool:
        problems = (self.readings_problem, self.valid_problem)
        any_words = self.any_words is None or self.any_words.proven
        return (
            problems == (None, None)
            and any_words
            and all(outcome.proven for outcome in self.outcomes)
        )

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

    def _pairs(self) -> Iterator[tuple[Outcome, Obligation[Form]]]:
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
            **({"any_words": True} if self.any_words is not None else {}),
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
    scheduled: Model | None = None,
    timeout: float | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Proof:
    """Prove the design in `rtl` equal to `integer`, with the marks of `circuit`.

    The file is read twice: by slang, in the subset of `docs/reference/rtl-subset.md`, and by Yosys.
    The proof is of the first reading, and needs both to be one design.

    Parameters
    ----------
    scheduled : of a design whose tables can be loaded, the function at wire level that it was
        lowered from. With it, the proof is also one of any words in the tables.

    Raises
    ------
    KanError : the file is outside the subset, Yosys is missing or refuses the file, ports differ, a
        sum of the model has too many values, the design is folded, or no time is left.
    """
    start = time.monotonic()
    deadline = None if timeout is None else start + timeout
    netlist = read_text(rtl, circuit.name)
    yosys = find("yosys")
    second = read_design(rtl, circuit.name, yosys, timeout)
    engine = f"exact tables and sums, read by slang and by yosys {yosys.version}"
    interval, whole = circuit.interface().interval, separated(netlist)
    if interval > 1:
        find_turns(whole, interval)
    if circuit.interface().memory:
        find_loads(whole, circuit)
    proof = _planned(whole, integer, circuit, engine, deadline)
    _fulfil(proof, jobs, progress)
    if circuit.interface().memory and scheduled is not None:
        plan = plan_any_words(whole, scheduled, circuit)
        # Without a memory whose words are known, a word that is not free cannot be read.
        unknown = replace(whole, loaded=set())
        proof.any_words = replace(proof, netlist=unknown, integer=scheduled, plan=plan, outcomes=[])
        _fulfil(proof.any_words, jobs, progress)
    if interval > 1:
        proof.valid_problem = check_valid_turns(proof.netlist, proof.interface.latency, interval)
    elif not proof.interface.combinational:
        proof.valid_problem = check_valid(proof.netlist, proof.interface.latency)
    proof.readings_problem = difference_of_readings(netlist, second)
    proof.seconds = time.monotonic() - start
    return proof


def _fulfil(proof: Proof, jobs: int, progress: Progress | None) -> None:
    """Prove all obligations of a plan."""
    count = len(proof.plan.obligations)
    for number, outcome in enumerate(in_processes(_Prover(proof).prove, count, jobs), start=1):
        proof.outcomes.append(outcome)
        if progress is not None:
            progress(outcome, number, count)


def _planned(
    netlist: Netlist, integer: Model, circuit: Model, engine: str, deadline: float | None
) -> Proof:
    interface = circuit.interface()
    try:
        obligations = plan(integer, circuit, netlist, interface, FormArithmetic())
    except TooHard as error:
        is_whole = integer.level == "wire" and not any(
            isinstance(op, MarkOp) for op in integer.op.walk()
        )
        way = "build what kan-opt -p kan-mark-nodes gives" if is_whole else "use fewer bits"
        raise KanError(
            f"@{integer.name} cannot be proven: {error}", remedy=f"simulate it, or {way}"
        ) from None
    return Proof(circuit, integer, interface, netlist, obligations, engine, deadline)


class _LeavesRange(Exception):
    """A signal has numbers beyond the range of its mark."""


SAMPLES = 20_000
"""Number of assignments that are tried for a node that forms cannot decide."""


@dataclass
class _Prover:
    """Proves each obligation; those of a rank share a circuit, and so what their nodes share."""

    proof: Proof
    circuits: dict[int, tuple[Circuit, LinearCircuit, FunctionsOfSums]] = field(
        default_factory=dict[int, tuple[Circuit, LinearCircuit, FunctionsOfSums]]
    )
    last_reads: dict[int, dict[Source, int]] = field(default_factory=dict[int, dict[Source, int]])
    """For each rank, the last obligation that depends on a source."""

    def prove(self, index: int) -> Outcome:
        found = self.outcome_of(index)
        self.forget(index)
        return found

    def outcome_of(self, index: int) -> Outcome:
        """What becomes of an obligation, with fewer nodes free where that is needed."""
        plan, start = self.proof.plan, time.monotonic()
        obligation = plan.obligations[index]
        outcome = self.outcome(obligation, obligation.rank)
        if outcome.proven:
            return outcome
        # Codes of free nodes may never come together: less and less is free, down to the inputs.
        for rank in range(obligation.rank - 1, 0, -1):
            try:
                expected = expanded(plan, obligation.expected, rank)
            except TooHard:
                continue
            again = self.outcome(replace(obligation, expected=expected), rank)
            if again.proven:
                return replace(again, seconds=time.monotonic() - start)
        return outcome

    def circuits_below(self, rank: int) -> tuple[Circuit, LinearCircuit, FunctionsOfSums]:
        """The design with all nodes below a rank free; what decides more comes later."""
        found = self.circuits.get(rank)
        if found is not None:
            return found
        netlist, ranges, deadline = self.proof.netlist, self.proof.ranges, self.proof.deadline

        def leaf(source: InputPort | Cut, cycle: int) -> Form:
            return leaf_form(source, leaf_variable(netlist, source, cycle, ranges))

        linear = LinearCircuit(netlist, leaf, deadline=deadline)
        functions = FunctionsOfSums(netlist, leaf, deadline=deadline, linear=linear)
        found = Circuit(netlist, leaf, deadline=deadline), linear, functions
        for _, cut in self.proof.plan.free_below(rank):
            for circuit in found:
                circuit.cut(cut)
        for cut in self.proof.plan.entries:
            for circuit in found:
                circuit.cut(cut)
        self.circuits[rank] = found
        self.last_reads[rank] = {
            source: index
            for index, obligation in enumerate(self.proof.plan.obligations)
            if obligation.rank == rank
            for source in found[0].sources(obligation.bits)
        }
        return found

    def forget(self, index: int) -> None:
        """Forget the values of signals that no later obligation depends on.

        Each sum over many cycles takes megabytes, and belongs to one node.
        """
        for rank, circuits in self.circuits.items():
            last_reads = self.last_reads[rank]
            for circuit in circuits:
                circuit.keep(lambda source, last=last_reads: last.get(source, -1) > index)

    def outcome(self, obligation: Obligation[Form], rank: int) -> Outcome:
        """What becomes of an obligation with all nodes below a rank free."""
        found, start = Outcome(obligation.name, 0.0), time.monotonic()
        try:
            got, assignment = self.decided(obligation, rank)
        except _LeavesRange:
            found = replace(found, problem="leaves the range that its mark says")
        except Undefined as error:
            found = replace(found, problem="undefined", assignment=error.assignment)
        except TooHard as error:
            found = self.by_samples(obligation, error)
        else:
            if assignment is not None:
                values = {of: np.array([code]) for of, code in assignment.items()}
                forms = obligation.expected, got
                wanted, seen = (int(evaluate(form, values).ravel()[0]) for form in forms)
                found = Outcome(obligation.name, 0.0, "differs", assignment, wanted, seen, got)
        return replace(found, seconds=time.monotonic() - start)

    def decided(self, obligation: Obligation[Form], rank: int) -> tuple[Form, Assignment | None]:
        """As `_decided`, by the first circuit that can.

        Raises
        ------
        TooHard : as of the first circuit, where none can.
        """
        problems: list[TooHard] = []
        for circuit in self.circuits_below(rank):
            try:
                return _decided(obligation, circuit)
            except TooHard as error:
                problems.append(error)
        raise problems[0]

    def by_samples(self, obligation: Obligation[Form], error: TooHard) -> Outcome:
        """Where the forms cannot decide, a difference may still be found."""
        proof, name = self.proof, obligation.name
        samples = Samples(SAMPLES, error.hints, np.random.default_rng(0))
        cuts = [cut for _, cut in proof.plan.free_below(obligation.rank)] + proof.plan.entries
        word = (obligation.bits, obligation.cycle, obligation.signed)
        try:
            (got,) = evaluate_on(samples, proof.netlist, proof.ranges, cuts, [word])
        except Undefined as undefined:
            row = next(iter(undefined.assignment.values()), 0)
            return Outcome(name, 0.0, "undefined", samples.assignment(row))
        for of in variables(obligation.expected):
            samples.column(of)
        expected = np.broadcast_to(evaluate(obligation.expected, samples.columns), got.shape)
        got = obligation.compared(got)
        rows = np.flatnonzero(got != expected)
        if not rows.size:
            problem = f"undecided: {error}; no difference in {SAMPLES} assignments"
            return Outcome(name, 0.0, problem)
        row = int(rows[0])
        codes = int(expected[row]), int(got[row])
        return Outcome(name, 0.0, "differs", samples.assignment(row), *codes)


def _decided(obligation: Obligation[Form], circuit: Circuit) -> tuple[Form, Assignment | None]:
    """The signal as it is compared, and where it differs.

    Raises
    ------
    TooHard, Undefined : see `forms`.
    _LeavesRange : the signal is not within its mark.
    """
    got = circuit.value(obligation.bits, obligation.cycle, obligation.signed)
    if (mark := obligation.unsaturated) is not None:
        low, high = bounds(got)
        if low < mark.values.low or high > mark.values.high:
            raise _LeavesRange
        got = mapped(obligation.compared, got)
    return got, difference(got, obligation.expected)
