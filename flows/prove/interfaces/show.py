"""The output of `kan-flow prove` for a wrapper: a table, or cycles that refute it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.interfaces.clock_enable import EnableProof
from kan_dialect.flows.prove.interfaces.prove_built import AnyProof
from kan_dialect.flows.prove.interfaces.registers.prove import RegisterProof
from kan_dialect.flows.prove.interfaces.replay import first_difference
from kan_dialect.flows.prove.interfaces.witness import HistoryProof, Witness, find_witness
from kan_dialect.flows.prove.proof_table import grouped, print_line, print_table
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.quantity import quantity

SHOWN = 32
"""Of longer histories only the last cycles are listed."""


def print_wrapper_proof(proof: AnyProof, console: Console) -> None:
    """The verdict: by group where all is proven, else every problem, and cycles that show one."""
    claims = ((f"interface, {each.group}", each.proven, each.seconds) for each in proof.outcomes)
    print_table(grouped(claims), console, free=False)
    failed = [outcome for outcome in proof.outcomes if not outcome.proven]
    for outcome in failed:
        print_line(f"{outcome.group}, {outcome.name}: {outcome.problem}", console, "red")
    if failed:
        if not isinstance(proof, EnableProof):
            for line in _explanation(proof, find_witness(proof)):
                print_line(line, console)
        print_line(f"{proof.name} in SystemVerilog: NOT proven ({proof.engine})", console)
        return
    invariants = f"{quantity(len(proof.invariants), 'invariant')}, " if proof.invariants else ""
    print_line(
        f"{proof.name} in SystemVerilog: {proof.finding()} "
        f"({invariants}{proof.seconds:.1f} s; {proof.engine})",
        console,
    )


def _explanation(proof: HistoryProof, witness: Witness | None) -> Iterator[str]:
    if witness is None:
        yield (
            "No cycles were found that show it: the states in which it fails may never come. It is "
            "not proven all the same."
        )
        return
    yield "Cycles that show it, from the reset on:"
    cycles = list(enumerate(witness.cycles))
    if len(cycles) > SHOWN:
        yield f"  (the first {len(cycles) - SHOWN} cycles are left out)"
    for index, cycle in cycles[-SHOWN:]:
        if index == 0:
            yield f"  cycle 0: {proof.boundary.reset} = {cycle[proof.boundary.reset]}"
            continue
        shown = [f"{port} = {cycle[port]}" for port in _shown(proof, cycle)]
        yield f"  cycle {index}: {', '.join(shown)}"
    yield f"  At the end this does not hold: {witness.problem}."
    if find_simulator("icarus"):
        yield f"  icarus: {_replayed(proof, witness)}"


def _shown(proof: HistoryProof, cycle: dict[str, int]) -> list[str]:
    """Ports worth a reader's time."""
    if isinstance(proof, RegisterProof):
        return [port for port in cycle if port != proof.boundary.reset and cycle[port]]
    source, result = proof.boundary.source, proof.boundary.result
    shown = [source.valid, source.ready, *source.payload]
    return [*shown, result.valid, result.ready, *result.payload]


def _replayed(proof: HistoryProof, witness: Witness) -> str:
    try:
        differs = first_difference(proof, witness)
    except KanError as error:
        return str(error)
    if differs is None:
        return f"the file does the same in {quantity(len(witness.cycles), 'cycle')}"
    return f"{differs}; the cycles do not show what is wrong with the file"
