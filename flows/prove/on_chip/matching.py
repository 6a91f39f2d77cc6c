"""Finds numbers of the reference among the design's signals, and proves that they are these.

All signals of the design and all numbers of the reference are evaluated on samples. Signals that
are a number there are candidates; one for which that is proven is replaced by a free variable, as
the number is in the reference. So each proof is of one operator or a few, with free operands in
their ranges. Candidates are hints: a wrong one has no proof.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.integers import Arithmetic, Integer
from kan_dialect.flows.prove.cycles.solver import Solver, Values
from kan_dialect.flows.prove.cycles.terms import (
    Column,
    Pool,
    Term,
    evaluate,
    evaluate_all,
    ordered,
)
from kan_dialect.flows.prove.on_chip.reference import Part
from kan_dialect.ir.constants import IntArray

SAMPLES = 192
"""Of each signal."""

LISTED = 1 << 20
"""Equations whose variables take at most this number of values together are listed in full."""

CANDIDATE_SECONDS = 5.0
"""Seconds for a candidate; an undecided candidate is left as it is."""

CHUNK = 1 << 16


@dataclass
class Matching:
    """The signals of a design beside the numbers of a reference."""

    pool: Pool
    solver: Solver
    free: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Ranges of variables; of others all that their words hold."""
    samples: dict[str, Column] = field(default_factory=dict[str, Column])
    """Of each variable, SAMPLES patterns of it."""
    replaced: dict[Term, Term] = field(default_factory=dict[Term, Term])
    """Signals that are proven to be a number of the reference, as that number's variable."""
    meanings: dict[str, Integer] = field(default_factory=dict[str, Integer])
    """The meaning of the variables that replace numbers of the reference."""
    _by_samples: dict[bytes, list[tuple[Term, bool]]] = field(
        default_factory=dict[bytes, list[tuple[Term, bool]]]
    )
    _settled: dict[bytes, list[Integer]] = field(default_factory=dict[bytes, list[Integer]])
    """By their samples, the variables that stand for numbers of the reference."""
    _columns: dict[Term, Column] = field(default_factory=dict[Term, Column])

    def __post_init__(self) -> None:
        self.math = Arithmetic(self.pool)

    def variable(self, name: str, low: int, high: int, samples: IntArray) -> Integer:
        """A free variable in a range, with numbers to try."""
        number = self.math.variable(name, low, high)
        self.free[name] = low, high
        self.samples[name] = samples.astype(np.int64).view(np.uint64) & np.uint64(
            (1 << number.term.width) - 1
        )
        return number

    def add_signals(self, signals: Iterable[Term], rng: np.random.Generator) -> None:
        """Signals of the design, with all that they are made of."""
        roots = list(signals)
        for term in ordered(roots):
            if term.kind == "var" and term.data not in self.samples:
                bits = rng.integers(0, 1 << 63, SAMPLES, dtype=np.uint64)
                self.samples[term.data] = bits & np.uint64((1 << min(term.width, 63)) - 1)
        for term, column in evaluate_all(roots, self.samples).items():
            if term in self._columns or term.is_constant:
                continue
            self._columns[term] = column
            for signed in (False, True):
                key = _pattern(column, term.width, signed=signed)
                self._by_samples.setdefault(key, []).append((term, signed))

    def settle(self, part: Part, number: Integer) -> Integer:
        """A number of the reference, as a variable where the design has it, else as it is."""
        if number.term.kind in ("const", "var"):
            return number
        column = evaluate(number.term, self.samples)
        key = _pattern(column, number.term.width, signed=number.signed)
        for cut in self._settled.get(key, ()):
            # Another number of the reference that is the same function.
            same = self.math.equal(self.meanings[cut.term.data], number)
            if self.holds(same, CANDIDATE_SECONDS) is None:
                return cut
        proven = [
            (term, signed)
            for term, signed in dict.fromkeys(self._by_samples.get(key, ()))
            if term not in self.replaced and self._is(term, signed, number)
        ]
        if not proven:
            return number
        name = f"{part.name}#{len(self.meanings)}"
        cut = self.math.variable(name, number.low, number.high)
        self.free[name] = number.low, number.high
        self.samples[name] = column
        self.meanings[name] = number
        self._settled.setdefault(key, []).append(cut)
        for term, _ in proven:
            self.replaced[term] = self.math.wide(cut, term.width)
        return cut

    def _is(self, term: Term, signed: bool, number: Integer) -> bool:
        top = 1 << term.width
        low, high = (-top // 2, top // 2 - 1) if signed else (0, top - 1)
        if number.low < low or high < number.high:
            return False
        return self.differs(Integer(term, low, high), number, CANDIDATE_SECONDS) is None

    def differs(
        self, signal: Integer, number: Integer, seconds: float | None = None
    ) -> Values | Literal["unknown"] | None:
        """Values of the free variables at which a signal is not a number; None if it always is."""
        seen = Integer(self.pool.rebuilt(signal.term, self.replaced), signal.low, signal.high)
        return self.holds(self.math.equal(seen, number), seconds)

    def seen(self, term: Term) -> Term:
        """A signal of the design as a term of the variables of proven numbers."""
        return self.pool.rebuilt(term, self.replaced)

    def holds(
        self, claim: Term, seconds: float | None = None
    ) -> Values | Literal["unknown"] | None:
        """Values of the free variables at which a claim is not 1; None if it always is.

        A variable that replaces a number of the reference is free at first. Where a claim does not
        hold for values that the number does not have, what it is becomes a condition.
        """
        if claim.is_constant:
            return None if claim.data else {}
        end = None if seconds is None else time.monotonic() + seconds
        known: dict[Term, Term] = {}
        while True:
            conditions = list(known.values())
            left = None if end is None else max(end - time.monotonic(), 0.01)
            found = self._fails(claim, conditions, left)
            if found is None or found == "unknown":
                return found
            values, wrong = self.completed([claim, *conditions], found)
            if wrong is None:
                return values
            if wrong in known:
                return "unknown"
            meaning = self.meanings[wrong.data]
            cut = Integer(wrong, meaning.low, meaning.high)
            known[wrong] = self.math.equal(cut, meaning)

    def _fails(
        self, claim: Term, conditions: Sequence[Term], seconds: float | None
    ) -> Values | Literal["unknown"] | None:
        """Values at which a claim is 0 and all conditions are 1."""
        variables = [term for term in ordered([claim, *conditions]) if term.kind == "var"]
        ranges = [self._range(term) for term in variables]
        count = 1
        for low, high in ranges:
            count *= high - low + 1
        if count <= LISTED:
            whole = self.pool.any_of([claim, *(self.pool.inverted(c) for c in conditions)])
            return self._list(whole, variables, ranges, count)
        questions = [self.pool.inverted(claim), *conditions]
        for term, (low, high) in zip(variables, ranges, strict=True):
            questions += self._bounds(term, low, high)
        return self.solver.find(questions, seconds)

    def completed(self, claims: Sequence[Term], values: Values) -> tuple[Values, Term | None]:
        """Values of all that claims are made of, and a variable that is not what it stands for.

        The first such one: what it is made of is right.
        """
        whole: Values = {}
        opened: list[Term] = [term for term in ordered(claims) if term.kind == "var"]
        seen = set(opened)
        for term in opened:
            if term.data in self.meanings:
                inner = [t for t in ordered([self.meanings[term.data].term]) if t.kind == "var"]
                opened += [t for t in inner if t not in seen]
                seen.update(inner)
        for term in sorted(opened, key=lambda term: term.number):
            meaning = self.meanings.get(term.data)
            if meaning is None:
                low, _ = self._range(term)
                mask = (1 << term.width) - 1
                whole[term.data] = values.get(term.data, max(low, 0) & mask)
                continue
            columns = {name: np.array([value], dtype=object) for name, value in whole.items()}
            right = int(evaluate(meaning.term, columns)[0])
            if values.get(term.data, right) != right:
                return whole, term
            whole[term.data] = right
        return whole, None

    def _range(self, term: Term) -> tuple[int, int]:
        return self.free.get(term.data, (0, (1 << term.width) - 1))

    def _list(
        self, claim: Term, variables: Sequence[Term], ranges: Sequence[tuple[int, int]], count: int
    ) -> Values | None:
        """The first values at which a claim does not hold, of all that there are."""
        for first in range(0, count, CHUNK):
            if self.solver.deadline is not None and time.monotonic() > self.solver.deadline:
                raise KanError("the proof took too long", remedy="allow more with --timeout")
            rest = np.arange(first, min(first + CHUNK, count))
            values: dict[str, Column] = {}
            for term, (low, high) in zip(variables, ranges, strict=True):
                rest, place = np.divmod(rest, high - low + 1)
                mask = np.uint64((1 << term.width) - 1)
                values[term.data] = (place + low).astype(np.int64).view(np.uint64) & mask
            truth = np.broadcast_to(evaluate(claim, values), rest.shape)
            wrong = np.flatnonzero(truth == 0)
            if wrong.size:
                return {name: int(column[wrong[0]]) for name, column in values.items()}
        return None

    def _bounds(self, term: Term, low: int, high: int) -> list[Term]:
        """Conditions that a variable lies in its range."""
        top = 1 << term.width
        pool = self.pool
        if low < 0:
            whole, less = (-top // 2, top // 2 - 1), "slt"
        else:
            whole, less = (0, top - 1), "ult"
        found: list[Term] = []
        if low > whole[0]:
            below = pool.make(less, 1, [term, pool.constant(low, term.width)])
            found.append(pool.inverted(below))
        if high < whole[1]:
            above = pool.make(less, 1, [pool.constant(high, term.width), term])
            found.append(pool.inverted(above))
        return found


def _pattern(column: Column, width: int, *, signed: bool) -> bytes:
    """The numbers of a column modulo 2^64, as a key."""
    values = np.asarray(column)
    if values.dtype == object:
        top = 1 << (width - 1)
        numbers = [((v ^ top) - top if signed else v) & ((1 << 64) - 1) for v in values.tolist()]
        return np.array(numbers, dtype=np.uint64).tobytes()
    if signed and width < 64:
        top = np.uint64(1 << (width - 1))
        values = (values ^ top) - top
    return values.tobytes()
