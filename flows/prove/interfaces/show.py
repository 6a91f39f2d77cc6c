"""The output of `kan-flow prove` for a wrapper."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.claims import Outcome
from kan_dialect.flows.prove.cycles.show import cycle_lines, print_outcomes
from kan_dialect.flows.prove.interfaces.prove import InterfaceProof
from kan_dialect.flows.prove.interfaces.witness import Witness, find_witness, first_difference
from kan_dialect.flows.prove.proof_table import grouped
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.quantity import quantity


def print_wrapper_proof(proof: InterfaceProof, console: Console) -> None:
    """The verdict, and cycles that refute a wrapper that is not proven."""
    claims = ((f"interface, {each.group}", each.proven, each.seconds) for each in proof.outcomes)
    invariants = [quantity(len(proof.invariants), "invariant")] if proof.invariants else []

    def explanation(_: Outcome) -> Iterator[str]:
        if proof.new_model is not None:
            yield from _explanation(proof, find_witness(proof))

    print_outcomes(proof, grouped(claims), invariants, explanation, console, free=False)


def _explanation(proof: InterfaceProof, witness: Witness | None) -> Iterator[str]:
    if witness is None:
        yield (
            "No cycles were found that show it: the states in which it fails may never come. It is "
            "not proven all the same."
        )
        return
    yield "Cycles that show it, from the reset on:"
    reset, *others = witness.cycles
    busy = [{port: value for port, value in cycle.items() if value} for cycle in others]
    yield from cycle_lines([{witness.reset: reset[witness.reset]}, *busy])
    yield f"  At the end this does not hold: {witness.problem}."
    if find_simulator("icarus"):
        try:
            differs = first_difference(proof, witness)
        except KanError as error:
            differs = str(error)
        same = f"the file does the same in {quantity(len(witness.cycles), 'cycle')}"
        shown = f"{differs}; the cycles do not show what is wrong with the file"
        yield f"  icarus: {same if differs is None else shown}"
