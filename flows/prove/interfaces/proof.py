"""What is proven of a wrapper, whatever its interface."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from kan_dialect.flows.prove.cycles.claims import Outcome
from kan_dialect.flows.prove.interfaces.boundary import Clocking
from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.shown import Shown

PortsT = TypeVar("PortsT", bound=Clocking, covariant=True)
NetworkT = TypeVar("NetworkT", covariant=True)


@dataclass(repr=False)
class InterfaceProof(Shown, Generic[PortsT, NetworkT]):
    """A wrapper, and what is proven of it."""

    name: str
    rtl: Path
    netlist: Netlist
    boundary: PortsT
    interface: NetworkT
    """Ports and cycles of the network in it."""
    engine: str
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    invariants: list[str] = field(default_factory=list[str])
    seconds: float = 0.0

    @property
    def proven(self) -> bool:
        return bool(self.outcomes) and all(outcome.proven for outcome in self.outcomes)

    @abstractmethod
    def finding(self) -> str:
        """What a proof of all claims says, for a reader."""

    def figures(self) -> dict[str, object]:
        """The verdict, the first problem, and the summary."""
        found = (f"{each.name}: {each.problem}" for each in self.outcomes if not each.proven)
        problem = next(found, None)
        told = {} if problem is None else {"problem": problem}
        return {"proven": self.proven, **told, **self.summary()}

    def summary(self) -> dict[str, str | int | float]:
        """What `report.json` holds under `proof.interface`."""
        return {
            "module": self.name,
            "engine": self.engine,
            "claims": sum(outcome.proven for outcome in self.outcomes),
            "invariants": len(self.invariants),
            "seconds": round(self.seconds, 3),
        }
