"""Terms over bit vectors: each exists once, is evaluated on numbers, and is given to a solver.

A word of width w is a number from 0 to 2^w - 1. Words of one bit are truth values, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

Column: TypeAlias = Any
"""Numbers of one word: an array of uint64, or of Python integers where words are wider."""


@dataclass(frozen=True, eq=False, slots=True)
class Term:
    """An operator and its operands; equal terms are the same object."""

    kind: str
    """See `_RULES`; `const` and `var` have no operands."""
    width: int
    args: tuple[Term, ...] = ()
    data: Any = None
    """A constant's value, a variable's name, an extraction's lowest bit, a table's entries."""
    number: int = 0
    """Counts up: operands have lower ones."""
    support: int = 0
    """The variables that it is made of, as bits: bit n for `Pool.variables[n]`."""

    @property
    def is_constant(self) -> bool:
        return self.kind == "const"

    def __repr__(self) -> str:
        if self.kind in ("const", "var"):
            return f"{self.data}"
        inner = ", ".join(map(repr, self.args))
        return f"{self.kind}{self.width}({inner})"


@dataclass
class Pool:
    """Makes terms, simplified where that is easy."""

    known: dict[tuple[Any, ...], Term] = field(default_factory=dict[tuple[Any, ...], Term])
    variables: list[Term] = field(default_factory=list[Term])

    def constant(self, value: int, width: int) -> Term:
        return self._new("const", width, (), value & ((1 << width) - 1))

    def variable(self, name: str, width: int) -> Term:
        return self._new("var", width, (), name)

    def make(self, kind: str, width: int, args: Sequence[Term], data: Any = None) -> Term:
        """A term of any kind but `const` and `var`."""
        simpler = self._simplified(kind, width, args, data)
        if simpler is not None:
            return simpler
        if all(arg.is_constant for arg in args):
            value = apply(kind, width, args, data, [arg.data for arg in args])
            return self.constant(int(value), width)
        return self._new(kind, width, tuple(args), data)

    def opaque(self, kind: str, width: int, args: Sequence[Term]) -> Term:
        """An unknown function of its operands."""
        return self._new(kind, width, tuple(args), None)

    def _new(self, kind: str, width: int, args: tuple[Term, ...], data: Any) -> Term:
        key = (kind, width, data, *(arg.number for arg in args))
        if key not in self.known:
            support = 1 << len(self.variables) if kind == "var" else 0
            for arg in args:
                support |= arg.support
            term = self.known[key] = Term(kind, width, args, data, len(self.known), support)
            if kind == "var":
                self.variables.append(term)
        return self.known[key]

    def _simplified(self, kind: str, width: int, args: Sequence[Term], data: Any) -> Term | None:
        match kind:
            case "extract":
                return self._extracted(args[0], data, width)
            case "zext" | "sext" if args[0].width == width:
                return args[0]
            case "ite":
                if args[0].is_constant:
                    return args[1] if args[0].data else args[2]
                if args[1] is args[2]:
                    return args[1]
                if width == 1 and args[1].is_constant and args[2].is_constant:
                    return args[0] if args[1].data else self.inverted(args[0])
                return None
            case "and" | "or":
                return self._absorbed(kind, width, args)
            case "not" if args[0].kind == "not":
                return args[0].args[0]
            case "eq" if args[0] is args[1]:
                return self.constant(1, 1)
            case _:
                return None

    def _extracted(self, of: Term, low: int, width: int) -> Term | None:
        if low == 0 and width == of.width:
            return of
        if of.kind == "extract":
            return self.part(of.args[0], of.data + low, width)
        if of.kind == "concat":
            upper, lower = of.args
            if low >= lower.width:
                return self.part(upper, low - lower.width, width)
            if low + width <= lower.width:
                return self.part(lower, low, width)
        if of.kind == "ite" and of.args[1].is_constant and of.args[2].is_constant:
            return self.chosen(of.args[0], *(self.part(arg, low, width) for arg in of.args[1:]))
        if of.kind in ("zext", "sext"):
            inner = of.args[0]
            if low + width <= inner.width:
                return self.part(inner, low, width)
            if of.kind == "zext" and low >= inner.width:
                return self.constant(0, width)
        return None

    def _absorbed(self, kind: str, width: int, args: Sequence[Term]) -> Term | None:
        every = (1 << width) - 1
        neutral, absorbing = (every, 0) if kind == "and" else (0, every)
        if args[0] is args[1]:
            return args[0]
        for this, other in (args, args[::-1]):
            if this.is_constant and this.data == absorbing:
                return this
            if this.is_constant and this.data == neutral:
                return other
        return None

    # Common terms.

    def part(self, of: Term, low: int, width: int) -> Term:
        return self.make("extract", width, [of], low)

    def joined(self, upper: Term, lower: Term) -> Term:
        """Two words as one; neighbouring parts of a word are one part of it."""
        if upper.is_constant and upper.data == 0:
            return self.make("zext", upper.width + lower.width, [lower])
        if (
            upper.kind == lower.kind == "extract"
            and upper.args == lower.args
            and upper.data == lower.data + lower.width
        ):
            return self.part(lower.args[0], lower.data, upper.width + lower.width)
        if lower.kind == "concat":
            # Words of one variable stand side by side.
            middle, rest = lower.args
            if upper.support and is_simple(upper) and upper.support == middle.support:
                return self.joined(self.joined(upper, middle), rest)
        return self.make("concat", upper.width + lower.width, [upper, lower])

    def row(self, words: Iterable[Term]) -> Term:
        """Words side by side, the first one lowest."""
        whole, *rest = words
        for word in rest:
            whole = self.joined(word, whole)
        return whole

    def extended(self, of: Term, width: int, *, signed: bool) -> Term:
        """The word, extended by its sign or zeros, or cut off."""
        if width <= of.width:
            return self.part(of, 0, width)
        return self.make("sext" if signed else "zext", width, [of])

    def both(self, *terms: Term) -> Term:
        whole = self.constant(1, 1)
        for term in terms:
            whole = self.make("and", 1, [whole, term])
        return whole

    def any_of(self, terms: Iterable[Term]) -> Term:
        whole = self.constant(0, 1)
        for term in terms:
            whole = self.make("or", 1, [whole, term])
        return whole

    def inverted(self, term: Term) -> Term:
        return self.make("not", term.width, [term])

    def equal(self, left: Term, right: Term) -> Term:
        return self.make("eq", 1, [left, right])

    def sum(self, left: Term, right: Term) -> Term:
        """The sum modulo 2^width; a bit on the right counts 0 or 1."""
        return self.make("add", left.width, [left, self.extended(right, left.width, signed=False)])

    def difference(self, left: Term, right: Term) -> Term:
        return self.make("sub", left.width, [left, right])

    def less(self, left: Term, right: Term | int) -> Term:
        """Whether one number without sign is less than another one."""
        bound = self.constant(right, left.width) if isinstance(right, int) else right
        return self.make("ult", 1, [left, bound])

    def at_most(self, left: Term, right: Term | int) -> Term:
        bound = self.constant(right, left.width) if isinstance(right, int) else right
        return self.inverted(self.make("ult", 1, [bound, left]))

    def is_number(self, term: Term, value: int) -> Term:
        return self.equal(term, self.constant(value, term.width))

    def implied(self, *terms: Term) -> Term:
        """The last term holds where all others do."""
        *conditions, then = terms
        return self.any_of([self.inverted(self.both(*conditions)), then])

    def chosen(self, condition: Term, one: Term, zero: Term) -> Term:
        return self.make("ite", one.width, [condition, one, zero])

    def rebuilt(self, term: Term, replaced: Mapping[Term, Term]) -> Term:
        """A term with some of its parts replaced by others of their width."""
        done: dict[Term, Term] = dict(replaced)
        for each in ordered([term], done):
            args = [done[arg] for arg in each.args]
            changed = any(new is not old for new, old in zip(args, each.args, strict=True))
            done[each] = self.make(each.kind, each.width, args, each.data) if changed else each
        return done[term]


def is_simple(term: Term) -> bool:
    """Whether a term is made of at most one variable."""
    return not term.support & (term.support - 1)


def ordered(roots: Iterable[Term], known: Mapping[Term, object] | None = None) -> list[Term]:
    """All subterms, each after its operands; known terms are not entered."""
    found: set[Term] = set()
    pending = list(roots)
    while pending:
        term = pending.pop()
        if term in found or (known is not None and term in known):
            continue
        found.add(term)
        pending.extend(term.args)
    return sorted(found, key=lambda term: term.number)


def apply(
    kind: str, width: int, args: Sequence[Term], data: Any, values: Sequence[Column]
) -> Column:
    """The number of a term by those of its operands: Python integers, or arrays of one dtype."""
    mask = (1 << width) - 1
    match kind:
        case "add":
            return (values[0] + values[1]) & mask
        case "sub":
            return (values[0] - values[1]) & mask
        case "mul":
            return (values[0] * values[1]) & mask
        case "and":
            return values[0] & values[1]
        case "or":
            return values[0] | values[1]
        case "xor":
            return values[0] ^ values[1]
        case "not":
            return values[0] ^ mask
        case "eq":
            return _bit(values[0] == values[1])
        case "ult":
            return _bit(values[0] < values[1])
        case "slt":
            top = 1 << (args[0].width - 1)
            return _bit((values[0] ^ top) < (values[1] ^ top))
        case "ite":
            if isinstance(values[0], int):
                return values[1] if values[0] else values[2]
            return _where(values[0], values[1], values[2])
        case "concat":
            return (values[0] << args[1].width) | values[1]
        case "extract":
            return (values[0] >> data) & mask
        case "zext":
            return values[0]
        case "sext":
            top = 1 << (args[0].width - 1)
            return ((values[0] ^ top) - top) & mask
        case "table":
            if isinstance(values[0], int):
                return data[values[0]]
            return np.asarray(data, dtype=values[0].dtype)[values[0].astype(np.int64)]
        case _:
            raise AssertionError(kind)


def _where(condition: Column, one: Column, zero: Column) -> Column:
    choose: Any = np.where
    return choose(np.not_equal(condition, 0), one, zero)


def _bit(truth: Column) -> Column:
    return int(truth) if isinstance(truth, bool) else truth.astype(np.uint64)


def evaluate(
    term: Term, values: Mapping[str, Column], given: Mapping[Term, Column] | None = None
) -> Column:
    """The numbers of a term, by those of its variables: arrays of uint64, or of Python integers.

    Parameters
    ----------
    given : numbers of terms that are known, in place of their variables'.
    """
    return evaluate_all([term], values, given)[term]


def evaluate_all(
    roots: Sequence[Term],
    values: Mapping[str, Column],
    given: Mapping[Term, Column] | None = None,
) -> dict[Term, Column]:
    """The numbers of terms and of all their parts."""
    done: dict[Term, Column] = dict(given or {})
    terms = ordered(roots, done)
    wide = any(term.width > 64 for term in terms)
    kind = np.dtype(object) if wide else np.dtype(np.uint64)
    if wide:
        done = {term: column.astype(kind) for term, column in done.items()}
    columns = [*done.values(), *(values[t.data] for t in terms if t.kind == "var")]
    count = max(map(len, columns), default=1)
    for term in terms:
        if term.kind == "var":
            column = np.asarray(values[term.data]).astype(kind)
        elif term.kind == "const":
            column = np.full(count, term.data, dtype=kind)
        else:
            of = [done[arg] for arg in term.args]
            column = np.asarray(apply(term.kind, term.width, term.args, term.data, of))
            if column.dtype != kind:
                column = column.astype(kind)
        done[term] = column
    return done


def evaluated(terms: Sequence[Term], values: Mapping[str, int]) -> list[int]:
    """The numbers of terms; variables without a value are 0."""
    names = {each.data for each in ordered(terms) if each.kind == "var"}
    columns = {name: np.array([values.get(name, 0)], dtype=object) for name in names}
    done = evaluate_all(terms, columns)
    return [int(done[term][0]) for term in terms]
