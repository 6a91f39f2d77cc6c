"""What became of the claims of a proof over cycles."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

from kan_dialect.flows.prove.cycles.solver import Values
from kan_dialect.flows.prove.cycles.terms import Term
from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.shown import Shown


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


@dataclass(repr=False, kw_only=True)
class ProofOverCycles(Shown):
    """A module, and what is proven of it for every history."""

    name: str
    netlist: Netlist
    engine: str
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    seconds: float = 0.0

    @property
    def proven(self) -> bool:
        return bool(self.outcomes) and all(outcome.proven for outcome in self.outcomes)

    def count(self, group: str) -> int:
        """How many claims of a group are proven."""
        return sum(outcome.proven for outcome in self.outcomes if outcome.group == group)

    @abstractmethod
    def finding(self) -> str:
        """What a proof of all claims says, for a reader."""

    @abstractmethod
    def summary(self) -> dict[str, str | int | float]:
        """What `report.json` holds."""

    def figures(self) -> dict[str, object]:
        """The verdict, the first problem, and the summary."""
        found = (f"{each.name}: {each.problem}" for each in self.outcomes if not each.proven)
        problem = next(found, None)
        told = {} if problem is None else {"problem": problem}
        return {"proven": self.proven, **told, **self.summary()}
