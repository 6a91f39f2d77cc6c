"""The output of `kan-flow prove`: a table of proofs, or a difference and how to reproduce it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from kan_dialect.errors import KanError
from kan_dialect.files.growing_folder import write_listed
from kan_dialect.flows.folder_owners import BUILT
from kan_dialect.flows.json_text import json_text
from kan_dialect.flows.page.page import update_page
from kan_dialect.flows.prove.forms import Assignment, Variable
from kan_dialect.flows.prove.proof_table import grouped, print_line, print_table
from kan_dialect.flows.prove.prove import Outcome, Proof
from kan_dialect.flows.prove.witness import Witness, find_witness
from kan_dialect.flows.report import read_report
from kan_dialect.flows.simulate.simulation import SimulatorName, simulate
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.model.interface import show_codes
from kan_dialect.quantity import quantity


def print_proof(proof: Proof, rtl: Path, console: Console) -> None:
    """The verdict: by layer where all is proven, else every problem, the first explained."""
    any_words = proof.any_words
    rows = list(_rows(proof))
    if any_words is not None:
        rows += [(f"{row[0]}, any tables", *row[1:]) for row in _claims(any_words)]
    print_table(rows, console)
    failed = [outcome for outcome in proof.outcomes if not outcome.proven]
    problems = [f"{outcome.name}: {_problem(proof, outcome)}" for outcome in failed]
    if proof.valid_problem is not None:
        problems.append(f"out_valid: {proof.valid_problem}")
    if proof.readings_problem is not None:
        problems.append(f"Yosys reads the file otherwise: {proof.readings_problem}")
    for problem in problems:
        print_line(problem, console, "red")
    for outcome in () if any_words is None else any_words.outcomes:
        if any_words is not None and not outcome.proven:
            problems.append(f"{outcome.name}, any tables: {_problem(any_words, outcome)}")
    explained = next((outcome for outcome in failed if outcome.assignment is not None), None)
    if explained is not None:
        for line in _explanation(proof, explained, rtl):
            print_line(line, console)
    name = f"{proof.circuit.name} in SystemVerilog"
    if not proof.proven:
        print_line(f"{name}: NOT proven ({proof.engine})", console)
        return
    print_line(
        f"{name}: equal to the integer model for all codes "
        f"({quantity(proof.nodes, 'node')}, {_dead(proof)}{quantity(proof.outputs, 'output')}, "
        f"{_cycles(proof.interface.latency)}, "
        f"{proof.seconds:.1f} s; {proof.engine})",
        console,
    )
    if any_words is not None:
        print_line(
            "With any tables that are loaded, nodes are the sums of the entries at their codes; "
            "words are written at their addresses, while no sample is under way.",
            console,
        )


def merge_proof(
    path: Path,
    summary: Mapping[str, object] | Sequence[Mapping[str, object]] | None,
    *,
    key: str = "proof",
) -> None:
    """Note a proof in a build's report and page; None takes out one that does not hold any more.

    Parameters
    ----------
    key : of the report.

    Raises
    ------
    KanError : the report does not exist, or cannot be written.
    """
    report = read_report(path)
    report.pop(key, None)
    if summary is not None:
        report[key] = summary
    write_listed(path.parent, BUILT, path.name, json_text(report))
    update_page(path)


def _rows(proof: Proof) -> Iterator[tuple[str, str, str, str]]:
    """One row for each layer, for the outputs and for out_valid."""
    yield from _claims(proof)
    if not proof.interface.combinational:
        done = "no" if proof.valid_problem else "yes"
        yield f"out_valid after {_cycles(proof.interface.latency)}, reset", done, "", ""


def _claims(proof: Proof) -> Iterator[tuple[str, str, str, str]]:
    """One row for each layer, for addresses of tables, and for the outputs."""
    claims: list[tuple[str, bool, float]] = []
    below: dict[str, int] = {}
    for outcome, of in zip(proof.outcomes, proof.plan.obligations, strict=False):
        layer = "outputs" if of.is_output else f"{of.name.rpartition('_')[0] or of.name} nodes"
        if of.is_address:
            layer = f"{of.name.partition('_')[0]} addresses"
        claims.append((layer, outcome.proven, outcome.seconds))
        below[layer] = max(below.get(layer, 0), len(proof.plan.free_below(of.rank)))
    for layer, done, seconds in grouped(claims):
        free = "entries" if proof.plan.entries and layer.endswith("nodes") else "inputs"
        yield layer, done, quantity(below[layer], "node") if below[layer] else free, seconds


def _dead(proof: Proof) -> str:
    return f"{proof.dead} dead, " if proof.dead else ""


def _cycles(count: int) -> str:
    return "combinational" if count == 0 else quantity(count, "cycle")


def _problem(proof: Proof, outcome: Outcome) -> str:
    if outcome.assignment is None:
        return str(outcome.problem)
    where = _assigned(outcome.assignment)
    if outcome.problem == "undefined":
        return f"the RTL reads an undefined (x) value at {where}"
    of = next(o for o in proof.plan.obligations if o.name == outcome.name)
    return (
        f"in cycle {of.cycle} the RTL's signal is {outcome.got}, and must be {outcome.expected}, "
        f"at {where}"
    )


def _assigned(assignment: Assignment) -> str:
    """`x0 = 3, layer0_node1 = -2 one cycle earlier`; those at their lowest code go last."""
    ordered = sorted(assignment, key=lambda v: (v.sample == 0, assignment[v] == v.low, _natural(v)))
    shown = [f"{v.name} = {assignment[v]}{_when(v.sample)}" for v in ordered]
    if len(shown) > _SHOWN:
        shown[_SHOWN:] = [f"and {len(shown) - _SHOWN} more"]
    return ", ".join(shown) or "any input"


def _natural(of: Variable) -> tuple[int, str]:
    """x2 before x10."""
    return len(of.name), of.name


_SHOWN = 16
"""Most variables that are shown."""


def _when(sample: int) -> str:
    if sample == 0:
        return ""
    cycles = quantity(abs(sample), "cycle")
    return f" of the sample {cycles} {'later' if sample > 0 else 'earlier'}"


def _explanation(proof: Proof, outcome: Outcome, rtl: Path) -> Iterator[str]:
    witness = find_witness(proof, outcome)
    if witness is None and any(v.name in ("rst", "in_valid") for v in outcome.assignment or ()):
        yield "Data must depend on neither rst nor in_valid: these only make out_valid."
        return
    if witness is None:
        yield (
            f"No input codes were found that lead there: the codes of {outcome.name}'s inputs may "
            "never come together. The nodes are not equal all the same."
        )
        return
    got = "undefined (x)" if witness.got is None else str(witness.got)
    yield f"Input codes that show it{_earlier(witness)}:"
    for index, codes in enumerate(witness.stream.tolist()):
        mark = "  <-" if len(witness.stream) > 1 and index == witness.index else ""
        yield f"  {show_codes(codes, proof.interface.inputs)}{mark}"
    yield f"  {witness.where} must be {witness.expected}, and is {got}."
    if not witness.at_output:
        yield "  The outputs are right for these codes; no others were found that show it there."
        return
    yield f"  integer model: {_model(proof, witness)}"
    name = next((n for n in ("icarus", "verilator") if find_simulator(n)), None)
    if name is not None:
        simulator: SimulatorName = "icarus" if name == "icarus" else "verilator"
        yield f"  {simulator}: {_simulated(proof, witness, rtl, simulator)}"


def _earlier(witness: Witness) -> str:
    return ", one sample a clock cycle" if len(witness.stream) > 1 else ""


def _model(proof: Proof, witness: Witness) -> str:
    outputs = proof.integer.run_codes(witness.stream)[witness.index]
    return show_codes(outputs.tolist(), proof.interface.outputs)


def _simulated(proof: Proof, witness: Witness, rtl: Path, simulator: SimulatorName) -> str:
    try:
        outputs = simulate(rtl, proof.interface, witness.stream, simulator=simulator)
    except KanError as error:
        return str(error)
    return show_codes(outputs[witness.index].tolist(), proof.interface.outputs)
