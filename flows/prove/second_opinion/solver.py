"""Bitwuzla: terms of bit vectors, and questions about them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NewType, cast

from kan_dialect.flows.tools.toolchain import load_bitwuzla

Term = NewType("Term", object)
"""A term of the solver: a bit vector, or a truth value."""

# Names of SMT-LIB, and the solver's names for them.
_KINDS = {
    "=": "EQUAL",
    "and": "AND",
    "bvadd": "BV_ADD",
    "bvand": "BV_AND",
    "bvashr": "BV_ASHR",
    "bvcomp": "BV_COMP",
    "bvlshr": "BV_SHR",
    "bvmul": "BV_MUL",
    "bvneg": "BV_NEG",
    "bvnot": "BV_NOT",
    "bvor": "BV_OR",
    "bvsge": "BV_SGE",
    "bvsgt": "BV_SGT",
    "bvshl": "BV_SHL",
    "bvsle": "BV_SLE",
    "bvslt": "BV_SLT",
    "bvsub": "BV_SUB",
    "bvuge": "BV_UGE",
    "bvugt": "BV_UGT",
    "bvule": "BV_ULE",
    "bvult": "BV_ULT",
    "bvxnor": "BV_XNOR",
    "bvxor": "BV_XOR",
    "concat": "BV_CONCAT",
    "distinct": "DISTINCT",
    "extract": "BV_EXTRACT",
    "ite": "ITE",
    "not": "NOT",
    "or": "OR",
    "sign_extend": "BV_SIGN_EXTEND",
    "xor": "XOR",
    "zero_extend": "BV_ZERO_EXTEND",
}

OPERATORS = frozenset(_KINDS)


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
        self._kinds = {name: getattr(self._module.Kind, of) for name, of in _KINDS.items()}
        self.deadline = deadline
        self.questions = 0

    @property
    def version(self) -> str:
        return str(self._module.version())

    def _sort(self, width: int) -> Any:
        return self._terms.mk_bv_sort(width)

    def constant(self, width: int, value: int) -> Term:
        """A bit vector of that number, modulo 2^width."""
        return self._terms.mk_bv_value(self._sort(width), value % (1 << width))

    def truth(self, value: bool) -> Term:
        return self._terms.mk_true() if value else self._terms.mk_false()

    def free(self, width: int, name: str = "") -> Term:
        """A bit vector of any value."""
        return self._terms.mk_const(self._sort(width), name)

    def apply(self, operator: str, terms: Sequence[Term], indices: Sequence[int] = ()) -> Term:
        """An operator of SMT-LIB on terms."""
        return self._terms.mk_term(self._kinds[operator], list(terms), list(indices))

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
        option = self._module.Option
        options = self._module.Options()
        options.set(option.PRODUCE_MODELS, bool(watched))
        if limit is not None:
            options.set(option.TIME_LIMIT_PER, max(1, int(limit * 1000)))
        checker = self._module.Bitwuzla(self._terms, options)
        for term in given:
            checker.assert_formula(term)
        checker.assert_formula(self.apply("not", [claim]))
        self.questions += 1
        answer = checker.check_sat()
        if answer == self._module.Result.UNSAT:
            return True, []
        if answer == self._module.Result.SAT:
            values = [checker.get_value(term) for term in watched]
            return False, [int(cast("str", value.value(2)), 2) for value in values]
        return None, []
