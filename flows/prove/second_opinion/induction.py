"""Shows the claims of a second opinion, by induction over the ranks of nodes.

`claims.py` states the claims. A claim is shown by lemmas on sums of tables; if these fail, with the
codes of free nodes that the model gives them; if that fails too, random assignments look for a
difference.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from kan_dialect.flows.prove.second_opinion.claims import Claim, Plan
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
from kan_dialect.flows.prove.second_opinion.model import Tables
from kan_dialect.flows.prove.second_opinion.solver import Signed, Term
from kan_dialect.flows.prove.second_opinion.text import Undecided, Variable
from kan_dialect.flows.prove.second_opinion.words import Words, evaluate
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

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.solver = plan.design.solver
        self.lemmas = Lemmas(Words(plan.design))

    def examine(self, claim: Claim) -> Verdict:
        """Whether a claim holds."""
        start = time.monotonic()
        try:
            found = Question(self.lemmas, self.plan, claim, claim.rank).answer()
            free = claim.rank
            # Codes of free nodes may never come together, and passes make use of that.
            for rank in range(claim.rank - 1, 0, -1):
                if found.shown:
                    break
                reached = Question(self.lemmas, self.plan, claim, rank).of_reached_codes()
                if reached is not None:
                    found, free = reached, rank
            if found.differs and free > 1:
                found = Verdict(claim.name, problem=_may_never_come(found))
        except Undecided as error:
            found = Verdict(claim.name, problem=f"undecided: {error}")
        return replace(found, seconds=time.monotonic() - start)

    def valid_problem(self, latency: int) -> str | None:
        """The error in `out_valid`; None where it is `in_valid`, delayed, but for resets."""
        design, solver = self.plan.design, self.solver
        found = design.at("out_valid", latency)
        expected = solver.constant(1, 1)
        one = expected
        for name, cycle in [("in_valid", 0), *(("rst", cycle) for cycle in range(latency))]:
            of = design.by_place.get((name, cycle))
            if of is None:
                return f"out_valid does not depend on {name} in cycle {cycle}"
            wanted = of.term if name == "in_valid" else solver.apply("BV_XOR", of.term, one)
            expected = solver.apply("BV_AND", expected, wanted)
        answer = solver.always(solver.apply("EQUAL", found, expected), (), SECONDS)
        if answer is None:
            return "undecided: no time is left"
        return (
            None if answer else f"out_valid is not in_valid {latency} cycles later, cleared by rst"
        )


@dataclass
class Question:
    """One claim, and the ways to show it."""

    lemmas: Lemmas
    plan: Plan
    claim: Claim
    rank: int
    """Signals of nodes below are free."""

    def __post_init__(self) -> None:
        self.solver = self.lemmas.solver
        self.word = self.lemmas.words.word(self.plan.term(self.claim, self.rank))

    def answer(self) -> Verdict:
        doubtful = False
        for atoms in self._attempts():
            whole = atoms is self.whole
            if not whole and raw_bits(atoms) > RAW_BITS:
                continue
            guess = self.guess(atoms, whole)
            if guess is None:
                continue
            if whole and doubtful and (found := self.search()) is not None:
                return found
            answer, values = self.ask(guess, atoms)
            if answer:
                inside = self.lemmas.stays_inside(self.word)
                problem = None if inside else "undecided: an index may leave its table"
                return Verdict(self.claim.name, problem=problem)
            doubtful = doubtful or answer is False
            if answer is False and not numbers_of(atoms):
                row = dict(zip(self.variables_of(guess, atoms), values, strict=True))
                found = self.judged({of: np.array([of.code(v)]) for of, v in row.items()})
                if found is not None:
                    return found
        return self.search() or Verdict(self.claim.name, problem="undecided")

    @cached_property
    def whole(self) -> list[Atom]:
        """The variables of the signal."""
        return list(self.lemmas.frontier(self.word, None, raw=True))

    def _attempts(self) -> Iterator[list[Atom]]:
        found = self.lemmas.word(self.word)
        if found is not None:
            yield [found]
        for depth, raw in ((0, False), (1, False), (0, True), (2, False)):
            yield list(self.lemmas.frontier(self.word, depth, raw=raw))
        yield self.whole

    def guess(self, atoms: Sequence[Atom], whole: bool) -> Linear | None:
        """The model's sum as a linear function of atoms and tables of the remaining variables."""
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
        if any(is_too_long(of, table) for of, table in tables.items()):
            return None
        if not whole and raw_bits({*raw, *tables}) > RAW_BITS:
            return None
        return Linear(dict(zip(sums, factors, strict=True)), tables, constant)

    def variables_of(self, guess: Linear, atoms: Sequence[Atom]) -> list[Variable]:
        return variables_of(dict.fromkeys([*atoms, *guess.tables]))

    def ask(
        self, guess: Linear, atoms: Sequence[Atom], given: Sequence[Term] = ()
    ) -> tuple[bool | None, list[int]]:
        """Whether the signal holds the model's code, where the sum is as guessed."""
        free = self.variables_of(guess, atoms)
        known, assumed = self.lemmas.given(dict.fromkeys([*atoms, *free]))
        width = self.width(guess)
        signal = self.solver.substituted(self.word.term, known)
        got = Signed(self.solver, self.solver.resized(signal, width, signed=self.claim.signed))
        claim = compared(self.claim, got, self.lemmas.linear_term(guess, width))
        watched = [of.term for of in free]
        return self.solver.counterexample(claim, [*assumed, *given], watched, SECONDS)

    def width(self, guess: Linear) -> int:
        """Bits in which nothing overflows, for the sums of the claim."""
        largest = abs(guess.constant)
        largest += sum(abs(factor) * of.top for of, factor in guess.factors.items())
        return max(_width(self.claim, largest, guess.tables), self.word.width + 3)

    # Codes that free nodes have together.

    def of_reached_codes(self) -> Verdict | None:
        """The verdict where nodes from the rank on hold the model's codes; None: it cannot tell."""
        free = dict.fromkeys(self._read())
        given: list[Term] = []
        waiting = [*free]
        while waiting:
            of = waiting.pop()
            if self.plan.ranks.get(of, 0) >= self.rank:
                claim = self.plan.held[of]
                given.append(self._held(of, claim))
                waiting += [v for v in claim.expected.tables if v not in free]
                free |= dict.fromkeys(claim.expected.tables)
        inner = [of for of in free if self.plan.ranks.get(of, 0) >= self.rank]
        if sum(of.width for of in free if of not in inner) > DEEPEST:
            return None
        code = self.claim.expected
        guess = Linear({}, code.tables, code.constant)
        answer, values = self.ask(guess, list(free), given)
        if answer:
            return Verdict(self.claim.name) if self.lemmas.stays_inside(self.word) else None
        if answer is None:
            return None
        where = {of.name: of.code(v) for of, v in zip(free, values, strict=True) if of not in inner}
        return Verdict(self.claim.name, problem="differs", where=where)

    def _held(self, of: Variable, claim: Claim) -> Term:
        """That a free signal holds the model's code of a node."""
        guess = Linear({}, claim.expected.tables, claim.expected.constant)
        width = max(_width(claim, abs(guess.constant), guess.tables), of.width + 3)
        signal = self.lemmas.table_term(of, self.plan.tables[of], width)
        return compared(claim, signal, self.lemmas.linear_term(guess, width))

    # Codes that show a difference.

    def _read(self) -> list[Variable]:
        """The variables of the signal and of the model's code."""
        variables = self.lemmas.words.variables
        read = [of for of in variables if self.word.support >> of.number & 1]
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
        words = self.lemmas.words
        given = {words.free(of): of.patterns(column) for of, column in columns.items()}
        got = np.broadcast_to(evaluate(self.word, given), rows).astype(np.int64)
        if self.claim.signed:
            half = 1 << self.word.width - 1
            got = (got + half) % (2 * half) - half
        expected = np.broadcast_to(self.claim.expected.numbers(columns), rows)
        wrong = np.zeros(rows, bool)
        mark = self.claim.mark
        if mark is not None and mark.within is not None:
            wrong = (got < mark.values.low) | (got > mark.values.high)
            got = (got + mark.offset).clip(mark.within.low, mark.within.high)
        elif mark is not None:
            got = got + mark.offset
        found = np.flatnonzero(wrong | (got != expected))
        if not len(found):
            return None
        row = int(found[0])
        where = {of.name: int(column[row]) for of, column in columns.items()}
        return Verdict(self.claim.name, 0, "differs", where, int(expected[row]), int(got[row]))


def compared(claim: Claim, got: Signed, total: Signed) -> Term:
    """The condition that a signal's code is the model's function of the sum."""
    mark, expected = claim.mark, claim.expected.after(total)
    if mark is None:
        return got.equals(expected)
    code = got + mark.offset
    if mark.within is None:
        return code.equals(expected)
    right = code.clip(mark.within.low, mark.within.high).equals(expected)
    return got.solver.apply("AND", right, got.is_in(mark.values.low, mark.values.high))


def _width(claim: Claim, largest: int, tables: Tables) -> int:
    """Bits in which nothing of a claim overflows, for sums that tables are added to."""
    largest += sum(int(np.abs(table).max()) for table in tables.values())
    for step in claim.expected.steps:
        largest <<= max(0, -getattr(step, "shift", 0))
        largest += sum(abs(getattr(step, name, 0)) for name in ("constant", "low", "high"))
    if claim.mark is not None:
        ends = [claim.mark.values, *([claim.mark.within] if claim.mark.within else [])]
        largest += abs(claim.mark.offset)
        largest += sum(max(abs(end.low), abs(end.high)) for end in ends)
    return largest.bit_length() + 3


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
