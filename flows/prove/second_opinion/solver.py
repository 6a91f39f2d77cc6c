"""Bitwuzla: terms of bit vectors, and questions about them."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from kan_dialect.flows.tools.toolchain import load_bitwuzla


class Term(Hashable, Protocol):
    """A term of the solver: a bit vector, or a truth value. Equal terms are one term."""

    def kind(self) -> Any: ...
    def children(self) -> list[Term]: ...
    def indices(self) -> list[int]: ...
    def symbol(self) -> str: ...
    def sort(self) -> Any: ...
    def value(self, base: int, /) -> Any: ...


class Solver:
    """Makes terms, and checks that one is always true."""

    def __init__(self, deadline: float | None = None) -> None:
        """
        Raises
        ------
        KanError : Bitwuzla is not installed.
        """
        # It has no stubs: what leaves this class is a Term.
        self._module = load_bitwuzla("a second opinion")
        self._terms: Any = self._module.TermManager()
        self.deadline = deadline

    @property
    def version(self) -> str:
        return str(self._module.version())

    def read(self, text: str) -> Callable[[str], Term]:
        """The reader of terms over what a text in SMT-LIB declares and defines."""
        parser = self._module.Parser(self._terms, self._module.Options())
        parser.parse(text, True, False)
        return parser.parse_term

    def constant(self, width: int, value: int) -> Term:
        """A bit vector of that number, modulo 2^width."""
        return self._terms.mk_bv_value(self._terms.mk_bv_sort(width), value % (1 << width))

    def free(self, width: int, name: str = "") -> Term:
        """A bit vector of any value; a truth value where the width is 0."""
        sort = self._terms.mk_bv_sort(width) if width else self._terms.mk_bool_sort()
        return self._terms.mk_const(sort, name)

    def apply(self, kind: str, *terms: Term, indices: Sequence[int] = ()) -> Term:
        """An operator on terms, by the solver's name for it."""
        return self._terms.mk_term(getattr(self._module.Kind, kind), list(terms), list(indices))

    def bits(self, term: Term) -> Term:
        """A truth value as a bit; bits as they are."""
        if not term.sort().is_bool():
            return term
        return self.apply("ITE", term, self.constant(1, 1), self.constant(1, 0))

    def slice(self, term: Term, high: int, low: int) -> Term:
        return self.apply("BV_EXTRACT", term, indices=[high, low])

    def resized(self, term: Term, width: int, *, signed: bool = False) -> Term:
        """A bit vector in another width, modulo 2^width."""
        more = width - width_of(term)
        if more <= 0:
            return self.slice(term, width - 1, 0) if more else term
        return self.apply(f"BV_{'SIGN' if signed else 'ZERO'}_EXTEND", term, indices=[more])

    def substituted(self, term: Term, by: Mapping[Term, Term]) -> Term:
        """The term with other terms in place of some; these are not searched themselves."""
        return self._terms.substitute_term(term, dict(by)) if by else term

    def always(self, claim: Term, given: Sequence[Term], limit: float | None = None) -> bool | None:
        """Whether a claim holds for all values of the variables under the given assumptions.

        None: the solver has not decided it, in `limit` seconds or before the deadline.
        """
        return self.counterexample(claim, given, (), limit)[0]

    def counterexample(
        self,
        claim: Term,
        given: Sequence[Term],
        watched: Sequence[Term],
        limit: float | None = None,
    ) -> tuple[bool | None, list[int]]:
        """As `always`; where the claim does not hold, unsigned values of `watched` that show it."""
        if self.deadline is not None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                return None, []
            limit = left if limit is None else min(left, limit)
        options = self._module.Options()
        options.set(self._module.Option.PRODUCE_MODELS, bool(watched))
        if limit is not None:
            options.set(self._module.Option.TIME_LIMIT_PER, max(1, int(limit * 1000)))
        checker = self._module.Bitwuzla(self._terms, options)
        for term in given:
            checker.assert_formula(term)
        checker.assert_formula(self.apply("NOT", claim))
        answer = checker.check_sat()
        if answer == self._module.Result.UNSAT:
            return True, []
        if answer == self._module.Result.SAT:
            values = [checker.get_value(term) for term in watched]
            return False, [int(cast("str", value.value(2)), 2) for value in values]
        return None, []


def width_of(term: Term) -> int:
    """Bits of a term; 0 of a truth value."""
    sort = term.sort()
    return 0 if sort.is_bool() else sort.bv_size()


@dataclass(frozen=True)
class Signed:
    """A number in two's complement, wide enough for all that is done with it."""

    solver: Solver
    term: Term

    def _constant(self, value: int) -> Term:
        return self.solver.constant(width_of(self.term), value)

    def _with(self, kind: str, other: Signed | int) -> Signed:
        right = self._constant(other) if isinstance(other, int) else other.term
        return Signed(self.solver, self.solver.apply(kind, self.term, right))

    def __add__(self, other: Signed | int) -> Signed:
        return self._with("BV_ADD", other)

    def __mul__(self, other: int) -> Signed:
        return self._with("BV_MUL", other)

    def __and__(self, other: int) -> Signed:
        return self._with("BV_AND", other)

    def __lshift__(self, places: int) -> Signed:
        return self._with("BV_SHL", places)

    def __rshift__(self, places: int) -> Signed:
        return self._with("BV_ASHR", places)

    def clip(self, low: int, high: int) -> Signed:
        found = self.term
        for kind, end in (("BV_SGT", high), ("BV_SLT", low)):
            beyond = self.solver.apply(kind, self.term, self._constant(end))
            found = self.solver.apply("ITE", beyond, self._constant(end), found)
        return Signed(self.solver, found)

    def is_in(self, low: int, high: int) -> Term:
        above = self.solver.apply("BV_SLE", self._constant(low), self.term)
        return self.solver.apply(
            "AND", above, self.solver.apply("BV_SLE", self.term, self._constant(high))
        )

    def equals(self, other: Signed | int) -> Term:
        return self._with("EQUAL", other).term
