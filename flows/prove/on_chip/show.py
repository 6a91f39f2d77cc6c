"""The output of `kan-flow prove` for hardware that trains: a table, or inputs that refute it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.on_chip.bench import codes, play_in_icarus
from kan_dialect.flows.prove.on_chip.prove import TrainingProof
from kan_dialect.flows.prove.on_chip.witness import Witness, find_witness
from kan_dialect.flows.prove.proof_table import grouped, print_line, print_table
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.ir.fixed_point import fixed_type
from kan_dialect.ir.types import tensor_shape
from kan_dialect.quantity import quantity

SHOWN = 8
"""Most problems that are listed."""

CYCLES = 24
"""Of longer counterexamples only the last cycles are listed."""


def print_training_proof(proof: TrainingProof, rtl: Path, console: Console) -> None:
    """The verdict: by group where all is proven, else every problem, and inputs that show one."""
    print_table(_rows(proof), console)
    failed = [outcome for outcome in proof.outcomes if not outcome.proven]
    for outcome in failed[:SHOWN]:
        print_line(f"{outcome.group}, {outcome.name}: {outcome.problem}", console, "red")
    if len(failed) > SHOWN:
        print_line(f"and {quantity(len(failed) - SHOWN, 'other claim')}", console, "red")
    if failed:
        for line in _explanation(proof, find_witness(proof, failed[0]), rtl):
            print_line(line, console)
        print_line(f"{proof.step.name} in SystemVerilog: NOT proven ({proof.engine})", console)
        return
    print_line(
        f"{proof.step.name} in SystemVerilog: every sample and every access is a step of the IR, "
        f"for all inputs and all words ({quantity(proof.count('outputs'), 'output')}, "
        f"{quantity(proof.count('writes'), 'bank')}, "
        f"{quantity(proof.timing.latency, 'cycle')}, a trained sample every "
        f"{quantity(proof.timing.interval, 'cycle')}, {proof.seconds:.1f} s; {proof.engine})",
        console,
    )


_FREE = {
    "handshake": "every history",
    "initial words": "",
    "memory port": "words",
    "reads": "positions",
    "outputs": "inputs, words",
    "writes": "inputs, words",
    "order": "every history",
}


def _rows(proof: TrainingProof) -> Iterator[tuple[str, str, str, str]]:
    claims = ((each.group, each.proven, each.seconds) for each in proof.outcomes)
    for group, done, seconds in grouped(claims):
        label = f"{group} behind writes" if group == "order" else group.replace("_", " ")
        yield label, done, _FREE.get(group, "its operands"), seconds


def _explanation(proof: TrainingProof, witness: Witness | None, rtl: Path) -> Iterator[str]:
    if witness is None:
        yield (
            "No inputs were found that show it at the ports: the states in which it fails may "
            "never come. It is not proven all the same."
        )
        return
    signed = _signed(proof)
    yield "Inputs that show it, from the reset on:"
    busy = [(index, cycle) for index, cycle in enumerate(witness.trace) if any(cycle.values())]
    if len(busy) > CYCLES:
        yield f"  (the first {len(busy) - CYCLES} cycles with inputs are left out)"
    for index, cycle in busy[-CYCLES:]:
        shown = [f"{port} = {codes(port, value, signed)}" for port, value in cycle.items() if value]
        yield f"  cycle {index}: {', '.join(shown)}"
    found = witness.mismatch
    wanted = codes(found.port, found.expected, signed)
    got = "undefined" if found.got is None else codes(found.port, found.got, signed)
    yield f"  cycle {found.cycle}: {found.port} must be {wanted}, and is {got}"
    if find_simulator("icarus"):
        yield f"  icarus: {_simulated(proof, witness, rtl, signed)}"


def _simulated(proof: TrainingProof, witness: Witness, rtl: Path, signed: dict[str, int]) -> str:
    found = witness.mismatch
    try:
        outputs = play_in_icarus(proof.ports, rtl, proof.step.name, witness.trace)
    except KanError as error:
        return str(error)
    pattern = outputs[found.cycle].get(found.port) if found.cycle < len(outputs) else None
    value = "undefined" if pattern is None else codes(found.port, pattern, signed)
    return f"{found.port} = {value}"


def _signed(proof: TrainingProof) -> dict[str, int]:
    """Widths of the ports that carry numbers with a sign."""
    step = proof.step
    values = {"x": step.input, "e" if step.fed_error else "t": step.target, "y": step.output}
    found: dict[str, int] = {}
    for letter, value in values.items():
        kind = fixed_type(value)
        assert kind is not None
        for index in range(tensor_shape(value)[0]):
            found[f"{letter}{index}"] = kind.bits
    bits = found["x0"]
    return found | {"mem_data": bits, "mem_read_data": bits}
