"""Shows the claims of a second opinion, by induction over the ranks of nodes.

`claims.py` states the claims. A claim is shown by lemmas on sums of tables; if these fail, with
fewer signals free; if that fails too, random assignments look for a difference.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kan_dialect.flows.prove.second_opinion.claims import (
    Claim,
    Plan,
)
from kan_dialect.flows.prove.second_opinion.lemmas import (
    RAW_BITS,
    Atom,
    Lemmas,
    Linear,
    Number,
    is_too_long,
    numbers_of,
    raw_bits,
    variables_of,
)
from kan_dialect.flows.prove.second_opinion.model import Clamp, Code
from kan_dialect.flows.prove.second_opinion.solver import Solver, Term
from kan_dialect.flows.prove.second_opinion.text import Design
from kan_dialect.flows.prove.second_opinion.words import (
    Undecided,
    Variable,
    Word,
    Words,
    evaluate,
    terms,
)
from kan_dialect.ir.constants import IntArray

SECONDS = 10.0
"""Time for one question about a whole node."""

SAMPLES = 20_000
"""Random assignments that are tried on a node that has no proof."""

DEEPEST = 96
"""Most bits of free variables in a claim with fewer nodes free."""

REACHED = 1 << 20
"""Most sums that are listed to find the attainable ones."""


@dataclass(frozen=True)
class Verdict:
    """What became of a claim."""

    name: str
    seconds: float
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
    """Shows the claims of one design; claims of a rank share lemmas on words."""

    def __init__(self, design: Design, plan: Plan, deadline: float | None) -> None:
        self.design = design
        self.plan = plan
        self.solver = Solver(deadline)
        self._lemmas: dict[int, Lemmas] = {}

    def lemmas(self, rank: int) -> Lemmas:
        """The design with the nodes of all lower ranks free."""
        if rank not in self._lemmas:
            cuts: dict[tuple[str, int], dict[int, tuple[Variable, int]]] = {}
            for of, bits, variable in self.plan.cuts:
                if of < rank:
                    for index, (function, cycle, bit) in enumerate(bits):
                        cuts.setdefault((function, cycle), {})[bit] = variable, index
            words = Words(self.design, list(self.plan.variables), self.plan.inputs, cuts)
            self._lemmas[rank] = Lemmas(words, self.solver)
        return self._lemmas[rank]

    def examine(self, claim: Claim) -> Verdict:
        """Whether a claim holds."""
        start = time.monotonic()
        try:
            found, free = _Question(self.lemmas(claim.rank), claim).answer(), claim.rank
            # Codes of free nodes may never come together, and passes make use of that.
            for rank in range(claim.rank - 1, 0, -1):
                if found.shown:
                    break
                deeper = _Deeper(self.lemmas(rank), self.plan, rank, claim).answer()
                if deeper is not None:
                    found, free = deeper, rank
            if found.differs and free > 1:
                found = Verdict(claim.name, 0, _may_never_come(found))
        except Undecided as error:
            found = Verdict(claim.name, 0, f"undecided: {error}")
        seconds = time.monotonic() - start
        return Verdict(claim.name, seconds, found.problem, found.where, found.expected, found.got)

    def valid_problem(self, latency: int) -> str | None:
        """The error in `out_valid`; None where it is `in_valid`, delayed, but for resets."""
        words = Words(self.design, [], {}, {})
        solver = self.solver
        out = words.signal("out_valid", latency)
        known: dict[Word, Term] = {}
        for of in words.variables:
            known[words.free(of)] = solver.free(of.width, f"{of.name}@{of.cycle}")
        expected = solver.constant(1, 1)
        wanted = {("in_valid", 0): True} | {("rst", cycle): False for cycle in range(latency)}
        for (name, cycle), one in wanted.items():
            found = [of for of in words.variables if (of.name, of.cycle) == (name, cycle)]
            if not found:
                return f"out_valid does not depend on {name} in cycle {cycle}"
            term = known[words.free(found[0])]
            expected = solver.apply(
                "bvand", [expected, term if one else solver.apply("bvnot", [term])]
            )
        (term,) = terms([out], known, solver)
        answer = solver.always(solver.apply("=", [term, expected]), (), SECONDS)
        if answer is None:
            return "undecided: no time is left"
        if answer:
            return None
        return f"out_valid is not in_valid {latency} cycles later, cleared by rst"


@dataclass
class _Question:
    """One claim, and the ways to show it."""

    lemmas: Lemmas
    claim: Claim

    def answer(self) -> Verdict:
        claim = self.claim
        self.word = self.lemmas.words.signal(claim.signal, claim.cycle)
        doubtful = False
        for depth, raw in (
            (-1, False),
            (0, False),
            (1, False),
            (0, True),
            (2, False),
            (None, True),
        ):
            if depth == -1:
                found = self.lemmas.word(self.word)
                if found is None:
                    continue
                atoms: list[Atom] = [found]
            else:
                atoms = list(self.lemmas.frontier(self.word, depth, raw=raw))
            whole = depth is None
            if not whole and raw_bits(atoms) > RAW_BITS:
                continue
            guess = self.guess(atoms, whole)
            if guess is None:
                continue
            if whole and doubtful:
                found = self.search()
                if found is not None:
                    return found
            answer, values = self.ask(guess, atoms)
            if answer:
                inside = self.lemmas.stays_inside(self.word)
                problem = None if inside else "undecided: an index may leave its table"
                return Verdict(claim.name, 0, problem)
            if answer is False:
                doubtful = True
                found = self.reach(guess, values, atoms)
                if found is not None:
                    return found
        return self.search() or Verdict(claim.name, 0, "undecided")

    def guess(self, atoms: Sequence[Atom], whole: bool) -> Linear | None:
        """The model's sum as a linear function of atoms and tables of the remaining variables."""
        code = self.claim.expected
        sums = numbers_of(atoms)
        raw = {atom for atom in atoms if isinstance(atom, Variable)}
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
        beside = sum(of.width for of in tables if of not in raw)
        if not whole and beside + raw_bits(raw) > RAW_BITS:
            return None
        return Linear(dict(zip(sums, factors, strict=True)), tables, constant)

    def ask(self, guess: Linear, atoms: Sequence[Atom]) -> tuple[bool | None, list[int]]:
        """Whether the signal holds the model's code, where the sum is as guessed."""
        lemmas, solver = self.lemmas, self.lemmas.solver
        free = list(dict.fromkeys([*atoms, *guess.tables]))
        known, assumed = lemmas.given(free)
        width = self.width(guess)
        signal = lemmas.term(self.word, known)
        claim = self.compared(signal, lemmas.linear_term(guess, width), width)
        parts = parts_of(free)
        watched = [p.term if isinstance(p, Number) else lemmas.variable(p) for p in parts]
        answer, values = solver.counterexample(claim, assumed, watched, SECONDS)
        if answer is False and len(parts) == 1 and isinstance(parts[0], Number):
            of = parts[0]
            reached = self.reached(of)
            if reached is not None:
                answer, values = solver.counterexample(
                    claim, [*assumed, self.among(of, reached)], watched, SECONDS
                )
        return answer, values

    def compared(self, signal: Term, total: Term, width: int) -> Term:
        """The claim that the signal's code is the model's function of the sum."""
        claim, solver = self.claim, self.lemmas.solver
        extend = "sign_extend" if claim.signed else "zero_extend"
        got = solver.apply(extend, [signal], [width - self.word.width])
        mark = claim.mark
        inside: list[Term] = []
        if mark is not None:
            if mark.within is not None:
                ends = [solver.constant(width, end) for end in (mark.low, mark.high)]
                inside = [
                    solver.apply("bvsle", [ends[0], got]),
                    solver.apply("bvsle", [got, ends[1]]),
                ]
            got = solver.apply("bvadd", [got, solver.constant(width, mark.offset)])
            if mark.within is not None:
                got = mark.within.term(got, width, solver)
        for step in claim.expected.steps:
            total = step.term(total, width, solver)
        equal = solver.apply("=", [got, total])
        return solver.apply("and", [equal, *inside]) if inside else equal

    def width(self, guess: Linear) -> int:
        """Bits in which nothing overflows."""
        largest = abs(guess.constant)
        largest += sum(abs(factor) * of.top for of, factor in guess.factors.items())
        largest += sum(int(np.abs(table).max()) for table in guess.tables.values())
        for step in self.claim.expected.steps:
            largest <<= max(0, -getattr(step, "shift", 0))
            for name in ("constant", "low", "high"):
                largest += abs(getattr(step, name, 0))
        mark = self.claim.mark
        if mark is not None:
            ends = (mark.within.low, mark.within.high) if mark.within else ()
            largest += sum(abs(end) for end in (mark.offset, mark.low, mark.high, *ends))
        return max(largest.bit_length(), self.word.width) + 3

    # Codes that show a difference.

    def reached(self, of: Number) -> list[IntArray] | None:
        """Which sums can come, after each table in turn: (sums), bool. None: they are too many."""
        if of.top >= REACHED:
            return None
        found = [np.array([True] + [False] * of.top)]
        for table in of.tables.values():
            after = np.zeros(of.top + 1, bool)
            for entry in np.unique(table).tolist():
                after[entry:] |= found[-1][: of.top + 1 - entry]
            found.append(after)
        return found

    def among(self, of: Number, reached: Sequence[IntArray]) -> Term:
        """The condition that a sum has one of the values which it can have."""
        solver = self.lemmas.solver
        value = sum(1 << index for index in np.flatnonzero(reached[-1]).tolist())
        size = max(of.top + 1, of.bits)
        address = self.lemmas.resized(of.term, of.bits, size)
        shifted = solver.apply("bvlshr", [solver.constant(size, value), address])
        bit = solver.apply("extract", [shifted], [0, 0])
        return solver.apply("=", [bit, solver.constant(1, 1)])

    def reach(self, guess: Linear, values: list[int], atoms: Sequence[Atom]) -> Verdict | None:
        """Codes of variables that lead to the values of atoms that show a difference."""
        row: dict[Variable, int] = {}
        for part, value in zip(
            parts_of(dict.fromkeys([*atoms, *guess.tables])), values, strict=True
        ):
            if isinstance(part, Variable):
                row[part] = part.code(value)
                continue
            reached = self.reached(part)
            if reached is None or not row.keys().isdisjoint(part.tables):
                return None
            for before, (of, table) in reversed(
                list(zip(reached, part.tables.items(), strict=False))
            ):
                entries = [
                    i for i, e in enumerate(table.tolist()) if e <= value and before[value - e]
                ]
                if not entries:
                    return None
                row[of] = entries[0] + of.low
                value -= int(table[entries[0]])
        return self.judged({of: np.array([code]) for of, code in row.items()})

    def search(self) -> Verdict | None:
        """A difference among random codes."""
        random = np.random.default_rng(0)
        columns: dict[Variable, IntArray] = {}
        for of in self.lemmas.words.variables:
            if self.word.support >> of.number & 1 or of in self.claim.expected.tables:
                column = random.integers(of.low, of.high, SAMPLES, endpoint=True)
                # Half of the rows have the least or the greatest code in most places.
                ends = random.integers(0, 8, SAMPLES // 2)
                half = column[: SAMPLES // 2]
                half[(ends > 0) & (random.integers(0, 2, SAMPLES // 2) > 0)] = of.low
                columns[of] = column
        return self.judged(columns)

    def judged(self, columns: Mapping[Variable, IntArray]) -> Verdict | None:
        """The first row at which the signal differs."""
        columns = dict(columns)
        rows = len(next(iter(columns.values()))) if columns else 1
        for of in self.lemmas.words.variables:
            if of not in columns and (
                self.word.support >> of.number & 1 or of in self.claim.expected.tables
            ):
                columns[of] = np.full(rows, of.low)
        words = self.lemmas.words
        given = {words.free(of): of.patterns(column) for of, column in columns.items()}
        numbers = np.broadcast_to(evaluate(self.word, given), rows).astype(np.int64)
        if self.claim.signed:
            half = 1 << self.word.width - 1
            numbers = (numbers + half) % (2 * half) - half
        expected = np.broadcast_to(self.claim.expected.numbers(columns), rows)
        got = numbers
        mark = self.claim.mark
        wrong = np.zeros(rows, bool)
        if mark is not None:
            got = got + mark.offset
            if mark.within is not None:
                wrong = (numbers < mark.low) | (numbers > mark.high)
                got = got.clip(mark.within.low, mark.within.high)
        found = np.flatnonzero(wrong | (got != expected))
        if not len(found):
            return None
        row = int(found[0])
        where = {of.name: int(column[row]) for of, column in columns.items()}
        return Verdict(self.claim.name, 0, "differs", where, int(expected[row]), int(got[row]))


@dataclass
class _Deeper:
    """A claim with the nodes from a rank on as the model has them, and so not free."""

    lemmas: Lemmas
    plan: Plan
    rank: int
    claim: Claim

    def answer(self) -> Verdict | None:
        """The verdict; None where this cannot tell."""
        lemmas, solver = self.lemmas, self.lemmas.solver
        question = _Question(lemmas, self.claim)
        question.word = lemmas.words.signal(self.claim.signal, self.claim.cycle)
        variables = {
            of for of in lemmas.words.variables if question.word.support >> of.number & 1
        } | self.free(self.claim)
        if sum(of.width for of in variables) > DEEPEST:
            return None
        known, assumed = lemmas.given(list(variables))
        self.wide = 2 + max(self.width(claim) for claim in [self.claim, *self.inner(self.claim)])
        total = self.total(self.claim.expected)
        claim = question.compared(lemmas.term(question.word, known), total, self.wide)
        watched = [lemmas.variable(of) for of in variables]
        answer, values = solver.counterexample(claim, assumed, watched, SECONDS)
        if answer and lemmas.stays_inside(question.word):
            return Verdict(self.claim.name, 0)
        if answer is not False:
            return None
        row = dict(zip(variables, values, strict=True))
        where = {of.name: of.code(value) for of, value in row.items()}
        return Verdict(self.claim.name, 0, "differs", where)

    def inner(self, claim: Claim) -> list[Claim]:
        """The claims on nodes that are not free, below a claim."""
        found: list[Claim] = []
        for of in claim.expected.tables:
            if self.plan.ranks.get(of, 0) >= self.rank:
                claims = self.plan.held[of]
                found += [claims[0], *self.inner(claims[0])]
        return found

    def free(self, claim: Claim) -> set[Variable]:
        return {
            of
            for each in [claim, *self.inner(claim)]
            for of in each.expected.tables
            if self.plan.ranks.get(of, 0) < self.rank
        }

    def width(self, claim: Claim) -> int:
        question = _Question(self.lemmas, claim)
        question.word = self.lemmas.words.signal(claim.signal, claim.cycle)
        return question.width(Linear({}, claim.expected.tables, claim.expected.constant))

    def total(self, code: Code) -> Term:
        """The sum of a code's tables."""
        lemmas, solver = self.lemmas, self.lemmas.solver
        found = solver.constant(self.wide, code.constant)
        for of, table in code.tables.items():
            bits = None
            if self.plan.ranks.get(of, 0) >= self.rank:
                bits = self.bits(of)
            part = lemmas.table_term(of, table, self.wide, bits)
            found = solver.apply("bvadd", [found, part])
        return found

    def bits(self, of: Variable) -> Term:
        """The bits of a node's signal, by the model."""
        solver, claims = self.lemmas.solver, self.plan.held[of]
        mark = claims[0].mark
        assert mark is not None
        if mark.within is not None and (len(claims) > 1 or self.plan.lowest[of]):
            raise Undecided("a signal that is saturated, and shared or constant in part")
        code = self.total(claims[0].expected)
        for step in claims[0].expected.steps:
            code = step.term(code, self.wide, solver)
        signal = solver.apply("bvsub", [code, solver.constant(self.wide, mark.offset)])
        # A signal that is saturated may be any that gives the code.
        first = self.plan.lowest[of]
        low, high = (end << first for end in (of.low, of.high + 1))
        signal = Clamp(low, high - 1).term(signal, self.wide, solver)
        return solver.apply("extract", [signal], [first + of.width - 1, first])


def _may_never_come(found: Verdict) -> str:
    """Why a difference at codes of free nodes decides nothing."""
    where = ", ".join(f"{name} = {code}" for name, code in found.where.items())
    return f"undecided: other codes at {where or 'some codes of nodes'}, which may never come"


def parts_of(atoms: Iterable[Atom]) -> list[Number | Variable]:
    """The free variables of a lemma, each once."""
    return [*numbers_of(atoms), *variables_of(atoms)]


def _stacked(variables: Sequence[Variable], tables: Mapping[Variable, IntArray]) -> list[float]:
    """Changes of a sum along each variable."""
    found: list[float] = []
    for of in variables:
        table = tables.get(of)
        found += [0.0] * len(of.codes) if table is None else (table - table[0]).tolist()
    return found
