"""The output of `kan-flow prove` for a proof over cycles: a table, problems, and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from rich.console import Console

from kan_dialect.flows.prove.cycles.claims import Outcome, ProofOverCycles
from kan_dialect.flows.prove.proof_table import print_line, print_table
from kan_dialect.quantity import quantity

LISTED_PROBLEMS = 8
"""Most problems that are listed."""

LISTED_CYCLES = 32
"""Of longer counterexamples only the last cycles are listed."""


def print_outcomes(
    proof: ProofOverCycles,
    rows: Iterable[Sequence[str]],
    figures: Sequence[str],
    explanation: Callable[[Outcome], Iterable[str]],
    console: Console,
    *,
    free: bool,
) -> None:
    """The verdict: by group where all is proven, else problems, and cycles that show the first.

    Parameters
    ----------
    figures : what is told of a proof beside its finding.
    free : whether the rows say what is free in the claims.
    """
    print_table(rows, console, free=free)
    module = f"{proof.name} in SystemVerilog"
    failed = [outcome for outcome in proof.outcomes if not outcome.proven]
    for outcome in failed[:LISTED_PROBLEMS]:
        print_line(f"{outcome.group}, {outcome.name}: {outcome.problem}", console, "red")
    if len(failed) > LISTED_PROBLEMS:
        print_line(f"and {quantity(len(failed) - LISTED_PROBLEMS, 'other claim')}", console, "red")
    if failed:
        for line in explanation(failed[0]):
            print_line(line, console)
        print_line(f"{module}: NOT proven ({proof.engine})", console)
        return
    told = f"{', '.join([*figures, f'{proof.seconds:.1f} s'])}; {proof.engine}"
    print_line(f"{module}: {proof.finding()} ({told})", console)


def cycle_lines(cycles: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """A line for each of the last cycles in which there is something to show."""
    busy = [(index, cycle) for index, cycle in enumerate(cycles) if cycle]
    if len(busy) > LISTED_CYCLES:
        yield f"  (the first {len(busy) - LISTED_CYCLES} cycles are left out)"
    for index, cycle in busy[-LISTED_CYCLES:]:
        yield f"  cycle {index}: {', '.join(f'{port} = {value}' for port, value in cycle.items())}"
