"""Cycles at the ports that refute a wrapper, from a reset on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from kan_dialect.flows.prove.cycles.claims import Claim
from kan_dialect.flows.prove.cycles.solver import Solver, Values
from kan_dialect.flows.prove.cycles.terms import Term
from kan_dialect.flows.prove.interfaces.induction import evaluated
from kan_dialect.flows.prove.interfaces.prove import WrapperProof, scoreboard
from kan_dialect.flows.prove.interfaces.prove_registers import RegisterProof, register_model
from kan_dialect.flows.prove.interfaces.registers import RegisterModel
from kan_dialect.flows.prove.interfaces.scoreboard import SLACK, Scoreboard
from kan_dialect.flows.prove.interfaces.system import System

LONGEST = 256
"""Cycles of the longest history that is tried."""


@dataclass(frozen=True)
class Stand:
    """A network in its cycles: a pipeline that knows the result of one sample."""

    sample: dict[str, int]
    """Codes of the followed sample, by input."""
    result: dict[str, int]
    """Its outputs."""
    others: list[dict[str, int]]
    """Outputs in each cycle, if the result of another sample comes."""
    valid: list[int]
    """Stages with a sample in cycle 0, the first one first."""
    is_sample: list[int]
    """Stages in cycle 0 whose inputs were the sample."""


@dataclass(frozen=True)
class Witness:
    """A history that starts behind a reset, and what is wrong in its last cycle."""

    cycles: list[dict[str, int]]
    """Each port in each cycle, the clock left out; the first cycle is the reset."""
    network: Stand
    problem: str


def find_witness(proof: WrapperProof | RegisterProof, seconds: float = 30) -> Witness | None:
    """A history in which a claim is wrong; None where none was found in so many seconds.

    The other side keeps its own rules: what it offers stays until it is taken.
    """
    if isinstance(proof, RegisterProof):
        model = register_model(proof)
        return _searched(model.system, model.claims, lambda c: _host_keeps(model, c), seconds)
    board = scoreboard(proof)
    return _searched(
        board.system,
        lambda cycle: _claims(proof, board, cycle),
        lambda cycle: _keeps_rules(board, cycle),
        seconds,
    )


def _searched(
    system: System,
    claims_of: Callable[[int], Iterable[Claim]],
    rules_of: Callable[[int], Term],
    seconds: float,
) -> Witness | None:
    end, pool = time.monotonic() + seconds, system.pool
    solver = Solver(end)
    length = 4
    while length <= LONGEST and time.monotonic() < end:
        claims = [(c, claim) for c in range(1, length) for claim in claims_of(c)]
        rules = [system.in_reset(0)]
        rules += [pool.inverted(system.in_reset(cycle)) for cycle in range(1, length + 1)]
        rules += [rules_of(cycle) for cycle in range(1, length)]
        wrong = pool.inverted(pool.both(*(claim.term for _, claim in claims)))
        # What is known of memories is only there when the terms have been made.
        found = solver.find([*rules, wrong, *system.congruences])
        if isinstance(found, dict):
            holds = evaluated([claim.term for _, claim in claims], found)
            last, claim = next(pair for pair, right in zip(claims, holds, strict=True) if not right)
            # A claim may speak of the cycle behind it.
            shown = range(min(last + 2, length + 1))
            names = [*system.netlist.inputs, *system.netlist.outputs]
            names.remove(system.boundary.clock)
            return Witness(
                [_numbers({n: system.port(n, c) for n in names}, found) for c in shown],
                _stand(system, found, len(shown)),
                claim.name,
            )
        length *= 2
    return None


def _stand(system: System, found: Values, cycles: int) -> Stand:
    latency = system.network.latency
    stages = range(1, latency + 1)
    return Stand(
        _numbers(system.codes, found),
        _numbers(system.results, found),
        [
            {port: found.get(f"core:{port}@{c}", 0) for port in system.results}
            for c in range(cycles)
        ],
        evaluated([system.valid(stage, 0) for stage in stages], found),
        evaluated([system.is_sample(stage, 0) for stage in stages], found),
    )


def _numbers(terms: dict[str, Term], found: Values) -> dict[str, int]:
    return dict(zip(terms, evaluated([*terms.values()], found), strict=True))


def _host_keeps(model: RegisterModel, cycle: int) -> Term:
    """The host keeps an address or data until they are taken."""
    pool, kept = model.pool, list[Term]()
    for channel, payload in (("aw", ["awaddr"]), ("w", ["wdata", "wstrb"]), ("ar", ["araddr"])):
        waits = pool.both(
            model.bus(f"{channel}valid", cycle), pool.inverted(model.bus(f"{channel}ready", cycle))
        )
        same = [
            pool.equal(model.bus(port, cycle + 1), model.bus(port, cycle))
            for port in (f"{channel}valid", *payload)
        ]
        kept.append(pool.any_of([pool.inverted(waits), pool.both(*same)]))
    return pool.both(*kept)


def _claims(proof: WrapperProof, board: Scoreboard, cycle: int) -> Iterator[Claim]:
    """What must hold in a cycle of a history without further resets."""
    yield from board.claims(cycle)
    if cycle > 1:
        yield from board.stable(cycle - 1)
    pool, system = board.pool, board.system
    if cycle == 1:
        for port in (proof.boundary.source.ready, proof.boundary.result.valid):
            yield Claim(f"{port} is 0 behind reset", pool.inverted(system.port(port, 1)))
    window = proof.interface.latency + SLACK
    first = cycle - window
    if first >= 1:
        ready = [system.port(proof.boundary.result.ready, c) for c in range(first, cycle + 1)]
        waits = [board.counter("follows", c) for c in range(first, cycle + 1)]
        stuck = pool.both(*ready, *waits, pool.inverted(board.delivers(cycle)))
        yield Claim("every sample is delivered", pool.inverted(stuck))


def _keeps_rules(board: Scoreboard, cycle: int) -> Term:
    """The source keeps what it offers until it is taken."""
    pool, system, stream = board.pool, board.system, board.source
    same = [
        pool.equal(system.port(port, cycle + 1), system.port(port, cycle))
        for port in (stream.valid, *stream.payload)
    ]
    return pool.any_of([pool.inverted(board.waits(stream, cycle)), pool.both(*same)])
