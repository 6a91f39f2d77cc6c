"""Shows the claims of a second opinion, by induction over the ranks of nodes.

`plans.py` states the claims. A claim is shown by lemmas on sums of tables; if these fail, with the
codes of free nodes that the model gives them; if that fails too, random assignments look for a
difference.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from kan_dialect.flows.prove.cycles.integers import Arithmetic, Integer
from kan_dialect.flows.prove.cycles.machine import Machine
from kan_dialect.flows.prove.cycles.solver import Solver, Values
from kan_dialect.flows.prove.cycles.terms import Term, evaluate
from kan_dialect.flows.prove.plans import Obligation, Plan
from kan_dialect.flows.prove.second_opinion.codes import Code
from kan_dialect.flows.prove.second_opinion.design import Design, Undecided, Variable
from kan_dialect.flows.prove.second_opinion.lemmas import (
    RAW_BITS,
    Atom,
    Lemmas,
    Linear,
    is_too_long,
    numbers_of,
    raw_bits,
    variables_of,
)
from kan_dialect.ir.constants import IntArray

SECONDS = 10.0
"""Time for one question about a whole node."""

SAMPLES = 20_000
"""Random assignments that are tried on a node that has no proof."""

DEEPEST = 96
"""Most bits of free variables in a claim on codes that the model gives free nodes."""


@dataclass(frozen=True)
class Verdict:
    """What became of a claim."""

    name: str
    seconds: float = 0.0
    problem: str | None = None
    """None: shown. Else `differs`, or why it is undecided."""

    where: Mapping[str, int] = field(default_factory=dict[str, int])
    """Codes of the free variables at which the signal differs."""

    expected: int | None = None
    got: int | None = None
    """Codes there, of the model and of the text."""

    @property
    def shown(self) -> bool:
        return self.problem is None

    @property
    def differs(self) -> bool:
        return self.problem == "differs"


class Examiner:
    """Shows the claims of one design; they share lemmas on words."""

    def __init__(self, plan: Plan[Code, Variable], design: Design, solver: Solver) -> None:
        self.plan, self.design, self.solver = plan, design, solver
        self.lemmas = Lemmas(design, solver)
        self._machines: dict[int, Machine] = {}

    def question(self, claim: Obligation[Code], rank: int) -> Question:
        """A claim with the signals of all nodes below a rank free."""
        if rank not in self._machines:
            self._machines[rank] = self.design.machine(self.plan.free_below(rank))
        word = self.design.word(self._machines[rank], claim.bits, claim.cycle)
        return Question(self.lemmas, self.plan, claim, rank, word)

    def examine(self, index: int) -> Verdict:
        """Whether a claim of the plan holds."""
        claim, start = self.plan.obligations[index], time.monotonic()
        try:
            found = self.question(claim, claim.rank).answer()
            free = claim.rank
            # Codes of free nodes may never come together, and passes make use of that.
            for rank in range(claim.rank - 1, 0, -1):
                if found.shown:
                    break
                reached = self.question(claim, rank).of_reached_codes()
                if reached is not None:
                    found, free = reached, rank
            if found.differs and free > 1:
                found = Verdict(claim.name, problem=_may_never_come(found))
        except Undecided as error:
            found = Verdict(claim.name, problem=f"undecided: {error}")
        return replace(found, seconds=time.monotonic() - start)

    def valid_problem(self, latency: int) -> str | None:
        """The error in `out_valid`; None where it is `in_valid`, delayed, but for resets."""
        design, pool = self.design, self.design.pool
        found = design.word(design.machine(()), design.netlist.outputs["out_valid"], latency)
        read = [("in_valid", 0), *(("rst", cycle) for cycle in range(latency))]
        ports = [design.input_term(name, cycle) for name, cycle in read]
        for (name, cycle), port in zip(read, ports, strict=True):
            if not found.support & port.support:
                return f"out_valid does not depend on {name} in cycle {cycle}"
        expected = pool.both(ports[0], *map(pool.inverted, ports[1:]))
        answer = self.solver.find([pool.inverted(pool.equal(found, expected))], SECONDS)
        if answer == "unknown":
            return "undecided: no time is left"
        wrong = f"out_valid is not in_valid {latency} cycles later, cleared by rst"
        return None if answer is None else wrong


@dataclass
class Question:
    """One claim, and the ways to show it."""

    lemmas: Lemmas
    plan: Plan[Code, Variable]
    claim: Obligation[Code]
    rank: int
    """Signals of nodes below are free."""
    word: Term
    """The signal."""

    def __post_init__(self) -> None:
        self.pool = self.lemmas.pool
        self.math = Arithmetic(self.pool)

    def answer(self) -> Verdict:
        for depth, raw in ((0, False), (1, False), (2, False), (0, True), (None, True)):
            atoms = list(self.lemmas.frontier(self.word, depth, raw=raw))
            is_whole = depth is None
            guess = self.guess(atoms, math.inf if is_whole else RAW_BITS)
            if guess is None:
                continue
            if is_whole and (difference := self.search()) is not None:
                return difference
            found = self.ask(guess, atoms)
            if found is None:
                inside = self.lemmas.stays_inside(self.word)
                problem = None if inside else "undecided: an index may leave its table"
                return Verdict(self.claim.name, problem=problem)
            if found != "unknown" and not numbers_of(atoms):
                row = self.codes_of(self.variables_of(guess, atoms), found)
                verdict = self.judged({of: np.array([code]) for of, code in row.items()})
                if verdict is not None:
                    return verdict
        return self.search() or Verdict(self.claim.name, problem="undecided")

    def guess(self, atoms: Sequence[Atom], most_bits: float) -> Linear | None:
        """The model's sum as a linear function of atoms and tables of the remaining variables.

        None where these have more bits, or a table is too long.
        """
        code = self.claim.expected
        sums = numbers_of(atoms)
        raw = set(variables_of(atoms))
        variables = list(dict.fromkeys([*code.tables, *(v for s in sums for v in s.tables)]))
        factors = [0] * len(sums)
        if sums:
            columns = [_stacked(variables, of.tables) for of in sums]
            wanted = _stacked(variables, code.tables)
            solved = np.linalg.lstsq(np.array(columns).T, wanted, rcond=None)[0]
            factors = [round(factor) for factor in solved.tolist()]
        constant = code.constant
        tables: dict[Variable, IntArray] = {}
        for of in variables:
            rest = code.tables.get(of, np.zeros(len(of.codes), np.int64))
            for sum_, factor in zip(sums, factors, strict=True):
                if of in sum_.tables:
                    rest = rest - factor * sum_.tables[of]
            if np.ptp(rest):
                tables[of] = rest
            else:
                constant += int(rest[0])
        too_long = any(is_too_long(of, table) for of, table in tables.items())
        if too_long or raw_bits({*raw, *tables}) > most_bits:
            return None
        return Linear(dict(zip(sums, factors, strict=True)), tables, constant)

    def variables_of(self, guess: Linear, atoms: Sequence[Atom]) -> list[Variable]:
        return variables_of(dict.fromkeys([*atoms, *guess.tables]))

    def codes_of(self, variables: Iterable[Variable], values: Values) -> dict[Variable, int]:
        """The codes that the solver gives variables."""
        return {of: of.code(values.get(of.term.data, of.low)) for of in variables}

    def ask(
        self, guess: Linear, atoms: Sequence[Atom], given: Sequence[Term] = ()
    ) -> Values | Literal["unknown"] | None:
        """Values at which the signal does not hold the model's code, if the sum is as guessed."""
        free = self.variables_of(guess, atoms)
        known, assumed = self.lemmas.given(dict.fromkeys([*atoms, *free]))
        signal = self.pool.rebuilt(self.word, known)
        top = 1 << signal.width
        ends = (-top // 2, top // 2 - 1) if self.claim.signed else (0, top - 1)
        total = self.lemmas.integer(guess)
        claim = self.compared(self.claim, Integer(signal, *ends), total)
        # Numbers that share variables may never have their ends together.
        held = self.math.saturated(total, *self.claim.expected.sum_range)
        asked = [*assumed, *given, self.math.equal(total, held), self.pool.inverted(claim)]
        return self.lemmas.solver.find(asked, SECONDS)

    def compared(self, claim: Obligation[Code], got: Integer, total: Integer) -> Term:
        """The condition that a signal's code is the model's function of the sum."""
        math, mark = self.math, claim.unsaturated
        expected = claim.expected.term(math, total)
        if mark is None or mark.within is None:
            return math.equal(got, expected)
        ends = mark.within.low - mark.offset, mark.within.high - mark.offset
        right = math.equal(math.saturated(got, *ends), expected)
        held = math.saturated(got, mark.values.low, mark.values.high)
        return self.pool.both(right, math.equal(got, held))

    # Codes that free nodes have together.

    def of_reached_codes(self) -> Verdict | None:
        """The verdict where nodes from the rank on hold the model's codes; None: it cannot tell."""
        free = dict.fromkeys(self._read())
        given: list[Term] = []
        waiting = [*free]
        while waiting:
            of = waiting.pop()
            if self.plan.rank(of) >= self.rank:
                claim = self.plan.free[of].obligation
                given.append(self._held(of, claim))
                waiting += [v for v in claim.expected.tables if v not in free]
                free |= dict.fromkeys(claim.expected.tables)
        inner = [of for of in free if self.plan.rank(of) >= self.rank]
        if sum(of.width for of in free if of not in inner) > DEEPEST:
            return None
        code = self.claim.expected
        guess = Linear({}, code.tables, code.constant)
        values = self.ask(guess, list(free), given)
        if values is None:
            return Verdict(self.claim.name) if self.lemmas.stays_inside(self.word) else None
        if values == "unknown":
            return None
        codes = self.codes_of((of for of in free if of not in inner), values)
        where = {of.name: code for of, code in codes.items()}
        return Verdict(self.claim.name, problem="differs", where=where)

    def _held(self, of: Variable, claim: Obligation[Code]) -> Term:
        """That a free signal holds the model's code of a node."""
        expected = Linear({}, claim.expected.tables, claim.expected.constant)
        signal = self.lemmas.integer(Linear({}, {of: self.plan.free[of].numbers}, 0))
        return self.compared(claim, signal, self.lemmas.integer(expected))

    # Codes that show a difference.

    def _read(self) -> list[Variable]:
        """The variables of the signal and of the model's code."""
        read = self.lemmas.design.variables_of(self.word)
        return list(dict.fromkeys([*read, *self.claim.expected.tables]))

    def search(self) -> Verdict | None:
        """A difference among random codes."""
        random = np.random.default_rng(0)
        columns: dict[Variable, IntArray] = {}
        for of in self._read():
            column = random.integers(of.low, of.high, SAMPLES, endpoint=True)
            # Half of the rows have the least code in most places.
            half = column[: SAMPLES // 2]
            half[random.integers(0, 16, SAMPLES // 2) > 8] = of.low
            columns[of] = column
        return self.judged(columns)

    def judged(self, columns: Mapping[Variable, IntArray]) -> Verdict | None:
        """The first row at which the signal differs."""
        rows = len(next(iter(columns.values()))) if columns else 1
        columns = {of: np.full(rows, of.low) for of in self._read()} | dict(columns)
        given = {of.term: of.patterns(column) for of, column in columns.items()}
        got = np.broadcast_to(evaluate(self.word, {}, given), rows).astype(np.int64)
        if self.claim.signed:
            half = 1 << self.word.width - 1
            got = (got + half) % (2 * half) - half
        expected = np.broadcast_to(self.claim.expected.numbers(columns), rows)
        mark = self.claim.unsaturated
        wrong = np.zeros(rows, bool)
        if mark is not None:
            wrong = (got < mark.values.low) | (got > mark.values.high)
        got = self.claim.compared(got)
        found = np.flatnonzero(wrong | (got != expected))
        if not len(found):
            return None
        row, offset = int(found[0]), self.claim.offset
        where = {of.name: int(column[row]) for of, column in columns.items()}
        codes = int(expected[row]) + offset, int(got[row]) + offset
        return Verdict(self.claim.name, 0, "differs", where, *codes)


def _may_never_come(found: Verdict) -> str:
    """Why a difference at codes of free nodes decides nothing."""
    where = ", ".join(f"{name} = {code}" for name, code in found.where.items())
    return f"undecided: other codes at {where or 'some codes of nodes'}, which may never come"


def _stacked(variables: Sequence[Variable], tables: Mapping[Variable, IntArray]) -> list[float]:
    """Changes of a sum along each variable."""
    found: list[float] = []
    for of in variables:
        table = tables.get(of)
        found += [0.0] * len(of.codes) if table is None else (table - table[0]).tolist()
    return found
