"""What became of the claims of a proof over cycles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kan_dialect.flows.prove.cycles.solver import Values
from kan_dialect.flows.prove.cycles.terms import Term


@dataclass(frozen=True)
class Claim:
    """What must be 1."""

    name: str
    term: Term


@dataclass(frozen=True)
class Outcome:
    """What became of one claim."""

    group: str
    name: str
    seconds: float
    problem: str | None = None
    """Why it is not proven."""
    values: Values | None = None
    """Of the free variables, where it does not hold."""

    @property
    def proven(self) -> bool:
        return self.problem is None


Progress = Callable[[Outcome], None]
