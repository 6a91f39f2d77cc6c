"""The output of `kan-flow prove` for hardware that trains."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.claims import Outcome
from kan_dialect.flows.prove.cycles.show import cycle_lines, print_outcomes
from kan_dialect.flows.prove.on_chip.bench import play_in_icarus
from kan_dialect.flows.prove.on_chip.prove import TrainingProof
from kan_dialect.flows.prove.on_chip.step_ports import StepPorts
from kan_dialect.flows.prove.on_chip.witness import find_witness
from kan_dialect.flows.prove.proof_table import grouped
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.quantity import quantity

_FREE = {
    "handshake": "every history",
    "initial words": "",
    "memory port": "words",
    "reads": "positions",
    "outputs": "inputs, words",
    "writes": "inputs, words",
    "order": "every history",
}


def print_training_proof(proof: TrainingProof, rtl: Path, console: Console) -> None:
    """The verdict, and inputs that refute a design that is not proven."""
    figures = [
        quantity(proof.count("outputs"), "output"),
        quantity(proof.count("writes"), "bank"),
        quantity(proof.timing.latency, "cycle"),
        f"a trained sample every {quantity(proof.timing.interval, 'cycle')}",
    ]

    def explanation(outcome: Outcome) -> Iterator[str]:
        return _explanation(proof, outcome, rtl)

    print_outcomes(proof, _rows(proof), figures, explanation, console, free=True)


def _rows(proof: TrainingProof) -> Iterator[tuple[str, str, str, str]]:
    claims = ((each.group, each.proven, each.seconds) for each in proof.outcomes)
    for group, done, seconds in grouped(claims):
        label = f"{group} behind writes" if group == "order" else group.replace("_", " ")
        yield label, done, _FREE.get(group, "its operands"), seconds


def _explanation(proof: TrainingProof, outcome: Outcome, rtl: Path) -> Iterator[str]:
    witness = find_witness(proof, outcome)
    if witness is None:
        yield (
            "No inputs were found that show it at the ports: the states in which it fails may "
            "never come. It is not proven all the same."
        )
        return
    yield "Inputs that show it, from the reset on:"
    yield from cycle_lines(
        [
            {port: _number(proof, port, code) for port, code in cycle.items() if code}
            for cycle in witness.trace
        ]
    )
    wrong = witness.mismatch
    wanted, got = (_number(proof, wrong.port, code) for code in (wrong.expected, wrong.got))
    yield f"  cycle {wrong.cycle}: {wrong.port} must be {wanted}, and is {got}"
    if find_simulator("icarus"):
        try:
            cycles = play_in_icarus(proof.ports, rtl, proof.step.name, witness.trace)
            shown = f"{wrong.port} = {_number(proof, wrong.port, cycles[-1].get(wrong.port))}"
        except KanError as error:
            shown = str(error)
        yield f"  icarus: {shown}"


def _number(proof: TrainingProof, port: str, code: int | None) -> int | str:
    """The number that a port's pattern stands for."""
    return "undefined" if code is None else StepPorts.of(proof.step).number(port, code)
