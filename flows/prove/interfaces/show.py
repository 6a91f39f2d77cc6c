"""The output of `kan-flow prove` for a wrapper: a table, or cycles that refute it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from kan_dialect.flows.prove.interfaces.prove import WrapperProof
from kan_dialect.flows.prove.interfaces.witness import Witness, find_witness
from kan_dialect.quantity import quantity

SHOWN = 32
"""Of longer histories only the last cycles are listed."""


def print_wrapper_proof(proof: WrapperProof, console: Console) -> None:
    """The verdict: by group where all is proven, else every problem, and cycles that show one."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("", "proven", "seconds"):
        table.add_column(heading, justify="left" if heading == "" else "right")
    for row in _rows(proof):
        table.add_row(*row)
    console.print(table)

    def tell(text: str, style: str | None = None) -> None:
        console.print(text, style=style, markup=False, soft_wrap=True)

    failed = [outcome for outcome in proof.outcomes if not outcome.proven]
    for outcome in failed:
        tell(f"{outcome.group}, {outcome.name}: {outcome.problem}", "red")
    if failed:
        for line in _explanation(proof, find_witness(proof)):
            tell(line)
        tell(f"{proof.name}: NOT proven ({proof.engine})")
        return
    tell(
        f"{proof.name}: the results of its samples, in order, for every history of valid and ready "
        f"({quantity(proof.held, 'sample')} held at most, delivered within "
        f"{quantity(proof.delivery, 'cycle')}, {quantity(len(proof.invariants), 'invariant')}, "
        f"{proof.seconds:.1f} s; {proof.engine})"
    )


def _rows(proof: WrapperProof) -> Iterator[tuple[str, str, str]]:
    groups: dict[str, list[tuple[bool, float]]] = {}
    for outcome in proof.outcomes:
        groups.setdefault(outcome.group, []).append((outcome.proven, outcome.seconds))
    for group, outcomes in groups.items():
        done = sum(proven for proven, _ in outcomes)
        seconds = sum(spent for _, spent in outcomes)
        yield f"interface, {group}", f"{done} of {len(outcomes)}", f"{seconds:.2f}"


def _explanation(proof: WrapperProof, witness: Witness | None) -> Iterator[str]:
    if witness is None:
        yield (
            "No cycles were found that show it: the states in which it fails may never come. It is "
            "not proven all the same."
        )
        return
    source, result = proof.boundary.source, proof.boundary.result
    shown = [source.valid, source.ready, *source.payload]
    shown += [result.valid, result.ready, *result.payload]
    yield "Cycles that show it, from the reset on:"
    cycles = list(enumerate(witness.cycles))
    if len(cycles) > SHOWN:
        yield f"  (the first {len(cycles) - SHOWN} cycles are left out)"
    for index, cycle in cycles[-SHOWN:]:
        if index == 0:
            yield f"  cycle 0: {proof.boundary.reset} = {cycle[proof.boundary.reset]}"
            continue
        yield f"  cycle {index}: {', '.join(f'{port} = {cycle[port]}' for port in shown)}"
    yield f"  In cycle {len(cycles) - 1} this does not hold: {witness.problem}."
