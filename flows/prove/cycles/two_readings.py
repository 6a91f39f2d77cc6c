"""A module is read by the project's own grammar and by Yosys; a proof has to hold for both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from kan_dialect.flows.prove.cycles.claims import Outcome, Progress
from kan_dialect.flows.prove.netlist import Netlist, read_design
from kan_dialect.flows.prove.readings import difference_of_readings
from kan_dialect.flows.prove.text import read_text
from kan_dialect.flows.tools.toolchain import find


class Judged(Protocol):
    """A proof that collects the outcomes of its claims."""

    outcomes: list[Outcome]

    @property
    def proven(self) -> bool:
        """Whether all claims so far are proven."""
        ...


ProofT = TypeVar("ProofT", bound=Judged)


@dataclass(frozen=True)
class TwoReadings:
    """Both readings of a module."""

    own: Netlist
    by_yosys: Netlist
    readers: str
    """Who read, for a report."""

    @staticmethod
    def of(
        rtl: Path, name: str, timeout: float | None = None, core: tuple[str, Path] | None = None
    ) -> TwoReadings:
        """Read the module `name` of a file.

        Parameters
        ----------
        timeout : seconds that Yosys may take.
        core : name and file of a module that it has an instance of.

        Raises
        ------
        KanError : Yosys is missing, or a file is outside the subset, or Yosys refuses it.
        """
        known = {} if core is None else {core[0]: read_text(core[1], core[0])}
        own = read_text(rtl, name, known)
        yosys = find("yosys")
        parts = [] if core is None else [core[1]]
        by_yosys = read_design(rtl, name, yosys, timeout, parts=parts)
        return TwoReadings(own, by_yosys, f"read by its own grammar and by yosys {yosys.version}")

    def prove(
        self,
        plan: Callable[[Netlist], ProofT],
        claims: Callable[[ProofT], Iterable[Outcome]],
        progress: Progress | None = None,
    ) -> ProofT:
        """The proof of one reading, with the outcomes of its claims.

        If the readings differ, the claims must be proven for the other one too. The first that is
        not becomes an outcome of the group `readings`.
        """
        proof = plan(self.own)
        for outcome in claims(proof):
            proof.outcomes.append(outcome)
            if progress is not None:
                progress(outcome)
        differs = difference_of_readings(self.own, self.by_yosys)
        if differs is not None and proof.proven:
            wrong = next((o for o in claims(plan(self.by_yosys)) if not o.proven), None)
            if wrong is not None:
                problem = f"{wrong.group}, {wrong.name}: not proven as Yosys reads the file"
                proof.outcomes.append(Outcome("readings", differs, 0.0, problem))
        return proof
