"""Bitwuzla: whether a term can be 1, and at which values of its variables."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.terms import Term, ordered
from kan_dialect.flows.tools.run_limits import limits_in_force, own_resident_bytes
from kan_dialect.flows.tools.toolchain import load_bitwuzla

Values: TypeAlias = dict[str, int]
"""Numbers of variables."""

_LOOK_SECONDS = 0.2
"""Time between two looks at the memory that the process takes."""

_KINDS = {
    "add": "BV_ADD",
    "sub": "BV_SUB",
    "mul": "BV_MUL",
    "and": "BV_AND",
    "or": "BV_OR",
    "xor": "BV_XOR",
    "not": "BV_NOT",
    "eq": "BV_COMP",
    "concat": "BV_CONCAT",
}


def decided(found: Values | Literal["unknown"] | None) -> Values | None:
    """An answer that is known.

    Raises
    ------
    KanError : no time is left.
    """
    if found == "unknown":
        raise KanError("the proof took too long", remedy="allow more with --timeout")
    return found


@dataclass
class Solver:
    """Decides terms; each question stands for itself."""

    deadline: float | None = None
    """In seconds of `time.monotonic`."""
    needed_by: str = "a proof of hardware that trains"
    module: Any = field(init=False)

    def __post_init__(self) -> None:
        self.module = load_bitwuzla(self.needed_by)
        self.manager = self.module.TermManager()
        self.options = self.module.Options()
        self.options.set(self.module.Option.PRODUCE_MODELS, True)
        self._known: dict[Term, Any] = {}

    @property
    def version(self) -> str:
        return str(self.module.version())

    def find(
        self, conditions: Sequence[Term], seconds: float | None = None
    ) -> Values | Literal["unknown"] | None:
        """Values at which all conditions are 1; None if they never are.

        Parameters
        ----------
        seconds : time limit; the answer is `unknown` beyond it.
        """
        return self.given(conditions).find([], seconds)

    def given(self, conditions: Sequence[Term]) -> Questions:
        """Several questions under the same conditions."""
        return Questions(self, conditions)

    def _make(self, kind: str, args: list[Any], indices: list[int] | None = None) -> Any:
        return self.manager.mk_term(getattr(self.module.Kind, kind), args, indices or [])

    def truth(self, term: Term) -> Any:
        """That a term is 1."""
        one = self.manager.mk_bv_one(self.manager.mk_bv_sort(1))
        return self._make("EQUAL", [self.translated(term), one])

    def translated(self, term: Term) -> Any:
        """A term as Bitwuzla's."""
        for each in ordered([term], self._known):
            self._known[each] = self._one(each, [self._known[arg] for arg in each.args])
        return self._known[term]

    def _one(self, term: Term, args: list[Any]) -> Any:
        manager = self.manager
        match term.kind:
            case "var":
                return manager.mk_const(manager.mk_bv_sort(term.width), term.data)
            case "const":
                return manager.mk_bv_value(manager.mk_bv_sort(term.width), term.data)
            case "ite":
                one = manager.mk_bv_one(manager.mk_bv_sort(1))
                return self._make("ITE", [self._make("EQUAL", [args[0], one]), *args[1:]])
            case "ult" | "slt":
                one, zero = (manager.mk_bv_value(manager.mk_bv_sort(1), v) for v in (1, 0))
                kind = "BV_ULT" if term.kind == "ult" else "BV_SLT"
                return self._make("ITE", [self._make(kind, args), one, zero])
            case "extract":
                low = term.data
                return self._make("BV_EXTRACT", args, [low + term.width - 1, low])
            case "zext" | "sext":
                kind = "BV_ZERO_EXTEND" if term.kind == "zext" else "BV_SIGN_EXTEND"
                return self._make(kind, args, [term.width - term.args[0].width])
            case "table":
                return self._entry(term, args[0])
            case _:
                return self._make(_KINDS[term.kind], args)

    def _entry(self, term: Term, index: Any) -> Any:
        """A choice between choices by the bits of the index, from the lowest bit on."""
        manager = self.manager
        sort = manager.mk_bv_sort(term.width)
        words = [manager.mk_bv_value(sort, entry) for entry in term.data]
        one = manager.mk_bv_one(manager.mk_bv_sort(1))
        for place in range(term.args[0].width):
            bit = self._make("EQUAL", [self._make("BV_EXTRACT", [index], [place, place]), one])
            words = [
                words[at]
                if at + 1 == len(words) or words[at] is words[at + 1]
                else self._make("ITE", [bit, words[at + 1], words[at]])
                for at in range(0, len(words), 2)
            ]
        return words[0]


class _Limit:
    """Ends a question that takes too long, or too much memory.

    Bitwuzla holds it, so it must not hold Bitwuzla: Python's collector does not see that cycle,
    and a solver's memory would stay until the process ends.
    """

    def __init__(self) -> None:
        self.end = math.inf
        """In seconds of `time.monotonic`."""
        self.bytes = limits_in_force().bytes
        self.is_full = False
        """Whether the process has more memory than the limit."""
        self._looked = time.monotonic()

    def is_passed(self) -> bool:
        """Bitwuzla asks very often."""
        now = time.monotonic()
        if now - self._looked > _LOOK_SECONDS:
            self._looked = now
            self.is_full = own_resident_bytes() > self.bytes
        return self.is_full or now > self.end


class Questions:
    """Questions that share conditions, which the solver is given once."""

    def __init__(self, solver: Solver, conditions: Sequence[Term]) -> None:
        self.solver, self.conditions = solver, [*conditions]
        self._limit = _Limit()
        self._bitwuzla = solver.module.Bitwuzla(solver.manager, solver.options)
        self._bitwuzla.configure_terminator(self._limit.is_passed)
        for condition in conditions:
            self._bitwuzla.assert_formula(solver.truth(condition))

    def find(
        self, more: Sequence[Term], seconds: float | None = None
    ) -> Values | Literal["unknown"] | None:
        """As `Solver.find`, with more conditions for this question alone.

        Raises
        ------
        KanError : the process takes more memory than the limit in force.
        """
        conditions = [*self.conditions, *more]
        if any(condition.is_constant and not condition.data for condition in conditions):
            return None
        bounds = [] if seconds is None else [time.monotonic() + seconds]
        if self.solver.deadline is not None:
            bounds.append(self.solver.deadline)
        self._limit.end = min(bounds, default=math.inf)
        result = self._bitwuzla.check_sat(*map(self.solver.truth, more))
        results = self.solver.module.Result
        if result == results.UNSAT:
            return None
        if result == results.UNKNOWN:
            if self._limit.is_full:
                raise KanError(
                    f"the proof takes more than {self._limit.bytes / (1 << 30):.1f} GiB of memory",
                    remedy="allow more with --memory",
                )
            return "unknown"
        return {
            term.data: int(str(self._bitwuzla.get_value(self.solver.translated(term)).value(10)))
            for term in ordered(conditions)
            if term.kind == "var"
        }
