"""What words are, as sums of tables: guessed from their numbers, and proven by the solver.

A word is cut where it is a factor times a *sum of tables*, plus a constant, modulo two to the power
of its width. Each table is of one variable. A form of the word is guessed, then proven:

- A word of one variable is a table. The solver compares it with the table, at all codes.
- A word of several variables is computed from words that are cut. Their sums of tables are free
  numbers, in the ranges that sums of these tables have. The solver shows that the word is a linear
  function of them. So it is a sum of tables itself, by adding tables in exact integers.

A wrong guess has no proof. The word then stays a part of the words computed from it.

Guesses and their proofs stand together: a proof uses the lemmas of the words below.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from kan_dialect.flows.prove.cycles.integers import Integer
from kan_dialect.flows.prove.cycles.solver import Solver
from kan_dialect.flows.prove.cycles.terms import Column, Term, evaluate, is_simple, ordered
from kan_dialect.flows.prove.second_opinion.codes import Tables
from kan_dialect.flows.prove.second_opinion.design import Design, Undecided, Variable
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.quant import storage_for

WIDEST = 40
"""Bits of a word that may be cut: its sums stay exact in 64 bits."""

LISTED_BITS = 16
"""Bits of a variable whose tables are listed."""

WRITTEN_BITS = 18
"""Bits of a variable whose tables the solver gets as choices."""

RAW_BITS = 14
"""Bits of all variables together that may stand in a lemma beside sums."""

ROWS = 48
"""Random rows that a guess must suit before the solver is asked."""

SECONDS = 60.0
"""Time for one question to the solver."""

_WIRING = ("concat", "extract", "not", "zext", "sext")
"""Operators that are no adders, tables or choices."""

_ARITHMETIC = ("add", "sub", "mul")


@dataclass(frozen=True, eq=False)
class Number:
    """A sum of tables. Two with the same tables are one object."""

    tables: Tables
    """Of each, the least entry is 0."""

    top: int
    """The greatest sum, where the least is 0."""

    term: Term
    """A free bit vector that stands for it, where a word that it makes is cut."""


@dataclass(frozen=True, eq=False)
class Sum:
    """A word that is proven to be `factor` * `number` + `constant`, modulo 2^width."""

    word: Term
    factor: int
    constant: int
    number: Number


@dataclass(frozen=True, eq=False)
class Classes:
    """Words of one variable, abstracted to the combinations of values that they have together."""

    of: Variable
    index: Variable
    """A number for each combination of values."""

    of_code: IntArray
    """Of each code of the variable, the number."""

    values: Mapping[Term, IntArray]
    """Of each word, its value for each number."""


Atom: TypeAlias = Sum | Variable | Classes
"""A free variable of a lemma: the sum of a cut word, a variable, or the number of a class."""


@dataclass(frozen=True)
class Linear:
    """A guess: factors of numbers, tables of variables, and a constant."""

    factors: Mapping[Number, int]
    tables: Mapping[Variable, IntArray]
    constant: int


@dataclass
class Lemmas:
    """Which words of a design are proven to be sums of tables."""

    design: Design
    solver: Solver
    _sums: dict[Term, Sum | None] = field(default_factory=dict[Term, Sum | None])
    _numbers: dict[tuple[tuple[int, bytes], ...], Number] = field(
        default_factory=dict[tuple[tuple[int, bytes], ...], Number]
    )
    _classes: dict[frozenset[Term], Classes] = field(default_factory=dict[frozenset[Term], Classes])
    _inside: dict[Term, bool] = field(default_factory=dict[Term, bool])
    _random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def __post_init__(self) -> None:
        self.pool = self.design.pool

    def frontier(self, root: Term, depth: int | None, *, raw: bool) -> dict[Atom, None]:
        """The sums and variables that a word is computed from, without repetition.

        depth : sums of several variables to pass on each path; None for all.
        raw : take variables in place of words of one variable.
        """
        atoms: dict[Atom, None] = {}
        self._collect(root, depth, raw, atoms, set(), may_cut=False)
        return atoms

    def _collect(
        self,
        word: Term,
        depth: int | None,
        raw: bool,
        atoms: dict[Atom, None],
        seen: set[tuple[Term, int | None]],
        *,
        may_cut: bool = True,
    ) -> bool:
        """Add the operands of a word; True where an operator other than wiring is in between."""
        if not word.support or (word, depth) in seen:
            return False
        seen.add((word, depth))
        if is_simple(word):
            leaf = None if raw else self.table(word)
            atoms[leaf or self._variable_of(word)] = None
            return False
        found = self.sum(word) if may_cut and depth is not None else None
        if found is not None:
            if not depth:
                atoms[found] = None
                return False
            depth -= 1
        through = word.kind not in _WIRING
        for part in word.args:
            joined = word.kind == part.kind == "concat"
            through |= self._collect(part, depth, raw, atoms, seen, may_cut=not joined)
        return through

    def _variable_of(self, word: Term) -> Variable:
        return self.design.variables_of(word)[0]

    def together(self, atoms: Iterable[Atom]) -> dict[Atom, None]:
        """The same, with the words of each variable taken together.

        What reads them need not be linear then, as the extension of a sign is not.
        """
        single: dict[Variable, list[Sum]] = {}
        others: list[Atom] = []
        for atom in atoms:
            if isinstance(atom, Sum) and len(atom.number.tables) == 1:
                single.setdefault(next(iter(atom.number.tables)), []).append(atom)
            else:
                others.append(atom)
        classes = [self._in_classes(of, sums) for of, sums in single.items()]
        return dict.fromkeys([*others, *classes])

    def _in_classes(self, of: Variable, sums: Sequence[Sum]) -> Classes:
        key = frozenset(atom.word for atom in sums)
        if key not in self._classes:
            rows = [
                (atom.number.tables[of] * atom.factor + atom.constant) % (1 << atom.word.width)
                for atom in sums
            ]
            values, of_code = np.unique(np.array(rows), axis=1, return_inverse=True)
            last = values.shape[1] - 1
            name = f"classes {len(self._classes)}"
            index = self.design.variable(name, max(1, last.bit_length()), 0, last)
            by_word = {atom.word: row for atom, row in zip(sums, values, strict=True)}
            self._classes[key] = Classes(of, index, of_code.ravel(), by_word)
        return self._classes[key]

    # Variables and sums as terms.

    def given(self, atoms: Iterable[Atom]) -> tuple[dict[Term, Term], list[Term]]:
        """What stands for the words that atoms are, and what may be assumed of them."""
        known: dict[Term, Term] = {}
        assumed: list[Term] = []
        for atom in atoms:
            if isinstance(atom, Classes):
                for word, values in atom.values.items():
                    known[word] = self.table_term(atom.index, values, word.width)
                atom = atom.index
            if isinstance(atom, Variable):
                assumed += self._range(atom)
                continue
            scaled = self._scaled(atom.number.term, atom.factor, atom.word.width)
            known[atom.word] = self.pool.sum(
                scaled, self.pool.constant(atom.constant, atom.word.width)
            )
        assumed += [self.pool.at_most(number.term, number.top) for number in numbers_of(atoms)]
        return known, assumed

    def _range(self, of: Variable) -> list[Term]:
        """That a variable is one of its codes."""
        pool, kind = self.pool, "slt" if of.signed else "ult"
        low, high = (pool.constant(end, of.width) for end in (of.low, of.high))
        beyond = pool.make(kind, 1, [of.term, low]), pool.make(kind, 1, [high, of.term])
        return [pool.inverted(term) for term in beyond]

    def _scaled(self, term: Term, factor: int, width: int, *, signed: bool = False) -> Term:
        """`factor` times a number, modulo 2^width."""
        word = self.pool.extended(term, width, signed=signed)
        if factor == 1:
            return word
        return self.pool.make("mul", width, [word, self.pool.constant(factor, width)])

    def table_term(self, of: Variable, table: IntArray, width: int) -> Term:
        """A table of a variable's codes, modulo 2^width; of other patterns, any entry.

        Raises
        ------
        Undecided : the table is too long to be listed, and no multiple of the code.
        """
        if of.width > WRITTEN_BITS:
            factor = factor_of(table)
            if factor is None:
                raise Undecided(f"a table of {len(table)} codes of {of.name} is too long")
            start = self.pool.constant(int(table[0]) - factor * of.low, width)
            return self.pool.sum(self._scaled(of.term, factor, width, signed=of.signed), start)
        return self.design.table(of, table, width)

    def linear_term(self, guess: Linear, width: int) -> Term:
        """A guess as a term, modulo 2^width."""
        found = self.pool.constant(guess.constant, width)
        for of, factor in guess.factors.items():
            found = self.pool.sum(found, self._scaled(of.term, factor, width))
        for of, table in guess.tables.items():
            found = self.pool.sum(found, self.table_term(of, table, width))
        return found

    def integer(self, guess: Linear) -> Integer:
        """A guess as the number that it is."""
        ends = [(min(0, f * of.top), max(0, f * of.top)) for of, f in guess.factors.items()]
        ends += [(int(table.min()), int(table.max())) for table in guess.tables.values()]
        low = guess.constant + sum(low for low, _ in ends)
        high = guess.constant + sum(high for _, high in ends)
        return Integer(self.linear_term(guess, storage_for(low, high)[0]), low, high)

    def always(self, claim: Term, given: Sequence[Term]) -> bool:
        """Whether the solver shows a claim under assumptions."""
        return self.solver.find([*given, self.pool.inverted(claim)], SECONDS) is None

    # Words of one variable.

    def table(self, word: Term) -> Sum | None:
        """A word of one variable as a proven table; None without a proof."""
        if word not in self._sums:
            self._sums[word] = self._table(word)
        return self._sums[word]

    def _table(self, word: Term) -> Sum | None:
        of = self._variable_of(word)
        if of.width > LISTED_BITS or not 0 < word.width <= WIDEST:
            return None
        patterns = np.arange(1 << of.width, dtype=np.uint64)
        entries = evaluate(word, {}, {of.term: patterns}).astype(np.int64)
        if not self.always(self.pool.equal(word, self.design.entry(of, entries, word.width)), ()):
            return None
        table = entries[of.patterns(of.codes).astype(np.int64)]
        return self._as_sum(word, {of: table}, 0)

    def stays_inside(self, root: Term) -> bool:
        """Whether no table that a word is made of is read beyond its end, where x is."""
        partial = self.design.partial
        return all(self._is_inside(word) for word in ordered([root]) if word in partial)

    def _is_inside(self, table: Term) -> bool:
        if table not in self._inside:
            (index,) = table.args
            known, assumed = self.given(self.frontier(index, 0, raw=False))
            claim = self.pool.at_most(self.pool.rebuilt(index, known), self.design.partial[table])
            self._inside[table] = self.always(claim, assumed)
        return self._inside[table]

    # Words of several variables.

    def sum(self, word: Term) -> Sum | None:
        """A word of several variables as a sum of tables; None where that is not known."""
        if word not in self._sums:
            self._sums[word] = self._prove_sum(word)
        return self._sums[word]

    def _prove_sum(self, word: Term) -> Sum | None:
        if not 1 < word.width <= WIDEST:
            return None
        if word.kind not in _ARITHMETIC:
            inputs: dict[Atom, None] = {}
            if word.kind != "concat" or not self._collect(
                word, 0, False, inputs, set(), may_cut=False
            ):
                return None
        tried: list[set[Atom]] = []
        for depth, how in (
            (0, "sums"),
            (1, "sums"),
            (0, "classes"),
            (1, "classes"),
            (2, "sums"),
            (None, "raw"),
        ):
            atoms = self.frontier(word, depth, raw=how == "raw")
            if how == "classes":
                atoms = self.together(atoms)
            if set(atoms) in tried or raw_bits(atoms) > RAW_BITS:
                continue
            tried.append(set(atoms))
            guess = self.guess(word, list(atoms))
            if guess is not None and self._holds(word, guess, list(atoms)):
                return self._composed(word, guess, atoms)
        return None

    def guess(self, word: Term, atoms: Sequence[Atom]) -> Linear | None:
        """The linear function of atoms that a word seems to be."""
        numbers = numbers_of(atoms)
        variables = variables_of(atoms)
        parts: list[Number | Variable] = [*numbers, *variables]
        highs = [p.top if isinstance(p, Number) else p.high - p.low for p in parts]
        # Of each part, the number or the index of the code: at rest, along its line, at random.
        lines = [1 if isinstance(p, Number) else p.high - p.low + 1 for p in parts]
        starts = np.cumsum([1, *lines]).tolist()
        count = starts[-1]
        columns: list[IntArray] = []
        for start, length, high in zip(starts, lines, highs, strict=False):
            column = np.zeros(count + ROWS, np.int64)
            line = np.ones(1, np.int64) if length == 1 else np.arange(length)
            column[start : start + length] = np.minimum(line, high)
            column[count:] = self._random.integers(0, high, ROWS, endpoint=True)
            columns.append(column)
        given = self._given_numbers(atoms, dict(zip(parts, columns, strict=True)))
        found = np.broadcast_to(evaluate(word, {}, given), count + ROWS).astype(np.int64)
        modulus = 1 << word.width
        constant = int(found[0])
        expected = np.full(count + ROWS, constant, np.int64)
        factors: dict[Number, int] = {}
        tables: dict[Variable, IntArray] = {}
        for part, start, length, column in zip(parts, starts, lines, columns, strict=False):
            change = _centred(found[start : start + length] - constant, modulus)
            if isinstance(part, Number):
                factors[part] = int(change[0])
                expected = (expected + factors[part] * (column % modulus)) % modulus
            else:
                tables[part] = change
                expected = (expected + change[column]) % modulus
        if (expected != found).any():
            return None
        return Linear(factors, tables, constant)

    def _given_numbers(
        self, atoms: Sequence[Atom], columns: Mapping[Number | Variable, IntArray]
    ) -> dict[Term, Column]:
        """Numbers of the words that atoms are."""
        given: dict[Term, Column] = {}
        for atom in atoms:
            if isinstance(atom, Classes):
                for word, values in atom.values.items():
                    given[word] = values[columns[atom.index]].astype(np.uint64)
                continue
            if isinstance(atom, Variable):
                given[atom.term] = atom.patterns(columns[atom] + atom.low)
                continue
            modulus = 1 << atom.word.width
            number = columns[atom.number] % modulus * atom.factor + atom.constant
            given[atom.word] = (number % modulus).astype(np.uint64)
        return given

    def _holds(self, word: Term, guess: Linear, atoms: Sequence[Atom]) -> bool:
        known, assumed = self.given(atoms)
        found = self.pool.rebuilt(word, known)
        return self.always(self.pool.equal(found, self.linear_term(guess, word.width)), assumed)

    def _composed(self, word: Term, guess: Linear, atoms: Iterable[Atom]) -> Sum | None:
        """The value of a word for values of its atoms."""
        classes = {atom.index: atom for atom in atoms if isinstance(atom, Classes)}
        tables: dict[Variable, IntArray] = {}
        for of, table in guess.tables.items():
            if of in classes:
                of, table = classes[of].of, table[classes[of].of_code]
            tables[of] = tables.get(of, 0) + table
        for number, factor in guess.factors.items():
            if abs(factor) * number.top >= 1 << 60:
                return None
            for of, table in number.tables.items():
                tables[of] = tables.get(of, 0) + factor * table
        return self._as_sum(word, tables, guess.constant)

    def _as_sum(self, word: Term, tables: Tables, constant: int) -> Sum | None:
        """A word that is the sum of tables and a constant, modulo 2^width."""
        modulus = 1 << word.width
        if sum(int(np.ptp(table)) for table in tables.values()) >= modulus:
            tables = {of: _shortest(table, modulus) for of, table in tables.items()}
        constant += sum(int(table.min()) for table in tables.values())
        tables = {of: table - table.min() for of, table in tables.items() if np.ptp(table)}
        factor = math.gcd(*(int(np.gcd.reduce(table)) for table in tables.values())) or 1
        tables = {of: table // factor for of, table in tables.items()}
        top = sum(int(table.max()) for table in tables.values())
        # A sum and its difference to the greatest value determine each other.
        flipped = {of: table.max() - table for of, table in tables.items()}
        if _key(flipped) < _key(tables):
            tables, factor, constant = flipped, -factor, constant + factor * top
        key = _key(tables)
        if key not in self._numbers:
            term = self.pool.variable(f"sum {len(self._numbers)}", max(1, top.bit_length()))
            self._numbers[key] = Number(tables, top, term)
        return Sum(word, factor % modulus, constant % modulus, self._numbers[key])


def _key(tables: Tables) -> tuple[tuple[int, bytes], ...]:
    """Equal for equal tables."""
    by_number = sorted(tables.items(), key=lambda item: item[0].term.number)
    return tuple((of.term.number, table.tobytes()) for of, table in by_number)


def numbers_of(atoms: Iterable[Atom]) -> list[Number]:
    """The numbers among atoms, each once."""
    return list(dict.fromkeys(atom.number for atom in atoms if isinstance(atom, Sum)))


def variables_of(atoms: Iterable[Atom]) -> list[Variable]:
    """The variables among atoms, and the numbers of classes."""
    found = (atom.index if isinstance(atom, Classes) else atom for atom in atoms)
    return [atom for atom in found if isinstance(atom, Variable)]


def raw_bits(atoms: Iterable[Atom]) -> int:
    """Bits of all variables among atoms."""
    return sum(of.width for of in variables_of(atoms))


def _centred(numbers: IntArray, modulus: int) -> IntArray:
    """The representatives that are nearest to 0; of half the modulus, with the sign given."""
    half = (modulus >> 1) - (numbers >= 0)
    return (numbers + half) % modulus - half


def _shortest(table: IntArray, modulus: int) -> IntArray:
    """A table modulo `modulus` whose entries lie as close together as they can."""
    values = np.unique(table % modulus)
    gaps = np.diff(values, append=values[0] + modulus)
    start = int(values[(int(gaps.argmax()) + 1) % len(values)])
    return (table - start) % modulus + start


def factor_of(table: IntArray) -> int | None:
    """The factor of a table that is a multiple of the code, and a constant; None of others."""
    steps = np.diff(table)
    if not len(steps) or bool((steps != steps[0]).any()):
        return None
    return int(steps[0])


def is_too_long(of: Variable, table: IntArray) -> bool:
    """Whether a table can neither be listed nor written as a product."""
    return of.width > WRITTEN_BITS and factor_of(table) is None
