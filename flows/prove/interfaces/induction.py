"""Induction over cycles: which guesses are invariants, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kan_dialect.flows.prove.cycles.solver import Solver, Values, decided
from kan_dialect.flows.prove.cycles.terms import Term, evaluated
from kan_dialect.flows.prove.interfaces.model import Candidate
from kan_dialect.flows.prove.interfaces.signals import WrapperSignals


@dataclass
class Induction:
    """The invariants of a wrapper, and the questions that are asked of any state that has them."""

    system: WrapperSignals
    solver: Solver
    kept: list[Candidate] = field(default_factory=list[Candidate])

    def __post_init__(self) -> None:
        self.pool = self.system.pool

    def settle(self, candidates: Sequence[Candidate]) -> None:
        """Keep the largest set of candidates that is inductive together with `kept`."""
        reset = self.system.in_reset(0)
        running = self.pool.inverted(reset)
        left = self._true_at(candidates, 1, [reset])
        known = [candidate.at(0) for candidate in self.kept]
        while True:
            before = [candidate.at(0) for candidate in left]
            still = self._true_at(left, 1, [running, *known, *before])
            if len(still) == len(left):
                self.kept += still
                return
            left = still

    def _true_at(
        self, candidates: Sequence[Candidate], cycle: int, conditions: Sequence[Term]
    ) -> list[Candidate]:
        """Those that are 1 in a cycle, under the conditions."""
        left = [(candidate, candidate.at(cycle)) for candidate in candidates]
        wrong = [self.pool.inverted(term) for _, term in left]
        # What is known of memories is only there when the terms have been made.
        questions = self.solver.given([*conditions, *self.system.congruences])
        place = 0
        # One at a time: a question about all of them is harder than their proofs together.
        while place < len(left):
            found = decided(questions.find([wrong[place]]))
            if found is None:
                place += 1
                continue
            numbers = evaluated([term for _, term in left], found)
            place = sum(numbers[:place])
            left = [pair for pair, number in zip(left, numbers, strict=True) if number]
            wrong = [self.pool.inverted(term) for _, term in left]
        return [candidate for candidate, _ in left]

    def find(self, conditions: Sequence[Term]) -> Values | None:
        """Values at which all conditions are 1.

        Raises
        ------
        KanError : no time is left.
        """
        # What is known of memories is only there when the conditions have been made.
        return decided(self.solver.find([*conditions, *self.system.congruences]))

    def refute(self, claim: Term, conditions: Sequence[Term] = ()) -> Values | None:
        """A state that has the invariants and not the claim; None: the claim is proven."""
        before = [candidate.at(0) for candidate in self.kept]
        return self.find([*before, *conditions, self.pool.inverted(claim)])
