"""Cycles at the ports that refute a wrapper, from a reset on, and the same in Icarus Verilog.

Icarus compiles the wrapper as it was written. In place of the network stands a module that gives,
in each cycle, the outputs that were found.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from kan_dialect.flows.prove.cycles.player import played
from kan_dialect.flows.prove.cycles.solver import Solver, Values
from kan_dialect.flows.prove.cycles.terms import Term, evaluated
from kan_dialect.flows.prove.interfaces.model import WrapperModel
from kan_dialect.flows.prove.interfaces.prove import InterfaceProof

LONGEST = 256
"""Cycles of the longest history that is tried."""


@dataclass(frozen=True)
class Witness:
    """A history that starts behind a reset, and what is wrong at its end."""

    cycles: list[dict[str, int]]
    """Each port in each cycle, the clock left out; the first cycle is the reset."""
    core: list[dict[str, int]]
    """Each port of the network in each cycle, its clock left out."""
    clock: str
    reset: str
    problem: str


def find_witness(proof: InterfaceProof, seconds: float = 30) -> Witness | None:
    """A history in which a claim is wrong; None where none was found in so many seconds.

    The other side keeps its own rules: what it offers stays until it is taken.
    """
    assert proof.new_model is not None
    model = proof.new_model()
    end, pool, signals = time.monotonic() + seconds, model.pool, model.signals
    solver, length = Solver(end), 4
    while length <= LONGEST and time.monotonic() < end:
        claims = [(1, claim) for claim in model.silence(1)]
        for cycle in range(1, length):
            claims += [(cycle, c) for c in (*model.claims(cycle), *model.overdue(cycle))]
        rules = [signals.in_reset(0)]
        rules += [pool.inverted(signals.in_reset(cycle)) for cycle in range(1, length + 1)]
        rules += [rule for cycle in range(1, length) for rule in _rules(model, cycle)]
        wrong = pool.inverted(pool.both(*(claim.term for _, claim in claims)))
        # What is known of memories is only there when the terms have been made.
        found = solver.find([*rules, wrong, *signals.congruences])
        if isinstance(found, dict):
            holds = evaluated([claim.term for _, claim in claims], found)
            wrong_ones = (pair for pair, right in zip(claims, holds, strict=True) if not right)
            last, claim = min(wrong_ones, key=lambda pair: pair[0])
            # A claim may speak of the cycle behind it.
            return _witness(model, found, range(min(last + 2, length + 1)), claim.name)
        length *= 2
    return None


def _rules(model: WrapperModel, cycle: int) -> list[Term]:
    return [claim.term for offers in model.offered for claim in model.kept(offers, cycle)]


def _witness(model: WrapperModel, found: Values, cycles: range, problem: str) -> Witness:
    signals, clocking = model.signals, model.signals.boundary
    ports = [*signals.netlist.inputs, *signals.netlist.outputs]
    ports.remove(clocking.clock)

    def of_core(cycle: int) -> dict[str, Term]:
        given = {p: signals.core_input(p, cycle) for p in signals.core.inputs if p != "clk"}
        results = {p: signals.core_port(p, cycle) for p in signals.core.outputs}
        return given | {port: term for port, term in results.items() if term is not None}

    return Witness(
        [_numbers({port: signals.port(port, c) for port in ports}, found) for c in cycles],
        [_numbers(of_core(c), found) for c in cycles],
        clocking.clock,
        clocking.reset,
        problem,
    )


def _numbers(terms: Mapping[str, Term], found: Values) -> dict[str, int]:
    return dict(zip(terms, evaluated([*terms.values()], found), strict=True))


def first_difference(proof: InterfaceProof, witness: Witness) -> str | None:
    """The first signal behind the reset that Icarus has another value of; None: there is none.

    Outputs of the wrapper and inputs of the network are compared. Undefined bits may be
    anything.

    Raises
    ------
    KanError : Icarus is missing or refuses the file.
    """
    (core,) = proof.netlist.instances.values()
    ports = [("input wire", port, bits) for port, bits in core.inputs.items()]
    ports += [("output reg", port, bits) for port, bits in core.outputs.items()]
    header = ", ".join(f"{kind} [{len(bits) - 1}:0] {port}" for kind, port, bits in ports)
    name, wanted = f"dut.{core.name}", [dict(cycle) for cycle in witness.cycles]
    for cycle, signals in zip(wanted, witness.core, strict=True):
        cycle |= {f"{name}.{port}": signals[port] for port in core.inputs if port != "clk"}
    rows = played(
        proof.rtl,
        proof.name,
        proof.netlist,
        witness.clock,
        witness.cycles,
        forced=[
            [f"{name}.{port} = {signals[port]};" for port in core.outputs]
            for signals in witness.core
        ],
        more=[f"module {core.module}({header});", "endmodule", ""],
        inside=[f"{name}.{port}" for port in core.inputs if port != "clk"],
    )
    for cycle, row in enumerate(rows):
        for signal, bits in row.items():
            code = f"{wanted[cycle][signal]:0{len(bits)}b}"
            if cycle and any(a != b for a, b in zip(bits, code, strict=True) if a in "01"):
                return f"{signal} is {bits} in cycle {cycle}, and not {code}"
    return None
